"""The contract between readers of image files and everything that uses their pixels.

A file holds scenes: fields of view, or single pages. A scene holds planes of one size and kind, over time (T), depth
(Z) and axes without a meaning of their own. Each plane is a frame; its channels are never frames. Smaller copies (the
levels of a pyramid), thumbnails, labels and macro pictures of a slide are no images of their own.
"""

import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import BinaryIO, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mia_tui.dataset.model import FRAME_NUMBERING as FRAME_NUMBERING  # of the frames as said above

# What readers raise on damaged bytes; 55,000 randomly changed files of ten formats raised no other. The last two are
# from libraries that expect what a damaged file does not have.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
    AssertionError,
    NameError,
)

Size = tuple[int, int]
"""Width and height in pixels."""
Colour = tuple[int, int, int]
"""Red, green and blue, each 0 to 255."""
ColourModel = Literal["rgb", "cmyk", "lab"]


@dataclass(frozen=True)
class Region:
    """A rectangle in the pixels of a level, upright."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Channel:
    """A measurement of its own, such as a stain; None where the file does not say."""

    name: str | None = None
    colour: Colour | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Planes of one size and kind.

    Attributes:
        size: Width and height of a plane at full resolution, upright.
        dtype: Of the values, in the byte order of this machine.
        channels: At least one; of a coloured picture those of its colour model and its opacity.
        axes: Number of planes along each axis whose planes are frames, slowest first: T, Z, then others.
        colour: What the first channels are together; None if each is a measurement of its own.
        opacity: Number of the channel that says how opaque a pixel is; None if there is none.
        is_multiplied: Whether the other channels were multiplied with it.
        palette: Colour of each value of the only channel, shape (N, 3), uint16; None without a palette.
        is_inverted: Whether 0 is white.
        bits: Significant bits of a value where they are fewer than those of `dtype`.
        levels: Sizes of the plane that can be read, upright, largest first; the first is `size`.
        pixel_um: Width and height of a pixel in micrometres; None where the file does not say.
        name: What the file calls it.
        stored_as: Bits and kind of colour in words, where a reader knows them better than these attributes tell.
        problem: Why its planes cannot be read, a sentence; None if they can.
    """

    size: Size
    dtype: np.dtype
    channels: tuple[Channel, ...] = (Channel(),)
    axes: Mapping[str, int] = field(default_factory=dict)
    colour: ColourModel | None = None
    opacity: int | None = None
    is_multiplied: bool = False
    palette: NDArray[np.uint16] | None = None
    is_inverted: bool = False
    bits: int | None = None
    levels: tuple[Size, ...] = ()
    pixel_um: tuple[float, float] | None = None
    name: str = ""
    stored_as: str = ""
    problem: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", self.levels or (self.size,))

    @property
    def frames(self) -> int:
        return prod(self.axes.values())

    @property
    def is_deep(self) -> bool:
        """Whether values have more than 8 bits, or a sign."""
        return self.palette is None and self.dtype not in (np.dtype(np.uint8), np.dtype(np.bool_))

    @property
    def measured(self) -> tuple[int, ...]:
        """Numbers of the channels that are measurements of their own; none of a coloured picture or palette."""
        if self.colour is not None or self.palette is not None:
            return ()
        return tuple(number for number in range(len(self.channels)) if number != self.opacity)


class LazyScenes(Sequence[Scene]):
    """Scenes of one frame each, unless their source counts frames itself, that are read from the file when asked for.

    Args:
        count: Says how many there are.
        make: Reads one; IndexError if there is none.
    """

    def __init__(self, count: Callable[[], int], make: Callable[[int], Scene]) -> None:
        self._count, self._make = count, make
        self._made: tuple[int, Scene] | None = None

    def __len__(self) -> int:
        return self._count()

    @overload
    def __getitem__(self, number: int) -> Scene: ...
    @overload
    def __getitem__(self, number: slice) -> list[Scene]: ...
    def __getitem__(self, number: int | slice) -> Scene | list[Scene]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if self._made is None or self._made[0] != number:
            self._made = number, self._make(number)
        return self._made[1]


@dataclass(frozen=True)
class Place:
    """A plane of a source: the number of its scene, and its position along each of the scene's axes."""

    scene: int = 0
    index: Mapping[str, int] = field(default_factory=dict)


class Source(ABC):
    """An open image file. Readers are in `readers`; `reading.open_source` finds the one for a file.

    What a reader raises about a damaged file becomes one sentence in `reading`; what it knows better it says itself
    with a DecodeError.

    Attributes:
        format: What people call the format: PNG, TIFF, OME-TIFF, CZI.
        scenes: At least one; may be `LazyScenes`.
        file: The open file; None where the image is a folder.
        is_animation: Whether the frames are moments of a moving picture, of which mostly the first is wanted.
        is_whole: Whether the file, or the folder, has all of the image; a slide may have further files beside it.
    """

    format: str
    scenes: Sequence[Scene]
    is_animation: bool = False
    is_whole: bool = True
    file: BinaryIO | None = None

    @property
    def frames(self) -> int:
        """Images in the file, at least 1."""
        return len(self.scenes) if isinstance(self.scenes, LazyScenes) else sum(s.frames for s in self.scenes)

    def place(self, frame: int) -> Place:
        """Where a frame is: scene by scene, then along the axes, the last one fastest.

        Raises:
            IndexError: If there is none.
        """
        if isinstance(self.scenes, LazyScenes):
            self.scenes[frame]
            return Place(frame)
        left = frame
        for number, scene in enumerate(self.scenes):
            if 0 <= left < scene.frames:
                position = np.unravel_index(left, tuple(scene.axes.values())) if scene.axes else ()
                return Place(number, dict(zip(scene.axes, map(int, position), strict=True)))
            left -= scene.frames
        raise IndexError(f"no frame {frame}")

    @abstractmethod
    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        """The pixels of one plane.

        Args:
            place: From `place`.
            channels: Their numbers, in the order wanted; None for all.
            level: Number of one of the scene's levels.
            region: A part of that level; None for all of it.

        Returns:
            Shape (H, W, C), upright, in the file's own dtype; may be read-only.
        """

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        """Memory that reading a plane takes; more than its size where whole tiles or strips are decoded."""
        scene = self.scenes[place.scene]
        width, height = (region.width, region.height) if region else scene.levels[level]
        return width * height * len(scene.channels) * scene.dtype.itemsize

    def picture(self, place: Place, level: int) -> Image.Image | None:
        """A plane as Pillow has it, mode L or RGB, upright, where it is of 8 bits and opaque and Pillow read it.

        This saves two copies of a large photograph. None where `plane` is the only way.
        """
        return None

    def close(self) -> None:
        """Let go of the file."""
        return


def part_of(
    values: NDArray[np.generic], channels: Sequence[int] | None, region: Region | None
) -> NDArray[np.generic]:
    """The wanted part of the values (H, W, C) of a whole plane."""
    if region is not None:
        values = values[region.top : region.top + region.height, region.left : region.left + region.width]
    return values if channels is None else values[:, :, list(channels)]
