"""OME-Zarr folders: pixels against the library zarr, what OME says of them, and folders not to be trusted."""

import json
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ome_zarr_support import multiscales, write_array, write_group, write_image

from mia_tui.dataset.hashes import duplicate_groups, file_hash
from mia_tui.dataset.images.facts import read_facts
from mia_tui.dataset.images.reading import count_frames, open_source, opened, read_image
from mia_tui.dataset.images.source import Channel, Region
from mia_tui.dataset.interchange.folders_export import write_class_folders
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DecodeError

VALUES = np.random.default_rng(1).integers(0, 65535, (2, 3, 2, 60, 70)).astype(np.uint16)
"""Time, channel, depth, height, width."""

_BLOSC = {"typesize": 2, "cname": "zstd", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}
STORED: dict[str, tuple[int, dict[str, Any]]] = {
    "not compressed": (2, {"chunks": (1, 1, 1, 32, 32), "compressors": None}),
    "blosc": (2, {"chunks": (1, 3, 2, 32, 70), "compressors": {"id": "blosc", "cname": "lz4"}}),
    "zlib, turned": (2, {"chunks": (1, 1, 2, 9, 70), "compressors": {"id": "zlib"}, "order": "F"}),
    "zstd, big-endian": (2, {"chunks": (2, 3, 2, 60, 70), "compressors": {"id": "zstd"}, "dtype": ">u2"}),
    "lz4": (2, {"chunks": (1, 1, 1, 60, 70), "compressors": {"id": "lz4"}}),
    "zstd": (3, {"chunks": (1, 1, 1, 32, 32), "compressors": "auto"}),
    "gzip in shards": (
        3,
        {
            "chunks": (1, 1, 1, 16, 16),
            "shards": (1, 3, 2, 32, 32),
            "compressors": {"name": "gzip", "configuration": {"level": 1}},
        },
    ),
    "blosc in shards": (
        3,
        {
            "chunks": (1, 3, 1, 30, 35),
            "shards": (2, 3, 2, 60, 70),
            "compressors": {"name": "blosc", "configuration": _BLOSC},
        },
    ),
}  # fmt: skip


def sentence(path: Path) -> str:
    """What is said of an image that cannot be read."""
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    return str(caught.value)


@pytest.mark.parametrize("stored", STORED)
def test_every_plane_and_region_is_what_the_library_zarr_reads(tmp_path: Path, stored: str) -> None:
    zarr = pytest.importorskip("zarr", reason="zarr is not installed, so OME-Zarr is not compared with it")
    version, options = STORED[stored]
    options = {"dtype": "u2", "zarr_format": version, **options}
    if version == 2 and options["compressors"] is not None:
        import numcodecs

        options["compressors"] = numcodecs.get_codec(options["compressors"])
    path = tmp_path / "a.ome.zarr"
    write_group(path, multiscales("tczyx"), version)
    array = zarr.create_array(path / "0", shape=VALUES.shape, **options)
    array[:] = VALUES
    with open_source(path) as source:
        assert source.frames == 4
        for frame in range(4):
            time, depth = divmod(frame, 2)
            wanted = np.moveaxis(zarr.open_array(path / "0", mode="r")[time, :, depth], 0, 2)
            place = source.place(frame)
            assert source.plane(place).dtype == source.scenes[0].dtype == np.uint16
            np.testing.assert_array_equal(source.plane(place), wanted)
            part = source.plane(place, channels=[2, 0], region=Region(20, 10, 45, 33))
            np.testing.assert_array_equal(part, wanted[10:43, 20:65, [2, 0]])


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint32", "int64", "float32", "float64"])
@pytest.mark.parametrize("version", [2, 3])
def test_every_kind_of_number_is_read(tmp_path: Path, dtype: str, version: int) -> None:
    values = (np.arange(60).reshape(1, 6, 10) - 20).astype(dtype)
    path = write_image(tmp_path / "a.zarr", values, version=version)
    np.testing.assert_array_equal(read_image(path), np.moveaxis(values, 0, 2))
    assert read_image(path).dtype == dtype


