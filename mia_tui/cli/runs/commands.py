"""`mia-tui runs`: look at training runs, follow them, ask them to stop."""

import time
from pathlib import Path

import click

from mia_tui.cli.options import (
    Group,
    dataset_option,
    json_option,
    path_argument,
    require_command,
    run_argument,
    state_option,
)
from mia_tui.cli.report import INTERRUPTED, Report
from mia_tui.cli.runs.show import damaged_row, list_row, print_list, print_run, view_run
from mia_tui.errors import RunError
from mia_tui.runs.list.index import find_run, no_runs_hint, runs_of
from mia_tui.runs.list.words import left_out_sentences, status_sentence, stop_sentence
from mia_tui.runs.record.events import UnknownEvent
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.state import RunState
from mia_tui.runs.worker.control import KILL_AFTER_S, StopResult, kill_worker, request_stop
from mia_tui.runs.worker.liveness import Status, run_status
from mia_tui.text import printable

_LOOK_EVERY_S = 0.5
_AT_WORK: frozenset[Status] = frozenset({"starting", "running", "unknown"})


@click.group("runs", cls=Group, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show, follow and stop training runs.

    RUN is the folder of a run; or, with --dataset, its name, the beginning of it, `best` or `last`. Without
    --dataset, names and `last` mean your own recent runs.
    """
    require_command(ctx)


@command.command("list", short_help="List runs, newest last.")
@path_argument("dataset", required=False)
@state_option
@json_option
def list_command(dataset: Path | None, state: Path | None, as_json: bool) -> None:
    """List the runs of a dataset, or your own recent ones; the newest last."""
    report = Report(as_json=as_json)
    rows = []
    for run in runs_of(dataset, state):
        try:
            rows.append(list_row(run))
        except RunError as error:  # one damaged run does not hide the others
            report.warn(str(error))
            rows.append(damaged_row(run))
    is_recent = dataset is None and state is None
    print_list(report, rows, with_dataset=is_recent, hint=no_runs_hint(dataset, state))


@command.command("show", short_help="Show one run: settings, epochs, figures.")
@run_argument
@dataset_option
@state_option
@json_option
def show_command(run: str, dataset: Path | None, state: Path | None, as_json: bool) -> None:
    """Show one run: settings that are not the defaults, epochs, figures of its best epoch."""
    print_run(Report(as_json=as_json), view_run(find_run(run, dataset=dataset, state=state)))


@command.command("follow", short_help="Watch a run until it ends.")
@run_argument
@dataset_option
@state_option
@json_option
def follow_command(run: str, dataset: Path | None, state: Path | None, as_json: bool) -> int:
    """Watch a run until it ends; Ctrl-C leaves it running.

    With --json, every event of the run from its start is a line. The exit code is 0 when the run finished or
    was stopped, 1 when it failed or was lost.
    """
    report = Report(as_json=as_json)
    found = find_run(run, dataset=dataset, state=state)
    try:
        status = _follow_events(report, found) if as_json else _follow(report, found)
    except KeyboardInterrupt:
        report.note(f"The run {printable(found.name)} goes on; `mia-tui runs stop` would end it.")
        return INTERRUPTED
    return 0 if status in ("finished", "stopped") else 1


@command.command("stop", short_help="Ask a run to stop, with a checkpoint.")
@run_argument
@dataset_option
@state_option
@click.option(
    "--kill", is_flag=True, help=f"End it at once, once it was asked {KILL_AFTER_S:.0f} seconds ago in vain."
)
def stop_command(run: str, dataset: Path | None, state: Path | None, kill: bool) -> int:
    """Ask a run to stop: it finishes its step and saves a checkpoint to resume from."""
    report = Report()
    found = find_run(run, dataset=dataset, state=state)
    result = request_stop(found)
    if kill and result.may_kill:
        kill_worker(found)
        report.say(f"{printable(found.name)} was ended; what it did since its last checkpoint is lost.")
        return 0
    report.say(_stop_sentence(found, result))
    return 1 if kill and result.asked_at is not None else 0


def _stop_sentence(run: RunDir, result: StopResult) -> str:
    if result.asked_at is None or not result.may_kill:
        return stop_sentence(run, result)
    name, ago = printable(run.name), time.time() - result.asked_at
    return (
        f"{name} was asked to stop {ago:.0f} s ago and has not yet; "
        f"`mia-tui runs stop {name} --kill` ends it at once, without a checkpoint."
    )


def _follow(report: Report, run: RunDir) -> Status:
    from mia_tui.cli.output.progress import EpochProgress

    reader = EventReader(run.events)
    state = RunState(metric=run.job().config.metric)
    for event in reader.read_new():
        state.apply(event)
    with EpochProgress(report, metric=state.metric, state=state) as show:
        while True:
            status = run_status(run)  # before reading: what a worker wrote last is then read after its end
            for event in reader.read_new():
                show(event)
            if status not in _AT_WORK or report.deaf:
                break
            time.sleep(_LOOK_EVERY_S)
    report.say(f"{printable(run.name)} is {status_sentence(run, status)}.")
    for sentence in left_out_sentences(show.state):
        report.warn(sentence)
    if show.state.error is not None:
        report.warn(show.state.error.message, show.state.error.hint)
    return status


def _follow_events(report: Report, run: RunDir) -> Status:
    reader = EventReader(run.events)
    while True:
        status = run_status(run)
        for event in reader.read_new():
            report.record(event.raw if isinstance(event, UnknownEvent) else event)
        if status not in _AT_WORK or report.deaf:
            return status
        time.sleep(_LOOK_EVERY_S)
