"""The helper that times steps for the form: it does what training does, and the app gets an answer or a reason."""

import os
from pathlib import Path

import pytest
from run_support import wait_for

from mia_tui import step_timer
from mia_tui.config.train import TrainConfig
from mia_tui.runs.machine.system import process_runs, start_time
from mia_tui.runs.record.job import Sample
from mia_tui.runs.worker.helper import encode_line
from mia_tui.runs.worker.preview_messages import PreviewImage
from mia_tui.runs.worker.timing_messages import (
    TimingAnswer,
    TimingRequest,
    decode_timing,
    decode_timing_answer,
    encode_timing,
)
from mia_tui.step_timer import answer, time_training
from mia_tui.tui.training.estimate import StartEstimate
from mia_tui.tui.training.forecast import StepClock

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")

CONFIG = TrainConfig(backbone="timm:test_resnet", width=32, height=32, batch_size=8, device="cpu")


def request(root: Path, *names: str, config: TrainConfig = CONFIG) -> TimingRequest:
    rows = tuple(PreviewImage(number, name, 0) for number, name in enumerate(names))
    return TimingRequest(config, str(root), rows, 2)


def test_steps_are_timed_with_the_images_of_the_set(discs: Path) -> None:
    timed = time_training(request(discs, "red/cell-0.png", "blue/cell-1.png"))
    assert timed.error == ""
    assert 0 < timed.train_s < 10 and 0 < timed.validate_s < 10 and 0 < timed.read_s < 10
    assert timed.device.startswith("CPU, ")


def test_a_batch_that_takes_long_is_told_from_a_few_images(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_timer, "_LIMIT_S", 0.0)
    sizes = []
    step = step_timer._TimedTraining._step
    monkeypatch.setattr(
        step_timer._TimedTraining, "_step", lambda self, count: sizes.append(count) or step(self, count)
    )
    assert time_training(request(discs, "red/cell-0.png")).train_s > 0
    assert sizes == [2, 2, 8]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"backbone": "timm:nosuch"}, "nosuch"),
        ({"precision": "fp16"}, "--precision fp16 needs an NVIDIA GPU."),
    ],
)
def test_what_cannot_be_timed_is_a_sentence(discs: Path, change: dict[str, str], words: str) -> None:
    config = TrainConfig(
        **{"backbone": "timm:test_resnet", "width": 32, "height": 32, "device": "cpu", **change}
    )
    told = decode_timing_answer(answer(encode_timing(request(discs, "red/cell-0.png", config=config))))
    assert words in told.error


def test_images_that_cannot_be_read_are_left_out_and_named_where_there_is_no_other(discs: Path) -> None:
    (discs / "red" / "cell-0.png").write_bytes(b"no image")
    told = decode_timing_answer(answer(encode_timing(request(discs, "red/cell-0.png"))))
    assert "cell-0.png" in told.error
    assert time_training(request(discs, "red/cell-0.png", "red/cell-1.png")).train_s > 0


def test_names_that_are_not_utf8_come_through_and_no_weights_are_asked_for(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"\xff")
    config = TrainConfig(weights="imagenet", val="other", val_fraction=0.0)
    sent = decode_timing(encode_timing(request(root, os.fsdecode(b"\xfe.png"), config=config)))
    assert (sent.root, sent.rows[0].path) == (str(root), os.fsdecode(b"\xfe.png"))
    assert (sent.config.weights, sent.config.val) == ("none", None)
    assert decode_timing_answer(encode_line(TimingAnswer(error="x"))).error == "x"


def test_the_form_gets_a_measurement_from_a_process_that_ends_with_it(discs: Path) -> None:
    news: list[None] = []
    clock = StepClock(discs, lambda: news.append(None))
    wait_for(lambda: bool(news))
    samples = [Sample(path=f"red/cell-{n}.png", frame=0, class_index=0, split="train") for n in range(12)]
    counts = {"red": {"train": 12, "val": 2, "test": 0}, "blue": {"train": 12, "val": 2, "test": 0}}
    estimate = StartEstimate(counts=counts, samples=samples)  # type: ignore[arg-type]
    assert clock.forecast(CONFIG, estimate, has_gpu=False) is None
    assert clock.want(CONFIG, estimate)
    assert not clock.want(CONFIG, estimate), "once is enough"
    wait_for(lambda: len(news) > 1)
    told = clock.forecast(CONFIG, estimate, has_gpu=False)
    assert told is not None and told.source.startswith("measured here")
    pid = clock._helper.pid
    assert pid is not None
    begun = start_time(pid)
    clock.close()
    wait_for(lambda: not process_runs(pid, begun))