@pytest.mark.parametrize("version", [2, 3])
def test_channels_axes_levels_and_sizes_are_those_that_ome_names(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.ome.zarr"
    colours = [{"label": "DAPI", "color": "0000FF"}, {"label": "GFP", "color": "00FF00"}, {"color": "mauve"}]
    write_group(path, multiscales("tczyx", levels=2) | {"omero": {"channels": colours}}, version)
    write_array(path / "0", VALUES, version)
    write_array(path / "1", VALUES[..., ::2, ::2], version)
    write_array(path / "labels" / "nuclei" / "0", VALUES[:, :1], version)
    with open_source(path) as source:
        (scene,) = source.scenes
        assert scene.channels == (Channel("DAPI", (0, 0, 255)), Channel("GFP", (0, 255, 0)), Channel())
        assert dict(scene.axes) == {"T": 2, "Z": 2}
        assert scene.levels == ((70, 60), (35, 30))
        assert scene.pixel_um == (0.25, 0.5)
        assert (source.format, scene.name, source.frames) == ("OME-Zarr", "cells", 4)
        small = source.plane(source.place(3), level=1)
        np.testing.assert_array_equal(small, np.moveaxis(VALUES[1, :, 1, ::2, ::2], 0, 2))
    np.testing.assert_array_equal(read_image(path, 2, ["GFP", 0]), np.moveaxis(VALUES[1, [1, 0], 0], 0, 2))
    assert read_facts(path).depth == "16 bits, 3 channels"


def test_a_picture_in_red_green_and_blue_is_a_coloured_picture(tmp_path: Path) -> None:
    colours = [{"color": "FF0000"}, {"color": "00FF00"}, {"color": "0000FF"}]
    path = write_image(tmp_path / "a.zarr", np.zeros((3, 4, 5), np.uint8), omero={"channels": colours})
    with open_source(path) as source:
        assert source.scenes[0].colour == "rgb"


def test_wells_and_their_fields_are_scenes_in_the_order_of_the_plate(tmp_path: Path) -> None:
    path = tmp_path / "plate.zarr"
    write_group(path, {"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}]}})
    for number, well in enumerate(("A/1", "B/2")):
        write_group(path / well, {"well": {"images": [{"path": "0"}, {"path": "1"}]}})
        for field in range(2):
            values = np.full((1 + number, 1, 4, 5), 10 * number + field, np.uint8)
            write_image(path / well / str(field), values, "zcyx")
    assert count_frames(path) == 6
    assert [int(read_image(path, frame)[0, 0, 0]) for frame in range(6)] == [0, 1, 10, 10, 11, 11]
    with open_source(path) as source:
        assert [scene.name for scene in source.scenes] == ["A/1/0", "A/1/1", "B/2/0", "B/2/1"]
        assert source.place(5).scene == 3


@pytest.mark.parametrize("is_listed", [True, False])
def test_the_series_of_a_converted_file_are_scenes(tmp_path: Path, is_listed: bool) -> None:
    path = tmp_path / "a.zarr"
    write_group(path, {"bioformats2raw.layout": 3}, version=2)
    for number in range(2):
        write_image(path / str(number), np.full((1, 4, 5), number, np.uint8), version=2)
    if is_listed:
        write_group(path / "OME", {"series": ["1", "0"]}, version=2)
    shown = [int(read_image(path, frame)[0, 0, 0]) for frame in range(2)]
    assert shown == ([1, 0] if is_listed else [0, 1])


def test_axes_of_early_versions_have_the_order_of_that_time(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_group(path, {"multiscales": [{"version": "0.2", "datasets": [{"path": "0"}]}]}, version=2)
    write_array(path / "0", VALUES, version=2)
    np.testing.assert_array_equal(read_image(path, 1), np.moveaxis(VALUES[0, :, 1], 0, 2))


def test_what_was_never_written_has_the_filling_of_the_array(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", np.ones((2, 4, 5), np.uint8))
    said = json.loads((path / "0" / "zarr.json").read_text())
    (path / "0" / "zarr.json").write_text(json.dumps(said | {"fill_value": 7}))
    shutil.rmtree(path / "0" / "c" / "1")
    assert read_image(path)[0, 0].tolist() == [1, 7]


def test_only_the_pieces_of_a_region_are_read(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", np.ones((2, 4, 5), np.uint8))
    (path / "0" / "c" / "1" / "0" / "0").write_bytes(b"cut")
    assert read_image(path, channels=0).sum() == 20
    assert sentence(path) == "a.zarr is cut short or damaged."


def test_a_folder_without_an_image_and_a_file_are_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    assert sentence(tmp_path / "empty.zarr") == "empty.zarr holds no OME-Zarr image."
    (tmp_path / "packed.zarr").write_bytes(b"PK")
    assert sentence(tmp_path / "packed.zarr").startswith(
        "packed.zarr is a file, and OME-Zarr is read from folders."
    )
    assert sentence(tmp_path / "gone.zarr") == "gone.zarr is not there any more."


@pytest.mark.parametrize("way", ["path", "link", "linked folder"])
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, way: str) -> None:
    secret = write_image(tmp_path / "secret.zarr", np.ones((1, 4, 5), np.uint8))
    path = write_image(tmp_path / "a.zarr", np.zeros((1, 4, 5), np.uint8))
    if way == "path":
        said = multiscales("cyx")
        said["multiscales"][0]["datasets"][0]["path"] = "../secret.zarr/0"
        write_group(path, said)
        assert sentence(path) == "a.zarr is damaged: a path in its metadata leads out of it."
        return
    if way == "link":
        piece = path / "0" / "c" / "0" / "0" / "0"
        piece.unlink()
        piece.symlink_to(secret / "0" / "c" / "0" / "0" / "0")
    else:
        shutil.rmtree(path / "0")
        (path / "0").symlink_to(secret / "0")
    assert sentence(path) == "a.zarr cannot be read: it is a symbolic link, which is not followed here."


def changed(path: Path, **said: Any) -> Path:
    """An image whose array says something else."""
    file = path / "0" / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | said))
    return path


def test_sizes_that_cannot_be_are_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", np.ones((1, 4, 5), np.uint8))
    assert "megapixels" in sentence(changed(path, shape=[1, 2_000_000, 4_000_000]))
    huge = {"name": "regular", "configuration": {"chunk_shape": [1 << 12, 1 << 12, 1 << 12]}}
    assert "takes as much memory" in sentence(changed(path, shape=[1, 4, 5], chunk_grid=huge))
    single = {"name": "regular", "configuration": {"chunk_shape": [1, 1, 1]}}
    assert "is stored in 1,000,000 pieces" in sentence(
        changed(path, shape=[1, 1000, 1000], chunk_grid=single)
    )
    path = changed(
        write_image(tmp_path / "b.zarr", np.ones((1, 4, 5), np.uint8), "tyx"), shape=[1 << 40, 4, 5]
    )
    with pytest.raises(DecodeError, match="has 1,099,511,627,776 frames, the limit is 1,000,000"):
        count_frames(path)


@pytest.mark.parametrize("codec", ["gzip", "zstd", "blosc", "numcodecs.lz4"])
def test_a_piece_that_unpacks_to_more_than_it_may_is_refused(tmp_path: Path, codec: str) -> None:
    import imagecodecs

    path = write_image(tmp_path / "a.zarr", np.ones((1, 4, 5), np.uint8))
    changed(path, codecs=[{"name": "bytes"}, {"name": codec, "configuration": {}}])
    zeros = bytes(1 << 26)
    bomb = {
        "gzip": lambda: zlib.compress(zeros),
        "zstd": lambda: imagecodecs.zstd_encode(zeros),
        "blosc": lambda: imagecodecs.blosc_encode(zeros),
        "numcodecs.lz4": lambda: struct.pack("<i", len(zeros)) + imagecodecs.lz4_encode(zeros),
    }[codec]()
    (path / "0" / "c" / "0" / "0" / "0").write_bytes(bomb)
    if codec == "gzip":  # what comes first is read, the rest is not unpacked
        assert read_image(path).sum() == 0
    else:
        assert sentence(path) == "a.zarr is cut short or damaged."


def test_a_compression_that_is_not_known_is_named(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", np.ones((1, 4, 5), np.uint8))
    changed(path, codecs=[{"name": "bytes"}, {"name": "imaginary"}])
    assert sentence(path) == "a.zarr has the compression imaginary, which cannot be read."


def test_a_folder_is_listed_as_one_image_and_not_looked_into(tmp_path: Path) -> None:
    write_image(tmp_path / "b" / "x.ome.zarr", np.ones((2, 4, 5), np.uint8))
    (tmp_path / "b" / "x.ome.zarr" / "thumbnail.png").write_bytes(b"x")
    write_image(tmp_path / "b" / "y.zarr", np.ones((3, 1, 4, 5), np.uint8), "zcyx")
    (tmp_path / "b" / "z.ome.zarr").symlink_to(tmp_path / "b" / "y.zarr")
    found = scan(tmp_path)
    assert [(key.path, key.frame) for key in found.keys] == [
        ("b/x.ome.zarr", 0),
        *(("b/y.zarr", frame) for frame in range(3)),
        *(("b/z.ome.zarr", frame) for frame in range(3)),
    ]
    assert found.notes == []
    described = (tmp_path / "b" / "x.ome.zarr" / "zarr.json").stat()
    assert (found.files[0].size, found.files[0].mtime_ns) == (described.st_size, described.st_mtime_ns)


def test_copies_are_found_by_all_that_is_in_the_folders(tmp_path: Path) -> None:
    values = np.arange(20, dtype=np.uint8).reshape(1, 4, 5)
    write_image(tmp_path / "a.zarr", values)
    write_image(tmp_path / "b.zarr", values)
    write_image(tmp_path / "c.zarr", values + 1)
    hashes = duplicate_groups(tmp_path, scan(tmp_path).files)
    assert hashes["a.zarr"] == hashes["b.zarr"] != hashes["c.zarr"]
    before = file_hash(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "0" / "c" / "0").rename(tmp_path / "a.zarr" / "0" / "c" / "1")
    assert file_hash(tmp_path / "a.zarr") != before


@pytest.mark.parametrize("transfer", ["copy", "hardlink", "symlink"])
def test_an_exported_folder_is_the_same_image(tmp_path: Path, transfer: Any) -> None:
    values = np.arange(40, dtype=np.uint16).reshape(2, 4, 5)
    write_image(tmp_path / "set" / "a.zarr", values)
    keys = [ImageKey("a.zarr")]
    result = write_class_folders(
        tmp_path / "out", tmp_path / "set", {keys[0]: 0}, ["red"], keys=keys, transfer=transfer
    )
    assert (result.files, result.skipped) == (1, ())
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "red" / "a.zarr"), np.moveaxis(values, 0, 2))


def test_a_small_level_is_taken_where_a_small_picture_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_group(path, multiscales("cyx", levels=3))
    for level in range(3):
        write_array(path / str(level), np.full((1, 400 >> level, 400 >> level), level, np.uint8))
    with opened(path, 0, 120) as image:
        assert image.level_for(lambda size: (150, 150)) == 1
        assert image.planes(2).values.max() == 2
