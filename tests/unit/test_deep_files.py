"""JPEG 2000, AVIF and Netpbm: what is deeper than 8 bits, what is not, and what is too large for its bytes."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from mia_tui.dataset.images.bit_depth import OUTSIDE
from mia_tui.dataset.images.facts import read_facts
from mia_tui.dataset.images.formats import is_image_name
from mia_tui.dataset.images.reading import open_source, opened, read_image
from mia_tui.dataset.images.source import Region
from mia_tui.errors import DecodeError

RANDOM = np.random.default_rng(1)
DEEP = RANDOM.integers(0, 65536, (32, 40, 4)).astype(np.uint16)


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def sentence(path: Path) -> str:
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "suffix", ["jp2", "j2k", "jpx", "jpc", "avif", "pbm", "pgm", "ppm", "pnm", "pam", "pfm"]
)
def test_files_of_these_endings_are_images(suffix: str) -> None:
    assert is_image_name(f"a.{suffix}")


@pytest.mark.parametrize("codec", ["jp2", "j2k"])
@pytest.mark.parametrize(
    ("values", "bits"),
    [
        (DEEP[:, :, 0], 16),
        (DEEP[:, :, 0] >> 4, 12),
        (DEEP[:, :, 0].astype(np.int16), 16),
        (DEEP[:, :, :2], 16),
        (DEEP[:, :, :3], 16),
        (DEEP[:, :, :3] >> 6, 10),
        (DEEP, 16),
        ((DEEP[:, :, 0] >> 8).astype(np.uint8), 8),
        ((DEEP[:, :, :3] >> 8).astype(np.uint8), 8),
    ],
    ids=[
        "grey",
        "12 bits",
        "with sign",
        "with opacity",
        "colour",
        "colour of 10 bits",
        "4 channels",
        "8",
        "8, colour",
    ],
)
def test_jpeg_2000_keeps_its_values(tmp_path: Path, codec: str, values: np.ndarray, bits: int) -> None:
    content = imagecodecs.jpeg2k_encode(
        np.ascontiguousarray(values), reversible=True, codecformat=codec, bitspersample=bits
    )
    path = saved(tmp_path / f"a.{codec}", content)
    read = read_image(path)
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values.reshape(read.shape))
    assert read_facts(path).depth.startswith(f"{bits} bits")
    with open_source(path) as source:
        part = source.plane(source.place(0), region=Region(3, 5, 20, 10), channels=[0])
        np.testing.assert_array_equal(part, read[5:15, 3:23, :1])


def test_a_jpeg_2000_that_is_mostly_missing_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    content = bytearray(imagecodecs.jpeg2k_encode(DEEP[:, :, 0], reversible=True, codecformat="j2k"))
    content[8:16] = (8000).to_bytes(4, "big") * 2  # width and height; its one tile stays as small as it is
    assert sentence(saved(tmp_path / "a.j2k", bytes(content))) == "a.j2k is cut short or damaged."


@pytest.mark.parametrize(("bits", "channels"), [(8, 3), (10, 1), (10, 3), (12, 3), (12, 4)])
def test_avif_keeps_its_values(tmp_path: Path, bits: int, channels: int) -> None:
    values = (DEEP[:, :, :channels] >> (16 - bits)).astype(np.uint8 if bits == 8 else np.uint16)
    values = values[:, :, 0] if channels == 1 else np.ascontiguousarray(values)
    content = imagecodecs.avif_encode(values, bitspersample=bits, level=100)  # without loss
    read = read_image(saved(tmp_path / "a.avif", content))
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values.reshape(read.shape))


@pytest.mark.parametrize("bits", [8, 10])
def test_an_avif_that_is_stored_turned_is_upright(tmp_path: Path, bits: int) -> None:
    values = np.zeros((32, 48, 3), np.uint16)
    values[:16, :16] = (1 << bits) - 1
    file = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(values.astype(np.uint8)).save(file, "AVIF", quality=100, exif=exif)
    content = file.getvalue()
    if bits == 10:  # of a depth that Pillow does not write: the same with other pixels and their depth
        content = turned_avif(imagecodecs.avif_encode(values, bitspersample=10, level=100))
    read = read_image(saved(tmp_path / "a.avif", content))
    assert read.shape == (48, 32, 3)
    assert read[:16, 16:].min() > 0.9 * ((1 << bits) - 1)
    assert read[16:].max() < 0.1 * ((1 << bits) - 1)


def turned_avif(content: bytes) -> bytes:
    """An AVIF with a property `irot` more: to be turned clockwise by 90 degrees."""
    data, more = bytearray(content), b"\0\0\0\x09irot\x03"
    for name in (b"ipco", b"iprp", b"meta"):
        at = data.index(name) - 4
        data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + len(more)).to_bytes(4, "big")
    at = data.index(b"ipco") - 4
    end = at + int.from_bytes(data[at : at + 4], "big") - len(more)
    count = data[at:end].count(b"ispe") + data[at:end].count(b"pixi") + data[at:end].count(b"av1C")
    count += data[at:end].count(b"colr")
    data[end:end] = more
    at = data.index(b"ipma") - 4
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + 1).to_bytes(4, "big")
    listed = at + 18  # the number of properties of the first item
    data[listed] += 1
    data[listed + data[listed] : listed + data[listed]] = bytes([0x80 | count + 1])
    for name in (b"iprp", b"meta"):
        at = data.index(name) - 4
        data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + 1).to_bytes(4, "big")
    at = data.index(b"iloc") + 4  # where the pixels are: 10 bytes further
    return bytes(shifted(data, at, len(more) + 1))


def shifted(data: bytearray, at: int, by: int) -> bytearray:
    """The places of an `iloc` with one extent of 4 bytes each."""
    assert data[at] == 0
    count = int.from_bytes(data[at + 6 : at + 8], "big")
    for item in range(count):
        place = at + 8 + item * 14 + 6
        value = int.from_bytes(data[place : place + 4], "big") + by
        data[place : place + 4] = value.to_bytes(4, "big")
    return data


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000", "WEBP"])
def test_a_few_bytes_of_118_megapixels_are_refused_before_they_are_decoded(tmp_path: Path, kind: str) -> None:
    file = BytesIO()
    Image.new("L" if kind == "JPEG2000" else "RGB", (64, 64)).save(file, kind)
    data = bytearray(file.getvalue())
    width, height = 10_900, 10_900
    if kind == "JPEG2000":
        at = data.index(b"\xffO\xffQ") + 8
        data[at : at + 8] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        data[at + 16 : at + 24] = data[at : at + 8]  # and of its tile
        at = data.index(b"ihdr") + 4
        data[at : at + 8] = height.to_bytes(4, "big") + width.to_bytes(4, "big")
    elif kind == "AVIF":
        at = data.index(b"ispe") + 8
        data[at : at + 8] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    else:
        at = data.index(b"\x9d\x01\x2a") + 3
        data[at : at + 4] = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    path = saved(tmp_path / f"a.{kind.lower()}", bytes(data))
    assert "118.8 megapixels in" in sentence(path)


def pam(values: np.ndarray, most: int, kind: str) -> bytes:
    height, width, depth = values.shape
    head = (
        f"P7\n# made\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {most}\nTUPLTYPE {kind}\nENDHDR\n"
    )
    return head.encode() + values.astype(">u2" if most > 255 else "u1").tobytes()


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"P5\n40 32\n65535\n" + DEEP[:, :, 0].astype(">u2").tobytes(), DEEP[:, :, :1]),
        (b"P5 40 # wide\n32 4095 " + (DEEP[:, :, 0] >> 4).astype(">u2").tobytes(), DEEP[:, :, :1] >> 4),
        (b"P6\n40 32\n65535\n" + DEEP[:, :, :3].astype(">u2").tobytes(), DEEP[:, :, :3]),
        (b"P2\n3 2\n1000\n0 1 2\n3 4 1000\n", np.array([[0, 1, 2], [3, 4, 1000]], np.uint16)),
        (b"P3\n1 1\n1000\n0 1 1000", np.array([[[0, 1, 1000]]], np.uint16)),
        (b"P5\n2 1\n255\n\x07\xff", np.array([[7, 255]], np.uint8)),
        (b"P4\n8 1\n\xaa", np.array([[0, 1] * 4], np.bool_)),
        (
            b"PF\n1 2\n-1.0\n" + np.arange(6, dtype="<f4").tobytes(),
            np.array([[[3, 4, 5]], [[0, 1, 2]]], np.float32),
        ),
        (b"Pf\n2 1\n1.0\n" + np.array([-5, 0.5], ">f4").tobytes(), np.array([[-5, 0.5]], np.float32)),
        (pam(DEEP, 65535, "RGB_ALPHA"), DEEP),
        (pam(DEEP[:, :, :2], 65535, "GRAYSCALE_ALPHA"), DEEP[:, :, :2]),
        (pam(DEEP[:, :, :1] >> 8, 255, "GRAYSCALE"), (DEEP[:, :, :1] >> 8).astype(np.uint8)),
        (pam(DEEP[:, :, :1] & 1, 1, "BLACKANDWHITE"), DEEP[:, :, :1] & 1 == 1),
        (pam(DEEP[:, :, :1] & 1, 255, "stain"), (DEEP[:, :, :1] & 1).astype(np.uint8)),
    ],
)
def test_netpbm_keeps_its_values(tmp_path: Path, content: bytes, values: np.ndarray) -> None:
    path = saved(tmp_path / "a.pnm", content)
    read = read_image(path)
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values.reshape(read.shape))


def test_white_of_a_pam_is_white_and_its_transparent_pixels_are_on_white(tmp_path: Path) -> None:
    values = np.array([[[9, 9, 9, 9], [9, 0, 0, 9], [0, 0, 0, 0]]])
    with opened(saved(tmp_path / "a.pam", pam(values, 9, "RGB_ALPHA")), 0, 120) as image:
        shown = np.asarray(image.picture(OUTSIDE))
    assert shown[0].tolist() == [[255, 255, 255], [255, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"P5\n90000 90000\n65535\n12", "megapixels), the limit is"),
        (b"P5\n40 32\n65535\n12", "damaged"),
        (b"P2\n10000 10000\n65535\n12", "takes as much memory"),
        (b"P5" + b" " * 60_000, "damaged"),
        (b"P5\n40 32\n70000\n12", "damaged"),
        (b"P2\n2 1\n1000\n5 2000", "damaged"),
        (b"P7\nWIDTH 4\nHEIGHT 4\n", "damaged"),
        (b"P7\nWIDTH 4\nHEIGHT -4\nDEPTH 1\nMAXVAL 1\nENDHDR\n", "damaged"),
    ],
)
def test_netpbm_that_cannot_be_read_gives_a_sentence(tmp_path: Path, content: bytes, wanted: str) -> None:
    assert wanted in sentence(saved(tmp_path / "a.pnm", content))


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_grey_png_with_opacity_keeps_its_16_bits(tmp_path: Path, interlaced: bool) -> None:
    values = RANDOM.integers(0, 65536, (33, 40, 2)).astype(np.uint16)
    path = saved(tmp_path / "a.png", imagecodecs.png_encode(values))
    if interlaced:
        path = saved(path, interlaced_png(values))
    assert np.array_equal(read_image(path), values)
    facts = read_facts(path)
    assert facts.depth == "16 bits, grey, with transparency" and facts.scene.opacity == 1


def interlaced_png(values: np.ndarray) -> bytes:
    """Of values (H, W, C), 16 bits grey with opacity, in the seven passes of Adam7."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = values.shape
    passes = [
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    ]
    rows = b"".join(
        b"\0" + row.astype(">u2").tobytes()
        for top, down, left, across in passes
        for row in values[top::down, left::across]
        if row.size
    )
    head = struct.pack(">IIBBBBB", width, height, 16, 4, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
