"""The fingerprint of a run's images: taken once, and not where earlier epochs may have seen other images."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from training_support import make_run, train

from mia_tui.engine.training import train as train_module
from mia_tui.runs.record.fingerprint import data_fingerprint
from mia_tui.runs.record.model_card import read_card


@pytest.fixture(autouse=True)
def every_step_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)


def test_it_is_kept_and_stands_in_the_card_of_a_resumed_run_too(discs: Path) -> None:
    run = make_run(discs, epochs=2)
    assert train(run, stop_after=(2, 1))[0].outcome == "stopped"
    kept, written = data_fingerprint(run), run.fingerprint.stat().st_mtime_ns
    assert kept is not None
    assert kept.files == len({each.path for each in run.samples() if each.split != "test"})
    assert train(run)[0].outcome == "finished"
    assert data_fingerprint(run) == kept and run.fingerprint.stat().st_mtime_ns == written
    assert read_card(run.best_weights).fingerprint == kept.digest


@pytest.mark.parametrize("changes", [False, True])
def test_a_resumed_run_without_one_gets_it_unless_a_file_has_changed_since_it_was_made(
    discs: Path, changes: bool
) -> None:
    run = make_run(discs, epochs=2)
    assert train(run, stop_after=(2, 1))[0].outcome == "stopped"
    kept = data_fingerprint(run)
    run.fingerprint.unlink()
    if changes:
        next(discs.glob("*/*.png")).touch()
    assert train(run)[0].outcome == "finished"
    assert data_fingerprint(run) == (None if changes else kept)
    assert read_card(run.best_weights).fingerprint == ("" if changes or kept is None else kept.digest)


def test_a_stop_does_not_wait_for_it(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def slow(*args: Any, give_up: Callable[[], bool], **_: Any) -> Iterator[Any]:
        while not give_up() and not released.wait(0.01):
            pass
        return iter(())

    monkeypatch.setattr("mia_tui.engine.training.fingerprint.file_fingerprints", slow)
    run = make_run(discs, epochs=2)
    assert train(run, stop_after=(1, 1))[0].outcome == "stopped"
    assert data_fingerprint(run) is None and run.last_checkpoint.exists()


def test_the_same_images_have_the_same_fingerprint_in_two_runs(discs: Path) -> None:
    one, other = make_run(discs, epochs=1), make_run(discs, epochs=1, seed=5)
    train(one)
    train(other)
    assert data_fingerprint(one) == data_fingerprint(other) is not None
