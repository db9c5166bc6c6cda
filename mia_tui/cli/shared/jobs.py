"""Doing a run's job in this terminal, in the background, or after another."""

import os
import shlex
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.cli.output.report import INTERRUPTED, Report
from mia_tui.cli.shared.options import Option
from mia_tui.errors import ConfigError
from mia_tui.paths import StateFolder
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.runs.record.events import Event
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.record.state import RunState
    from mia_tui.worker import AttemptResult

TERMINATED = 143

after_option = click.option(
    "--after",
    cls=Option,
    metavar="RUN",
    help="Start when another run has ended (finished, stopped or failed), and those that already wait for it; "
    "last is the newest training. With --detach it waits in the background, otherwise in this terminal.",
)


def join_others(*, detach: bool) -> int | None:
    """If torchrun or srun started this command several times at once, be one of its processes.

    Returns:
        The exit code of a process that is not the first; None where the command is to be done here.

    Raises:
        ConfigError: If the first one is to run in the background, where the others would not find it.
    """
    from mia_tui.runs.machine.given_rank import given_rank

    given = given_rank()
    if given is None:
        return None
    if detach:
        raise ConfigError(
            f"--detach starts a program of its own, which the processes of {given.by} cannot join.",
            f"Leave --detach out, or use --devices in place of {given.by}.",
        )
    from mia_tui.engine.parallel.joining import given_store, join_run

    if given.rank:
        return join_run()
    given_store()  # from now on the others find this one, and learn of its end
    return None


def run_to_wait_for(
    report: Report, after: str | None, dataset: Path | None, state: Path | None, *, anywhere: bool = False
) -> "RunDir | None":
    """The run to wait for: the last of those that wait for the named one; None if there is none at work.

    Args:
        report: Prints what is waited for.
        after: The run that --after names; None waits for none.
        dataset: The dataset in which it is looked up.
        state: The folder given with --state.
        anywhere: Whether it is looked up among this user's newest runs as well.

    Raises:
        ConfigError: If there is no such run.
    """
    from mia_tui.runs.list.find import find_run, list_runs, runs_of
    from mia_tui.runs.worker.queue import last_behind

    if after is None:
        return None
    kind = "train" if after == "best" else None
    try:
        named = find_run(after, dataset=dataset, state=state, kind=kind)
    except ConfigError:
        if not anywhere or after == "best":
            raise
        named = find_run(after, kind=kind)
    ahead = last_behind(named, [*runs_of(dataset, state), *list_runs(StateFolder(named.path.parent.parent))])
    if ahead is None:
        report.note(f"The run {printable(named.name)} has ended, so this one starts at once.")
    else:
        report.say(f"This run starts when the run {printable(ahead.name)} has ended.")
    return ahead


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
    from mia_tui.runs.worker.start_clock import run_began
    from mia_tui.worker import work

    def observe(event: "Event") -> None:
        if record_events:
            report.record(event)
        progress(event)

    clear_stop(run)
    result = work(run, foreground=True, observe=observe, on_signal=_acknowledge_stop, began=run_began())
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
    if result.outcome == "finished":
        return 0
    return INTERRUPTED if result.signal == signal.SIGINT else TERMINATED


def start_detached(report: Report, run: "RunDir") -> int:
    """Start the run in a worker process, and print how to watch and stop it."""
    from mia_tui.runs.record.state import read_state
    from mia_tui.runs.worker.detach_risk import detach_risk
    from mia_tui.runs.worker.launch import spawn, wait_until_taken

    risk = detach_risk()
    if risk is not None:
        report.warn(risk.message, risk.hint)
    before = read_state(run)
    wait_until_taken(run, spawn(run))
    report_started(report, run, before)
    return 0


def start_waiting(run: "RunDir") -> None:
    """Start the worker of a run that waits for another one; says nothing."""
    from mia_tui.runs.worker.launch import spawn, wait_until_taken

    wait_until_taken(run, spawn(run))


def report_started(report: Report, run: "RunDir", before: "RunState | None" = None) -> None:
    """Wait until the worker of a run has begun, and print how to watch and stop it.

    Args:
        report: Prints.
        run: The run.
        before: Its state before the worker was started; None for a new run.

    Raises:
        MiaError: What made the worker fail.
    """
    from mia_tui.runs.actions.action import named
    from mia_tui.runs.list.lifecycle import wait_until_started
    from mia_tui.runs.worker.liveness import read_record

    wait_until_started(run, before)
    record = read_record(run)
    pid = None if record is None else record.pid
    doing = "is running" if run.job().after is None else "waits for its turn"
    report.say(f"The {named(run)} {doing} in the background (process {pid}).")
    report.say(f"Watch it: mia-tui runs follow {shlex.quote(str(run.path))}")
    report.say(f"Stop it:  mia-tui runs stop {shlex.quote(str(run.path))}")
    report.record({"type": "run", "name": run.name, "path": str(run.path), "pid": pid})


def _acknowledge_stop() -> None:
    """Acknowledge Ctrl-C at once, without any buffer: the signal may arrive in the middle of other output."""
    with suppress(OSError):
        os.write(2, b"\nStopping after this step ...\n")
