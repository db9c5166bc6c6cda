"""DICOM files, read by pydicom, with pylibjpeg for compressed ones.

Values stay as the detector gave them: rescale slope and intercept, windows and look-up tables for grey are not
applied, since slices of one series may differ in them. Each frame is read when it is asked for. A whole slide whose
frames are tiles is one image.
"""

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import get_frame
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels import apply_color_lut, get_decoder
from pydicom.pixels.decoders.base import Decoder
from pydicom.pixels.utils import as_pixel_options

from mia_tui.dataset.images.formats import EXTRA
from mia_tui.dataset.images.readers.pillow import length_of
from mia_tui.dataset.images.source import Channel, Place, Region, Scene, Source
from mia_tui.errors import DecodeError
from mia_tui.text import printable

# What pydicom says of odd values would be printed over the app; what it cannot read it raises.
logging.getLogger("pydicom").propagate = False
warnings.filterwarnings("ignore", module=r"pydicom\.")

_PREAMBLE_BYTES, _MAGIC = 128, b"DICM"
_GROUP_LENGTH = b"\x02\0\0\0UL\4\0"
_SEARCHED_BYTES = 4096
_ITEM_BYTES = 8  # before each piece of compressed pixels
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_NOT_DEFLATED = b"1.2.840.10008.1.2.1\0\0\0"
_MOST_INFLATED_BYTES = 1 << 28
_PIXEL_DATA = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
_FLOATS = {"FloatPixelData": np.float32, "DoubleFloatPixelData": np.float64}
_WANTED = [
    "BitsAllocated", "BitsStored", "BluePaletteColorLookupTableData", "BluePaletteColorLookupTableDescriptor",
    "CineRate", "Columns", "DimensionOrganizationType", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "FrameTime", "FrameTimeVector", "GreenPaletteColorLookupTableData", "GreenPaletteColorLookupTableDescriptor",
    "ImageType", "Modality", "NumberOfFrames", "NumberOfOpticalPaths", "PhotometricInterpretation",
    "PixelRepresentation", "PixelSpacing", "PlanarConfiguration", "RedPaletteColorLookupTableData",
    "RedPaletteColorLookupTableDescriptor", "Rows", "SOPClassUID", "SamplesPerPixel",
    "SegmentedBluePaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SharedFunctionalGroupsSequence", "TotalPixelMatrixColumns",
    "TotalPixelMatrixFocalPlanes", "TotalPixelMatrixRows",
]  # fmt: skip
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
_VOLUMES = frozenset({"CT", "MR", "PT", "NM", "OPT", "RTDOSE"})
_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_NO_IMAGES = {"LABEL": "the label", "OVERVIEW": "the macro picture", "THUMBNAIL": "a thumbnail"}
_JPEG_SIZES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {
    0xC4,
    0xC8,
    0xCC,
}  # markers with the size; the last: JPEG-LS


def open_file(path: Path, file: BinaryIO) -> "DicomSource | None":
    """Open a DICOM file; None if it is something else.

    Raises:
        DecodeError: If it holds no pixels, or is compressed in a way that is not known.
    """
    name = printable(path.name)
    file.seek(_PREAMBLE_BYTES)
    if file.read(len(_MAGIC)) != _MAGIC:
        return None
    file.seek(0)
    with _as_damage():
        return DicomSource(_inflated(file, name), name)


