"""Doing a run's job in this terminal, or starting it in the background."""

import os
import shlex
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from mia_tui.cli.report import INTERRUPTED, Report

if TYPE_CHECKING:
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.runs.record.events import Event
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.worker import AttemptResult

TERMINATED = 143


def work_in_front(
    report: Report, run: "RunDir", progress: "EpochProgress", *, record_events: bool
) -> "AttemptResult":
    """Do a run's job in this process and show its progress; a run that a mistake ended at its start is removed.

    Args:
        report: Prints.
        run: The run.
        progress: Shows each event.
        record_events: Whether --json prints each event.
    """
    from mia_tui.runs.list.lifecycle import drop_untrained_run
    from mia_tui.runs.worker.control import clear_stop
    from mia_tui.worker import work

    def observe(event: "Event") -> None:
        if record_events:
            report.record(event)
        progress(event)

    clear_stop(run)
    result = work(run, foreground=True, observe=observe, on_signal=_acknowledge_stop)
    if result.error is not None:
        drop_untrained_run(run, result.error)
    return result


def exit_code(result: "AttemptResult") -> int:
    """The exit code of an attempt.

    Raises:
        MiaError: Why it failed.
    """
    if result.error is not None:
        raise result.error
    if result.signal is None:
        return 0
    return INTERRUPTED if result.signal == signal.SIGINT else TERMINATED


def start_detached(report: Report, run: "RunDir") -> int:
    """Start the run in a worker process, and print how to watch and stop it."""
    from mia_tui.runs.list.lifecycle import wait_until_started
    from mia_tui.runs.worker.detach_risk import detach_risk
    from mia_tui.runs.worker.launch import spawn, wait_until_taken

    risk = detach_risk()
    if risk is not None:
        report.warn(risk.message, risk.hint)
    pid = spawn(run)
    wait_until_taken(run, pid)
    wait_until_started(run)
    doing = "is running" if run.job().after is None else "waits for its turn"
    report.say(f"The run {run.name} {doing} in the background (process {pid}).")
    report.say(f"Watch it: mia-tui runs follow {shlex.quote(str(run.path))}")
    report.say(f"Stop it:  mia-tui runs stop {shlex.quote(str(run.path))}")
    report.record({"type": "run", "name": run.name, "path": str(run.path), "pid": pid})
    return 0


def _acknowledge_stop() -> None:
    """Acknowledge Ctrl-C at once, without any buffer: the signal may arrive in the middle of other output."""
    with suppress(OSError):
        os.write(2, b"\nStopping after this step ...\n")
