"""The test card: what the app draws, in a form in which a fault is seen at once."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from mia_tui.cli.output.pictures import draw_as_app
from mia_tui.terminal.model import Terminal
from mia_tui.tui.widgets.ink import Ink

COLUMNS, ROWS = 40, 9
"""Cells of the picture."""

_BAR_ROWS, _GRADIENT_ROWS, _MARKED = 2, 4, 5  # rows down to which they go, columns from mark to mark
_BARS = (
    *((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0)),
    *((255, 0, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0)),
)
_GREY, _WHITE = (90, 90, 90), (255, 255, 255)
_FRAME_COLOUR = "#e69f00"
_SIGNS = "▀▄█░─│╭╮╰╯━┃▁▃▅▇⣀⣤⣶⣿µ×●○"  # beside those of `Ink`: half blocks, panels, curves, units


def card_pixels(terminal: Terminal, columns: int = COLUMNS) -> np.ndarray:
    """Colour bars, a gradient, patterns of one and two pixels, a circle, and marks below at every fifth cell.

    Returns:
        uint8, shape (H, W, 3), of COLUMNS x ROWS cells.
    """
    wide, high = terminal.cell_width_px, terminal.cell_height_px
    width, height = columns * wide, ROWS * high
    image = Image.new("RGB", (width, height), _GREY)
    draw = ImageDraw.Draw(image)
    for number, colour in enumerate(_BARS):
        left, right = (width * place // len(_BARS) for place in (number, number + 1))
        draw.rectangle((left, 0, right - 1, _BAR_ROWS * high - 1), fill=colour)
    for x in range(width):
        draw.line(
            (x, _BAR_ROWS * high, x, _GRADIENT_ROWS * high - 1), fill=(255 * x // max(1, width - 1),) * 3
        )
    top, bottom = _GRADIENT_ROWS * high, (ROWS - 1) * high
    pixels = np.array(image)
    third = width // 3
    y, x = np.mgrid[top:bottom, :third]
    pixels[top:bottom, :third] = (255 * ((x + y) % 2))[..., None]
    pixels[top:bottom, third : 2 * third] = (255 * (np.arange(third) // 2 % 2))[None, :, None]
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    radius, middle = (bottom - top) // 2 - 2, (5 * width // 6, (top + bottom) // 2)
    draw.ellipse(
        (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius),
        outline=_WHITE,
        width=2,
    )
    for column in range(0, columns, _MARKED):
        left = column * wide + wide // 2
        draw.rectangle((left - 1, bottom, left, height - 1), fill=_WHITE)
    return np.asarray(image)


def draw_picture_card(terminal: Terminal, columns: int = COLUMNS) -> str:
    """The picture in the terminal's own way, with arrows below that point at its marks."""
    arrow = "↑" if terminal.unicode else "^"
    arrows = "".join(arrow if column % _MARKED == 0 else " " for column in range(columns))
    return f"{draw_as_app(card_pixels(terminal, columns), (columns, ROWS), terminal)}{arrows.rstrip()}\n"


def draw_half_card(terminal: Terminal, columns: int = COLUMNS) -> str:
    """The picture in half blocks."""
    return draw_as_app(card_pixels(terminal, columns), (columns, ROWS), replace(terminal, graphics="half"))


def draw_colours(columns: int = COLUMNS) -> str:
    """Two bars from black to red to yellow: one of 16 million colours, one of 256."""
    fine, coarse = [], []
    for place in range(columns):
        red, green = min(255, 510 * place // columns), max(0, 510 * place // columns - 255)
        fine.append(f"\x1b[48;2;{red};{green};0m ")
        coarse.append(f"\x1b[48;5;{16 + 36 * round(red / 51) + 6 * round(green / 51)}m ")
    return "".join(f"{name} {''.join(bar)}\x1b[0m\n" for name, bar in (("a", fine), ("b", coarse)))


def draw_signs(terminal: Terminal) -> str:
    """The signs that the app uses, with a bar behind as many letters above and below, and the three frames."""
    ink = Ink(terminal)
    signs = "".join((ink.pointer, ink.flag, ink.skipped, ink.noted, ink.broken, ink.gone, ink.more, ink.dot))
    signs += _SIGNS if terminal.unicode else ""
    letters = ("abcdefghij" * 5)[: len(signs)]
    frames = [f"{_frame(ink, kind)} {meaning}\n" for kind, meaning in _FRAMES]
    return "".join([f"{letters}|\n{signs}|\n{letters}|\n", *frames])


_FRAMES = (("label", "a label"), ("suggestion", "a suggestion"), ("none", "no label"))


def _frame(ink: Ink, kind: str) -> str:
    text = (ink.pattern(kind) * COLUMNS)[: COLUMNS // 2]
    return ink.frame(kind, None if kind == "none" else _FRAME_COLOUR).render(text)
