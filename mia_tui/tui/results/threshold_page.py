"""A threshold for the answers of a network: a cursor that moves along the curve of accuracy against coverage."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style

from mia_tui.analysis.thresholds import CoverageCurve, threshold_for
from mia_tui.runs.record.decision import Decision, DecisionRule, least_probabilities, read_decision
from mia_tui.text import counted
from mia_tui.tui.results.computed import Answers, ComputedResults, thinned_places
from mia_tui.tui.results.curve_pages import PlotPage
from mia_tui.tui.results.metric_pages import pointed
from mia_tui.tui.results.page import ChosenRows, PageCursor
from mia_tui.tui.runs.figures.text_plots import Curve, Plot
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

STEP = 0.01
"""Of the coverage, with each key."""

_ALL = "all classes"
_NUMBER = 11


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
        self._answers: Answers | None = None
        self._is_kept = False  # a rule that was chosen before its images were looked at
        self.stored: Decision | None = None

    # What is shown

    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        answers, position = self._answers, self._position
        if answers is None:
            return lambda: self._read(found)
        return None if answers.coverage(position) is not None else lambda: answers.compute_coverage(position)

    def show(self, found: ComputedResults) -> None:
        if self._answers is None:
            return
        self._list.show(self._lines(found, self._answers), self._list.cursor or 0)
        curve = self._answers.coverage(self._position)
        if curve is not None:
            self.draw([self._plot(found, curve)])

    def heading(self, found: ComputedResults) -> str:
        if self._answers is None:
            return "Threshold: being computed"
        state = "not stored yet"
        if self.is_stored:
            state = "stored with the model" if self.stored is not None else "none is stored"
        return f"Threshold: below it the network answers unsure ({state})"

    def words(self, found: ComputedResults) -> str:
        if self._answers is None:
            return ""
        answered, right = self._outcome(found, self._answers)
        part = found.results.split
        return (
            f"Answers {answered:.1%} of {counted(found.count, 'image')} of {part}, {right:.1%} right "
            f"(of all {self._answers.is_right.mean():.1%})."
        )

    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        answers = self._answers
        if answers is None:
            return None
        unsure = ~self._answered(found, answers) & answers.of_class(self._position)
        rows = np.flatnonzero(unsure)
        rows = rows[np.argsort(answers.confidence[rows], kind="stable")]
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
        curve = None if self._answers is None else self._answers.coverage(self._position)
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
        curve = None if self._answers is None else self._answers.coverage(self._position)
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

    def decision(self, found: ComputedResults) -> Decision:
        """What is chosen, to be stored; `is_ready` is true."""
        assert self._answers is not None
        answered, right = self._outcome(found, self._answers)
        return Decision(
            temperature=self._rule.temperature,
            threshold=self._rule.threshold,
            by_class=dict(self._rule.by_class),
            part=found.results.split,
            images=found.count,
            coverage=answered,
            accuracy=right,
            chosen_at=time.time(),
        )

    def was_stored(self, decision: Decision | None) -> None:
        """It is stored now, or None is."""
        self.stored = decision
        if decision is None:
            self._rule = DecisionRule(temperature=self._rule.temperature)

    @property
    def is_ready(self) -> bool:
        """Whether a threshold can be chosen."""
        return self._answers is not None

    def _set(self, found: ComputedResults, threshold: float) -> None:
        name = self._class_name(found)
        if name is None:
            self._rule = msgspec.structs.replace(self._rule, threshold=threshold)
        else:
            own = {**self._rule.by_class, name: threshold}
            self._rule = msgspec.structs.replace(self._rule, by_class=own)

    def _read(self, found: ComputedResults) -> None:
        """Read what is stored; its temperature is kept, as the threshold is one of probabilities after it."""
        stored = read_decision(found.weights)
        answers = found.answers(None if stored is None else stored.temperature)
        answers.compute_coverage(None)
        if not self._is_kept:
            least, own = (0.0, {}) if stored is None else (stored.threshold, stored.by_class)
            self._rule = DecisionRule(answers.temperature, least, dict(own))
        self.stored, self._answers = stored, answers

    # Figures

    @property
    def _position(self) -> int | None:
        """The class under the cursor; None on the line of all."""
        line = self._list.cursor or 0
        return None if line == 0 else line - 1

    def _class_name(self, found: ComputedResults) -> str | None:
        return None if self._position is None else found.results.classes[self._position]

    def _answered(self, found: ComputedResults, answers: Answers) -> npt.NDArray[np.bool_]:
        least = least_probabilities(self._rule, found.results.classes)
        is_answered: npt.NDArray[np.bool_] = answers.confidence >= least[answers.best]
        return is_answered

    def _outcome(self, found: ComputedResults, answers: Answers) -> tuple[float, float]:
        """The share of all images that is answered, and the share of the answers that is right."""
        answered = self._answered(found, answers)
        return float(answered.mean()), _share(answers.is_right[answered])

    def _lines(self, found: ComputedResults, answers: Answers) -> list[_ThresholdLine]:
        classes, rule = found.results.classes, self._rule
        answered = self._answered(found, answers)
        counts = [
            np.bincount(answers.best[rows], minlength=len(classes))
            for rows in (slice(None), answered, answered & answers.is_right)
        ]
        lines = [
            _ThresholdLine(
                name,
                int(images),
                rule.by_class.get(name, rule.threshold),
                name in rule.by_class,
                given / images if images else float("nan"),
                right / given if given else float("nan"),
            )
            for name, images, given, right in zip(classes, *(each.tolist() for each in counts), strict=True)
        ]
        share, right = self._outcome(found, answers)
        return [_ThresholdLine(_ALL, found.count, rule.threshold, True, share, right), *lines]

    def _place(self, found: ComputedResults, curve: CoverageCurve) -> int:
        """Where the threshold under the cursor is on its curve."""
        name = self._class_name(found)
        least = self._rule.threshold if name is None else self._rule.by_class.get(name, self._rule.threshold)
        return max(0, int(np.searchsorted(curve.thresholds, least + 1e-12, side="right")) - 1)

    def _plot(self, found: ComputedResults, curve: CoverageCurve) -> Plot:
        at = self._place(found, curve)
        x, y = curve.coverage[::-1] * 100, curve.accuracy[::-1] * 100
        places = np.union1d(thinned_places(x, y), [len(x) - 1 - at])
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
        return max(8, min(44, width - 2 - 9 - 3 * _NUMBER - 2))

    def _titles(self, width: int) -> str:
        titles = "".join(f"{title:>{_NUMBER}}" for title in ("threshold", "answered", "right"))
        return f"  {'answered as':<{self._name_width(width)}}{'images':>9}{titles}"

    def _draw(self, line: _ThresholdLine, width: int, is_current: bool) -> list[Segment]:
        ink = self.ink
        least = f"{line.threshold:.3f}" if line.threshold else "none"
        shares = "".join(f"{_percent(value):>{_NUMBER}}" for value in (line.answered, line.right))
        text = f"{ink.pad(line.name, self._name_width(width))}{line.images:>9,}{least:>{_NUMBER}}{shares}"
        own = " own" if line.is_own and line.name != _ALL else ""
        return [pointed(ink, text, is_current), Segment(own, Style(bold=True))]


def _percent(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.1%}"


def _share(right: npt.NDArray[np.bool_]) -> float:
    return float(right.mean()) if len(right) else 0.0
