"""Lines of a picture that are ready to be written.

Textual turns segments into text one by one, 26 ms for a picture of half
blocks; these lines are text already. What an overlay cuts (a dialog, a toast)
falls back to segments, made when they are needed.
"""

from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from mia_tui.tui.textual_private import LateStrip


class RawStrip(LateStrip):
    """A line with its ready text.

    Args:
        text: What is written, with colours; fills `columns` cells.
        columns: Width.
        plain: Makes the segments that stand for the text where only a part of the line is written.
        on_written: Called each time the text goes out.
    """

    def __init__(
        self,
        text: str,
        columns: int,
        plain: Callable[[], list[Segment]],
        on_written: Callable[[], None] | None = None,
    ) -> None:
        self._text = text
        self._make_plain = plain
        self._plain: list[Segment] | None = None
        self._on_written = on_written
        super().__init__(columns)

    def make_segments(self) -> list[Segment]:
        if self._plain is None:
            self._plain = self._make_plain()
        return self._plain

    def render(self, console: Console) -> str:
        if self._on_written is not None:
            self._on_written()
        return self._text

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        cuts = list(cuts)
        return [self] if cuts == [self.cell_length] else super().divide(cuts)

    def crop(self, start: int, end: int | None = None) -> Strip:
        if start <= 0 and (end is None or end >= self.cell_length):
            return self
        return super().crop(start, end)
