"""The operations of TrivialAugment, one of which happens to an image, at a random strength.

Source: Müller and Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", ICCV 2021, the wide
space; the ranges are those of torchvision. Where it fills an uncovered border with black, the image is reflected
here, and values between pixels are interpolated.
"""

import math

import torch
from torch import Tensor

from mia_tui.engine.data.augmentation.colours import blend, grey_of, mean_level

GEOMETRIC = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
TRIVIAL_OPERATIONS = (
    "identity",
    *GEOMETRIC,
    "brightness",
    "colour",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)

_STRENGTHS = 31
_SHEAR = 0.99
_SHIFT = 32 / 224  # of the side; the source has 32 pixels
_DEGREES = 135.0
_FACTOR = 0.99
_LEAST_BITS, _BITS = 2, 8
_BINS = 256  # of a histogram


def trivial_strengths(drawn: Tensor) -> Tensor:
    """One of 31 strengths from 0 to 1 from a number in [0, 1); float64."""
    return (drawn.double() * _STRENGTHS).floor() / (_STRENGTHS - 1)


def geometric_matrices(operations: Tensor, strengths: Tensor, size: tuple[int, int]) -> Tensor:
    """From pixels of the result to pixels of the image, for `warp`, about the middle of the image.

    Args:
        operations: Positions in `GEOMETRIC`, shape (K,), int64.
        strengths: From -1 to 1, shape (K,), float64.
        size: Width and height, pixels.

    Returns:
        Shape (K, 2, 3), float32.
    """
    at = {name: (operations == place).double() * strengths for place, name in enumerate(GEOMETRIC)}
    angle = at["rotate"] * math.radians(_DEGREES)
    cos, sin = torch.cos(angle), torch.sin(angle)
    linear = torch.stack(
        (
            torch.stack((cos, sin + at["shear_x"] * _SHEAR), 1),
            torch.stack((-sin + at["shear_y"] * _SHEAR, cos), 1),
        ),
        1,
    )
    sides = torch.tensor(size, dtype=torch.float64)
    middle = (sides - 1) / 2
    shift = torch.stack((at["translate_x"], at["translate_y"]), 1) * _SHIFT * sides
    offset = middle - shift - (linear * middle).sum(2)
    return torch.cat((linear, offset.unsqueeze(2)), 2).float()


def recoloured(images: Tensor, *, name: str, strengths: Tensor, signed: Tensor, is_rgb: bool) -> Tensor:
    """An operation that leaves every pixel in its place.

    Args:
        images: Shape (K, C, H, W), float32 in 0..1.
        name: Of the operation.
        strengths: From 0 to 1, shape (K,), float32, on the device of the images.
        signed: From -1 to 1, likewise.
        is_rgb: Whether the channels are red, green and blue; others are changed each by itself, and have no colour.
    """
    match name:
        case "brightness":
            return blend(images, torch.zeros_like(images), 1 + _FACTOR * signed)
        case "colour":
            return blend(images, grey_of(images, is_rgb=is_rgb).expand_as(images), 1 + _FACTOR * signed)
        case "contrast":
            mean = mean_level(grey_of(images, is_rgb=is_rgb))
            return blend(images, mean.expand_as(images), 1 + _FACTOR * signed)
        case "sharpness":
            return blend(images, _smoothed(images), 1 + _FACTOR * signed)
        case "posterize":
            return _posterized(images, strengths)
        case "solarize":
            return torch.where(images >= (1 - strengths).view(-1, 1, 1, 1), 1 - images, images)
        case "autocontrast":
            return _stretched(images)
        case "equalize":
            return _equalized(images)
        case _:
            raise ValueError(f"no operation {name!r}")


def _posterized(images: Tensor, strengths: Tensor) -> Tensor:
    """Keep the first bits of eight of each value: all of them at strength 0, two at strength 1."""
    dropped = (strengths * (_BITS - _LEAST_BITS)).round()
    step = torch.exp2(dropped).round().view(-1, 1, 1, 1)
    levels = ((images * 255).add_(1 / 512) / step).floor_() * step / 255  # 7.9999 in float32 was a 8
    return torch.where(step > 1, levels, images)


def _stretched(images: Tensor) -> Tensor:
    """Stretch each channel, so that its darkest value is 0 and its brightest 1."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    span = high - low
    return torch.where(span > 0, (images - low) / span.clamp(min=1e-12), images)


def _equalized(images: Tensor) -> Tensor:
    """Make all brightnesses of each channel equally frequent, in 256 steps as Pillow does.

    Values between two steps, as of images of 16 bits, are interpolated.
    """
    count, channels, height, width = images.shape
    values = (images * 255).reshape(count * channels, height * width)
    steps = values.round().long().clamp_(0, _BINS - 1)
    histogram = torch.zeros(count * channels, _BINS, dtype=torch.int64, device=images.device)
    histogram.scatter_add_(1, steps, torch.ones_like(steps))
    brightest = histogram.gather(1, steps.amax(1, keepdim=True))
    step = (height * width - brightest) // 255
    below = histogram.cumsum(1) - histogram
    table = (
        torch.div(below + step // 2, step.clamp(min=1), rounding_mode="floor").clamp_(0, 255).float() / 255
    )
    lower = values.floor().clamp_(0, _BINS - 1)
    first = table.gather(1, lower.long())
    second = table.gather(1, (lower.long() + 1).clamp_(max=_BINS - 1))
    equal = first + (second - first) * (values - lower)
    return torch.where(step > 0, equal, values / 255).view_as(images)


def _smoothed(images: Tensor) -> Tensor:
    """Pillow's SMOOTH: the eight neighbours weigh 1 and the pixel itself 5; the border stays as it is."""
    smooth = images.clone()
    if min(images.shape[2:]) < 3:
        return smooth
    rows = images[:, :, :-2] + images[:, :, 1:-1] + images[:, :, 2:]
    total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    middle = images[:, :, 1:-1, 1:-1]
    smooth[:, :, 1:-1, 1:-1] = (total + middle * 4) / 13
    return smooth
