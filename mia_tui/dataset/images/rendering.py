"""Rendering an image for the screen: zoom, position, brightness, contrast, channels. Never changes a file.

Files are read as by `decode`: upright; but of a large image only what is needed: a reduced JPEG, the smallest level
of a pyramid that is large enough, or the part that is seen.

The whole image is fitted into a box of pixels and only made smaller, never
larger: a terminal enlarges by itself, with fewer bytes. From a zoom of two
screen pixels for each image pixel on, image pixels are drawn as square blocks,
so that single pixels can be seen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from mia_tui.dataset.images import contrast
from mia_tui.dataset.images.channels import (
    ALL_CHANNELS,
    RGB_NAMES,
    ChannelChoice,
    Planes,
    ValueRanges,
    channel_names,
    has_ranges,
    show_between,
)
from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.reading import OpenedFrame, opened
from mia_tui.dataset.images.screen.averages import averaged
from mia_tui.dataset.images.screen.centre_mark import with_centre_mark
from mia_tui.dataset.images.screen.heat import HeatMap, with_heat
from mia_tui.dataset.images.screen.part import MAX_SCALE, VisiblePart, visible_part
from mia_tui.dataset.images.screen.pixels import KeptOverviews, Measured, PixelGrid, grid_of, whole_grid
from mia_tui.dataset.images.screen.windows import Window, WindowKind, fixed_ranges, ranges_for
from mia_tui.dataset.images.source import Place, Scene, Size

_MAX_ZOOM = 1000.0  # beyond MAX_SCALE in any image of up to 12,000 pixels on a side
_GAP = 1.5  # so many times larger than wanted, an image is enough for the filter


@dataclass(frozen=True)
class RenderedImage:
    """What is shown of an image."""

    pixels: np.ndarray
    """uint8, shape (H, W, 3), no larger than the box."""
    image_width: int
    """Of the whole image at full resolution, in pixels."""
    image_height: int
    scale: float
    """Pixels of the box for one image pixel: 4.0 is 400 %."""
    left: float
    """The part that is shown, in image pixels."""
    top: float
    width: float
    height: float
    scene: Scene
    """What the image is."""
    place: Place
    """Where it is in its file."""
    channels: dict[int, str]
    """Names of the channels that can be seen alone, by their numbers; empty if there is only one."""
    ranges: ValueRanges
    """The values that became black and white: one pair for all channels together, or one for each."""
    window: WindowKind
    """Where these are from."""

    @property
    def is_deep(self) -> bool:
        """Whether the file's values had to be brought to 8 bits."""
        return has_ranges(self.scene)

    def scale_in(self, box_px: tuple[int, int]) -> float:
        """`scale` of this part in another box, for half blocks, which have fewer pixels than the panel."""
        return min(box_px[0] / self.width, box_px[1] / self.height)


