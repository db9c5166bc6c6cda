"""Images of more than 8 bits, converted to 8.

Cameras deliver 10 to 16 bits in files of 16, and rarely use the whole range. So
values are scaled by a window between percentiles of the image itself. Brighter
values stay brighter, nothing wraps around, and a few hot pixels do not darken
all others (MIA had all three faults).
"""

import sys
from typing import TypeGuard

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

GREY_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_DEEP_COLOUR = frozenset(f"{bands};16{order}" for bands in ("RGB", "RGBA") for order in "LBN")

# Fractions of pixels outside the window at the dark and the bright end. ImageJ's auto contrast excludes 0.175 % at
# each; 0.1 % keeps small bright objects distinct and still ignores nine hot pixels in an image of 96 x 96.
OUTSIDE = (0.001, 0.001)
_SAMPLED = 1_000_000  # values used for percentiles; all of 120 megapixels would take seconds
_BLOCK = 1_000_000  # values converted at once, so that float64 needs little memory

_PHOTOMETRIC, _PLANAR, _SAMPLE_FORMAT = 262, 284, 339
_WHITE_IS_ZERO, _UNSIGNED, _SEPARATE_PLANES = 0, 1, 2


def has_deep_colour(image: ImageFile.ImageFile) -> bool:
    """Whether a file has 16 bits per colour, of which Pillow would keep the upper 8. Call before load()."""
    return _has_raw_planes(image) or any(_raw_mode(tile) in _DEEP_COLOUR for tile in image.tile)


def show_deep_colour(
    image: ImageFile.ImageFile, again: ImageFile.ImageFile, outside: tuple[float, float] = OUTSIDE
) -> Image.Image:
    """An image of 16 bits per colour, converted to 8.

    Pillow reads either byte of a 16-bit value, so the file is read once for each.

    Args:
        image: Opened, not loaded.
        again: The same file and frame, opened a second time.
        outside: See `tonal_window`.

    Returns:
        Mode RGB, transparent pixels on white.
    """
    upper, lower = _read_byte(image, upper=True), _read_byte(again, upper=False)
    values = upper.astype(np.uint16) << 8 | lower  # (H, W, 3 or 4)
    shown = tonal_window(values[:, :, :3], outside)
    if values.shape[2] == 4:
        opaque = values[:, :, 3:].astype(np.float32) / 65535
        shown = (shown * opaque + 255 * (1 - opaque) + 0.5).astype(np.uint8)
    return Image.fromarray(shown)


def show_deep_grey(image: Image.Image, outside: tuple[float, float] = OUTSIDE) -> Image.Image:
    """A loaded image of one of GREY_MODES in 8 bits, mode L, through a `tonal_window`."""
    values = np.asarray(image)
    inverted = False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
        if image.mode == "I" and _first(tags.get(_SAMPLE_FORMAT, _UNSIGNED)) == _UNSIGNED:
            # Pillow only has signed numbers: the upper half would become dark.
            values = values.view(np.uint32)
    # If white is zero, the dark end is that of the high values.
    shown = tonal_window(values, outside[::-1] if inverted else outside)
    return Image.fromarray(255 - shown if inverted else shown)


def tonal_window(values: np.ndarray, outside: tuple[float, float] = OUTSIDE) -> np.ndarray:
    """Values of any depth converted to 8 bits, linearly between two percentiles.

    Args:
        values: Any shape, integer or float. NaN is shown as the darkest, infinities as the ends.
        outside: Fractions of the values outside the window at its low and its high end, together below 1.

    Returns:
        uint8, same shape. An image with a single value is scaled by the range of its type
        (0..65535 for integers, 0..1 for floats), so full white stays white.
    """
    low, high = _window(values, outside)
    if low == high:
        low, high = 0.0, 1.0 if values.dtype.kind == "f" else 65535.0
    scale = _within_floats(low, high)
    start_value, factor = low * scale, 255 / (high * scale - low * scale)
    shown = np.empty(values.shape, np.uint8)
    flat, out = values.reshape(-1), shown.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        with np.errstate(invalid="ignore"):  # signalling NaN
            block = flat[start : start + _BLOCK].astype(np.float64)
        block = np.nan_to_num(block, copy=False, nan=low, posinf=high, neginf=low)
        block = np.clip(block, low, high) * scale - start_value
        out[start : start + _BLOCK] = block * factor + 0.5
    return shown


def _within_floats(low: float, high: float) -> float:
    """A factor that makes the distance of two values, and 255 divided by it, numbers that float64 has."""
    if not np.isfinite(high - low):
        return 0.25
    return 1.0 if high - low > 1e-300 else 2.0**600


def _window(values: np.ndarray, outside: tuple[float, float]) -> tuple[float, float]:
    flat = values.reshape(-1)
    sample = _finite(flat[:: max(1, flat.size // _SAMPLED)])
    if sample.size:
        # Rounded inwards: the single darkest and brightest pixel are outside in an image of any size.
        first = int(np.ceil(outside[0] * (sample.size - 1)))
        last = int(np.floor((1 - outside[1]) * (sample.size - 1)))
        ordered = np.partition(sample, (first, last))
        if ordered[first] < ordered[last]:
            return float(ordered[first]), float(ordered[last])
    everything = _finite(flat)  # almost all pixels have one value: show the few others
    if not everything.size:
        return 0.0, 1.0
    return float(everything.min()), float(everything.max())


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _read_byte(image: ImageFile.ImageFile, *, upper: bool) -> np.ndarray:
    suffix = ""
    if _has_raw_planes(image):  # Pillow forgets here that a value has two bytes
        suffix = ";16L" if image.tag_v2.prefix == b"II" else ";16B"
    tiles = []
    for tile in image.tile:
        mode = _raw_mode(tile) + suffix
        mode = mode if upper else _swapped(mode)
        tiles.append(tile._replace(args=(mode, *tile.args[1:]) if isinstance(tile.args, tuple) else mode))
    image.tile = tiles
    return np.asarray(image)


def _has_raw_planes(image: ImageFile.ImageFile) -> TypeGuard[TiffImagePlugin.TiffImageFile]:
    """Whether this is an uncompressed 16-bit TIFF with one plane for each colour."""
    return (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.tag_v2.get(_PLANAR) == _SEPARATE_PLANES
        and set(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, ())) == {16}
        and all(len(_raw_mode(tile)) == 1 for tile in image.tile)
    )


def _raw_mode(tile: object) -> str:
    args = getattr(tile, "args", None)
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _swapped(mode: str) -> str:
    """The raw mode that reads the other byte of each value."""
    other = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
    return mode[:-1] + other[mode[-1]]


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else value
