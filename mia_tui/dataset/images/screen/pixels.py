"""The pixels from which a part of an image is drawn, and what is measured on the whole of it.

What is seen of a deep image depends on a window between two of its values. These are measured on the same pixels at
every zoom and in every place, so that moving over an image does not change its brightness.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil, floor, sqrt
from threading import Lock

import numpy as np
from PIL import Image

from mia_tui.dataset.images import contrast
from mia_tui.dataset.images.channels import (
    ChannelChoice,
    Planes,
    ValueRanges,
    has_ranges,
    ranges_of,
    show_between,
)
from mia_tui.dataset.images.reading import OpenedFrame
from mia_tui.dataset.images.screen.averages import AT_ONCE_BYTES, comes_in_parts, read_averaged
from mia_tui.dataset.images.screen.part import VisiblePart
from mia_tui.dataset.images.source import Region, Scene, Size
from mia_tui.errors import DecodeError
from mia_tui.text import printable

# A JPEG may be decoded at this fraction of the size it is shown in: 4000 x 3000 on 1067 x 800 pixels takes half the
# time, and is enlarged by 6 %.
_SHORTFALL = 0.9
_MEASURED_PX = 1_000_000  # of a level that is enough to measure
_MOST_AVERAGED_PX = 20_000_000_000  # of a level
_OVERVIEW_PX = 2048  # on the longer side, at least
_MARGIN_PX = 2  # beside a part, for the filter
_OVERVIEW_BYTES = 128 << 20
_KEPT = 2  # images


@dataclass(frozen=True, eq=False)
class PixelGrid:
    """Pixels of an image or of a part of it, at full resolution or reduced."""

    pixels: Image.Image | Planes
    """Mode RGB or L; or the file's own values."""
    across: float
    """Columns of these pixels for one column of the image, at most 1."""
    down: float
    left: float = 0.0
    """Of the corner, in image pixels."""
    top: float = 0.0

    @property
    def size(self) -> Size:
        if isinstance(self.pixels, Image.Image):
            return self.pixels.size
        height, width = self.pixels.values.shape[:2]
        return width, height


class Measured:
    """What is measured on an image, each once.

    Args:
        planes: The pixels it is measured on.
    """

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        self._ranges: dict[tuple[float, float], ValueRanges] = {}

    def ranges(self, outside: tuple[float, float]) -> ValueRanges:
        """As `channels.ranges_of`; of values of 8 bits the smallest and the largest."""
        if outside not in self._ranges:
            self._ranges[outside] = ranges_of(self._planes, outside)
        return self._ranges[outside]

    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest finite value."""
        values = self._planes.values
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)

    def ends(self, choice: ChannelChoice, window: tuple[float, float]) -> tuple[int, int]:
        """Of values of 8 bits, see `contrast.black_and_white`."""
        shown = np.ascontiguousarray(show_between(self._planes, (), choice, own_colours=True))
        return contrast.black_and_white(Image.fromarray(shown), window)


@dataclass(frozen=True, eq=False)
class Overview:
    """A large image, small enough to be kept.

    Attributes:
        grid: All of it.
        measured: What is measured on it.
    """

    grid: PixelGrid
    measured: Measured


class KeptOverviews:
    """The overviews of the last few large images; for any number of threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[object, Overview] = OrderedDict()

    def known(self, image: OpenedFrame) -> Overview | None:
        """Of an open image, if it was made."""
        with self._lock:
            return self._kept.get(_version(image))

    def of(self, image: OpenedFrame) -> Overview:
        """Of an open image; made if it is not there."""
        found = self.known(image)
        if found is None:
            found = _overview(image)
            with self._lock:
                self._kept[_version(image)] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return found


def whole_grid(image: OpenedFrame) -> tuple[PixelGrid, Callable[[], Measured]] | None:
    """A whole image at full resolution; None if it is large and its parts are read faster."""
    if comes_in_parts(image):
        return None
    ready = image.ready_picture()
    if ready is not None:
        return PixelGrid(ready, 1.0, 1.0), _of_picture
    return _read_whole(image, 0)


def grid_of(
    image: OpenedFrame, part: VisiblePart, box: Size, zoom: float, kept: KeptOverviews
) -> tuple[PixelGrid, Callable[[], Measured]]:
    """The pixels from which a part is drawn: of the smallest level that has enough of them.

    Args:
        image: An open file.
        part: What is seen.
        box: Width and height in which it is shown.
        zoom: 1 for the whole image.
        kept: Overviews made before.

    Returns:
        The pixels, and what measures the image; only for pixels in the file's own values. The first call needs the
        open file.
    """
    wanted = (box[0] * max(1.0, zoom), box[1] * max(1.0, zoom))
    level = image.level_for(lambda size: _least(wanted, size))
    in_parts = comes_in_parts(image)
    if not in_parts or (zoom <= 1 and not comes_in_parts(image, level)):
        ready = image.ready_picture(level)
        if ready is not None:
            return _grid(ready, image.scene), _of_picture
    if not in_parts:
        return _read_whole(image, level)

    @cache
    def measured() -> Measured:
        return kept.of(image).measured

    costly = image.cost_bytes(level, _region(image.scene, part, level, 1)) > AT_ONCE_BYTES
    overview = kept.of(image) if costly or has_ranges(image.scene) else kept.known(image)
    if overview is not None and overview.grid.across >= _SHORTFALL * min(1.0, part.scale):
        return overview.grid, measured
    return _read_part(image, part, level), measured


