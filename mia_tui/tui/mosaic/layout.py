"""Where tiles lie: in lines that fill the width, and pages of whole lines that fill the height."""

import math
from dataclasses import dataclass
from functools import lru_cache

from mia_tui.terminal.model import Panel

FRAME_COLUMNS, FRAME_ROWS = 2, 2
"""Left and right of a picture; above (the caption) and below it."""

_NARROWEST = 10  # columns of a tile; a caption needs that many


@dataclass(frozen=True)
class TileLayout:
    """Tiles in lines, each a picture in a frame.

    Attributes:
        panel: The cells of one picture.
        per_line: Tiles side by side.
        lines: Lines of tiles on a page.
        width: Columns for all of them; what is left over lies between the tiles.
        gap: Blank rows below each line.
    """

    panel: Panel
    per_line: int
    lines: int
    width: int
    gap: int = 0

    @property
    def columns(self) -> int:
        """Columns of a tile with its frame."""
        return self.panel.columns + FRAME_COLUMNS

    @property
    def line_rows(self) -> int:
        """Rows of the screen that a line of tiles takes."""
        return self.panel.rows + FRAME_ROWS + self.gap

    @property
    def count(self) -> int:
        """Tiles on a page."""
        return self.lines * self.per_line

    def x(self, place: int) -> int:
        """The first column of a tile, by its place in the line."""
        return place * self.width // self.per_line

    def all_lines(self, count: int) -> int:
        """Lines of tiles for so many images."""
        return -(-count // self.per_line)

    def at(self, x: int, y: int) -> int | None:
        """The position of the image at a cell of the whole mosaic, from 0; None beside all tiles."""
        place = next((place for place in range(self.per_line) if 0 <= x - self.x(place) < self.columns), None)
        return None if place is None else y // self.line_rows * self.per_line + place


@lru_cache(maxsize=64)
def lay_out(width: int, height: int, rows: int, cell_px: tuple[int, int], shape: float) -> TileLayout:
    """The layout for a mosaic of this size.

    Args:
        width: Columns.
        height: Rows.
        rows: Wanted height of a picture; it becomes what fills the height with whole lines.
        cell_px: Width and height of a cell.
        shape: Width to height of the images.
    """
    lines = _lines(height, rows + FRAME_ROWS)
    rows = max(1, height // lines - FRAME_ROWS)
    wanted = round(rows * shape * cell_px[1] / cell_px[0]) + FRAME_COLUMNS
    columns = max(FRAME_COLUMNS + 1, min(max(wanted, _NARROWEST), width))
    # Rather a little smaller than with margins.
    per_line = max(1, min(round(width / columns), width // _NARROWEST))
    panel = Panel(max(1, width // per_line - FRAME_COLUMNS), rows, *cell_px)
    return TileLayout(panel, per_line, lines, width)


@lru_cache(maxsize=64)
def lay_out_at_once(
    width: int, height: int, most: int, least_px: int, cell_px: tuple[int, int], shape: float
) -> TileLayout:
    """The layout of so many tiles that all are seen at once; of fewer where pictures would become too small.

    Args:
        width: Columns.
        height: Rows.
        most: Tiles.
        least_px: Pixels that the smaller side of a picture should have.
        cell_px: Width and height of a cell.
        shape: Width to height of the images.
    """
    for count in range(most, 0, -1):
        layout, size = max(
            (_in_lines(lines, count, width, height, cell_px, shape) for lines in range(1, count + 1)),
            key=lambda made: made[1],
        )
        if size >= least_px or count == 1:
            break
    return layout


def _in_lines(
    lines: int, count: int, width: int, height: int, cell_px: tuple[int, int], shape: float
) -> tuple[TileLayout, float]:
    """The layout of tiles in so many lines, and the smaller side of a picture in pixels; below 0 if it cannot be."""
    per_line = -(-count // lines)
    columns, rows = width // per_line - FRAME_COLUMNS, height // lines - FRAME_ROWS
    fits = columns + FRAME_COLUMNS >= _NARROWEST and rows >= 1
    seen_height = min(rows * cell_px[1], columns * cell_px[0] / shape)
    # The frame lies close to the picture; what is left over lies between the tiles.
    columns = min(columns, max(_NARROWEST - FRAME_COLUMNS, round(seen_height * shape / cell_px[0])))
    rows = min(rows, max(1, round(seen_height / cell_px[1])))
    panel = Panel(max(1, columns), max(1, rows), *cell_px)
    gap = max(0, height - lines * (panel.rows + FRAME_ROWS)) // lines
    layout = TileLayout(panel, per_line, lines, width, gap)
    return layout, min(seen_height, seen_height * shape) if fits else -1.0


def _lines(height: int, wanted: int) -> int:
    """Lines of about the wanted height that leave few rows over."""
    few = max(1, height // wanted)

    def badness(lines: int) -> float:
        rows = height // lines
        return abs(math.log(max(1, rows) / wanted)) + 2 * (height - lines * rows) / height

    return min((few, few + 1), key=badness) if height // (few + 1) > FRAME_ROWS else few
