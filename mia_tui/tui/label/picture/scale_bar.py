"""A scale bar as text: a round length, drawn to an eighth of a cell."""

import math

from mia_tui.tui.widgets.bars import bar
from mia_tui.tui.widgets.ink import Ink

_SHARE = 0.25  # of the picture's width, at most
_MOST_CELLS, _LEAST_CELLS = 24, 2
_ROUND = (5.0, 2.0, 1.0)
_UNITS = ((1e-3, "nm"), (1.0, "µm"), (1e3, "mm"), (1e4, "cm"))


def scale_bar(um_per_cell: float, columns: int, ink: Ink) -> str:
    """The bar and its length, such as `██████▍ 50 µm`; empty where there is no room, or no length.

    Args:
        um_per_cell: Micrometres of the object on a cell of the screen.
        columns: Cells that the picture is wide.
        ink: Characters.
    """
    most = min(_MOST_CELLS, columns * _SHARE)
    if not (math.isfinite(um_per_cell) and um_per_cell > 0) or most < _LEAST_CELLS:
        return ""
    length = _round_below(most * um_per_cell)
    cells = length / um_per_cell
    if ink.unicode:
        drawn = bar(1.0, int(cells), unicode=True) + bar(cells % 1, 1, unicode=True).rstrip()
    else:
        drawn = "=" * max(1, round(cells))
    return f"{drawn} {length_words(length, ink)}"


def length_words(um: float, ink: Ink) -> str:
    """A length in a unit in which it is no long number: `500 nm`, `20 µm`, `1 mm`."""
    size, name = next(((size, name) for size, name in reversed(_UNITS) if um >= size * 0.999), _UNITS[0])
    return f"{um / size:.4g} {name if ink.unicode else name.replace('µ', 'u')}"


def _round_below(length: float) -> float:
    """The largest of 1, 2 and 5, times a power of ten, that is not longer."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(digit * power for digit in _ROUND if digit * power <= length * 1.0001)
