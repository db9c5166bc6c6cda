"""Slides that OpenSlide reads, and what else is said of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from mirax_support import write_mirax

from mia_tui.dataset.images.reading import count_frames, open_source, opened, read_image
from mia_tui.dataset.images.source import Region
from mia_tui.dataset.interchange.folders_export import write_class_folders
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DecodeError

openslide = pytest.importorskip("openslide", reason="openslide is not installed, so slides are not tested")

PIXELS = np.random.default_rng(1).integers(1, 255, (128, 192, 3)).astype(np.uint8)


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    return write_mirax(tmp_path / "a.mrxs", PIXELS, tile=32)


def sentence(path: Path) -> str:
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    return str(caught.value)


def test_each_level_and_region_has_the_pixels_that_were_written(slide: Path) -> None:
    with open_source(slide) as source:
        (scene,) = source.scenes
        assert (source.format, source.frames, scene.levels) == ("MIRAX", 1, ((192, 128), (96, 64)))
        assert scene.pixel_um == (0.25, 0.5)
        place = source.place(0)
        for level in range(2):
            whole = PIXELS[:: 2**level, :: 2**level]
            np.testing.assert_array_equal(source.plane(place, level=level), whole)
            part = source.plane(place, level=level, region=Region(31, 20, 40, 30), channels=[2, 0])
            np.testing.assert_array_equal(part, whole[20:50, 31:71][:, :, [2, 0]])
    library = openslide.OpenSlide(slide)
    np.testing.assert_array_equal(
        read_image(slide), np.asarray(library.read_region((0, 0), 0, library.dimensions).convert("RGB"))
    )


def test_what_was_not_scanned_is_white(tmp_path: Path) -> None:
    pixels = PIXELS.copy()
    pixels[:64, 64:128] = 0
    path = write_mirax(tmp_path / "b.mrxs", pixels, tile=32)
    read = read_image(path)
    assert (read[:64, 64:128] == 255).all()
    np.testing.assert_array_equal(read[64:], pixels[64:])


def test_a_small_picture_comes_from_a_small_level(slide: Path) -> None:
    with opened(slide, 0, 0.01) as image:  # megapixels: too few for the whole slide
        assert image.planes(image.level_for(lambda size: (90, 60))).values.shape == (64, 96, 3)


def test_a_slide_is_one_image_of_its_folder(slide: Path) -> None:
    (slide.parent / "b").mkdir()
    (slide.parent / "b" / "notes.txt").touch()
    found = scan(slide.parent)
    assert [key.path for key in found.keys] == ["a.mrxs"]
    assert found.notes == ["1 file of another kind left out: 1 .txt."]  # none of those in its folder
    assert count_frames(slide) == 1


def test_a_slide_without_its_other_files_is_told_as_such(slide: Path) -> None:
    (slide.parent / "a" / "Data0000.dat").unlink()
    assert sentence(slide).startswith("a.mrxs is damaged, or files that belong to it are missing")
    slide.with_suffix("").rename(slide.parent / "elsewhere")
    assert sentence(slide) == (
        "a.mrxs is not a slide that can be read. Are the files that belong to it in the same place?"
    )


def test_damaged_tiles_are_told_as_such(slide: Path) -> None:
    data = slide.parent / "a" / "Data0000.dat"
    data.write_bytes(b"x" * data.stat().st_size)
    assert sentence(slide) == "a.mrxs is damaged: PNG error: Not a PNG file."


def test_an_export_says_that_it_leaves_a_slide_out(slide: Path) -> None:
    key = ImageKey("a.mrxs")
    result = write_class_folders(slide.parent.parent / "out", slide.parent, {key: 0}, ["red"], keys=[key])
    assert (result.files, result.skipped) == (
        0,
        ("a.mrxs: it is one of several files of an image, which is not exported",),
    )


def test_without_the_package_it_is_said_what_to_install(slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mia_tui.dataset.images.readers.slide", raising=False)
    monkeypatch.setitem(sys.modules, "openslide", None)
    assert sentence(slide) == (
        "a.mrxs is a slide, which needs a reader of its own. Install it: pip install 'mia-tui[microscopy]'"
    )
