"""Whole slides that are no TIFF: MIRAX, Hamamatsu's VMS and VMU, Sakura's svslide; read by OpenSlide.

The label and the macro picture of a slide are no images. What was not scanned has the slide's background colour.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import openslide
from numpy.typing import NDArray
from PIL import Image

from mia_tui.dataset.images.source import Channel, Place, Region, Scene, Source
from mia_tui.errors import DecodeError
from mia_tui.files import open_to_read
from mia_tui.text import printable

_RGBA_BYTES = 4
_FORMATS = {"mirax": "MIRAX", "hamamatsu": "Hamamatsu slide", "sakura": "Sakura slide"}
_MOST_LEVELS = 64
_MOST_TEXT_BYTES = 4 << 20  # OpenSlide itself reads no more than 1 MiB
_MIRAX = "Slidedat.ini"
_PART = re.compile(
    rb"^[ \t]*(?:INDEXFILE|FILE_[0-9]+|\w*(?:File|Image)(?:\([^)\n]*\))?)[ \t]*=([^\r\n]*)", re.MULTILINE
)
"""A line of a description that names another file."""
_COUNT = re.compile(rb"COUNT[ \t]*=[ \t]*([0-9]+)")
"""How many lines of a kind a description has: the library GLib ends the program where memory for them is missing."""


def open_file(path: Path, file: BinaryIO) -> "SlideSource":
    """Open a slide; the files that belong to it lie beside it.

    Raises:
        DecodeError: If OpenSlide does not know it, or it is damaged.
    """
    name = printable(path.name)
    _check_parts(path, file)
    try:
        return SlideSource(openslide.OpenSlide(path), name)
    except openslide.OpenSlideUnsupportedFormatError:
        raise DecodeError(
            f"{name} is not a slide that can be read.", "Are the files that belong to it in the same place?"
        ) from None
    except openslide.OpenSlideError as error:
        raise DecodeError(
            f"{name} is damaged, or files that belong to it are missing: {printable(error)}."
        ) from error


class SlideSource(Source):
    """An open slide; see `Source`.

    Args:
        slide: As OpenSlide has it.
        name: For messages.
    """

    is_whole = False

    def __init__(self, slide: openslide.OpenSlide, name: str) -> None:
        self._slide, self._name = slide, name
        said = slide.properties
        self.format = _FORMATS.get(said.get(openslide.PROPERTY_NAME_VENDOR, ""), "slide")
        background = said.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR, "")
        self._background = f"#{background}" if len(background) == 6 else "white"
        self.scenes = [
            Scene(
                slide.dimensions,
                np.dtype(np.uint8),
                (Channel(),) * 3,
                colour="rgb",
                levels=slide.level_dimensions[:_MOST_LEVELS],
                pixel_um=_pixel_um(
                    said.get(openslide.PROPERTY_NAME_MPP_X), said.get(openslide.PROPERTY_NAME_MPP_Y)
                ),
            )
        ]

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        picture = self._read(level, region or Region(0, 0, *self.scenes[0].levels[level]))
        values = np.asarray(picture)
        return values if channels is None else values[:, :, list(channels)]

    def picture(self, place: Place, level: int) -> Image.Image | None:
        return self._read(level, Region(0, 0, *self.scenes[0].levels[level]))

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        size = (region.width, region.height) if region else self.scenes[0].levels[level]
        return 2 * _RGBA_BYTES * prod(size)

    def close(self) -> None:
        self._slide.close()

    def _read(self, level: int, region: Region) -> Image.Image:
        scale = self._slide.level_downsamples[level]
        at = round(region.left * scale), round(region.top * scale)
        with self._as_damage():
            rgba = self._slide.read_region(at, level, (region.width, region.height))
        picture = Image.new("RGB", rgba.size, self._background)
        picture.paste(rgba, mask=rgba.getchannel("A"))
        return picture

    @contextmanager
    def _as_damage(self) -> Iterator[None]:
        try:
            yield
        except openslide.OpenSlideError as error:
            raise DecodeError(f"{self._name} is damaged: {printable(error)}.") from error


def _check_parts(path: Path, file: BinaryIO) -> None:
    """Refuse a slide that names files outside of its folder, or what is no file: OpenSlide would open these.

    Raises:
        DecodeError: If it names one.
        OSError: If its description cannot be read.
    """
    texts = [(path.parent, file.read(_MOST_TEXT_BYTES))]
    if b"Virtual Microscope Specimen]" not in texts[0][1]:
        texts.clear()
    folder = path.with_suffix("")
    with suppress(FileNotFoundError, NotADirectoryError), open_to_read(folder / _MIRAX, follow=True) as mirax:
        texts.append((folder, mirax.read(_MOST_TEXT_BYTES)))
    for place, text in texts:
        lines = text.count(b"\n") + text.count(b"\r") + 1
        if any(int(number) > lines for number in _COUNT.findall(text)):
            raise ValueError("more is counted than named, for which OpenSlide would take memory")
        for match in _PART.finditer(text):
            part = match[1].decode("utf-8", "surrogateescape").strip()
            if "/" in part:
                raise DecodeError(
                    f"{printable(path.name)} names the file {printable(part)}, which is not in its own folder."
                )
            if part and (place / part).exists() and not (place / part).is_file():
                raise DecodeError(f"{printable(path.name)} is damaged: {printable(part)} is no file.")


def _pixel_um(width: str | None, height: str | None) -> tuple[float, float] | None:
    try:
        sides = float(width or 0), float(height or 0)
    except ValueError:
        return None
    return sides if min(sides) > 0 and max(sides) < np.inf else None
