"""Brightness, contrast, colours and stains of a batch, each image with its own parameters.

Only sums, products and tables: a logarithm may differ in its last bit with the place of a pixel in memory, and a mean
with the number of threads. Tables are computed in float64, means from whole numbers.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey (ITU-R BT.601, as in Pillow)
_LEVELS = (
    65535  # of a value in 0..1, where whole numbers are needed: those of 16 bits, and so those of 8, exactly
)

# To I and Q, the colour of NTSC television, beside the grey of _LUMA; hue is the angle in their plane.
_TO_YIQ = (_LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))

# Optical density of red, green and blue in haematoxylin, eosin and DAB (Ruifrok and Johnston, "Quantification of
# histochemical staining by color deconvolution", 2001; as in scikit-image).
_STAINS = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))
_DARKEST = 1 / 256  # what is darker counts as this much light: a black pixel has no infinite density
_DENSEST = 8.0  # largest optical density in the table; e**-8 of the light is black


def grey_of(images: Tensor, *, is_rgb: bool) -> Tensor:
    """Grey of a picture in colour, (K, 1, H, W); of other images every channel by itself: `images`."""
    if not is_rgb:
        return images
    red, green, blue = images.unbind(1)
    return (red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]).unsqueeze(1)


def mean_level(images: Tensor) -> Tensor:
    """Mean of each channel, exact for any order of its pixels: (K, C, H, W) in 0..1 to (K, C, 1, 1)."""
    total = (images * _LEVELS).round().to(torch.int32).sum((2, 3), keepdim=True, dtype=torch.int64)
    return (total.double() / (_LEVELS * images.shape[2] * images.shape[3])).float()


def blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    """From others (factor 0) over the images (1) and beyond, in 0..1; factors (K,), float32."""
    each = factors.view(-1, 1, 1, 1)
    return (images * each).add_(others * (1 - each)).clamp_(0, 1)


def colour_matrices(saturation: Tensor, hue: Tensor) -> Tensor:
    """What changes the saturation of colours and then turns their hue; grey stays as it is.

    Args:
        saturation: Factor; 0 is grey: shape (K,), float64.
        hue: Share of the colour circle, shape (K,), float64. The circle is that of I and Q in YIQ, in which a turn
            leaves the brightness of every colour; in that of HSV blue becomes a bright yellow.

    Returns:
        Shape (K, 3, 3), float64, from the three colours to the three colours.
    """
    to_yiq = torch.tensor(_TO_YIQ, dtype=torch.float64)
    cos, sin = saturation * torch.cos(2 * math.pi * hue), saturation * torch.sin(2 * math.pi * hue)
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = ((one, zero, zero), (zero, cos, -sin), (zero, sin, cos))
    turned = torch.stack([torch.stack(row, 1) for row in rows], 1)
    matrices: Tensor = torch.linalg.inv(to_yiq) @ turned @ to_yiq
    return matrices


def jitter_colours(
    images: Tensor, brightness: Tensor, contrast: Tensor, matrices: Tensor | None = None
) -> Tensor:
    """Brightness, contrast and then colours; values are cut off at 0 and 1 at the end only.

    Args:
        images: Shape (K, C, H, W), float32 in 0..1.
        brightness: Factor of all values, shape (K, 1) for a picture, else (K, C), one for each channel.
        contrast: Factor of the distance from the mean, shape as `brightness`; the mean is that of the grey picture or
            of each channel.
        matrices: From `colour_matrices`, float32, for a picture in red, green and blue; None for all others.

    Returns:
        Same shape and device.
    """
    scale = (brightness * contrast).view(len(images), -1, 1, 1)
    mean = mean_level(grey_of(images, is_rgb=matrices is not None))
    shift = mean * (brightness * (1 - contrast)).view(len(images), -1, 1, 1)
    changed = (images * scale).add_(shift)
    if matrices is not None:
        changed = _mixed(changed, matrices)
    return changed.clamp_(0, 1)


def stain_matrices(strengths: Tensor) -> Tensor:
    """From optical densities of red, green and blue to those with stains of other strengths.

    Args:
        strengths: Factors of haematoxylin, eosin and the rest, shape (K, 3), float64.

    Returns:
        Shape (K, 3, 3), float64.
    """
    stains = _unit_stains()
    matrices: Tensor = stains.T @ torch.diag_embed(strengths) @ torch.linalg.inv(stains.T)
    return matrices


def stain_shifts(amounts: Tensor) -> Tensor:
    """Optical densities of amounts of the three stains: (K, 3) to (K, 3), float64."""
    shifts: Tensor = amounts @ _unit_stains()
    return shifts


def jitter_stains(images: Tensor, matrices: Tensor, shifts: Tensor) -> Tensor:
    """Change optical densities: the light that is let through is e to the power of minus them.

    Args:
        images: Pictures in red, green and blue, shape (K, 3, H, W), float32 in 0..1.
        matrices: Of the densities, shape (K, 3, 3), float32, on the device of the images.
        shifts: Added to them, shape (K, 3), float32.

    Returns:
        Same shape and device.
    """
    densities, light = _density_tables(images.device)
    density = densities[(images * _LEVELS).round_().to(torch.int32)]
    changed = _mixed(density, matrices).add_(shifts.view(-1, 3, 1, 1))
    return light[changed.mul_(_LEVELS / _DENSEST).round_().clamp_(0, _LEVELS).to(torch.int32)]


def _mixed(images: Tensor, matrices: Tensor) -> Tensor:
    """Each pixel times the matrix of its image. No matmul: its sums depend on the number of images."""
    mixed = torch.empty_like(images)
    for channel in range(3):
        weights = matrices[:, channel].view(-1, 3, 1, 1)
        total = images[:, 0] * weights[:, 0]
        total += images[:, 1] * weights[:, 1]
        mixed[:, channel] = total.add_(images[:, 2] * weights[:, 2])
    return mixed


def _unit_stains() -> Tensor:
    """Each row a stain of length 1, float64."""
    stains = torch.tensor(_STAINS, dtype=torch.float64)
    return stains / (stains**2).sum(1, keepdim=True).sqrt()


@lru_cache(maxsize=4)
def _density_tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """Optical density of each level of light, and light of each of as many densities up to `_DENSEST`; float32."""
    steps = torch.arange(_LEVELS + 1, dtype=torch.float64) / _LEVELS
    densities, light = -torch.log(steps.clamp(min=_DARKEST)), torch.exp(-steps * _DENSEST)
    return densities.float().to(device), light.float().to(device)
