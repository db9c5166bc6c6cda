"""Blurring and warping a batch, each image with its own parameters.

Each image is computed alone: its pixels are the same to the bit whatever else is in the batch. That is why blurring
uses shifted sums and not a grouped convolution, which may choose its algorithm by the number of images. Beyond the
border an image continues as its reflection about the centre of its outermost pixels.
"""

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Sampling = Literal["nearest", "bilinear"]

GRID_POINTS = 4  # a side, for `move_grid` (imgaug's default)

_BLUR_REACH = 3.0  # sigmas; what is beyond has 0.3 % of the total weight
_MIN_SIGMA = 1e-3  # pixels; a kernel of one weight, without a division by 0


def memory_orders(images: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Order of dimensions in which images are stored in memory, and the way back.

    Taking images out in the order of memory is 3 times faster, putting them back 6 times (CPU).
    """
    if images.is_contiguous():
        return (0, 1, 2, 3), (0, 1, 2, 3)
    return (0, 2, 3, 1), (0, 3, 1, 2)


def blur(images: Tensor, kernels: Tensor) -> Tensor:
    """Gaussian blur.

    Args:
        images: Shape (K, C, H, W), float32.
        kernels: From `gaussian_kernels`, on the device of the images.

    Returns:
        Same shape and device.
    """
    return _convolve(_convolve(images, kernels, dim=2), kernels, dim=3)


def gaussian_kernels(sigmas: Tensor) -> Tensor:
    """Right halves of Gaussian kernels, the middle first.

    Every kernel ends at its own reach and is 0 beyond, so the broadest one of a batch changes no other.

    Args:
        sigmas: Pixels, shape (K,), float64, on the CPU; at least one.

    Returns:
        Shape (K, 1 + reach), float32; a whole kernel sums to 1.
    """
    sigmas = sigmas.clamp(min=_MIN_SIGMA).unsqueeze(1)
    reach = (sigmas * _BLUR_REACH).ceil()
    steps = torch.arange(int(reach.max()) + 1, dtype=torch.float64)
    half = torch.exp(-0.5 * (steps / sigmas) ** 2) * (steps <= reach)
    return (half / (2 * half.sum(1, keepdim=True) - half[:, :1])).float()


def move_grid(images: Tensor, moves: Tensor) -> Tensor:
    """Piecewise affine: move the points of a grid, and interpolate linearly between them.

    Args:
        images: Shape (K, C, H, W), float32.
        moves: Offset from each point to where its pixel is sampled, x and y, pixels: shape
            (K, 2, GRID_POINTS ** 2), row by row, float32, on the device of the images.

    Returns:
        Same shape and device.
    """
    height, width = images.shape[2:]
    vertices, weights = _triangles(height, width, images.device)
    by_point = moves.flatten(0, 1).T.contiguous()  # (GRID_POINTS ** 2, 2 * K): whole rows are copied fastest
    field = by_point.index_select(0, vertices[0]).mul_(weights[0])  # (H * W, 2 * K)
    for corner in (1, 2):
        field += by_point.index_select(0, vertices[corner]).mul_(weights[corner])
    x_move, y_move = field.T.reshape(-1, 2, height, width).unbind(1)
    across, down = _positions(height, width, images.device)
    return _sample(images, across + x_move, down + y_move, "bilinear")


def warp(images: Tensor, matrices: Tensor, sampling: Sampling) -> Tensor:
    """Affine map.

    Args:
        images: Shape (K, C, H, W), float32.
        matrices: From pixels (x, y, 1) of the result to pixels (x, y) of the image: shape (K, 2, 3),
            float32, on the device of the images.
        sampling: How values between pixels are interpolated.

    Returns:
        Same shape and device.
    """
    across, down = _positions(images.shape[2], images.shape[3], images.device)
    m = matrices.view(-1, 6, 1, 1)
    x = m[:, 0] * across + m[:, 1] * down + m[:, 2]
    y = m[:, 3] * across + m[:, 4] * down + m[:, 5]
    return _sample(images, x, y, sampling)


def _convolve(images: Tensor, kernels: Tensor, *, dim: int) -> Tensor:
    """Each image with its own symmetric kernel (K, 1 + reach) along one dimension."""
    size, reach = images.shape[dim], kernels.shape[1] - 1
    padded = images.index_select(dim, _reflected(size, reach, images.device))
    weights = kernels.T.reshape(1 + reach, -1, 1, 1, 1)
    total = padded.narrow(dim, reach, size) * weights[0]
    for step in range(1, 1 + reach):
        pair = padded.narrow(dim, reach - step, size) + padded.narrow(dim, reach + step, size)
        total += pair.mul_(weights[step])
    return total


def _reflected(size: int, reach: int, device: torch.device) -> Tensor:
    """Positions -reach..size-1+reach as positions in the image, shape (size + 2 * reach,), int64."""
    period = max(1, 2 * (size - 1))
    index = torch.arange(-reach, size + reach, device=device).abs() % period
    return torch.minimum(index, period - index)


@lru_cache(maxsize=4)
def _triangles(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The corners of the triangle around each pixel, (3, H * W), int64, and their weights, (3, H * W, 1), float32.

    The points are a regular grid from corner to corner; each of its cells is cut along its diagonal.
    """
    cells = GRID_POINTS - 1
    y = torch.linspace(0, cells, height, dtype=torch.float64).repeat_interleave(width)
    x = torch.linspace(0, cells, width, dtype=torch.float64).repeat(height)
    top, left = y.floor().clamp(max=cells - 1), x.floor().clamp(max=cells - 1)
    v, u = y - top, x - left
    first = (top * GRID_POINTS + left).long()
    second = first + torch.where(u >= v, 1, GRID_POINTS)  # right of the diagonal, or below it
    third = first + GRID_POINTS + 1
    larger, smaller = torch.maximum(u, v), torch.minimum(u, v)
    weights = torch.stack((1 - larger, larger - smaller, smaller)).float()
    return torch.stack((first, second, third)).to(device), weights.unsqueeze(2).to(device)


def _positions(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """x of each column, (W,), and y of each row, (H, 1), pixels, float32."""
    across = torch.arange(width, device=device, dtype=torch.float32)
    return across, torch.arange(height, device=device, dtype=torch.float32).unsqueeze(1)


def _sample(images: Tensor, x: Tensor, y: Tensor, sampling: Sampling) -> Tensor:
    """Each pixel of the result from place (x, y), pixels, shapes (K, H, W)."""
    height, width = images.shape[2:]
    grid = torch.empty((*x.shape, 2), device=x.device)
    torch.mul(x, 2 / max(1, width - 1), out=grid[..., 0])
    torch.mul(y, 2 / max(1, height - 1), out=grid[..., 1])
    grid.sub_(1)
    return F.grid_sample(images, grid, sampling, padding_mode="reflection", align_corners=True)
