"""Image files cut short, with bits turned over, pieces doubled and lost: a sentence, or pixels of the right shape."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from mirax_support import write_mirax
from mutations import byte_mutants
from ome_zarr_support import write_image

from mia_tui.dataset.images.reading import opened
from mia_tui.errors import DecodeError

DEEP = np.random.default_rng(1).integers(0, 1024, (24, 32, 3)).astype(np.uint16)
LONGEST_S = 5.0


def jpeg_2000(folder: Path) -> tuple[Path, Path]:
    path = folder / "a.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(DEEP, reversible=True, codecformat="jp2"))
    return path, path


def avif(folder: Path) -> tuple[Path, Path]:
    path = folder / "a.avif"
    path.write_bytes(imagecodecs.avif_encode(DEEP, bitspersample=10, level=90))
    return path, path


def netpbm(folder: Path) -> tuple[Path, Path]:
    path = folder / "a.ppm"
    path.write_bytes(b"P6\n32 24\n1023\n" + DEEP.astype(">u2").tobytes())
    return path, path


def portable_arbitrary_map(folder: Path) -> tuple[Path, Path]:
    path = folder / "a.pam"
    head = b"P7\nWIDTH 32\nHEIGHT 24\nDEPTH 3\nMAXVAL 1023\nTUPLTYPE RGB\nENDHDR\n"
    path.write_bytes(head + DEEP.astype(">u2").tobytes())
    return path, path


def dicom(folder: Path) -> tuple[Path, Path]:
    pydicom = pytest.importorskip(
        "pydicom", reason="pydicom is not installed, so damaged DICOM is not tested"
    )
    path = folder / "a.dcm"
    shutil.copy(Path(pydicom.__file__).parent / "data/test_files/SC_rgb_rle_2frame.dcm", path)
    return path, path


def zarr_group(folder: Path) -> tuple[Path, Path]:
    path = write_image(folder / "a.zarr", np.moveaxis(DEEP, 2, 0))
    return path, path / "zarr.json"


def zarr_array(folder: Path) -> tuple[Path, Path]:
    path = write_image(folder / "a.zarr", np.moveaxis(DEEP, 2, 0))
    return path, path / "0" / "zarr.json"


def slide_description(folder: Path) -> tuple[Path, Path]:
    pytest.importorskip("openslide", reason="openslide is not installed, so damaged slides are not tested")
    path = write_mirax(folder / "a.mrxs", np.tile((DEEP + 1).astype(np.uint8), (2, 2, 1))[:32, :64], tile=16)
    return path, folder / "a" / "Slidedat.ini"


def slide_index(folder: Path) -> tuple[Path, Path]:
    path, _ = slide_description(folder)
    return path, folder / "a" / "Index.dat"


MAKERS = (
    jpeg_2000, avif, netpbm, portable_arbitrary_map, dicom, zarr_group, zarr_array, slide_description, slide_index,
)  # fmt: skip


@pytest.mark.parametrize("make", MAKERS)
def test_a_damaged_file_gives_a_sentence(tmp_path: Path, make: Callable[[Path], tuple[Path, Path]]) -> None:
    path, damaged = make(tmp_path)
    refused = 0
    for content in byte_mutants(damaged.read_bytes(), seed=3):
        damaged.write_bytes(content)
        began = time.monotonic()
        try:
            with opened(path, 0, 120) as image:
                values = image.planes().values
                assert values.shape == (*image.scene.size[::-1], len(image.scene.channels))
                assert values.dtype == image.scene.dtype
        except DecodeError:
            refused += 1
        assert time.monotonic() - began < LONGEST_S
    assert refused >= 10  # those that are something else altogether
