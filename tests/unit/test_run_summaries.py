"""The summaries of runs: what they say, what is read for them, what is damaged."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from run_support import epoch_row, finished, make_predict_job, make_run, started, step

from mia_tui.paths import StateFolder
from mia_tui.runs.list import summaries as summaries_module
from mia_tui.runs.list.summaries import RunSummaries, RunSummary
from mia_tui.runs.record.events import Failure, Phase, ProgressMade, ResultSaved, RunEnded, StepEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.liveness import WorkerLock, WorkerRecord
from mia_tui.tui.runs.run_rows import SORTS, ordered


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "cells" / "mia"


@pytest.fixture
def summaries(state: Path) -> RunSummaries:
    return RunSummaries([state])


def ended(state: Path, *values: float, name: str = "vgg16", created_at: float = 1e9, **config: Any) -> RunDir:
    """A finished run with an epoch for each value of its metric."""
    run = make_run(state, name=name, created_at=created_at, **config)
    with EventLog(run.events) as log:
        log.append(started(t=1.0))
        for number, value in enumerate(values, 1):
            log.append(msgspec.structs.replace(epoch_row(number, macro_f1=value), t=1.0 + 10.0 * number))
        log.append(finished(t=1.0 + 10.0 * len(values)))
    return run


def only(summaries: RunSummaries) -> RunSummary:
    [row] = summaries.refresh()
    return row


def test_a_row_says_state_network_epochs_best_figure_and_time(state: Path, summaries: RunSummaries) -> None:
    run = ended(state, 0.5, 0.75, 0.7, backbone="vgg16", epochs=9)
    row = only(summaries)
    assert (row.run, row.status, row.network) == (run, "finished", "vgg16")
    assert (row.epochs, row.total_epochs) == (3, 9)
    assert (row.metric, row.best, row.best_epoch) == ("macro_f1", 0.75, 2)
    assert (row.elapsed_s, row.created_at, row.note, row.lives) == (30.0, 1e9, "", False)


def test_a_prediction_says_how_many_images_are_done_how_long_it_takes_and_what_it_made(
    state: Path, summaries: RunSummaries
) -> None:
    run = RunDir.create(StateFolder(state), make_predict_job(state), name="predict")
    with WorkerLock(run), EventLog(run.events) as log:
        log.append(started(t=1.0))
        log.append(Phase(t=2.0, name="loading", message="finding images"))
        log.append(ProgressMade(t=2.0, done=7, total=0))
        assert only(summaries).progress is None
        log.append(Phase(t=3.0, name="working"))
        for number in range(1, 7):
            log.append(ProgressMade(t=3.0 + number, done=10 * number, total=100))
            row = only(summaries)
            assert row.progress == (10 * number, 100)
        assert row.left_s == pytest.approx(4.0)
        log.append(
            ResultSaved(t=9.5, sentence="60 suggestions of resnet18.", file="predictions/suggestions.jsonl")
        )
        log.append(finished(t=10.0))
    row = only(summaries)
    assert (row.kind, row.progress, row.left_s) == ("predict", (60, 100), None)
    assert (row.result, row.elapsed_s) == ("60 suggestions of resnet18.", 9.0)


def test_of_many_reports_of_progress_only_the_last_is_read(state: Path, summaries: RunSummaries) -> None:
    run = RunDir.create(StateFolder(state), make_predict_job(state), name="predict")
    with EventLog(run.events) as log:
        log.append(Phase(t=3.0, name="working"))
        for number in range(1, 50):
            log.append(ProgressMade(t=3.0 + number, done=number, total=100))
        log.append(Phase(t=99.0, name="working", message="writing the result"))
        log.append(finished(t=100.0))
        log.append(Phase(t=101.0, name="loading"))
        log.append(ProgressMade(t=101.0, done=1, total=0))
        log.append(RunEnded(t=102.0, outcome="stopped"))
    assert only(summaries).progress == (49, 100)
    run.events.write_bytes(b"".join(run.events.read_bytes().splitlines(keepends=True)[:-3]))
    row = only(summaries)
    assert (row.status, row.progress) == ("finished", (49, 100))


def test_both_places_of_a_dataset_are_looked_at_and_the_newest_comes_first(tmp_path: Path) -> None:
    dataset = tmp_path / "cells"
    old, new = ended(dataset / "mia", 0.5, created_at=1e9), ended(tmp_path / "cells.mia", 0.5, created_at=2e9)
    assert [row.run.path for row in RunSummaries.of_dataset(dataset, None).refresh()] == [new.path, old.path]
    assert [row.run.path for row in RunSummaries.of_dataset(dataset, tmp_path / "cells.mia").refresh()] == [
        new.path
    ]


def test_a_run_that_has_ended_is_read_once_until_something_is_different(
    state: Path, summaries: RunSummaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(state, 0.5)
    before = only(summaries)
    monkeypatch.setattr(RunDir, "job", lambda _: pytest.fail("it is read again"))
    assert only(summaries) is before
    monkeypatch.undo()
    with EventLog(run.events) as log:
        log.append(started(2, t=100.0))
        log.append(RunEnded(t=101.0, outcome="stopped"))
    assert only(summaries).status == "stopped"


def test_a_run_at_work_is_followed_and_its_steps_are_not_decoded(
    state: Path, summaries: RunSummaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(state, created_at=time.time() - 1000)
    with WorkerLock(run), EventLog(run.events) as log:
        log.append(Phase(t=1.0, name="importing", message="loading torch"))
        assert (only(summaries).status, only(summaries).phase, only(summaries).has_begun) == (
            "running",
            "loading torch",
            False,
        )
        log.append(started(t=1.0))
        taken: list[object] = []
        real = summaries_module.RunState.apply
        monkeypatch.setattr(summaries_module.RunState, "apply", lambda s, e: (taken.append(e), real(s, e)))
        for number in range(5):
            log.append(msgspec.structs.replace(step(1, number), t=2.0 + number))
        row = only(summaries)
        assert (row.elapsed_s, row.has_begun) == (5.0, True)
        assert not [event for event in taken if isinstance(event, StepEnded)]
        log.append(msgspec.structs.replace(epoch_row(1, macro_f1=0.25), t=11.0))
        assert (only(summaries).epochs, only(summaries).best) == (1, 0.25)
    assert only(summaries).status == "lost"
    assert only(summaries).note == "Its worker died."


def test_a_worker_that_waits_is_waiting_and_says_for_what(state: Path, summaries: RunSummaries) -> None:
    run = make_run(state)
    with WorkerLock(run), EventLog(run.events) as log:
        log.append(Phase(t=1.0, name="waiting", message="waiting for the run A to end"))
        row = only(summaries)
        assert (row.status, row.note, row.lives) == ("waiting", "Waiting for the run A to end.", True)
        log.append(Phase(t=2.0, name="importing", message="loading torch"))
        assert only(summaries).status == "running"


def test_a_run_without_a_worker_is_starting_and_later_never_started(
    state: Path, summaries: RunSummaries
) -> None:
    run = make_run(state)
    assert only(summaries).status == "starting"
    old = time.time() - 1000
    os.utime(run.path / "job.json", (old, old))
    assert only(summaries).status == "created"


def test_a_worker_elsewhere_is_named_and_unknown_when_it_is_silent(
    state: Path, summaries: RunSummaries
) -> None:
    run = make_run(state, created_at=1e9)
    record = WorkerRecord(
        pid=1, host="gpu3", boot_id="x", start_time=1, started_at=1.0, heartbeat=time.time(), locked=True
    )
    run.worker_json.write_bytes(msgspec.json.encode(record))
    assert (only(summaries).status, only(summaries).host) == ("running", "gpu3")
    silent = msgspec.structs.replace(record, heartbeat=time.time() - 121.0)
    run.worker_json.write_bytes(msgspec.json.encode(silent))
    row = only(RunSummaries([state]))
    assert (row.status, row.host) == ("unknown", "gpu3")
    assert "silent" in row.note


def test_a_failed_run_tells_why(state: Path, summaries: RunSummaries) -> None:
    run = make_run(state)
    with EventLog(run.events) as log:
        failure = Failure("DataError", "There are no images.", "Add some.")
        log.append(RunEnded(t=1.0, outcome="failed", error=failure))
    assert (only(summaries).status, only(summaries).note) == ("failed", "There are no images. Add some.")


@pytest.mark.parametrize("content", [b"", b"{", b'{"kind": "train"}', b"\xff\xfe"])
def test_a_damaged_job_is_shown_as_damaged_and_hides_no_other(
    state: Path, summaries: RunSummaries, content: bytes
) -> None:
    good, bad = ended(state, 0.5, name="good"), ended(state, 0.5, name="bad")
    (bad.path / "job.json").write_bytes(content)
    rows = {row.run: row for row in summaries.refresh()}
    assert rows[good].status == "finished"
    assert rows[bad].status == "damaged"
    assert "job.json" in rows[bad].note


def test_the_remains_of_a_run_are_damaged_and_other_folders_are_no_runs(
    state: Path, summaries: RunSummaries
) -> None:
    run = ended(state, 0.5)
    (run.path / "job.json").unlink()
    (state / "runs" / "notes").mkdir()
    row = only(summaries)
    assert (row.run, row.status, row.note) == (run, "damaged", "Its job.json is missing.")


def test_lines_that_cannot_be_read_are_counted(state: Path, summaries: RunSummaries) -> None:
    run = ended(state, 0.5)
    with run.events.open("ab") as log:
        log.write(b"nonsense\n")
    row = only(summaries)
    assert (row.status, row.note) == ("finished", "1 line of its log cannot be read.")


def test_a_deleted_run_goes_and_a_new_one_comes(state: Path, summaries: RunSummaries) -> None:
    first = ended(state, 0.5)
    assert only(summaries).run == first
    shutil.rmtree(first.path)
    assert summaries.refresh() == ()
    second = ended(state, 0.75)
    assert second.path == first.path
    assert only(summaries).best == 0.75


def test_a_log_that_was_replaced_by_a_shorter_one_is_read_anew(state: Path, summaries: RunSummaries) -> None:
    run = make_run(state)
    with WorkerLock(run):
        with EventLog(run.events) as log:
            log.append(started())
            for number in range(1, 5):
                log.append(epoch_row(number, macro_f1=0.5))
        assert only(summaries).epochs == 4
        run.events.unlink()
        with EventLog(run.events) as log:
            log.append(started())
            log.append(epoch_row(1, macro_f1=0.25))
        assert (only(summaries).epochs, only(summaries).best) == (1, 0.25)


@pytest.mark.parametrize("jump_s", [-1e6, 1e6])
def test_a_clock_that_jumps_makes_no_time_negative_and_changes_no_state(
    state: Path, summaries: RunSummaries, jump_s: float
) -> None:
    run = make_run(state)
    with WorkerLock(run), EventLog(run.events) as log:
        log.append(started(t=1e9))
        log.append(msgspec.structs.replace(step(1, 1), t=1e9 + jump_s))
        row = only(summaries)
        assert row.status == "running" and row.elapsed_s >= 0.0
        record = json.loads(run.worker_json.read_bytes())
        run.worker_json.write_bytes(
            json.dumps({**record, "heartbeat": record["heartbeat"] + jump_s}).encode()
        )
        assert only(summaries).status == "running"
    assert only(summaries).status == "lost"


def test_a_pause_between_two_attempts_is_no_work(state: Path, summaries: RunSummaries) -> None:
    run = make_run(state)
    with EventLog(run.events) as log:
        log.append(started(t=0.0))
        log.append(msgspec.structs.replace(epoch_row(1, macro_f1=0.5), t=10.0, elapsed_s=10.0))
        log.append(RunEnded(t=12.0, outcome="stopped"))
        assert only(summaries).elapsed_s == 12.0
        with WorkerLock(run):
            log.append(Phase(t=1000.0, name="importing"))
            assert only(summaries).elapsed_s == 10.0
            log.append(Phase(t=1003.0, name="loading"))
            assert only(summaries).elapsed_s == 13.0


def test_rows_are_sorted_and_those_without_a_value_come_last(state: Path, summaries: RunSummaries) -> None:
    ended(state, 0.5, name="a", created_at=1e9, backbone="vgg16")
    ended(state, 0.9, name="b", created_at=2e9, backbone="resnet50v2")
    ended(state, name="c", created_at=3e9, backbone="densenet121")
    rows = summaries.refresh()

    def names(column: str) -> str:
        return "".join(row.run.name[-1] for row in ordered(rows, column))

    assert names("started") == "cba"
    assert names("macro F1") == "bac"
    assert names("network") == "cba"
    assert names("epochs") == names("time") == "bac"
    assert {column: len(names(column)) for column in SORTS} == dict.fromkeys(SORTS, 3)


def test_a_link_that_leads_in_a_circle_does_not_hide_the_runs(state: Path, summaries: RunSummaries) -> None:
    run = ended(state, 0.5)
    circle = run.path.with_name("20261129-1200-circle")
    circle.symlink_to(circle)
    assert only(summaries).run == run
