"""Half blocks within a limit in bytes: small differences go first, then resolution."""

from typing import NamedTuple

import numpy as np

from mia_tui.terminal.half import half_lines, shades, space_lines, steady
from mia_tui.terminal.layout import CellBox, make_picture, no_picture, place_in, resized
from mia_tui.terminal.model import Colours, Panel, Picture, Terminal

# What a picture may take where nobody sets a limit: 95 of 100 photos need less, and noise would take double.
_BYTES_PER_CELL = 25


class _Rung(NamedTuple):
    """One step of the ladder from the best picture to the smallest."""

    columns: int
    """Cells side by side of one colour."""
    halves: int
    """Half cells above each other of one colour."""
    tolerance: int
    """Differences that are dropped, see `half.steady`."""
    cell_bytes: float
    """What a cell of a photo takes."""


# Each the best of its size by PSNR, mean of three photos: 38 dB at first, 28 dB at 25 KiB for 107 x 40 cells, 16 dB
# in the end. Cells of one colour do better than half the columns: a space is one byte, a half block three.
# Fewer colours (256) do worse, and lose hues.
_LADDER = (
    _Rung(1, 1, 0, 24.0),
    _Rung(1, 1, 8, 18.2),
    _Rung(1, 1, 12, 15.1),
    _Rung(1, 1, 16, 12.7),
    _Rung(1, 1, 20, 10.9),
    _Rung(1, 2, 8, 9.1),
    _Rung(1, 2, 12, 7.2),
    _Rung(1, 2, 16, 5.8),
    _Rung(2, 2, 12, 5.1),
    _Rung(2, 2, 16, 4.3),
    _Rung(2, 2, 20, 3.8),
    _Rung(4, 2, 16, 3.3),
    _Rung(4, 2, 20, 2.9),
    _Rung(8, 4, 16, 2.5),
    _Rung(8, 4, 24, 2.2),
    _Rung(16, 8, 20, 1.8),
    _Rung(32, 16, 20, 1.5),
)
_TRIES = 4


def draw_half(pixels: np.ndarray, panel: Panel, terminal: Terminal, max_bytes: int | None) -> Picture:
    """The best picture of half blocks of at most `max_bytes`. As `pictures.draw_picture`."""
    place = place_in(panel, (pixels.shape[1], pixels.shape[0]))
    usual = place.columns * place.rows * _BYTES_PER_CELL + panel.columns * panel.rows
    limit = usual if max_bytes is None else min(usual, max_bytes)
    cells = place.columns * place.rows
    margin = no_picture(panel).size_bytes - cells

    def draw(number: int) -> Picture:
        is_coarse = number > 0 and limit < usual
        return _half_blocks(
            pixels, panel, place, _LADDER[number], terminal.colours, terminal.unicode, is_coarse
        )

    drawn: dict[int, Picture] = {}
    detail = 1.0  # how much more this picture takes than the photo of the ladder
    for _ in range(_TRIES):
        fits = (n for n, rung in enumerate(_LADDER) if margin + cells * rung.cell_bytes * detail <= limit)
        number = next(fits, len(_LADDER) - 1)
        if number in drawn:
            number += 1 if drawn[number].size_bytes > limit else -1
        if not 0 <= number < len(_LADDER) or number in drawn:
            break
        drawn[number] = draw(number)
        detail = max(0.1, drawn[number].size_bytes - margin) / (cells * _LADDER[number].cell_bytes)
        if number == 0 and drawn[0].size_bytes <= limit:
            break
    fitting = [number for number, picture in drawn.items() if picture.size_bytes <= limit]
    if fitting:
        return drawn[min(fitting)]
    # The guesses were all too large: step by step then, rather than show nothing.
    smaller = map(draw, range(max(drawn) + 1, len(_LADDER)))
    fits_at_last = (picture for picture in smaller if picture.size_bytes <= limit)
    return next(fits_at_last, no_picture(panel, is_coarse=True))


def _half_blocks(
    pixels: np.ndarray,
    panel: Panel,
    place: CellBox,
    rung: _Rung,
    colours: Colours,
    unicode: bool,
    is_coarse: bool,
) -> Picture:
    columns, halves = place.columns, 2 * place.rows
    small = resized(pixels, -(-columns // rung.columns), -(-halves // rung.halves))
    if rung.tolerance:
        small = steady(small, rung.tolerance)
    if not unicode:  # one colour for each cell
        small = resized(small, small.shape[1], place.rows)
    numbers, shown = shades(small, colours)
    numbers, shown = (
        part.repeat(rung.columns, axis=1)[:, :columns].repeat(rung.halves if unicode else 1, axis=0)[:halves]
        for part in (numbers, shown)
    )
    rows = half_lines(numbers, colours) if unicode else space_lines(numbers, colours)
    if not unicode:
        shown = shown.repeat(2, axis=0)
    cells = shown.reshape(place.rows, 2, columns, 3).transpose(0, 2, 1, 3)
    return make_picture(panel, place, rows, cells=np.ascontiguousarray(cells), is_coarse=is_coarse)
