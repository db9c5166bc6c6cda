"""TIFF files of every kind against tifffile's own reading, or the values that were written."""

import struct
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_support import raw_tiff
from network_input_support import WantedInput
from PIL import Image

from mia_tui.dataset.images.channels import Planes, show
from mia_tui.dataset.images.decode import decode, decode_fitted, decode_input
from mia_tui.dataset.images.facts import read_facts
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.images.reading import count_frames, opened, read_image
from mia_tui.dataset.images.rendering import load_image
from mia_tui.dataset.images.source import Channel, Scene
from mia_tui.dataset.images.tiff_file import tiff_file
from mia_tui.errors import DecodeError

DTYPES = [
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
]
COMPRESSIONS = [None, "zlib", "lzw", "packbits", "zstd", "lzma"]


def ramp(dtype: str, shape: tuple[int, ...] = (48, 80)) -> np.ndarray:
    """From the smallest to the largest value, or -0.5 to 1.5."""
    kind = np.dtype(dtype)
    ends = (-0.5, 1.5) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    values = np.linspace(*map(float, ends), int(np.prod(shape)), dtype=np.float64)
    if kind.kind != "f" and kind.itemsize == 8:  # float64 has no such number
        values = np.clip(values, ends[0], float(ends[1]) * (1 - 1e-15))
    return values.astype(kind).reshape(shape)


def numbers(path: Path, frame: int = 0) -> np.ndarray:
    with opened(path, frame, 100.0) as image:
        return image.planes().values


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_number_is_read_as_it_was_written_and_brighter_stays_brighter(
    tmp_path: Path, dtype: str, compression: str | None, byteorder: str
) -> None:
    path, values = tmp_path / "a.tif", ramp(dtype)
    tifffile.imwrite(path, values, compression=compression, byteorder=byteorder)
    assert np.array_equal(numbers(path)[:, :, 0], values)
    shown = decode(path, color=False)[:, :, 0].astype(int)
    assert (np.diff(shown.ravel()) >= 0).all()
    assert (shown.min(), shown.max()) == (0, 255)


@pytest.mark.parametrize("predictor", [True, False])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_colour_is_red_green_blue_however_it_is_stored(
    tmp_path: Path, dtype: str, planar: str, tile: tuple[int, int] | None, predictor: bool
) -> None:
    values = np.zeros((40, 64, 3), dtype)
    most = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    for channel in range(3):
        values[:, channel * 16 : channel * 16 + 16, channel] = most
    stored = values if planar == "contig" else np.moveaxis(values, 2, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        stored,
        photometric="rgb",
        planarconfig=planar,
        tile=tile,
        compression="zlib",
        predictor=predictor,
    )
    shown = decode(path)
    for channel in range(3):
        assert shown[20, channel * 16 + 8].tolist() == [255 * (channel == other) for other in range(3)]
    assert np.array_equal(numbers(path), values)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("compression", [None, "lzw"])
def test_every_orientation_comes_out_upright(
    tmp_path: Path, orientation: int, dtype: str, compression: str | None
) -> None:
    path, upright = tmp_path / "a.tif", ramp(dtype, (20, 40))
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    tifffile.imwrite(
        path,
        np.ascontiguousarray(turned),
        compression=compression,
        extratags=[(274, "H", 1, orientation, True)],
    )
    assert np.array_equal(numbers(path)[:, :, 0], upright)
    assert read_facts(path).width, read_facts(path).height == (40, 20)


def test_where_white_is_zero_is_turned_over(tmp_path: Path) -> None:
    for dtype in ("uint8", "uint16"):
        path = tmp_path / f"{dtype}.tif"
        tifffile.imwrite(path, ramp(dtype), photometric="miniswhite")
        shown = decode(path, color=False)[:, :, 0]
        assert (shown[0, 0], shown[-1, -1]) == (255, 0)


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    colours = np.zeros((3, 256), np.uint16)
    colours[0, 1], colours[1, 2], colours[2, 3] = 65535, 65535, 65535
    values = np.array([[0, 1], [2, 3]], np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="palette", colormap=colours)
    assert decode(tmp_path / "a.tif").reshape(4, 3).tolist() == [
        [0, 0, 0],
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
    ]


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    for dtype in ("uint8", "uint16"):
        most = np.iinfo(dtype).max
        values = np.zeros((8, 8, 4), dtype)
        values[:, :4, 3] = most
        values[0, 0, :3] = most
        path = tmp_path / f"{dtype}.tif"
        tifffile.imwrite(path, values, photometric="rgb", extrasamples=["unassalpha"])
        shown = decode(path)
        assert shown[4, 1].tolist() == [0, 0, 0]
        assert shown[4, 6].tolist() == [255, 255, 255]


