"""ROC and precision-recall curves of each class, and the reliability diagram: plots above a list with the cursor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.containers import Vertical
from textual.widget import Widget

from mia_tui.analysis.calibration import Reliability
from mia_tui.analysis.curves import ClassCurve
from mia_tui.text import counted
from mia_tui.tui.results.computed import ComputedResults
from mia_tui.tui.results.metric_pages import pointed
from mia_tui.tui.results.page import ChosenRows, ResultPage
from mia_tui.tui.runs.figures.curves import Curves
from mia_tui.tui.runs.figures.text_plots import LEAST_ROWS, Curve, Plot
from mia_tui.tui.widgets.bars import bar
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_UNIT = (0.0, 1.0)
_DIAGONAL = np.array(_UNIT)
_AREA = 14
_LEAST_BAR, _MOST_BAR = 8, 40
_LEAST_LINES = 3  # of the list below plots


class PlotPage(ResultPage):
    """Plots, and below them a list whose cursor says what they are about."""

    NEEDS_PROBABILITIES = True

    def __init__(self, ink: Ink, below: LineList[Any]) -> None:
        super().__init__(ink)
        self.plots, self._below = Curves(ink), below
        self.widget = Vertical(self.plots, below, classes="plots-and-list")

    @property
    def lines(self) -> LineList[Any]:
        return self._below

    def draw(self, plots: Sequence[Plot]) -> None:
        """Paint the plots, if there is room for them above the list."""
        widget = self.widget  # which has no size before it is laid out, but fills what it is in
        height = widget.size.height or (widget.parent.size.height if isinstance(widget.parent, Widget) else 0)
        self.plots.display = not height or height >= LEAST_ROWS + _LEAST_LINES
        self.plots.show(plots)


@dataclass(frozen=True)
class _ClassAreas:
    name: str
    images: int
    roc: float | None  # None before it is known
    precision_recall: float | None


class RocPage(PlotPage):
    """The curves of the class under the cursor, with the areas of all classes."""

    NAME, TITLE, SHORT = "roc", "ROC and PR curves", "ROC, PR"

    def __init__(self, ink: Ink) -> None:
        self._list: LineList[_ClassAreas] = LineList(ink, self._draw, heading=self._titles)
        super().__init__(ink, self._list)

    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        position = self._list.cursor or 0
        if found.curves(position) is None:
            return lambda: found.compute_curves(position)
        return None if found.knows("areas") else lambda: found.areas

    def show(self, found: ComputedResults) -> None:
        counts = found.counts
        areas = found.areas if found.knows("areas") else None
        lines = [
            _ClassAreas(
                name,
                count,
                None if areas is None else float(areas.roc[place]),
                None if areas is None else float(areas.precision_recall[place]),
            )
            for place, (name, count) in enumerate(zip(found.results.classes, counts, strict=True))
        ]
        self._list.show(lines, self._list.cursor or 0)
        curves = found.curves(self._list.cursor or 0)
        if curves is None:
            return
        chance = counts[self._list.cursor or 0] / found.count
        self.draw(
            [
                _unit_plot("ROC", "area", "false positive rate", curves.roc, _DIAGONAL),
                _unit_plot("PR", "AP", "recall", curves.precision_recall, np.array([chance, chance])),
            ]
        )

    def heading(self, found: ComputedResults) -> str:
        name = self.ink.shown(found.results.classes[self._list.cursor or 0])
        words = f"{name} against all others"
        if found.knows("areas") and found.areas.macro_roc is not None:
            macro = found.areas.macro_precision_recall
            average = "" if macro is None else f", mean AP {macro:.3f}"
            words += f"; mean area {found.areas.macro_roc:.3f}{average}"
        return words

    def words(self, found: ComputedResults) -> str:
        position = self._list.cursor or 0
        name, count = self.ink.shown(found.results.classes[position]), found.counts[position]
        if not count:
            return f"No image is of the class {name}, so it has no curves."
        return f"{counted(count, 'image')} of {name}, those that look least like it first."

    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        position = self._list.cursor or 0
        rows = np.flatnonzero(found.results.truth == position)
        if not len(rows):
            return None
        order = np.argsort(found.log_probabilities[rows, position], kind="stable")
        name = self.ink.shown(found.results.classes[position])
        return ChosenRows(f"truth {name}, the least sure first", rows[order])

    def _name_width(self, width: int) -> int:
        return max(8, min(44, width - 2 - 8 - 2 * _AREA - 1))

    def _titles(self, width: int) -> str:
        titles = f"{'ROC area':>{_AREA}}{'AP':>{_AREA}}"
        return f"  {'class':<{self._name_width(width)}}{'images':>8}{titles}"

    def _draw(self, line: _ClassAreas, width: int, is_current: bool) -> list[Segment]:
        numbers = "".join(f"{_number(value):>{_AREA}}" for value in (line.roc, line.precision_recall))
        name = self.ink.pad(line.name, self._name_width(width))
        text = f"{name}{line.images:>8,}{numbers}"
        pieces = [pointed(self.ink, text, is_current)]
        return [*pieces, *_bar(line.roc, width - self.ink.width(text) - 5, self.ink)]


@dataclass(frozen=True)
class _Bin:
    low: float
    high: float
    images: int
    confidence: float
    accuracy: float
    share: float  # of the images in the fullest bin


class ReliabilityPage(PlotPage):
    """How often the network is right where it is so sure."""

    NAME, TITLE, SHORT = "reliability", "Reliability", "Reliability"

    def __init__(self, ink: Ink) -> None:
        self._list: LineList[_Bin] = LineList(ink, self._draw, heading=self._titles)
        super().__init__(ink, self._list)
        self._is_placed = False

    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        return None if found.knows("reliabilities") else lambda: found.reliabilities

    def show(self, found: ComputedResults) -> None:
        if not found.knows("reliabilities"):
            return
        before, after = found.reliabilities
        lines = _bins(before)
        if not self._is_placed:  # where most images are
            self._is_placed = True
            self._list.show(lines, max(range(len(lines)), key=lambda place: lines[place].images))
        else:
            self._list.show(lines, self._list.cursor)
        at = lines[self._list.cursor or 0].confidence
        self.draw(
            [
                _reliability_plot("as it is", before, at),
                _reliability_plot(f"at T = {found.temperature:.2f}", after, None),
            ]
        )

    def heading(self, found: ComputedResults) -> str:
        if not found.knows("reliabilities"):
            return "Reliability diagram: being computed"
        before, after = found.reliabilities
        return (
            f"Reliability: calibration error {before.ece:.3f}, {after.ece:.3f} at temperature "
            f"{found.temperature:.2f}"
        )

    def words(self, found: ComputedResults) -> str:
        line = self._line(found)
        if line is None:
            return ""
        sure = "surer than right" if line.confidence > line.accuracy else "right more often than sure"
        return (
            f"{counted(line.images, 'image')} at {line.confidence:.1%} on average, {line.accuracy:.1%} of them "
            f"right: {sure}."
        )

    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        line = self._line(found)
        if line is None:
            return None
        sure = found.confidences
        is_first = line.low == 0
        rows = np.flatnonzero((is_first | (sure > line.low)) & ((sure <= line.high) | (line.high == 1)))
        wrong = found.results.truth[rows] != found.results.predicted[rows]
        rows = np.concatenate([rows[wrong], rows[~wrong]])
        return ChosenRows(f"{line.low:.2f} to {line.high:.2f} sure", rows) if len(rows) else None

    def _line(self, found: ComputedResults) -> _Bin | None:
        if not found.knows("reliabilities"):
            return None
        return _bins(found.reliabilities[0])[self._list.cursor or 0]

    def _titles(self, width: int) -> str:
        return f"  {'probability':<13}{'images':>9}{'mean':>9}{'right':>9}"

    def _draw(self, line: _Bin, width: int, is_current: bool) -> list[Segment]:
        text = (
            f"{line.low:.2f} to {line.high:.2f} {line.images:>9,}{line.confidence:>9.1%}{line.accuracy:>9.1%}"
        )
        return [
            pointed(self.ink, text, is_current),
            *_bar(line.share, width - len(text) - 5, self.ink),
        ]


def _bins(found: Reliability) -> list[_Bin]:
    """Those with images, the surest first."""
    most = max(1, int(found.counts.max(initial=0)))
    return [
        _Bin(
            float(found.edges[place]),
            float(found.edges[place + 1]),
            int(found.counts[place]),
            float(found.confidence[place]),
            float(found.accuracy[place]),
            float(found.counts[place]) / most,
        )
        for place in reversed(range(len(found.counts)))
        if found.counts[place]
    ]


def _reliability_plot(title: str, found: Reliability, at: float | None) -> Plot:
    filled = found.counts > 0
    curve = Curve(
        "right",
        found.confidence[filled],
        found.accuracy[filled],
        "line",
        value=f"(error {found.ece:.3f})",
    )
    mark = None if at is None else (at, f"{at:.2f} sure")
    return Plot(title, "sure", (curve, _even()), mark=mark, x_range=_UNIT, y_range=_UNIT)


def _even() -> Curve:
    """As often right as sure."""
    return Curve("ideal", _DIAGONAL, _DIAGONAL, "dashes", value="")


def _unit_plot(
    title: str, area: str, x_name: str, found: ClassCurve | None, chance: npt.NDArray[np.float64]
) -> Plot:
    empty = np.empty(0)
    x, y = (empty, empty) if found is None else (found.x, found.y)
    value = "" if found is None else f"{found.area:.3f}"
    curves: Sequence[Curve] = (
        Curve(area, x, y, "line", value=value),
        *([] if found is None else [Curve("chance", _DIAGONAL, chance, "dashes", value="")]),
    )
    return Plot(title, x_name, tuple(curves), x_range=_UNIT, y_range=_UNIT)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if np.isfinite(value) else "-"


def _bar(share: float | None, columns: int, ink: Ink) -> list[Segment]:
    columns = min(_MOST_BAR, columns)
    if columns < _LEAST_BAR or share is None or not np.isfinite(share):
        return []
    return [Segment(" ", Style()), Segment(bar(share, columns, unicode=ink.unicode, empty=" "), ink.bar())]