def _of_picture() -> Measured:
    raise AssertionError("a picture of Pillow is measured as it is")


def _read_whole(image: OpenedFrame, level: int) -> tuple[PixelGrid, Callable[[], Measured]]:
    scene, planes = image.scene, image.planes(level)
    if has_ranges(scene) or len(scene.measured) > 1:
        return _grid(planes, scene), _measuring(image, planes, level)
    return _grid(Image.fromarray(np.ascontiguousarray(show_between(planes, ()))), scene), _of_picture


def _measuring(image: OpenedFrame, planes: Planes, level: int) -> Callable[[], Measured]:
    """Measures what was read, unless another level is the one to measure."""
    best = _measured_level(image)
    is_best = level == best or not has_ranges(image.scene)
    measured = Measured(planes if is_best else image.planes(best))
    return lambda: measured


def _least(box_px: tuple[float, float], size: Size) -> Size:
    """The smallest size at which an image may be read for a box."""
    scale = _SHORTFALL * min(1.0, box_px[0] / size[0], box_px[1] / size[1])
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _measured_level(image: OpenedFrame) -> int:
    """The smallest level that has enough pixels to measure."""
    levels = image.scene.levels
    return max((n for n, (width, height) in enumerate(levels) if width * height >= _MEASURED_PX), default=0)


def _grid(pixels: Image.Image | Planes, scene: Scene) -> PixelGrid:
    size = PixelGrid(pixels, 1.0, 1.0).size
    return PixelGrid(pixels, size[0] / scene.size[0], size[1] / scene.size[1])


def _overview(image: OpenedFrame) -> Overview:
    level = _measured_level(image)
    width, height = image.scene.levels[level]
    if image.cost_bytes(level) <= AT_ONCE_BYTES:
        planes = image.planes(level)
        return Overview(_grid(planes, image.scene), Measured(planes))
    if width * height > _MOST_AVERAGED_PX:
        raise DecodeError(
            f"{printable(image.path.name)} has {width:,} × {height:,} pixels and no smaller copy of them, "
            "which would take minutes to make.",
            "Save it with levels (a pyramid).",
        )
    by, pixel_bytes = 1, len(image.scene.channels) * image.scene.dtype.itemsize
    while (
        max(width, height) // (2 * by) >= _OVERVIEW_PX
        or width * height * pixel_bytes > by**2 * _OVERVIEW_BYTES
    ):
        by *= 2
    every = max(1, floor(sqrt(width * height / _MEASURED_PX)))
    picked = []

    def pick(raw: Planes) -> None:
        picked.append(raw.values[::every, ::every].reshape(-1, 1, raw.values.shape[2]))

    planes = read_averaged(image, level, Region(0, 0, width, height), by, pick)
    sample = np.concatenate(picked)
    side = floor(sqrt(len(sample)))
    square = sample[: side * side].reshape(side, side, -1)
    return Overview(_scaled_grid(planes, image, level, by, 0, 0), Measured(Planes(square, image.scene)))


def _read_part(image: OpenedFrame, part: VisiblePart, level: int) -> PixelGrid:
    scene = image.scene
    ratio = scene.levels[level][0] / scene.size[0] / part.scale
    by = 1
    while image.cost_bytes(level, _region(scene, part, level, by)) > AT_ONCE_BYTES and ratio >= 2 * by:
        by *= 2
    region = _region(scene, part, level, by)
    planes = read_averaged(image, level, region, by)
    return _scaled_grid(planes, image, level, by, region.left, region.top)


def _scaled_grid(planes: Planes, image: OpenedFrame, level: int, by: int, left: int, top: int) -> PixelGrid:
    """Pixels that begin at a place of a level, each the mean of `by` x `by` of its pixels."""
    scene = image.scene
    across, down = (one / full for one, full in zip(scene.levels[level], scene.size, strict=True))
    return PixelGrid(planes, across / by, down / by, left / across, top / down)


def _region(scene: Scene, part: VisiblePart, level: int, by: int) -> Region:
    """A part in the pixels of a level, with a margin, from a multiple of `by` to one or to the edge."""
    starts, sizes = [], []
    for start, length, side, full in zip(
        (part.left, part.top), (part.width, part.height), scene.levels[level], scene.size, strict=True
    ):
        scale, margin = side / full, _MARGIN_PX * by
        first = max(0, floor(start * scale) - margin) // by * by
        last = min(side, ceil((ceil((start + length) * scale) + margin) / by) * by)
        starts.append(first)
        sizes.append(max(1, last - first))
    return Region(starts[0], starts[1], sizes[0], sizes[1])


def _version(image: OpenedFrame) -> object:
    """Of a frame and its file, which may be replaced while the app is open."""
    file = image.source.file
    status = image.path.stat() if file is None else os.fstat(file.fileno())
    return image.path, image.place.scene, tuple(image.place.index.items()), status.st_mtime_ns, status.st_size
