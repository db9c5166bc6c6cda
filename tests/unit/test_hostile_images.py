"""Files made to do harm: they claim more than a disk holds, or name files elsewhere. A sentence, at once."""

import gc
import json
import os
import shutil
import struct
import time
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from microscope_files import LeicaImage, write_czi, write_lif, write_lof, write_nd2, write_oif, write_xlif
from mirax_support import write_mirax
from ome_zarr_support import write_group, write_image
from PIL import Image
from stack_support import gif, ome, page, tiff

from mia_tui.dataset.images.decode import decode_fitted
from mia_tui.dataset.images.reading import count_frames, open_source, read_image
from mia_tui.dataset.images.rendering import DisplaySettings, render_image
from mia_tui.errors import DecodeError

PLANE = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)
MANY = 2**31 - 1
LONGEST_S = 5.0


@pytest.fixture(autouse=True)
def libraries() -> None:
    for name in ("liffile", "nd2", "oiffile", "openslide", "pylibCZIrw.czi"):
        pytest.importorskip(name, reason="needs mia-tui[microscopy]")


def sentence(path: Path) -> str:
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    return caught.value.message


def patched(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    at = content.index(old)
    path.write_bytes(content[:at] + new + content[at + len(new) :])
    return path


def slide(folder: Path) -> Path:
    pixels = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3) | 1
    return write_mirax(folder / "a.mrxs", pixels, tile=16)


# --- more than there can be ---


def nd2_times(folder: Path) -> Path:
    return write_nd2(folder / "a.nd2", [PLANE[:, :, None]], [("T", MANY)], recorded=MANY)


def lif_depths(folder: Path) -> Path:
    image = LeicaImage("a", {"Z": 2, "Y": 24, "X": 32}, np.stack([PLANE, PLANE]))
    image.described = image.described.replace(
        'DimID="3" NumberOfElements="2"', f'DimID="3" NumberOfElements="{MANY}"'
    )
    return write_lif(folder / "a.lif", image)


def czi_places(folder: Path) -> Path:
    """Tiles at 200 times, 200 depths and 200 angles each: 8 million frames between them."""
    path = folder / "a.czi"
    entries = [{axis: number} for axis in "TZH" for number in range(200)]
    return with_tiles(path, entries)


