"""How large the cells of a terminal are now: its font may be zoomed while the app is open."""

import sys
from collections.abc import Callable

from mia_tui.terminal.ask import window_of
from mia_tui.terminal.model import Terminal

Size = tuple[int, int]
"""Width and height in pixels."""


def kernel_cell_px() -> Size | None:
    """The size of a cell by the kernel's account (TIOCGWINSZ); None where it knows none."""
    if sys.__stdout__ is None or not sys.__stdout__.isatty():
        return None
    window = window_of(sys.__stdout__.fileno())
    if window is None or not window.columns or not window.rows:
        return None
    width, height = window.width_px // window.columns, window.height_px // window.rows
    return (width, height) if width and height else None


class Cells:
    """The size of cells, followed from what the terminal told at the start.

    The kernel's figures may be in other pixels than the terminal's own (a dense screen), so what is taken from
    them is by how much cells became larger or smaller. Where the terminal told no size, the guess stays.

    Args:
        terminal: What it told.
        measure: What the kernel says.

    Attributes:
        size_px: Of one cell.
    """

    def __init__(self, terminal: Terminal, measure: Callable[[], Size | None] = kernel_cell_px) -> None:
        self.size_px: Size = terminal.cell_width_px, terminal.cell_height_px
        self._told = self.size_px
        self._measure = measure
        self._first = measure() if terminal.cell_known else None

    def look_again(self) -> bool:
        """After a change of the window; whether cells have another size now."""
        now = self._measure()
        if self._first is None or now is None:
            return False
        old = self.size_px
        width, height = (
            max(1, round(told * size / first))
            for told, size, first in zip(self._told, now, self._first, strict=True)
        )
        self.size_px = width, height
        return self.size_px != old