def test_print_colours_and_lab_are_shown_in_their_colours(tmp_path: Path) -> None:
    ink = np.zeros((4, 4, 4), np.uint8)
    ink[:, :2, 1:3] = 255  # magenta and yellow
    tifffile.imwrite(tmp_path / "cmyk.tif", ink, photometric="separated")
    assert decode(tmp_path / "cmyk.tif")[0, 0].tolist() == [255, 0, 0]
    assert decode(tmp_path / "cmyk.tif")[0, 3].tolist() == [255, 255, 255]
    lab = np.zeros((4, 4, 3), np.uint8)
    lab[:, :2] = [255, 0, 0]  # white
    lab[:, 2:] = [138, 81, 70]  # the red of sRGB with D50
    tifffile.imwrite(tmp_path / "lab.tif", lab, photometric="cielab")
    shown = decode(tmp_path / "lab.tif")
    assert shown[0, 0].min() >= 254
    assert shown[0, 3, 0] > 245 and shown[0, 3, 1:].max() < 20


@pytest.mark.parametrize("channels", [2, 5])
def test_every_channel_is_seen_in_a_composite(tmp_path: Path, channels: int) -> None:
    values = np.zeros((40, 16 * channels, channels), np.uint8)
    for channel in range(channels):
        values[:, channel * 16 : channel * 16 + 16, channel] = 255
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig")
    colours = [tuple(decode(tmp_path / "a.tif")[20, channel * 16 + 8]) for channel in range(channels)]
    assert len(set(colours)) == channels and all(max(colour) == 255 for colour in colours)
    assert f"{channels} channels" in read_facts(tmp_path / "a.tif").depth


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"compression": "zlib"}])
def test_frame_1000_is_frame_1000(tmp_path: Path, options: dict[str, object]) -> None:
    stack = np.arange(1001, dtype=np.uint16)[:, None, None] + np.zeros((1, 8, 8), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, **options)
    assert count_frames(tmp_path / "a.tif") == 1001
    assert [int(numbers(tmp_path / "a.tif", frame).max()) for frame in (0, 500, 1000)] == [0, 500, 1000]
    with pytest.raises(DecodeError, match="has no frame 1001"):
        decode(tmp_path / "a.tif", 1001)


def test_a_stack_behind_a_single_page_has_a_frame_for_each_time_and_depth(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    stack = np.arange(2 * 3 * 2, dtype=np.uint16).reshape(2, 3, 2, 1, 1) * np.ones((1, 1, 1, 8, 8), np.uint16)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TZCYX"})
    _keep_first_page(path)
    assert count_frames(path) == 6
    for frame in range(6):
        found = numbers(path, frame)
        assert found.shape == (8, 8, 2)
        assert found[0, 0].tolist() == [2 * frame, 2 * frame + 1]


def _keep_first_page(path: Path) -> None:
    """Cut the chain of pages behind the first, as ImageJ writes stacks of more than 4 GB."""
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        end = page.offset + 2 + 12 * len(page.tags)
        file.filehandle.seek(end)
        file.filehandle.write(b"\0\0\0\0")


def test_smaller_copies_are_no_images_and_are_used_where_they_are_enough(tmp_path: Path) -> None:
    path, large = tmp_path / "a.tif", np.full((1024, 2048, 3), 200, np.uint8)
    with tifffile.TiffWriter(path) as file:
        file.write(large, photometric="rgb", tile=(256, 256))
        for step in (2, 4, 8):
            copy = np.full((1024 // step, 2048 // step, 3), 200 - step, np.uint8)
            file.write(copy, photometric="rgb", tile=(256, 256), subfiletype=1)
    assert count_frames(path) == 1
    assert decode(path).shape == (1024, 2048, 3)
    assert decode_fitted(path, width=100, height=50)[0, 0, 0] == 192  # the smallest copy
    shown = load_image(path, box_px=(500, 250))
    assert shown is not None
    assert (shown.scene.size, shown.grid.size) == ((2048, 1024), (512, 256))


def test_pages_of_unequal_kinds_are_a_frame_each(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(ramp("uint8"))
        file.write(ramp("uint16", (20, 30)))
        file.write(np.zeros((10, 10, 3), np.uint8), photometric="rgb")
    assert count_frames(path) == 3
    assert [decode(path, frame).shape[:2] for frame in range(3)] == [(48, 80), (20, 30), (10, 10)]


def test_numbers_that_cannot_be_shown_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((8, 8), np.complex64))
    with pytest.raises(DecodeError, match=r"a\.tif is a TIFF with values of the kind complex64"):
        decode(tmp_path / "a.tif")


def test_what_older_versions_of_tifffile_raise_is_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TiffFileError(Exception):
        pass

    def refuse(*args: object, **more: object) -> None:
        raise TiffFileError("corrupted strip")

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.uint8))
    monkeypatch.setattr(tifffile, "TiffFileError", TiffFileError)
    monkeypatch.setattr(tifffile, "TiffFile", refuse)
    with pytest.raises(DecodeError, match=r"a\.tif is cut short or damaged"):
        decode(tmp_path / "a.tif")


def test_tiff_compressed_like_a_photo_is_read(tmp_path: Path) -> None:
    values = np.zeros((64, 64, 3), np.uint8)
    values[:, :32, 0] = 255
    for compression in ("jpeg", "webp", "jpeg2000"):
        path = tmp_path / f"{compression}.tif"
        tifffile.imwrite(path, values, photometric="rgb", compression=compression, tile=(64, 64))
        shown = decode(path).astype(int)
        assert abs(shown[32, 8] - [255, 0, 0]).max() < 12 and shown[32, 56].max() < 12


def test_a_frame_is_exported_with_its_own_values(tmp_path: Path) -> None:
    stack = np.stack([ramp("int16"), ramp("int16")[::-1]])
    tifffile.imwrite(tmp_path / "a.tif", stack, byteorder=">", compression="lzw")
    with opened(tmp_path / "a.tif", 1, 100.0) as image:
        (tmp_path / "b.tif").write_bytes(tiff_file(image.planes()))
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), stack[1])


