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

_MOST_PIECES = 1 << 18  # 120 megapixels in tiles of 22 × 22
_JPEG = frozenset({6, 7, 34892, 33007})
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers with the size of the image
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length


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
