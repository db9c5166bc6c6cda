"""Files of microscopes against what was written and against their libraries' own arrays."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from microscope_files import (
    LeicaImage,
    make_smaller_copy,
    pack_as_jpeg_xr,
    write_czi,
    write_lif,
    write_lof,
    write_nd2,
    write_oib,
    write_oif,
    write_xlif,
)

from mia_tui.dataset.images.reading import count_frames, open_source, opened
from mia_tui.dataset.images.source import Channel, Place, Region
from mia_tui.dataset.interchange.folders_export import write_class_folders
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DecodeError

BLUE, GREEN, RED = (0, 0, 255), (0, 255, 0), (255, 0, 0)
TWO = (("DAPI", BLUE), ("GFP", GREEN))
NOISE = np.random.default_rng(0)


@pytest.fixture
def libraries():
    """Of the extra `[microscopy]`, which .ci/run installs."""
    names = ("liffile", "nd2", "oiffile", "pylibCZIrw.czi")
    return {name: pytest.importorskip(name, reason="needs mia-tui[microscopy]") for name in names}


def noise(*shape: int, dtype: str = "uint16", below: int = 4096) -> np.ndarray:
    if dtype == "float32":
        return NOISE.normal(size=shape).astype(dtype)
    return NOISE.integers(0, min(below, np.iinfo(dtype).max), shape, dtype=dtype)


def every_plane(path: Path) -> list[np.ndarray]:
    with open_source(path) as source:
        return [source.plane(source.place(frame)) for frame in range(source.frames)]


def the_scene(path: Path):
    with open_source(path) as source:
        return source.scenes[0]


# --- CZI ---


def czi_stack(path: Path) -> tuple[Path, np.ndarray]:
    """Two scenes beside each other, of two times, three depths and two channels."""
    values = noise(2, 2, 3, 2, 20, 30)
    tiles = [
        ({"T": t, "Z": z, "C": c}, scene, (scene * 50, 0), values[scene, t, z, c])
        for scene in range(2)
        for t in range(2)
        for z in range(3)
        for c in range(2)
    ]
    return write_czi(path, tiles, channels=dict(enumerate(TWO))), values


def test_a_czi_has_its_scenes_times_and_depths_as_frames_and_its_channels_together(tmp_path, libraries):
    path, values = czi_stack(tmp_path / "cells.czi")
    planes = every_plane(path)
    assert len(planes) == 12
    expected = np.moveaxis(values, 3, -1).reshape(12, 20, 30, 2)
    assert all(np.array_equal(*pair) for pair in zip(planes, expected, strict=True))
    with libraries["pylibCZIrw.czi"].open_czi(str(path)) as file:
        own = file.read(plane={"T": 1, "Z": 2, "C": 1}, scene=1)
    assert np.array_equal(planes[11][:, :, 1], own[:, :, 0])
    scene = the_scene(path)
    assert (scene.size, scene.dtype, dict(scene.axes)) == ((30, 20), np.uint16, {"T": 2, "Z": 3})
    assert scene.channels == (Channel("DAPI", BLUE), Channel("GFP", GREEN))
    assert scene.pixel_um == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_coloured_czi_is_red_green_blue_in_its_own_values(tmp_path, libraries, dtype):
    pixels = noise(12, 16, 3, dtype=dtype)
    path = write_czi(tmp_path / "slide.czi", [({}, 0, (0, 0), pixels)])
    assert the_scene(path).colour == "rgb"
    assert np.array_equal(every_plane(path)[0], pixels[:, :, ::-1])
    assert every_plane(path)[0].dtype == dtype


def test_a_czi_with_decimals_keeps_them_and_one_that_the_library_cannot_read_is_named(tmp_path, libraries):
    decimals = noise(8, 9, dtype="float32")
    path = write_czi(tmp_path / "a.czi", [({"C": 0}, 0, (0, 0), decimals)])
    assert np.array_equal(every_plane(path)[0][:, :, 0], decimals)
    coloured = write_czi(tmp_path / "b.czi", [({}, 0, (0, 0), noise(8, 9, 3, dtype="float32"))])
    with pytest.raises(DecodeError, match="pixels of the kind Bgr96Float"), opened(coloured, 0, 120) as image:
        image.planes()


def test_channels_of_a_czi_of_unlike_depth_keep_their_values(tmp_path, libraries):
    grey, deep = noise(8, 8, dtype="uint8"), noise(8, 8)
    tiles = [({"C": 0}, 0, (0, 0), grey), ({"C": 1}, 0, (0, 0), deep)]
    path = write_czi(tmp_path / "two.czi", tiles)
    assert np.array_equal(every_plane(path)[0], np.dstack([grey, deep]))
    assert the_scene(path).dtype == np.uint16


def test_the_tiles_of_a_czi_are_one_image_and_parts_of_it_can_be_read(tmp_path, libraries):
    left, right = noise(20, 30), noise(20, 30)
    tiles = [({"C": 0}, 0, (-5, 7), left), ({"C": 0}, 0, (25, 7), right)]
    path = write_czi(tmp_path / "mosaic.czi", tiles, compression="zstd1:ExplicitLevel=1")
    whole = np.hstack([left, right])
    with open_source(path) as source:
        assert source.scenes[0].size == (60, 20)
        assert np.array_equal(source.plane(Place())[:, :, 0], whole)
        part = source.plane(Place(), region=Region(28, 3, 6, 5))
    assert np.array_equal(part[:, :, 0], whole[3:8, 28:34])


def test_a_smaller_copy_in_a_czi_is_a_level_and_no_image(tmp_path, libraries):
    large, small = noise(48, 48), noise(16, 16)
    tiles = [({"C": 0}, 0, (0, 0), large), ({"C": 0}, 0, (0, 0), small)]
    path = write_czi(tmp_path / "pyramid.czi", tiles)
    make_smaller_copy(path, width=16, factor=3)
    assert count_frames(path) == 1
    with opened(path, 0, 120) as image:
        assert image.scene.levels == ((48, 48), (16, 16))
        assert image.level_for(lambda size: (16, 16)) == 1
        assert np.array_equal(image.planes(0).values[:, :, 0], large)
        assert np.array_equal(image.planes(1).values[:, :, 0], small)
        part = image.planes(1, Region(4, 5, 7, 3)).values
        assert np.array_equal(part[:, :, 0], small[5:8, 4:11])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_tiles_of_a_czi_in_jpeg_xr_are_read(tmp_path, libraries, dtype):
    rows, columns = np.mgrid[:32, :48]
    pixels = (rows * 3 + columns * 2).astype(dtype)
    path = write_czi(tmp_path / "scan.czi", [({"C": 0}, 0, (0, 0), pixels)])
    pack_as_jpeg_xr(path, imagecodecs.jpegxr_encode(pixels))
    assert np.array_equal(every_plane(path)[0][:, :, 0], pixels)


def test_a_czi_is_read_from_a_folder_with_letters_of_any_language(tmp_path, libraries):
    folder = tmp_path / "Zellen größer 細胞"
    folder.mkdir()
    pixels = noise(8, 8)
    path = write_czi(folder / "é.czi", [({"C": 0}, 0, (0, 0), pixels)])
    assert np.array_equal(every_plane(path)[0][:, :, 0], pixels)


# --- ND2 ---


def test_an_nd2_has_its_positions_times_and_depths_as_frames(tmp_path, libraries):
    frames = list(noise(12, 20, 30, 2))
    path = write_nd2(
        tmp_path / "cells.nd2",
        frames,
        [("T", 2), ("P", 2), ("Z", 3)],
        [("DAPI", BLUE, 1), ("GFP", GREEN, 1)],
        bits=12,
        positions=["A1", "B2"],
    )
    planes = every_plane(path)
    whole = libraries["nd2"].imread(path)  # T, P, Z, C, Y, X
    ordered = [whole[t, p, z] for p in range(2) for t in range(2) for z in range(3)]
    assert all(
        np.array_equal(mine, np.moveaxis(own, 0, 2)) for mine, own in zip(planes, ordered, strict=True)
    )
    assert np.array_equal(planes[7], frames[4])  # position 1, time 0, depth 1
    with open_source(path) as source:
        first, second = source.scenes
    assert (first.name, second.name, first.bits) == ("A1", "B2", 12)
    assert (first.size, dict(first.axes), first.pixel_um) == ((30, 20), {"T": 2, "Z": 3}, (0.5, 0.5))
    assert first.channels == (Channel("DAPI", BLUE), Channel("GFP", GREEN))


def test_compressed_and_float_nd2_have_the_values_that_were_written(tmp_path, libraries):
    frames = list(noise(2, 9, 7, 1))
    packed = write_nd2(tmp_path / "a.nd2", frames, [("Z", 2)], is_compressed=True)
    assert all(np.array_equal(*pair) for pair in zip(every_plane(packed), frames, strict=True))
    decimals = noise(9, 7, 1, dtype="float32")
    assert np.array_equal(every_plane(write_nd2(tmp_path / "b.nd2", [decimals]))[0], decimals)


def test_a_coloured_nd2_is_red_green_blue_also_with_padded_rows(tmp_path, libraries):
    pixels = noise(6, 7, 3, dtype="uint8", below=255)  # as the file has them: blue, green, red
    path = write_nd2(tmp_path / "he.nd2", [pixels], channels=[("BF", (255, 255, 255), 3)], padding=3)
    assert the_scene(path).colour == "rgb"
    assert np.array_equal(every_plane(path)[0], pixels[:, :, ::-1])


def test_a_frame_that_was_never_recorded_in_an_nd2_is_named_and_not_black(tmp_path, libraries):
    path = write_nd2(tmp_path / "stopped.nd2", list(noise(2, 8, 8, 1)), [("T", 5)])
    assert count_frames(path) == 5
    with open_source(path) as source, pytest.raises(DecodeError, match="2 were recorded"):
        source.plane(source.place(3))


# --- LIF, LOF, XLIF ---


def test_a_lif_has_each_image_as_a_scene_and_each_time_and_depth_as_a_frame(tmp_path, libraries):
    stack, colours = noise(2, 3, 2, 20, 30), noise(12, 16, 3, dtype="uint8", below=255)
    path = write_lif(
        tmp_path / "cells.lif",
        LeicaImage(
            "Series", {"T": 2, "Z": 3, "Y": 20, "X": 30}, stack, [("Blue", "DAPI"), ("Green", "")], bits=12
        ),
        LeicaImage("Overview", {"Y": 12, "X": 16}, colours, tags=(3, 2, 1)),
    )
    *planes, overview = every_plane(path)
    expected = np.moveaxis(stack, 2, -1).reshape(6, 20, 30, 2)
    assert all(np.array_equal(*pair) for pair in zip(planes, expected, strict=True))
    assert np.array_equal(overview, colours[:, :, ::-1])
    with libraries["liffile"].LifFile(path) as file:
        assert np.array_equal(overview, file.images[1].asarray())
        assert np.array_equal(np.moveaxis(planes[5], 2, 0), file.images[0].asarray()[1, 2])
    with open_source(path) as source:
        series, picture = source.scenes
    assert series.channels == (Channel("DAPI", BLUE), Channel(None, GREEN))
    assert (series.name, series.bits, dict(series.axes)) == ("Series", 12, {"T": 2, "Z": 3})
    assert series.pixel_um == pytest.approx((0.25, 0.25))
    assert (picture.name, picture.colour) == ("Overview", "rgb")


def test_padded_rows_of_a_lif_are_no_pixels(tmp_path, libraries):
    colours = noise(5, 7, 3, dtype="uint8", below=255)
    image = LeicaImage("a", {"Y": 5, "X": 7}, colours, tags=(1, 2, 3), padding=3)
    assert np.array_equal(every_plane(write_lif(tmp_path / "a.lif", image))[0], colours)


def test_a_section_of_a_lif_without_y_is_an_image_of_x_and_z(tmp_path, libraries):
    section = noise(4, 9, dtype="float32")
    image = LeicaImage("xz", {"Z": 4, "X": 9}, section)
    assert np.array_equal(every_plane(write_lif(tmp_path / "a.lif", image))[0][:, :, 0], section)


def test_a_lof_file_and_an_xlif_file_with_tiffs_beside_it_are_read(tmp_path, libraries):
    stack = noise(2, 8, 10)
    image = LeicaImage("a", {"Z": 2, "Y": 8, "X": 10}, stack)
    beside = []
    for number, plane in enumerate(stack):
        tifffile.imwrite(tmp_path / f"a_{number}.tif", plane)
        beside.append((f"a_{number}.tif", plane.nbytes))
    for path in (write_lof(tmp_path / "a.lof", image), write_xlif(tmp_path / "a.xlif", image, beside)):
        assert np.array_equal(np.dstack(every_plane(path)), np.moveaxis(stack, 0, 2))
        assert dict(the_scene(path).axes) == {"Z": 2}


# --- OIF and OIB ---


@pytest.mark.parametrize("write", [write_oif, write_oib])
def test_an_olympus_image_has_its_times_and_depths_as_frames(tmp_path, libraries, write):
    values = noise(2, 3, 2, 20, 30)
    planes = {
        f"C{c + 1:03}Z{z + 1:03}T{t + 1:03}": values[t, z, c]
        for t in range(2)
        for z in range(3)
        for c in range(2)
    }
    path = write(tmp_path / f"cells.{write.__name__[-3:]}", planes, TWO)
    expected = np.moveaxis(values, 2, -1).reshape(6, 20, 30, 2)
    assert all(np.array_equal(*pair) for pair in zip(every_plane(path), expected, strict=True))
    with libraries["oiffile"].OifFile(path) as file:
        name = next(name for name in file.filesystem.files() if "C002Z003T002" in name)
        assert np.array_equal(every_plane(path)[5][:, :, 1], file.asarray(name))
    scene = the_scene(path)
    assert (scene.size, scene.bits, dict(scene.axes)) == ((30, 20), 12, {"T": 2, "Z": 3})
    assert scene.channels == (Channel("DAPI", BLUE), Channel("GFP", GREEN))
    assert scene.pixel_um == (0.2, 0.2)


def test_the_folder_beside_an_oif_holds_no_images_of_its_own(tmp_path, libraries):
    write_oif(tmp_path / "cells.oif", {"C001Z001": noise(8, 8), "C001Z002": noise(8, 8)}, TWO[:1])
    tifffile.imwrite(tmp_path / "other.tif", noise(8, 8))
    keys = [(key.path, key.frame) for key in scan(tmp_path).keys]
    assert keys == [("cells.oif", 0), ("cells.oif", 1), ("other.tif", 0)]


def test_an_export_leaves_out_an_oif_whose_planes_are_in_other_files(tmp_path):
    pytest.importorskip("oiffile", reason="needs mia-tui[microscopy]")
    (tmp_path / "set").mkdir()
    write_oif(tmp_path / "set" / "cells.oif", {"C001": noise(8, 8)}, TWO[:1])
    key = ImageKey("cells.oif")
    result = write_class_folders(tmp_path / "out", tmp_path / "set", {key: 0}, ["red"], keys=[key])
    assert result.skipped == ("cells.oif: it is one of several files of an image, which is not exported",)


def test_an_oif_without_its_folder_says_what_is_missing(tmp_path, libraries):
    path = write_oif(tmp_path / "cells.oif", {"C001": noise(8, 8)}, TWO[:1])
    (tmp_path / "cells.oif.files").rename(tmp_path / "elsewhere")
    with pytest.raises(DecodeError, match=r"lost the folder cells\.oif\.files"):
        count_frames(path)


def test_a_plane_that_a_stopped_recording_lacks_is_named(tmp_path, libraries):
    planes = {"C001T001": noise(8, 8), "C002T001": noise(8, 8), "C001T002": noise(8, 8)}
    path = write_oib(tmp_path / "stopped.oib", planes, TWO)
    with open_source(path) as source:
        assert source.plane(source.place(0)).shape == (8, 8, 2)
        with pytest.raises(DecodeError, match="no plane for T 2, C 2"):
            source.plane(source.place(1))


# --- all ---


@pytest.mark.parametrize("suffix", ["czi", "nd2", "lif", "oib", "oif"])
def test_one_channel_and_a_part_of_a_plane_are_as_in_the_whole(tmp_path, libraries, suffix):
    values = noise(2, 20, 30)
    path = tmp_path / f"a.{suffix}"
    if suffix == "czi":
        write_czi(path, [({"C": c}, 0, (0, 0), values[c]) for c in range(2)])
    elif suffix == "nd2":
        write_nd2(path, [np.moveaxis(values, 0, 2)], channels=[("a", RED, 1), ("b", GREEN, 1)])
    elif suffix == "lif":
        write_lif(path, LeicaImage("a", {"Y": 20, "X": 30}, values, [("Red", ""), ("Green", "")]))
    else:
        write = write_oib if suffix == "oib" else write_oif
        write(path, {"C001": values[0], "C002": values[1]}, TWO)
    with open_source(path) as source:
        part = source.plane(Place(), channels=[1, 0], region=Region(4, 5, 7, 6))
    assert np.array_equal(part, np.moveaxis(values[::-1, 5:11, 4:11], 0, 2))


@pytest.mark.parametrize("suffix", ["czi", "nd2", "lif", "lof", "xlif", "oib", "oif"])
def test_a_file_of_another_kind_with_such_an_ending_is_read_or_refused_in_a_sentence(
    tmp_path, libraries, suffix
):
    from PIL import Image

    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (5, 4), "red").save(path, format="PNG")
    assert every_plane(path)[0].tolist()[0][0] == [255, 0, 0]
    path.write_bytes(b"")
    with pytest.raises(DecodeError, match="is empty"):
        count_frames(path)
