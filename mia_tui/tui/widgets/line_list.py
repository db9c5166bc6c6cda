"""A list of lines with one of them under the cursor; painted line by line, so that thousands cost nothing."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mia_tui.tui.widgets.ink import Ink

Entry = TypeVar("Entry")
Shown = TypeVar("Shown", contravariant=True)

_PLAIN = Style()  # with NO_COLOR, Textual fails on segments without a style


class LineOf(Protocol[Shown]):
    """How an entry looks."""

    def __call__(self, entry: Shown, width: int, /, *, is_current: bool) -> list[Segment]: ...


class LineList(ScrollView, Generic[Entry], can_focus=False):
    """Entries, one a line.

    Args:
        ink: Characters and styles.
        line: How an entry looks. Given rather than overridden: no class of Textual can be abstract.
    """

    class Picked(Message):
        """A line was clicked."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(self, ink: Ink, line: LineOf[Entry], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink, self._line = ink, line
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

    @property
    def page(self) -> int:
        """Lines that are seen at once."""
        return max(1, self.size.height)

    def can_pick(self, entry: Entry) -> bool:
        """Whether an entry can be chosen."""
        return True

    def render_line(self, y: int) -> Strip:
        line, width, ground = y + int(self.scroll_offset.y), self.size.width, self.rich_style
        if not 0 <= line < len(self._entries):
            return Strip.blank(width, ground)
        segments = self._line(self._entries[line], width, is_current=line == self._cursor)
        return Strip(segments).adjust_cell_length(width, _PLAIN).apply_style(ground)

    def on_click(self, event: events.Click) -> None:
        line = event.y + int(self.scroll_offset.y)
        if 0 <= line < len(self._entries) and self.can_pick(self._entries[line]):
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
