"""How large an image may be."""

from mia_tui.dataset.images.source import Size
from mia_tui.errors import DecodeError
from mia_tui.text import printable

MAX_MEGAPIXELS = 120.0
RAISE_LIMIT = "Raise it with --max-megapixels (max_megapixels in a settings file and in Python)."
MOST_FRAMES = 1_000_000
"""Of a file; each becomes an image of a dataset, whether or not anything is stored for it."""
MOST_CHANNELS = 10_000
"""Of an image; a file of a few kB may name any number."""
MOST_XML_BYTES = 64 << 20
"""Of a description; parsed, it takes ten times as much memory."""
_COLOUR_BYTES = 16  # of a pixel, as four channels of 32 bits
_LARGE = 64_000_000  # pixels: smaller masks of a single value are real
_MOST_PIXELS_OF_A_BYTE = 128


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


def check_frames(frames: int, name: str) -> None:
    """Refuse a file that names more frames than any has.

    Raises:
        DecodeError: If it does.
    """
    if frames > MOST_FRAMES:
        raise DecodeError(f"{printable(name)} has {frames:,} frames, the limit is {MOST_FRAMES:,}.")


def check_channels(channels: int, name: str) -> None:
    """Refuse an image that names more channels than any has.

    Raises:
        DecodeError: If it does.
        ValueError: If it has none.
    """
    if channels < 1:
        raise ValueError("an image without channels")
    if channels > MOST_CHANNELS:
        raise DecodeError(f"{printable(name)} has {channels:,} channels, the limit is {MOST_CHANNELS:,}.")


def check_density(size: Size, file_bytes: int, name: str, *, pixel_bytes: int = 1) -> None:
    """Refuse a large image in so few bytes that it was made to fill the memory.

    Args:
        size: Of the image.
        file_bytes: Of its file.
        name: Of its file.
        pixel_bytes: What a pixel takes; 1 for pictures that may be masks of a few values.

    Raises:
        DecodeError: If it is one.
    """
    pixels = size[0] * size[1]
    if pixels * pixel_bytes > max(_LARGE, _MOST_PIXELS_OF_A_BYTE * file_bytes):
        raise DecodeError(
            f"{printable(name)} says that it has {pixels / 1e6:,.1f} megapixels in {file_bytes:,} bytes, "
            "which no real image has."
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
