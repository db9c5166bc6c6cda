"""DICOM files: pixels against pydicom's own reading, what the values mean, slides in tiles, and damaged files."""

import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from mia_tui.dataset.images.bit_depth import OUTSIDE
from mia_tui.dataset.images.facts import read_facts
from mia_tui.dataset.images.reading import count_frames, open_source, opened, read_image
from mia_tui.dataset.images.source import Region
from mia_tui.errors import DecodeError

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed, so DICOM is not tested")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.pixels import pixel_array  # noqa: E402
from pydicom.uid import (  # noqa: E402
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    VLWholeSlideMicroscopyImageStorage,
)

READ = (
    "693_J2KI", "CT_small", "ExplVR_BigEnd", "GDCMJ2K_TextGBR", "JPEGLSNearLossless_16", "JPGExtended",
    "MR_small_padded", "MR_small_RLE", "SC_jpeg_no_color_transform", "SC_rgb_dcmtk_+eb+cy+s4", "SC_rgb_jpeg_gdcm",
    "SC_rgb_rle_16bit_2frame", "SC_rgb_small_odd_big_endian", "SC_ybr_full_422_uncompressed", "examples_palette",
    "examples_ybr_color", "liver_1frame", "rtdose_expb",
)  # fmt: skip
RANDOM = np.random.default_rng(1)
SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"