class DicomSource(Source):
    """An open DICOM file; see `Source`.

    Args:
        file: Its content, not deflated.
        name: For messages.
    """

    format = "DICOM"

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._content, self._name = file, name
        said = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_WANTED))
        self._syntax = pydicom.uid.UID(said.file_meta.TransferSyntaxUID)
        self._decoder = self._find_decoder()
        keyword, kind, self._start = self._pixel_data()
        self._options: dict[str, Any] = as_pixel_options(said, pixel_keyword=keyword, pixel_vr=kind)
        self._options["transfer_syntax_uid"] = self._syntax
        self._frames = max(1, int(self._options["number_of_frames"]))
        self._size = int(said.Columns), int(said.Rows)
        self._check_frames()
        scene = self._scene_of(said, keyword)
        self._tiles = _Tiles(said) if str(said.get("SOPClassUID")) == _SLIDE else None
        if self._tiles is not None:
            scene = self._tiles.scene_of(scene, name)
        self.scenes = [scene]

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        if self.scenes[0].problem is not None:
            raise DecodeError(self.scenes[0].problem)
        with _as_damage():
            if self._tiles is not None:
                values = self._from_tiles(self._tiles, place, region or Region(0, 0, *self.scenes[0].size))
            else:
                values = self._frame(place.index.get(next(iter(self.scenes[0].axes), ""), 0))
                if region is not None:
                    right, bottom = region.left + region.width, region.top + region.height
                    values = values[region.top : bottom, region.left : right]
        return values if channels is None else values[:, :, list(channels)]

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        scene, (width, height) = self.scenes[0], self._size
        frame = 2 * width * height * len(scene.channels) * scene.dtype.itemsize
        return frame if self._tiles is None else frame + super().cost_bytes(place, level, region)

    def _frame(self, number: int) -> NDArray[np.generic]:
        """One frame, shape (H, W, C)."""
        self._content.seek(self._start)
        if self._syntax.is_encapsulated:
            offsets = self._options.get("extended_offsets")
            data = get_frame(self._content, number, number_of_frames=self._frames, extended_offsets=offsets)
            width, height = self._size
            if _claimed_pixels(data) > width * height:
                raise ValueError("a frame of more pixels than said")
            self._content.seek(self._start)
        values, _ = self._decoder.as_array(self._content, index=number, **self._options)
        frame: NDArray[np.generic] = values.reshape(*values.shape[:2], -1)
        return frame.astype(self.scenes[0].dtype, copy=False)

    def _from_tiles(self, tiles: "_Tiles", place: Place, region: Region) -> NDArray[np.generic]:
        scene, (width, height) = self.scenes[0], self._size
        values = np.zeros((region.height, region.width, len(scene.channels)), scene.dtype)
        right, bottom = region.left + region.width, region.top + region.height
        rows = range(region.top // height, -(-bottom // height))
        columns = range(region.left // width, -(-right // width))
        for row, column in product(rows, columns):
            tile = self._frame(tiles.number(row, column, place.index.get("Z", 0)))
            left, top = column * width - region.left, row * height - region.top
            inside = tile[max(0, -top) : region.height - top, max(0, -left) : region.width - left]
            top, left = max(0, top), max(0, left)
            values[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        return values

    def _pixel_data(self) -> tuple[str, str, int]:
        """Keyword and kind of the pixels, and where they begin; the file is where the description ended."""
        tag = self._content.read(4).ljust(4, b"\0")
        group, element = struct.unpack("<HH" if self._syntax.is_little_endian else ">HH", tag)
        keyword = _PIXEL_DATA.get(group << 16 | element)
        if keyword is None:
            raise DecodeError(f"{self._name} is a DICOM file without an image.")
        start = self._content.tell()
        kind = b"" if self._syntax.is_implicit_VR else self._content.read(2)
        if not kind.isalpha():  # some files lack the kinds that they should have
            return keyword, "OW", start + 4
        return keyword, kind.decode("ascii"), start + 8

    def _check_frames(self) -> None:
        """Refuse more frames than there is room for in the file: each becomes an image of a dataset."""
        bits = 8 * _ITEM_BYTES
        if not self._syntax.is_encapsulated:
            values = self._size[0] * self._size[1] * int(self._options.get("samples_per_pixel", 1))
            bits = values * int(self._options["bits_allocated"])
        if self._frames > 1 and self._frames * bits // 8 > length_of(self._content) - self._start:
            raise ValueError(f"no room for {self._frames} frames")

    def _find_decoder(self) -> Decoder:
        try:
            decoder = get_decoder(self._syntax)
        except NotImplementedError:
            raise DecodeError(
                f"{self._name} is DICOM compressed as {printable(self._syntax.name)}, which cannot be read."
            ) from None
        if not decoder.is_available:
            raise DecodeError(
                f"{self._name} is DICOM compressed as {self._syntax.name}, which needs a package more.",
                f"Install it: pip install 'mia-tui[{EXTRA}]'",
            )
        return decoder

    def _scene_of(self, said: pydicom.Dataset, keyword: str) -> Scene:
        kind, count = str(said.get("PhotometricInterpretation", "")), int(said.get("SamplesPerPixel", 1))
        stored, used = int(said.get("BitsAllocated", 0)), int(said.get("BitsStored", 0))
        if keyword in _FLOATS:
            dtype = np.dtype(_FLOATS[keyword])
        elif stored == 1:
            dtype = np.dtype(np.bool_)
        else:
            dtype = np.dtype(f"{'i' if said.get('PixelRepresentation') else 'u'}{-(-stored // 8)}")
        is_known = kind in _GREY or kind in _COLOUR or kind == "PALETTE COLOR"
        if not is_known or count != (3 if kind in _COLOUR else 1):
            what = f"colours of the kind {printable(kind)} in {count} samples"
            return Scene(
                self._size, dtype, problem=f"{self._name} is DICOM with {what}, which cannot be shown."
            )
        return Scene(
            self._size,
            dtype,
            (Channel(),) * count,
            {_axis(said): self._frames} if self._frames > 1 else {},
            colour="rgb" if kind in _COLOUR else None,
            palette=_palette(said, stored) if kind == "PALETTE COLOR" else None,
            is_inverted=kind == "MONOCHROME1",
            bits=used if 1 < used < stored else None,
            pixel_um=_pixel_um(said),
        )


class _Tiles:
    """How the frames of a whole slide are its tiles."""

    def __init__(self, said: pydicom.Dataset) -> None:
        tile = int(said.Columns), int(said.Rows)
        size = (
            int(said.get("TotalPixelMatrixColumns", tile[0])),
            int(said.get("TotalPixelMatrixRows", tile[1])),
        )
        if min(*tile, *size) <= 0:
            raise ValueError("no pixels")
        self.size = size
        self.columns, self.rows = -(-size[0] // tile[0]), -(-size[1] // tile[1])
        self.depth = int(said.get("TotalPixelMatrixFocalPlanes") or 1)
        self.paths = int(said.get("NumberOfOpticalPaths") or 1)
        self.frames = int(said.get("NumberOfFrames") or 1)
        self.is_full = said.get("DimensionOrganizationType") == "TILED_FULL"
        kinds = [str(kind).upper() for kind in said.get("ImageType") or ()]
        self.what = next((words for kind, words in _NO_IMAGES.items() if kind in kinds), "")

    def number(self, row: int, column: int, depth: int) -> int:
        """The frame of a tile."""
        return (depth * self.rows + row) * self.columns + column

    def scene_of(self, tile: Scene, name: str) -> Scene:
        """The whole slide, from what a tile is."""
        problem = tile.problem
        if self.what:
            problem = f"{name} is {self.what} of a slide, not an image of it."
        elif self.frames > 1 and not self.is_full:
            problem = (
                f"{name} is a slide whose tiles lie in no fixed order (TILED_SPARSE), which cannot be read."
            )
        elif self.paths > 1:
            problem = f"{name} is a slide of {self.paths} optical paths, of which only one can be read."
        elif self.frames < self.columns * self.rows * self.depth:
            raise ValueError("fewer tiles than the slide has")
        return Scene(
            self.size,
            tile.dtype,
            tile.channels,
            {"Z": self.depth} if self.depth > 1 else {},
            colour=tile.colour,
            palette=tile.palette,
            is_inverted=tile.is_inverted,
            bits=tile.bits,
            pixel_um=tile.pixel_um,
            problem=problem,
        )


@contextmanager
def _as_damage() -> Iterator[None]:
    """What pydicom raises and is no error of Python's own."""
    try:
        yield
    except (BytesLengthException, InvalidDicomError) as error:
        raise ValueError(str(error)) from error


def _inflated(file: BinaryIO, name: str) -> BinaryIO:
    """The file, or its content where it is deflated; pydicom would inflate a bomb."""
    head = file.read(_SEARCHED_BYTES)
    file.seek(0)
    if _DEFLATED not in head:
        return file
    begin = _PREAMBLE_BYTES + len(_MAGIC)
    lies_at = begin + len(_GROUP_LENGTH)
    if head[begin:lies_at] != _GROUP_LENGTH:
        raise ValueError("no length of the first group")
    end = lies_at + 4 + int.from_bytes(head[lies_at : lies_at + 4], "little")
    file.seek(end)
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflating.decompress(file.read(), _MOST_INFLATED_BYTES)
    if inflating.unconsumed_tail:
        raise DecodeError(f"{name} is deflated, and has more than {_MOST_INFLATED_BYTES >> 20} MiB.")
    return io.BytesIO(head[:end].replace(_DEFLATED, _NOT_DEFLATED) + content)


def _axis(said: pydicom.Dataset) -> str:
    """What the frames lie along."""
    if any(key in said for key in ("FrameTime", "FrameTimeVector", "CineRate")):
        return "T"
    return "Z" if said.get("Modality") in _VOLUMES else "I"


def _palette(said: pydicom.Dataset, bits: int) -> NDArray[np.uint16]:
    """The colour of each value."""
    if bits not in (8, 16):
        raise ValueError(f"a palette for {bits} bits")
    colours = apply_color_lut(np.arange(1 << bits, dtype=f"u{bits // 8}"), said)
    values: NDArray[np.uint16] = colours.astype(np.uint16)
    return values * np.uint16(257) if colours.dtype == np.uint8 else values


def _pixel_um(said: pydicom.Dataset) -> tuple[float, float] | None:
    spacing = said.get("PixelSpacing")
    if not spacing:
        try:
            spacing = said.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
        except (AttributeError, IndexError, TypeError):
            return None
    try:
        height, width = (1000 * float(side) for side in spacing)
    except (TypeError, ValueError):
        return None
    return (width, height) if 0 < width < np.inf and 0 < height < np.inf else None


def _claimed_pixels(data: bytes) -> int:
    """The size that a compressed frame claims, 0 if it is no kind of JPEG: decoders believe it."""
    if data.startswith(b"\xffO\xffQ"):
        right, bottom, left, top = (int.from_bytes(data[at : at + 4], "big") for at in (8, 12, 16, 20))
        return max(0, right - left) * max(0, bottom - top)
    place = 2
    while data.startswith(b"\xff\xd8") and place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _JPEG_SIZES:
            height, width = (int.from_bytes(data[place + at : place + at + 2], "big") for at in (5, 7))
            return height * width
        if marker == 0xDA:  # the pixels begin
            break
        place += 1 if marker == 0xFF else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return 0
