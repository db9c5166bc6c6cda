"""CZI files of Zeiss microscopes and slide scanners, read by pylibCZIrw, which is Zeiss's own.

An image is a mosaic of tiles, some of them smaller copies of others: the levels of a pyramid. The library puts them
together. What the file says of its tiles is read and checked here first, since the library would end the whole
program on some damaged files.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from pylibCZIrw import czi

from mia_tui.dataset.images.limits import MOST_XML_BYTES
from mia_tui.dataset.images.source import Channel, Colour, Place, Region, Scene, Size, Source, part_of
from mia_tui.text import printable

_START = b"ZISRAWFILE"
_SEGMENT = struct.Struct("<16sqq")  # its kind, the space it has, the space it uses
_FILE_HEADER = struct.Struct("<52x q q")  # behind the segment: where the directory and the metadata are
_TILE_SIZES = struct.Struct("<iiq")  # bytes of a tile's metadata, attachment and pixels
_ENTRY = struct.Struct("<2s i q i i B 5x i")  # kind, pixel type, place, file part, compression, pyramid, axes
_AXIS = struct.Struct("<4s i i f i")  # name, first index, extent, coordinate, stored extent
_MOST_AXES, _MOST_TILES = 32, 1 << 20
_MOST_EMPTY = (
    1000  # a mosaic is at most so many times larger than its tiles: else one of them has a wrong place
)
_LEAST_TILE_HEAD = 256  # bytes before a tile's metadata
_JPEG_XR, _JPEG_XR_HEAD = 4, 1024
_ZSTD, _ZSTD_START, _ZSTD_HEAD = (
    (5, 6),
    b"\x28\xb5\x2f\xfd",
    32,
)  # without and with a header of Zeiss before it
_JPEG_XR_KINDS = {0: 0x01, 1: 0x02, 2: 0x07, 3: 0x71, 4: 0x72}  # by the kind of pixel: colours and depth
_XML_BEHIND = 256  # the XML begins so many bytes behind its segment's header

_PIXELS: Mapping[int, tuple[str, type, int]] = {  # number in the file: name, type and number of the values
    0: ("Gray8", np.uint8, 1),
    1: ("Gray16", np.uint16, 1),
    2: ("Gray32Float", np.float32, 1),
    3: ("Bgr24", np.uint8, 3),
    4: ("Bgr48", np.uint16, 3),
}
_UNREADABLE = {  # the library does not put tiles of these together
    8: "Bgr96Float",
    9: "Bgra32",
    10: "Gray64ComplexFloat",
    11: "Bgr192ComplexFloat",
    12: "Gray32",
    13: "Gray64Float",
}
_FRAME_AXES = "TZRIHVB"  # time, depth, rotation, illumination, phase, view, block
_PRIMARIES = (("red", (255, 0, 0)), ("green", (0, 255, 0)), ("blue", (0, 0, 255)))
_COLOUR = re.compile("#(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})")
_FEWEST_MICROMETRES = (
    1e-4  # a smaller pixel size is in metres, as Zeiss has it; pylibCZIrw writes micrometres
)


def open_file(path: Path, file: BinaryIO) -> "CziSource | None":
    """Open a CZI file; None if it is none.

    Args:
        path: Of the file, which the library opens itself.
        file: At its beginning; stays open.

    Raises:
        ValueError: If the file is damaged.
    """
    if file.read(len(_START)) != _START:
        return None
    return CziSource(path, file, _Directory(file))


@dataclass(frozen=True)
class _Tile:
    """A tile, or a smaller copy of some.

    Attributes:
        place: Of its segment in the file.
        entry: What the directory has for it; the segment repeats it.
        pixels: Number of its kind of pixel.
        compression: Number of its kind of compression.
        area: Where it is in the mosaic.
        stored: Its own width and height.
        index: Its position along each other axis.
    """

    place: int
    entry: bytes
    pixels: int
    compression: int
    area: Region
    stored: Size
    index: Mapping[str, int]

    @property
    def factor(self) -> int:
        """How many times smaller than its area it is."""
        return max(1, round(self.area.width / self.stored[0]))


class _Directory:
    """The tiles of a file, as its directory names them.

    Args:
        file: The file.

    Raises:
        ValueError: If the file is damaged.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self._checked: set[int] = set()
        header = self._segment(0, _START, _FILE_HEADER.size)
        directory, metadata = _FILE_HEADER.unpack(header)
        self._check_metadata(metadata)
        self.tiles = list(self._read_tiles(directory))
        if not self.tiles:
            raise ValueError("there are no tiles")

    def check(self, tiles: Sequence[_Tile]) -> None:
        """Refuse tiles whose own segments do not agree with the directory: the library would trust them.

        Raises:
            ValueError: If the file is damaged.
        """
        for tile in tiles:
            if tile.place in self._checked:
                continue
            head = self._segment(tile.place, b"ZISRAWSUBBLOCK", _TILE_SIZES.size + len(tile.entry))
            sizes = _TILE_SIZES.unpack_from(head)
            if min(sizes) < 0 or tile.place + sum(sizes) > self._size:
                raise ValueError("a tile is larger than the file")
            if _shape(head[_TILE_SIZES.size :]) != _shape(tile.entry):
                raise ValueError("a tile is not what the directory says")
            fixed = max(_LEAST_TILE_HEAD, _TILE_SIZES.size + len(tile.entry))
            start = tile.place + _SEGMENT.size + fixed + sizes[0]
            if tile.compression == _JPEG_XR:
                self._check_jpeg_xr(tile, start)
            elif tile.compression in _ZSTD:
                self._check_zstd(tile, start)
            self._checked.add(tile.place)

    def _check_jpeg_xr(self, tile: _Tile, place: int) -> None:
        """Refuse pixels of another kind or size than the tile has: the decoder would write behind its memory."""
        self._file.seek(place)
        _, mark, header = self._file.read(_JPEG_XR_HEAD).partition(b"WMPHOTO\0")
        is_short = len(header) > 8 and header[2] & 0x80  # sizes of 16 bits
        width, height = (
            struct.unpack_from(">HH" if is_short else ">II", header, 4) if len(header) > 12 else (0, 0)
        )
        if not mark or header[3] != _JPEG_XR_KINDS.get(tile.pixels) or (width + 1, height + 1) != tile.stored:
            raise ValueError("a tile has pixels of another kind")

    def _check_zstd(self, tile: _Tile, place: int) -> None:
        """Refuse pixels that unpack to more than the tile has: the library would take memory for them."""
        self._file.seek(place)
        head = self._file.read(_ZSTD_HEAD)
        start = head.find(_ZSTD_START)
        if start < 0:
            raise ValueError("a tile has no compressed pixels")
        flags, head = head[start + 4], head[start + 5 :]
        is_single = flags >> 5 & 1
        at = (1 - is_single) + (0, 1, 2, 4)[flags & 3]
        length = (is_single, 2, 4, 8)[flags >> 6]
        unpacked = int.from_bytes(head[at : at + length], "little") + (256 if length == 2 else 0)
        _, kind, count = _PIXELS.get(tile.pixels, ("", np.uint64, 4))
        if unpacked > prod(tile.stored) * count * np.dtype(kind).itemsize:
            raise ValueError("a tile unpacks to more than it has")

    def _read_tiles(self, place: int) -> Iterator[_Tile]:
        (count,) = struct.unpack("<i", self._segment(place, b"ZISRAWDIRECTORY", 4))
        if not 0 <= count <= min(_MOST_TILES, self._size // _ENTRY.size):
            raise ValueError("the directory is too long")
        self._file.seek(place + _SEGMENT.size + 128)
        data = self._file.read(count * (_ENTRY.size + _MOST_AXES * _AXIS.size))
        at = 0
        for _ in range(count):
            kind, _pixels, _place, _part, _compression, _pyramid, axes = _ENTRY.unpack_from(data, at)
            end = at + _ENTRY.size + axes * _AXIS.size
            if kind != b"DV" or not 0 < axes <= _MOST_AXES or end > len(data):
                raise ValueError("the directory is damaged")
            yield _tile(data[at:end])
            at = end

    def _segment(self, place: int, kind: bytes, size: int) -> bytes:
        """The beginning of a segment's content."""
        if not 0 <= place <= self._size - _SEGMENT.size - size:
            raise ValueError("a segment is outside of the file")
        self._file.seek(place)
        found, _space, used = _SEGMENT.unpack(self._file.read(_SEGMENT.size))
        if not found.startswith(kind) or not 0 <= used <= self._size:
            raise ValueError("a segment is damaged")
        content = self._file.read(size)
        if len(content) < size:
            raise ValueError("a segment is cut short")
        return content

    def _check_metadata(self, place: int) -> None:
        if place:
            xml, attachment = struct.unpack("<ii", self._segment(place, b"ZISRAWMETADATA", 8))
            if min(xml, attachment) < 0 or place + _SEGMENT.size + _XML_BEHIND + xml > self._size:
                raise ValueError("the metadata are larger than the file")


class CziSource(Source):
    """An open CZI file; see `Source`.

    Args:
        path: Of the file.
        file: The file.
        directory: Its tiles.
    """

    def __init__(self, path: Path, file: BinaryIO, directory: _Directory) -> None:
        self.format = "CZI"
        self._directory = directory
        of_scenes: dict[int, list[_Tile]] = {}
        for tile in directory.tiles:
            of_scenes.setdefault(tile.index.get("S", -1), []).append(tile)
        self._mosaics = [_Mosaic(tiles, number) for number, tiles in sorted(of_scenes.items())]
        self._reader = czi.CziReader(str(path))  # when all is checked that may be refused
        facts = _Facts(self._reader.raw_metadata)
        self.scenes = tuple(mosaic.scene(facts, printable(path.name)) for mosaic in self._mosaics)

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        scene, mosaic = self.scenes[place.scene], self._mosaics[place.scene]
        width, height = scene.levels[level]
        region = region or Region(0, 0, width, height)
        area = mosaic.area_of(region, level)
        wanted = range(len(scene.channels)) if channels is None else channels
        reads, first = [], 0
        for number, count in mosaic.counts:
            if any(first <= one < first + count for one in wanted):
                reads.append((mosaic.position(place, number), slice(first, first + count)))
            first += count
        for position, _ in reads:  # all of them first: reading may take long
            self._directory.check(mosaic.tiles_for(position, area))
        values: NDArray[np.generic] = np.empty((region.height, region.width, first), scene.dtype)
        for position, own in reads:
            pixels = self._read(mosaic, position, area, level)
            if pixels.shape[:2] != values.shape[:2]:
                raise ValueError(f"the library read {pixels.shape[:2]}, not {values.shape[:2]}")
            values[:, :, own] = pixels[:, :, ::-1]  # blue, green, red
        return part_of(values, channels, None)

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        largest = max(tile.stored[0] * tile.stored[1] for tile in self._mosaics[place.scene].tiles)
        tile = largest * len(self.scenes[place.scene].channels) * self.scenes[place.scene].dtype.itemsize
        return super().cost_bytes(place, level, region) + tile

    def close(self) -> None:
        self._reader.close()

    def _read(
        self, mosaic: "_Mosaic", position: Mapping[str, int], area: Region, level: int
    ) -> NDArray[np.generic]:
        """One channel of a part of a mosaic, shape (H, W, 1 or 3)."""
        pixels: NDArray[np.generic] = self._reader.read(
            roi=(area.left, area.top, area.width, area.height),
            plane=dict(position),
            scene=None if mosaic.number < 0 else mosaic.number,
            zoom=1 / mosaic.factors[level],
            pixel_type=mosaic.pixel_name(position),
        )
        return pixels


class _Mosaic:
    """The tiles of one scene.

    Args:
        tiles: Those of the scene.
        number: Of the scene; -1 if the file has none.

    Raises:
        ValueError: If the file is damaged.

    Attributes:
        tiles: As given.
        number: As given.
        area: What they cover at full resolution.
        factors: How many times smaller each level is.
        axes: The indices along each axis whose planes are frames, if there are more than one.
        counts: The number of each channel in the file, and how many values its pixels have.
    """

    def __init__(self, tiles: list[_Tile], number: int) -> None:
        self.number = number
        self.tiles = tiles
        full = [tile.area for tile in self.tiles if tile.factor == 1] or [self.tiles[0].area]
        self.area = _around(full)
        covered = sum(area.width * area.height for area in full)
        if self.area.width * self.area.height > _MOST_EMPTY * covered:
            raise ValueError("tiles of one scene are far from each other")
        # At an edge, a copy may cover less than its size says: that of a narrow one tells nothing.
        self.factors = sorted(
            {1, *(one.factor for one in self.tiles if one.stored[0] > 2 * (one.factor - 1))}
        )
        self._edges = np.array([_edges(tile.area) for tile in self.tiles])
        along = {axis: sorted({tile.index.get(axis, 0) for tile in self.tiles}) for axis in _FRAME_AXES}
        self.axes = {axis: indices for axis, indices in along.items() if len(indices) > 1}
        self._fixed = {
            axis: indices[0] for axis, indices in along.items() if len(indices) == 1 and indices[0]
        }
        self._pixels = {tile.index.get("C", 0): tile.pixels for tile in self.tiles}
        self.counts = [
            (channel, _PIXELS[pixels][2] if pixels in _PIXELS else 1)
            for channel, pixels in sorted(self._pixels.items())
        ]

    def position(self, place: Place, channel: int) -> Mapping[str, int]:
        """Where a plane is, in the file's own indices."""
        along = {axis: self.axes[axis][index] for axis, index in place.index.items()}
        return {**self._fixed, **along, "C": channel}

    def area_of(self, region: Region, level: int) -> Region:
        """Where a part of a level is in the mosaic."""
        factor = self.factors[level]
        return Region(
            self.area.left + region.left * factor,
            self.area.top + region.top * factor,
            region.width * factor + factor // 2,  # the library rounds the size down
            region.height * factor + factor // 2,
        )

    def tiles_for(self, position: Mapping[str, int], area: Region) -> list[_Tile]:
        """The tiles of a plane, and their smaller copies, that an area needs."""
        left, top, right, bottom = _edges(area)
        edges = self._edges.T
        near = (edges[0] < right) & (left < edges[2]) & (edges[1] < bottom) & (top < edges[3])
        return [
            self.tiles[number]
            for number in np.flatnonzero(near)
            if all(self.tiles[number].index.get(axis, index) == index for axis, index in position.items())
        ]

    def pixel_name(self, position: Mapping[str, int]) -> str:
        return _PIXELS[self._pixels[position["C"]]][0]

    def scene(self, facts: "_Facts", file_name: str) -> Scene:
        unknown = sorted(set(self._pixels.values()) - set(_PIXELS))
        size = (self.area.width, self.area.height)
        if unknown:
            kind = _UNREADABLE.get(unknown[0], f"number {unknown[0]}")
            problem = f"{file_name} is a CZI with pixels of the kind {kind}, which cannot be read."
            return Scene(size, np.dtype(np.uint8), problem=problem)
        is_picture = len(self.counts) == 1 and self.counts[0][1] == 3
        channels: list[Channel] = []
        for number, count in self.counts:
            channel = facts.channels.get(number, Channel())
            channels += [channel] if count == 1 else _colour_channels(channel, is_picture)
        return Scene(
            size,
            np.result_type(*(_PIXELS[pixels][1] for pixels in self._pixels.values())),
            tuple(channels),
            {axis: len(indices) for axis, indices in self.axes.items()},
            colour="rgb" if is_picture else None,
            bits=facts.bits,
            levels=tuple(_size_at(size, factor) for factor in self.factors),
            pixel_um=facts.pixel_um,
            name=facts.scene_names.get(self.number, ""),
        )


class _Facts:
    """What the metadata of a file say.

    Args:
        text: XML; "" or damaged if the file has none that can be read.

    Attributes:
        channels: Names and colours.
        pixel_um: Width and height of a pixel in micrometres.
        bits: Significant bits of the values, if fewer than they take.
        scene_names: Names of the scenes by number.
    """

    def __init__(self, text: str) -> None:
        root = ElementTree.Element("ImageDocument")
        with suppress(ElementTree.ParseError, ValueError):  # the pixels may be intact
            root = ElementTree.fromstring(text if len(text) <= MOST_XML_BYTES else "")
        image = root.find("./Metadata/Information/Image")
        colours = {
            _number(one): _colour(one.findtext("Color", ""))
            for one in root.findall("./Metadata/DisplaySetting/Channels/Channel")
        }
        described = [] if image is None else image.findall("./Dimensions/Channels/Channel")
        self.channels: dict[int, Channel] = {}
        for one in described:
            number = _number(one)
            colour = colours.get(number) or _colour(one.findtext("Color", ""))
            self.channels[number] = Channel(one.get("Name") or None, colour)
        across, down = (_micrometres(root, axis) for axis in "XY")
        self.pixel_um = (across, down) if across and down else None
        bits = "" if image is None else image.findtext("ComponentBitCount", "")
        self.bits = int(bits) if bits.isdecimal() and 8 < int(bits) < 16 else None
        scenes = [] if image is None else image.findall("./Dimensions/S/Scenes/Scene")
        self.scene_names = {
            int(one.get("Index", "")): one.get("Name", "")
            for one in scenes
            if one.get("Index", "").isdecimal()
        }


def _tile(entry: bytes) -> _Tile:
    _kind, pixels, place, _part, compression, _pyramid, _axes = _ENTRY.unpack_from(entry)
    starts, extents, stored = {}, {}, {}
    for name, start, extent, _coordinate, own in _AXIS.iter_unpack(entry[_ENTRY.size :]):
        axis = name.rstrip(b"\0").decode("ascii")
        starts[axis], extents[axis], stored[axis] = start, extent, own or extent
    sizes = (extents["X"], extents["Y"], stored["X"], stored["Y"])
    if min(sizes) <= 0 or max(map(abs, (*sizes, starts["X"], starts["Y"]))) >= 1 << 30:
        raise ValueError("a tile has no size")
    area = Region(starts.pop("X"), starts.pop("Y"), extents["X"], extents["Y"])
    return _Tile(place, entry, pixels, compression, area, (stored["X"], stored["Y"]), starts)


def _shape(entry: bytes) -> tuple[object, ...]:
    """What decides how the library reads a tile."""
    tile = _tile(entry)
    kind, axes = entry[:2], entry[_ENTRY.size - 4 : _ENTRY.size]
    return kind, axes, tile.pixels, tile.compression, tile.area, tile.stored


def _edges(area: Region) -> tuple[int, int, int, int]:
    """Left, top, right and bottom."""
    return area.left, area.top, area.left + area.width, area.top + area.height


def _around(areas: Sequence[Region]) -> Region:
    left, top, right, bottom = zip(*map(_edges, areas), strict=True)
    return Region(min(left), min(top), max(right) - min(left), max(bottom) - min(top))


def _size_at(size: Size, factor: int) -> Size:
    return max(1, size[0] // factor), max(1, size[1] // factor)


def _colour_channels(channel: Channel, is_picture: bool) -> list[Channel]:
    """Red, green and blue of one channel; beside other channels each is a measurement of its own."""
    if is_picture:
        return [Channel()] * 3
    return [Channel(f"{channel.name or 'colour'} {name}", colour) for name, colour in _PRIMARIES]


def _number(element: ElementTree.Element) -> int:
    """Of a channel, from its identifier `Channel:1`."""
    number = element.get("Id", "").rpartition(":")[2]
    return int(number) if number.isdecimal() else -1


def _colour(text: str) -> Colour | None:
    """From `#AARRGGBB`."""
    match = _COLOUR.fullmatch(text.strip())
    if match is None:
        return None
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue


def _micrometres(root: ElementTree.Element, axis: str) -> float | None:
    text = root.findtext(f"./Metadata/Scaling/Items/Distance[@Id='{axis}']/Value", "")
    try:
        value = float(text)
    except ValueError:
        return None
    if not 0 < value < 1e6:
        return None
    return value * 1e6 if value < _FEWEST_MICROMETRES else value
