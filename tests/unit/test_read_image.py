"""`from mia_tui import read_image`: the pixels of an image for Python."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from ome_zarr_support import write_image
from PIL import Image

from mia_tui import read_image
from mia_tui.errors import DecodeError

RANDOM = np.random.default_rng(1)


def test_a_photograph_is_read_upright_and_writable(tmp_path: Path) -> None:
    picture = Image.new("RGB", (5, 3), (10, 20, 30))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    read = read_image(str(tmp_path / "a.png"))
    assert (read.shape, read.dtype) == ((5, 3, 3), np.uint8)
    read[0, 0] = 0
    assert read[1, 1].tolist() == [10, 20, 30]


@pytest.mark.parametrize("dtype", ["uint16", "int8", ">i4", ">f4"])
def test_a_tiff_keeps_its_numbers_in_the_order_of_this_machine(tmp_path: Path, dtype: str) -> None:
    values = RANDOM.integers(-100, 100, (3, 6, 7)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", metadata=None)
    read = read_image(tmp_path / "a.tif", 2)
    assert read.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(read[:, :, 0], values[2])


def test_channels_are_chosen_by_name_and_by_number_in_any_order(tmp_path: Path) -> None:
    values = RANDOM.integers(0, 9, (3, 4, 5)).astype(np.uint16)
    named = [{"label": "DAPI"}, {"label": "GFP"}, {}]
    path = write_image(tmp_path / "a.zarr", values, omero={"channels": named})
    for wanted, numbers in [
        (["GFP", 0], [1, 0]),
        ("dapi", [0]),
        (2, [2]),
        ([2, 2], [2, 2]),
        (None, [0, 1, 2]),
    ]:
        np.testing.assert_array_equal(read_image(path, channels=wanted), np.moveaxis(values[numbers], 0, 2))
    for unknown in ("DAPI2", "3", 3, -1):
        with pytest.raises(DecodeError, match=rf"a.zarr has .* {unknown}[,.]"):
            read_image(path, channels=[unknown])


def test_the_colours_of_a_picture_have_names_too(tmp_path: Path) -> None:
    Image.new("RGBA", (5, 3), (10, 20, 30, 40)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", channels=["blue", "red", 3])[0, 0].tolist() == [30, 10, 40]


def test_what_is_not_there_and_what_is_too_large_is_told(tmp_path: Path) -> None:
    Image.new("L", (50, 50)).save(tmp_path / "a.png")
    for options, wanted in [
        ({"frame": 1}, "a.png has no frame 1"),
        ({"frame": -1}, "a.png has no frame -1"),
        ({"max_megapixels": 0.001}, "a.png has 50 × 50 pixels"),
    ]:
        with pytest.raises(DecodeError, match=wanted):
            read_image(tmp_path / "a.png", **options)
    with pytest.raises(DecodeError, match=r"b.png is not there any more\."):
        read_image(tmp_path / "b.png")


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import mia_tui; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['mia_tui']\n"


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    import mia_tui

    with pytest.raises(AttributeError, match="no attribute 'read_images'"):
        _ = mia_tui.read_images
