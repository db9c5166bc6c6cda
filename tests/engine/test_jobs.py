"""A kind of job is one Struct in config/ and one module in engine/jobs/."""

import sys
import time
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import msgspec
import pytest

from mia_tui.config.jobs import JOB_CONFIGS
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import find_run, kind_of
from mia_tui.runs.list.summaries import RunSummaries
from mia_tui.runs.record.events import Outcome, ResultSaved
from mia_tui.runs.record.job import Job, JobClass
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.worker import JOBS_PACKAGE, work


class CountConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[str] = "count"
    noun: ClassVar[str] = "count of images"

    device: str = "cpu"
    network: str = "none"
    up_to: int


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(attempt: Attempt, job: Job[CountConfig]) -> Outcome:
        attempt.started(device="cpu")
        attempt.phase("working", "counting")
        for number in range(job.config.up_to):
            attempt.progress(number + 1, job.config.up_to)
            if attempt.should_stop():
                return "stopped"
        attempt.emit(ResultSaved(t=time.time(), sentence=f"{job.config.up_to} images.", file=""))
        return "finished"

    module = ModuleType(f"{JOBS_PACKAGE}.count")
    module.work = count  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(JOB_CONFIGS, "count", CountConfig)


def make_count(state: Path) -> RunDir:
    job = Job[CountConfig](
        config=CountConfig(up_to=3),
        dataset=str(state.parent),
        state=str(state),
        classes=[JobClass(0, "any")],
        threads=1,
        command="",
        created_at=time.time(),
        version="0",
    )
    return RunDir.create(StateFolder(state), job, name="count")


def test_a_new_kind_is_worked_on_listed_and_found_and_is_no_training(tmp_path: Path, counting: None) -> None:
    run = make_count(tmp_path / "mia")
    result = work(run, foreground=False)
    assert (result.outcome, result.error) == ("finished", None)
    state = read_state(run)
    assert state.result is not None and state.result.sentence == "3 images."
    [row] = RunSummaries([tmp_path / "mia"]).refresh()
    assert (row.kind, row.status, row.progress, row.result) == ("count", "finished", (3, 3), "3 images.")
    assert kind_of(run) == "count"
    assert find_run("last", state=tmp_path / "mia", kind=None) == run
    with pytest.raises(Exception, match="There is no run in"):
        find_run("last", state=tmp_path / "mia")


def test_a_run_of_a_kind_that_this_version_does_not_know_is_one_sentence(
    tmp_path: Path, counting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_count(tmp_path / "mia")
    monkeypatch.delitem(JOB_CONFIGS, "count")
    with pytest.raises(Exception, match="it is of the kind count"):
        run.job()
    [row] = RunSummaries([tmp_path / "mia"]).refresh()
    assert row.status == "damaged" and "of the kind count" in row.note
