"""What every worker reports."""

from pathlib import Path

import pytest

from mia_tui.runs.record.events import Event, PhaseName, ProgressMade
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker import attempt as attempt_module
from mia_tui.runs.worker.attempt import Attempt


def test_progress_is_reported_now_and_then_and_at_the_end_of_a_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(attempt_module.time, "monotonic", lambda: now)
    events: list[Event] = []
    attempt = Attempt(RunDir(tmp_path), 1, events.append, bool)
    phases: tuple[PhaseName, ...] = ("loading", "training")
    for phase in phases:
        attempt.phase(phase, "")
        for done in range(1, 101):
            now += 0.01
            attempt.progress(done, 100)
    told = [event.done for event in events if isinstance(event, ProgressMade)]
    half = len(told) // 2
    assert told[:half] == told[half:] and told[:half] == sorted(set(told))
    assert told[0] == 1 and told[half - 1] == 100 and half < 8
