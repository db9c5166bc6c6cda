"""A threshold for the answers of a network: a cursor that moves along the curve of accuracy against coverage."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style

from mia_tui.analysis.curves import thinned
from mia_tui.analysis.thresholds import CoverageCurve, threshold_for
from mia_tui.config.predict import DecisionRule
from mia_tui.errors import MiaError
from mia_tui.runs.evaluation.threshold import ThresholdChoice, choice_of, decision_by
from mia_tui.runs.record.decision import Decision, read_decision, remove_decision, write_decision
from mia_tui.text import counted
from mia_tui.tui.results.computed import MOST_POINTS, ComputedResults
from mia_tui.tui.results.curve_pages import PlotPage
from mia_tui.tui.results.metric_pages import pointed
from mia_tui.tui.results.page import ChosenRows, PageCursor
from mia_tui.tui.runs.figures.text_plots import Curve, Plot
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

STEP = 0.01
"""Of the coverage, with each key."""

_ALL = "all classes"
_WIDE_FROM = 60


@dataclass(frozen=True)
class _ThresholdLine:
    """What a threshold does to the images that are answered as a class, or to all of them."""

    name: str
    images: int
    threshold: float
    is_own: bool
    answered: float
    right: float


class ThresholdPage(PlotPage):
    """The threshold below which the network is unsure, for all classes or for single ones."""

    NAME, TITLE, SHORT = "threshold", "Threshold", "Threshold"

    def __init__(self, ink: Ink) -> None:
        self._list: LineList[_ThresholdLine] = LineList(ink, self._draw, heading=self._titles)
        super().__init__(ink, self._list)
        self._rule = DecisionRule()
        self._choice: ThresholdChoice | None = None
        self._curves: dict[int | None, CoverageCurve] = {}
        self._is_right: npt.NDArray[np.bool_] = np.empty(0, np.bool_)
        self._is_kept = False  # a rule that was chosen before its images were looked at
        self.stored: Decision | None = None

    # What is shown

    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        position = self._position
        if self._choice is None:
            return None if self.trouble else lambda: self._read(found)
        return None if position in self._curves else lambda: self._compute_curve(position)

    def show(self, found: ComputedResults) -> None:
        if self._choice is None:
            return
        self._list.show(self._lines(found, self._choice), self._list.cursor or 0)
        curve = self._curves.get(self._position)
        if curve is not None:
            self.draw([self._plot(found, curve)])

    def heading(self, found: ComputedResults) -> str:
        if self._choice is None:
            return "Threshold: being computed"
        state = "not stored yet"
        if self.is_stored:
            state = "stored with the model" if self.stored is not None else "none is stored"
        return f"Threshold: below it the network answers unsure ({state})"

    def words(self, found: ComputedResults) -> str:
        if self._choice is None:
            return ""
        answered, right = self._outcome(self._choice)
        part = found.results.split
        return (
            f"Answers {answered:.1%} of {counted(found.count, 'image')} of {part}, {right:.1%} right "
            f"(of all {self._is_right.mean():.1%})."
        )

    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        choice = self._choice
        if choice is None:
            return None
        unsure = ~choice.answered(self._rule)
        if self._position is not None:
            unsure &= choice.predicted == self._position
        rows = np.flatnonzero(unsure)
        rows = rows[np.argsort(choice.confidence[rows], kind="stable")]
        what = "" if self._position is None else f", {self.ink.shown(found.results.classes[self._position])}"
        return ChosenRows(f"unsure{what}", rows) if len(rows) else None

    @property
    def cursor(self) -> PageCursor:
        return PageCursor(self._list.cursor or 0, view=(self._rule, self.is_stored))

    def set_view(self, place: PageCursor) -> None:
        rule, was_stored = place.view
        if not was_stored:  # else that of the file, which may have changed
            self._rule, self._is_kept = rule, True

    # Choosing

    @property
    def is_stored(self) -> bool:
        """Whether what is shown is what is stored, if anything."""
        if self.stored is None:
            return not self._rule.may_be_unsure
        same = (self.stored.threshold, self.stored.by_class) == (self._rule.threshold, self._rule.by_class)
        return same and self.stored.temperature == self._rule.temperature

    def move_along(self, found: ComputedResults, steps: float) -> None:
        """Answer so many more percent of the images, or fewer."""
        curve = self._curves.get(self._position)
        if curve is None:
            return
        at = self._place(found, curve)
        wanted = np.clip(curve.coverage[at] + steps * STEP, 0.0, 1.0)
        if steps > 0:  # coverage falls along the curve
            places = np.flatnonzero(curve.coverage[:at] >= wanted - 1e-9)
            new = int(places[-1]) if len(places) else 0
        else:
            places = at + 1 + np.flatnonzero(curve.coverage[at + 1 :] <= wanted + 1e-9)
            new = int(places[0]) if len(places) else len(curve.coverage) - 1
        self._set(found, float(curve.thresholds[new]))

    def aim_at(self, found: ComputedResults, accuracy: float) -> bool:
        """Choose the lowest threshold with which this share of the answers is right; False if none does that."""
        curve = self._curves.get(self._position)
        point = None if curve is None else threshold_for(curve, accuracy=accuracy)
        if point is None:
            return False
        self._set(found, point.threshold)
        return True

    def forget_own(self, found: ComputedResults) -> bool:
        """Let the class under the cursor have the threshold of all classes; False if it has that already."""
        name = self._class_name(found)
        if name is None or name not in self._rule.by_class:
            return False
        rest = {other: least for other, least in self._rule.by_class.items() if other != name}
        self._rule = msgspec.structs.replace(self._rule, by_class=rest)
        return True

    def store(self) -> Decision | None:
        """Store what is chosen with the model; None, and nothing is stored, if every image is answered by it.

        Call it in a thread: it computes an interval and reads the weights.
        """
        choice, rule = self._choice, self._rule
        if choice is None or not rule.may_be_unsure:
            return None
        decision = decision_by(rule, choice.results, choice.predicted, choice.answered(rule))
        write_decision(choice.weights, decision, digest=choice.digest)
        self.stored = decision
        return decision

    def remove(self) -> None:
        """Remove what is stored with the model. Call it in a thread."""
        if self._choice is not None:
            remove_decision(self._choice.weights)
        self.stored = None
        self._rule = DecisionRule(temperature=self._rule.temperature)

    @property
    def is_ready(self) -> bool:
        """Whether a threshold can be chosen."""
        return self._choice is not None

    def _set(self, found: ComputedResults, threshold: float) -> None:
        name = self._class_name(found)
        if self._choice is not None and threshold:
            threshold = self._choice.rounded(threshold, of_class=self._position)
        if name is None:
            self._rule = msgspec.structs.replace(self._rule, threshold=threshold)
        else:
            own = {**self._rule.by_class, name: threshold}
            self._rule = msgspec.structs.replace(self._rule, by_class=own)

    def _read(self, found: ComputedResults) -> None:
        """Read what is stored; its temperature is kept, as the threshold is one of probabilities after it."""
        try:
            stored = read_decision(found.weights)
            choice = choice_of(found.results, temperature=None if stored is None else stored.temperature)
        except MiaError as error:
            self.trouble = str(error)
            return
        self._curves, self._is_right = {None: choice.curve()}, choice.predicted == found.results.truth
        if not self._is_kept:
            least, own = (0.0, {}) if stored is None else (stored.threshold, stored.by_class)
            self._rule = DecisionRule(choice.temperature, least, dict(own))
        self.stored, self._choice = stored, choice

    def _compute_curve(self, position: int | None) -> None:
        if self._choice is not None:
            self._curves[position] = self._choice.curve(of_class=position)

    # Figures

    @property
    def _position(self) -> int | None:
        """The class under the cursor; None on the line of all."""
        line = self._list.cursor or 0
        return None if line == 0 else line - 1

    def _class_name(self, found: ComputedResults) -> str | None:
        return None if self._position is None else found.results.classes[self._position]

    def _outcome(self, choice: ThresholdChoice) -> tuple[float, float]:
        """The share of all images that is answered, and the share of the answers that is right."""
        answered = choice.answered(self._rule)
        right = self._is_right[answered]
        return float(answered.mean()), float(right.mean()) if len(right) else 0.0

    def _lines(self, found: ComputedResults, choice: ThresholdChoice) -> list[_ThresholdLine]:
        classes, rule = found.results.classes, self._rule
        answered = choice.answered(rule)
        counts = [
            np.bincount(choice.predicted[rows], minlength=len(classes))
            for rows in (slice(None), answered, answered & self._is_right)
        ]
        lines = [
            _ThresholdLine(
                name,
                int(images),
                rule.threshold_of(name),
                name in rule.by_class,
                given / images if images else float("nan"),
                right / given if given else float("nan"),
            )
            for name, images, given, right in zip(classes, *(each.tolist() for each in counts), strict=True)
        ]
        share, right = self._outcome(choice)
        return [_ThresholdLine(_ALL, found.count, rule.threshold, True, share, right), *lines]

    def _place(self, found: ComputedResults, curve: CoverageCurve) -> int:
        """Where the threshold under the cursor is on its curve."""
        name, choice = self._class_name(found), self._choice
        least = self._rule.threshold if name is None else self._rule.threshold_of(name)
        if choice is None:
            return 0
        sure = choice.confidence if name is None else choice.confidence[choice.predicted == self._position]
        answered = float((sure >= least).mean()) if len(sure) else 0.0
        return int(
            np.abs(curve.coverage - answered).argmin()
        )  # a rounded threshold lies beside that of the curve

    def _plot(self, found: ComputedResults, curve: CoverageCurve) -> Plot:
        at = self._place(found, curve)
        x, y = curve.coverage[::-1] * 100, curve.accuracy[::-1] * 100
        places = np.union1d(thinned(x, y, MOST_POINTS), [len(x) - 1 - at])
        value = f"{curve.accuracy[at]:.1%} of {curve.coverage[at]:.1%} answered"
        name = self._class_name(found)
        title = "% of the answers that are right"
        if name is not None:
            title = f"% of the answers {self.ink.shown(name)} that are right"
        shown = Curve("right", x[places], y[places], "line", value="")
        return Plot(
            title,
            "% answered",
            (shown,),
            mark=(float(x[len(x) - 1 - at]), f"{value}, threshold {curve.thresholds[at]:.3f}"),
            x_range=(0.0, 100.0),
        )

    def _name_width(self, width: int) -> int:
        return max(8, min(44, width - 2 - 8 - 3 * _number_width(width) - 2))

    def _titles(self, width: int) -> str:
        room = _number_width(width)
        titles = "".join(f"{title:>{room}}" for title in ("threshold", "answered", "right"))
        return f"  {'answered as':<{self._name_width(width)}}{'images':>8}{titles}"

    def _draw(self, line: _ThresholdLine, width: int, is_current: bool) -> list[Segment]:
        ink = self.ink
        least = f"{line.threshold:.3f}" if line.threshold else "none"
        room = _number_width(width)
        shares = "".join(f"{_percent(value):>{room}}" for value in (line.answered, line.right))
        text = f"{ink.pad(line.name, self._name_width(width))}{line.images:>8,}{least:>{room}}{shares}"
        own = " own" if line.is_own and line.name != _ALL else ""
        return [pointed(ink, text, is_current), Segment(own, Style(bold=True))]


def _percent(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.1%}"


def _number_width(width: int) -> int:
    return 11 if width >= _WIDE_FROM else 10