@dataclass(frozen=True)
class DisplaySettings:
    """How an image is shown."""

    zoom: float = 1.0
    """1 shows the whole image, 2 half of its width and height."""
    centre: tuple[float, float] = (0.5, 0.5)
    """The point in the middle, as fractions of width and height."""
    brightness: int = 0
    """-100 to 100: shifts the intensities by this percentage of the range."""
    contrast: int = 0
    """-100 (all grey) to 100 (black and white)."""
    window: Window = None
    """Which values become black and white; percentiles such as (0.5, 99.5)."""
    invert: bool = False
    channels: ChannelChoice = ALL_CHANNELS
    centre_mark: bool = False
    """Whether a cross marks the middle of the image."""
    heat: HeatMap | None = None
    """Where a network looks, drawn over this image and no other."""

    def __post_init__(self) -> None:
        window = self.window
        if isinstance(window, tuple) and not 0 <= window[0] < window[1] <= 100:
            raise ValueError(f"a window of percentiles from {window[0]} to {window[1]}")

    def zoomed(self, factor: float, view: RenderedImage | None = None) -> "DisplaySettings":
        """Enlarged by a factor, never smaller than the whole image.

        Args:
            factor: Below 1 makes smaller.
            view: What is shown now; if given, the zoom is limited exactly to MAX_SCALE and to the edges.
        """
        most = _MAX_ZOOM if view is None else max(1.0, self.zoom * MAX_SCALE / view.scale)
        zoom = min(max(1.0, self.zoom * factor), most)
        if zoom < 1.01:  # back from 1.5 * 1.5 / 1.5 / 1.5
            return replace(self, zoom=1.0, centre=(0.5, 0.5))
        return replace(self, zoom=zoom)._inside(_seen(self, view, self.zoom / zoom))

    def zoomed_at(
        self, factor: float, view: RenderedImage, point: tuple[float, float], box_px: tuple[int, int]
    ) -> "DisplaySettings":
        """Enlarged by a factor, so that what is at a point stays there, as far as the edges allow.

        Args:
            factor: Below 1 makes smaller.
            view: What is shown now.
            point: Fractions of the width and height of the box.
            box_px: Width and height of the box.
        """
        zoomed = self.zoomed(factor, view)
        if zoomed.zoom <= 1.0:
            return zoomed
        scale = view.scale_in(box_px)
        new_scale = scale * zoomed.zoom / self.zoom
        centre, seen = [], []
        for at, box, side, start, length in zip(
            point,
            box_px,
            (view.image_width, view.image_height),
            (view.left, view.top),
            (view.width, view.height),
            strict=True,
        ):
            below = start + (at * box - (box - length * scale) / 2) / scale  # the image pixel at the point
            part = min(side, box / new_scale)
            centre.append((min(max(0.0, below), side) + (0.5 - at) * box / new_scale) / side)
            seen.append(part / side)
        return replace(zoomed, centre=(centre[0], centre[1]))._inside((seen[0], seen[1]))

    def panned(self, right: float, down: float, view: RenderedImage | None = None) -> "DisplaySettings":
        """Moved by fractions of what is shown, never beyond the image.

        Args:
            right: 0.25 is a quarter of the width shown.
            down: As `right`.
            view: What is shown now; without it the image is assumed to fill the box.
        """
        seen = _seen(self, view)
        moved = (self.centre[0] + right * seen[0], self.centre[1] + down * seen[1])
        return replace(self, centre=moved)._inside(seen)

    def _inside(self, seen: tuple[float, float]) -> "DisplaySettings":
        across, down = (_clamped(at, part / 2) for at, part in zip(self.centre, seen, strict=True))
        return replace(self, centre=(across, down))


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """The pixels of a whole image, kept so that showing its parts does not decode it again.

    Attributes:
        grid: At full resolution, or reduced for a box.
        measured: Measures the image; only where its pixels are in the file's own values.
    """

    grid: PixelGrid
    scene: Scene
    place: Place
    measured: Callable[[], Measured]

    @property
    def is_reduced(self) -> bool:
        return self.grid.size != self.scene.size


