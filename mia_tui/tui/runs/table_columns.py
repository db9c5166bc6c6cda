"""The columns of the table of runs: what they say of a run, and which of them have room."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mia_tui.catalog.metrics import metric_words
from mia_tui.config.features import FeaturesConfig
from mia_tui.config.train import TrainConfig
from mia_tui.runs.list.summaries import RunSummary
from mia_tui.text import duration, when
from mia_tui.tui.runs.figures.sparkline import sparkline
from mia_tui.tui.widgets.ink import Ink

Apart = Mapping[Path, str]
"""By folder of a run, what tells it from others with the same network."""

_IN_OTHER_COLUMNS = ("accuracy", "macro_f1")
_LONG_DONE = 19  # 12,345/100,000 and a percentage
_CURVE, _LONGEST_CURVE = 10, 24
_WIDE = 110  # columns of the table from which words of so many columns are not cut:
_WANTED = {"differs": 28, "tags": 16}


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        name: What rows are sorted by where its heading is clicked.
        title: Its heading.
        least: Columns of the screen that it takes at least.
        most: Columns that it may take where its words are longer, if there is room.
        to_right: Whether it is aligned to the right.
        is_dim: Whether it is of minor importance.
        optional: Whether it is left out where no run has anything to say in it.
    """

    name: str
    title: str
    least: int
    most: int
    to_right: bool = False
    is_dim: bool = False
    optional: bool = False


@dataclass(frozen=True)
class ShownColumn:
    """A column, where it begins and how wide it is."""

    column: Column
    left: int
    width: int


COLUMNS: tuple[Column, ...] = (
    Column("state", "state", 9, 9),
    Column("kind", "kind", 10, 10),
    Column("network", "network", 12, 40),
    Column("differs", "what differs", 13, 60, optional=True),
    Column("tags", "tags", 8, 24, is_dim=True, optional=True),
    Column("epochs", "done", 8, _LONG_DONE, to_right=True),
    Column("images", "images", 7, 10, to_right=True),
    Column("accuracy", "accuracy", 9, 9, to_right=True),
    Column("macro F1", "macro F1", 9, 9, to_right=True),
    Column("best by", "best by", 8, 24),
    Column("curve", "curve", _CURVE, _LONGEST_CURVE, optional=True),
    Column("time", "time", 8, 8, to_right=True),
    Column("started", "started", 12, 12),
    Column("note", "note", 12, 200, is_dim=True, optional=True),
)
"""In their order on the screen."""

_BY_IMPORTANCE = (
    *("state", "network", "epochs", "macro F1", "accuracy", "differs", "kind", "best by", "curve"),
    *("tags", "images", "started", "note", "time"),
)
_WIDENED = ("network", "differs", "best by", "epochs", "images", "tags", "curve", "note")
"""Which get the room that is left, one after the other."""


def cell_words(row: RunSummary, name: str, columns: int, ink: Ink, apart: Apart) -> str:
    """What a column says of a run."""
    return _WORDS[name](row, columns, ink, apart)


def kind_word(row: RunSummary) -> str:
    """What kind of run it is; empty where that cannot be read."""
    if row.kind == FeaturesConfig.kind:  # whose noun is wider than the column
        return row.kind
    return "" if row.job is None else row.job.config.noun


def percent_done(done: int, total: int) -> str:
    """How much is done; 100% only at the end."""
    return f"{100 * done // total}%" if total > 0 else ""


def choose_columns(rows: Sequence[RunSummary], width: int, ink: Ink, apart: Apart) -> list[ShownColumn]:
    """The columns that fit, the most important ones first, as wide as their words need if there is room.

    Args:
        rows: All runs that are known, whatever is shown of them.
        width: Columns for the table, without the pointer and the mark.
        ink: Characters and styles.
        apart: What tells runs apart.
    """
    natural = {
        column.name: max(
            (ink.width(ink.shown(cell_words(row, column.name, column.most, ink, apart))) for row in rows),
            default=0,
        )
        for column in COLUMNS
    }
    by_name = {column.name: column for column in COLUMNS}
    widths: dict[str, int] = {}
    left = width
    for name in _BY_IMPORTANCE:
        column = by_name[name]
        least = min(natural[name], _WANTED.get(name, 0)) if width >= _WIDE else 0
        least = max(least, column.least)
        if left >= least + 1 and (natural[name] or not column.optional):
            widths[name] = least
            left -= least + 1
    for name in _WIDENED:
        if name in widths:
            more = max(0, min(natural[name], by_name[name].most) - widths[name])
            widths[name] += min(more, left)
            left -= min(more, left)
    filled = next((name for name in ("note", "differs", "network") if name in widths), None)
    if filled is not None:
        widths[filled] += max(0, left)
    shown, place = [], 0
    for column in COLUMNS:
        if column.name in widths:
            shown.append(ShownColumn(column, place, widths[column.name]))
            place += widths[column.name] + 1
    return shown


def _network(row: RunSummary, columns: int, ink: Ink, _: Apart) -> str:
    """Its title, if it has one, and the network."""
    title, network = row.notes.title, row.network or row.run.name
    words = f"{title} {network}" if title else network
    # The name of a run says more at its end than at its beginning, the date.
    return words if title or row.kind == TrainConfig.kind else ink.fit_left(words, columns)


def _done(row: RunSummary, columns: int, _: Ink, __: Apart) -> str:
    """Epochs of a training; images of other runs, as a percentage where there is no room for their numbers."""
    if row.kind == TrainConfig.kind:
        return f"{row.epochs}/{row.total_epochs}"
    if row.progress is None:
        return ""
    done, total = row.progress
    numbers, share = f"{done:,}/{total:,}", percent_done(done, total)
    return next((words for words in (f"{numbers} {share:>4}", numbers) if len(words) <= columns), share)


def _figure(row: RunSummary, name: str) -> str:
    value = row.figures.get(name)
    return "" if value is None else f"{value:.4f}"


def _best_by(row: RunSummary, columns: int, _: Ink, __: Apart) -> str:
    """The metric that decides, with its value where no other column has it."""
    if row.kind != TrainConfig.kind:
        return ""
    value = "" if row.decides in _IN_OTHER_COLUMNS else _figure(row, row.decides)
    words = metric_words(row.decides)
    return f"{words} {value}" if value and len(words) + len(value) < columns else words


_WORDS: dict[str, Callable[[RunSummary, int, Ink, Apart], str]] = {
    "state": lambda row, *_: row.status,
    "kind": lambda row, *_: kind_word(row),
    "network": _network,
    "differs": lambda row, _, __, apart: apart.get(row.run.path, ""),
    "tags": lambda row, *_: " ".join(f"#{tag}" for tag in row.notes.tags),
    "epochs": _done,
    "images": lambda row, *_: "" if row.images is None else f"{row.images:,}",
    "accuracy": lambda row, *_: _figure(row, "accuracy"),
    "macro F1": lambda row, *_: _figure(row, "macro_f1"),
    "best by": _best_by,
    "curve": lambda row, columns, ink, _: sparkline(row.curve, columns, unicode=ink.unicode),
    "time": lambda row, *_: duration(row.elapsed_s) if row.elapsed_s else "",
    "started": lambda row, *_: when(row.created_at),
    "note": lambda row, *_: row.notes.note,
}
