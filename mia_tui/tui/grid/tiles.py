"""How tiles lie in a grid, and the line of text above each: plain functions, no widgets."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from mia_tui.dataset.session.session import RowState
from mia_tui.terminal.model import Panel
from mia_tui.tui.widgets.ink import Ink, style

TILE_ROWS = (3, 5, 8, 12, 18, 27)
"""Heights of a picture that there are, in cells."""

GAP = 1  # columns between two tiles
_NARROWEST = 8  # columns; a caption in fewer says nothing
_SHAPE = 4 / 3  # most photographs are as wide; others leave a rim


@dataclass(frozen=True)
class Lattice:
    """Tiles in lines: a caption, below it a picture.

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
        """The place of the image at a cell of the whole grid, from 0; None beside all of them."""
        column = x // self.pitch
        return None if column >= self.per_line else y // self.line_rows * self.per_line + column


def lattice(width: int, height: int, size: int, cell_px: tuple[int, int]) -> Lattice:
    """The tiles for a grid of so many cells.

    Args:
        width: Columns of the grid.
        height: Its rows.
        size: Place in `TILE_ROWS`.
        cell_px: Width and height of a cell.
    """
    rows = max(1, min(TILE_ROWS[size], height - 1))
    wanted = round(rows * _SHAPE * cell_px[1] / cell_px[0])
    columns = max(1, min(max(wanted, _NARROWEST), width - GAP))
    panel = Panel(columns, rows, *cell_px)
    return Lattice(panel, max(1, width // (columns + GAP)))


def caption(state: RowState, columns: int, ink: Ink, *, current: bool, marked: bool) -> Strip:
    """The line above a picture: cursor, mark, key of the class, its name.

    On the colour of the class for a person's label, with dashes in it for a suggestion, dotted without a class.
    """
    lead = (ink.pointer if current else " ") + (_mark(ink) if marked else " ")
    chip, chip_style = _chip(state, ink)
    kind, name, colour = _words(state)
    room = max(0, columns - 5)
    text = ink.fit(name, room)
    pattern = " " if kind == "label" else ink.pattern(kind)
    if text and kind != "label" and ink.width(text) < room:
        text += " "
    rest = room - ink.width(text)
    line = text + (pattern * (rest + 1))[:rest]
    look = Style(reverse=True, bold=True) if current else _look(kind, colour, ink)
    lead_style = Style(bold=True, reverse=marked)
    return Strip([Segment(lead, lead_style), Segment(chip, chip_style), Segment(line, look)], 5 + room).crop(
        0, columns
    )


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
    """Three cells: ` k ` on the colour of the class, `(k)` for a suggestion."""
    if state.problem is not None:
        return f" {ink.gone if state.missing else ink.broken} ", Style(bold=True)
    if state.image_class is not None:
        return f" {class_letter(state.image_class.key, state.image_class.name, ink)} ", ink.chip(
            state.image_class.colour
        )
    if state.suggestion is not None:
        short = class_letter(state.suggestion.key, state.suggestion.name, ink)
        return f"({short})", ink.frame("suggestion", state.suggestion.colour)
    sign = ink.flag if state.flagged else ink.skipped if state.skipped else ink.dot
    return f" {sign} ", ink.dim() if sign == ink.dot else style(bold=True)


def class_letter(key: str | None, name: str, ink: Ink) -> str:
    """One cell that stands for a class: its key, else the first letter of its name."""
    letter = ink.shown(key if key is not None else name[:1])
    return letter if ink.width(letter) == 1 else "?"
