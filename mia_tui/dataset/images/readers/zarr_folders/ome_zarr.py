"""OME-Zarr folders, versions 0.1 to 0.5: images with their pyramids, series of bioformats2raw, plates with wells.

Each image of a series and each field of a well is a scene. Masks (labels) are no images.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.limits import check_channels, check_frames
from mia_tui.dataset.images.readers.zarr_folders.zarr_array import Range, ZarrArray, ZarrFolder
from mia_tui.dataset.images.source import Channel, Colour, Place, Region, Scene, Size, Source
from mia_tui.errors import DecodeError
from mia_tui.text import printable

_MOST_SCENES = 100_000
_MOST_LEVELS = 64
_IN_UM = {
    "angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6,
    "nm": 1e-3, "µm": 1.0, "um": 1.0, "mm": 1e3,
}  # fmt: skip
_RED_GREEN_BLUE = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
_OLD_AXES = "tczyx"
_BY_TYPE = {"channel": "c", "time": "t"}


def open_file(path: Path) -> "OmeZarrSource":
    """Open a folder.

    Raises:
        DecodeError: If it is a file, or holds no image.
    """
    name = printable(path.name)
    if path.is_file():
        raise DecodeError(
            f"{name} is a file, and OME-Zarr is read from folders.",
            "If it is a zip file, unpack it to a folder.",
        )
    if not path.is_dir():
        raise FileNotFoundError(path)
    return OmeZarrSource(path)


class OmeZarrSource(Source):
    """An OME-Zarr folder; see `Source`."""

    format = "OME-Zarr"

    def __init__(self, path: Path) -> None:
        self._folder = ZarrFolder(path)
        self._images: dict[int, _ZarrImage] = {}
        self._paths = list(_images_in(self._folder))
        if not self._paths:
            raise DecodeError(f"{self._folder.name} holds no OME-Zarr image.")
        self.scenes = _Scenes(self)

    @property
    def frames(self) -> int:
        frames = sum(self._frames_of_scenes)
        check_frames(frames, self._folder.name)
        return frames

    def place(self, frame: int) -> Place:
        counts = self._frames_of_scenes if len(self._paths) > 1 else (self.image(0).scene.frames,)
        for number, count in enumerate(counts):
            if 0 <= frame < count:
                axes = self.image(number).scene.axes
                position = np.unravel_index(frame, tuple(axes.values())) if axes else ()
                return Place(number, dict(zip(axes, map(int, position), strict=True)))
            frame -= count
        raise IndexError(f"no frame {frame}")

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        image = self.image(place.scene)
        wanted = list(range(len(image.scene.channels)) if channels is None else channels)
        values = image.levels[level].read(image.ranges(place, wanted, level, region))
        order = [image.axes.index(axis) for axis in "yxc" if axis in image.axes]
        others = [number for number in range(len(image.axes)) if number not in order]
        values = values.transpose(*order, *others)
        values = values.reshape(*values.shape[:2], -1)  # the others have a length of 1
        return values[:, :, [channel - min(wanted) for channel in wanted]]

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        image = self.image(place.scene)
        ranges = image.ranges(place, range(len(image.scene.channels)), level, region)
        return image.levels[level].cost_bytes(ranges)

    def image(self, number: int) -> "_ZarrImage":
        """The image of a scene."""
        if number not in self._images:
            self._images = {number: _ZarrImage(self._folder, self._paths[number])}
        return self._images[number]

    def __len__(self) -> int:
        return len(self._paths)

    @cached_property
    def _frames_of_scenes(self) -> tuple[int, ...]:
        path = self._folder.path
        return _frames_of_scenes(path, os.stat(path).st_mtime_ns, tuple(self._paths))  # noqa: PTH116


@lru_cache(maxsize=4)
def _frames_of_scenes(path: Path, mtime_ns: int, paths: tuple[str, ...]) -> tuple[int, ...]:
    """Frames of each scene. A plate may have thousands, each with files of its own to read."""
    folder = ZarrFolder(path)
    return tuple(_ZarrImage(folder, one).scene.frames for one in paths)


class _Scenes(Sequence[Scene]):
    """The scenes of a folder, read when they are asked for."""

    def __init__(self, source: OmeZarrSource) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return self._source.image(number).scene


class _ZarrImage:
    """A group with the levels of one image.

    Attributes:
        axes: A letter for each axis of its arrays.
        levels: Its arrays, largest first.
        scene: What it is.
    """

    def __init__(self, folder: ZarrFolder, path: str) -> None:
        said = _attributes(folder, path)
        about = said["multiscales"][0]
        datasets = about["datasets"][:_MOST_LEVELS]
        first, *others = (
            ZarrArray(folder, f"{path}/{one['path']}" if path else str(one["path"])) for one in datasets
        )
        axes = about.get("axes") or _OLD_AXES[-len(first.shape) :]
        self.axes = _letters(axes)
        if len(self.axes) != len(first.shape) or not {"y", "x"} <= set(self.axes):
            raise ValueError("axes that do not fit its arrays")
        self.levels = sorted(
            (level for level in (first, *others) if self._is_copy(level, first)),
            key=lambda level: -self._size(level)[0],
        )
        check_channels(self._lengths(first).get("c", 1), folder.name)
        channels = _channels(said.get("omero"), self._lengths(first).get("c", 1))
        is_coloured = tuple(one.colour for one in channels) == _RED_GREEN_BLUE and first.dtype == np.uint8
        name = path if path.count("/") > 1 else str(about.get("name") or "")  # of a field, its well
        self.scene = Scene(
            self._size(first),
            first.dtype,
            channels,
            {axis.upper(): length for axis, length in self._frame_axes(first).items()},
            colour="rgb" if is_coloured else None,
            levels=tuple(self._size(level) for level in self.levels),
            pixel_um=_pixel_um(about, axes, self.axes),
            name=printable(name),
        )

    def ranges(self, place: Place, channels: Sequence[int], level: int, region: Region | None) -> list[Range]:
        """The part of a level's array with these channels of a plane."""
        width, height = self.scene.levels[level]
        region = region or Region(0, 0, width, height)
        if not (0 <= region.left < region.left + region.width <= width) or not (
            0 <= region.top < region.top + region.height <= height
        ):
            raise ValueError(f"{region} is outside")
        known = {
            "x": (region.left, region.left + region.width),
            "y": (region.top, region.top + region.height),
            "c": (min(channels), max(channels) + 1),
        }
        return [known.get(axis) or self._at(place.index[axis.upper()]) for axis in self.axes]

    @staticmethod
    def _at(number: int) -> Range:
        return number, number + 1

    def _lengths(self, level: ZarrArray) -> dict[str, int]:
        return dict(zip(self.axes, level.shape, strict=True))

    def _size(self, level: ZarrArray) -> Size:
        lengths = self._lengths(level)
        return lengths["x"], lengths["y"]

    def _frame_axes(self, level: ZarrArray) -> dict[str, int]:
        lengths = self._lengths(level)
        others = [axis for axis in self.axes if axis not in "tzcyx"]
        return {axis: lengths[axis] for axis in ("t", "z", *others) if axis in lengths}

    def _is_copy(self, level: ZarrArray, first: ZarrArray) -> bool:
        """Whether a level has the same planes: those of volumes may have fewer."""
        if len(level.shape) != len(first.shape) or level.dtype != first.dtype:
            return False
        return self._lengths(level) | {"x": 0, "y": 0} == self._lengths(first) | {"x": 0, "y": 0}


