"""The frames of a GIF by its blocks, before Pillow opens it.

A frame may lie outside of the canvas, which Pillow then enlarges: a file of 3 kB made it allocate 2.8 GB.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mia_tui.dataset.images.limits import MAX_MEGAPIXELS, check_megapixels

_HEADER_BYTES, _SCREEN_BYTES, _DESCRIPTOR_BYTES = 6, 7, 9
_MOST_STRAY_BYTES = 4096
_IMAGE, _EXTENSION, _END = b",", b"!", b";"


def check_gif(file: BinaryIO, frames: int, path: Path) -> None:
    """Refuse a GIF whose canvas is too large for its first frames, before Pillow allocates it.

    Args:
        file: The file; is read from its beginning.
        frames: So many of them.
        path: For the message.

    Raises:
        DecodeError: If it is too large.
    """
    for width, height in islice(frame_extents(file), frames):
        check_megapixels((width, height), MAX_MEGAPIXELS, path.name)
    file.seek(0)


def frame_extents(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Width and height that the canvas needs for each frame, in order; ends where the file is damaged.

    Args:
        file: The file; is read from its beginning.

    Raises:
        ValueError: If so many bytes lie between the frames that Pillow would look through them for minutes.
    """
    stray = 0
    file.seek(_HEADER_BYTES)
    screen = file.read(_SCREEN_BYTES)
    if len(screen) < _SCREEN_BYTES:
        return
    width, height = _number(screen, 0), _number(screen, 2)
    _skip_colours(file, screen[4])
    while kind := file.read(1):
        if kind == _IMAGE:
            descriptor = file.read(_DESCRIPTOR_BYTES)
            if len(descriptor) < _DESCRIPTOR_BYTES:
                return
            width = max(width, _number(descriptor, 0) + _number(descriptor, 4))
            height = max(height, _number(descriptor, 2) + _number(descriptor, 6))
            yield width, height
            _skip_colours(file, descriptor[8])
            file.seek(1, 1)  # size of the codes
        elif kind == _EXTENSION:
            file.seek(1, 1)  # its label
        elif kind == _END:
            return
        else:  # a stray byte, which Pillow skips, too
            stray += 1
            if stray > _MOST_STRAY_BYTES:
                raise ValueError("there is something else between the frames")
            continue
        while size := file.read(1):
            if size == b"\0":
                break
            file.seek(size[0], 1)


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 << ((flags & 7) + 1), 1)


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "little")
