"""The names of sections in one line, one of them under the cursor."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.tui.widgets.ink import Ink


class SectionTabs(Widget, can_focus=False):
    """Names side by side; those that do not fit on the left make room for the current one.

    Args:
        ink: Characters and styles.
    """

    class Picked(Message):
        """A name was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink = ink
        self._names: tuple[str, ...] = ()
        self._current = 0

    def show(self, names: Sequence[str], current: int) -> None:
        """Paint these names."""
        if (tuple(names), current) != (self._names, self._current):
            self._names, self._current = tuple(names), current
            self.refresh()

    def render_line(self, y: int) -> Strip:
        segments = [
            Segment(f" {name} ", Style(reverse=number == self._current, bold=number == self._current))
            for number, name in enumerate(self._names)
        ]
        first = self._first(segments)
        return (
            Strip(segments[first:]).adjust_cell_length(self.size.width, Style()).apply_style(self.rich_style)
        )

    def on_click(self, event: events.Click) -> None:
        first = self._first([Segment(f" {name} ") for name in self._names])
        right = 0
        for number, name in enumerate(self._names[first:], first):
            right += self._ink.width(name) + 2
            if event.x < right:
                self.post_message(self.Picked(number))
                return

    def _first(self, segments: Sequence[Segment]) -> int:
        """The first name that is shown."""
        for first in range(self._current + 1):
            if sum(segment.cell_length for segment in segments[first : self._current + 1]) <= self.size.width:
                return first
        return self._current
