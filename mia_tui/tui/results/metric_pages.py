"""The metrics over all classes, and those of each class, with their intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.segment import Segment
from rich.style import Style

from mia_tui.analysis.metrics import ClassEstimates, Estimate
from mia_tui.catalog.metrics import METRICS, metric_words
from mia_tui.text import counted
from mia_tui.tui.results.computed import ComputedResults
from mia_tui.tui.results.page import ChosenRows, ResultPage
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_LEAST_RANGE, _MOST_RANGE = 16, 60  # columns in which intervals are drawn
_NAME, _VALUE, _INTERVAL = 20, 8, 17
_ESTIMATE = 17  # columns of a metric of a class with its interval
_WIDE_FROM = 100


@dataclass(frozen=True)
class _MetricLine:
    name: str
    estimate: Estimate | None


class MetricsPage(ResultPage):
    """Accuracy, F1 and the others over all classes."""

    NAME, TITLE, SHORT = "metrics", "Metrics", "Metrics"

    def __init__(self, ink: Ink) -> None:
        super().__init__(ink)
        self.widget: LineList[_MetricLine] = LineList(ink, self._draw, heading=self._titles)
        self._low = 0.0

    @property
    def lines(self) -> LineList[Any]:
        return self.widget

    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        return None if found.knows("metrics") else lambda: found.metrics

    def show(self, found: ComputedResults) -> None:
        if found.knows("metrics"):
            overall = found.metrics.overall
            lines = [_MetricLine(metric_words(name), value) for name, value in overall.items()]
            ends = [
                value.value if value.interval is None else value.interval.low for value in overall.values()
            ]
            low = float(np.floor(max(-1.0, min(ends, default=0.0)) * 10 - 1e-9) / 10)
            if low != self._low:
                self._low = low
                self.widget.refresh()  # its heading, too
        else:  # at once without intervals
            figures = found.report.figures
            lines = [
                _MetricLine(metric_words(name), Estimate(figures[name], None))
                for name in METRICS
                if name in figures
            ]
        self.widget.show(lines, self.widget.cursor or 0)

    def heading(self, found: ComputedResults) -> str:
        if not found.knows("metrics"):
            return "Metrics; their intervals are being computed"
        interval = [*found.metrics.overall.values()][self.widget.cursor or 0].interval
        return f"Metrics with 95 % intervals{f' (here {interval.method})' if interval is not None else ''}"

    def words(self, found: ComputedResults) -> str:
        mistakes = found.report.mistakes
        if not mistakes:
            return f"All {counted(found.count, 'image')} are predicted correctly."
        return f"{mistakes:,} of {counted(found.count, 'image')} are predicted as another class."

    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        results = found.results
        wrong = np.flatnonzero(results.truth != results.predicted)
        return ChosenRows("predicted wrongly", wrong) if len(wrong) else None

    def _titles(self, width: int) -> str:
        room = _range_columns(width, self._text_columns)
        ends = "" if not room else f"{self._low:.1f}".ljust(room - 3) + "1.0"
        return f"  {'metric':<{_NAME}}{'value':>{_VALUE}}{'95 % interval':>{_INTERVAL}}   {ends}"

    @property
    def _text_columns(self) -> int:
        return 2 + _NAME + _VALUE + _INTERVAL + 3

    def _draw(self, line: _MetricLine, width: int, is_current: bool) -> list[Segment]:
        ink, estimate = self.ink, line.estimate
        value, interval = "", ""
        if estimate is not None:
            value = f"{estimate.value:.3f}"
            interval = interval_words(estimate, ink, digits=3)
        text = f"{ink.pad(line.name, _NAME)}{value:>{_VALUE}}{ink.fit(interval, _INTERVAL - 2):>{_INTERVAL}}"
        pieces = [pointed(ink, text, is_current)]
        room = _range_columns(width, self._text_columns)
        if room and estimate is not None:
            pieces += [Segment("  ", Style()), *_drawn_range(estimate, self._low, room, ink)]
        return pieces


class PerClassPage(ResultPage):
    """Precision, recall, F1 and MCC of each class."""

    NAME, TITLE, SHORT = "per_class", "Per class", "Per class"

    def __init__(self, ink: Ink) -> None:
        super().__init__(ink)
        self.widget: LineList[ClassEstimates] = LineList(ink, self._draw, heading=self._titles)

    @property
    def lines(self) -> LineList[Any]:
        return self.widget

    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        return None if found.knows("metrics") else lambda: found.metrics

    def show(self, found: ComputedResults) -> None:
        if found.knows("metrics"):
            lines = found.metrics.by_class
        else:
            lines = [
                ClassEstimates(
                    row.name,
                    row.support,
                    *(Estimate(value, None) for value in (row.precision, row.recall, row.f1, float("nan"))),
                )
                for row in found.report.by_class
            ]
        self.widget.show(lines, self.widget.cursor or 0)

    def heading(self, found: ComputedResults) -> str:
        if not found.knows("metrics"):
            return "Per class; the intervals are being computed"
        row = found.metrics.by_class[self.widget.cursor or 0]
        reason = row.recall.why_none or row.precision.why_none
        return f"Per class, with 95 % intervals{f' (here {reason})' if reason else ''}"

    def words(self, found: ComputedResults) -> str:
        position = self.widget.cursor or 0
        row = found.report.by_class[position]
        counts = found.report.matrix.counts
        right, taken = int(counts[position, position]), int(counts[:, position].sum())
        words = f"{self.ink.fit(row.name, _NAME)}: {right:,} of {counted(row.support, 'image')} right"
        return f"{words}; {taken - right:,} of other classes taken for it."

    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        results, position = found.results, self.widget.cursor or 0
        rows = np.flatnonzero(results.truth == position)
        right = results.predicted[rows] == position
        rows = np.concatenate([rows[~right], rows[right]])  # wrong predictions first
        title = f"truth {self.ink.shown(results.classes[position])}"
        return ChosenRows(title, rows) if len(rows) else None

    def _shown(self, row: ClassEstimates, width: int) -> list[tuple[str, Estimate]]:
        shown = [("precision", row.precision), ("recall", row.recall), ("F1", row.f1)]
        return [*shown, ("MCC", row.mcc)] if width >= _WIDE_FROM else shown

    def _name_width(self, width: int) -> int:
        metrics = 4 if width >= _WIDE_FROM else 3
        return max(8, min(44, width - 2 - 8 - metrics * _ESTIMATE))

    def _titles(self, width: int) -> str:
        names = ["precision", "recall", "F1", *(["MCC"] if width >= _WIDE_FROM else [])]
        titles = "".join(f"   {name:<{_ESTIMATE - 3}}" for name in names)
        return f"  {'class':<{self._name_width(width)}}{'images':>8}{titles}"

    def _draw(self, row: ClassEstimates, width: int, is_current: bool) -> list[Segment]:
        ink = self.ink
        pieces = [pointed(ink, f"{ink.pad(row.name, self._name_width(width))}{row.support:>8,}", is_current)]
        for _, estimate in self._shown(row, width):
            value = f"{estimate.value:.3f}" if np.isfinite(estimate.value) else "-"
            interval = ink.pad(interval_words(estimate, ink, digits=2), _ESTIMATE - 3 - 6)
            pieces += [Segment(f"  {value:>5} ", Style(bold=True)), Segment(f"{interval} ", ink.dim())]
        return pieces


def interval_words(estimate: Estimate, ink: Ink, *, digits: int) -> str:
    """An interval in little room: `0.93-0.97`, or `too few`."""
    dash = "–" if ink.unicode else "-"
    if estimate.interval is None:
        return estimate.why_none.partition(":")[0]
    low, high = estimate.interval.low, estimate.interval.high
    if digits == 2:
        return f"{_short(low)}{dash}{_short(high)}"
    return f"{low:.3f}{dash}{high:.3f}"


def _short(value: float) -> str:
    """Two decimals without the zero before them, never 1 where it is less."""
    if value >= 1:
        return "1"
    text = f"{min(value, 0.994):.2f}" if value < 0.995 else ".99+"
    return text.removeprefix("0")


def pointed(ink: Ink, text: str, is_current: bool) -> Segment:
    """The beginning of a line of a list, with the pointer where the cursor is."""
    return Segment(f"{ink.pointer if is_current else ' '} {text} ", ink.cursor() if is_current else Style())


def _range_columns(width: int, taken: int) -> int:
    room = min(_MOST_RANGE, width - taken)
    return room if room >= _LEAST_RANGE else 0


def _drawn_range(estimate: Estimate, low: float, columns: int, ink: Ink) -> list[Segment]:
    """The value as a dot, and its interval as a line."""
    line, dot = ("─", "●") if ink.unicode else ("-", "o")

    def place(value: float) -> int:
        return max(0, min(columns - 1, round((value - low) / (1 - low) * (columns - 1))))

    if not np.isfinite(estimate.value):
        return []
    at = place(estimate.value)
    begin, end = at, at
    if estimate.interval is not None:
        begin, end = min(at, place(estimate.interval.low)), max(at, place(estimate.interval.high))
    return [
        Segment(" " * begin + line * (at - begin), ink.bar()),
        Segment(dot, ink.accent()),
        Segment(line * (end - at), ink.bar()),
    ]
