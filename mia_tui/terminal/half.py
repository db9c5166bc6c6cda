"""Pictures of coloured half blocks: every cell is two pixels, the upper one in the text colour, the lower one in the
background colour.

A colour is sent only where it changes from the cell before, which saves half of the bytes; a picture is written one
row of cells at a time, so that rows can be drawn alone. Within a limit in bytes, small differences are dropped first,
then resolution.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from mia_tui.terminal.layout import RESET, CellBox, make_picture, no_picture, place_in, resized
from mia_tui.terminal.model import Colours, Panel, Picture, Terminal

UPPER, LOWER = "▀", "▄"

# The colours of a terminal's numbers: 16 of the first terminals (xterm's shades; users change them), a cube of
# 6 x 6 x 6, 24 greys. Source: xterm's 256colres.h and the table in its XTerm-col.ad.
_SYSTEM = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
_CUBE = np.array([0, 95, 135, 175, 215, 255], np.uint8)
_GREYS = np.arange(8, 248, 10, dtype=np.uint8)

_Codes = list[str] | dict[int, str]

# The limit where none is given: 95 of 100 photos need less, and noise would take double.
_BYTES_PER_CELL = 25


class _QualityLevel(NamedTuple):
    """One level between the best picture and the smallest."""

    columns: int
    """Cells side by side of one colour."""
    halves: int
    """Half cells above each other of one colour."""
    tolerance: int
    """Differences that are dropped, see `without_small_differences`."""
    cell_bytes: float
    """Bytes of a cell of a photo."""


# Each the best of its size by PSNR, mean of three photos: 38 dB at first, 28 dB at 25 KiB for 107 x 40 cells, 16 dB
# in the end. Cells of one colour do better than half the columns: a space is one byte, a half block three.
# Fewer colours (256) do worse, and lose hues.
_LEVELS = (
    _QualityLevel(1, 1, 0, 24.0),
    _QualityLevel(1, 1, 8, 18.2),
    _QualityLevel(1, 1, 12, 15.1),
    _QualityLevel(1, 1, 16, 12.7),
    _QualityLevel(1, 1, 20, 10.9),
    _QualityLevel(1, 2, 8, 9.1),
    _QualityLevel(1, 2, 12, 7.2),
    _QualityLevel(1, 2, 16, 5.8),
    _QualityLevel(2, 2, 12, 5.1),
    _QualityLevel(2, 2, 16, 4.3),
    _QualityLevel(2, 2, 20, 3.8),
    _QualityLevel(4, 2, 16, 3.3),
    _QualityLevel(4, 2, 20, 2.9),
    _QualityLevel(8, 4, 16, 2.5),
    _QualityLevel(8, 4, 24, 2.2),
    _QualityLevel(16, 8, 20, 1.8),
    _QualityLevel(32, 16, 20, 1.5),
)
_TRIES = 4


def draw_half(pixels: np.ndarray, panel: Panel, terminal: Terminal, max_bytes: int | None) -> Picture:
    """The best picture of half blocks within `max_bytes`; arguments as for `pictures.draw_picture`."""
    place = place_in(panel, (pixels.shape[1], pixels.shape[0]))
    usual = place.columns * place.rows * _BYTES_PER_CELL + panel.columns * panel.rows
    limit = usual if max_bytes is None else min(usual, max_bytes)
    cells = place.columns * place.rows
    margin = no_picture(panel).size_bytes - cells

    def draw(number: int) -> Picture:
        is_coarse = number > 0 and limit < usual
        return _half_blocks(
            pixels, panel, place, _LEVELS[number], terminal.colours, terminal.unicode, is_coarse
        )

    drawn: dict[int, Picture] = {}
    detail = 1.0  # how much more this picture takes than the photo the levels were measured with
    for _ in range(_TRIES):
        fits = (n for n, level in enumerate(_LEVELS) if margin + cells * level.cell_bytes * detail <= limit)
        number = next(fits, len(_LEVELS) - 1)
        if number in drawn:
            number += 1 if drawn[number].size_bytes > limit else -1
        if not 0 <= number < len(_LEVELS) or number in drawn:
            break
        drawn[number] = draw(number)
        detail = max(0.1, drawn[number].size_bytes - margin) / (cells * _LEVELS[number].cell_bytes)
        if number == 0 and drawn[0].size_bytes <= limit:
            break
    fitting = [number for number, picture in drawn.items() if picture.size_bytes <= limit]
    if fitting:
        return drawn[min(fitting)]
    # All estimates were too large: try level by level, rather than show nothing.
    smaller = map(draw, range(max(drawn) + 1, len(_LEVELS)))
    fits_at_last = (picture for picture in smaller if picture.size_bytes <= limit)
    return next(fits_at_last, no_picture(panel, is_coarse=True))


def _half_blocks(
    pixels: np.ndarray,
    panel: Panel,
    place: CellBox,
    level: _QualityLevel,
    colours: Colours,
    unicode: bool,
    is_coarse: bool,
) -> Picture:
    columns, halves = place.columns, 2 * place.rows
    small = resized(pixels, -(-columns // level.columns), -(-halves // level.halves))
    if level.tolerance:
        small = without_small_differences(small, level.tolerance)
    if not unicode:  # one colour for each cell
        small = resized(small, small.shape[1], place.rows)
    numbers, shown = terminal_colours(small, colours)
    numbers, shown = (
        part.repeat(level.columns, axis=1)[:, :columns].repeat(level.halves if unicode else 1, axis=0)[
            :halves
        ]
        for part in (numbers, shown)
    )
    rows = half_lines(numbers, colours) if unicode else space_lines(numbers, colours)
    if not unicode:
        shown = shown.repeat(2, axis=0)
    cells = shown.reshape(place.rows, 2, columns, 3).transpose(0, 2, 1, 3)
    return make_picture(panel, place, rows, cells=np.ascontiguousarray(cells), is_coarse=is_coarse)


_BITS = 5  # kept of each of red, green and blue, for "true": they look like 8 (38 dB) in 3/4 of the bytes


def terminal_colours(pixels: np.ndarray, colours: Colours) -> tuple[np.ndarray, np.ndarray]:
    """The nearest colours of a terminal for a picture.

    Args:
        pixels: uint8, shape (H, W, 3).
        colours: Those of the terminal.

    Returns:
        Their numbers, int32, shape (H, W): 0xRRGGBB for "true", else indexes of the terminal's table.
        How they look, uint8, shape (H, W, 3).
    """
    if colours == "true":
        kept = pixels & np.uint8(0xFF << (8 - _BITS) & 0xFF)
        shown = kept | kept >> _BITS  # white stays white
        wide = shown.astype(np.int32)
        return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], shown
    numbers = _nearest_of_256(pixels) if colours == "256" else _nearest_of_16(pixels)
    return numbers, _table()[numbers]


def without_small_differences(pixels: np.ndarray, tolerance: int) -> np.ndarray:
    """A picture in which a pixel takes the colour of its left neighbour unless they differ visibly.

    Args:
        pixels: uint8, shape (H, W, 3).
        tolerance: Largest difference in any of red, green and blue that is dropped.
    """
    columns = pixels.transpose(1, 0, 2).astype(np.int16)  # (W, H, 3)
    last = columns[0]
    for column in columns[1:]:
        near = np.abs(column - last).max(axis=1) <= tolerance
        column[near] = last[near]
        last = column
    return columns.transpose(1, 0, 2).astype(np.uint8)


def half_lines(numbers: np.ndarray, colours: Colours) -> list[str]:
    """Rows of half blocks.

    Args:
        numbers: From `terminal_colours`, shape (2 * rows, columns).
        colours: As for `terminal_colours`.

    Returns:
        One string for each row of cells, ends with a reset.
    """
    text, ground = _codes(colours)
    return [
        _half_line(upper, lower, text, ground)
        for upper, lower in zip(numbers[0::2].tolist(), numbers[1::2].tolist(), strict=True)
    ]


def space_lines(numbers: np.ndarray, colours: Colours) -> list[str]:
    """Rows of coloured spaces, for terminals with ASCII only; as `half_lines`, of shape (rows, columns)."""
    ground = _codes(colours)[1]
    lines = []
    for row in numbers.tolist():
        parts, last = [], -1
        for number in row:
            parts.append(" " if number == last else f"\x1b[{ground[number]}m ")
            last = number
        lines.append("".join(parts) + RESET)
    return lines


def _half_line(upper: list[int], lower: list[int], text: _Codes, ground: _Codes) -> str:
    parts: list[str] = []
    add = parts.append
    front = back = -1  # colours set so far
    for top, bottom in zip(upper, lower, strict=True):
        if top == bottom:
            if top == back:
                add(" ")
            else:
                add(f"\x1b[{ground[bottom]}m ")
                back = bottom
        elif top == front:
            if bottom != back:
                add(f"\x1b[{ground[bottom]}m")
                back = bottom
            add(UPPER)
        elif bottom == back:
            add(f"\x1b[{text[top]}m▀")
            front = top
        elif bottom == front:
            if top != back:
                add(f"\x1b[{ground[top]}m")
                back = top
            add(LOWER)
        elif top == back:
            add(f"\x1b[{text[bottom]}m▄")
            front = bottom
        else:
            add(f"\x1b[{text[top]};{ground[bottom]}m▀")
            front, back = top, bottom
    add(RESET)
    return "".join(parts)


class _TrueColours(dict[int, str]):
    """The code of each true colour, made on first use: at 5 bits there are 32,768."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __missing__(self, number: int) -> str:
        code = f"{self._prefix};2;{number >> 16};{number >> 8 & 255};{number & 255}"
        if len(self) < 65_536:
            self[number] = code
        return code


