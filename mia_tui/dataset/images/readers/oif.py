"""OIB and OIF images of Olympus FluoView microscopes, opened by oiffile.

An OIF file `cell.oif` is a text beside a folder `cell.oif.files`; an OIB file is a folder in a file. Each has a TIFF
file for each plane, whose name says where it belongs: `s_C002Z015.tif` is channel 2 at depth 15.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import oiffile
from numpy.typing import NDArray

from mia_tui.dataset.images.formats import PARTS_ENDING
from mia_tui.dataset.images.limits import check_frames
from mia_tui.dataset.images.readers.pillow import length_of
from mia_tui.dataset.images.readers.tiff import reader as tiff
from mia_tui.dataset.images.source import Channel, Colour, Place, Region, Scene, Source
from mia_tui.errors import DecodeError
from mia_tui.files import open_to_read
from mia_tui.text import printable

_OIB_START = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OIF_STARTS = (b"\xff\xfe[\0", b"[")
_OIB_HEADER = struct.Struct("<8x 16x 6x H 12x I 12x 4I")  # see `_check_chains`
_FIRST_TABLES = 109  # places of sectors of the table, in the header
_PLANE = re.compile(r"(?:.*/)?([^/]*)_((?:[A-Z]\d+)+)\.tif")
_AXIS = re.compile(r"([A-Z])(\d+)")
_MOST_TEXT_BYTES = 64 << 20
_PREVIEW = "-R"  # in the names of reference images


def open_file(path: Path, file: BinaryIO) -> "OifSource | None":
    """Open an OIB or OIF image; None if it is none.

    Args:
        path: Of the file, which oiffile opens itself.
        file: At its beginning; stays open.

    Raises:
        DecodeError: If its folder is missing, or holds no planes.
    """
    start = file.read(len(_OIB_START))
    name = printable(path.name)
    if start == _OIB_START:
        _check_chains(file)
    elif not start.startswith(_OIF_STARTS):
        return None
    elif not path.with_name(path.name + PARTS_ENDING).is_dir():
        raise DecodeError(
            f"{name} has lost the folder {name}{PARTS_ENDING}, which holds its pixels.",
            "Put that folder beside it.",
        )
    elif length_of(file) > _MOST_TEXT_BYTES:
        raise ValueError("the text is too long")
    image = oiffile.OifFile(path)
    try:
        return OifSource(image, path)
    except BaseException:
        image.close()
        raise


class OifSource(Source):
    """An open OIB or OIF image; see `Source`.

    Args:
        image: The image.
        path: Of the file.

    Raises:
        DecodeError: If it holds no planes.
    """

    def __init__(self, image: oiffile.OifFile, path: Path) -> None:
        name = printable(path.name)
        self.format = "OIB" if image.is_oib else "OIF"
        self.is_whole = bool(image.is_oib)
        self._image, self._path, self._name = image, path, name
        planes = _places(image.filesystem.files())
        if not planes:
            raise DecodeError(f"{name} holds no planes.")
        axes = {axis for _, place in planes for axis in place}
        order = [*(axis for axis in "TZ" if axis in axes), *sorted(axes - set("TZC")), "C"]
        self._numbers = {axis: sorted({place.get(axis, 1) for _, place in planes}) for axis in order}
        """Of each axis, as the names of the planes have them; the channels last."""
        self._names = {tuple(place.get(axis, 1) for axis in order): plane for plane, place in planes}
        with self._opened(planes[0][0]) as first:
            self._plane_scene = first.scenes[0]
        self.scenes = (self._scene(),)
        check_frames(self.frames, name)

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        wanted = range(len(self._numbers["C"])) if channels is None else channels
        return np.concatenate([self._read({**place.index, "C": one}, region) for one in wanted], axis=2)

    def close(self) -> None:
        self._image.close()

    def _read(self, index: Mapping[str, int], region: Region | None) -> NDArray[np.generic]:
        """One channel of a plane, shape (H, W, 1)."""
        place = {axis: numbers[index.get(axis, 0)] for axis, numbers in self._numbers.items()}
        name = self._names.get(tuple(place.values()))
        if name is None:
            where = ", ".join(f"{axis} {number}" for axis, number in place.items())
            raise DecodeError(f"{self._name} has no plane for {where}: the recording may have been stopped.")
        with self._opened(name) as plane:
            scene = plane.scenes[0]
            if scene.size != self._plane_scene.size or scene.dtype != self._plane_scene.dtype:
                raise ValueError("planes of unequal kinds")
            return plane.plane(Place(), channels=[0], region=region)

    @contextmanager
    def _opened(self, name: str) -> Iterator[Source]:
        """The TIFF file of one plane."""
        with self._part(name) as file:
            plane = tiff.open_file(Path(self._name), file)
            if plane is None:
                raise ValueError("a plane in colour")
            with closing(plane):
                yield plane

    def _part(self, name: str) -> BinaryIO:
        """A file of the folder; oiffile would wait for a named pipe."""
        if self._image.is_oib:
            part: BinaryIO = self._image.open_file(name)
            return part
        return open_to_read(self._path.parent / name, follow=True)

    def _scene(self) -> Scene:
        reference = self._image.mainfile.get("Reference Image Parameter", {})
        bits, dtype = reference.get("ValidBitCounts"), self._plane_scene.dtype
        names, colours = _channel_names(self._image.mainfile), self._colours()
        channels = [
            Channel(
                names[number] if number < len(names) else None,
                colours[number] if number < len(colours) else None,
            )
            for number in range(len(self._numbers["C"]))
        ]
        return Scene(
            self._plane_scene.size,
            dtype,
            tuple(channels),
            {
                axis: len(numbers)
                for axis, numbers in self._numbers.items()
                if axis != "C" and len(numbers) > 1
            },
            bits=bits if isinstance(bits, int) and 0 < bits < 8 * dtype.itemsize else None,
            pixel_um=_pixel_um(reference),
            problem=self._plane_scene.problem,
        )

    def _colours(self) -> list[Colour | None]:
        """The colour for the brightest value of each channel."""
        tables = [name for name in self._image.filesystem.files() if name.lower().endswith(".lut")]
        colours: list[Colour | None] = []
        for name in sorted(tables, key=lambda name: (len(name), name)):
            colour = None
            with suppress(LookupError, ValueError, OSError), self._part(name) as file:
                if length_of(file) > _MOST_TEXT_BYTES:
                    raise ValueError("the text is too long")
                settings = oiffile.SettingsFile(file, name)
                blue, green, red, _ = settings["ColorLUTData"][-1]
                colour = (int(red), int(green), int(blue))
            colours.append(colour)
        return colours


def _places(files: Iterable[str]) -> list[tuple[str, Mapping[str, int]]]:
    """The files of the planes, in order, each with its number along each axis; those of the largest recording."""
    found: dict[str, list[tuple[str, Mapping[str, int]]]] = {}
    for file in sorted(files):
        match = _PLANE.fullmatch(file)
        if match is not None and _PREVIEW not in match[1]:
            place = {axis: int(number) for axis, number in _AXIS.findall(match[2])}
            found.setdefault(match[1], []).append((file, place))
    return max(found.values(), key=len, default=[])


def _channel_names(settings: Mapping[str, Any]) -> list[str | None]:
    """The dye of each channel that was recorded, or what the program called the channel."""
    names: list[str | None] = []
    number = 1
    while channel := settings.get(f"GUI Channel {number} Parameters"):
        if channel.get("CH Activate", 1):
            dye = str(channel.get("DyeName") or "")
            names.append(dye if dye not in ("", "None") else str(channel.get("CH Name") or "") or None)
        number += 1
    return names


def _pixel_um(reference: Mapping[str, Any]) -> tuple[float, float] | None:
    with suppress(TypeError, ValueError, KeyError):
        across, down = float(reference["WidthConvertValue"]), float(reference["HeightConvertValue"])
        if reference.get("WidthUnit", "um") == "um" and 0 < across < 1e6 and 0 < down < 1e6:
            return across, down
    return None


def _check_chains(file: BinaryIO) -> None:
    """Refuse an OIB file of which a chain of sectors leads back to itself: oiffile of 2026.2 follows it forever.

    Raises:
        ValueError: If there is one, or the file is too short for what it says.
    """
    size = file.seek(0, 2)
    file.seek(0)
    shift, tables, mini_start, minis, more_start, more = _OIB_HEADER.unpack(file.read(_OIB_HEADER.size))
    sector = 1 << min(shift, 16)
    if sector < 512 or max(tables, minis, more) > size // sector:
        raise ValueError("there are more sectors than the file has room for")

    def numbers(place: int) -> NDArray[np.uint32]:
        file.seek(sector + place * sector)
        return np.frombuffer(file.read(sector), "<u4")

    places = [*np.frombuffer(file.read(4 * _FIRST_TABLES), "<u4")]
    for _ in range(more):
        *further, more_start = numbers(int(more_start))
        places += further
    table = np.concatenate([numbers(int(place)) for place in places[:tables]] or [np.empty(0, "<u4")])
    _check_ends(table)
    mini: list[NDArray[np.uint32]] = []
    while len(mini) < minis and mini_start < len(table):
        mini.append(numbers(mini_start))
        mini_start = int(table[mini_start])
    _check_ends(np.concatenate(mini or [np.empty(0, "<u4")]))


def _check_ends(table: NDArray[np.uint32]) -> None:
    """Refuse a table of which one chain does not end.

    Raises:
        ValueError: If there is one.
    """
    end = len(table)
    following = np.append(np.minimum(table, end), end).astype(np.intp)
    for _ in range(end.bit_length()):  # each time twice as many steps at once
        following = following[following]
    if (following != end).any():
        raise ValueError("a chain of sectors leads back to itself")