@pytest.mark.parametrize("make", [nd2_times, lif_depths, czi_places])
def test_a_file_that_names_more_frames_than_any_has_is_refused(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    with pytest.raises(DecodeError, match="frames, the limit is 1,000,000"):
        count_frames(make(tmp_path))


def nd2_channels(folder: Path) -> Path:
    """The place of the number of channels, which the file has twice, in its description of the picture."""
    path = write_nd2(folder / "a.nd2", [PLANE[:, :, None]] * 2, [("P", 2)])
    count = "uiCount\0".encode("utf-16-le")
    return patched(path, count + struct.pack("<I", 1), count + struct.pack("<I", 1 << 30))


def zarr_channels(folder: Path) -> Path:
    path = write_image(folder / "a.zarr", np.stack([PLANE] * 2))
    said = json.loads((path / "0" / "zarr.json").read_text())
    (path / "0" / "zarr.json").write_text(json.dumps(said | {"shape": [1_000_000, 24, 32]}))
    return path


def tiff_channels(folder: Path) -> Path:
    path = folder / "a.tif"
    tifffile.imwrite(
        path,
        np.zeros((2, 2, 65_535), np.uint8),
        photometric="minisblack",
        planarconfig="contig",
        metadata=None,
    )
    return path


def lif_channels(folder: Path) -> Path:
    image = LeicaImage("a", {"Y": 24, "X": 32}, PLANE)
    start, end = image.described.index("<ChannelDescription"), image.described.index("</Channels>")
    one = image.described[start:end]
    image.described = image.described[:start] + one * 10_001 + image.described[end:]
    return write_lif(folder / "a.lif", image)


@pytest.mark.parametrize("make", [nd2_channels, zarr_channels, tiff_channels, lif_channels])
def test_an_image_that_names_more_channels_than_any_has_is_refused(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    assert "channels, the limit is 10,000" in sentence(make(tmp_path))


def test_thousands_of_channels_are_shown_in_time(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.zeros((8, 8, 9_000), np.uint16),
        photometric="minisblack",
        planarconfig="contig",
        metadata=None,
    )
    began = time.process_time()
    decode_fitted(path, width=8, height=8)
    assert time.process_time() - began < LONGEST_S


def with_tiles(path: Path, places: list[dict[str, int]]) -> Path:
    """A CZI file whose directory names its only tile once for each place."""
    write_czi(path, [({"C": 0}, 0, (0, 0), np.zeros((8, 8), np.uint8))])
    content = bytearray(path.read_bytes())
    start = content.index(b"ZISRAWDIRECTORY")
    (axes,) = struct.unpack_from("<i", content, start + 160 + 28)
    entry = bytes(content[start + 160 : start + 160 + 32 + 20 * axes])
    entries = bytearray()
    for place in places:
        new = bytearray(entry)
        for axis, number in place.items():
            name = axis.encode().ljust(4, b"\0")
            if name in new[32:]:
                struct.pack_into("<i", new, new.index(name, 32) + 4, number)
            else:
                new += name + struct.pack("<iifi", number, 1, 0.0, 1)
        struct.pack_into("<i", new, 28, (len(new) - 32) // 20)
        entries += new
    body = struct.pack("<i", len(places)) + bytes(124) + entries
    header = content.index(struct.pack("<q", start))
    struct.pack_into("<q", content, header, len(content))
    path.write_bytes(content + b"ZISRAWDIRECTORY\0" + struct.pack("<qq", len(body), len(body)) + body)
    return path


def test_a_czi_of_many_scenes_is_opened_in_time(tmp_path: Path) -> None:
    path = with_tiles(tmp_path / "a.czi", [{"S": number} for number in range(15_000)])
    began = time.process_time()
    assert count_frames(path) == 15_000
    assert time.process_time() - began < LONGEST_S


def test_ome_images_of_more_planes_than_pages_are_passed_over(tmp_path: Path) -> None:
    xml = ome("XYCZT", c=2)
    start, end = xml.index("<Image"), xml.index("</OME>")
    path = tmp_path / "a.ome.tif"
    path.write_bytes(tiff([page(1), page(2)], xml[:start] + xml[start:end] * 5_000 + xml[end:]))
    assert count_frames(path) == 2


def test_a_plate_that_names_a_well_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_group(path, {"plate": {"wells": [{"path": "A/1"}] * 100_000}})
    write_group(path / "A" / "1", {"well": {"images": [{"path": "0"}]}})
    write_image(path / "A" / "1" / "0", np.stack([PLANE] * 2))
    began = time.process_time()
    assert "damaged" in sentence(path)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("count", ["FILE_COUNT = 1", "HIER_0_COUNT = 2", "HIER_COUNT = 1"])
def test_a_slide_that_counts_more_than_it_names_does_not_end_the_program(tmp_path: Path, count: str) -> None:
    path = slide(tmp_path)
    said = tmp_path / "a" / "Slidedat.ini"
    said.write_text(said.read_text().replace(count, count[:-1] + "2000000000"))
    assert "damaged" in sentence(path)


def test_a_tile_of_a_czi_that_unpacks_to_more_than_it_has_is_refused(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    options = "zstd0:ExplicitLevel=1"
    path = write_czi(tmp_path / "a.czi", [({"C": 0}, 0, (0, 0), pixels)], compression=options)
    assert np.array_equal(read_image(path)[:, :, 0], pixels)
    content = path.read_bytes()
    start = content.index(b"\x28\xb5\x2f\xfd")
    bomb = imagecodecs.zstd_encode(bytes(1 << 24))
    path.write_bytes(content[:start] + bomb + content[start + len(bomb) :])
    assert "damaged" in sentence(path)


def test_a_png_of_16_bits_that_unpacks_to_a_gigabyte_is_refused_before_it_is_read(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 10_800, 10_800, 16, 6, 0, 0, 0)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", bytes(900_000)) + chunk(b"IEND", b"")
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    assert "which no real image has" in sentence(path)


def test_a_tiff_of_no_samples_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    packed = {"compression": "zlib", "photometric": "rgb", "metadata": None}
    tifffile.imwrite(path, np.zeros((8, 8, 3), np.uint16), **packed)
    assert sentence(patched(path, struct.pack("<HHIH", 277, 3, 1, 3), struct.pack("<HHIH", 277, 3, 1, 0)))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_an_image_that_was_read_is_let_go_at_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.png":
        Image.fromarray(PLANE.astype(np.uint8)).save(path)
    else:
        tifffile.imwrite(path, PLANE)
    gc.disable()
    try:
        with open_source(path) as source:
            source.plane(source.place(0))
            kept = weakref.ref(source)
        del source
        assert kept() is None
    finally:
        gc.enable()


def test_a_tiff_of_a_thousand_million_samples_is_refused_before_they_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([page(1)]))
    patched(path, struct.pack("<HHIHH", 277, 3, 1, 1, 0), struct.pack("<HHII", 277, 4, 1, 1 << 30))
    assert "channels, the limit is 10,000" in sentence(path)


def test_a_plane_of_which_no_overview_can_be_made_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", np.stack([PLANE] * 2))
    said = json.loads((path / "0" / "zarr.json").read_text())
    (path / "0" / "zarr.json").write_text(json.dumps(said | {"shape": [2, 24, 1 << 32]}))
    with pytest.raises(DecodeError, match="no smaller copy"):
        render_image(path, 0, (80, 60), DisplaySettings())


def test_a_late_frame_of_a_gif_on_a_huge_canvas_is_refused(tmp_path: Path) -> None:
    content = bytearray(gif([page(1)] * 100))
    struct.pack_into("<HH", content, 6, 10_900, 10_900)
    path = tmp_path / "a.gif"
    path.write_bytes(content)
    assert count_frames(path, animated="all") == 100
    with pytest.raises(DecodeError, match="would take too long"):
        read_image(path, 99)


def test_a_leica_slide_of_more_images_than_pages_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.scn"
    image = '<image><pixels><dimension sizeX="64" sizeY="64" r="0" ifd="0"/></pixels></image>'
    space = "http://www.leica-microsystems.com/scn/2010/10/01"
    said = f'<scn xmlns="{space}"><collection>{image * 900}</collection></scn>'
    pixels = np.zeros((64, 64, 3), np.uint8)
    tifffile.imwrite(path, pixels, tile=(16, 16), photometric="rgb", description=said, metadata=None)
    assert count_frames(path) == 1


# --- files elsewhere, and what is no file ---


def xlif(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    image = LeicaImage("a", {"Y": 24, "X": 32}, PLANE)
    return write_xlif(folder / "a.xlif", image, [(name, PLANE.nbytes)])


@pytest.mark.parametrize(
    "way", ["../secret.tif", "..\\secret.tif", "{}/secret.tif", "b/../../secret.tif", "C:\\a.tif"]
)
def test_an_xlif_reads_nothing_elsewhere(tmp_path: Path, way: str) -> None:
    tifffile.imwrite(tmp_path / "secret.tif", PLANE)
    assert "is not beside it" in sentence(xlif(tmp_path / "in", way.format(tmp_path)))


def test_an_xlif_reads_no_lof_elsewhere(tmp_path: Path) -> None:
    write_lof(tmp_path / "secret.lof", LeicaImage("a", {"Y": 24, "X": 32}, PLANE))
    assert "is not beside it" in sentence(xlif(tmp_path / "in", "../secret.lof"))


def test_an_xlif_in_the_metadata_of_a_project_reads_the_files_of_the_project(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "Cells.tif", PLANE)
    assert np.array_equal(read_image(xlif(tmp_path / "Metadata", "..\\cells.TIF"))[:, :, 0], PLANE)


def test_an_xlif_reads_a_lof_beside_it(tmp_path: Path) -> None:
    write_lof(tmp_path / "b.lof", LeicaImage("a", {"Y": 24, "X": 32}, PLANE))
    assert np.array_equal(read_image(xlif(tmp_path, "b.lof"))[:, :, 0], PLANE)


def test_an_xlif_reads_the_pages_of_a_tiff_and_a_png_beside_it(tmp_path: Path) -> None:
    stack = np.stack([PLANE, PLANE + 7])
    tifffile.imwrite(tmp_path / "b.ome.tif", stack, metadata={"axes": "ZYX"})
    image = LeicaImage("a", {"Z": 2, "Y": 24, "X": 32}, stack)
    path = write_xlif(tmp_path / "a.xlif", image, [("b.ome.tif", stack.nbytes)])
    assert np.array_equal(read_image(path, 1)[:, :, 0], PLANE + 7)
    grey = PLANE.astype(np.uint8)
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "c.png")
    small = LeicaImage("c", {"Y": 24, "X": 32}, grey)
    assert np.array_equal(
        read_image(write_xlif(tmp_path / "c.xlif", small, [("c.png", grey.nbytes)]))[:, :, 0], grey
    )


def test_a_damaged_bmp_beside_an_xlif_ends_in_a_sentence_and_not_the_program(tmp_path: Path) -> None:
    Image.fromarray(PLANE.astype(np.uint8)).save(tmp_path / "b.bmp")
    patched(tmp_path / "b.bmp", struct.pack("<i", 32), struct.pack("<i", 1 << 30))
    assert "damaged" in sentence(xlif(tmp_path, "b.bmp"))


def test_a_list_of_other_files_of_leica_is_not_followed(tmp_path: Path) -> None:
    path = xlif(tmp_path, "b.tif")
    path.write_text(
        path.read_text().replace("<Memory", '<Children><Reference File="../c.xlif"/></Children><Memory')
    )
    assert "is a list of other files" in sentence(path)


@pytest.mark.parametrize(("key", "file"), [("FILE_0", "Data0000.dat"), ("INDEXFILE", "Index.dat")])
@pytest.mark.parametrize("way", ["../../secret.dat", "{}/secret.dat"])
def test_a_slide_reads_nothing_elsewhere(tmp_path: Path, key: str, file: str, way: str) -> None:
    path = slide(tmp_path / "in")
    shutil.move(tmp_path / "in" / "a" / file, tmp_path / "secret.dat")
    said = tmp_path / "in" / "a" / "Slidedat.ini"
    said.write_text(said.read_text().replace(f"{key} = {file}", f"{key} = {way.format(tmp_path)}"))
    assert "is not in its own folder" in sentence(path)


def test_a_slide_of_hamamatsu_reads_nothing_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "a.vms"
    path.write_text("[Virtual Microscope Specimen]\nNoLayers=1\nImageFile(0,1)=../secret.jpg\n")
    assert "is not in its own folder" in sentence(path)


@pytest.mark.parametrize("part", ["a/Slidedat.ini", "a/Index.dat", "a/Data0000.dat"])
def test_a_named_pipe_for_a_part_of_a_slide_is_not_waited_for(tmp_path: Path, part: str) -> None:
    path = slide(tmp_path)
    (tmp_path / part).unlink()
    os.mkfifo(tmp_path / part)
    assert sentence(path)


@pytest.mark.parametrize("part", ["s_C001Z001.tif", "s_LUT1.lut"])
def test_a_named_pipe_for_a_part_of_an_oif_is_not_waited_for(tmp_path: Path, part: str) -> None:
    path = write_oif(tmp_path / "a.oif", {"C001Z001": PLANE}, [("DAPI", (0, 0, 255))])
    (tmp_path / "a.oif.files" / part).unlink()
    os.mkfifo(tmp_path / "a.oif.files" / part)
    if part.endswith(".tif"):
        assert "named pipe" in sentence(path)
    else:
        assert np.array_equal(read_image(path)[:, :, 0], PLANE)  # only its colour is lost


def test_a_named_pipe_for_the_pixels_of_an_xlif_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "b.tif")
    assert "named pipe" in sentence(xlif(tmp_path, "b.tif"))


def test_an_oif_as_large_as_a_disk_is_not_read(tmp_path: Path) -> None:
    path = write_oif(tmp_path / "a.oif", {"C001Z001": PLANE}, [("DAPI", (0, 0, 255))])
    with path.open("r+b") as file:
        file.truncate(8 << 30)
    with pytest.raises(DecodeError, match="damaged"), open_source(path):
        pass
