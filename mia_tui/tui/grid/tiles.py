"""The layout of tiles in a grid, and the caption above each: plain functions, no widgets."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from mia_tui.dataset.session.session import RowState
from mia_tui.terminal.model import Panel
from mia_tui.tui.classes.class_mark import MARK_COLUMNS, class_mark
from mia_tui.tui.widgets.ink import Ink, style

TILE_ROWS = (3, 5, 8, 12, 18, 27)
"""Heights of a picture to choose from, in cells."""

GAP = 1  # columns between two tiles
_NARROWEST = 8  # columns; a caption needs that many
_SHAPE = 4 / 3  # width to height of most photographs; others leave a margin


@dataclass(frozen=True)
class TileLayout:
    """Tiles in lines; each is a caption above a picture.

    Attributes:
        panel: The cells of one picture.
        per_line: Tiles side by side.
    """

    panel: Panel
    per_line: int

    @property
    def line_rows(self) -> int:
        """Rows of the screen that a line of tiles takes."""
        return 1 + self.panel.rows

    @property
    def pitch(self) -> int:
        """Columns from one tile to the next."""
        return self.panel.columns + GAP

    def lines(self, count: int) -> int:
        """Lines of tiles for so many images."""
        return -(-count // self.per_line)

    def at(self, x: int, y: int) -> int | None:
        """The position of the image at a cell of the whole grid, from 0; None right of all tiles."""
        column = x // self.pitch
        return None if column >= self.per_line else y // self.line_rows * self.per_line + column


def tile_layout(width: int, height: int, size: int, cell_px: tuple[int, int]) -> TileLayout:
    """The layout for a grid of this size.

    Args:
        width: Columns of the grid.
        height: Its rows.
        size: Index into `TILE_ROWS`.
        cell_px: Width and height of a cell.
    """
    rows = max(1, min(TILE_ROWS[size], height - 1))
    wanted = round(rows * _SHAPE * cell_px[1] / cell_px[0])
    columns = max(1, min(max(wanted, _NARROWEST), width - GAP))
    panel = Panel(columns, rows, *cell_px)
    return TileLayout(panel, max(1, width // (columns + GAP)))


def caption(state: RowState, columns: int, ink: Ink, *, current: bool, marked: bool) -> Strip:
    """The line above a picture: cursor, mark, key of the class, its name.

    It has the colour of the class for a person's label, dashes for a suggestion, dots without a class.
    """
    lead = (ink.pointer if current else " ") + (_mark(ink) if marked else " ")
    chip, chip_style = _chip(state, ink)
    kind, name, colour = _words(state)
    fixed = 2 + MARK_COLUMNS
    room = max(0, columns - fixed)
    text = ink.fit(name, room)
    pattern = " " if kind == "label" else ink.pattern(kind)
    if text and kind != "label" and ink.width(text) < room:
        text += " "
    rest = room - ink.width(text)
    line = text + (pattern * (rest + 1))[:rest]
    look = Style(reverse=True, bold=True) if current else _look(kind, colour, ink)
    lead_style = Style(bold=True, reverse=marked)
    return Strip(
        [Segment(lead, lead_style), Segment(chip, chip_style), Segment(line, look)], fixed + room
    ).crop(0, columns)


def _mark(ink: Ink) -> str:
    return "✓" if ink.unicode else "*"


def _words(state: RowState) -> tuple[str, str, str | None]:
    if state.image_class is not None:
        return "label", state.image_class.name, state.image_class.colour
    if state.suggestion is not None:
        return "suggestion", f"{state.suggestion.name}?", state.suggestion.colour
    return "none", "", None


def _look(kind: str, colour: str | None, ink: Ink) -> Style:
    if kind == "none":
        return ink.dim()
    if kind == "label" and not ink.colours:
        return Style(reverse=True)
    return ink.words(kind, colour) if kind == "label" else ink.frame(kind, colour)


def _chip(state: RowState, ink: Ink) -> tuple[str, Style]:
    """The mark of the class; without one, a flag or the sign of a skipped image."""
    is_plain = state.problem is None and state.image_class is None and state.suggestion is None
    if is_plain and (state.flagged or state.skipped):
        return f" {ink.flag if state.flagged else ink.skipped} ", style(bold=True)
    return class_mark(state, ink)
