"""A cross in the middle of an image, black where that is bright and white where it is dark."""

import numpy as np

_LEAST_SIDE = 40  # pixels; in fewer, a cross would hide what it marks
_ARM = 16  # so many of an arm make the shorter side
_THICK = 400
_DARK = 128


def with_centre_mark(
    pixels: np.ndarray, box: tuple[int, int], centre: tuple[float, float], seen: tuple[float, float]
) -> np.ndarray:
    """The same picture with a cross; as it is if the middle of the image is not seen.

    Args:
        pixels: uint8, shape (H, W, 3).
        box: Available width and height: a small picture is enlarged by a whole number first.
        centre: Where the middle of the image is, from the upper left corner of what is seen, in image pixels.
        seen: Width and height of what is seen, in image pixels.
    """
    if not all(0 <= at < side for at, side in zip(centre, seen, strict=True)):
        return pixels
    height, width = pixels.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        factor = max(1, min(box[0] // width, box[1] // height))
        pixels = pixels.repeat(factor, 0).repeat(factor, 1)
        height, width = pixels.shape[:2]
    drawn = pixels.copy()
    x, y = (at / side * count for at, side, count in zip(centre, seen, (width, height), strict=True))
    arm = max(2, min(width, height) // _ARM)
    gap, thick = max(1, arm // 4), max(1, round(min(width, height) / _THICK))
    left, top = round(x - thick / 2), round(y - thick / 2)
    for start, stop in ((-gap - arm, -gap), (thick + gap, thick + gap + arm)):
        _turn_over(drawn[_range(top, thick), _range(left + start, stop - start)])
        _turn_over(drawn[_range(top + start, stop - start), _range(left, thick)])
    return drawn


def _range(start: int, count: int) -> slice:
    return slice(max(0, start), max(0, start + count))


def _turn_over(pixels: np.ndarray) -> None:
    """Make bright pixels black and dark ones white, in place."""
    dark = pixels.mean(axis=2, keepdims=True) < _DARK
    pixels[:] = np.where(dark, 255, 0)
