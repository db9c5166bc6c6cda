"""How large an image may be."""

from mia_tui.dataset.images.source import Size
from mia_tui.errors import DecodeError
from mia_tui.text import printable

MAX_MEGAPIXELS = 120.0
RAISE_LIMIT = "Raise it with --max-megapixels (max_megapixels in a settings file)."
_COLOUR_BYTES = 16  # of a pixel, as four channels of 32 bits


def check_megapixels(size: Size, most: float, name: str) -> None:
    """Refuse an image of too many pixels.

    Raises:
        DecodeError: If it has more than `most` megapixels.
    """
    width, height = size
    megapixels = width * height / 1e6
    if megapixels > most:
        raise DecodeError(
            f"{printable(name)} has {width:,} × {height:,} pixels "
            f"({megapixels:,.1f} megapixels), the limit is {most:g}.",
            RAISE_LIMIT,
        )


def check_memory(size: Size, cost_bytes: int, most: float, name: str) -> None:
    """Refuse to read so many pixels, or pixels that take so much memory.

    Args:
        size: Of what would be read.
        cost_bytes: Memory that it takes.
        most: Megapixels of 16 bytes each.
        name: Of the file.

    Raises:
        DecodeError: If that is too much.
    """
    check_megapixels(size, most, name)
    megapixels = cost_bytes / _COLOUR_BYTES / 1e6
    if megapixels > most:
        raise DecodeError(
            f"{printable(name)} takes as much memory, with its depth and channels, as {megapixels:,.1f} megapixels "
            f"in colour, the limit is {most:g}.",
            RAISE_LIMIT,
        )
