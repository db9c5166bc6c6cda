"""A heat map over an image: it lies where it belongs, at every zoom."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mia_tui.dataset.images.rendering import DisplaySettings, render_image
from mia_tui.dataset.images.screen.heat import HeatMap, with_heat

WHOLE = (0.0, 0.0, 1.0, 1.0)
GREY = np.full((40, 60, 3), 100, np.uint8)


def corner(rows: int = 4, columns: int = 4, box: tuple[float, float, float, float] = WHOLE) -> HeatMap:
    """Hot in its left upper cell."""
    values = np.zeros((rows, columns), np.uint8)
    values[0, 0] = 255
    return HeatMap(values.tobytes(), rows, columns, box)


def changed(pixels: np.ndarray) -> np.ndarray:
    return (pixels != GREY[: len(pixels), : pixels.shape[1]]).any(axis=2)


def test_heat_is_where_its_cell_is_and_nowhere_else() -> None:
    hot = changed(with_heat(GREY, corner(), WHOLE))
    assert hot[:8, :12].all() and not hot[16:].any() and not hot[:, 24:].any()


def test_without_heat_a_picture_is_as_it_was() -> None:
    cold = HeatMap(bytes(16), 4, 4, WHOLE)
    assert np.array_equal(with_heat(GREY, cold, WHOLE), GREY)


def test_a_part_of_the_image_shows_its_part_of_the_map() -> None:
    assert not changed(with_heat(GREY, corner(), (0.5, 0.5, 1.0, 1.0))).any()
    assert changed(with_heat(GREY, corner(), (0.0, 0.0, 0.125, 0.125))).all()


def test_outside_of_what_the_network_sees_there_is_no_heat() -> None:
    everywhere = HeatMap(b"\xff" * 4, 2, 2, (0.25, 0.0, 0.75, 1.0))
    hot = changed(with_heat(GREY, everywhere, WHOLE))
    assert hot[:, 15:45].all() and not hot[:, :15].any() and not hot[:, 45:].any()


def test_the_hotter_the_lighter_so_that_no_colours_need_to_be_told_apart() -> None:
    ramp = HeatMap(bytes(range(0, 256, 5)), 1, 52, WHOLE)
    black = np.zeros((1, 520, 3), np.uint8)
    lightness = with_heat(black, ramp, WHOLE)[0].astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness) >= -1.5).all() and lightness[-1] > 130


@pytest.mark.parametrize(
    ("values", "rows", "columns", "box"),
    [(b"", 0, 0, WHOLE), (b"12", 1, 1, WHOLE), (b"1", 1, 1, (0.5, 0.0, 0.5, 1.0))],
)
def test_what_is_no_map_is_refused(values: bytes, rows: int, columns: int, box: tuple) -> None:
    with pytest.raises(ValueError, match=r"grid|box"):
        HeatMap(values, rows, columns, box)


def test_an_enlarged_image_has_its_heat_at_the_same_place(tmp_path: Path) -> None:
    Image.fromarray(np.full((80, 80, 3), 100, np.uint8)).save(tmp_path / "a.png")
    shown = DisplaySettings(zoom=2.0, centre=(0.25, 0.25), heat=corner())
    pixels = render_image(tmp_path / "a.png", 0, (40, 40), shown).pixels
    hot = (pixels != 100).any(axis=2)
    side = hot.shape[0]  # the cell is a quarter of the image wide, and half of what is seen
    assert hot[: side // 2, : side // 2].all() and not hot[side * 4 // 5 :, side * 4 // 5 :].any()
    elsewhere = DisplaySettings(zoom=2.0, centre=(0.75, 0.75), heat=corner())
    assert (render_image(tmp_path / "a.png", 0, (40, 40), elsewhere).pixels == 100).all()
