"""Images of more than 8 bits: the first layers compute in float32, whatever the others do."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from mia_tui.catalog.backbones import BACKBONES, Backbone
from mia_tui.engine.network.backbones import build_model
from mia_tui.engine.network.first_layers import first_layers

ROWS = [pytest.param(row, id=row.name) for row in BACKBONES.values()]


class Enough(Exception):
    """The convolutions that are looked at are over."""


class Convolutions(TorchDispatchMode):
    """Notes the numbers that the first two convolutions compute in."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: list[torch.dtype] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "convolution" in str(func):
            assert args[0].dtype == args[1].dtype
            self.dtypes.append(args[0].dtype)
            if len(self.dtypes) == 2:
                raise Enough
        return func(*args, **(kwargs or {}))


def without_values(backbone: str, **options: Any) -> nn.Module:
    """A network whose weights take no time to draw."""
    with torch.device("meta"):
        model = build_model(backbone, num_classes=2, in_channels=2, **options)
    return model.to_empty(device="cpu")


def first_dtypes(model: nn.Module, side: int) -> list[torch.dtype]:
    noted = Convolutions()
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with pytest.raises(Enough), fake, noted, torch.autocast("cpu", dtype=torch.bfloat16):
        model(torch.zeros(2, 2, side, side))
    return noted.dtypes


@pytest.mark.parametrize("row", ROWS)
def test_the_first_convolution_computes_in_float32_and_the_second_does_not(row: Backbone) -> None:
    model = without_values(row.name, is_deep=True)
    assert first_dtypes(model, row.min_size) == [torch.float32, torch.bfloat16]
    assert first_layers(model)[0].weight.shape[1] == 2


@pytest.mark.parametrize("name", ["timm:convnext_atto", "timm:test_vit", "timm:test_resnet"])
def test_other_networks_of_timm_do_so_too(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=2, in_channels=2, is_deep=True, input_size=(64, 64))
    seen: list[torch.dtype] = []
    first_layers(model)[0].register_forward_hook(lambda layer, images, result: seen.append(result.dtype))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        model(torch.zeros(1, 2, 64, 64))
    assert seen == [torch.float32]


def test_without_deep_images_all_layers_compute_as_before() -> None:
    assert first_dtypes(without_values("resnet18"), 32) == [torch.bfloat16, torch.bfloat16]


def test_the_norm_behind_the_first_convolution_is_among_the_layers() -> None:
    assert [type(layer).__mro__[1] for layer in first_layers(without_values("resnet18", is_deep=True))] == [
        nn.Conv2d,
        nn.BatchNorm2d,
    ]


def test_the_names_and_values_of_the_weights_stay_and_a_copy_uses_its_own() -> None:
    torch.manual_seed(0)
    plain = build_model("timm:test_resnet", num_classes=2)
    torch.manual_seed(0)
    model = build_model("timm:test_resnet", num_classes=2, is_deep=True)
    assert list(model.state_dict()) == list(plain.state_dict())
    model.load_state_dict(plain.state_dict())
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model.eval()(images), plain.eval()(images))
        other = copy.deepcopy(model)
        for weight in model.parameters():
            weight.zero_()
        assert torch.equal(other(images), plain(images))
