"""Trainings on several GPUs by NCCL: the figures of one GPU, norms of all parts together, stop and resume."""

from pathlib import Path

import pytest
import torch
from disc_support import make_discs
from training_support import EVERYTHING, make_run, train

from mia_tui.runs.record.events import EpochEnded, Event, RunStarted
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state

pytestmark = pytest.mark.gpu

PLAIN = {
    **EVERYTHING,
    "weights": "none",
    "epochs": 7,
    "batch_size": 12,
    "drop_rate": 0.0,
    "ema_decay": 0.0,
    "schedule": "cosine",
    "early_stop": 0,
    "precision": "fp32",
    "deterministic": True,  # which turns off TF32, too
    "device": "cuda",
    "cuda_graphs": "off",
    "compile": "off",
}
NO_NORMS = {"backbone": "timm:test_vit2", "width": 64, "height": 64}


@pytest.fixture(autouse=True)
def two_gpus_are_here() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")


def losses(events: list[Event]) -> list[float]:
    return [
        value
        for event in events
        if isinstance(event, EpochEnded)
        for value in (event.train["loss"], (event.val or event.train)["loss"])
    ]


def trained(run: RunDir) -> list[Event]:
    result, events = train(run)
    assert result.outcome == "finished", result.error
    return events


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [(NO_NORMS, 1e-4), ({"sync_norms": True}, 1e-3)],
    ids=["no norms", "sync norms"],
)
def test_two_gpus_have_the_losses_of_one(
    tmp_path: Path, settings: dict[str, object], tolerance: float
) -> None:
    discs = make_discs(tmp_path / "discs")
    alone = trained(make_run(discs, **{**PLAIN, **settings}))
    both = trained(make_run(discs, **{**PLAIN, **settings}, devices="2"))
    assert losses(both) == pytest.approx(losses(alone), abs=tolerance)
    started = next(event for event in both if isinstance(event, RunStarted))
    assert started.device == f"2 × {torch.cuda.get_device_name(0)}"


def test_a_run_is_stopped_on_two_gpus_and_goes_on_with_one(tmp_path: Path) -> None:
    run = make_run(make_discs(tmp_path / "discs"), **{**PLAIN, **NO_NORMS}, devices="0,1")
    assert train(run, stop_after=(2, 1))[0].outcome in ("stopped", "finished")
    run.put_devices("1")
    trained(run)
    assert [row.epoch for row in read_state(run).epochs] == list(range(1, 8))
