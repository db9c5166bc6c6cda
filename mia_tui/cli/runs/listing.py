"""What `mia-tui runs list` prints."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mia_tui.catalog.metrics import metric_words
from mia_tui.cli.output.report import Report
from mia_tui.cli.output.tables import table, width
from mia_tui.config.train import TrainConfig
from mia_tui.errors import RunError
from mia_tui.runs.actions.noting import has_tags
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.list.summaries import RunSummary, SummaryReader
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import encode_name, printable

_COLUMNS = 80
_LEAST_DATASET = 12
_LONGEST_TITLE = 32


def read_summaries(report: Report, runs: Sequence[RunDir], tags: Sequence[str] = ()) -> list[RunSummary]:
    """The runs of a list; warns of those that are damaged, which hide no others.

    Args:
        report: Prints the warnings.
        runs: In the order of the list.
        tags: Only runs that have all of these.
    """
    rows = []
    for run in runs:
        row = SummaryReader(run).refresh()
        if row is None or not has_tags(row.notes, tags):  # None: it was deleted meanwhile
            continue
        if row.status == "damaged":
            report.warn(row.note)
        rows.append(row)
    return rows


def as_record(row: RunSummary) -> dict[str, Any]:
    """A run as an object of `runs list --json`."""
    training = row.job.config if row.job is not None and isinstance(row.job.config, TrainConfig) else None
    done, total = row.progress or (None, None)
    return {
        "run": row.run.name,
        "kind": row.kind,
        "title": row.notes.title,
        "tags": row.notes.tags,
        "note": row.notes.note,
        "path": encode_name(str(row.run.path.resolve())),
        "dataset": encode_name(_dataset(row)),
        "status": row.status,
        "network": row.network,
        "backbone": training.backbone if training is not None else "",
        "epoch": row.epochs,
        "epochs": row.total_epochs,
        "metric": row.metric if training is not None or row.best is not None else "",
        "best": row.best,
        "best_epoch": row.best_epoch,
        "best_by": row.decides if training is not None else "",
        "accuracy": row.figures.get("accuracy"),
        "macro_f1": row.figures.get("macro_f1"),
        "image_count": row.images,
        "images_done": done,
        "images_total": total,
        "result": row.result,
        "repeat": None if row.job is None else row.job.repeat,
        "created_at": row.created_at if row.job is not None else None,
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
    columns = _columns(rows, with_dataset)
    cells = [_cells(row, columns) for row in rows]
    if with_dataset:
        used = max(width(line) for line in table(columns, cells))
        width_left = max(_COLUMNS - used - 2, _LEAST_DATASET)
        columns.append("dataset")
        for line, row in zip(cells, rows, strict=True):
            line.append(_end_of_path(printable(row["dataset"]), width_left))
    report.table(columns, cells)


def _columns(rows: Sequence[dict[str, Any]], with_dataset: bool) -> list[str]:
    """The headings; kinds and tags only where there are any to tell apart, and 80 columns must do."""
    has_kinds = any(row["kind"] not in ("", TrainConfig.kind) for row in rows)
    columns = ["run", "kind", "status", "done"] if has_kinds else ["run", "status", "epochs", "accuracy"]
    columns.append("macro F1")
    if not (has_kinds and with_dataset):
        columns.append("best by")
    return [*columns, *(["tags"] if any(row["tags"] for row in rows) else [])]


def _cells(row: dict[str, Any], columns: Sequence[str]) -> list[object]:
    done = _done(row)
    cells = {
        "run": _cut(printable(row["title"] or row["run"])) if row["title"] else row["run"],
        "kind": row["kind"],
        "status": row["status"],
        "epochs": done,
        "done": done,
        "accuracy": row["accuracy"],
        "macro F1": row["macro_f1"],
        "best by": metric_words(row["best_by"]),
        "tags": ", ".join(map(printable, row["tags"])),
    }
    return [cells[name] for name in columns]


def _done(row: dict[str, Any]) -> str:
    if row["kind"] in ("", TrainConfig.kind):
        return f"{row['epoch']}/{row['epochs']}"
    done, total = row["images_done"], row["images_total"]
    if not done:
        return ""
    return f"{done:,}/{total:,}" if total else f"{done:,}"


def _cut(title: str) -> str:
    """A title, with an ellipsis at its end if it is too wide."""
    if width(title) <= _LONGEST_TITLE:
        return title
    while width(title) >= _LONGEST_TITLE:
        title = title[:-1]
    return f"{title.rstrip()}…"


def _dataset(row: RunSummary) -> str:
    """Where its images are now; empty where its job cannot be read."""
    with suppress(RunError):
        return current_job(row.run).dataset
    return ""


def _end_of_path(path: str, width_left: int) -> str:
    """A path, or as many of its last folders as fit, at least one; --json has the whole path."""
    if width(path) <= width_left:
        return path
    folders = path.split("/")
    ends = ["…/" + "/".join(folders[first:]) for first in range(1, len(folders))]
    return next((end for end in ends if width(end) <= width_left), ends[-1] if ends else path)