def write(path: Path, values: np.ndarray, syntax: str = ExplicitVRLittleEndian, **said: Any) -> Path:
    """A DICOM file of values (frames, H, W) or (frames, H, W, 3)."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
    data.file_meta.MediaStorageSOPClassUID = said.get("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7.4")
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.SOPClassUID, data.SOPInstanceUID = data.file_meta.MediaStorageSOPClassUID, "1.2.3"
    data.NumberOfFrames, data.Rows, data.Columns = values.shape[:3]
    data.SamplesPerPixel = 3 if values.ndim == 4 else 1
    data.PhotometricInterpretation = "RGB" if values.ndim == 4 else "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8 * values.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    if values.ndim == 4:
        data.PlanarConfiguration = 0
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    content = values.astype(values.dtype.newbyteorder(order)).tobytes()
    data.PixelData = content + b"\0" * (len(content) % 2)
    data["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
    if syntax in ENCODERS:
        data.PixelData = encapsulate([ENCODERS[syntax](frame) for frame in values])
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    for key, value in said.items():
        setattr(data, key, value)
    if syntax == RLELossless:
        data.compress(syntax)
    data.save_as(path, enforce_file_format=True)
    return path


ENCODERS: dict[str, Callable[[np.ndarray], bytes]] = {
    JPEG2000Lossless: lambda frame: imagecodecs.jpeg2k_encode(frame, reversible=True, codecformat="j2k"),
    JPEGLSLossless: lambda frame: imagecodecs.jpegls_encode(frame.view(f"u{frame.dtype.itemsize}")),
}
PACKED = (RLELossless, *ENCODERS)
PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def noise(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max, shape, dtype)


def sentence(path: Path) -> str:
    """What is said of an image that cannot be read."""
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    return str(caught.value)


@pytest.mark.parametrize("syntax", [*PLAIN, *PACKED], ids=lambda uid: uid.keyword)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_every_frame_has_the_values_that_were_written(tmp_path: Path, syntax: str, dtype: str) -> None:
    if syntax in PACKED:
        pytest.importorskip("pylibjpeg", reason="pylibjpeg is not installed, so packed DICOM is not tested")
    values = noise(dtype, (3, 11, 14))
    path = write(tmp_path / "a.dcm", values, syntax)
    assert count_frames(path) == 3
    for frame in range(3):
        read = read_image(path, frame)
        assert read.dtype == dtype
        np.testing.assert_array_equal(read[:, :, 0], values[frame])


@pytest.mark.parametrize("syntax", [*PLAIN, *PACKED], ids=lambda uid: uid.keyword)
def test_red_stays_red(tmp_path: Path, syntax: str) -> None:
    values = noise("uint8", (2, 11, 14, 3))
    values[1] = (200, 10, 20)
    path = write(tmp_path / "a.dcm", values, syntax)
    np.testing.assert_array_equal(read_image(path, 0), values[0])
    with opened(path, 1, 120) as image:
        assert image.picture(OUTSIDE).getpixel((3, 3)) == (200, 10, 20)


@pytest.mark.parametrize("name", READ)
def test_the_samples_of_pydicom_are_read_as_pydicom_reads_them(name: str) -> None:
    path = next(SAMPLES.rglob(f"{name}.dcm"))
    frames = int(pydicom.dcmread(path).get("NumberOfFrames", 1) or 1)
    for frame in {0, frames - 1}:
        read = read_image(path, frame)
        np.testing.assert_array_equal(read, pixel_array(path, index=frame).reshape(read.shape))


def test_a_file_that_lacks_the_kinds_of_values_that_it_should_have_is_read() -> None:
    path = next(SAMPLES.rglob("SC_rgb_jpeg.dcm"))
    np.testing.assert_array_equal(read_image(path), pydicom.dcmread(path).pixel_array)


@pytest.mark.parametrize("name", ["badVR", "MR_truncated", "UN_sequence", "no_meta", "reportsi", "test-SR"])
def test_the_samples_of_pydicom_without_an_image_give_a_sentence(name: str) -> None:
    assert sentence(next(SAMPLES.rglob(f"{name}.dcm"))).startswith(f"{name}.dcm is ")


def test_what_is_white_at_0_is_shown_so(tmp_path: Path) -> None:
    values = np.array([[[0, 100, 255]]], np.uint8)
    path = write(tmp_path / "a.dcm", values, PhotometricInterpretation="MONOCHROME1")
    with opened(path, 0, 120) as image:
        assert list(image.picture(OUTSIDE).tobytes()) == [255, 155, 0]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gives_each_value_its_colour(tmp_path: Path, bits: int) -> None:
    palette = {}
    for name, colours in {"Red": (0, 255, 0), "Green": (0, 0, 128), "Blue": (7, 0, 0)}.items():
        deep = np.array([colour * (257 if bits == 16 else 1) for colour in (*colours, 0)], f"<u{bits // 8}")
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, bits]
        palette[f"{name}PaletteColorLookupTableData"] = deep.tobytes()
    values = np.array([[[0, 1, 2, 99]]], np.uint8)
    path = write(tmp_path / "a.dcm", values, PhotometricInterpretation="PALETTE COLOR", **palette)
    with opened(path, 0, 120) as image:
        shown = np.asarray(image.picture(OUTSIDE))
    assert shown[0].tolist() == [[0, 0, 7], [255, 0, 0], [0, 128, 0], [0, 0, 0]]


def test_values_stay_as_the_detector_gave_them(tmp_path: Path) -> None:
    values = np.array([[[0, 4095]]], np.uint16)
    said = {"BitsStored": 12, "HighBit": 11, "RescaleSlope": 2, "RescaleIntercept": -1024, "WindowWidth": 5}
    path = write(tmp_path / "a.dcm", values, **said, WindowCenter=3)
    assert read_image(path)[0, :, 0].tolist() == [0, 4095]
    assert read_facts(path).depth == "12 bits, grey"


@pytest.mark.parametrize(
    ("said", "axis"),
    [({"FrameTime": 40}, "T"), ({"Modality": "CT"}, "Z"), ({}, "I")],
)
def test_frames_lie_along_the_axis_that_the_file_names(
    tmp_path: Path, said: dict[str, Any], axis: str
) -> None:
    path = write(tmp_path / "a.dcm", noise("uint8", (4, 5, 6)), PixelSpacing=[0.002, 0.001], **said)
    with open_source(path) as source:
        assert dict(source.scenes[0].axes) == {axis: 4}
        assert source.scenes[0].pixel_um == (1.0, 2.0)


def slide(path: Path, size: tuple[int, int] = (25, 18), depth: int = 1, **said: Any) -> np.ndarray:
    """A whole slide in tiles of 10 x 8 pixels; returns its pixels, (depth, H, W, 3)."""
    width, height = size
    whole = noise("uint8", (depth, -(-height // 8) * 8, -(-width // 10) * 10, 3))
    tiles = [
        whole[plane, top : top + 8, left : left + 10]
        for plane in range(depth)
        for top in range(0, whole.shape[1], 8)
        for left in range(0, whole.shape[2], 10)
    ]
    known = {
        "SOPClassUID": VLWholeSlideMicroscopyImageStorage,
        "TotalPixelMatrixColumns": width,
        "TotalPixelMatrixRows": height,
        "TotalPixelMatrixFocalPlanes": depth,
        "DimensionOrganizationType": "TILED_FULL",
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
    }
    write(path, np.stack(tiles), **known | said)
    return whole[:, :height, :width]


def test_a_whole_slide_in_tiles_is_one_image_whose_regions_are_read(tmp_path: Path) -> None:
    whole = slide(tmp_path / "a.dcm", depth=2)
    assert count_frames(tmp_path / "a.dcm") == 2
    for frame in range(2):
        np.testing.assert_array_equal(read_image(tmp_path / "a.dcm", frame), whole[frame])
    with open_source(tmp_path / "a.dcm") as source:
        for left, top, width, height in [(0, 0, 1, 1), (9, 7, 2, 2), (3, 2, 20, 16), (24, 17, 1, 1)]:
            part = source.plane(source.place(1), region=Region(left, top, width, height))
            np.testing.assert_array_equal(part, whole[1, top : top + height, left : left + width])


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (
            {"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]},
            "a.dcm is the label of a slide, not an image of it.",
        ),
        ({"DimensionOrganizationType": "TILED_SPARSE"}, "a.dcm is a slide whose tiles lie in no fixed order"),
        ({"NumberOfOpticalPaths": 3}, "a.dcm is a slide of 3 optical paths, of which only one can be read."),
        ({"TotalPixelMatrixRows": 100}, "a.dcm is cut short or damaged."),
    ],
)
def test_parts_of_a_slide_that_are_no_image_say_so(tmp_path: Path, said: dict[str, Any], wanted: str) -> None:
    slide(tmp_path / "a.dcm", **said)
    assert sentence(tmp_path / "a.dcm").startswith(wanted)


def test_a_file_without_pixels_and_one_of_unknown_colours_say_so(tmp_path: Path) -> None:
    assert sentence(SAMPLES / "rtplan.dcm") == "rtplan.dcm is a DICOM file without an image."
    path = write(tmp_path / "a.dcm", noise("uint8", (1, 4, 4)), PhotometricInterpretation="HSV")
    assert (
        sentence(path) == "a.dcm is DICOM with colours of the kind HSV in 1 samples, which cannot be shown."
    )


def test_a_compression_that_is_not_known_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", noise("uint8", (1, 4, 4)), RLELossless)
    old, new = b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.9\0"
    path.write_bytes(path.read_bytes().replace(old, new))
    assert sentence(path).startswith(
        "a.dcm is DICOM compressed as 1.2.840.10008.1.2.9, which cannot be read."
    )


def test_a_file_of_another_kind_with_such_a_name_is_read_as_what_it_is(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (4, 5), "red").save(tmp_path / "a.dcm", "PNG")
    assert read_image(tmp_path / "a.dcm").shape == (5, 4, 3)
    path = write(tmp_path / "b.png", noise("uint8", (1, 4, 4)))
    assert read_image(path).shape == (4, 4, 1)


def inflating(path: Path) -> None:
    """A deflated file that inflates to 8 MiB."""
    head = write(path, noise("uint8", (1, 4, 4)), DeflatedExplicitVRLittleEndian).read_bytes()
    end = 144 + int.from_bytes(head[140:144], "little")
    packing = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(head[:end] + packing.compress(bytes(8 << 20)) + packing.flush())


def larger_inside(path: Path) -> None:
    """A file of 16 pixels whose JPEG 2000 says that it has 400 megapixels."""
    content = write(path, noise("uint8", (1, 4, 4)), JPEG2000Lossless).read_bytes()
    at = content.index(b"\xffO\xffQ") + 8
    path.write_bytes(content[:at] + (20_000).to_bytes(4, "big") * 2 + content[at + 8 :])


def wider(path: Path) -> None:
    write(path, noise("uint16", (1, 4, 4)), Rows=60_000, Columns=60_000)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=lambda uid: uid.keyword)
def test_more_frames_than_there_is_room_for_are_refused(tmp_path: Path, syntax: str) -> None:
    path = write(tmp_path / "a.dcm", noise("uint8", (2, 40, 40)), syntax)
    data = pydicom.dcmread(path)
    data.NumberOfFrames = 1_000_000_000
    data.save_as(path)
    with pytest.raises(DecodeError, match="damaged"):
        count_frames(path)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [(inflating, "has more than 2 MiB"), (larger_inside, "damaged"), (wider, "megapixels), the limit is")],
)
def test_a_file_that_becomes_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], wanted: str
) -> None:
    monkeypatch.setattr("mia_tui.dataset.images.readers.dicom._MOST_INFLATED_BYTES", 2 << 20)
    make(tmp_path / "a.dcm")
    assert wanted in sentence(tmp_path / "a.dcm")


def test_without_the_package_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.dcm", noise("uint8", (1, 4, 4)))
    monkeypatch.delitem(sys.modules, "mia_tui.dataset.images.readers.dicom", raising=False)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert sentence(path) == (
        "a.dcm is DICOM, which needs a reader of its own. Install it: pip install 'mia-tui[microscopy]'"
    )
