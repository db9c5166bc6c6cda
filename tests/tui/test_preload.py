"""The first image is read before the app has started, and is the right one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_support import run_python

from mia_tui.dataset.listing.cache import save_listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import remember_dataset
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.tui.pictures.preload import Preload

PANEL_PX = (800, 400)
A, B = ImageKey("a.jpg"), ImageKey("b.jpg")


def put(folder: Path, name: str, size: tuple[int, int] = (640, 480)) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(folder / name)


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A dataset of two images that was open before."""
    folder = tmp_path / "images"
    folder.mkdir()
    for key in (A, B):
        put(folder, key.path)
    found = list_images(folder)
    assert found is not None
    save_listing(folder, found.listing)
    return folder


def begun(folder: Path) -> Preload:
    return Preload(folder, columns=80, rows=24)


def test_the_first_image_is_read_and_given_out_once(known: Path) -> None:
    preload = begun(known)
    listing, pixels = preload.listing(), preload.take(A, PANEL_PX)
    assert listing is not None and len(listing) == 2
    assert pixels is not None and pixels.grid.size == (640, 480)
    assert preload.take(A, PANEL_PX) is None


def test_the_image_where_the_person_was_is_read(known: Path) -> None:
    remember_dataset(known, None, B)
    assert begun(known).take(B, PANEL_PX) is not None


def test_whoever_wants_another_image_gets_none_and_what_was_read_is_given_up(known: Path) -> None:
    preload = begun(known)
    assert preload.take(B, PANEL_PX) is None
    assert preload.take(A, PANEL_PX) is None


def test_a_dataset_that_was_never_open_is_not_preloaded(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    preload = begun(tmp_path)
    assert preload.listing() is None and preload.take(A, PANEL_PX) is None


def test_a_file_that_is_gone_is_left_to_whoever_wants_it(known: Path) -> None:
    (known / "a.jpg").unlink()
    assert begun(known).take(A, PANEL_PX) is None


def test_a_reduced_image_is_not_used_where_it_would_be_too_coarse(known: Path) -> None:
    put(known, "a.jpg", (4000, 3000))
    reduced = begun(known).take(A, PANEL_PX)
    assert reduced is not None and reduced.grid.size[0] < reduced.scene.size[0] == 4000
    assert begun(known).take(A, (3000, 2000)) is None


def test_textual_is_not_imported_for_it() -> None:
    run_python("""
        import mia_tui.tui.start
        sys.exit("textual" in sys.modules)
    """)
