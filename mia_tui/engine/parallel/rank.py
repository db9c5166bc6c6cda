"""python -m mia_tui.engine.parallel.rank RUN ATTEMPT: one of several processes that do the job of a run.

The worker of the run starts it (`launching`); what it prints goes to the run's worker.log.
"""

import os
import signal
import sys
import traceback
from functools import partial
from importlib import import_module
from pathlib import Path

from mia_tui.engine.device import is_out_of_memory
from mia_tui.engine.parallel.channel import RankEnded, RankFailed, RankWaits, WorkerChannel
from mia_tui.engine.parallel.ranks import RANK_START, WORKER_ADDRESS, is_lost_peer, process_name
from mia_tui.errors import MiaError
from mia_tui.files import open_in_place
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.record.events import Event, Failure, Phase
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.runs.worker.control import STOP_SIGNALS
from mia_tui.runs.worker.fault_log import faults_written, write_to_log
from mia_tui.runs.worker.start_clock import StartClock
from mia_tui.text import first_line, printable


def main() -> int:
    """Do the job of a run, beside the other processes; returns an exit code."""
    path, number = sys.argv[1:]
    run, rank, count = RunDir(Path(path)), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    for each in (*STOP_SIGNALS, signal.SIGHUP):  # the worker says when to stop
        signal.signal(each, signal.SIG_IGN)
    _print_to_log(run)
    channel = WorkerChannel(os.environ[WORKER_ADDRESS], rank)
    name = process_name(rank, count)
    emit = channel.report if rank == 0 else partial(_report_wait, channel, set())
    start = StartClock.taken_over(os.environ[RANK_START])
    attempt = Attempt(run, int(number), emit, lambda: channel.is_asked_to_stop, start)
    write = partial(write_to_log, run, who=name)
    try:
        with faults_written(write):
            job = current_job(run)
            with start.part("libraries"):
                work_on = import_module(f"mia_tui.engine.jobs.{job.kind}").work
            outcome = work_on(attempt, job)
    except Exception as error:  # noqa: BLE001  # top level: the worker must learn why
        is_logged = write(traceback.format_exc())
        channel.send(failure_of(run, error, name, is_logged=is_logged))
        return 1
    channel.send(RankEnded(outcome))
    channel.wait_for_end()  # a process that ends earlier takes the connection from those that still need it
    return 0


def _print_to_log(run: RunDir) -> None:
    log = open_in_place(run.worker_log, root=run.root, append=True)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def _report_wait(channel: WorkerChannel, waiting: set[str], event: Event) -> None:
    """Of what a process reports that is not the first one, only tell that it waits for a disk."""
    if not isinstance(event, Phase):
        return
    if event.name == "waiting":
        waiting.add(event.message)
        channel.send(RankWaits(event.message))
    elif waiting:
        waiting.clear()
        channel.send(RankWaits(None))


def failure_of(run: RunDir, error: Exception, name: str, *, is_logged: bool) -> RankFailed:
    """What a process tells the worker when it fails.

    Args:
        run: The run.
        error: Why.
        name: The process in words.
        is_logged: Whether the traceback is in worker.log.
    """
    is_memory = any(is_out_of_memory(each) for each in (error, error.__cause__) if each is not None)
    if isinstance(error, MiaError):
        kind, message, hint = type(error).__name__, error.message, error.hint
    else:
        kind, hint = "RunError", f"{printable(run.worker_log)} holds the traceback." if is_logged else None
        message = f"{name[0].upper()}{name[1:]} failed: {type(error).__name__}: {first_line(error)}."
    return RankFailed(Failure(kind, message, hint), is_lost_peer(error), is_memory)


if __name__ == "__main__":
    sys.exit(main())
