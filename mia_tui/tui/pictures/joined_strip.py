"""A line made of several ready ones, each written as it is.

Joining lines the usual way turns them into segments, which is what `RawStrip`
avoids; here only the parts that something cuts through become segments.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from mia_tui.tui.textual_private import LateStrip


class JoinedStrip(LateStrip):
    """Lines side by side.

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