def test_a_tiff_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ramp("uint8"))
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(60_000)
        file.pages[0].tags["ImageLength"].overwrite(60_000)
    with pytest.raises(DecodeError, match=r"60,000 × 60,000 pixels \(3,600.0 megapixels\)"):
        decode(path)


def test_a_gif_whose_frame_lies_far_outside_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    Image.new("P", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    place = data.index(b",", 13 + (3 << ((data[10] & 7) + 1)) if data[10] & 0x80 else 13)
    data[place + 1 : place + 5] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(DecodeError, match="65,543 × 65,543 pixels"):
        decode(path)


def write_pages(path: Path, pages: list[dict[int, int]], *, leads_to: int = 0, data: bytes = b"") -> None:
    """A TIFF whose pages have these tags with one number each; the last page leads to one of this position."""
    start = 8 + len(data) + len(data) % 2
    sizes = [2 + 12 * len(page) + 4 for page in pages]
    places = [start + sum(sizes[:number]) for number in range(len(pages))]
    file = bytearray(b"II*\0" + struct.pack("<I", start) + data.ljust(start - 8, b"\0"))
    for page, following in zip(pages, [*places[1:], places[leads_to] if leads_to else 0], strict=True):
        file += struct.pack("<H", len(page))
        for tag, value in sorted(page.items()):
            file += struct.pack("<HHII", tag, 4, 1, value)
        file += struct.pack("<I", following)
    path.write_bytes(file)


def page_tags(**others: int) -> dict[int, int]:
    tags = {256: 10, 257: 10, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 10, 279: 100}
    return tags | {int(name[1:]): value for name, value in others.items()}


def test_pages_that_lead_back_to_an_earlier_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_pages(path, [page_tags()] * 300, leads_to=150, data=bytes(100))
    with pytest.raises(DecodeError, match="lead back"):
        count_frames(path)


@pytest.mark.parametrize(
    "tags",
    [
        page_tags(_257=100_000_000, _256=1, _278=1),
        {256: 10_000, 257: 10_000, 258: 8, 259: 1, 262: 1, 277: 1, 322: 1, 323: 1, 324: 8, 325: 1},
    ],
)
def test_an_image_in_millions_of_pieces_is_refused_before_they_are_listed(
    tmp_path: Path, tags: dict[int, int]
) -> None:
    path = tmp_path / "a.tif"
    write_pages(path, [tags], data=bytes(100))
    with pytest.raises(DecodeError, match="100,000,000 pieces"):
        decode(path)


def test_channels_count_towards_the_limit_of_the_size(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_pages(path, [page_tags(_256=10_000, _257=10_000, _259=8, _277=60, _278=10_000, _273=0, _279=0)])
    with pytest.raises(DecodeError, match="with its depth and channels"):
        decode(path)


def test_a_hundred_thousand_smaller_copies_are_not_all_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_pages(path, [page_tags(), *[page_tags(_254=1)] * 20_000], data=bytes(100))
    assert count_frames(path) == 1
    assert count_frames(path, numbering=1) == 20_001 - 64
    with opened(path, 0, 100.0) as image:
        assert len(image.scene.levels) == 1


def test_a_photo_inside_that_claims_to_be_larger_than_its_page_is_refused(tmp_path: Path) -> None:
    photo = BytesIO()
    Image.new("L", (64, 64)).save(photo, "JPEG")
    data = bytearray(photo.getvalue())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 65500, 65500)
    path = tmp_path / "a.tif"
    tags = page_tags(_256=64, _257=64, _259=7, _278=64, _279=len(data))
    write_pages(path, [tags], data=bytes(data))
    with pytest.raises(DecodeError, match="damaged"):
        decode(path)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[np.finfo(float).max, -np.finfo(float).max, 0.0, np.nan]]),
        np.array([[5e-324, 0.0, 1e-323, np.inf]]),
        np.array([[0x7F800001, 0, 0x3F800000]], np.uint32).view(np.float32),
    ],
    ids=["largest", "smallest", "signalling NaN"],
)
def test_odd_numbers_are_shown_without_a_warning(tmp_path: Path, values: np.ndarray) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = decode(path, color=False)[0, :, 0]
    assert (shown.min(), shown.max()) == (0, 255)


