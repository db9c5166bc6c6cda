"""Lines for Textual that are text already, and lines made of several of them.

Textual turns segments into text one by one, 26 ms for a picture of half blocks; a `RawStrip` is text already. If an
overlay cuts it (a dialog, a message), it falls back to segments, which are made when they are needed. Joining lines
the usual way would turn them into segments, too; a `JoinedStrip` writes each part as it is.
"""

from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from mia_tui.tui.textual_private import LazyStrip


class RawStrip(LazyStrip):
    """A line whose text is ready to be written.

    Args:
        text: What is written, with colours; fills `columns` cells.
        columns: Width.
        plain: Makes the segments to use where only a part of the line is written.
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


class JoinedStrip(LazyStrip):
    """Lines side by side, each written as it is.

    Args:
        parts: From left to right.
    """

    def __init__(self, parts: Sequence[Strip]) -> None:
        self._parts = tuple(parts)
        super().__init__(sum(part.cell_length for part in parts))

    def make_segments(self) -> list[Segment]:
        return [segment for part in self._parts for segment in part]

    def render(self, console: Console) -> str:
        return "".join(part.render(console) for part in self._parts)

    def crop(self, start: int, end: int | None = None) -> Strip:
        stop = self.cell_length if end is None else min(end, self.cell_length)
        if start <= 0 and stop == self.cell_length:
            return self
        kept, x = [], 0
        for part in self._parts:
            left, right = max(start - x, 0), min(stop - x, part.cell_length)
            if left < right:
                kept.append(part.crop(left, right))
            x += part.cell_length
        return JoinedStrip(kept)

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        strips, start = [], 0
        for cut in cuts:
            if cut <= self.cell_length:
                strips.append(self.crop(start, cut))
                start = cut
        return strips
