"""A table of which only the lines in view are made, so that a thousand rows cost nothing."""

from collections.abc import Callable, Sequence

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mia_tui.tui.widgets.ink import Ink

DrawRow = Callable[[int, int, bool], Sequence[Segment]]
"""A row by its number, the columns there are, and whether the cursor is on it."""


class RowList(ScrollView, can_focus=False):
    """Rows below a heading, one of them under the cursor.

    Args:
        ink: Characters and styles.
        has_cursor: Whether a row can be chosen; else the keys scroll.
    """

    class Picked(Message):
        """A row was clicked."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, ink: Ink, *, id: str | None = None, has_cursor: bool = True) -> None:
        super().__init__(id=id)
        self._ink, self._has_cursor = ink, has_cursor
        self._heading: Callable[[int], str] = lambda _: ""
        self._draw: DrawRow = lambda *_: ()
        self._count = 0
        self._version: object = None
        self.cursor = 0

    def show(self, count: int, draw: DrawRow, heading: Callable[[int], str], version: object) -> None:
        """Paint these rows, if `version` is another one than before; at the end it stays at the end.

        Args:
            count: Number of rows.
            draw: Makes a row.
            heading: Makes the line above them, from the columns there are.
            version: Equal for equal content.
        """
        if version == self._version:
            return
        was_at_end = int(self.scroll_offset.y) >= self._end
        self._count, self._draw, self._heading, self._version = count, draw, heading, version
        self.cursor = max(0, min(self.cursor, count - 1))
        self._resize()
        if was_at_end and not self._has_cursor:
            self.scroll_to(y=self._end, animate=False, immediate=True, force=True)
        self.refresh()

    def move(self, by: int) -> None:
        """Move the cursor, or scroll where there is none."""
        if not self._has_cursor:
            top = max(0, min(int(self.scroll_offset.y) + by, self._end))
            self.scroll_to(y=top, animate=False, immediate=True, force=True)
            return
        self.cursor = max(0, min(self.cursor + by, self._count - 1))
        self._scroll_into_view()
        self.refresh()

    @property
    def page(self) -> int:
        """Rows that are seen at once."""
        return max(1, self.size.height - 1)

    def render_line(self, y: int) -> Strip:
        return self._line(y).apply_style(self.rich_style)

    def _line(self, y: int) -> Strip:
        width, row = self.size.width, y - 1 + int(self.scroll_offset.y)
        if y == 0:
            heading = self._ink.fit(self._heading(width), width)
            return Strip([Segment(heading, self._ink.dim())]).adjust_cell_length(width)
        if not 0 <= row < self._count:
            return Strip.blank(width)
        return Strip(self._draw(row, width, self._has_cursor and row == self.cursor)).adjust_cell_length(
            width
        )

    def on_click(self, event: events.Click) -> None:
        row = event.y - 1 + int(self.scroll_offset.y)
        if event.y > 0 and 0 <= row < self._count and self._has_cursor:
            self.move(row - self.cursor)
            self.post_message(self.Picked(row))

    def on_resize(self) -> None:
        self._resize()
        if self._has_cursor:
            self._scroll_into_view()
        self.refresh()

    @property
    def _end(self) -> int:
        """The first row in view when the last one is."""
        return max(0, self._count - self.page)

    def _resize(self) -> None:
        self.virtual_size = Size(max(1, self.size.width), self._count + 1)

    def _scroll_into_view(self) -> None:
        top = int(self.scroll_offset.y)
        wanted = min(max(top, self.cursor - self.page + 1), self.cursor)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, immediate=True, force=True)