def _attributes(folder: ZarrFolder, path: str) -> dict[str, Any]:
    """What OME says of a group; empty if nothing."""
    new = folder.json(path, "zarr.json")
    if new is None:
        return folder.json(path, ".zattrs") or {}
    said = new.get("attributes", {}).get("ome", {})
    return said if isinstance(said, dict) else {}


def _images_in(folder: ZarrFolder) -> Iterator[str]:
    """Paths of the groups that are images."""
    said = _attributes(folder, "")
    if said.get("multiscales"):
        yield ""
        return
    paths = set()
    for number, path in enumerate(_wells(folder, said) if "plate" in said else _series(folder, said)):
        if number >= _MOST_SCENES:
            raise DecodeError(f"{folder.name} has more than {_MOST_SCENES:,} images.")
        paths.add(path)
        if len(paths) == number:
            raise ValueError(f"two images are {path}")
        yield path


def _wells(folder: ZarrFolder, said: dict[str, Any]) -> Iterator[str]:
    wells = said["plate"]["wells"]
    if len({well["path"] for well in wells}) < len(wells):  # each is a file to read
        raise ValueError("two wells have the same place")
    for well in wells:
        fields = _attributes(folder, well["path"]).get("well", {})
        for field in fields.get("images", ()):
            yield f"{well['path']}/{field['path']}"


def _series(folder: ZarrFolder, said: dict[str, Any]) -> Iterator[str]:
    """As bioformats2raw writes them: a list in the group OME, or groups 0, 1, 2 …"""
    if "bioformats2raw.layout" not in said:
        return
    listed = _attributes(folder, "OME").get("series")
    if listed:
        yield from map(str, listed)
        return
    number = 0
    while _attributes(folder, str(number)).get("multiscales"):
        yield str(number)
        number += 1


def _letters(axes: Sequence[Any]) -> str:
    """A letter for each axis; the channels are c, whatever their name is."""
    letters = []
    for axis in axes:
        name = str(axis.get("name") if isinstance(axis, dict) else axis).lower()
        kind = axis.get("type") if isinstance(axis, dict) else None
        letters.append(_BY_TYPE.get(str(kind), name[:1]))
    if len(set(letters)) < len(letters):
        raise ValueError("two axes of one name")
    return "".join(letters)


def _channels(omero: object, count: int) -> tuple[Channel, ...]:
    listed = omero.get("channels") if isinstance(omero, dict) else None
    said = listed if isinstance(listed, list) and len(listed) == count else [{}] * count
    return tuple(
        Channel(printable(str(one["label"])) if one.get("label") else None, _colour(one.get("color")))
        for one in said
    )


def _colour(text: object) -> Colour | None:
    if not isinstance(text, str) or len(text) != 6:
        return None
    try:
        red, green, blue = bytes.fromhex(text)
    except ValueError:
        return None
    return red, green, blue


def _pixel_um(about: dict[str, Any], axes: Sequence[Any], letters: str) -> tuple[float, float] | None:
    """Width and height of a pixel of the largest level."""
    sides = []
    for letter in "xy":
        number = letters.index(letter)
        axis = axes[number]
        unit = _IN_UM.get(str(axis.get("unit")).lower()) if isinstance(axis, dict) else None
        if unit is None:
            return None
        for transformations in (about["datasets"][0], about):
            for one in transformations.get("coordinateTransformations", ()):
                if one.get("type") == "scale" and "scale" in one:
                    unit *= float(one["scale"][number])
        sides.append(unit)
    width, height = sides
    return (width, height) if 0 < width < np.inf and 0 < height < np.inf else None