@cache
def _codes(colours: Colours) -> tuple[_Codes, _Codes]:
    """The codes that set text and background to the colour of a number."""
    if colours == "true":
        return _TrueColours("38"), _TrueColours("48")
    if colours == "256":
        return [f"38;5;{n}" for n in range(256)], [f"48;5;{n}" for n in range(256)]
    numbers = range(16)
    return [str(n + (30 if n < 8 else 82)) for n in numbers], [
        str(n + (40 if n < 8 else 92)) for n in numbers
    ]


@cache
def _table() -> np.ndarray:
    """Colour of each of the 256 numbers, uint8, shape (256, 3)."""
    cube = np.stack(np.meshgrid(_CUBE, _CUBE, _CUBE, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.concatenate([np.array(_SYSTEM, np.uint8), cube, np.repeat(_GREYS[:, None], 3, axis=1)])


@cache
def _nearest_steps() -> tuple[np.ndarray, np.ndarray]:
    """For each of 256 values the nearest step of the cube, and the nearest grey."""
    values = np.arange(256, dtype=np.int32)[:, None]
    return np.abs(values - _CUBE).argmin(axis=1), np.abs(values - _GREYS).argmin(axis=1)


def _nearest_of_256(pixels: np.ndarray) -> np.ndarray:
    steps, greys = _nearest_steps()
    red, green, blue = (steps[pixels[..., channel]] for channel in range(3))
    of_cube = 16 + 36 * red + 6 * green + blue
    of_greys = 232 + greys[pixels.mean(axis=2).astype(np.uint8)]
    table, wide = _table().astype(np.int32), pixels.astype(np.int32)
    far_cube = ((table[of_cube] - wide) ** 2).sum(axis=2)
    far_grey = ((table[of_greys] - wide) ** 2).sum(axis=2)
    nearest: np.ndarray = np.where(far_grey < far_cube, of_greys, of_cube).astype(np.int32)
    return nearest


def _nearest_of_16(pixels: np.ndarray) -> np.ndarray:
    table, wide = _table()[:16].astype(np.int32), pixels.astype(np.int32)
    nearest: np.ndarray = ((table - wide[..., None, :]) ** 2).sum(axis=3).argmin(axis=2).astype(np.int32)
    return nearest
