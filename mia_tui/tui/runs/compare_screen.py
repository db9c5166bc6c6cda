"""Comparing runs: curves of one metric in one plot, the metrics of their best epochs, the settings that differ."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from mia_tui.catalog.metrics import METRICS, MetricName, shown_metric
from mia_tui.config.fields import fields, show_value
from mia_tui.errors import RunError
from mia_tui.runs.evaluation.confusion import figures, load_confusion
from mia_tui.runs.list.summaries import RunSummary
from mia_tui.runs.record.events import EpochEnded
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.runs.curves import Curves
from mia_tui.tui.runs.text_plots import Curve, Plot
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_block import TextBlock

MOST = 8
"""Runs that can be told apart in one plot."""

_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00", "#999999")
_LETTERS = "ABCDEFGH"
_LEAST = 8
_FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "mcc")
_FIGURES_IN_LITTLE_ROOM = ("accuracy", "macro_f1", "mcc")
_WIDE = 110
_SCROLL = {"up": -1, "down": 1, "page_previous": -10, "page_next": 10, "first": -100_000, "last": 100_000}


class CompareScreen(KeyedScreen[None]):
    """Compares two runs or more; of more than eight, the first ones.

    Args:
        rows: The runs, readable ones.
        context: What screens share.
    """

    SCOPE_NAME = "compare"
    MANUAL_PAGE = "training"

    def __init__(self, rows: Sequence[RunSummary], context: Context) -> None:
        super().__init__(context)
        self.at_once = {
            **{name: partial(self._scroll, lines) for name, lines in _SCROLL.items()},
            "figure": self._turn,
            "leave": self.dismiss,
            "help": lambda: self.queue.do(self.show_help, opens=True),
        }
        self._rows, self._more = tuple(rows[:MOST]), len(rows) - MOST
        self._ink = context.ink
        # Without colours, the dots of all runs look alike; letters do not.
        curve_ink = context.ink if context.ink.colours else Ink(replace(context.terminal, unicode=False))
        self._states: list[RunState] = []
        self._metric: MetricName = shown_metric(self._rows[0].metric)
        self._curves = Curves(curve_ink, id="compare-curves")
        self._best, self._settings = TextBlock(id="compare-best"), TextBlock(id="compare-settings")
        self._ready = False

    def compose(self) -> ComposeResult:
        yield self._curves
        with VerticalScroll(id="compare-tables", can_focus=False):
            yield self._best
            yield self._settings
        yield self.key_line

    def on_mount(self) -> None:
        self.run_worker(self._load(), name="compare")

    @property
    def idle(self) -> bool:
        """Whether everything is shown."""
        return self._ready

    def _scroll(self, lines: int) -> None:
        self.query_one("#compare-tables").scroll_relative(y=lines, animate=False)

    async def _load(self) -> None:
        self._states = await asyncio.to_thread(lambda: [_state(row) for row in self._rows])
        best = await asyncio.to_thread(lambda: [_best_figures(row) for row in self._rows])
        shown = _FIGURES if self.size.width >= _WIDE else _FIGURES_IN_LITTLE_ROOM
        table, room = _best_table(self._rows, self._states, best, shown), self.size.width - 2
        self._best.update(_text(table, room, self._ink, name_at=1))
        text = _settings_text(_settings_table(self._rows), room, self._ink)
        if self._more > 0:
            text.append(f"{counted(self._more, 'more marked run')} not shown.")
        self._settings.update(text)
        self._draw()
        self._ready = True

    def _turn(self) -> None:
        """The next metric that any of the runs has."""
        known = [name for name in METRICS if any(len(_points(state, name)[0]) for state in self._states)]
        if known:
            place = known.index(self._metric) if self._metric in known else -1
            self._metric = known[(place + 1) % len(known)]
            self._draw()

    def _draw(self) -> None:
        curves = []
        for number, state in enumerate(self._states):
            x, y = _points(state, self._metric)
            letter = _LETTERS[number]
            curves.append(Curve(letter, x, y, "line", colour=_COLOURS[number], sign=letter))
        self._curves.show([Plot(self._metric.replace("_", " "), "epoch", tuple(curves))])


def _state(row: RunSummary) -> RunState:
    try:
        return read_state(row.run)
    except RunError:  # deleted meanwhile
        return RunState()


def _points(state: RunState, metric: MetricName) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and the metric there, each of shape (N,); of the training part where there is no validation."""
    rows: list[EpochEnded] = [row for row in state.epochs if metric in _figures_of(row)]
    return (
        np.array([row.epoch for row in rows], np.float64),
        np.array([_figures_of(row)[metric] for row in rows], np.float64),
    )


def _figures_of(row: EpochEnded) -> dict[str, float]:
    return row.train if row.val is None else row.val


def _best_figures(row: RunSummary) -> dict[str, float]:
    file = row.run.confusion("best")
    try:
        return figures(load_confusion(file).counts) if file.exists() else {}
    except RunError:
        return {}


def _best_table(
    rows: Sequence[RunSummary],
    states: Sequence[RunState],
    best: Sequence[dict[str, float]],
    names: Sequence[str],
) -> list[list[str]]:
    """A line for each run: its letter, and the metrics of its best epoch."""
    lines = [["", "run", "epochs", "best at", *(name.replace("_", " ") for name in names)]]
    for letter, row, state, values in zip(_LETTERS, rows, states, best, strict=False):
        shown = [f"{values[name]:.4f}" if name in values else "" for name in names]
        epoch = f"{state.best.epoch}" if state.best is not None else ""
        lines.append([letter, row.title, f"{row.epochs}/{row.total_epochs}", epoch, *shown])
    return lines


def _settings_table(rows: Sequence[RunSummary]) -> list[list[str]]:
    """A line for each setting that is not the same in all of them."""
    configs = [row.job.config for row in rows if row.job is not None]
    lines = []
    for field in fields():
        values = [getattr(config, field.name) for config in configs]
        if any(value != values[0] for value in values):
            lines.append([field.name, *("none" if value is None else show_value(value) for value in values)])
    if not lines:
        return [["All settings are the same."]]
    return [["setting", *_LETTERS[: len(configs)]], *lines]


def _settings_text(table: Sequence[Sequence[str]], columns: int, ink: Ink) -> Text:
    """The table if it fits, else a line for each setting: each value with the runs that have it."""
    widths = [max(ink.width(ink.shown(line[place])) for line in table) for place in range(len(table[0]))]
    if sum(widths) + 2 * len(widths) <= columns:
        return _text(table, columns, ink, name_at=0)
    text = Text()
    for name, *values in table[1:]:
        text.append(name, "bold")
        for value in dict.fromkeys(values):
            text.append("  ")
            for number, other in enumerate(values):
                if other == value:
                    text.append(_LETTERS[number], _letter_style(number, ink))
            text.append(f" {ink.shown(value)}")
        text.append("\n")
    return text


def _text(table: Sequence[Sequence[str]], columns: int, ink: Ink, *, name_at: int) -> Text:
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
        for cell, width in zip(line, widths, strict=True):
            letter = _LETTERS.find(cell) if len(cell) == 1 else -1
            padded = ink.pad(ink.fit_left(cell, width), width) + "  "
            text.append(padded, _letter_style(letter, ink) if letter >= 0 else "dim" if number == 0 else "")
        text.append("\n")
    return text


def _letter_style(number: int, ink: Ink) -> str:
    return f"bold {_COLOURS[number]}" if ink.colours else "bold"
