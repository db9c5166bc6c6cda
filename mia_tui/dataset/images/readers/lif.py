"""LIF, LOF and XLIF files of Leica microscopes, opened by liffile: one scene for each image in the file.

Where a value is follows from the steps that the file gives for each axis and channel. So a plane is read by itself,
also where rows are padded or channels are of different kinds, and nothing else of the file. An XLIF file names other
files beside it. These are not left to liffile, which reads whatever file is named, wherever it is, by decoders that
believe what it claims; the one for BMP ends the program.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import liffile
import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.limits import MOST_XML_BYTES, check_channels, check_frames
from mia_tui.dataset.images.readers.pillow import PillowSource, length_of
from mia_tui.dataset.images.readers.tiff import reader as tiff
from mia_tui.dataset.images.source import Channel, Colour, Place, Region, Scene, Source, part_of
from mia_tui.errors import DecodeError
from mia_tui.files import open_to_read
from mia_tui.text import printable

# What liffile says of odd files would be printed over the app; what it cannot read it raises.
logging.getLogger("liffile").addHandler(logging.NullHandler())
logging.getLogger("liffile").propagate = False

_BINARY = b"p\0\0\0"  # LIF and LOF
_HEAD_BYTES = 13  # of which the last four have the length of the XML
_XML = (b"<?xml", b"\xef\xbb\xbf<", b"<\0?\0", b"\xff\xfe<\0", b"\0<\0?")  # XLIF in its encodings
_AXES = {
    1: "X",
    2: "Y",
    3: "Z",
    4: "T",
    5: "λ",
    6: "A",
    7: "N",
    8: "Q",
    9: "Λ",
    10: "M",
    11: "L",
}  # as liffile
_MICROMETRES = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0}
_RED_GREEN_BLUE = (1, 2, 3)  # tags of the channels of a colour camera; 0 for all others
_DYE = "DyeName"
_TIFF = (".tif", ".tiff")
_PILLOW = frozenset({"PNG", "JPEG", "BMP"})
_MOST_SAMPLES = 4
_METADATA = "metadata"  # the folder of the XLIF files in a project of Leica, beside those with the pixels
_COLOURS: Mapping[str, Colour] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "gray": (255, 255, 255),
    "grey": (255, 255, 255),
}


def open_file(path: Path, file: BinaryIO) -> "LifSource | None":
    """Open a file of Leica; None if it is none.

    Args:
        path: Of the file, which liffile opens itself.
        file: At its beginning; stays open.

    Raises:
        DecodeError: If it holds no image.
    """
    head = file.read(_HEAD_BYTES)
    name = printable(path.name)
    if not head.startswith((_BINARY, *_XML)):
        return None
    described = length_of(file) if head.startswith(_XML) else int.from_bytes(head[9:], "little") * 2
    if described > 2 * MOST_XML_BYTES:  # two bytes for a character
        raise DecodeError(
            f"{name} has {described >> 20:,} MiB of description, the limit is {2 * MOST_XML_BYTES >> 20}."
        )
    lif = liffile.LifFile(path, squeeze=False)
    try:
        if _forget_others(lif):
            raise DecodeError(f"{name} is a list of other files.", "Open these.")
        return LifSource(lif, name)
    except BaseException:
        lif.close()
        raise


def _forget_others(lif: liffile.LifFile) -> bool:
    """Take the files that a list names out of it, which liffile opens even to close them; whether there were any."""
    found = False
    for listed in lif.xml_element.findall("./Element/Children"):
        for other in listed.findall("Reference"):
            listed.remove(other)
            found = True
    return found


@dataclass(frozen=True)
class _Axis:
    """One axis of an image: its letter, its extent, the bytes from one to the next, and its step in micrometres."""

    letter: str
    extent: int
    step: int
    step_um: float | None


@dataclass(frozen=True)
class _StoredChannel:
    """One channel of an image: the type of its values, their significant bits, where they begin, what it is."""

    dtype: np.dtype
    bits: int
    start: int
    tag: int
    channel: Channel


class LifSource(Source):
    """An open file of Leica; see `Source`.

    Args:
        lif: The file.
        name: For messages.

    Raises:
        DecodeError: If it holds no image.
    """

    def __init__(self, lif: liffile.LifFile, name: str) -> None:
        self._lif = lif
        self.format = lif.type.value
        self._images = [_LeicaImage(image, name) for image in lif.images]
        self.scenes = tuple(image.scene for image in self._images)
        if not self.scenes:
            raise DecodeError(f"{name} holds no images.")

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        image = self._images[place.scene]
        wanted = range(len(image.channels)) if channels is None else channels
        return part_of(image.read(place.index, wanted), None, region)

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        return 2 * super().cost_bytes(place, level, None)  # read whole, then its channels are put together

    def close(self) -> None:
        self._lif.close()


class _LeicaImage:
    """One image of a file.

    Args:
        image: From liffile.
        name: Of the file, for messages.

    Attributes:
        channels: Of a coloured picture red, green and blue, in this order.
        scene: What the image is.
    """

    def __init__(self, image: liffile.LifImageABC, name: str) -> None:
        self._image, self._name = image, name
        self.channels: list[_StoredChannel] = []
        if image.is_flim:
            self.scene = _unreadable(
                f"{name} holds times of arrival (FLIM), which cannot be shown.", image.name
            )
            return
        described = image.xml_element.find("./Data/Image/ImageDescription")
        if described is None:
            raise ValueError("an image is not described")
        axes = sorted(
            map(_axis, described.findall("./Dimensions/DimensionDescription")), key=lambda axis: axis.step
        )
        listed = described.findall("./Channels/ChannelDescription")
        check_channels(len(listed), name)
        self.channels = [_channel(one) for one in listed]
        if not axes or not self.channels or min(axis.extent for axis in axes) < 1:
            raise ValueError("an image has no pixels")
        self._across, self._down = _across_and_down(axes)
        outer = [axis for axis in axes if axis not in (self._across, self._down)]
        self._outer = {axis.letter: axis for axis in sorted(outer, key=_slowest_first)}
        check_frames(prod(axis.extent for axis in outer), name)
        is_picture = sorted(one.tag for one in self.channels) == list(_RED_GREEN_BLUE)
        if is_picture:
            self.channels.sort(key=lambda one: one.tag)
        self.scene = self._describe(is_picture)

    def read(self, index: Mapping[str, int], channels: Sequence[int]) -> NDArray[np.generic]:
        """The pixels of one plane, shape (H, W, C)."""
        if self._image.memory_block.frames:
            return self._read_beside(index, channels)
        start = sum(self._outer[letter].step * number for letter, number in index.items())
        across, down = self._across, self._down
        pieces: dict[int, bytes] = {}
        planes: list[NDArray[np.generic]] = []
        for channel in (self.channels[number] for number in channels):
            is_mixed = across.step > channel.dtype.itemsize  # the channels of a pixel lie side by side
            whole = down.step * down.extent
            first = channel.start // whole * whole if is_mixed else channel.start
            if first not in pieces:
                size = (down.extent - 1) * down.step + across.extent * across.step
                pieces[first] = self._bytes(start + first, size)
            shape, steps = (down.extent, across.extent), (down.step, across.step)
            planes.append(np.ndarray(shape, channel.dtype, pieces[first], channel.start - first, steps))
        return np.stack(planes, axis=2)

    def _bytes(self, start: int, size: int) -> bytes:
        block, file = self._image.memory_block, self._image.parent.filehandle
        if block.offset < 0 or start < 0 or start + size > block.size:
            raise ValueError("a plane is outside of its image")
        file.seek(block.offset + start)
        data: bytes = file.read(size)
        if len(data) < size:
            raise ValueError("the file is cut short")
        return data

    def _read_beside(self, index: Mapping[str, int], channels: Sequence[int]) -> NDArray[np.generic]:
        """A plane of which the pixels are in other files; those of a picture are red, green and blue there."""
        first = self._image.memory_block.frames[0].file
        if first.lower().endswith(".lof"):
            path = self._beside(first)
            with open_to_read(path, follow=True), closing(liffile.LifFile(path, squeeze=False)) as lof:
                if lof.type != liffile.LifFileType.LOF:
                    raise ValueError("not a LOF file")
                return _LeicaImage(lof.images[0], self._name).read(index, channels)
        planes = []
        for number in channels:
            channel = self.channels[number]
            start = channel.start + sum(self._outer[axis].step * at for axis, at in index.items())
            samples = max(1, self._across.step // channel.dtype.itemsize)
            planes.append(self._file_plane(start, number % samples).view(channel.dtype))
        return np.stack(planes, axis=2)

    def _file_plane(self, start: int, sample: int) -> NDArray[np.generic]:
        """One sample of the page that has this byte of the image, shape (H, W)."""
        frames = self._image.memory_block.frames
        frame = next((one for one in frames if one.offset <= start < one.offset + one.size), None)
        if frame is None:
            raise ValueError("a plane is in none of the files")
        path = self._beside(frame.file)
        with open_to_read(path, follow=True) as file:
            pages = tiff.open_pages(path, file) if path.suffix.lower() in _TIFF else None
            source = pages or PillowSource(path, file)
            with closing(source):
                if pages is None and source.format not in _PILLOW:
                    raise ValueError(f"pixels as {source.format}")
                scene = source.scenes[0]
                page_bytes = prod(scene.size) * len(scene.channels) * scene.dtype.itemsize
                place = source.place((start - frame.offset) // page_bytes)
                scene = source.scenes[place.scene]
                if scene.problem is not None:
                    raise DecodeError(scene.problem)
                kind = scene.size, scene.dtype.itemsize
                if (
                    kind != (self.scene.size, self.scene.dtype.itemsize)
                    or len(scene.channels) > _MOST_SAMPLES
                ):
                    raise ValueError("a page of another kind")
                return np.ascontiguousarray(source.plane(place)[:, :, min(sample, len(scene.channels) - 1)])

    def _beside(self, file: str) -> Path:
        """A file that this one names, in upper or lower case."""
        path = Path(self._image.parent.dirname)
        steps = [step for step in file.replace("\\", "/").split("/") if step not in ("", ".")]
        if steps[:1] == [".."] and path.name.lower() == _METADATA:
            path, steps = path.parent, steps[1:]
        if not steps or ".." in steps or file.startswith(("/", "\\")) or ":" in steps[0]:
            raise DecodeError(f"{self._name} names the file {printable(file)}, which is not beside it.")
        for step in steps:
            there = path / step
            if not there.exists():
                there = next((one for one in path.iterdir() if one.name.lower() == step.lower()), there)
            path = there
        if not path.exists():
            raise DecodeError(
                f"{self._name} has lost the file {printable(file)}, which holds its pixels.",
                "Put that file beside it.",
            )
        return path

    def _describe(self, is_picture: bool) -> Scene:
        across, down = self._across, self._down
        pixel_um = (across.step_um, down.step_um)
        return Scene(
            (across.extent, down.extent),
            np.result_type(*(one.dtype for one in self.channels)),
            tuple(Channel() if is_picture else one.channel for one in self.channels),
            {axis.letter: axis.extent for axis in self._outer.values() if axis.extent > 1},
            colour="rgb" if is_picture else None,
            bits=_bits(self.channels),
            pixel_um=None if None in pixel_um else pixel_um,  # type: ignore[arg-type]
            name=self._image.name,
        )


def _unreadable(problem: str, name: str) -> Scene:
    return Scene((1, 1), np.dtype(np.uint8), name=name, problem=problem)


def _axis(element: ElementTree.Element) -> _Axis:
    """Lengths are from the middle of the first pixel to that of the last one."""
    of = element.attrib
    extent, length = int(of["NumberOfElements"]), float(of["Length"])
    unit = _MICROMETRES.get(of["Unit"].lower())
    step_um = abs(length) * unit / (extent - 1) if unit and length and extent > 1 else None
    number = int(of["DimID"])
    step = int(of["BytesInc"])
    if step < 0:
        raise ValueError("an axis runs backwards")
    return _Axis(_AXES.get(number, f"axis {number}"), extent, step, step_um)


def _across_and_down(axes: Sequence[_Axis]) -> tuple[_Axis, _Axis]:
    """The axes of a plane: X and Y, or the two that change fastest, such as X and Z of a section."""
    long = [axis for axis in axes if axis.extent > 1] or list(axes)
    known = {axis.letter: axis for axis in long}
    across = known.get("X", long[0])
    down = known.get("Y") or next((axis for axis in long if axis is not across), None)
    return across, down or _Axis("Y", 1, across.step * across.extent, None)


def _slowest_first(axis: _Axis) -> tuple[int, int]:
    """Time first, then depth, then the others as they are stored."""
    return ("TZ".find(axis.letter) if axis.letter in ("T", "Z") else 2), -axis.step


def _channel(element: ElementTree.Element) -> _StoredChannel:
    of = element.attrib
    bits = int(of["Resolution"])
    if not 0 < bits <= 64:
        raise ValueError(f"values of {bits} bits")
    size = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    dtype = np.dtype(f"<{'f' if of['DataType'] == '1' else 'u'}{size}")
    names = {one.findtext("Key"): one.findtext("Value") for one in element.findall("./ChannelProperty")}
    channel = Channel(names.get(_DYE) or None, _COLOURS.get(of["LUTName"].lower()))
    return _StoredChannel(dtype, bits, int(of["BytesInc"]), int(of["ChannelTag"]), channel)


def _bits(channels: Sequence[_StoredChannel]) -> int | None:
    """Significant bits, if all channels have as many and they are fewer than the values take."""
    bits = {one.bits for one in channels}
    return bits.pop() if len(bits) == 1 and channels[0].bits < 8 * channels[0].dtype.itemsize else None
