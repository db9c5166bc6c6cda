"""Runs in progress are found and reported as they proceed; others are not."""

import threading
from pathlib import Path

from run_support import epoch_row, finished, make_run, started, wait_for

from mia_tui.runs.list.find import remember_run
from mia_tui.runs.record.events import Phase
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.liveness import WorkerLock
from mia_tui.tui.home.words import run_words
from mia_tui.tui.runs.watch import LiveRun, RunWatch


def test_a_run_at_work_is_told_with_its_epoch_until_it_ends(tmp_path: Path) -> None:
    run = make_run(tmp_path / "cells" / "mia", name="vgg16", created_at=1e9)
    idle = make_run(tmp_path / "cells" / "mia", name="idle", created_at=1e9)
    with EventLog(idle.events) as log:
        log.append(started())
        log.append(finished())
    remember_run(run)
    remember_run(idle)
    told: list[tuple[LiveRun, ...]] = []
    watch = RunWatch([(tmp_path / "cells", None)], told.append)
    with WorkerLock(run), EventLog(run.events) as log:
        log.append(started())
        log.append(epoch_row(1, macro_f1=0.5))
        watch.start()
        wait_for(lambda: bool(told))
        assert [(live.name, live.status, live.epoch) for live in told[-1]] == [(run.name, "running", 1)]
        log.append(epoch_row(2, macro_f1=0.75))
        wait_for(lambda: told[-1][0].epoch == 2)
        assert told[-1][0].best == 0.75
        log.append(finished())
    wait_for(lambda: told[-1] == ())
    watch.stop()
    wait_for(lambda: not any(thread.name == "runs" for thread in threading.enumerate()))


def test_a_run_that_is_queued_to_go_on_is_told_to_wait_not_with_the_figures_it_has_already(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "cells" / "mia", name="vgg16", created_at=1e9)
    told: list[tuple[LiveRun, ...]] = []
    watch = RunWatch([(tmp_path / "cells", None)], told.append)
    with WorkerLock(run), EventLog(run.events) as log:
        for event in (started(), epoch_row(1, macro_f1=0.5), finished(t=1.5)):
            log.append(event)
        log.append(Phase(t=2.0, name="waiting", message="waiting for the run first to end"))
        watch.start()
        wait_for(lambda: bool(told))
        watch.stop()
    assert [run_words(live) for live in told[-1]] == [f"{run.name}, waiting for the run first to end"]
