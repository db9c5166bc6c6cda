"""One line of text that is painted only when it changes."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.tui.widgets.ink import Ink

Piece = tuple[str, Style | None]


class TextLine(Widget, can_focus=False):
    """Pieces of text on the left and on the right; those on the right are left out if there is no room for both.

    Args:
        ink: Characters and styles.
        bare: Whether to keep the terminal's background, as beside images, instead of the app's.
    """

    def __init__(self, ink: Ink, *, id: str | None = None, bare: bool = False) -> None:
        super().__init__(id=id)
        self._ink, self._bare = ink, bare
        self._left: tuple[Piece, ...] = ()
        self._right: tuple[Piece, ...] = ()
        self._made: Strip | None = None

    def show(self, left: Sequence[Piece], right: Sequence[Piece] = ()) -> None:
        """Show these pieces."""
        if (tuple(left), tuple(right)) != (self._left, self._right):
            self._left, self._right = tuple(left), tuple(right)
            self._made = None
            self.refresh()

    def forget(self) -> None:
        """Make the line anew when it is painted next: styles are not what they were."""
        self._made = None
        self.refresh()

    def notify_style_update(self) -> None:
        """The theme is another one."""
        super().notify_style_update()
        self._made = None

    @property
    def text(self) -> str:
        """The text without styles."""
        return "".join(text for text, _ in (*self._left, *self._right))

    def render_lines(self, crop: Region) -> list[Strip]:
        if self._made is None or self._made.cell_length != self.size.width:
            self._made = self._line(self.size.width)
        seen = self._made.crop(crop.x, crop.right)
        under = self._ink.beside_images if self._bare else self.rich_style
        return [seen if under is None else seen.apply_style(under)] * crop.height

    def _line(self, width: int) -> Strip:
        ink = self._ink
        left = [(ink.shown(text), style) for text, style in self._left]
        right = [(ink.shown(text), style) for text, style in self._right]
        taken = sum(ink.width(text) for text, _ in left)
        if taken + 2 + sum(ink.width(text) for text, _ in right) > width:
            right = []
        segments, used = [], 0
        for text, style in left:
            shown = ink.fit(text, max(0, width - used))
            segments.append(Segment(shown, style))
            used += ink.width(shown)
        gap = width - used - sum(ink.width(text) for text, _ in right)
        segments.append(Segment(" " * max(0, gap)))
        segments += [Segment(text, style) for text, style in right]
        return Strip([segment for segment in segments if segment.text]).adjust_cell_length(width)
