"""python -m mia_tui.worker RUN: the process that does a run's job.

The order matters: the lock comes first, so that others know within milliseconds which process has the run; then the
wait for the run before it in the queue, with little memory; torch, whose import takes seconds, comes last.
"""

import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from mia_tui.config.train import TrainConfig
from mia_tui.errors import AwayError, MiaError, RunError
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.machine.cores import Cores, CoreWatch
from mia_tui.runs.machine.gpus import computes_on_cpu
from mia_tui.runs.record.events import Event, Failure, Outcome, Phase, RunEnded, Warned
from mia_tui.runs.record.job import AnyJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.runs.worker.control import STOP_SIGNALS, StopRequest
from mia_tui.runs.worker.fault_log import faults_written, write_to_log
from mia_tui.runs.worker.liveness import WorkerLock
from mia_tui.runs.worker.queue import wait_for_turn
from mia_tui.runs.worker.start_clock import StartClock, run_began
from mia_tui.text import counted, first_line, printable, typed

JOBS_PACKAGE = "mia_tui.engine.jobs"
"""Its modules are named by the kinds of jobs; `work` in each does the job, with torch."""


@dataclass(frozen=True)
class AttemptResult:
    """How an attempt ended; `signal` is the signal that stopped it, `error` why it failed or gave up waiting."""

    outcome: Outcome
    signal: int | None = None
    error: MiaError | None = None


def work(
    run: RunDir,
    *,
    foreground: bool,
    observe: Callable[[Event], None] | None = None,
    on_signal: Callable[[], None] | None = None,
    began: float | None = None,
) -> AttemptResult:
    """Do a run's job in this process, from its last checkpoint if there is one.

    Args:
        run: The run.
        foreground: Whether a person waits for it at a terminal; a second Ctrl-C then ends it at once.
        observe: Called with every event after it was written.
        on_signal: Called at the first signal that asks to stop.
        began: When the process began that was started for this run, see `start_clock`; None for now.

    Raises:
        RunError: If another worker has the run, it is finished, or its folder cannot be written.
    """
    with (
        WorkerLock(run),
        StopRequest(run) as stop,
        EventLog(run.events, root=run.root, observe=observe) as log,
        faults_written(partial(write_to_log, run)),
    ):
        stop.install_signals(foreground=foreground, on_signal=on_signal)
        state = read_state(run)
        if state.outcome == "finished":
            raise RunError(f"The run {printable(run.name)} is finished.", "Start a new one.")
        attempt = Attempt(run, state.attempt + 1, log.append, stop.requested, StartClock(began))
        try:
            outcome = _do_job(attempt)
            result = AttemptResult(outcome, stop.signal if outcome == "stopped" else None)
        except Exception as error:  # noqa: BLE001  # top level: the run's log must say how it ended
            result = _failed(run, error)
        log.append(RunEnded(t=time.time(), outcome=result.outcome, error=_failure(result.error)))
        return result


def _do_job(attempt: Attempt) -> Outcome:
    """Wait for the run's turn, then do its job, by the kind of the job."""
    run, start = attempt.run, attempt.start
    job = run.job()
    start.settled()
    if not wait_for_turn(run, job, attempt.emit, attempt.should_stop):
        return "stopped"
    start.turn_came()
    attempt.phase("importing", "loading torch")
    watch = CoreWatch() if job.threads is None else None
    with start.part("libraries"):
        work_on: Callable[[Attempt, AnyJob], Outcome] = import_module(f"{JOBS_PACKAGE}.{job.kind}").work
    if watch is not None:
        attempt.emit(_settle_threads(run, job, watch.cores()))
    return work_on(attempt, current_job(run))


def _failed(run: RunDir, error: Exception) -> AttemptResult:
    """The result of an attempt that an error ended; the traceback goes to worker.log."""
    if isinstance(error, AwayError):  # nothing is wrong with the run: it can be resumed when the disk is back
        return AttemptResult("stopped", error=error)
    is_logged = write_to_log(run, traceback.format_exc())
    if isinstance(error, MiaError):
        return AttemptResult("failed", error=error)
    hint = f"{printable(run.worker_log)} holds the traceback." if is_logged else None
    message = f"The run failed: {type(error).__name__}: {first_line(error)}."
    return AttemptResult("failed", error=RunError(message, hint))


def _settle_threads(run: RunDir, job: AnyJob, cores: Cores) -> Event:
    """Choose the number of threads of the run by the cores that are free now; it keeps that number.

    Returns:
        The event that reports it.
    """
    run.put_threads(cores.threads)
    threads = counted(cores.threads, "thread")
    if cores.is_busy and computes_on_cpu(job.config.device):
        message = f"The run computes with {threads}, since {cores}."
        hint = (
            f"It keeps that number; `mia-tui train --resume {typed(run.name)} --threads N` would change it."
        )
        return Warned(t=time.time(), message=message, hint=hint if job.kind == TrainConfig.kind else None)
    return Phase(t=time.time(), name="importing", message=f"{threads}: {cores}")


def _failure(error: MiaError | None) -> Failure | None:
    return None if error is None else Failure(type(error).__name__, error.message, error.hint)


def main() -> int:
    """The worker of a detached run; returns an exit code."""
    # As soon as the run is locked others may request a stop by signal; block it until the handlers are installed.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        result = work(RunDir.open(Path(sys.argv[1])), foreground=False, began=run_began())
    except MiaError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return result.error.exit_code if result.error is not None else 0


if __name__ == "__main__":
    sys.exit(main())
