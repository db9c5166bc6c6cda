"""The size of cells while the app is open: by how much the kernel's figures changed."""

import pytest

from mia_tui.terminal.cells import CellSize
from mia_tui.terminal.model import Terminal


def terminal(*, known: bool = True) -> Terminal:
    return Terminal("sixel", "true", 10, 20, known)


@pytest.mark.parametrize(
    ("first", "then", "size_px"),
    [
        ((10, 20), (15, 30), (15, 30)),
        ((20, 40), (30, 60), (15, 30)),  # a dense screen: the kernel counts other pixels than the terminal
        ((10, 20), (10, 20), (10, 20)),
        ((10, 20), None, (10, 20)),
        (None, (15, 30), (10, 20)),
    ],
)
def test_cells_grow_as_the_kernel_says(
    first: tuple[int, int] | None, then: tuple[int, int] | None, size_px: tuple[int, int]
) -> None:
    said = [first, then]
    cells = CellSize(terminal(), lambda: said.pop(0))
    assert cells.size_px == (10, 20)
    assert cells.measure_again() == (size_px != (10, 20))
    assert cells.size_px == size_px


def test_a_guess_stays_a_guess() -> None:
    said = [(10, 20), (15, 30)]
    cells = CellSize(terminal(known=False), lambda: said.pop(0))
    assert not cells.measure_again() and cells.size_px == (10, 20)
