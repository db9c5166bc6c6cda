"""Weights and checkpoints that anybody may have written: used, or refused in a sentence."""

import io
import json
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from disc_support import make_discs
from mutations import ODD_VALUES, byte_mutants, json_mutants
from training_support import make_run, train

from mia_tui.engine.network.weights import read_weights
from mia_tui.engine.training.checkpoint import load_model, load_state
from mia_tui.errors import CheckpointError, MiaError, WeightsError
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import CARD_KEY, read_card


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = make_run(make_discs(tmp_path_factory.mktemp("stopped") / "discs"), epochs=60, early_stop=0)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("mia_tui.engine.training.train.EMIT_EVERY_S", 0.0)  # every step is told
        result, _ = train(run, stop_after=(2, 2))
    torch.set_num_threads(threads)
    assert result.outcome == "stopped"
    return run


@pytest.fixture
def trained(stopped: RunDir, tmp_path: Path) -> RunDir:
    """A copy of a run that was stopped in its second epoch."""
    return RunDir(Path(shutil.copytree(stopped.path, tmp_path / "mia" / "runs" / stopped.name)))


def best_with(run: RunDir, card: bytes | None = None, **weights: torch.Tensor) -> None:
    """Write best.safetensors anew with another card, or other weights."""
    with safetensors.safe_open(run.best_weights, framework="pt") as file:
        old = file.metadata()[CARD_KEY].encode()
    tensors = {**safetensors.torch.load_file(run.best_weights), **weights}
    text = (old if card is None else card).decode("utf-8", "replace")
    safetensors.torch.save_file(tensors, run.best_weights, {CARD_KEY: text})


def test_a_changed_model_card_gives_a_network_or_a_sentence(trained: RunDir) -> None:
    content = trained.best_weights.read_bytes()
    with safetensors.safe_open(trained.best_weights, framework="pt") as file:
        card = file.metadata()[CARD_KEY].encode()
    for mutant in (*json_mutants(card, 150), *byte_mutants(card)):
        trained.best_weights.write_bytes(content)
        best_with(trained, mutant)
        with suppress(MiaError):
            load_model(trained.best_weights)


@pytest.mark.parametrize(
    "change",
    [
        {"width": -1},
        {"width": 10**18},
        {"height": 0},
        {"std": [0.0, 1.0, 1.0]},
        {"mean": [0.5]},
        {"std": [1e-30] * 3},
    ],
)
def test_a_model_card_of_impossible_numbers_is_named(trained: RunDir, change: dict[str, Any]) -> None:
    with safetensors.safe_open(trained.best_weights, framework="pt") as file:
        card = json.loads(file.metadata()[CARD_KEY])
    best_with(trained, json.dumps({**card, **change}).encode())
    with pytest.raises(CheckpointError, match=r"The model card in .* is damaged"):
        load_model(trained.best_weights)


def test_weights_that_are_no_numbers_are_refused(trained: RunDir, tmp_path: Path) -> None:
    weights = safetensors.torch.load_file(trained.best_weights)
    name, value = next(item for item in weights.items() if item[1].is_floating_point())
    best_with(trained, None, **{name: torch.full_like(value, float("nan"))})
    with pytest.raises(CheckpointError, match="not finite"):
        load_model(trained.best_weights)
    torch.save({"a": torch.tensor([float("inf")])}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="not finite"):
        read_weights(tmp_path / "w.pt")


def test_changed_bytes_of_weights_are_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    weights = {"a.weight": torch.ones(3, 2), "b": torch.zeros(1)}
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    legacy = io.BytesIO()
    torch.save(weights, legacy, _use_new_zipfile_serialization=False)
    for content in (buffer.getvalue(), legacy.getvalue(), safetensors.torch.save(weights)):
        for seed in range(3):
            for mutant in byte_mutants(content, seed):
                file.write_bytes(mutant)
                with suppress(WeightsError):
                    read_weights(file)


def test_a_file_of_weights_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", bytes(50_000_000))
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read_weights(tmp_path / "w.pt")


def test_a_header_that_would_take_minutes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    header = b'{"__metadata__":{' + b",".join(b'"%d":""' % number for number in range(1_400_000)) + b"}}"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match=r"its header is longer than 16,777,216 bytes"):
        read_card(path)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read_weights(path)


def test_a_checkpoint_of_another_content_is_refused(trained: RunDir) -> None:
    state = load_state(trained)
    assert state is not None
    for key in ("progress", "best_epoch", "arithmetic", "scaling", "learner"):
        for odd in (*ODD_VALUES, torch.zeros(3)):
            torch.save({**state, key: odd}, trained.last_checkpoint)
            with suppress(CheckpointError):
                load_state(trained)
    for content in (3, [1], None, {}, {"format": "x"}, torch.zeros(2)):
        torch.save(content, trained.last_checkpoint)
        with pytest.raises(CheckpointError, match=r"last\.pt is damaged"):
            load_state(trained)


def test_a_run_with_a_checkpoint_of_another_shape_fails_with_a_sentence(trained: RunDir) -> None:
    state = load_state(trained)
    assert state is not None
    progress, learner = state["progress"], state["learner"]
    optimizer = learner["optimizer"]
    group = {**optimizer["param_groups"][0], "betas": "x", "eps": "y"}
    first = {**optimizer["state"][0], "exp_avg": torch.zeros(7), "momentum_buffer": torch.zeros(7)}
    changes: tuple[dict[str, Any], ...] = (
        {"progress": {**progress, "confusion": torch.zeros(5, 5, dtype=torch.int64)}},
        {"progress": {**progress, "epoch": -1}},
        {"learner": {**learner, "micro_batch": 0}},
        {"learner": {**learner, "random": "x"}},
        {"learner": {**learner, "model": []}},
        {"learner": {**learner, "schedule": 1}},
        {
            "learner": {
                **learner,
                "optimizer": {**optimizer, "param_groups": [group, *optimizer["param_groups"][1:]]},
            }
        },
        {"learner": {**learner, "optimizer": {**optimizer, "state": {**optimizer["state"], 0: first}}}},
    )
    for change in changes:
        torch.save({**state, **change}, trained.last_checkpoint)
        result, _ = train(trained)
        assert result.outcome == "failed" and isinstance(result.error, CheckpointError), change.keys()
