"""The table of counts: a line for each group, a column for each class; shares are shaded."""

from collections.abc import Sequence

import numpy as np
from rich.segment import Segment
from rich.style import Style

from mia_tui.runs.counts.table import CountTable
from mia_tui.tui.counts.words import ALL, Figure, cell_words, group_words, is_unusual, value_of
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList
from mia_tui.tui.widgets.shades import level_of, shade

_MARGIN = 2  # the pointer and a space
_IMAGES = 8
_LEAST_NAME, _MOST_NAME = 10, 34
_LEAST_CELL, _MOST_CELL = 9, 16
_PLAIN = Style()


class CountLines(LineList[int | None]):
    """Groups, one a line, below all of them together; one column has the cursor.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_group, heading=self._titles, id=id)
        self._table: CountTable | None = None
        self._figure: Figure = "fraction"
        self.column = 0
        self._first = 0  # the first class in view
        self._names = self._longest = 0  # columns of the longest names of groups and classes

    def show_counts(self, table: CountTable, figure: Figure, groups: Sequence[int], column: int) -> None:
        """Paint a table.

        Args:
            table: The counts.
            figure: What stands in its cells.
            groups: In the order to show them in.
            column: Position of the class under the cursor.
        """
        same = (table, figure, column) == (self._table, self._figure, self.column)
        if table is not self._table:
            ink = self._ink
            self._names = max(ink.width(ink.shown(group_words(table, group))) for group in [ALL, *groups])
            self._longest = max((ink.width(ink.shown(name)) for name in table.classes), default=0)
        self._table, self._figure, self.column = table, figure, column
        self.show([ALL, *groups], self.cursor or 0)
        if not same:
            self.refresh()

    @property
    def group(self) -> int | None:
        """The group under the cursor; None for all of them."""
        return self._items[self.cursor] if self._items and self.cursor is not None else ALL

    def put_on(self, group: int | None) -> None:
        """Put the cursor on a group, if it is listed."""
        if group in self._items:
            self.show(self._items, self._items.index(group))

    def _layout(self, width: int) -> tuple[int, int, range]:
        """Columns of the names and of a cell, and the classes that are shown."""
        table = self._table
        assert table is not None
        cell = max(_LEAST_CELL, min(_MOST_CELL, self._longest)) + 1
        name = max(_LEAST_NAME, min(_MOST_NAME, self._names, width - _MARGIN - _IMAGES - 2 * cell))
        fits = max(1, min(len(table.classes), (width - _MARGIN - name - _IMAGES) // cell))
        first = max(self.column - fits + 1, min(self._first, self.column, len(table.classes) - fits))
        self._first = first
        return name, cell, range(first, first + fits)

    def _titles(self, width: int) -> str:
        if self._table is None:
            return ""
        name, cell, places = self._layout(width)
        ink, title = self._ink, "/".join(self._table.groups.columns)
        classes = "".join(self._right(self._table.classes[place], cell - 1) + " " for place in places)
        return f"{' ' * _MARGIN}{ink.pad(title, name)}{'images':>{_IMAGES}}{classes}"

    def _right(self, text: str, columns: int) -> str:
        text = self._ink.fit(text, columns - 1)
        return " " * (columns - self._ink.width(text)) + text

    def _draw_group(self, group: int | None, width: int, is_current: bool) -> list[Segment]:
        table, ink = self._table, self._ink
        assert table is not None
        name, cell, places = self._layout(width)
        images = int(table.images.sum() if group is None else table.images[group])
        text_style = Style(bold=group is None)
        words = f"{ink.pad(group_words(table, group), name)}{images:>{_IMAGES},}"
        segments = [
            Segment(f"{ink.pointer if is_current else ' '} ", ink.accent()),
            Segment(words, text_style),
        ]
        for place in places:
            mark = _mark(is_unusual(table, group, place), ink)
            text = self._right(cell_words(table, self._figure, group, place) + mark, cell)
            is_cursor = is_current and place == self.column
            segments.append(Segment(text[0], _PLAIN))
            segments.append(
                Segment(text[1:], ink.cursor() if is_cursor else self._style(group, place) + text_style)
            )
        return segments

    def _style(self, group: int | None, place: int) -> Style:
        """The shade of a share; the colour of what is unusual."""
        table, ink = self._table, self._ink
        assert table is not None
        if self._figure == "enrichment":
            unusual = is_unusual(table, group, place)
            return ink.good() if unusual > 0 else ink.warning() if unusual < 0 else _PLAIN
        if self._figure == "images":
            return _PLAIN
        share, ground, colour = value_of(table, self._figure, group, place), self._ground(), ink.bar().color
        if np.isnan(share) or ground is None or colour is None or colour.triplet is None:
            return _PLAIN
        return shade(level_of(share * share), ground, colour.triplet.hex)

    def _ground(self) -> str | None:
        """The background as `#rrggbb`; None where the terminal chooses it, or has too few colours for shades."""
        colour = self.rich_style.bgcolor
        if not self._ink.colours or colour is None or colour.triplet is None:
            return None
        return colour.triplet.hex


def _mark(unusual: int, ink: Ink) -> str:
    """A sign for unusually many or few; a blank for others, so that figures stand below each other."""
    signs = ("▲", "▼") if ink.unicode else ("^", "v")
    return signs[0] if unusual > 0 else signs[1] if unusual < 0 else " "
