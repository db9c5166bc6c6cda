"""ND2 files of Nikon's NIS-Elements, read by the package nd2: one scene for each position of the stage."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import BinaryIO

import nd2
import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.limits import check_channels, check_frames
from mia_tui.dataset.images.source import Channel, Colour, Place, Region, Scene, Source, part_of
from mia_tui.errors import DecodeError
from mia_tui.text import printable

_STARTS = (b"\xda\xce\xbe\n", b"\0\0\0\x0c")  # the older kind, of before 2010, is a JPEG 2000 file
_AXES = {"TimeLoop": "T", "NETimeLoop": "T", "ZStackLoop": "Z", "XYPosLoop": "P", "CustomLoop": "N"}
_POSITION = "P"


def open_file(path: Path, file: BinaryIO) -> "Nd2Source | None":
    """Open an ND2 file; None if it is none.

    Args:
        path: For messages.
        file: At its beginning; stays open.
    """
    if file.read(4) not in _STARTS:
        return None
    return Nd2Source(nd2.ND2File(_ReadWhole(file)), printable(path.name))


class _ReadWhole:
    """An open file for the library, which would fill up with zeros what a cut file lacks.

    It is no file of Python's own, so that the library reads it, and does not map it into memory: a file on a disk
    that goes away meanwhile would end the program.

    Args:
        file: At any place.
    """

    mode = "rb"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self.closed = False

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._size:
            raise EOFError("the file is cut short")
        data = self._file.read(-1 if size is None else size)
        if size is not None and len(data) < size:
            raise EOFError("the file is cut short")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self.closed = True


class Nd2Source(Source):
    """An open ND2 file; see `Source`.

    Args:
        nd2_file: The file.
        name: For messages.
    """

    def __init__(self, nd2_file: nd2.ND2File, name: str) -> None:
        self.format = "ND2"
        self._nd2, self._name = nd2_file, name
        self._loops = _loops(nd2_file)
        attributes = nd2_file.attributes
        self._size = (attributes.widthPx or 1, attributes.heightPx)
        self._channels = attributes.channelCount or 1
        self._parts = max(1, attributes.componentCount // self._channels)  # 3 of a colour camera
        self._recorded = attributes.sequenceCount
        if min(*self._size, self._channels, *self._loops.values(), 1) < 1:
            raise ValueError("a file without pixels")
        check_channels(self._channels * self._parts, name)
        check_frames(prod(self._loops.values()), name)
        names = _position_names(nd2_file)
        scene = self._scene()
        self.scenes = tuple(
            replace(scene, name=names[number] if number < len(names) else "")
            for number in range(self._loops.get(_POSITION, 1))
        )

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        along = {**place.index, _POSITION: place.scene}
        position = [along.get(axis, 0) for axis in self._loops]
        number = int(np.ravel_multi_index(position, tuple(self._loops.values()))) if position else 0
        if number >= self._recorded:
            raise DecodeError(f"{self._name} ends before this frame: {self._recorded:,} were recorded.")
        width, height = self._size
        values = self._nd2.read_frame(number).reshape(self._channels, height, width, self._parts)
        if self._parts == 3 and not self._nd2.is_legacy:
            values = values[:, :, :, ::-1]  # blue, green, red
        values = values.transpose(1, 2, 0, 3).reshape(height, width, self._channels * self._parts)
        return part_of(values, channels, region)

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        return 2 * super().cost_bytes(
            place, level, None
        )  # a plane is read whole, then its channels are put in order

    def close(self) -> None:
        self._nd2.close()

    def _scene(self) -> Scene:
        """What each position is, without its name."""
        attributes = self._nd2.attributes
        is_picture = self._channels == 1 and self._parts == 3
        channels, pixel_um = _channels_and_pixel(self._nd2)
        if len(channels) != self._channels:
            channels = [Channel()] * self._channels
        dtype, bits = self._nd2.dtype, attributes.bitsPerComponentSignificant
        return Scene(
            self._size,
            dtype,
            (Channel(),) * 3 if is_picture else tuple(one for one in channels for _ in range(self._parts)),
            {axis: count for axis, count in self._loops_in_order() if count > 1},
            colour="rgb" if is_picture else None,
            bits=bits if 0 < bits < 8 * dtype.itemsize and dtype.kind == "u" else None,
            pixel_um=pixel_um,
        )

    def _loops_in_order(self) -> list[tuple[str, int]]:
        """Time first, then depth, then others; a position is a scene of its own."""
        others = [axis for axis in self._loops if axis not in ("T", "Z", _POSITION)]
        return [(axis, self._loops[axis]) for axis in ("T", "Z", *others) if axis in self._loops]


def _loops(nd2_file: nd2.ND2File) -> Mapping[str, int]:
    """What was repeated, outermost first, and how often."""
    loops: dict[str, int] = {}
    for number, loop in enumerate(nd2_file.experiment):
        axis = _AXES.get(loop.type, loop.type)
        loops[axis if axis not in loops else f"{axis}{number}"] = loop.count
    return loops


def _position_names(nd2_file: nd2.ND2File) -> list[str]:
    for loop in nd2_file.experiment:
        if loop.type == "XYPosLoop":
            return [point.name or "" for point in loop.parameters.points]
    return []


def _channels_and_pixel(nd2_file: nd2.ND2File) -> tuple[list[Channel], tuple[float, float] | None]:
    """Names and colours of the channels, and the size of a pixel in micrometres."""
    with suppress(Exception):  # the pixels may be intact; the library fails where a channel names no dye
        described = nd2_file.metadata.channels or []
        channels = [Channel(one.channel.name or None, _colour(one.channel.color)) for one in described]
        volume = described[0].volume
        across, down, _ = volume.axesCalibration
        is_known = all(volume.axesCalibrated[:2]) and across > 0 and down > 0
        return channels, (across, down) if is_known else None
    return [], None


def _colour(colour: "nd2.structures.Color") -> Colour | None:
    """None for black, which stands for no colour."""
    return (colour.r, colour.g, colour.b) if any((colour.r, colour.g, colour.b)) else None
