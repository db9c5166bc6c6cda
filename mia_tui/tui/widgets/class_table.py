"""The classes as a table: key, colour, name, images; painted line by line, so that a thousand cost nothing."""

from collections.abc import Mapping, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mia_tui.dataset.model import ImageClass
from mia_tui.tui.widgets.ink import Ink

_KEY, _COLOUR, _IMAGES, _STATE = 3, 7, 11, 8
_FIXED = 1 + _KEY + 2 + _COLOUR + 2 + _IMAGES + 2 + _STATE


class ClassTable(ScrollView, can_focus=True):
    """One line a class, one of them under the cursor.

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
        self._known: tuple[ImageClass, ...] = ()
        self._images: Mapping[int, int] = {}
        self._cursor = 0

    def show(self, classes: Sequence[ImageClass], counts: Mapping[int, int], cursor: int) -> None:
        """Paint what is different now."""
        old = (self._known, self._images)
        self._known, self._images = tuple(classes), dict(counts)
        self.virtual_size = Size(max(1, self.size.width), len(self._known))
        if old != (self._known, self._images):
            self.refresh()
        for line in {self._cursor, cursor}:
            self.refresh(Region(0, line - int(self.scroll_offset.y), self.size.width, 1))
        self._cursor = cursor
        self._scroll_into_view()

    def heading(self, columns: int) -> str:
        """The line above the table."""
        name = max(4, columns - _FIXED)
        return f" {'key':<{_KEY}}  {'colour':<{_COLOUR}}  {'name':<{name}}{'images':>{_IMAGES}}"

    def render_line(self, y: int) -> Strip:
        line, width = y + int(self.scroll_offset.y), self.size.width
        if not 0 <= line < len(self._known):
            return Strip.blank(width)
        ink, image_class = self._ink, self._known[line]
        is_current = line == self._cursor
        look = Style(reverse=is_current, dim=image_class.archived)
        name = max(4, width - _FIXED)
        state = "archived" if image_class.archived else ""
        count = f"{self._images.get(image_class.id, 0):,}"
        segments = [
            Segment(ink.pointer if is_current else " ", Style(bold=True)),
            Segment(f" {image_class.key or ' '} ", ink.chip(image_class.colour)),
            Segment("  "),
            *self._swatch(image_class.colour),
            Segment("  "),
            Segment(ink.pad(image_class.name, name), look),
            Segment(f"{count:>{_IMAGES}}  {state:<{_STATE}}", look),
        ]
        return Strip(segments).adjust_cell_length(width)

    def on_click(self, event: events.Click) -> None:
        line = event.y + int(self.scroll_offset.y)
        if 0 <= line < len(self._known):
            self.post_message(self.Picked(line))

    def on_resize(self) -> None:
        self.virtual_size = Size(max(1, self.size.width), len(self._known))
        self._scroll_into_view()

    @property
    def page(self) -> int:
        """Lines that are seen at once."""
        return max(1, self.size.height)

    def _swatch(self, colour: str) -> list[Segment]:
        """Seven cells of the colour; its number where there are no colours."""
        if not self._ink.colours:
            return [Segment(colour)]
        return [Segment(" " * _COLOUR, self._ink.chip(colour))]

    def _scroll_into_view(self) -> None:
        top, height = int(self.scroll_offset.y), self.size.height
        if height and not top <= self._cursor < top + height:
            self.scroll_to(y=max(0, self._cursor - height // 2), animate=False, immediate=True, force=True)
