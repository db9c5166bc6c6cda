"""Geometry on arrays: where an image lies on the canvas of a network, at any depth."""

import numpy as np
import pytest

from mia_tui.config.train import Geometry, Resize
from mia_tui.dataset.images.network.geometry import fit, place, put


def ramp(width: int, height: int) -> np.ndarray:
    """Brighter to the right and further down; uint8, shape (H, W, 1)."""
    across, down = np.meshgrid(np.linspace(0, 155, width), np.linspace(0, 100, height))
    return (across + down).astype(np.uint8)[:, :, None]


@pytest.mark.parametrize("resize", ["nearest", "linear", "cubic", "lanczos"])
@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("size", [(97, 41), (41, 97), (20, 20), (300, 200)])
def test_deep_images_are_fitted_as_8_bit_ones_are(
    size: tuple[int, int], geometry: Geometry, resize: Resize
) -> None:
    image = ramp(*size)
    expected = fit(image, 32, 24, geometry=geometry, resize=resize)
    unit = fit(image.astype(np.float32) / 255, 32, 24, geometry=geometry, resize=resize)
    assert np.abs(np.rint(np.clip(unit, 0, 1) * 255) - expected).max() <= 1
    wide = fit(image.astype(np.uint16) * 257, 32, 24, geometry=geometry, resize=resize)
    assert wide.dtype == np.uint16
    assert np.abs(np.rint(wide / 257) - expected).max() <= 1


@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
def test_each_of_many_channels_is_fitted_by_itself(geometry: Geometry) -> None:
    channels = [np.roll(ramp(50, 30), 7 * shift, axis=1) for shift in range(5)]
    together = fit(np.concatenate(channels, axis=2), 16, 16, geometry=geometry, resize="cubic")
    for number, channel in enumerate(channels):
        assert np.array_equal(
            together[:, :, number : number + 1], fit(channel, 16, 16, geometry=geometry, resize="cubic")
        )


def test_letterbox_leaves_the_rest_black_and_crop_cuts_the_sides() -> None:
    image = np.full((10, 40, 1), 200, np.uint8)
    image[:, :15] = image[:, 25:] = 100
    boxed = fit(image, 20, 20, geometry="letterbox", resize="nearest")[:, :, 0]
    assert not boxed[:7].any() and not boxed[12:].any()
    assert boxed[7:12].min() == 100
    assert (fit(image, 20, 20, geometry="crop", resize="nearest") == 200).all()


def test_any_proportions_can_be_cropped() -> None:
    for side in range(8, 200):  # 225 of 56 is one where rounding goes beyond the image
        image = np.full((225, 300, 1), 7, np.uint8)
        assert (fit(image, 40, side, geometry="crop", resize="nearest") == 7).all()


def test_at_a_scale_what_is_too_large_is_cut_and_what_is_missing_is_black() -> None:
    across, down = np.meshgrid(np.arange(80), np.arange(10))
    image = (across + down).astype(np.uint8)[:, :, None]
    placed = put(image, place((80, 10), (20, 20), "squash", (1.0, 1.0)), "cubic")
    assert np.array_equal(placed[5:15], image[:, 30:50])
    assert not placed[:5].any() and not placed[15:].any()


@pytest.mark.parametrize("scale", [(0.5, 0.5), (2.0, 2.0), (0.25, 0.5), (1.7, 0.3)])
def test_a_scale_gives_each_object_its_size(scale: tuple[float, float]) -> None:
    image = np.zeros((200, 200, 1), np.float32)
    image[80:120, 70:130] = 1  # 60 across, 40 down
    placed = put(image, place((200, 200), (128, 128), "squash", scale), "linear")[:, :, 0]
    assert np.isclose((placed[64] > 0.5).sum(), 60 * scale[0], atol=1.5)
    assert np.isclose((placed[:, 64] > 0.5).sum(), 40 * scale[1], atol=1.5)


def test_a_scale_of_any_size_gives_an_image() -> None:
    for scale in (1e-6, 1e-3, 1e3, 1e6):
        placed = put(ramp(30, 20), place((30, 20), (16, 16), "squash", (scale, scale)), "cubic")
        assert placed.shape == (16, 16, 1)
