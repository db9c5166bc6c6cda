"""Lists and tables of lines; only the lines in view are made, so that thousands cost nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mia_tui.tui.widgets.ink import Ink

Item = TypeVar("Item")
DrawLine = Callable[[Item, int, bool], list[Segment]]
"""Draws an item, from the columns there are and whether the cursor is on it."""

_PLAIN = Style()  # with NO_COLOR, Textual fails on segments without a style
_RIGHT_SHARE = 0.6  # of a line, at most, for what stands on the right


class LineList(ScrollView, Generic[Item], can_focus=False):
    """Items, one a line; one of them may be under the cursor.

    Args:
        ink: Characters and styles.
        draw: Draws an item. Given rather than overridden: no class of Textual can be abstract.
        heading: The line above the items, from the columns there are; it stays where it is when the list is scrolled.
        follows_end: Whether a list that is scrolled to its end stays there as lines are added.
    """

    class LineClicked(Message):
        """A line was clicked; if the list has a cursor, it is there now."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(
        self,
        ink: Ink,
        draw: DrawLine[Item],
        *,
        heading: Callable[[int], str] | None = None,
        follows_end: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._ink, self._draw = ink, draw
        self._heading, self._above = heading, 0 if heading is None else 1
        self._follows_end = follows_end
        self._items: tuple[Item, ...] = ()
        self._cursor: int | None = None

    def show(self, items: Sequence[Item], cursor: int | None) -> None:
        """Paint the lines that differ from those on the screen.

        Args:
            items: What to list.
            cursor: The line of the cursor, moved into the list where it is beyond its ends; None for no cursor.
        """
        was_at_end = int(self.scroll_offset.y) >= self._last_top
        old, self._items = self._items, tuple(items)
        self._fit_size()
        if len(old) != len(self._items):
            self.refresh()
        elif old != self._items:
            for line, (before, after) in enumerate(zip(old, self._items, strict=True)):
                if before != after:
                    self._refresh_line(line)
        if cursor is not None:
            cursor = max(0, min(cursor, len(self._items) - 1))
        if cursor != self._cursor:
            for place in (self._cursor, cursor):
                self._refresh_line(place)
            self._cursor = cursor
        self._scroll_to_cursor()
        if self._follows_end and was_at_end:
            self.put_on_top(self._last_top)

    def move(self, by: int) -> None:
        """Move the cursor by so many lines, or scroll the list if it has no cursor; to the ends at most."""
        if self._cursor is None:
            self.put_on_top(max(0, min(int(self.scroll_offset.y) + by, self._last_top)))
        else:
            self.show(self._items, self._cursor + by)

    @property
    def cursor(self) -> int | None:
        """The line of the cursor; None without one."""
        return self._cursor

    @property
    def seen(self) -> range:
        """The lines that are in view."""
        top, count = int(self.scroll_offset.y), len(self._items)
        return range(min(top, count), min(top + self.size.height - self._above, count))

    @property
    def page(self) -> int:
        """Lines that fit into the view."""
        return max(1, self.size.height - self._above)

    def can_pick(self, item: Item) -> bool:
        """Whether an item can be chosen."""
        return True

    def render_line(self, y: int) -> Strip:
        width, line = self.size.width, y - self._above + int(self.scroll_offset.y)
        if y == 0 and self._heading is not None:
            segments = [Segment(self._ink.fit(self._heading(width), width), self._ink.title())]
        elif 0 <= line < len(self._items):
            segments = self._draw(self._items[line], width, line == self._cursor)
        else:
            segments = []
        return Strip(segments).adjust_cell_length(width, _PLAIN).apply_style(self.rich_style)

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)  # none on the line around a panel
        line = None if at is None else self._line_at(at.y)
        if line is None or not self.can_pick(self._items[line]):
            return
        if self._cursor is not None:
            self.show(self._items, line)
        self.post_message(self.LineClicked(line))

    def on_resize(self) -> None:
        self._fit_size()
        self._scroll_to_cursor()

    def _line_at(self, y: int) -> int | None:
        """The line at a row of the widget; None on the heading and below the list."""
        line = y - self._above + int(self.scroll_offset.y)
        return line if y >= self._above and line < len(self._items) else None

    def _fit_size(self) -> None:
        self.virtual_size = Size(max(1, self.size.width), len(self._items) + self._above)

    def _refresh_line(self, line: int | None) -> None:
        y = None if line is None else line - int(self.scroll_offset.y) + self._above
        if y is not None and y >= self._above:
            self.refresh(Region(0, y, self.size.width, 1))

    @property
    def _last_top(self) -> int:
        """The first line in view when the last one is in view."""
        return max(0, len(self._items) - self.page)

    def _scroll_to_cursor(self) -> None:
        """Half a page at once: the whole list is painted once in so many moves."""
        top, height = int(self.scroll_offset.y), self.size.height - self._above
        if self._cursor is not None and height > 0 and not top <= self._cursor < top + height:
            self.put_on_top(max(0, self._cursor - height // 2))

    def put_on_top(self, top: int) -> None:
        """Scroll so that a line is the first one in view, if there are enough lines below it."""
        self.scroll_to(y=top, animate=False, immediate=True, force=True)


@dataclass(frozen=True)
class Entry:
    """A line: `left` keeps its end where it is too long, `right` its beginning. Headings cannot be chosen."""

    left: str
    right: str = ""
    is_heading: bool = False


class EntryList(LineList[Entry]):
    """Lines of text."""

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_entry, id=id)

    def can_pick(self, item: Entry) -> bool:
        return not item.is_heading

    def _draw_entry(self, entry: Entry, width: int, is_current: bool) -> list[Segment]:
        ink = self._ink
        if entry.is_heading:
            return [Segment(ink.pad(entry.left, width), Style(bold=True))]
        right = ink.fit(entry.right, int(width * _RIGHT_SHARE))
        room = width - 3 - ink.width(right)
        left = ink.fit_left(entry.left, max(0, room))
        text_style = ink.cursor() if is_current else _PLAIN
        return [
            Segment(ink.pointer if is_current else " ", text_style),
            Segment(left + " " * max(0, room - ink.width(left) + 1), text_style),
            Segment(right + " ", text_style + ink.dim() if not is_current else text_style),
        ]
