"""The number of threads of a run: chosen at its start, kept when it is resumed, changed only on request."""

from pathlib import Path

import pytest
import torch
from training_support import make_run, train

from mia_tui import worker
from mia_tui.runs.machine.cores import Cores
from mia_tui.runs.record.events import Event, Phase, RunStarted, Warned
from mia_tui.runs.record.layout import RunDir

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mia_tui.engine.training.train.EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(
        "mia_tui.engine.training.steps.core_wait._CHECK_EVERY_S", float("inf")
    )  # whatever else this machine does


def find(monkeypatch: pytest.MonkeyPatch, cores: Cores | None) -> None:
    """What a run finds when it begins; None: it must not look."""

    class Watch:
        def __init__(self) -> None:
            assert cores is not None, "looked at the cores again"

        def cores(self) -> Cores:
            assert cores is not None
            return cores

    monkeypatch.setattr(worker, "CoreWatch", Watch)


def warnings_of(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Warned)]


def device_of(events: list[Event]) -> str:
    return next(event.device for event in events if isinstance(event, RunStarted))


def test_a_run_takes_what_is_free_when_it_begins_and_keeps_that(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(discs, threads=None)
    assert run.job().threads is None
    find(monkeypatch, Cores(usable=4, busy=2.9, most=4))
    _, events = train(run, stop_after=(1, 2))
    assert run.job().threads == 1 and run.job().config.threads is None
    assert device_of(events) == "CPU, 1 thread"
    assert warnings_of(events) == [
        "The run computes with 1 thread, since other programs keep 2.9 of 4 cores busy."
    ]
    find(monkeypatch, None)
    result, events = train(run)
    assert result.outcome == "finished" and device_of(events) == "CPU, 1 thread"
    assert warnings_of(events) == []


def test_a_run_with_free_cores_takes_them_without_a_warning(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(discs, threads=None, epochs=1)
    find(monkeypatch, Cores(usable=2, busy=0.1, most=2))
    _, events = train(run)
    assert (run.job().threads, warnings_of(events)) == (2, [])
    phases = [event.message for event in events if isinstance(event, Phase)]
    assert "2 threads: other programs keep 0.1 of 2 cores busy" in phases
    assert torch.get_num_threads() == 2


def test_a_number_that_was_given_is_not_questioned(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find(monkeypatch, None)
    run = make_run(discs, threads=2, epochs=1)
    _, events = train(run)
    assert (run.job().threads, device_of(events)) == (2, "CPU, 2 threads")


def test_going_on_with_another_number_says_what_that_means(discs: Path) -> None:
    run = make_run(discs, threads=1, epochs=1)
    train(run, stop_after=(1, 2))
    run.put_threads(2)
    result, events = train(run)
    assert result.outcome == "finished" and device_of(events) == "CPU, 2 threads"
    [told] = warnings_of(events)
    assert told.startswith("The run continues with 2 threads, after 1:") and "no longer bit-identical" in told


def test_a_run_of_before_is_read_with_its_threads_and_a_number_below_1_is_damage(discs: Path) -> None:
    run = make_run(discs)
    job = run.path / "job.json"
    assert RunDir(run.path).job().threads == 1
    job.write_bytes(job.read_bytes().replace(b'\n  "threads": 1', b'\n  "threads": 0'))
    with pytest.raises(Exception, match="cannot read job"):
        RunDir(run.path).job()
