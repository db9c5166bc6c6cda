import numpy as np
import pytest
import torch

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.scaling import channel_scaling, standardise, to_unit
from mia_tui.errors import ConfigError

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def every_grey(channels: int) -> torch.Tensor:
    """(1, C, 16, 16), uint8, channels last."""
    grey = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(1, 16, 16, channels)
    return grey.contiguous().permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, IMAGENET),
        ({"backbone": "xception"}, IMAGENET),
        ({"backbone": "xception", "weights": "imagenet"}, HALF),
        ({"backbone": "resnet50", "weights": "imagenet"}, IMAGENET),
        ({"backbone": "timm:vit_tiny_patch16_224", "weights": "imagenet"}, HALF),
        ({"backbone": "timm:convnext_tiny", "weights": "some/file.safetensors"}, IMAGENET),
        ({"backbone": "xception", "weights": "imagenet", "scaling": "imagenet"}, IMAGENET),
        ({"scaling": "minus_one_one"}, HALF),
        ({"scaling": "zero_one"}, ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))),
    ],
)
def test_scaling_auto_is_what_the_weights_expect(
    fields: dict[str, str], expected: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    assert channel_scaling(TrainConfig(**fields)) == expected


def test_mono_takes_the_mean_of_the_three_colours() -> None:
    mean, std = channel_scaling(TrainConfig(color=False))
    assert mean == pytest.approx((0.449,)) and std == pytest.approx((0.226,))


def test_an_unknown_backbone_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="no backbone 'resnet17'"):
        channel_scaling(TrainConfig(backbone="resnet17", weights="imagenet"))
    with pytest.raises(ConfigError, match="timm has no model 'no_such_network'"):
        channel_scaling(TrainConfig(backbone="timm:no_such_network", weights="imagenet"))


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("scaling", ["zero_one", "minus_one_one", "imagenet"])
def test_pixels_are_scaled_as_by_numpy_and_stay_channels_last(color: bool, scaling: str) -> None:
    config = TrainConfig(scaling=scaling, color=color)  # type: ignore[arg-type]
    images = every_grey(3 if color else 1)
    scaled = standardise(to_unit(images), *channel_scaling(config))
    mean, std = (np.array(values).reshape(1, -1, 1, 1) for values in channel_scaling(config))
    np.testing.assert_allclose(scaled.numpy(), (images.numpy() / 255 - mean) / std, rtol=1e-5, atol=1e-6)
    assert scaled.dtype == torch.float32
    assert scaled.is_contiguous(memory_format=torch.channels_last)


def test_the_range_of_minus_one_one_is_whole() -> None:
    scaled = standardise(to_unit(every_grey(3)), *channel_scaling(TrainConfig(scaling="minus_one_one")))
    assert scaled.min() == -1 and scaled.max() == 1


def test_standardising_leaves_its_input_alone() -> None:
    unit = to_unit(every_grey(3))
    before = unit.clone()
    standardise(unit, *channel_scaling(TrainConfig()))
    assert torch.equal(unit, before)


def test_a_batch_without_an_image_is_standardised_too() -> None:
    none = torch.zeros(0, 4, 5, 3).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    assert standardise(none, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)).shape == (0, 3, 4, 5)
