"""The tables of the comparison of runs, as text with colours."""

from collections.abc import Sequence

from rich.text import Text

from mia_tui.catalog.metrics import MetricName, metric_words
from mia_tui.runs.list.comparison import ComparedRun, Difference
from mia_tui.runs.list.repeats import repeated_groups
from mia_tui.tui.widgets.ink import Ink

LETTERS = "ABCDEFGH"
MOST = len(LETTERS)
"""Runs that can be told apart in one plot."""

_ON_DARK = ("#e69f00", "#56b4e9", "#2fc495", "#e28bbd", "#f0e442", "#7aa2ff", "#ff7a4d", "#b0b0b0")
_ON_LIGHT = ("#9a6700", "#0072b2", "#00785a", "#a8447f", "#6b6400", "#3346c7", "#b34700", "#5c5c5c")
_LEAST = 8
_FIGURES: tuple[MetricName, ...] = ("accuracy", "macro_f1", "balanced_accuracy", "mcc", "loss")
_FIGURES_IN_LITTLE_ROOM: tuple[MetricName, ...] = ("accuracy", "macro_f1")
_WIDE = 110

Table = Sequence[Sequence[str]]


def run_colour(number: int, ink: Ink) -> str:
    """The colour of a run in the plot and the tables."""
    return (_ON_DARK if ink.is_dark else _ON_LIGHT)[number]


def best_text(runs: Sequence[ComparedRun], columns: int, ink: Ink) -> Text:
    """A line for each run: its letter, which epoch is the best and by which metric, and its metrics there."""
    names = _FIGURES if columns >= _WIDE else _FIGURES_IN_LITTLE_ROOM
    table = [["", "run", "epochs", "best", "by", *map(metric_words, names)]]
    for letter, run in zip(LETTERS, runs, strict=False):
        row, figures = run.row, run.row.figures
        shown = [f"{figures[name]:.4f}" if name in figures else "" for name in names]
        best = "" if row.best_epoch is None else f"{row.best_epoch}"
        table.append(
            [letter, row.title, f"{row.epochs}/{row.total_epochs}", best, metric_words(row.decides), *shown]
        )
    for group in repeated_groups([run.row for run in runs]):
        if group.finished > 1:
            means = [f"{group.figures[name].mean:.4f}" if name in group.figures else "" for name in names]
            sds = [f"{group.figures[name].sd:.4f}" if name in group.figures else "" for name in names]
            table.append(["", f"mean of {group.finished} repetitions", "", "", "", *means])
            table.append(["", "standard deviation", "", "", "", *sds])
    return table_text(table, columns, ink, name_at=1)


def differences_text(found: Sequence[Difference], columns: int, ink: Ink) -> Text:
    """All that differs, by what it is about: as a table if it fits, else each value with the runs that have it."""
    if not found:
        return Text("Images, labels, settings, versions and devices are the same.")
    count = len(found[0].values)
    table = [["", *LETTERS[:count]], *([item.name, *item.values] for item in found)]
    widths = [max(ink.width(ink.shown(line[place])) for line in table) for place in range(count + 1)]
    as_table = sum(widths) + 2 * len(widths) <= columns
    text = Text(no_wrap=as_table, overflow="crop" if as_table else None)
    section = ""
    for item in found:
        if item.section != section:
            section = item.section
            text.append(f"{section.capitalize()} that differ{'s' if section != 'settings' else ''}", "bold")
            text.append("\n")
            if as_table:
                text.append_text(_line(table[0], widths, ink, "bold"))
        if as_table:
            text.append_text(_line([item.name, *item.values], widths, ink, ""))
        else:
            text.append_text(_by_value(item, ink))
    return text


def table_text(table: Table, columns: int, ink: Ink, *, name_at: int) -> Text:
    """A table as text of so many columns; if too wide, the column `name_at` is narrowed first, then the others."""
    shown = [[ink.shown(cell) for cell in line] for line in table]
    widths = [max(ink.width(line[place]) for line in shown) for place in range(len(shown[0]))]
    most = max(_LEAST, (columns - 2 * len(widths)) // len(widths)) if sum(widths) > columns else columns
    others = [min(width, most) for place, width in enumerate(widths) if place != name_at]
    widths = [min(width, most) for width in widths]
    room = columns - sum(others) - 2 * len(others)
    widths[name_at] = max(_LEAST, min(max(ink.width(line[name_at]) for line in shown), room))
    text = Text(no_wrap=True, overflow="crop")
    for number, line in enumerate(shown):
        text.append_text(_line(line, widths, ink, "" if number else "bold"))
    text.rstrip()
    return text


def _line(cells: Sequence[str], widths: Sequence[int], ink: Ink, plain: str) -> Text:
    text = Text()
    for cell, width in zip(cells, widths, strict=True):
        letter = LETTERS.find(cell) if len(cell) == 1 else -1
        padded = ink.pad(ink.fit_left(cell, width), width) + "  "
        text.append(padded, _letter_style(letter, ink) if letter >= 0 else plain)
    text.append("\n")
    return text


def _by_value(item: Difference, ink: Ink) -> Text:
    """What differs, then each value with the letters of the runs that have it."""
    text = Text(item.name, "bold")
    for value in dict.fromkeys(item.values):
        text.append("  ", "not bold")
        for number, other in enumerate(item.values):
            if other == value:
                text.append(LETTERS[number], _letter_style(number, ink))
        text.append(f" {ink.shown(value) or '-'}", "not bold")
    text.append("\n")
    return text


def _letter_style(number: int, ink: Ink) -> str:
    return f"bold {run_colour(number, ink)}" if ink.colours else "bold"
