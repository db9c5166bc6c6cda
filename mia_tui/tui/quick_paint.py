"""Paints only what changed: Textual's compositor, without its work for cells that stay as they are.

Textual renders every line of every widget inside the box around all changes,
and cuts each wherever any widget begins or ends. For the frame around an image
that box is nearly the whole screen: 2.5 ms for 4 KB. Here only lines with
something to paint are rendered, and cut only where necessary.
A test compares what both paint.
"""

from collections import defaultdict
from typing import Any

from rich.console import Console
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

from mia_tui.tui.textual_private import CompositorUpdate, SpanCompositor, use_compositor

Span = tuple[int, int]
"""First column, and the one behind the last."""

PaintPiece = tuple[int, Strip]
"""Column, and what stands there."""


def paint_quickly(screen: Screen[Any]) -> None:
    """Have a new screen painted by this module."""
    use_compositor(screen, QuickCompositor())


class QuickUpdate(CompositorUpdate):
    """Pieces of lines to be written.

    Args:
        lines: Pieces by line.
    """

    def __init__(self, lines: dict[int, list[PaintPiece]]) -> None:
        self._lines = lines

    def render_segments(self, console: Console) -> str:
        """What is written to the terminal.

        Each piece has its place said: a terminal may think a name wider than we do.
        """
        return "".join(
            f"\x1b[{y + 1};{x + 1}H{strip.render(console)}"
            for y, pieces in sorted(self._lines.items())
            for x, strip in sorted(pieces, key=_column)
        )


class QuickCompositor(SpanCompositor):
    """Textual's compositor, but for updates of a part of the screen."""

    def render_partial_update(self) -> QuickUpdate | None:  # type: ignore[override]  # what is shown is the same
        """What has to be written since the last time, None if nothing."""
        wanted: dict[int, list[Span]] = defaultdict(list)
        for y, start, end in self.take_spans():
            wanted[y].append((start, end))
        return QuickUpdate(self._pieces(wanted)) if wanted else None

    def _pieces(self, wanted: dict[int, list[Span]]) -> dict[int, list[PaintPiece]]:
        """What is seen of the widgets within some spans; empties `wanted`."""
        found: dict[int, list[PaintPiece]] = defaultdict(list)
        for widget, (region, clip) in self.visible_widgets.items():  # from the front to the back
            if not wanted:
                break
            seen = region.intersection(clip)
            left, right = seen.x, seen.right
            lines = [y for y in seen.line_range if y in wanted and _meets(wanted[y], left, right)]
            if not lines:
                continue
            first, height = lines[0], lines[-1] + 1 - lines[0]
            strips = widget.render_lines(Region(left - region.x, first - region.y, seen.width, height))
            for y in lines:
                if y - first < len(strips):  # a widget may have nothing to paint
                    strip = strips[y - first]
                    end_of_strip = min(right, left + strip.cell_length)
                    shown, left_over = _shared(wanted.pop(y), left, end_of_strip)
                    found[y] += [(start, strip.crop(start - left, end - left)) for start, end in shown]
                    if left_over:
                        wanted[y] = left_over
        return found


def _column(piece: PaintPiece) -> int:
    return piece[0]


def _meets(spans: list[Span], left: int, right: int) -> bool:
    return any(start < right and end > left for start, end in spans)


def _shared(spans: list[Span], left: int, right: int) -> tuple[list[Span], list[Span]]:
    """The parts of spans within two columns, and those outside."""
    inside, outside = [], []
    for start, end in spans:
        first, last = max(start, left), min(end, right)
        if first < last:
            inside.append((first, last))
            outside += [span for span in ((start, first), (last, end)) if span[0] < span[1]]
        else:
            outside.append((start, end))
    return inside, outside
