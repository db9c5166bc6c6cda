"""Pictures of coloured half blocks: every cell is two pixels, the upper in the text colour, the lower in the ground.

A colour is sent only where it changes from the cell before, which saves half of
the bytes; a picture is a row of cells at a time, so that rows stand alone.
"""

from functools import cache

import numpy as np

from mia_tui.terminal.model import Colours

UPPER, LOWER = "▀", "▄"
RESET = "\x1b[0m"

# The colours that a number stands for: 16 of the first terminals (xterm's shades; users change them), a cube of
# 6 x 6 x 6, 24 greys. Source: xterm's 256colres.h and the table in its XTerm-col.ad.
_SYSTEM = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
_CUBE = np.array([0, 95, 135, 175, 215, 255], np.uint8)
_GREYS = np.arange(8, 248, 10, dtype=np.uint8)

_Codes = list[str] | dict[int, str]


def shades(pixels: np.ndarray, colours: Colours, *, bits: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Colours of a picture as a terminal numbers them.

    Args:
        pixels: uint8, shape (H, W, 3).
        colours: Those of the terminal.
        bits: Kept of each of red, green and blue, for "true". 5 look like 8 (38 dB) in 3/4 of the bytes.

    Returns:
        Numbers, int32, shape (H, W): 0xRRGGBB for "true", else places in the terminal's table.
        What they look like, uint8, shape (H, W, 3).
    """
    if colours == "true":
        kept = pixels & np.uint8(0xFF << (8 - bits) & 0xFF)
        shown = kept | kept >> bits  # white stays white
        wide = shown.astype(np.int32)
        return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], shown
    numbers = _nearest_of_256(pixels) if colours == "256" else _nearest_of_16(pixels)
    return numbers, _table()[numbers]


def steady(pixels: np.ndarray, tolerance: int) -> np.ndarray:
    """A picture in which a pixel keeps the colour of its left neighbour unless they differ visibly.

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
        numbers: From `shades`, shape (2 * rows, columns).
        colours: As for `shades`.

    Returns:
        One string for each row of cells, ends with a reset.
    """
    text, ground = _codes(colours)
    return [
        _half_line(upper, lower, text, ground)
        for upper, lower in zip(numbers[0::2].tolist(), numbers[1::2].tolist(), strict=True)
    ]


def space_lines(numbers: np.ndarray, colours: Colours) -> list[str]:
    """Rows of coloured spaces, for terminals with ASCII only. As `half_lines`, of shape (rows, columns)."""
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
    """What sets each true colour, made when first asked for: at 5 bits there are 32,768."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __missing__(self, number: int) -> str:
        code = f"{self._prefix};2;{number >> 16};{number >> 8 & 255};{number & 255}"
        if len(self) < 65_536:
            self[number] = code
        return code


@cache
def _codes(colours: Colours) -> tuple[_Codes, _Codes]:
    """What sets the text and the ground colour of a number."""
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
