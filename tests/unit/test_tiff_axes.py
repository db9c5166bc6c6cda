"""TIFF files over time, depth and channels: frames, channels and what the files say of them, against tifffile."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from mia_tui.dataset.images.readers.pillow import turned
from mia_tui.dataset.images.readers.tiff.chain import PageChain
from mia_tui.dataset.images.reading import count_frames, new_frame_numbers, opened
from mia_tui.dataset.images.source import Region
from mia_tui.errors import DecodeError


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


STORED: dict[str, dict[str, object]] = {
    "rows": {},
    "strips": {"rowsperstrip": 7, "compression": "lzw", "predictor": True},
    "tiles": {"tile": (16, 32), "compression": "zlib"},
    "tiles as they are": {"tile": (16, 16), "byteorder": ">"},
    "big": {"bigtiff": True, "byteorder": ">"},
}


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("planar", [None, "contig", "separate"])
@pytest.mark.parametrize("stored", STORED.values(), ids=STORED.keys())
def test_a_part_is_the_same_as_cut_from_the_whole(
    tmp_path: Path, stored: dict[str, object], planar: str | None, turn: int
) -> None:
    path, shape = tmp_path / "a.tif", {None: (45, 70), "contig": (45, 70, 3), "separate": (3, 45, 70)}[planar]
    values = (np.arange(int(np.prod(shape))) * 7 % 60_000).astype("uint16").reshape(shape)
    kind = {} if planar is None else {"planarconfig": planar, "photometric": "rgb"}
    tifffile.imwrite(path, values, extratags=[(274, "H", 1, turn, True)], **kind, **stored)
    whole = tifffile.imread(path).reshape(shape)
    whole = np.moveaxis(whole, 0, 2) if planar == "separate" else whole.reshape(45, 70, -1)
    upright = turned(whole, turn)
    with opened(path, 0, 100.0) as image:
        assert image.scene.size == upright.shape[1::-1]
        assert np.array_equal(image.planes().values, upright)
        for left, top, width, height in [(3, 5, 20, 11), (0, 0, 1, 1), (30, 8, 15, 37), (40, 40, 5, 5)]:
            part = image.planes(region=Region(left, top, width, height)).values
            assert np.array_equal(part, upright[top : top + height, left : left + width])
            assert part.dtype == np.dtype("uint16")


def test_only_the_tiles_that_a_part_touches_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((4096, 4096), np.uint8), tile=(256, 256), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        for number in range(256):
            if number not in (17, 18):  # the rest of the file is damaged
                file.filehandle.seek(page.dataoffsets[number])
                file.filehandle.write(bytes(page.databytecounts[number]))
    with opened(path, 0, 1.0) as image:
        region = Region(300, 300, 400, 100)
        assert image.planes(region=region).values.all()
        cost = image.source.cost_bytes(image.place, 0, region)
        assert 400 * 100 + 256 * 256 <= cost <= 400 * 100 + 2 * 256 * 256
        with pytest.raises(DecodeError, match=r"16\.8 megapixels"):
            image.planes()


def test_a_channel_alone_is_that_of_all(tmp_path: Path) -> None:
    for name, options in STACKS.items():
        path, values = tmp_path / f"{name}.tif", numbered((2, 3, 4, 21, 32))
        tifffile.imwrite(path, values, photometric="minisblack", **options)
        with opened(path, 4, 100.0) as image:
            found = image.source.plane(image.place, channels=[3, 1], region=Region(2, 1, 9, 8))
            assert np.array_equal(
                np.moveaxis(found, 2, 0), values.reshape(6, 4, 21, 32)[4, [3, 1], 1:9, 2:11]
            )


@pytest.mark.parametrize(
    "options", [{"metadata": None}, {"ome": True, "metadata": {"axes": "TCYX"}}], ids=["plain", "OME"]
)
def test_the_pages_of_a_file_are_followed_once_and_anew_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]
) -> None:
    path, values = tmp_path / "a.tif", numbered((100, 2, 21, 32))
    values = values if "ome" in options else values.reshape(200, 21, 32)
    options = {"photometric": "minisblack", "compression": "zlib", **options}
    tifffile.imwrite(path, values, **options)
    followed: list[int] = []
    look = PageChain._entries

    def looked(chain: PageChain, offset: int) -> tuple[bytes | None, bytes]:
        followed.append(offset)
        return look(chain, offset)

    monkeypatch.setattr(PageChain, "_entries", looked)
    frames = count_frames(path)
    assert len(followed) == 200
    followed.clear()
    for frame in (frames - 1, 5):
        shown = plane(path, frame)
        assert np.array_equal(np.moveaxis(shown, 2, 0), values[frame].reshape(-1, 21, 32))
    assert not followed
    tifffile.imwrite(path, values[:90], **options)
    assert count_frames(path) == 90


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED.keys())
def test_a_file_that_is_cut_short_is_damaged_and_what_it_still_holds_is_read(
    tmp_path: Path, stored: dict[str, object]
) -> None:
    path, values = tmp_path / "a.tif", numbered((120, 90))
    tifffile.imwrite(path, values, metadata=None, **stored)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        start, end = page.dataoffsets[0], page.dataoffsets[-1] + page.databytecounts[-1]
    path.write_bytes(path.read_bytes()[: (start + end) // 2])
    with opened(path, 0, 100.0) as image:
        part = image.planes(region=Region(0, 0, 20, 10)).values
        assert np.array_equal(part[:, :, 0], values[:10, :20])
    with pytest.raises(DecodeError, match="cut short"):
        plane(path, 0)
