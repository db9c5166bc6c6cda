"""Properties of an image file, in words: size, depth, axes, channels, frames."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mia_tui.dataset.images.channels import channel_names
from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.readers.pillow import PillowSource
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.images.source import Place, Scene
from mia_tui.errors import DecodeError
from mia_tui.text import counted, printable

_AXES = {"T": "time", "Z": "depth", "A": "angle", "P": "phase", "H": "lifetime", "V": "event"}
_MOST_NAMES = 8


@dataclass(frozen=True)
class ImageFacts:
    """The properties of one image.

    Attributes:
        width: Pixels, upright (after Exif orientation).
        height: As `width`.
        depth: Bits per channel and kind of colour, such as `16 bits, grey`.
        frames: Pages or frames of the file, at least 1.
        scene: What the image is.
        place: Where it is in the file.
        levels: How many sizes of it the file holds, at least 1.
    """

    width: int
    height: int
    depth: str
    frames: int
    scene: Scene
    place: Place
    levels: int

    @property
    def in_words(self) -> str:
        """Everything but frames, such as `512 × 512 pixels, 16 bits, 2 channels: DAPI, GFP (uint16); 5 depths`."""
        scene = self.scene
        first = f"{self.width:,} × {self.height:,} pixels, {self.depth}{_names(scene)}"
        if scene.is_deep:
            first += f" ({scene.dtype.name})"
        words = [first, axes_in_words(scene)]
        if scene.pixel_um is not None:
            words.append(f"a pixel is {pixel_size_in_words(scene.pixel_um)}")
        if self.levels > 1:
            width, height = scene.levels[-1]
            words.append(f"{self.levels} levels, the smallest {width:,} × {height:,}")
        return "; ".join(filter(None, words))


def read_facts(path: Path, frame: int = 0, *, max_megapixels: float = MAX_MEGAPIXELS) -> ImageFacts:
    """Read the properties of one image; only a PNG is decoded for that.

    Args:
        path: Image file.
        frame: Page or frame, from 0.
        max_megapixels: A PNG or JPEG of more is refused.

    Raises:
        DecodeError: If the file is missing, damaged, not an image, too large, or has no such frame.
    """
    with opened(path, frame, max_megapixels) as image:
        scene, source = image.scene, image.source
        if scene.problem is not None:
            raise DecodeError(scene.problem)
        words = scene.stored_as or _stored_as(scene)
        levels = (
            1 if isinstance(source, PillowSource) else len(scene.levels)
        )  # a JPEG holds none: it is reduced
        return ImageFacts(*scene.size, words, source.frames, scene, image.place, levels)


def axes_in_words(scene: Scene) -> str:
    """How many planes there are, such as `3 times × 5 depths`; empty if there is one."""
    axes = [(axis, size) for axis, size in scene.axes.items() if size > 1]
    return " × ".join(
        counted(size, _AXES[axis]) if axis in _AXES else f"{size:,} along {printable(axis)}"
        for axis, size in axes
    )


def place_in_words(scene: Scene, place: Place, frames: int) -> str:
    """Which plane a frame is, such as `time 2 of 3, depth 4 of 5`; empty where that is not known.

    Args:
        scene: What the image is; is named if there are others.
        place: Where it is.
        frames: Images in the file.
    """
    words = [printable(scene.name)] if scene.name and frames > scene.frames else []
    for axis, size in scene.axes.items():
        if size > 1:
            words.append(f"{printable(_AXES.get(axis, axis))} {place.index[axis] + 1:,} of {size:,}")
    return ", ".join(words)


def pixel_size_in_words(pixel_um: tuple[float, float]) -> str:
    """`0.65 µm` wide and high, or `0.65 × 0.7 µm`."""
    width, height = (f"{side:.4g}" for side in pixel_um)
    return f"{width} µm" if width == height else f"{width} × {height} µm"


def _names(scene: Scene) -> str:
    """The channels that the file names, after a colon."""
    if not any(scene.channels[number].name for number in scene.measured):
        return ""
    names = channel_names(scene) or {0: scene.channels[scene.measured[0]].name or ""}
    shown = [printable(name) for name in names.values()]
    more = [f"and {len(shown) - _MOST_NAMES} more"] if len(shown) > _MOST_NAMES else []
    return ": " + ", ".join(shown[:_MOST_NAMES] + more)


def _stored_as(scene: Scene) -> str:
    """Bits and kind of colour, in words."""
    count = len(scene.channels)
    words = {"rgb": "colour", "cmyk": "print colours (CMYK)", "lab": "colour (L*a*b*)"}.get(
        str(scene.colour), "grey" if count == 1 else f"{count} channels"
    )
    if scene.palette is not None:
        words = "palette"
    elif scene.opacity is not None:
        words = f"{'colour' if scene.colour == 'rgb' else 'grey'}, with transparency"
    bits = scene.bits or (1 if scene.dtype == np.bool_ else 8 * scene.dtype.itemsize)
    sign = {"f": ", with decimals", "i": ", with sign"}.get(scene.dtype.kind, "")
    return f"{counted(bits, 'bit')}, {words}{sign}"
