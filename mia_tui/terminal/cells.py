"""The size of a terminal's cells, which changes if its font is zoomed while the app is open."""

import sys
from collections.abc import Callable

from mia_tui.terminal.ask import window_of
from mia_tui.terminal.model import Terminal

Size = tuple[int, int]
"""Width and height in pixels."""


def kernel_cell_px() -> Size | None:
    """The size of a cell as the kernel knows it (TIOCGWINSZ); None if it does not."""
    if sys.__stdout__ is None or not sys.__stdout__.isatty():
        return None
    window = window_of(sys.__stdout__.fileno())
    if window is None or not window.columns or not window.rows:
        return None
    width, height = window.width_px // window.columns, window.height_px // window.rows
    return (width, height) if width and height else None


class CellSize:
    """Keeps the size of a cell up to date, from what the terminal answered at the start.

    The kernel may count other pixels than the terminal (on a high-resolution screen), so only the change of its
    figures is used. If the terminal did not report a size, the guess stays.

    Args:
        terminal: The terminal, as it answered at the start.
        measure: Returns the size by the kernel.

    Attributes:
        size_px: Width and height of a cell.
    """

    def __init__(self, terminal: Terminal, measure: Callable[[], Size | None] = kernel_cell_px) -> None:
        self.size_px: Size = terminal.cell_width_px, terminal.cell_height_px
        self._reported = self.size_px
        self._measure = measure
        self._first = measure() if terminal.cell_known else None

    def measure_again(self) -> bool:
        """Measure again after a change of the window; returns whether the size changed."""
        now = self._measure()
        if self._first is None or now is None:
            return False
        old = self.size_px
        width, height = (
            max(1, round(reported * size / first))
            for reported, size, first in zip(self._reported, now, self._first, strict=True)
        )
        self.size_px = width, height
        return self.size_px != old
