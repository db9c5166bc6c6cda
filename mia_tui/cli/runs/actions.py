"""The commands of `mia-tui runs` that do something with runs; what they ask and say is that of the app."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.jobs import report_started, start_detached
from mia_tui.cli.shared.options import (
    Command,
    Option,
    dataset_option,
    json_option,
    run_argument,
    state_option,
    state_options,
)
from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.runs.actions.action import RunAction, RunQuestion, called
from mia_tui.runs.actions.ending import DeleteRun, KillWorker, StopRun, delete_question
from mia_tui.runs.actions.noting import NoteRun, RenameRun, TagRuns, tags_sentence
from mia_tui.runs.actions.starting import QueueRun, ResumeRun, RunAgain
from mia_tui.runs.list.find import find_run, kind_of
from mia_tui.runs.list.repeats import find_runs, group_members
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import KILL_AFTER_S
from mia_tui.runs.worker.liveness import run_status
from mia_tui.text import printable

Function = TypeVar("Function", bound=Callable[..., Any])


def _yes_option(function: Function) -> Function:
    return click.option("--yes", cls=Option, is_flag=True, help="Do not ask.")(function)


def _runs_argument(function: Function) -> Function:
    """RUN, one or more; arrive as `runs: tuple[str, ...]`."""
    return click.argument("runs", metavar="RUN...", nargs=-1, required=True)(function)


@click.command("stop", cls=Command, short_help="Ask a run to stop, with a checkpoint.")
@run_argument
@dataset_option
@state_option
@click.option(
    "--kill",
    is_flag=True,
    help=f"End it at once, if it was asked to stop {KILL_AFTER_S:.0f} seconds ago and still runs.",
)
def stop_command(run: str, dataset: Path | None, state: Path | None, kill: bool) -> int:
    """Ask a run to stop: it finishes its step and keeps what is done, to resume from.

    RUN may be the name of runs that `train --repeats` made: then all of them.
    """
    report = Report()
    found, *waiting = find_runs(run, dataset=dataset, state=state, kind=None)
    for other in reversed(waiting):  # the last ones first, so that none begins meanwhile
        report.say(StopRun(other).do())
    stop = StopRun(found)
    sentence = stop.do()
    if kill and stop.may_kill:
        report.say(KillWorker(stop.run).do())
        return 0
    report.say(sentence)
    return 1 if kill and stop.was_asked else 0


@click.command("resume", cls=Command, short_help="Continue a run in the background.")
@run_argument
@dataset_option
@json_option
@state_option
def resume_command(run: str, dataset: Path | None, as_json: bool, state: Path | None) -> int:
    """Continue a run where it ended, with its settings, in the background.

    `mia-tui train --resume` continues a training in this terminal. RUN may be the name of runs that `train --repeats`
    made: then all that have not finished, one after the other.
    """
    report, members = Report(as_json=as_json), group_members(run, dataset, state)
    left = [member for member in members if run_status(member) != "finished"]
    if not left:
        return _start(report, ResumeRun(_find(run, dataset, state), dataset=dataset), yes=False)
    ahead: RunDir | None = None
    for member in left:
        _start(report, ResumeRun(member, dataset=dataset, after=ahead), yes=False)
        ahead = member
    return 0


@click.command("queue", cls=Command, short_help="Resume or repeat a run when others have ended.")
@run_argument
@dataset_option
@_yes_option
@json_option
@state_options
def queue_command(
    run: str, dataset: Path | None, yes: bool, as_json: bool, state: Path | None, annotator: str | None
) -> int:
    """Resume a run, or do it again if it is finished, when the runs in progress have ended."""
    report = Report(as_json=as_json)
    action = QueueRun(_find(run, dataset, state), dataset=dataset, state=state)
    action.check()
    if action.trains_again:
        return _train_again(report, action.run, dataset, annotator, after=action.ahead)
    return _start(report, action, yes=yes)


@click.command("again", cls=Command, short_help="Do the same again as a new run.")
@run_argument
@dataset_option
@_yes_option
@json_option
@state_options
def again_command(
    run: str, dataset: Path | None, yes: bool, as_json: bool, state: Path | None, annotator: str | None
) -> int:
    """Do what a run does again as a new run with the same settings, in the background.

    A training takes the labels of today (`mia-tui train --rerun RUN` takes those of then); a prediction or an
    evaluation takes the same images, and the network as its file is today.
    """
    report = Report(as_json=as_json)
    found = _find(run, dataset, state)
    if kind_of(found) == TrainConfig.kind:
        return _train_again(report, found, dataset, annotator, after=None)
    return _start(report, RunAgain(found, dataset=dataset), yes=yes)


@click.command("delete", cls=Command, short_help="Delete runs with all that they saved.")
@_runs_argument
@dataset_option
@state_option
@_yes_option
def delete_command(runs: tuple[str, ...], dataset: Path | None, state: Path | None, yes: bool) -> int:
    """Delete runs with everything that they saved; those in progress are stopped first."""
    report = Report()
    found = _find_all(runs, dataset, state)
    if not (yes or _confirm(report, delete_question(found))):
        report.say("Nothing is deleted.")
        return 0
    failed = 0
    for action in map(DeleteRun, found):
        try:
            report.say(action.do())
        except MiaError as error:
            if len(found) == 1:
                raise
            failed = error.exit_code
            report.warn(error.message, error.hint)
    return failed


@click.command("rename", cls=Command, short_help="Give a run a title.")
@run_argument
@click.argument("title")
@dataset_option
@state_option
def rename_command(run: str, title: str, dataset: Path | None, state: Path | None) -> None:
    """Give a run a title, which is shown in place of the name of its folder; "" removes it.

    Commands find the run by either.
    """
    _do(Report(), RenameRun(_find(run, dataset, state), title))


@click.command("tag", cls=Command, short_help="Add tags to runs, or remove some.")
@_runs_argument
@click.option("--add", cls=Option, default="", metavar="TAGS", help="Tags to add, with commas between them.")
@click.option("--remove", cls=Option, default="", metavar="TAGS", help="Tags to remove.")
@dataset_option
@state_option
def tag_command(
    runs: tuple[str, ...], add: str, remove: str, dataset: Path | None, state: Path | None
) -> None:
    """Add tags to runs, or remove some; without --add and --remove, print those that they have."""
    report = Report()
    found = _find_all(runs, dataset, state)
    if add or remove:
        _do(report, TagRuns(found, add=[add], remove=[remove]))
        return
    for run in found:
        report.say(tags_sentence(run))


@click.command("note", cls=Command, short_help="Write a note on a run.")
@run_argument
@click.argument("text", required=False)
@dataset_option
@state_option
def note_command(run: str, text: str | None, dataset: Path | None, state: Path | None) -> None:
    """Write a note on a run; without TEXT, print the one it has; "" removes it."""
    report = Report()
    found = _find(run, dataset, state)
    if text is not None:
        _do(report, NoteRun(found, text))
    else:
        report.say(printable(found.notes().note) or f"There is no note on {called(found)}.")


def _find(text: str, dataset: Path | None, state: Path | None) -> RunDir:
    return find_run(text, dataset=dataset, state=state, kind=None)


def _find_all(texts: Sequence[str], dataset: Path | None, state: Path | None) -> list[RunDir]:
    """The runs that are named, each once; nothing is done before all of them are found."""
    found = [run for text in texts for run in find_runs(text, dataset=dataset, state=state, kind=None)]
    return list({run.path.resolve(): run for run in found}.values())


def _confirm(report: Report, question: RunQuestion) -> bool:
    return report.confirm(question.title, question.text)


def _do(report: Report, action: RunAction, *, yes: bool = False) -> bool:
    """Do an action if it is possible and wanted, and say what happened; whether it was done."""
    action.check()
    question = action.question()
    if question is not None and not (yes or _confirm(report, question)):
        report.say("Nothing is changed.")
        return False
    risk = action.risk()
    if risk is not None:
        report.warn(risk.message, risk.hint)
    report.say(action.do())
    return True


def _start(report: Report, action: ResumeRun | RunAgain | QueueRun, *, yes: bool) -> int:
    """Do an action that starts a worker, and say how to watch the run."""
    before = read_state(action.run)
    if _do(report, action, yes=yes):
        new = action.started
        report_started(report, new or action.run, before if new is None else None)
    return 0


def _train_again(
    report: Report, run: RunDir, dataset: Path | None, annotator: str | None, *, after: RunDir | None
) -> int:
    """Train with the settings of a run on the labels of today, in the background."""
    from mia_tui.cli.training.creating import create_runs
    from mia_tui.config.command import train_command
    from mia_tui.paths import is_of_this_dataset
    from mia_tui.runs.list.moved_dataset import current_train_job

    job = current_train_job(run, dataset)
    folder, place = Path(job.dataset), Path(job.state)
    state = None if is_of_this_dataset(place, folder) else place
    command_line = train_command(job.config, folder, state=state, annotator=annotator)
    new, *_ = create_runs(
        report, folder, state, annotator, job.config, given=(), command_line=command_line, after=after
    )
    report.say(f"{called(run)} is done again as the run {called(new)}.")
    return start_detached(report, new)
