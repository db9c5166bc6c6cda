"""Netpbm files that Pillow does not read, or scales: values of more than 8 bits, PAM, and PFM with its decimals.

Pillow cuts 16-bit colour to 8 bits, and stretches the values of a camera of 12 bits to 16.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.limits import MOST_CHANNELS
from mia_tui.dataset.images.source import Channel, Place, Region, Scene, Source

_LONGEST_HEADER = 65536
_HEADER = re.compile(rb"P(.)" + rb"(?:\s|#[^\r\n]*[\r\n])+([-+.\deE]+)" * 3 + rb"\s")
_PAM_ENDS = b"ENDHDR\n"
_MOST_VALUE = 65535
_TEXT_BYTES = 64  # of a number that is read from text
_OPACITY = "_ALPHA"


def open_file(path: Path, file: BinaryIO) -> "NetpbmSource | None":
    """Open a Netpbm file; None where Pillow reads it as well."""
    head = file.read(_LONGEST_HEADER)
    if head.startswith(b"P7"):
        return NetpbmSource(_pam(head), file)
    if (found := _HEADER.match(head)) is None:
        return None  # perhaps black and white, which has no third number
    kind, *numbers = found.groups()
    coloured, start = 3 if kind in b"36F" else 1, found.end()
    if kind in b"fF":
        order = "<" if float(numbers[2]) < 0 else ">"
        return NetpbmSource(_Layout(int(numbers[0]), int(numbers[1]), coloured, order + "f4", start), file)
    width, height, most = map(int, numbers)
    if kind not in b"2356" or most < 256:
        return None
    if most > _MOST_VALUE:
        raise ValueError(f"values up to {most}")
    return NetpbmSource(_Layout(width, height, coloured, ">u2", start, most, is_text=kind in b"23"), file)


@dataclass(frozen=True)
class _Layout:
    """How the values lie in the file."""

    width: int
    height: int
    channels: int
    dtype: str
    start: int
    most: int = _MOST_VALUE
    is_text: bool = False
    tuple_type: str = ""
    scene: Scene = field(init=False)

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0 or self.channels <= 0:
            raise ValueError("no pixels")
        if self.channels > MOST_CHANNELS:
            raise ValueError(f"{self.channels} channels")
        tuple_type = self.tuple_type or ("RGB" if self.channels == 3 else "GRAYSCALE")
        is_opaque = not tuple_type.endswith(_OPACITY)
        measured = self.channels if is_opaque else self.channels - 1
        dtype = np.dtype(self.dtype).newbyteorder("=")
        bits = self.most.bit_length() if dtype == np.uint16 else 16
        scene = Scene(
            (self.width, self.height),
            np.dtype(np.bool_) if self.most == 1 else dtype,
            (Channel(),) * self.channels,
            colour="rgb" if tuple_type.startswith("RGB") and measured == 3 else None,
            opacity=None if is_opaque or not measured else measured,
            bits=bits if bits < 16 else None,
        )
        object.__setattr__(self, "scene", scene)


class NetpbmSource(Source):
    """An open Netpbm file; see `Source`."""

    format = "PPM"

    def __init__(self, layout: _Layout, file: BinaryIO) -> None:
        self._layout, self.file = layout, file
        self.scenes = [layout.scene]

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        layout = self._layout
        values = self._read()
        if layout.dtype.endswith("f4"):
            values = values[::-1]  # PFM has its lowest row first
        if region is not None:
            values = values[region.top : region.top + region.height, region.left : region.left + region.width]
        if channels is not None:
            values = values[:, :, list(channels)]
        if layout.most == 1:
            return values.astype(np.bool_)
        if layout.dtype == "u1" and layout.most < 255:
            return ((values.astype(np.uint16) * 255 + layout.most // 2) // layout.most).astype(np.uint8)
        return values.astype(layout.scene.dtype, copy=False)

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        """Of the whole file, and of text what each number takes while it is read."""
        layout = self._layout
        count = layout.width * layout.height * layout.channels
        return count * (_TEXT_BYTES if layout.is_text else 2 * np.dtype(layout.dtype).itemsize)

    def _read(self) -> NDArray[np.generic]:
        """All values, shape (H, W, C), in the file's order of bytes."""
        layout = self._layout
        shape = layout.height, layout.width, layout.channels
        count, dtype = layout.height * layout.width * layout.channels, np.dtype(layout.dtype)
        assert self.file is not None
        self.file.seek(layout.start)
        if layout.is_text:
            numbers = np.array(
                self.file.read(7 * count).split()[:count], np.int64
            )  # 5 digits and a line's end
            if numbers.size and not 0 <= numbers.min() <= numbers.max() <= layout.most:
                raise ValueError("values that are too large")
            return numbers.astype(np.uint16).reshape(shape)
        return np.frombuffer(self.file.read(count * dtype.itemsize), dtype).reshape(shape)


def _pam(head: bytes) -> _Layout:
    end = head.index(_PAM_ENDS) + len(_PAM_ENDS)
    said: dict[str, str] = {}
    for line in head[:end].decode("latin-1").splitlines()[1:-1]:
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            said[key] = value.strip()
    most = int(said["MAXVAL"])
    if not 1 <= most <= _MOST_VALUE:
        raise ValueError(f"values up to {most}")
    return _Layout(
        int(said["WIDTH"]),
        int(said["HEIGHT"]),
        int(said["DEPTH"]),
        ">u2" if most > 255 else "u1",
        end,
        most,
        tuple_type=said.get("TUPLTYPE", ""),
    )
