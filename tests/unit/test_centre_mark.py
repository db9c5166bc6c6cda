"""The cross in the middle of an image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mia_tui.dataset.images.rendering import DisplaySettings, render_image

MARKED = DisplaySettings(centre_mark=True)


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    path = tmp_path / "grey.png"
    pixels = np.full((200, 300), 60, np.uint8)
    pixels[:, 150:] = 200
    Image.fromarray(pixels).save(path)
    return path


def test_it_lies_in_the_middle_and_is_seen_on_dark_and_on_bright(grey: Path) -> None:
    plain = render_image(grey, 0, (300, 200), DisplaySettings()).pixels
    marked = render_image(grey, 0, (300, 200), MARKED).pixels
    rows, columns = np.nonzero((plain != marked).any(axis=2))
    assert abs(rows.mean() - 100) <= 1 and abs(columns.mean() - 150) <= 1
    assert set(marked[100, columns.min() : 148][:, 0]) <= {60, 255}
    assert set(marked[100, 152 : columns.max() + 1][:, 0]) <= {200, 0}
    assert 255 in marked[100, :150] and 0 in marked[100, 150:]
    assert (plain[99:101, 149:151] == marked[99:101, 149:151]).all()  # the middle itself is seen


@pytest.mark.parametrize("zoom", [1.0, 2.0, 8.0, 40.0])
def test_it_stays_on_the_middle_of_the_image_when_that_is_enlarged(grey: Path, zoom: float) -> None:
    settings = DisplaySettings(zoom=zoom, centre_mark=True)
    plain = render_image(grey, 0, (240, 160), DisplaySettings(zoom=zoom))
    marked = render_image(grey, 0, (240, 160), settings)
    rows, columns = np.nonzero((plain.pixels != marked.pixels).any(axis=2))
    height, width = marked.pixels.shape[:2]
    assert abs(marked.left + (columns.min() + columns.max() + 1) / 2 / width * marked.width - 150) < 2
    assert abs(marked.top + (rows.min() + rows.max() + 1) / 2 / height * marked.height - 100) < 2


def test_where_the_middle_is_not_seen_there_is_no_cross(grey: Path) -> None:
    away = {"zoom": 4.0, "centre": (0.1, 0.1)}
    plain = render_image(grey, 0, (300, 200), DisplaySettings(**away)).pixels  # type: ignore[arg-type]
    marked = render_image(grey, 0, (300, 200), DisplaySettings(**away, centre_mark=True)).pixels  # type: ignore[arg-type]
    assert (plain == marked).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (16, 12), (39, 200)])
def test_a_tiny_image_is_enlarged_so_that_the_cross_hides_little(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "tiny.png"
    Image.new("RGB", size, (10, 200, 90)).save(path)
    marked = render_image(path, 0, (400, 300), MARKED).pixels
    changed = (marked != np.array([10, 200, 90])).any(axis=2).mean()
    assert 0 < changed < 0.1
    assert marked.shape[1] <= 400 and marked.shape[0] <= 300