def load_image(
    path: Path,
    frame: int = 0,
    *,
    box_px: tuple[int, int] | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> LoadedImage | None:
    """An image for several calls of `render_image`.

    Args:
        path: Image file.
        frame: Page or frame, from 0.
        box_px: Width and height in which the whole image will be shown, for which it may be read reduced. None is
            full resolution.
        max_megapixels: More is not read at once.

    Returns:
        None for an image whose pixels at full resolution are many, and whose parts are read faster.

    Raises:
        DecodeError: As for `decode.decode`.
    """
    with opened(path, frame, max_megapixels) as image:
        if box_px is None:
            found = whole_grid(image)
        else:
            part = visible_part(image.scene.size, box_px, 1.0, (0.5, 0.5))
            found = grid_of(image, part, box_px, 1.0, KeptOverviews())
            if isinstance(found[0].pixels, Planes):
                found[1]()  # now, since the file is open
        return None if found is None else LoadedImage(found[0], image.scene, image.place, found[1])


def render_image(
    source: Path | LoadedImage,
    frame: int,
    box_px: tuple[int, int],
    settings: DisplaySettings,
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
    kept: KeptOverviews | None = None,
) -> RenderedImage:
    """What is shown of an image.

    Args:
        source: Image file, or a loaded one.
        frame: Page or frame, from 0; ignored for a loaded image.
        box_px: Available width and height.
        settings: How it is shown.
        max_megapixels: More is not read at once.
        kept: Overviews of large images from other calls.

    Raises:
        DecodeError: As for `decode.decode`.
    """
    box = (max(1, box_px[0]), max(1, box_px[1]))
    if isinstance(source, LoadedImage):
        part = visible_part(source.scene.size, box, settings.zoom, settings.centre)
        return _drawn(source, part, _tones(source, settings), settings, box)
    with opened(source, frame, max_megapixels) as image:
        loaded, part = _read(image, box, settings, kept or KeptOverviews())
        tones = _tones(loaded, settings)
    return _drawn(loaded, part, tones, settings, box)


def _read(
    image: OpenedFrame, box: tuple[int, int], settings: DisplaySettings, kept: KeptOverviews
) -> tuple[LoadedImage, VisiblePart]:
    part = visible_part(image.scene.size, box, settings.zoom, settings.centre)
    grid, measured = grid_of(image, part, box, settings.zoom, kept)
    return LoadedImage(grid, image.scene, image.place, measured), part


@dataclass(frozen=True)
class _Tones:
    """Which values become black and white."""

    ranges: ValueRanges
    """Of a deep image; else none."""
    kind: WindowKind
    ends: tuple[int, int]
    """Of what has 8 bits then."""


def _tones(loaded: LoadedImage, settings: DisplaySettings) -> _Tones:
    ranges, kind = ranges_for(loaded.scene, settings.window, loaded.measured)
    return _Tones(ranges, kind, contrast.FULL_RANGE if ranges else _ends(loaded, settings))


def _drawn(
    loaded: LoadedImage, part: VisiblePart, tones: _Tones, settings: DisplaySettings, box: tuple[int, int]
) -> RenderedImage:
    scene, grid = loaded.scene, loaded.grid
    if isinstance(grid.pixels, Image.Image):
        image = _channels_of(_resized(grid.pixels, _box_in(grid, part), part), settings.channels)
    else:
        image = _drawn_values(grid, grid.pixels, part, tones.ranges, settings.channels)
    image = _toned(image, tones.ends, settings)
    pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    if settings.heat is not None:
        pixels = with_heat(pixels, settings.heat, _fractions(part, scene.size))
    if settings.centre_mark:
        middle = (scene.size[0] / 2 - part.left, scene.size[1] / 2 - part.top)
        pixels = with_centre_mark(pixels, box, middle, (part.width, part.height))
    return RenderedImage(
        pixels=pixels,
        image_width=scene.size[0],
        image_height=scene.size[1],
        scale=part.scale,
        left=part.left,
        top=part.top,
        width=part.width,
        height=part.height,
        scene=scene,
        place=loaded.place,
        channels=channel_names(scene),
        ranges=tones.ranges or ((float(tones.ends[0]), float(tones.ends[1])),),
        window=tones.kind,
    )


def _fractions(part: VisiblePart, size: Size) -> "Box":
    """A part as fractions of the whole image."""
    width, height = size
    right, bottom = part.left + part.width, part.top + part.height
    return part.left / width, part.top / height, right / width, bottom / height


Box = tuple[float, float, float, float]
"""Left, top, right and lower edge."""


def _box_in(grid: PixelGrid, part: VisiblePart) -> Box:
    """A part in the pixels of a grid."""
    return (
        (part.left - grid.left) * grid.across,
        (part.top - grid.top) * grid.down,
        (part.left + part.width - grid.left) * grid.across,
        (part.top + part.height - grid.top) * grid.down,
    )


def _resized(image: Image.Image, box: Box, part: VisiblePart) -> Image.Image:
    box = (box[0], box[1], min(box[2], image.width), min(box[3], image.height))
    if part.blocks:
        return image.resize(part.size_px, Image.Resampling.NEAREST, box)
    size = (
        min(part.size_px[0], math.ceil(box[2] - box[0])),
        min(part.size_px[1], math.ceil(box[3] - box[1])),
    )
    if size == image.size:
        return image
    # Blocks of whole pixels are averaged first, which takes a third of the time and looks the same.
    return image.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=_GAP)


