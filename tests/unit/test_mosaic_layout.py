"""Tiles fill the width and the height, at every size of the window."""

import pytest

from mia_tui.tui.mosaic.layout import lay_out

CELL = 10, 20


@pytest.mark.parametrize("width", [9, 20, 79, 119, 199])
@pytest.mark.parametrize("height", [3, 20, 36, 56])
@pytest.mark.parametrize("rows", [3, 5, 8, 13, 21, 34])
@pytest.mark.parametrize("shape", [0.7, 1.0, 4 / 3, 2.0])
def test_tiles_fill_the_width_and_whole_lines_the_height(
    width: int, height: int, rows: int, shape: float
) -> None:
    layout = lay_out(width, height, rows, CELL, shape)
    assert layout.lines * layout.line_rows <= height
    assert height - layout.lines * layout.line_rows < layout.lines + layout.line_rows, (
        "no line more would fit"
    )
    assert layout.x(layout.per_line - 1) + layout.columns <= width, "the last one lies within"
    gaps = [layout.x(n + 1) - layout.x(n) - layout.columns for n in range(layout.per_line - 1)]
    assert all(gap in (0, 1) for gap in gaps), "what is left over lies between them"


def test_a_cell_belongs_to_the_tile_that_is_drawn_there() -> None:
    layout = lay_out(119, 36, 8, CELL, 4 / 3)
    for place in range(layout.per_line):
        left = layout.x(place)
        assert layout.at(left, 0) == layout.at(left + layout.columns - 1, layout.line_rows - 1) == place
    assert layout.at(0, layout.line_rows) == layout.per_line
    assert layout.at(-1, 0) is None
