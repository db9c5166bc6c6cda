"""Blurring and warping against loops over pixels."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from mia_tui.engine.data.augmentation.image_ops import GRID_POINTS, blur, gaussian_kernels, move_grid, warp

Array = np.ndarray


def reflect(x: float, size: int) -> float:
    """A place beyond the border, reflected about the middle of the outermost pixels."""
    period = 2 * (size - 1)
    x = abs(x) % period
    return min(x, period - x)


def look_up(image: Array, x: float, y: float) -> float:
    """Bilinear value of an image (H, W)."""
    height, width = image.shape
    x, y = reflect(x, width), reflect(y, height)
    left, top = min(int(x), width - 2), min(int(y), height - 2)
    u, v = x - left, y - top
    rows = image[top : top + 2, left : left + 2]
    return float(np.array([1 - v, v]) @ rows @ np.array([1 - u, u]))


def fetched(image: Array, place: Callable[[int, int], tuple[float, float]]) -> Array:
    return np.array(
        [[look_up(image, *place(x, y)) for x in range(image.shape[1])] for y in range(len(image))]
    )


def pictures(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand((count, channels, height, width), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(24, 17), (8, 8)])
def test_blur_equals_a_sum_over_a_gaussian(height: int, width: int) -> None:
    sigmas = [0.0, 0.4, 1.7, 6.0]  # the last one reaches over the whole image and back
    images = pictures(len(sigmas), 2, height, width)
    blurred = blur(images, gaussian_kernels(torch.tensor(sigmas, dtype=torch.float64)))
    for image, sigma, result in zip(images.numpy(), sigmas, blurred.numpy(), strict=True):
        reach = math.ceil(3 * sigma)
        weights = np.array([math.exp(-0.5 * (k / (sigma or 1)) ** 2) for k in range(-reach, reach + 1)])
        kernel = np.outer(weights, weights) / weights.sum() ** 2
        for channel, got in zip(image, result, strict=True):
            padded = np.pad(channel, reach, mode="reflect")
            windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
            np.testing.assert_allclose(got, (windows * kernel).sum((2, 3)), atol=1e-5)


def test_a_broad_blur_in_the_batch_changes_no_narrow_one() -> None:
    images = pictures(2, 3, 20, 20)
    both = blur(images, gaussian_kernels(torch.tensor([0.5, 5.0], dtype=torch.float64)))
    alone = blur(images[:1], gaussian_kernels(torch.tensor([0.5], dtype=torch.float64)))
    assert torch.equal(both[:1], alone)


def test_warp_equals_looking_up_every_pixel() -> None:
    images = pictures(2, 2, 11, 14)
    matrices = torch.tensor([[[0.8, 0.3, -2.0], [-0.4, 1.1, 3.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    warped = warp(images, matrices, "bilinear")
    for image, m, result in zip(images.numpy(), matrices.numpy(), warped.numpy(), strict=True):
        for channel, got in zip(image, result, strict=True):
            wanted = fetched(channel, lambda x, y, m=m: tuple(m @ (x, y, 1)))  # type: ignore[misc]
            np.testing.assert_allclose(got, wanted, atol=2e-5)


def test_nearest_takes_whole_pixels() -> None:
    images = pictures(1, 1, 9, 9)
    warped = warp(images, torch.tensor([[[0.9, 0.2, 0.3], [-0.2, 0.9, 0.1]]]), "nearest")
    assert np.isin(warped.numpy(), images.numpy()).all()
    shifted = warp(images, torch.tensor([[[1.0, 0.0, 1.2], [0.0, 1.0, 0.0]]]), "nearest")
    assert torch.equal(shifted[..., :-1], images[..., 1:])
    assert torch.equal(shifted[..., -1], images[..., -2])  # reflected: the last pixel is not repeated


def test_a_grid_that_does_not_move_leaves_the_image() -> None:
    images = pictures(1, 3, 21, 13)
    moved = move_grid(images, torch.zeros(1, 2, GRID_POINTS**2))
    np.testing.assert_allclose(moved.numpy(), images.numpy(), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(10, 10), (23, 17)])
def test_between_the_points_of_the_grid_the_moves_are_affine_in_triangles(height: int, width: int) -> None:
    moves = np.random.default_rng(0).normal(0, 0.5, (1, 2, GRID_POINTS**2))
    image = pictures(1, 1, height, width)
    moved = move_grid(image, torch.tensor(moves, dtype=torch.float32))

    points = [
        (column * (width - 1) / (GRID_POINTS - 1), row * (height - 1) / (GRID_POINTS - 1))
        for row in range(GRID_POINTS)
        for column in range(GRID_POINTS)
    ]
    corners = [row * GRID_POINTS + c for row in range(GRID_POINTS - 1) for c in range(GRID_POINTS - 1)]
    triangles = [(p, p + 1, p + 1 + GRID_POINTS) for p in corners]
    triangles += [(p, p + GRID_POINTS, p + 1 + GRID_POINTS) for p in corners]

    def place(x: int, y: int) -> tuple[float, float]:
        for triangle in triangles:
            system = np.array([[*points[p], 1.0] for p in triangle]).T
            weights = np.linalg.solve(system, (x, y, 1.0))
            if (weights > -1e-9).all():
                dx, dy = moves[0][:, triangle] @ weights
                return x + dx, y + dy
        raise AssertionError

    np.testing.assert_allclose(moved[0, 0].numpy(), fetched(image[0, 0].numpy(), place), atol=2e-5)
