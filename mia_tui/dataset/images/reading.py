"""Opening an image file: the reader for it, what is refused, and one sentence for every fault.

Which formats there are stands in `formats`; how a file becomes pixels in `source` and `readers`.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mia_tui.dataset.images.bytes_in_flight import IN_FLIGHT, ByteShare
from mia_tui.dataset.images.channels import Planes, show
from mia_tui.dataset.images.formats import INSTALL, START_BYTES, Format, format_of_name, format_of_start
from mia_tui.dataset.images.limits import (
    MAX_MEGAPIXELS,
    check_channels,
    check_frames,
    check_megapixels,
    check_memory,
)
from mia_tui.dataset.images.readers.gif import check_gif
from mia_tui.dataset.images.readers.pillow import PillowSource
from mia_tui.dataset.images.source import DAMAGED, FRAME_NUMBERING, Place, Region, Scene, Size, Source
from mia_tui.dataset.images.stack import StackSource
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.disk_errors import UNREACHABLE
from mia_tui.errors import DecodeError
from mia_tui.files import OddFile, open_to_read
from mia_tui.text import counted, printable

if TYPE_CHECKING:
    from mia_tui.config.train import Frames, StackPick

FAULTS = logging.getLogger("mia_tui.images")
"""Gets the traceback of every damaged file, at level INFO: nobody sees it unless a handler is added."""


def count_frames(path: Path, *, animated: "Frames" = "first", numbering: int = FRAME_NUMBERING) -> int:
    """Number of images in a file: the planes of a TIFF, the frames of a GIF or WebP if asked for.

    Args:
        path: Image file.
        animated: Whether only the first frame of an animated GIF or WebP counts, or all of them.
        numbering: See `source.FRAME_NUMBERING`.

    Raises:
        DecodeError: If the file is not an image or cannot be opened.
    """
    with open_source(path, numbering=numbering) as source:
        frames = source.frames if not source.is_animation or animated == "all" else 1
        check_frames(frames, path.name)
        return frames


def new_frame_numbers(path: Path) -> list[int] | None:
    """For each frame of a file by numbering 1 its number by numbering 2; None where nothing changes.

    Pages that hold channels of one image get the same number; a page that is no image any more, such as the label of
    a slide, gets -1.

    Raises:
        DecodeError: If the file cannot be opened.
    """
    with reading(path), open_to_read(path, follow=True) as file:
        chosen = format_of_start(file.read(START_BYTES), format_of_name(path.name))
        if chosen is None or not chosen.had_pages:
            return None
        file.seek(0)
        numbers: list[int] | None = _reader(chosen, path).new_frame_numbers(path, file)
        return numbers


def read_image(
    path: str | Path,
    frame: int = 0,
    channels: Sequence[int | str] | int | str | None = None,
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> NDArray[np.generic]:
    """The pixels of one image as its file has them: every channel, upright, nothing scaled or cut off.

    Args:
        path: Image file of any format that mia-tui reads; an OME-Zarr image is a folder.
        frame: Its number in a file of several: along T, then Z, then from one scene to the next.
        channels: One or several, each by its number from 0 or by its name as for `--channels`, in the order wanted;
            None for all.
        max_megapixels: A larger image is refused before it is read.

    Returns:
        Shape (H, W, C), in the file's own dtype: uint8 of a photograph, mostly uint16 of a camera. Colours are red,
        green, blue, in a fourth channel how opaque a pixel is; of a palette the numbers of its colours.

    Raises:
        DecodeError: If the file is missing, damaged, no image, too large, has no such frame, is of a kind that cannot
            be read, needs `pip install 'mia-tui[microscopy]'`, or has no such channel; the message is a sentence that
            says which.
    """
    path = Path(path)
    if frame < 0:  # such as `WHOLE_STACK`
        raise _no_frame(path, frame)
    with opened(path, frame, max_megapixels) as image:
        wanted = None if channels is None else _channel_numbers(image.scene, channels, path)
        values = image.planes(channels=wanted).values
        return np.require(values, image.scene.dtype, ["C", "W"])


def _channel_numbers(scene: Scene, channels: Sequence[int | str] | int | str, path: Path) -> list[int]:
    from mia_tui.dataset.images.network.selection import find_channels  # reading has no use for it otherwise

    numbers = []
    for wanted in [channels] if isinstance(channels, (int, str)) else channels:
        number = wanted
        if isinstance(wanted, str) and scene.palette is None and scene.colour in (None, "rgb"):
            number = find_channels(scene, [wanted], path.name)[0]
            number = number if scene.colour else scene.measured[number]
        if not isinstance(number, int) or not 0 <= number < len(scene.channels):
            there = counted(len(scene.channels), "channel")
            raise DecodeError(
                f"{printable(path.name)} has {there}, counted from 0, and no {printable(wanted)}."
            )
        numbers.append(number)
    return numbers


@dataclass(frozen=True)
class OpenedFrame:
    """One frame of an open file, not decoded yet.

    Attributes:
        source: The file.
        place: Where the frame is in it.
        path: Of the file.
        max_megapixels: More is not read at once.
        share: Of the memory for decoding; None to take it without asking.
    """

    source: Source
    place: Place
    path: Path
    max_megapixels: float
    share: ByteShare | None = None

    @property
    def scene(self) -> Scene:
        return self.source.scenes[self.place.scene]

    def level_for(self, least: Callable[[Size], Size]) -> int:
        """The number of the smallest level that is enough.

        Args:
            least: The smallest size that is enough, from the size of the whole image; both upright.
        """
        size = self.scene.size
        width, height = least(size)
        by = min(size[0] // max(1, width), size[1] // max(1, height))
        fitting = [
            number for number, level in enumerate(self.scene.levels) if round(size[0] / level[0]) <= by
        ]
        return max(fitting, default=0)

    def planes(
        self,
        level: int = 0,
        region: Region | None = None,
        channels: Sequence[int] | None = None,
        beside_bytes: int = 0,
    ) -> Planes:
        """The pixels in the file's own numbers.

        Args:
            level: Number of one of the scene's levels.
            region: A part of that level; None for all of it.
            channels: Their numbers; None for all.
            beside_bytes: Memory that is needed beside the pixels, to make something of them.
        """
        self._check(level, region, beside_bytes)
        values = self.source.plane(self.place, channels=channels, level=level, region=region)
        return Planes(values, self.scene)

    def picture(self, outside: tuple[float, float], level: int = 0) -> Image.Image:
        """The pixels in 8 bits, mode RGB or L; see `bit_depth.tonal_window` for `outside`."""
        ready = self.ready_picture(level)
        if ready is not None:
            return ready
        return Image.fromarray(np.ascontiguousarray(show(self.planes(level), outside)))

    def ready_picture(self, level: int = 0) -> Image.Image | None:
        """The pixels as Pillow has them, see `Source.picture`."""
        self._check(level, None)
        return self.source.picture(self.place, level)

    def cost_bytes(self, level: int = 0, region: Region | None = None) -> int:
        """Memory that reading takes; more than its size where whole tiles or strips are decoded."""
        return self.source.cost_bytes(self.place, level, region)

    def _check(self, level: int, region: Region | None, beside_bytes: int = 0) -> None:
        if self.scene.problem is not None:
            raise DecodeError(self.scene.problem)
        size = (region.width, region.height) if region else self.scene.levels[level]
        cost = self.cost_bytes(level, region)
        check_memory(size, cost, self.max_megapixels, self.path.name)
        if self.share is not None:
            self.share.need(cost + beside_bytes)


@contextmanager
def opened(
    path: Path,
    frame: int,
    max_megapixels: float,
    *,
    numbering: int = FRAME_NUMBERING,
    stack: "StackPick" = "max",
) -> Iterator[OpenedFrame]:
    """One frame of an image file, opened and not decoded yet.

    Args:
        path: The file.
        frame: Its number, or `WHOLE_STACK`.
        max_megapixels: More is not read at once.
        numbering: What the number means, see `source.FRAME_NUMBERING`.
        stack: What is taken of a whole stack.

    Raises:
        DecodeError: For every fault of the file, found here or while the image is used.
    """
    with open_source(path, numbering=numbering) as source:
        if isinstance(source, PillowSource):
            check_megapixels(source.raw_size, max_megapixels, path.name)
        found = frame_of(source, frame, path, max_megapixels, stack=stack)
        share = ByteShare(IN_FLIGHT)
        try:
            yield replace(found, share=share)
        finally:
            share.give_back()


def frame_of(
    source: Source,
    frame: int,
    path: Path,
    max_megapixels: float = MAX_MEGAPIXELS,
    *,
    stack: "StackPick" = "max",
) -> OpenedFrame:
    """One frame of an open file, or all of them as one.

    Raises:
        DecodeError: If there is none of that number.
    """
    if frame == WHOLE_STACK:
        check_frames(source.frames, path.name)
        source, frame = StackSource(source, stack, printable(path.name)), 0
    try:
        place = source.place(frame)
    except IndexError as error:
        raise _no_frame(path, frame) from error
    check_channels(len(source.scenes[place.scene].channels), path.name)
    return OpenedFrame(source, place, path, max_megapixels)


def _no_frame(path: Path, frame: int) -> DecodeError:
    return DecodeError(f"{printable(path.name)} has no frame {frame} (frames count from 0).")


@contextmanager
def open_source(path: Path, *, numbering: int = FRAME_NUMBERING) -> Iterator[Source]:
    """An image file, opened by the reader for it.

    Args:
        path: The file, or the folder that is an image.
        numbering: See `source.FRAME_NUMBERING`; 1 for frame numbers that were kept by an earlier version.

    Raises:
        DecodeError: For every fault of the file, found here or while it is used; also for a named pipe or a device,
            without waiting for it.
    """
    likely = format_of_name(path.name)
    with reading(path), ExitStack() as stack:
        if likely is not None and likely.is_folder:
            source = _reader(likely, path).open_file(path)
        else:
            file = stack.enter_context(open_to_read(path, follow=True))
            source = _source_of(path, file, likely, numbering)
            source.file = file
        with closing(source):
            yield source


def _source_of(path: Path, file: BufferedReader, likely: Format | None, numbering: int) -> Source:
    start = file.read(START_BYTES)
    file.seek(0)
    if start.startswith(b"GIF"):
        check_gif(file, 1, path)
    chosen = format_of_start(start, likely)
    if chosen is None and likely is not None and (likely.package or not likely.starts):
        chosen = likely  # other content under the name of a common format is left to Pillow
    if chosen is not None and chosen.module:
        reader = _reader(chosen, path)
        opens = reader.open_pages if chosen.had_pages and numbering == 1 else reader.open_file
        source: Source | None = opens(path, file)
        if source is not None:
            return source
        file.seek(0)
    return PillowSource(path, file)


def _reader(chosen: Format, path: Path) -> Any:
    """The module that reads a format; its `open_file` gives None where Pillow is to read the file."""
    try:
        return import_module(f"mia_tui.dataset.images.readers.{chosen.module}")
    except ImportError as error:
        if not chosen.package:
            raise
        raise DecodeError(
            f"{printable(path.name)} is {chosen.name}, which needs a reader of its own. {INSTALL}"
        ) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what a reader raises about a file into a DecodeError."""
    name = printable(path.name)
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DecodeError(f"{name} is not there any more.") from error
    except PermissionError as error:
        raise DecodeError(f"{name} may not be read by you.") from error
    except UnidentifiedImageError as error:
        if _is_empty(path):
            raise DecodeError(f"{name} is empty (0 bytes).") from error
        raise DecodeError(f"{name} is not an image, or of a kind that cannot be read.") from error
    except OddFile as error:
        raise DecodeError(f"{name} cannot be read: {error.strerror}.") from error
    except MemoryError as error:
        raise DecodeError(f"{name} needs more memory than there is.") from error
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno in UNREACHABLE:  # the file may be intact
            raise DecodeError(f"{name} cannot be read: {error.strerror}.") from error
        FAULTS.info("%s", printable(path), exc_info=error)
        raise DecodeError(f"{name} is cut short or damaged.") from error


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False
