"""`mia-tui runs`: list runs, show one, follow it; `actions` has the commands that do something with them."""

import time
from pathlib import Path

import click

from mia_tui.cli.output.report import INTERRUPTED, Report
from mia_tui.cli.runs.actions import (
    again_command,
    delete_command,
    note_command,
    queue_command,
    rename_command,
    resume_command,
    stop_command,
    tag_command,
)
from mia_tui.cli.runs.groups import group_line, group_record, print_group
from mia_tui.cli.runs.listing import as_record, print_list, read_summaries
from mia_tui.cli.runs.predictions import predictions_command
from mia_tui.cli.runs.results import results_command
from mia_tui.cli.runs.threshold import threshold_command
from mia_tui.cli.runs.view import print_run, view_run
from mia_tui.cli.shared.network import warn_of_unreadable
from mia_tui.cli.shared.options import (
    WATCH_HELP,
    Group,
    Option,
    check_watch,
    dataset_option,
    json_option,
    path_argument,
    require_command,
    run_argument,
    state_option,
)
from mia_tui.config.train import TrainConfig
from mia_tui.runs.actions.action import called
from mia_tui.runs.list.find import find_run, no_runs_hint, runs_of
from mia_tui.runs.list.repeats import group_members, read_group, repeated_groups
from mia_tui.runs.list.words import left_out_sentences, status_sentence
from mia_tui.runs.record.events import UnknownEvent
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.state import RunState
from mia_tui.runs.worker.liveness import IN_PROGRESS, Status, run_status
from mia_tui.text import name_some

_LOOK_EVERY_S = 0.5


@click.group("runs", cls=Group, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show and follow runs: trainings, predictions and evaluations; stop, resume, repeat and delete them.

    RUN is the folder of a run; or, with --dataset, its title or name, the beginning of one, `best` or `last`. Without
    --dataset, names and `last` mean your own recent runs. `last` is the newest run of any kind here and in --after;
    for --run and --resume it is the newest training.
    """
    require_command(ctx)


@command.command("list", short_help="List runs, newest last.")
@path_argument("dataset", required=False)
@state_option
@click.option(
    "--tag",
    "tags",
    cls=Option,
    multiple=True,
    metavar="TAG",
    help="Only runs with this tag; may be repeated.",
)
@json_option
def list_command(dataset: Path | None, state: Path | None, tags: tuple[str, ...], as_json: bool) -> None:
    """List the runs of a dataset, or your own recent ones; the newest last."""
    report = Report(as_json=as_json)
    runs = runs_of(dataset, state)
    summaries = read_summaries(report, runs, tags)
    rows = [as_record(row) for row in summaries]
    if runs and not rows and not as_json:
        report.say(f"No run has {'the tag' if len(tags) == 1 else 'all of the tags'} {name_some(tags)}.")
        return
    is_recent = dataset is None and state is None
    print_list(report, rows, with_dataset=is_recent, hint=no_runs_hint(dataset, state))
    for group in repeated_groups(summaries):
        report.record(group_record(group))
        if not as_json:
            report.say(group_line(group))


@command.command("show", short_help="Show one run: settings, progress, metrics, result.")
@run_argument
@dataset_option
@state_option
@json_option
def show_command(run: str, dataset: Path | None, state: Path | None, as_json: bool) -> None:
    """Show one run: what it is about, settings that are not the defaults, epochs and metrics, or its result.

    RUN may be the name of runs that `train --repeats` made: then all of them, with mean and spread.
    """
    report, members = Report(as_json=as_json), group_members(run, dataset, state)
    if members:
        print_group(report, read_group(members))
    else:
        print_run(report, view_run(find_run(run, dataset=dataset, state=state, kind=None)))


@command.command("follow", short_help="Watch a run until it ends.")
@run_argument
@dataset_option
@state_option
@click.option("--watch", cls=Option, is_flag=True, help=WATCH_HELP)
@json_option
def follow_command(run: str, dataset: Path | None, state: Path | None, watch: bool, as_json: bool) -> int:
    """Watch a run until it ends; Ctrl-C leaves it running.

    With --json, every event of the run from its start is a line. The exit code is 0 when the run finished or
    was stopped, 1 when it failed or was lost.
    """
    report = Report(as_json=as_json)
    check_watch(watch, as_json=as_json)
    found = find_run(run, dataset=dataset, state=state, kind=None)
    try:
        status = _follow_events(report, found) if as_json else _follow(report, found, watch=watch)
    except KeyboardInterrupt:
        report.note(f"The run {called(found)} continues; `mia-tui runs stop` ends it.")
        return INTERRUPTED
    return 0 if status in ("finished", "stopped") else 1


for doing in (
    results_command,
    stop_command,
    resume_command,
    queue_command,
    again_command,
    delete_command,
    rename_command,
    tag_command,
    note_command,
    threshold_command,
    predictions_command,
):
    command.add_command(doing)


def _follow(report: Report, run: RunDir, *, watch: bool) -> Status:
    from mia_tui.cli.output.progress import EpochProgress

    reader = EventReader(run.events)
    state = RunState.of(run.job())
    for event in reader.read_new():
        state.apply(event)
    curves = watch and run.job().config.kind == TrainConfig.kind
    if watch and not curves:
        report.note("Only a training has curves.")
    with EpochProgress(report, metric=state.metric, state=state, curves=curves) as show:
        while True:
            status = run_status(run)  # before reading: the last events of a worker are read after its end
            for event in reader.read_new():
                show(event)
            if status not in IN_PROGRESS or report.is_unread:
                break
            time.sleep(_LOOK_EVERY_S)
    report.say(f"{called(run)} is {status_sentence(run, status)}.")
    if status == "finished" and show.state.result is not None:
        report.say(show.state.result.sentence)
        warn_of_unreadable(report, show.state.result)
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
        if status not in IN_PROGRESS or report.is_unread:
            return status
        time.sleep(_LOOK_EVERY_S)
