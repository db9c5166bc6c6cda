"""What a TIFF file claims, checked before tifffile believes it.

A file of a few kB may name as many pages, pieces or pixels as it likes. Each of these checks refuses one that would
keep the program busy for minutes or take all memory.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import tifffile

from mia_tui.dataset.images.readers.tiff.streams import claimed_pixels
from mia_tui.errors import DecodeError

MOST_COPIES = 64
"""Smaller copies of an image that are looked at; each halves the size."""

_MOST_PIECES = 1 << 18  # 120 megapixels in tiles of 22 × 22


def check_pieces(pieces: int, name: str) -> None:
    """Refuse to read so many strips or tiles that it would take minutes.

    Raises:
        DecodeError: If there are too many.
    """
    if pieces > _MOST_PIECES:
        raise DecodeError(f"{name} is stored in {pieces:,} pieces, the limit is {_MOST_PIECES:,}.")


def checked_decode(page: tifffile.TiffPage, name: str) -> Callable[..., Any]:
    """The function that decodes a piece of a page; it raises DecodeError for one that claims more pixels than fit."""
    decode: Callable[..., Any] = page.decode
    compression = int(page.compression)
    allowed = max(prod(page.tile or (page.imagewidth, page.rowsperstrip)), page.imagewidth * page.imagelength)

    def checked(data: bytes | None, *args: Any, **options: Any) -> Any:
        if data is not None and claimed_pixels(compression, data) > 2 * allowed:  # a last strip may be longer
            raise DecodeError(f"{name} is cut short or damaged.")
        try:
            return decode(data, *args, **options)
        except tifffile.TiffFileError as error:  # no ValueError in its older versions
            raise ValueError(str(error)) from error

    return checked