def test_a_gif_of_stray_bytes_is_refused_before_all_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(b"GIF89a\x01\0\x01\0\0\0\0" + b"\x01" * 10_000 + b";")
    with pytest.raises(DecodeError, match="damaged"):
        decode(path)


def network_pixels(path: Path) -> np.ndarray:
    """What a network for grey images of this size is given, by a map."""
    scene = read_facts(path).scene
    wanted = WantedInput(*scene.size, color=False, input_map=InputMap(mode="dataset"))
    return decode_input(path, 0, wanted)[:, :, 0]


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("is_inverted", [False, True])
def test_the_largest_of_few_bits_is_white_for_screen_network_and_copies(
    tmp_path: Path, bits: int, is_inverted: bool
) -> None:
    values = np.arange(2**bits, dtype=np.uint8)[None].repeat(4, axis=0)
    parts = [values[:, at :: 8 // bits] << (8 - bits * (at + 1)) for at in range(8 // bits)]
    packed = np.bitwise_or.reduce(parts).astype(np.uint8)
    path = tmp_path / "a.tif"
    photometric = 0 if is_inverted else 1
    path.write_bytes(raw_tiff([packed], photometric=photometric, bits=(bits,), width=2**bits))
    assert np.array_equal(read_image(path)[:, :, 0], values), "the file's own numbers"
    expected = values * np.uint8(255 // (2**bits - 1))
    expected = 255 - expected if is_inverted else expected
    assert np.array_equal(decode(path, color=False)[:, :, 0], expected)
    assert np.array_equal(network_pixels(path), expected)
    with opened(path, 0, 100) as image:
        (tmp_path / "copy.tif").write_bytes(tiff_file(image.planes()))
    assert np.array_equal(decode(tmp_path / "copy.tif", color=False)[:, :, 0], expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_that_were_multiplied_with_their_opacity_are_put_on_white_once(
    tmp_path: Path, dtype: str
) -> None:
    most = np.iinfo(dtype).max
    opacity = np.linspace(0, most, 64).astype(dtype)
    pixels = np.zeros((8, 64, 4), dtype)
    pixels[:, :, 0], pixels[:, :, 3] = opacity, opacity  # red, more and more of it
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    assert np.array_equal(read_image(tmp_path / "a.tif"), pixels)
    pixels[:, :, 0] = most
    tifffile.imwrite(tmp_path / "b.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    shown, straight = (decode(tmp_path / name)[0, 1:].astype(int) for name in ("a.tif", "b.tif"))
    assert np.abs(shown - straight).max() <= 1 and (shown[:, 0] == 255).all()
    seen, expected = (network_pixels(tmp_path / name)[:, 1:].astype(int) for name in ("a.tif", "b.tif"))
    assert np.abs(seen - expected).max() <= 1


def test_a_copy_of_fewer_bits_than_its_type_is_as_opaque(tmp_path: Path) -> None:
    scene = Scene((4, 4), np.dtype(np.uint16), (Channel(),) * 4, colour="rgb", opacity=3, bits=12)
    values = np.full((4, 4, 4), 4095, np.uint16)
    values[:, :, 0] = np.arange(4) * 1000
    (tmp_path / "copy.tif").write_bytes(tiff_file(Planes(values, scene)))
    assert (read_image(tmp_path / "copy.tif")[:, :, 3] == 65535).all()
    assert np.array_equal(decode(tmp_path / "copy.tif"), show(Planes(values, scene)))
    assert show(Planes(values, scene))[0, :, 0].tolist() == [0, 62, 125, 187]
