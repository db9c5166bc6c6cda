"""Rendering an image for the screen: zoom, position, brightness, contrast, channel. Never changes a file.

Files are read as by `decode`: upright, in 8 bits; but a large JPEG is reduced on reading.

The whole image is fitted into a box of pixels and only made smaller, never
larger: a terminal enlarges by itself, with fewer bytes. From a zoom of two
screen pixels for each image pixel on, image pixels are drawn as square blocks,
so that single pixels can be seen.
"""

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from mia_tui.dataset.images import bit_depth, contrast
from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.reading import opened

Channel = Literal["all", "red", "green", "blue"]

MAX_SCALE = 64  # screen pixels for one image pixel; several of these fit into any panel
_MAX_ZOOM = 1000.0  # beyond MAX_SCALE in any image of up to 12,000 pixels on a side
_BLOCKS_FROM = 2  # screen pixels for one image pixel
_CHANNELS = ("red", "green", "blue")
# A JPEG may be decoded at this fraction of the size it is shown in: 4000 x 3000 on 1067 x 800 pixels takes half the
# time, and is enlarged by 6 %.
_SHORTFALL = 0.9


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
    window: tuple[float, float] | None = None
    """Percentiles that become black and white, such as (0.5, 99.5). None is the whole range, or the usual window of
    images of more than 8 bits."""
    invert: bool = False
    channel: Channel = "all"
    """A single colour is shown in grey."""

    def __post_init__(self) -> None:
        if self.window is not None and not 0 <= self.window[0] < self.window[1] <= 100:
            raise ValueError(f"a window of percentiles from {self.window[0]} to {self.window[1]}")

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


@dataclass(frozen=True)
class UprightImage:
    """An image after Exif orientation, at full resolution or reduced."""

    image: Image.Image
    """Mode RGB or L."""
    width: int
    """Of the whole image at full resolution, in pixels."""
    height: int
    is_deep: bool
    """Whether the file has more than 8 bits per value."""


@dataclass(frozen=True)
class LoadedImage:
    """An image at full resolution, kept so that showing its parts does not decode it again."""

    upright: UprightImage
    path: Path
    frame: int
    window: tuple[float, float] | None
    """The percentiles by which more than 8 bits were scaled."""


