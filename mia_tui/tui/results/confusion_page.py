"""The confusion matrix of the results, or its largest confusions as a list."""

from collections.abc import Callable
from typing import Any

import numpy as np
from textual.containers import Vertical

from mia_tui.text import counted, percent
from mia_tui.tui.results.computed import ComputedResults
from mia_tui.tui.results.page import ChosenRows, PageCursor, ResultPage
from mia_tui.tui.runs.figures.confusion import ConfusionList
from mia_tui.tui.runs.figures.matrix import CellWords, ConfusionMatrix
from mia_tui.tui.runs.pages import MOST_IN_MATRIX
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_NAMED = 18  # columns of a class in a sentence
_NEXT: dict[CellWords, CellWords] = {"both": "counts", "counts": "shares", "shares": "both"}
_SAID: dict[CellWords, str] = {
    "both": "Cells have counts and shares of the class.",
    "counts": "Cells have counts.",
    "shares": "Cells have shares of the class.",
}


class MatrixPage(ResultPage):
    """How often each class was predicted as each."""

    NAME, TITLE, SHORT = "matrix", "Confusion matrix", "Confusion"

    def __init__(self, ink: Ink) -> None:
        super().__init__(ink)
        self._matrix, self._list = ConfusionMatrix(ink), ConfusionList(ink)
        self.widget = Vertical(self._matrix, self._list)
        self._as_list: bool | None = None  # None: by the number of classes
        self._by_likeness = True
        self._cells: CellWords = "both"
        self._is_list = False

    @property
    def lines(self) -> LineList[Any]:
        return self._list

    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        return None

    def show(self, found: ComputedResults) -> None:
        report = found.report
        many = len(report.matrix.classes) > MOST_IN_MATRIX
        self._is_list = many if self._as_list is None else self._as_list
        self._matrix.display, self._list.display = not self._is_list, self._is_list
        if self._is_list:
            self._list.show_confusions(report)
        else:
            order = report.by_likeness if self._by_likeness else tuple(range(len(report.by_likeness)))
            self._matrix.show_matrix(report, order, self._cells)

    def heading(self, found: ComputedResults) -> str:
        if self._is_list:
            return f"The largest of {counted(found.report.mistakes, 'confusion')}"
        order = (
            "classes that are confused side by side" if self._by_likeness else "classes in their own order"
        )
        return f"Confusion matrix, {order}"

    def words(self, found: ComputedResults) -> str:
        cell = self._cell(found)
        if cell is None:
            return "No prediction is wrong."
        matrix = found.report.matrix
        count, of_class = int(matrix.counts[cell]), int(matrix.counts[cell[0]].sum())
        truth, predicted = (self.ink.fit(matrix.classes[place], _NAMED) for place in cell)
        what = "predicted correctly" if cell[0] == cell[1] else f"predicted as {predicted}"
        if not count:
            return f"{truth} {what}: no image."
        return f"{truth} {what}: {counted(count, 'image')}, {percent(count / of_class)} of the class."

    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        cell = self._cell(found)
        if cell is None:
            return None
        results = found.results
        rows = np.flatnonzero((results.truth == cell[0]) & (results.predicted == cell[1]))
        truth, predicted = (self.ink.shown(results.classes[place]) for place in cell)
        return ChosenRows(f"truth {truth}, predicted {predicted}", rows) if len(rows) else None

    def move(self, down: int, right: int) -> None:
        if self._is_list:
            self._list.move(down)
        else:
            self._matrix.move(down, right)

    @property
    def page_lines(self) -> int:
        return self._list.page if self._is_list else self._matrix.rows_shown

    @property
    def cursor(self) -> PageCursor:
        view = self._as_list, self._by_likeness, self._cells
        if self._is_list:
            return PageCursor(self._list.cursor or 0, view=view)
        return PageCursor(*self._matrix.chosen, view=view)

    def set_view(self, place: PageCursor) -> None:
        self._as_list, self._by_likeness, self._cells = place.view

    def put_cursor(self, place: PageCursor) -> None:
        if self._is_list:
            super().put_cursor(place)
        else:
            self._matrix.choose(place.line, place.column)

    # Its own keys

    def turn_list(self) -> None:
        """Confusions as a list, or as a matrix."""
        self._as_list = not self._is_list

    def turn_order(self) -> str:
        """Classes by likeness, or in their own order; returns what to say."""
        self._by_likeness = not self._by_likeness
        if self._by_likeness:
            return "Classes that are confused are neighbours."
        return "Classes are in their own order."

    def turn_cells(self) -> str:
        """Counts, shares, or both in the cells; returns what to say."""
        self._cells = _NEXT[self._cells]
        return _SAID[self._cells]

    def _cell(self, found: ComputedResults) -> tuple[int, int] | None:
        """Truth and prediction under the cursor."""
        if not self._is_list:
            return self._matrix.chosen
        if not found.report.confusions:
            return None
        pair = found.report.confusions[self._list.cursor or 0]
        return pair.truth, pair.predicted
