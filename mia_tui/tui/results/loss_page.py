"""Top losses: the images that the network is most wrong about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.segment import Segment

from mia_tui.tui.results.computed import ComputedResults
from mia_tui.tui.results.metric_pages import pointed
from mia_tui.tui.results.page import ChosenRows, ResultPage
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_NAMES = 0.5  # of the line, for the two classes
_NUMBER = 9


@dataclass(frozen=True)
class _LossLine:
    """An image with its classes, the probabilities of both, and the loss."""

    path: str
    truth: str
    predicted: str
    probability: float
    truth_probability: float
    loss: float


class LossPage(ResultPage):
    """A list of images, the largest loss first."""

    NAME, TITLE, SHORT = "losses", "Top losses", "Losses"
    NEEDS_PROBABILITIES = True

    def __init__(self, ink: Ink) -> None:
        super().__init__(ink)
        self.widget: LineList[_LossLine] = LineList(ink, self._draw, heading=self._titles)
        self._of: ComputedResults | None = None
        self._longest = 8

    @property
    def lines(self) -> LineList[Any]:
        return self.widget

    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        return None if found.knows("losses") else lambda: found.losses

    def show(self, found: ComputedResults) -> None:
        if not found.knows("losses") or found is self._of:
            return
        self._of = found
        classes, keys = found.results.classes, found.results.keys
        lines = [
            _LossLine(
                keys[each.row].path + (f" frame {keys[each.row].frame}" if keys[each.row].frame > 0 else ""),
                classes[each.truth],
                classes[each.predicted],
                each.probability,
                each.truth_probability,
                each.loss,
            )
            for each in found.losses
        ]
        names = {name for line in lines for name in (line.truth, line.predicted)}
        self._longest = max((self.ink.width(self.ink.shown(name)) for name in names), default=8)
        self.widget.show(lines, self.widget.cursor or 0)

    def heading(self, found: ComputedResults) -> str:
        if not found.knows("losses"):
            return "Top losses: being computed"
        shown = len(found.losses)
        which = f"all {shown:,}" if shown == found.count else f"the first {shown:,} of {found.count:,}"
        return f"Top losses: {which} images, the largest loss first"

    def words(self, found: ComputedResults) -> str:
        if not found.knows("losses") or not found.losses:
            return ""
        each, classes = found.losses[self.widget.cursor or 0], found.results.classes
        truth, predicted = (self.ink.shown(classes[place]) for place in (each.truth, each.predicted))
        if each.truth == each.predicted:
            return f"Right: {truth} {each.truth_probability:.3f}."
        return (
            f"Labelled {truth} ({each.truth_probability:.3f}), predicted {predicted} "
            f"({each.probability:.3f})."
        )

    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        if not found.knows("losses") or not found.losses:
            return None
        rows = np.array([each.row for each in found.losses], np.int64)
        return ChosenRows("top losses", rows, self.widget.cursor or 0)

    def _class_width(self, width: int) -> int:
        return max(8, min(self._longest, int(width * _NAMES) // 2) + 1)

    def _titles(self, width: int) -> str:
        room = self._class_width(width)
        numbers = "".join(f"{title:>{_NUMBER}}" for title in ("p", "p truth", "loss"))
        return f"  {'truth':<{room}}{'predicted':<{room}}{numbers}  image"

    def _draw(self, line: _LossLine, width: int, is_current: bool) -> list[Segment]:
        ink, room = self.ink, self._class_width(width)
        names = "".join(ink.pad(name, room - 1) + " " for name in (line.truth, line.predicted))
        numbers = (
            f"{line.probability:>{_NUMBER}.3f}{line.truth_probability:>{_NUMBER}.3f}{line.loss:>{_NUMBER}.2f}"
        )
        text = f"{names}{numbers}  "
        path = ink.fit_left(line.path, max(0, width - ink.width(text) - 3))
        return [pointed(ink, text + path, is_current)]
