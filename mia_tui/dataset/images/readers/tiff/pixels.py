"""The pixels of a page of a TIFF file: of a part of it only the tiles or strips that it touches are decoded."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from mia_tui.dataset.images.readers.pillow import turned
from mia_tui.dataset.images.readers.tiff.limits import check_pieces, checked_decode
from mia_tui.dataset.images.readers.tiff.streams import JPEG
from mia_tui.dataset.images.source import Region, Size

_FLIPPED_ACROSS, _FLIPPED_DOWN = frozenset({2, 3, 6, 7}), frozenset({3, 4, 7, 8})
_PIECES_AT_ONCE = 64


def orientation(page: tifffile.TiffPage) -> int:
    """As Exif has it, 1 to 8."""
    tag = page.tags.get(274)
    value = tag.value if tag is not None else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright_size(page: tifffile.TiffPage) -> Size:
    size = (page.imagewidth, page.imagelength)
    return size[::-1] if orientation(page) >= 5 else size


def contiguous_start(page: tifffile.TiffPage) -> int | None:
    """Where the values of a page lie as they are, one after the other; None if they do not."""
    if page.dtype is None or page.compression != 1 or page.fillorder != 1 or page.predictor != 1:
        return None
    if page.bitspersample != 8 * page.dtype.itemsize or page.is_tiled or page.is_subsampled:
        return None
    starts, sizes = page.dataoffsets, page.databytecounts
    if not starts or len(starts) != len(sizes) or not starts[0]:
        return None
    at = starts[0]
    for start, size in zip(starts, sizes, strict=True):
        if start != at:
            return None
        at += size
    return int(starts[0]) if at - starts[0] >= page.nbytes else None


def read_part(
    page: tifffile.TiffPage, region: Region | None, name: str, *, plane: int = 0, depth: int = 0
) -> NDArray[np.generic]:
    """A part of a page, shape (H, W, C), upright.

    Args:
        page: The page.
        region: Upright; None for all of it.
        name: Of the file, for messages.
        plane: The plane of this number of those that lie behind the page, one after the other.
        depth: Of a volume that is one page, the plane of this number.

    Raises:
        DecodeError: If it is stored in too many pieces, or one of them claims to be larger than it can be.
    """
    box = _stored(page, region)
    start = contiguous_start(page)
    if start is None:
        return turned(_read_pieces(page, box, depth, name), orientation(page))
    return turned(_read_rows(page, box, depth, start + plane * page.nbytes), orientation(page))


def cost_of_part(page: tifffile.TiffPage, region: Region | None) -> int:
    """Bytes that reading a part of a page takes: the part, and the pieces that are decoded at once."""
    if page.dtype is None:
        return 0
    box = _stored(page, region)
    of_pixel = page.samplesperpixel * page.dtype.itemsize
    if contiguous_start(page) is not None:
        return box.height * page.imagewidth * of_pixel
    grid = _Grid(page)
    together = min(max(1, page.maxworkers), grid.count(box))
    return box.height * box.width * of_pixel + together * grid.piece_bytes


@dataclass(frozen=True)
class _Box:
    """A rectangle in the pixels of a page as they are stored."""

    top: int
    left: int
    height: int
    width: int


def _stored(page: tifffile.TiffPage, region: Region | None) -> _Box:
    """Where a part of the upright image is stored."""
    if region is None:
        return _Box(0, 0, page.imagelength, page.imagewidth)
    turn, (width, height) = orientation(page), upright_size(page)
    right, bottom = min(region.left + region.width, width), min(region.top + region.height, height)
    left, top = max(0, region.left), max(0, region.top)
    across, down = max(0, right - left), max(0, bottom - top)
    left = width - left - across if turn in _FLIPPED_ACROSS else left
    top = height - top - down if turn in _FLIPPED_DOWN else top
    return _Box(left, top, across, down) if turn >= 5 else _Box(top, left, down, across)


def _read_rows(page: tifffile.TiffPage, box: _Box, depth: int, start: int) -> NDArray[np.generic]:
    """Rows of values that lie as they are, cut out of their samples where these lie apart."""
    assert page.dtype is not None
    file, is_apart = page.parent.filehandle, page.planarconfig == 2
    samples = 1 if is_apart else page.samplesperpixel
    row = page.imagewidth * samples * page.dtype.itemsize
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    parts = []
    for sample in range(page.samplesperpixel if is_apart else 1):
        file.seek(start + row * ((sample * page.imagedepth + depth) * page.imagelength + box.top))
        data = np.frombuffer(file.read(row * box.height), dtype)
        values = data.reshape(box.height, page.imagewidth, samples)
        parts.append(values[:, box.left : box.left + box.width])
    joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
    return joined.astype(page.dtype.newbyteorder("="), copy=False)


class _Grid:
    """The tiles or strips of a page."""

    def __init__(self, page: tifffile.TiffPage) -> None:
        self.page = page
        self.height = max(1, page.tilelength if page.is_tiled else page.rowsperstrip)
        self.width = max(1, page.tilewidth if page.is_tiled else page.imagewidth)
        self.down, self.across = -(-page.imagelength // self.height), -(-page.imagewidth // self.width)
        self.depth = max(1, page.tiledepth) if page.is_tiled else 1
        self.deep = -(-page.imagedepth // self.depth)
        self.apart = page.samplesperpixel if page.planarconfig == 2 else 1
        itemsize = page.dtype.itemsize if page.dtype is not None else 1
        self.piece_bytes = (
            self.height * self.width * self.depth * page.samplesperpixel // self.apart * itemsize
        )

    def count(self, box: _Box) -> int:
        return self.apart * len(self._rows(box)) * len(self._columns(box))

    def numbers(self, box: _Box, depth: int) -> Iterator[int]:
        """Of the pieces that a box touches, in one plane of a volume."""
        layer = depth // self.depth
        for sample in range(self.apart):
            for row in self._rows(box):
                first = ((sample * self.deep + layer) * self.down + row) * self.across
                yield from (first + column for column in self._columns(box))

    def _rows(self, box: _Box) -> range:
        return range(box.top // self.height, -(-(box.top + box.height) // self.height))

    def _columns(self, box: _Box) -> range:
        return range(box.left // self.width, -(-(box.left + box.width) // self.width))


def _read_pieces(page: tifffile.TiffPage, box: _Box, depth: int, name: str) -> NDArray[np.generic]:
    """The tiles or strips that a box touches, decoded and cut."""
    assert page.dtype is not None
    grid = _Grid(page)
    check_pieces(grid.count(box), name)
    decode = checked_decode(page, name)  # made once: tifffile makes its own on first use, in one thread
    shape = (grid.apart, box.height, box.width, page.samplesperpixel // grid.apart)
    values = np.empty(shape, page.dtype.newbyteorder("="))

    def place(piece: tuple[bytes | None, int]) -> None:
        data, number = piece
        decoded, (sample, first, top, left, _), (_, height, width, _) = decode(data, number, **options)
        rows = slice(max(top, box.top), min(top + height, box.top + box.height))
        columns = slice(max(left, box.left), min(left + width, box.left + box.width))
        target = values[sample, _less(rows, box.top), _less(columns, box.left)]
        if decoded is None:
            target[...] = page.nodata
        else:
            target[...] = decoded[depth - first, _less(rows, top), _less(columns, left)]

    options: dict[str, Any] = {}
    if int(page.compression) in JPEG:
        options = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    workers = page.maxworkers
    numbers = grid.numbers(box, depth)
    if workers < 2 or grid.count(box) < 2:
        for piece in _stored_pieces(page, numbers):
            place(piece)
    else:
        with ThreadPoolExecutor(workers) as executor:
            while some := list(islice(numbers, _PIECES_AT_ONCE)):
                list(executor.map(place, _stored_pieces(page, some)))
    joined: NDArray[np.generic] = values[0] if grid.apart == 1 else np.moveaxis(values[:, :, :, 0], 0, 2)
    return joined


def _less(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)


def _stored_pieces(page: tifffile.TiffPage, numbers: Iterable[int]) -> Iterator[tuple[bytes | None, int]]:
    """Pieces as they lie in the file; None for one that is left out."""
    file = page.parent.filehandle
    for number in numbers:
        start, size = page.dataoffsets[number], page.databytecounts[number]
        if not start or not size:
            yield None, number
            continue
        file.seek(start)
        yield file.read(max(0, min(size, file.size - start))), number