def decode_upright(
    path: Path,
    frame: int = 0,
    *,
    box_px: tuple[float, float] | None = None,
    outside: tuple[float, float] = bit_depth.OUTSIDE,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> UprightImage:
    """An image for the screen.

    Args:
        path: Image file.
        frame: Page or frame, from 0.
        box_px: Width and height in which the whole image will be shown. A large JPEG may be reduced by 2, 4 or 8,
            to no less than 0.9 of that; all others have full resolution. None is full resolution.
        outside: Fractions of the values that are clipped if they have more than 8 bits, see
            `bit_depth.tonal_window`.
        max_megapixels: Larger images are refused.

    Raises:
        DecodeError: As for `decode.decode`.
    """
    with opened(path, frame, max_megapixels) as image:
        level = 0 if box_px is None else image.level_for(partial(_least, box_px))
        return UprightImage(image.picture(outside, level), *image.scene.size, image.scene.is_deep)


def load_image(
    path: Path,
    frame: int = 0,
    *,
    window: tuple[float, float] | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> LoadedImage:
    """An image for several calls of `render_image`.

    Args:
        path: Image file.
        frame: Page or frame, from 0.
        window: Of the settings to come, see `DisplaySettings`; only matters for images of more than 8 bits.
        max_megapixels: Larger images are refused.

    Raises:
        DecodeError: As for `decode.decode`.
    """
    upright = decode_upright(path, frame, outside=_outside(window), max_megapixels=max_megapixels)
    return LoadedImage(upright, path, frame, window)


def render_image(
    source: Path | LoadedImage,
    frame: int,
    box_px: tuple[int, int],
    settings: DisplaySettings,
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> RenderedImage:
    """What is shown of an image.

    Args:
        source: Image file, or a loaded one.
        frame: Page or frame, from 0; ignored for a loaded image.
        box_px: Available width and height.
        settings: How it is shown.
        max_megapixels: Larger images are refused.

    Raises:
        DecodeError: As for `decode.decode`.
    """
    box = (max(1, box_px[0]), max(1, box_px[1]))
    upright = _upright(source, frame, box, settings, max_megapixels)
    part = _part(upright, box, settings)
    image = _shown(_cut(upright, part), upright, settings)
    return RenderedImage(
        pixels=np.array(image if image.mode == "RGB" else image.convert("RGB")),
        image_width=upright.width,
        image_height=upright.height,
        scale=part.scale,
        left=part.left,
        top=part.top,
        width=part.width,
        height=part.height,
    )


@dataclass(frozen=True)
class _VisiblePart:
    """A part of an image, in pixels of the full resolution."""

    left: float
    top: float
    width: float
    height: float
    scale: float
    size_px: tuple[int, int]
    """Width and height on the screen."""
    blocks: bool


def _least(box_px: tuple[float, float], size: tuple[int, int]) -> tuple[int, int]:
    """The smallest size at which an image may be read for a box."""
    scale = _SHORTFALL * min(1.0, box_px[0] / size[0], box_px[1] / size[1])
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _upright(
    source: Path | LoadedImage,
    frame: int,
    box: tuple[int, int],
    settings: DisplaySettings,
    max_megapixels: float,
) -> UprightImage:
    if isinstance(source, LoadedImage):
        if not source.upright.is_deep or source.window == settings.window:
            return source.upright
        return _upright(source.path, source.frame, box, settings, max_megapixels)
    zoom = max(1.0, settings.zoom)
    return decode_upright(
        source,
        frame,
        box_px=(box[0] * zoom, box[1] * zoom),
        outside=_outside(settings.window),
        max_megapixels=max_megapixels,
    )


def _outside(window: tuple[float, float] | None) -> tuple[float, float]:
    return bit_depth.OUTSIDE if window is None else (window[0] / 100, 1 - window[1] / 100)


def _part(upright: UprightImage, box: tuple[int, int], settings: DisplaySettings) -> _VisiblePart:
    sides = (upright.width, upright.height)
    fit = min(box[0] / sides[0], box[1] / sides[1])
    scale = min(
        fit * max(1.0, settings.zoom), max(fit, MAX_SCALE), max(fit, min(box))
    )  # at least one pixel fits
    if settings.zoom <= 1 or scale < 1:
        parts = [min(side, available / scale) for side, available in zip(sides, box, strict=True)]
        starts = [
            _start(side, part, at) for side, part, at in zip(sides, parts, settings.centre, strict=True)
        ]
        size = [
            max(1, min(available, round(part * min(1.0, scale))))
            for part, available in zip(parts, box, strict=True)
        ]
        return _VisiblePart(starts[0], starts[1], parts[0], parts[1], scale, (size[0], size[1]), blocks=False)
    block = int(scale) if scale >= _BLOCKS_FROM else 1
    scale = block if block > 1 else scale
    whole = [
        max(1, min(side, math.ceil(available / scale), available // block))
        for side, available in zip(sides, box, strict=True)
    ]
    starts = [
        round(_start(side, part, at)) for side, part, at in zip(sides, whole, settings.centre, strict=True)
    ]
    size_px = (whole[0] * block, whole[1] * block)
    return _VisiblePart(starts[0], starts[1], whole[0], whole[1], scale, size_px, blocks=block > 1)


def _start(side: int, part: float, centre: float) -> float:
    """Where a part of a side begins so that it is centred, as far as the side allows."""
    return min(max(0.0, centre * side - part / 2), side - part)


def _cut(upright: UprightImage, part: _VisiblePart) -> Image.Image:
    image = upright.image
    across, down = image.width / upright.width, image.height / upright.height  # below 1 if read reduced
    box = (
        part.left * across,
        part.top * down,
        (part.left + part.width) * across,
        (part.top + part.height) * down,
    )
    if part.blocks:
        return image.resize(part.size_px, Image.Resampling.NEAREST, box)
    size = (
        min(part.size_px[0], math.ceil(box[2] - box[0])),
        min(part.size_px[1], math.ceil(box[3] - box[1])),
    )
    if size == image.size:
        return image
    # Blocks of whole pixels are averaged first, which takes a third of the time and looks the same.
    return image.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=1.5)


def _shown(image: Image.Image, upright: UprightImage, settings: DisplaySettings) -> Image.Image:
    """An image with channel, brightness and contrast applied."""
    ends = contrast.FULL_RANGE
    if settings.window is not None and not upright.is_deep:
        ends = contrast.black_and_white(_channel(upright.image, settings), settings.window)
    image = _channel(image, settings)
    if ends == contrast.FULL_RANGE and not (settings.brightness or settings.contrast or settings.invert):
        return image
    table = contrast.lookup_table(ends, settings.brightness, settings.contrast, settings.invert)
    return image.point(table * len(image.getbands()))


def _channel(image: Image.Image, settings: DisplaySettings) -> Image.Image:
    if settings.channel == "all" or image.mode != "RGB":
        return image
    return image.getchannel(_CHANNELS.index(settings.channel))


def _seen(settings: DisplaySettings, view: RenderedImage | None, factor: float = 1.0) -> tuple[float, float]:
    """The fractions of width and height that are shown, multiplied by a factor."""
    shares = (1 / settings.zoom, 1 / settings.zoom)
    if view is not None:
        shares = (view.width / view.image_width, view.height / view.image_height)
    return min(1.0, shares[0] * factor), min(1.0, shares[1] * factor)


def _clamped(at: float, margin: float) -> float:
    return min(max(at, margin), 1 - margin)
