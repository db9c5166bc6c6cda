"""What `runs list` and `runs show` say about a run, for people and as JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from mia_tui.catalog.metrics import shown_metric
from mia_tui.cli.output.tables import table, width
from mia_tui.cli.report import Report
from mia_tui.config.fields import Value, fields, show_value
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import PARTS
from mia_tui.errors import RunError
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.list.words import (
    evaluated_in_epoch,
    left_out_sentences,
    shown_status,
    status_sentence,
)
from mia_tui.runs.record.job import TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.pace import clock
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.runs.worker.liveness import Status, run_status
from mia_tui.text import counted, encode_name, name_some, printable

if TYPE_CHECKING:
    from mia_tui.runs.evaluation.confusion import SavedConfusion

_WARNINGS_SHOWN = 5
_HANG = 12  # where the text of a fact begins
_LIST_COLUMNS = 80
_LEAST_DATASET = 16


@dataclass(frozen=True)
class RunView:
    """A run as it is shown.

    Attributes:
        best: The confusion matrix of its best epoch; None before there is one.
        images: Of each part that has any.
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
    return _summary(run, current_job(run), read_state(run), run_status(run))


def damaged_row(run: RunDir) -> dict[str, Any]:
    """As `list_row`, of a run that cannot be read: it is there, and can be deleted."""
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
    """The answer of `runs list`; `hint` says what to do where there are none."""
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
        room = max(_LIST_COLUMNS - used - 2, _LEAST_DATASET)
        columns.append("dataset")
        for line, row in zip(cells, rows, strict=True):
            line.append(_end_of_path(printable(row["dataset"]), room))
    report.table(columns, cells)


def view_run(run: RunDir) -> RunView:
    """All there is to show of a run.

    Raises:
        RunError: If the run cannot be read.
    """
    from mia_tui.runs.evaluation.confusion import load_confusion

    job, state, status, troubles = current_job(run), read_state(run), run_status(run), []
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
    """The answer of `runs show`."""
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


def _end_of_path(path: str, room: int) -> str:
    """A path, or as many of its last folders as there is room for, at least one; --json has all of it."""
    if width(path) <= room:
        return path
    folders = path.split("/")
    ends = ["…/" + "/".join(folders[first:]) for first in range(1, len(folders))]
    return next((end for end in ends if width(end) <= room), ends[-1] if ends else path)


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
        facts.append(("Time", f"{clock(state.elapsed_s)} on {state.started.device}{attempts}"))
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
