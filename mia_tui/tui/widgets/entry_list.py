"""A list of lines with one of them under the cursor; painted line by line."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mia_tui.tui.widgets.ink import Ink

_RIGHT_SHARE = 0.6  # of a line, at most, for what stands on the right


@dataclass(frozen=True)
class Entry:
    """A line: `left` keeps its end where it is too long, `right` its beginning. Headings cannot be chosen."""

    left: str
    right: str = ""
    is_heading: bool = False


class EntryList(ScrollView, can_focus=False):
    """Lines of text.

    Args:
        ink: Characters and styles.
    """

    class Picked(Message):
        """A line was clicked."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink = ink
        self._entries: tuple[Entry, ...] = ()
        self._cursor: int | None = None

    def show(self, entries: Sequence[Entry], cursor: int | None) -> None:
        """Paint what is different now."""
        old, self._entries = self._entries, tuple(entries)
        self.virtual_size = Size(max(1, self.size.width), len(self._entries))
        if len(old) != len(self._entries):
            self.refresh()
        else:
            for line, (before, after) in enumerate(zip(old, self._entries, strict=True)):
                if before != after:
                    self._refresh_line(line)
        if cursor != self._cursor:
            for place in (self._cursor, cursor):
                self._refresh_line(place)
            self._cursor = cursor
            self._scroll_into_view()

    @property
    def seen(self) -> range:
        """The lines that are seen."""
        top = int(self.scroll_offset.y)
        return range(min(top, len(self._entries)), min(top + self.size.height, len(self._entries)))

    def render_line(self, y: int) -> Strip:
        line, width = y + int(self.scroll_offset.y), self.size.width
        if not 0 <= line < len(self._entries):
            return Strip.blank(width)
        entry, ink = self._entries[line], self._ink
        if entry.is_heading:
            return Strip([Segment(ink.pad(entry.left, width), Style(bold=True))], width)
        is_current = line == self._cursor
        right = ink.fit(entry.right, int(width * _RIGHT_SHARE))
        room = width - 3 - ink.width(right)
        left = ink.fit_left(entry.left, max(0, room))
        look = Style(reverse=is_current)
        return Strip(
            [
                Segment(ink.pointer if is_current else " ", Style(bold=True)),
                Segment(left + " " * max(0, room - ink.width(left) + 1), look),
                Segment(right + " ", look + ink.dim() if not is_current else look),
            ]
        ).adjust_cell_length(width)

    def on_click(self, event: events.Click) -> None:
        line = event.y + int(self.scroll_offset.y)
        if 0 <= line < len(self._entries) and not self._entries[line].is_heading:
            self.post_message(self.Picked(line))

    def on_resize(self) -> None:
        self.virtual_size = Size(max(1, self.size.width), len(self._entries))
        self._scroll_into_view()

    def _refresh_line(self, line: int | None) -> None:
        if line is not None:
            self.refresh(Region(0, line - int(self.scroll_offset.y), self.size.width, 1))

    def _scroll_into_view(self) -> None:
        top, height = int(self.scroll_offset.y), self.size.height
        if self._cursor is not None and height and not top <= self._cursor < top + height:
            self.scroll_to(y=max(0, self._cursor - height // 2), animate=False, immediate=True, force=True)
