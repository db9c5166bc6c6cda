"""What a TIFF file claims, checked before tifffile believes it.

A file of a few kB may name as many pages, pieces or pixels as it likes. Each of these checks refuses one that would
keep the program busy for minutes or take all memory.
"""

import struct
from collections.abc import Callable
from math import prod
from typing import Any

import tifffile

from mia_tui.errors import DecodeError

MOST_COPIES = 64
"""Smaller copies of an image that are looked at; each halves the size."""

_MOST_PAGES = 1_000_000
_MOST_PIECES = 1 << 18  # 120 megapixels in tiles of 22 × 22
_JPEG = frozenset({6, 7, 34892, 33007})
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers with the size of the image
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length


def check_pages(tiff: tifffile.TiffFile, name: str) -> None:
    """Follow the chain of pages once, by itself: tifffile notices only some of those that lead back.

    Raises:
        DecodeError: If it leads back to an earlier page, or is too long.
    """
    layout, file = tiff.tiff, tiff.filehandle
    place = tortoise = tiff.pages[0].offset
    steps = until = 1
    for _ in range(_MOST_PAGES):  # Brent: the tortoise jumps to the place after 1, 2, 4, … steps
        file.seek(place)
        try:
            tags = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))[0]
            file.seek(place + layout.tagnosize + tags * layout.tagsize)
            place = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))[0]
        except struct.error:  # cut off
            return
        if not place or place >= file.size:
            return
        if place == tortoise:
            raise DecodeError(f"{name} is damaged: its pages lead back to an earlier one.")
        if steps == until:
            tortoise, steps, until = place, 0, until * 2
        steps += 1
    raise DecodeError(f"{name} has more than {_MOST_PAGES:,} pages.")


def check_pieces(page: tifffile.TiffPage, name: str) -> None:
    """Refuse a page of so many strips or tiles that listing them would take minutes.

    Raises:
        DecodeError: If it has too many.
    """
    pieces = prod(page.chunked)
    if pieces > _MOST_PIECES:
        raise DecodeError(f"{name} is stored in {pieces:,} pieces, the limit is {_MOST_PIECES:,}.")


def distrust_pieces(page: tifffile.TiffPage, name: str) -> None:
    """Let a page refuse a piece that claims more pixels than the page says; reading it raises DecodeError."""
    if int(page.compression) not in _JPEG:
        return
    allowed = max(prod(page.tile or (page.imagewidth, page.rowsperstrip)), page.imagewidth * page.imagelength)
    decode: Callable[..., Any] = page.decode

    def checked(data: bytes | None, *args: Any, **options: Any) -> Any:
        if data is not None and _jpeg_pixels(data) > 2 * allowed:  # a last strip may be longer
            raise DecodeError(f"{name} is cut short or damaged.")
        return decode(data, *args, **options)

    page.decode = checked


def _jpeg_pixels(data: bytes) -> int:
    """The largest size that a JPEG stream claims."""
    place, most = 2, 0
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in _JPEG_ALONE:
            place += 2
            continue
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            most = max(most, height * width)
        if marker == 0xDA:  # the pixels begin
            break
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return most
