"""`mia-tui runs`: list training runs, show one, follow it, ask it to stop."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from mia_tui.catalog.metrics import shown_metric
from mia_tui.cli.options import (
    Group,
    dataset_option,
    json_option,
    path_argument,
    require_command,
    run_argument,
    state_option,
)
from mia_tui.cli.output.tables import table, width
from mia_tui.cli.report import INTERRUPTED, Report
from mia_tui.config.fields import Value, fields, show_value
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import PARTS
from mia_tui.errors import RunError
from mia_tui.runs.list.find import find_run, no_runs_hint, runs_of
from mia_tui.runs.list.moved_dataset import current_train_job
from mia_tui.runs.list.words import (
    evaluated_in_epoch,
    left_out_sentences,
    shown_status,
    status_sentence,
    stop_sentence,
)
from mia_tui.runs.record.events import UnknownEvent
from mia_tui.runs.record.job import TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.runs.worker.control import KILL_AFTER_S, StopResult, kill_worker, request_stop
from mia_tui.runs.worker.liveness import Status, run_status
from mia_tui.text import counted, duration, encode_name, name_some, printable

if TYPE_CHECKING:
    from mia_tui.runs.evaluation.confusion import SavedConfusion

_LOOK_EVERY_S = 0.5
_AT_WORK: frozenset[Status] = frozenset({"starting", "running", "unknown"})
_WARNINGS_SHOWN = 5
_HANG = 12  # where the text of a fact begins
_LIST_COLUMNS = 80
_LEAST_DATASET = 16


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


@command.command("show", short_help="Show one run: settings, epochs, metrics.")
@run_argument
@dataset_option
@state_option
@json_option
def show_command(run: str, dataset: Path | None, state: Path | None, as_json: bool) -> None:
    """Show one run: settings that are not the defaults, epochs, metrics of its best epoch."""
    print_run(Report(as_json=as_json), view_run(find_run(run, dataset=dataset, state=state, kind=None)))


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
    found = find_run(run, dataset=dataset, state=state, kind=None)
    try:
        status = _follow_events(report, found) if as_json else _follow(report, found)
    except KeyboardInterrupt:
        report.note(f"The run {printable(found.name)} continues; `mia-tui runs stop` ends it.")
        return INTERRUPTED
    return 0 if status in ("finished", "stopped") else 1


@command.command("stop", short_help="Ask a run to stop, with a checkpoint.")
@run_argument
@dataset_option
@state_option
@click.option(
    "--kill",
    is_flag=True,
    help=f"End it at once, if it was asked to stop {KILL_AFTER_S:.0f} seconds ago and still runs.",
)
def stop_command(run: str, dataset: Path | None, state: Path | None, kill: bool) -> int:
    """Ask a run to stop: it finishes its step and saves a checkpoint to resume from."""
    report = Report()
    found = find_run(run, dataset=dataset, state=state, kind=None)
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
        f"{name} was asked to stop {ago:.0f} s ago and still runs; "
        f"`mia-tui runs stop {name} --kill` ends it at once, without a checkpoint."
    )


def _follow(report: Report, run: RunDir) -> Status:
    from mia_tui.cli.output.progress import EpochProgress

    reader = EventReader(run.events)
    state = RunState.of(run.job())
    for event in reader.read_new():
        state.apply(event)
    with EpochProgress(report, metric=state.metric, state=state) as show:
        while True:
            status = run_status(
                run
            )  # before reading, so that the last events of a worker are read after its end
            for event in reader.read_new():
                show(event)
            if status not in _AT_WORK or report.is_unread:
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
        if status not in _AT_WORK or report.is_unread:
            return status
        time.sleep(_LOOK_EVERY_S)


# What `list` and `show` print


@dataclass(frozen=True)
class RunView:
    """What `runs show` shows of a run.

    Attributes:
        best: The confusion matrix of its best epoch; None if there is none yet.
        images: Number of images of each part that has any.
        troubles: What could not be read, a sentence each.
    """

    run: RunDir
    job: TrainJob
    state: RunState
    status: Status
    best: "SavedConfusion | None"
    images: dict[str, int]
    troubles: tuple[str, ...]


def settings_sentence(config: TrainConfig) -> str:
    """The settings that differ from the defaults, named as in a settings file."""
    usual = TrainConfig()
    changed = [field for field in fields() if getattr(config, field.name) != getattr(usual, field.name)]
    if not changed:
        return "the defaults"
    shown = [f"{field.name} {_shown(getattr(config, field.name))}" for field in changed]
    return f"{', '.join(shown)}; otherwise the defaults"


def _shown(value: Value | None) -> str:
    return "none" if value is None else printable(show_value(value))


def list_row(run: RunDir) -> dict[str, Any]:
    """One run as an object of `runs list --json`.

    Raises:
        RunError: If the run cannot be read.
    """
    return _summary(run, current_train_job(run), read_state(run), run_status(run))


def damaged_row(run: RunDir) -> dict[str, Any]:
    """As `list_row`, for a run that cannot be read: it exists, and can be deleted."""
    return {
        "run": run.name,
        "path": encode_name(str(run.path.resolve())),
        "dataset": "",
        "status": "damaged",
        "backbone": "",
        "epoch": 0,
        "epochs": 0,
        "metric": "",
        "best": None,
        "best_epoch": None,
        "created_at": None,
    }


def print_list(report: Report, rows: Sequence[dict[str, Any]], *, with_dataset: bool, hint: str) -> None:
    """Print the output of `runs list`; `hint` says what to do if there are none."""
    for row in rows:
        report.record(row)
    if report.as_json:
        return
    if not rows:
        report.say(f"There are no runs yet. {hint}")
        return
    columns = ["run", "status", "epochs", "metric", "best"]
    cells = [_cells(row) for row in rows]
    if with_dataset:
        used = max(width(line) for line in table(columns, cells))
        width_left = max(_LIST_COLUMNS - used - 2, _LEAST_DATASET)
        columns.append("dataset")
        for line, row in zip(cells, rows, strict=True):
            line.append(_end_of_path(printable(row["dataset"]), width_left))
    report.table(columns, cells)


def view_run(run: RunDir) -> RunView:
    """Read everything that is shown of a run.

    Raises:
        RunError: If the run cannot be read.
    """
    from mia_tui.runs.evaluation.confusion import load_confusion

    job, state, status, troubles = current_train_job(run), read_state(run), run_status(run), []
    best, images = None, Counter[str]()
    try:
        images.update(sample.split for sample in run.samples())
    except RunError as error:
        troubles.append(str(error))
    try:
        best = load_confusion(run.confusion("best")) if run.confusion("best").exists() else None
    except RunError as error:
        troubles.append(str(error))
    counts: dict[str, int] = {part: images[part] for part in PARTS if images[part]}
    return RunView(run, job, state, status, best, counts, tuple(troubles))


def print_run(report: Report, view: RunView) -> None:
    """Print the output of `runs show`."""
    for trouble in view.troubles:
        report.warn(trouble)
    if report.as_json:
        report.record(_record(view))
        return
    for title, text in _facts(view):
        report.say(f"{title:<11} {text}", hang=_HANG)
    _print_trouble(report, view.state)
    if view.state.epochs:
        report.say()
        report.epochs(view.state)
    if view.best is not None:
        _print_best(report, view.best, view.state)


def _summary(run: RunDir, job: TrainJob, state: RunState, status: Status) -> dict[str, Any]:
    return {
        "run": run.name,
        "path": encode_name(str(run.path.resolve())),
        "dataset": encode_name(job.dataset),
        "status": shown_status(status, state),
        "backbone": job.config.backbone,
        "epoch": state.epochs[-1].epoch if state.epochs else 0,
        "epochs": job.config.epochs,
        "metric": shown_metric(job.config.metric),
        "best": state.best_value,
        "best_epoch": state.best.epoch if state.best else None,
        "created_at": job.created_at,
    }


def _cells(row: dict[str, Any]) -> list[object]:
    epochs = f"{row['epoch']}/{row['epochs']}"
    return [row["run"], row["status"], epochs, row["metric"], row["best"]]


def _end_of_path(path: str, width_left: int) -> str:
    """A path, or as many of its last folders as fit, at least one; --json has the whole path."""
    if width(path) <= width_left:
        return path
    folders = path.split("/")
    ends = ["…/" + "/".join(folders[first:]) for first in range(1, len(folders))]
    return next((end for end in ends if width(end) <= width_left), ends[-1] if ends else path)


def _record(view: RunView) -> dict[str, Any]:
    state = view.state
    return {
        **_summary(view.run, view.job, state, view.status),
        "attempts": state.attempt,
        "elapsed_s": state.elapsed_s,
        "classes": [item.name for item in view.job.classes],
        "images": view.images,
        "config": view.job.config,
        "command": view.job.command,
        "history": [{"epoch": row.epoch, "train": row.train, "val": row.val} for row in state.epochs],
        "left_out": [
            {
                "first_epoch": spell.first,
                "last_epoch": spell.last,
                **msgspec.to_builtins(spell.images),
            }
            for spell in state.left_out
        ],
        "warnings": [warning.message for warning in state.warnings],
        "error": state.error,
        "best_figures": None if view.best is None else _figures(view.best),
    }


def _figures(best: "SavedConfusion") -> dict[str, Any]:
    from mia_tui.runs.evaluation.confusion import figures, per_class

    return {
        "epoch": best.epoch,
        "split": best.split,
        **figures(best.counts),
        "classes": list(best.classes),
        "per_class": per_class(best.counts, best.classes),
        "confusion": best.counts.tolist(),
    }


def _facts(view: RunView) -> list[tuple[str, str]]:
    job, state, config = view.job, view.state, view.job.config
    classes = name_some((item.name for item in job.classes), limit=12)
    images = ", ".join(f"{counted(count, 'image')} in {part}" for part, count in view.images.items())
    facts = [
        ("Run", printable(view.run.path)),
        ("Status", _status(view)),
        ("Dataset", printable(job.dataset)),
        ("Images", images),
        ("Classes", f"{len(job.classes)}: {classes}"),
        (
            "Network",
            f"{config.backbone}, {config.width}x{config.height} pixels, weights {printable(config.weights)}",
        ),
        ("Settings", settings_sentence(config)),
        ("Command", printable(job.command)),
    ]
    if state.started is not None:
        attempts = f", {counted(state.attempt, 'attempt')}" if state.attempt > 1 else ""
        facts.append(("Time", f"{duration(state.elapsed_s)} on {state.started.device}{attempts}"))
    if state.best is not None and state.best_value is not None:
        facts.append(
            ("Best", f"epoch {state.best.epoch}, {shown_metric(config.metric)} {state.best_value:.4f}")
        )
    return facts


def _status(view: RunView) -> str:
    shown = shown_status(view.status, view.state)
    if shown == "waiting" and view.state.phase_message:
        return printable(view.state.phase_message)
    return status_sentence(view.run, shown)


def _print_trouble(report: Report, state: RunState) -> None:
    for warning in state.warnings[:_WARNINGS_SHOWN]:
        report.say(f"{'Warning':<11} {warning.message}", hang=_HANG)
    hidden = state.warning_count - _WARNINGS_SHOWN
    if hidden > 0:
        report.say(f"{'':<11} and {counted(hidden, 'warning')} more; --json has them", hang=_HANG)
    for sentence in left_out_sentences(state):
        report.say(f"{'Left out':<11} {sentence}", hang=_HANG)
    if state.error is not None:
        report.say(f"{'Error':<11} {state.error.message} {state.error.hint or ''}".rstrip(), hang=_HANG)


def _print_best(report: Report, best: "SavedConfusion", state: RunState) -> None:
    from mia_tui.runs.evaluation.confusion import figures, per_class

    report.say()
    report.say(f"Epoch {best.epoch} on {best.split}{evaluated_in_epoch(state, best.epoch)}:")
    report.confusion(best.counts.tolist(), best.classes)
    report.say()
    report.per_class(msgspec.to_builtins(per_class(best.counts, best.classes)))
    report.say()
    report.figures(figures(best.counts))
