"""The fingerprint of a run's images: taken once, and not where earlier epochs may have seen other images."""

from pathlib import Path

import pytest
from training_support import make_run, train

from mia_tui.engine.training import train as train_module
from mia_tui.runs.record.events import Phase
from mia_tui.runs.record.fingerprint import data_fingerprint
from mia_tui.runs.record.model_card import read_card


@pytest.fixture(autouse=True)
def every_step_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)


def takings(events: list[object]) -> int:
    return sum(isinstance(event, Phase) and "fingerprint" in event.message for event in events)


def test_it_is_taken_once_and_stands_in_the_card_of_a_resumed_run_too(discs: Path) -> None:
    run = make_run(discs, epochs=2)
    result, events = train(run, stop_after=(1, 2))
    kept = data_fingerprint(run)
    assert result.outcome == "stopped" and takings(events) == 1 and kept is not None
    assert kept.files == len({each.path for each in run.samples() if each.split != "test"})
    result, events = train(run)
    assert result.outcome == "finished" and takings(events) == 0 and data_fingerprint(run) == kept
    assert read_card(run.best_weights).fingerprint == kept.digest


def test_a_resumed_run_of_an_earlier_version_gets_none(discs: Path) -> None:
    run = make_run(discs, epochs=2)
    assert train(run, stop_after=(1, 2))[0].outcome == "stopped"
    run.fingerprint.unlink()
    result, events = train(run)
    assert result.outcome == "finished" and takings(events) == 0
    assert data_fingerprint(run) is None and read_card(run.best_weights).fingerprint == ""


def test_the_same_images_have_the_same_fingerprint_in_two_runs(discs: Path) -> None:
    one, other = make_run(discs, epochs=1), make_run(discs, epochs=1, seed=5)
    train(one)
    train(other)
    assert data_fingerprint(one) == data_fingerprint(other) is not None