def _drawn_values(
    grid: PixelGrid, planes: Planes, part: VisiblePart, ranges: ValueRanges, channels: ChannelChoice
) -> Image.Image:
    """A part of values of any depth: no more of them is brought to 8 bits than is seen."""
    box = _box_in(grid, part)
    by = 1
    if has_ranges(planes.scene):  # Pillow averages 8 bits faster
        while min((box[2] - box[0]) / part.size_px[0], (box[3] - box[1]) / part.size_px[1]) >= 2 * by * _GAP:
            by *= 2
    margin = 2 * by
    left, top = (max(0, math.floor(edge) - margin) // by * by for edge in box[:2])
    values = planes.values[top : math.ceil(box[3]) + margin, left : math.ceil(box[2]) + margin]
    seen = Planes(averaged(values, by), planes.scene)
    shown = Image.fromarray(np.ascontiguousarray(show_between(seen, ranges, channels, own_colours=True)))
    inner = ((box[0] - left) / by, (box[1] - top) / by, (box[2] - left) / by, (box[3] - top) / by)
    return _resized(shown, inner, part)


def _ends(loaded: LoadedImage, settings: DisplaySettings) -> tuple[int, int]:
    """The values that become black and white of an image of 8 bits."""
    window, pixels = settings.window, loaded.grid.pixels
    fixed = fixed_ranges(window, loaded.scene)
    if fixed is not None:
        low, high = fixed[0]
        return int(low), max(int(low) + 1, int(high))
    if not isinstance(window, tuple):
        return contrast.FULL_RANGE
    if isinstance(pixels, Image.Image):
        return contrast.black_and_white(_channels_of(pixels, settings.channels), window)
    return loaded.measured().ends(settings.channels, window)


def _toned(image: Image.Image, ends: tuple[int, int], settings: DisplaySettings) -> Image.Image:
    """An image of 8 bits with brightness and contrast applied."""
    if ends == contrast.FULL_RANGE and not (settings.brightness or settings.contrast or settings.invert):
        return image
    table = contrast.lookup_table(ends, settings.brightness, settings.contrast, settings.invert)
    return image.point(table * len(image.getbands()))


def _channels_of(image: Image.Image, channels: ChannelChoice) -> Image.Image:
    """The chosen ones of red, green and blue."""
    if channels == ALL_CHANNELS or image.mode != "RGB":
        return image
    if channels.alone is not None:
        return image.getchannel(channels.alone) if channels.alone < len(RGB_NAMES) else image
    black = Image.new("L", image.size)
    bands = [black if number in channels.hidden else band for number, band in enumerate(image.split())]
    return Image.merge("RGB", bands)


def _seen(settings: DisplaySettings, view: RenderedImage | None, factor: float = 1.0) -> tuple[float, float]:
    """The fractions of width and height that are shown, multiplied by a factor."""
    shares = (1 / settings.zoom, 1 / settings.zoom)
    if view is not None:
        shares = (view.width / view.image_width, view.height / view.image_height)
    return min(1.0, shares[0] * factor), min(1.0, shares[1] * factor)


def _clamped(at: float, margin: float) -> float:
    return min(max(at, margin), 1 - margin)
