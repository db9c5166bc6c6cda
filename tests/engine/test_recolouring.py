"""Colours, stains and the operations of TrivialAugment, against Pillow and formulas of numpy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.augmentation.colours import colour_matrices, jitter_colours, mean_level
from mia_tui.engine.data.augmentation.image_ops import warp
from mia_tui.engine.data.augmentation.trivial import (
    GEOMETRIC,
    TRIVIAL_OPERATIONS,
    geometric_matrices,
    recoloured,
    trivial_strengths,
)
from mia_tui.engine.data.random import uniforms

OFF = {"flip_horizontal": 0.0, "flip_vertical": 0.0, "rotate90": 0.0}
STRENGTHS = (0.0, 0.3, 0.7, 1.0)


def photograph(seed: int = 0, low: int = 0, high: int = 256) -> Image.Image:
    """Smooth and uneven in all three colours, 24 x 20 pixels."""
    coarse = np.random.default_rng(seed).integers(low, high, (5, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((24, 20), Image.Resampling.BICUBIC)


def tensor_of(picture: Image.Image) -> Tensor:
    return torch.tensor(np.asarray(picture)).permute(2, 0, 1)[None] / 255


def levels(images: Tensor) -> np.ndarray:
    return (images[0] * 255).permute(1, 2, 0).numpy()


def enhanced(kind: type) -> Callable[[Image.Image, float, float], Image.Image]:
    return lambda picture, strength, signed: kind(picture).enhance(1 + 0.99 * signed)


PILLOW: dict[str, Callable[[Image.Image, float, float], Image.Image]] = {
    "brightness": enhanced(ImageEnhance.Brightness),
    "colour": enhanced(ImageEnhance.Color),
    "contrast": enhanced(ImageEnhance.Contrast),
    "sharpness": enhanced(ImageEnhance.Sharpness),
    "posterize": lambda picture, strength, signed: ImageOps.posterize(picture, 8 - round(6 * strength)),
    "solarize": lambda picture, strength, signed: ImageOps.solarize(picture, math.ceil(255 * (1 - strength))),
    "autocontrast": lambda picture, strength, signed: ImageOps.autocontrast(picture),
    "equalize": lambda picture, strength, signed: ImageOps.equalize(picture),
}


@pytest.mark.parametrize("name", PILLOW)
def test_operations_of_trivial_augment_are_those_of_pillow(name: str) -> None:
    picture = photograph(low=20, high=200)
    for strength in STRENGTHS:
        for sign in (-1, 1):
            strengths = torch.tensor([strength])
            ours = recoloured(
                tensor_of(picture), name=name, strengths=strengths, signed=sign * strengths, is_rgb=True
            )
            theirs = np.asarray(PILLOW[name](picture, strength, sign * strength)).astype(float)
            assert np.abs(levels(ours) - theirs).max() <= 2.1  # Pillow rounds in between
    assert name in TRIVIAL_OPERATIONS


def test_every_operation_of_trivial_augment_is_drawn_equally_often() -> None:
    images = tensor_of(photograph()).expand(1400, -1, -1, -1)
    config = TrainConfig(width=24, height=20, **OFF, trivial_augment=1.0)  # type: ignore[arg-type]
    after = augment(images, config, seed=0, epoch=0, samples=torch.arange(1400))
    drawn = uniforms(0, 0, torch.arange(1400), 4, stream=10)[:, 1:]
    kinds = (drawn[:, 0] * 14).long()
    assert kinds.bincount(minlength=14).min() > 60  # 100 expected
    assert sorted(set(trivial_strengths(drawn[:, 1]).tolist())) == pytest.approx([n / 30 for n in range(31)])
    same = (after == images).flatten(1).all(1)
    assert same[kinds == 0].all()
    assert not same[(kinds > 0) & (drawn[:, 1] > 0.5)].any()
    for row in torch.arange(0, 1400, 20):
        name = TRIVIAL_OPERATIONS[int(kinds[row])]
        if name in PILLOW:
            strength = trivial_strengths(drawn[row, 1:2]).float()
            signed = strength if drawn[row, 2] < 0.5 else -strength
            one = recoloured(images[row : row + 1], name=name, strengths=strength, signed=signed, is_rgb=True)
            assert torch.equal(after[row], one[0])


@pytest.mark.parametrize("name", GEOMETRIC)
def test_shears_shifts_and_turns_are_about_the_middle(name: str) -> None:
    height, width, strength = 30, 44, 0.4
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    ramps = torch.tensor(np.stack((x, y))[None] / 100, dtype=torch.float32)
    kinds = torch.tensor([GEOMETRIC.index(name)])
    matrices = geometric_matrices(kinds, torch.tensor([strength], dtype=torch.float64), (width, height))
    after = 100 * warp(ramps, matrices, "bilinear")[0].numpy()
    angle = np.deg2rad(135 * strength)
    x_of, y_of = x - (width - 1) / 2, y - (height - 1) / 2
    expected = {
        "shear_x": (x_of + 0.99 * strength * y_of, y_of),
        "shear_y": (x_of, y_of + 0.99 * strength * x_of),
        "translate_x": (x_of - width * strength / 7, y_of),
        "translate_y": (x_of, y_of - height * strength / 7),
        "rotate": (
            np.cos(angle) * x_of + np.sin(angle) * y_of,
            np.cos(angle) * y_of - np.sin(angle) * x_of,
        ),
    }[name]
    source = np.stack(expected) + np.array([(width - 1) / 2, (height - 1) / 2])[:, None, None]
    within = (source >= 0).all(0) & (source[0] <= width - 1) & (source[1] <= height - 1)
    assert within.mean() > 0.3
    np.testing.assert_allclose(after[:, within], source[:, within], atol=1e-3)


def test_images_of_16_bits_are_equalized_without_losing_depth() -> None:
    values = torch.linspace(0.2, 0.4, 4096, dtype=torch.float64).float().view(1, 1, 64, 64)
    none = torch.zeros(1)
    equal = recoloured(values, name="equalize", strengths=none, signed=none, is_rgb=False).flatten()
    assert (equal.diff() >= 0).all() and len(set(equal.tolist())) > 2000
    assert equal[0] < 0.05 and equal[-1] > 0.9


def test_brightness_and_contrast_and_saturation_are_those_of_pillow() -> None:
    picture = photograph(low=90, high=160)  # nothing is cut off in between
    for brightness, contrast, saturation in ((1.2, 0.8, 1.3), (0.8, 1.2, 0.5), (1.0, 1.0, 0.0)):
        factors = torch.tensor([[brightness], [contrast]])
        matrices = colour_matrices(
            torch.tensor([saturation], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        )
        ours = jitter_colours(tensor_of(picture), factors[:1], factors[1:], matrices.float())
        theirs = ImageEnhance.Brightness(picture).enhance(brightness)
        theirs = ImageEnhance.Contrast(theirs).enhance(contrast)
        theirs = ImageEnhance.Color(theirs).enhance(saturation)
        assert np.abs(levels(ours) - np.asarray(theirs)).max() <= 3


def test_hue_turns_colours_about_grey_and_leaves_their_brightness() -> None:
    one, turn = torch.ones(1, dtype=torch.float64), torch.tensor([0.1], dtype=torch.float64)
    matrix = colour_matrices(one, turn)[0].numpy()
    luma = np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(luma @ matrix, luma, atol=1e-6)
    np.testing.assert_allclose(matrix @ np.ones(3), np.ones(3), atol=1e-5)
    np.testing.assert_allclose(np.linalg.matrix_power(matrix, 10), np.eye(3), atol=1e-9)
    assert not np.allclose(matrix, np.eye(3), atol=0.1)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_channels_that_are_measurements_are_jittered_each_by_itself(channels: int) -> None:
    images = torch.rand(40, channels, 12, 12)
    config = TrainConfig(width=12, height=12, **OFF, colour_jitter=1.0, jitter_hue=0.5)  # type: ignore[arg-type]
    samples = torch.arange(40)
    after = augment(0.4 + images * 0.2, config, seed=0, epoch=0, samples=samples, is_rgb=False)
    drawn = uniforms(0, 0, samples, 3 + 2 * channels, stream=12)[:, 3:].double()
    brightness, contrast = (0.7 + 0.6 * drawn.view(40, 2, channels, 1, 1)).unbind(1)
    before = (0.4 + images * 0.2).double() * brightness
    expected = before.mean((2, 3), keepdim=True) * (1 - contrast) + before * contrast
    np.testing.assert_allclose(after, expected.clamp(0, 1), atol=1e-4)


def test_stains_are_told_apart_and_changed_as_by_colour_deconvolution() -> None:
    count = 12
    images = tensor_of(photograph()).expand(count, -1, -1, -1)
    config = TrainConfig(width=24, height=20, **OFF, stain_jitter=1.0, stain_strength=0.3)  # type: ignore[arg-type]
    after = augment(images, config, seed=0, epoch=0, samples=torch.arange(count))
    drawn = uniforms(0, 0, torch.arange(count), 7, stream=11)[:, 1:].double().numpy()
    stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    density = -np.log(np.maximum(images[0].permute(1, 2, 0).double().numpy(), 1 / 256))
    for row in range(count):
        amounts = density @ np.linalg.inv(stains)
        amounts = amounts * (0.7 + 0.6 * drawn[row, :3]) + (2 * drawn[row, 3:] - 1) * 0.3 / 4
        expected = np.exp(-np.maximum(amounts @ stains, 0))
        np.testing.assert_allclose(after[row].permute(1, 2, 0), expected, atol=2e-3)


def test_only_pictures_in_colour_have_stains() -> None:
    images = torch.rand(8, 3, 12, 12)
    config = TrainConfig(width=12, height=12, **OFF, stain_jitter=1.0)  # type: ignore[arg-type]
    samples = torch.arange(8)
    assert torch.equal(augment(images, config, seed=0, epoch=0, samples=samples, is_rgb=False), images)
    assert not torch.equal(augment(images, config, seed=0, epoch=0, samples=samples), images)


def test_a_mean_is_the_same_for_any_order_of_pixels() -> None:
    images = torch.rand(2, 3, 33, 17)
    shuffled = images.flatten(2)[:, :, torch.randperm(33 * 17)].view_as(images)
    assert torch.equal(mean_level(images), mean_level(shuffled))
    np.testing.assert_allclose(mean_level(images), images.mean((2, 3), keepdim=True), atol=1e-5)
