"""TIFF files over time, depth and channels: frames, channels and what the files say of them, against tifffile."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from mia_tui.dataset.images.reading import count_frames, new_frame_numbers, opened


def numbered(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    """Planes that each hold their own number, and a ramp."""
    outer = int(np.prod(shape[:-2]))
    planes = np.arange(outer).reshape(*shape[:-2], 1, 1) * 20
    return (planes + np.arange(shape[-2] * shape[-1]).reshape(shape[-2:]) % 17).astype(dtype)


def plane(path: Path, frame: int, numbering: int = 2) -> np.ndarray:
    with opened(path, frame, 100.0, numbering=numbering) as image:
        return image.planes().values


STACKS = {
    "ImageJ": {"imagej": True, "metadata": {"axes": "TZCYX"}},
    "axes": {"metadata": {"axes": "TZCYX"}},
    "axes, compressed": {"metadata": {"axes": "TZCYX"}, "compression": "zlib"},
}


@pytest.mark.parametrize("options", STACKS.values(), ids=STACKS.keys())
def test_times_and_depths_are_frames_and_channels_belong_together(
    tmp_path: Path, options: dict[str, object]
) -> None:
    path, values = tmp_path / "a.tif", numbered((2, 3, 2, 21, 32))
    tifffile.imwrite(path, values, photometric="minisblack", **options)
    assert count_frames(path) == 6
    for frame in range(6):
        assert np.array_equal(np.moveaxis(plane(path, frame), 2, 0), values.reshape(6, 2, 21, 32)[frame])


@pytest.mark.parametrize("options", STACKS.values(), ids=STACKS.keys())
def test_frames_numbered_first_are_pages_and_find_their_new_number(
    tmp_path: Path, options: dict[str, object]
) -> None:
    path, values = tmp_path / "a.tif", numbered((2, 3, 2, 21, 32))
    tifffile.imwrite(path, values, photometric="minisblack", **options)
    assert count_frames(path, numbering=1) == 12
    assert np.array_equal(plane(path, 7, numbering=1)[:, :, 0], values.reshape(12, 21, 32)[7])
    assert new_frame_numbers(path) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_frame_numbers_stay_where_there_are_no_channels(tmp_path: Path) -> None:
    named: dict[str, object] = {"metadata": {"axes": "ZYX"}}
    for number, options in enumerate([{}, {"metadata": None}, named, {"imagej": True, **named}]):
        path = tmp_path / f"{number}.tif"
        tifffile.imwrite(path, numbered((5, 21, 32)), photometric="minisblack", **options)
        assert new_frame_numbers(path) is None
        assert count_frames(path) == count_frames(path, numbering=1) == 5
