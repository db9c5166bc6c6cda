"""python -m mia_tui.worker RUN: the process that does a run's job.

The order matters: the lock comes first, so that others know within milliseconds which process has the run; then the
wait for the run before it in the queue, with little memory; torch, whose import takes seconds, comes last.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.errors import AwayError, MiaError, RunError
from mia_tui.files import open_in_place
from mia_tui.runs.list.moved_dataset import current_samples, current_train_job
from mia_tui.runs.machine.cores import Cores, CoreWatch
from mia_tui.runs.machine.system import boot_id, host_name
from mia_tui.runs.record.events import Event, Failure, Outcome, Phase, RunEnded, Warned
from mia_tui.runs.record.job import TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import STOP_SIGNALS, StopRequest
from mia_tui.runs.worker.launch import trains_on_cpu
from mia_tui.runs.worker.liveness import WorkerLock
from mia_tui.runs.worker.queue import wait_for_turn
from mia_tui.text import counted, printable, typed

if TYPE_CHECKING:
    from mia_tui.engine.training.event_emitter import Identity

Observe = Callable[[Event], None]

_PACKAGES = ("mia-tui", "torch", "torchvision", "timm", "torchmetrics", "pillow", "numpy")


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
    observe: Observe | None = None,
    on_signal: Callable[[], None] | None = None,
) -> AttemptResult:
    """Do a run's job in this process, from its last checkpoint if there is one.

    Args:
        run: The run.
        foreground: Whether a person waits for it at a terminal; a second Ctrl-C then ends it at once.
        observe: Called with every event after it was written.
        on_signal: Called at the first signal that asks to stop.

    Raises:
        RunError: If another worker has the run, it is finished, or its folder cannot be written.
    """
    with WorkerLock(run), StopRequest(run) as stop, EventLog(run.events, root=run.root) as log:
        stop.install_signals(foreground=foreground, on_signal=on_signal)
        state = read_state(run)
        if state.outcome == "finished":
            raise RunError(
                f"The run {printable(run.name)} is finished.", "Start a new one with `mia-tui train`."
            )

        def emit(event: Event) -> None:
            log.append(event)
            if observe is not None:
                observe(event)

        result = _attempt(run, state.attempt + 1, emit, stop)
        emit(RunEnded(t=time.time(), outcome=result.outcome, error=_failure(result.error)))
        return result


def _attempt(run: RunDir, number: int, emit: Observe, stop: StopRequest) -> AttemptResult:
    """One attempt; an error becomes its result, and the traceback goes to worker.log."""
    try:
        job = run.train_job()
        if not wait_for_turn(run, job, emit, stop.requested):
            return AttemptResult("stopped", stop.signal)
        emit(Phase(t=time.time(), name="importing", message="loading torch"))
        watch = CoreWatch() if job.threads is None else None
        from mia_tui.engine.training.train import train

        if watch is not None:
            _settle_threads(run, job, watch.cores(), emit)
        job = current_train_job(run)
        outcome = train(run, job, current_samples(run, job), _identity(number), emit, stop.requested)
        return AttemptResult(outcome, stop.signal if outcome == "stopped" else None)
    except AwayError as error:  # nothing is wrong with the run: it can be resumed when the disk is back
        return AttemptResult("stopped", error=error)
    except MiaError as error:
        _log_traceback(run)
        return AttemptResult("failed", error=error)
    except Exception as error:  # noqa: BLE001  # top level: the run's log must say how it ended
        hint = f"{printable(run.worker_log)} holds the traceback." if _log_traceback(run) else None
        first_line = next(
            iter(str(error).strip().splitlines()), "no reason given"
        )  # CUDA errors have many lines
        message = f"The run failed: {type(error).__name__}: {printable(first_line)}."
        return AttemptResult("failed", error=RunError(message, hint))


def _settle_threads(run: RunDir, job: TrainJob, cores: Cores, emit: Observe) -> None:
    """Choose the number of threads of the run by the cores that are free now; it keeps that number."""
    run.put_threads(cores.threads)
    threads = counted(cores.threads, "thread")
    if cores.is_busy and trains_on_cpu(job.config.device):
        message = f"The run computes with {threads}, since {cores}."
        hint = (
            f"It keeps that number; `mia-tui train --resume {typed(run.name)} --threads N` would change it."
        )
        emit(Warned(t=time.time(), message=message, hint=hint))
    else:
        emit(Phase(t=time.time(), name="importing", message=f"{threads}: {cores}"))


def _failure(error: MiaError | None) -> Failure | None:
    return None if error is None else Failure(type(error).__name__, error.message, error.hint)


def _identity(attempt: int) -> "Identity":
    from mia_tui.engine.training.event_emitter import Identity

    return Identity(attempt, os.getpid(), host_name(), boot_id(), _versions())


def _versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _log_traceback(run: RunDir) -> bool:
    """Write the traceback to worker.log; False if that fails, as on a full disk."""
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n{traceback.format_exc()}\n"
    try:
        descriptor = open_in_place(run.worker_log, root=run.root, append=True)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return False
    return True


def main() -> int:
    """The worker of a detached run; returns an exit code."""
    # As soon as the run is locked others may request a stop by signal; block it until the handlers are installed.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        result = work(RunDir.open(Path(sys.argv[1])), foreground=False)
    except MiaError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return result.error.exit_code if result.error is not None else 0


if __name__ == "__main__":
    sys.exit(main())
