"""JPEG 2000 and AVIF of more than 8 bits, or with a sign, read by imagecodecs.

Pillow cuts 16-bit colour to 8 bits and stretches the values of a camera of 12 bits to 16. Those of 8 bits it reads
itself, with their palettes and colours.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mia_tui.dataset.images.limits import check_density
from mia_tui.dataset.images.readers.pillow import exif_orientation, length_of, turned
from mia_tui.dataset.images.source import Channel, Place, Region, Scene, Size, Source

_SEARCHED_BYTES = 1 << 16  # in which an AVIF says how deep it is
_CODESTREAM = b"\xffO\xffQ"
_SIZE_FIELDS = struct.Struct(
    ">HH8IH"
)  # length, capabilities, sizes and offsets of canvas and tiles, components
_THREADS = 4  # of a single image, whose blocks take long
_FEW_TILES, _MOST_TILES = 16, 65535
_TILE_PART = b"\xff\x90\0\n"


def open_file(path: Path, file: BinaryIO) -> "DeepSource | None":
    """Open a JPEG 2000 or AVIF file; None where Pillow reads it as well."""
    head = file.read(_SEARCHED_BYTES)
    file.seek(0)
    if head[4:8] == b"ftyp":
        bits = _avif_bits(head)
        source = None if bits is None else _avif(file, bits)
    else:
        source = _jpeg2000(head, file)
    if source is not None:
        check_density(source.scenes[0].size, length_of(file), path.name)
    return source


@dataclass(frozen=True)
class _Coded:
    """What an image of such a file is, and how its bytes become values."""

    format: str
    scene: Scene
    orientation: int
    decode: Callable[[bytes], Any]


class DeepSource(Source):
    """An open file of one of these formats; see `Source`."""

    def __init__(self, coded: _Coded, file: BinaryIO) -> None:
        self.format, self.scenes, self._coded, self.file = coded.format, [coded.scene], coded, file

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        scene = self.scenes[0]
        assert self.file is not None
        self.file.seek(0)
        values = np.asarray(self._coded.decode(self.file.read()))
        values = turned(values.reshape(*values.shape[:2], -1), self._coded.orientation)
        if values.shape[:2] != scene.size[::-1] or values.dtype != scene.dtype:
            raise ValueError(f"{values.shape} instead of {scene.size}")
        if region is not None:
            values = values[region.top : region.top + region.height, region.left : region.left + region.width]
        return values[:, :, list(range(len(scene.channels)) if channels is None else channels)]

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        return super().cost_bytes(place, 0, None) * 3  # the decoder has 32 bits for each value


def _scene(size: Size, count: int, dtype: np.dtype, bits: int) -> Scene:
    coloured = count in (3, 4)
    return Scene(
        size,
        dtype,
        (Channel(),) * count,
        colour="rgb" if coloured else None,
        opacity=count - 1 if count in (2, 4) else None,
        bits=bits if bits < 8 * dtype.itemsize else None,
    )


def _jpeg2000(head: bytes, file: BinaryIO) -> DeepSource | None:
    """By its marker SIZ, which says size and depth."""
    import imagecodecs

    start = head.find(_CODESTREAM)
    if start < 0:
        return None
    _, _, right, bottom, left, top, across, down, tile_left, tile_top, count = _SIZE_FIELDS.unpack_from(
        head, start + len(_CODESTREAM)
    )
    components = head[start + len(_CODESTREAM) + _SIZE_FIELDS.size :][: 3 * count]
    depths = set(components[::3])
    bits, is_signed = (max(depths, default=0) & 0x7F) + 1, max(depths, default=0) > 0x7F
    if right <= left or bottom <= top:
        raise ValueError("no pixels")
    tiles = -(-(right - tile_left) // max(1, across)) * -(-(bottom - tile_top) // max(1, down))
    if tiles > _FEW_TILES:  # all are allocated, even if most of them are missing
        data = file.read()
        file.seek(0)
        if tiles > _MOST_TILES or tiles > data.count(_TILE_PART):
            raise ValueError("fewer tiles than said")
    if bits <= 8 and not is_signed:
        return None
    if len(depths) != 1 or set(components[1::3]) | set(components[2::3]) != {1} or bits > 32:
        raise ValueError("channels of unequal depth or size")
    width = 1 if bits <= 8 else 2 if bits <= 16 else 4
    dtype = np.dtype(f"{'i' if is_signed else 'u'}{width}")
    scene = _scene((right - left, bottom - top), count, dtype, bits)
    return DeepSource(
        _Coded("JPEG2000", scene, 1, partial(imagecodecs.jpeg2k_decode, numthreads=_THREADS)), file
    )


def _avif_bits(head: bytes) -> int | None:
    """How deep an AVIF is; None if it is of 8 bits or does not say."""
    place = head.find(b"av1C")
    if place < 0 or place + 7 > len(head):
        return None
    flags = head[place + 6]
    return None if not flags & 0x40 else 12 if flags & 0x20 else 10


def _avif(file: BinaryIO, bits: int) -> DeepSource:
    import imagecodecs

    with Image.open(file, formats=["AVIF"]) as image:  # for its size, its colours and how it is turned
        orientation = exif_orientation(image)
        size = image.size[::-1] if orientation >= 5 else image.size
        count = len(image.getbands())
    return DeepSource(
        _Coded("AVIF", _scene(size, count, np.dtype(np.uint16), bits), orientation, imagecodecs.avif_decode),
        file,
    )
