"""Class activation maps: where a network looks."""

import numpy as np
import pytest
import torch
from torch import nn

from mia_tui.engine.inference.activation import LEAST_SIDE, class_activation
from mia_tui.engine.inference.head_input import WithHeadInput
from mia_tui.engine.network.backbones import build_model
from mia_tui.errors import RunError


class Patches(nn.Module):
    """Class 0 is bright at the left, class 1 dark; the maps of its two stages are 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.AvgPool2d(4), nn.Identity()
        self.head = nn.Linear(1, 2, bias=False)
        self.head.weight.data = torch.tensor([[1.0], [-1.0]])
        self.feature_info = [{"module": "first", "num_chs": 1}, {"module": "second", "num_chs": 1}]

    def get_classifier(self) -> nn.Module:
        return self.head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(images)).mean(dim=(2, 3)))


def test_heat_is_where_the_evidence_is() -> None:
    images = torch.zeros(1, 1, 32, 32)
    images[0, 0, :8, 16:24] = 1.0
    found = class_activation(Patches(), images, 0)
    assert (found.stage, found.values.shape) == ("second", (8, 8))
    expected = np.zeros((8, 8))
    expected[:2, 4:6] = 1.0
    np.testing.assert_allclose(found.values, expected)
    assert not class_activation(Patches(), images, 1).values.any(), "nothing speaks for the other class"


def test_it_equals_the_formula_of_grad_cam() -> None:
    torch.manual_seed(0)
    model = build_model("resnet18", num_classes=3).eval()
    nn.init.uniform_(model.get_classifier().weight)  # type: ignore[operator]  # so that something speaks for it
    images = torch.randn(1, 3, 224, 224)
    maps = model.forward_features(images).detach().requires_grad_()
    model.forward_head(maps)[0, 2].backward()
    assert maps.grad is not None
    heat = (maps.grad.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].clamp_min(0).detach()
    found = class_activation(WithHeadInput(model), images, 2)
    assert found.stage == "layer4"
    np.testing.assert_allclose(found.values, (heat / heat.max()).numpy(), atol=1e-5)


def test_of_a_small_input_an_earlier_stage_is_taken_and_nothing_is_changed() -> None:
    torch.manual_seed(0)
    model = build_model("resnet18", num_classes=3).eval()
    images = torch.randn(1, 3, 64, 64)
    before = model(images)
    found = class_activation(model, images, 0)
    assert found.stage == "layer2" and min(found.values.shape) >= LEAST_SIDE
    assert found.values.min() >= 0 and found.values.max() == 1
    torch.testing.assert_close(model(images), before)
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    "backbone", ["densenet121", "mobilenetv2", "nasnetmobile", "vgg16", "efficientnetb0"]
)
def test_every_kind_of_backbone_has_one(backbone: str) -> None:
    model = build_model(backbone, num_classes=2).eval()
    assert class_activation(model, torch.randn(1, 3, 64, 64), 1).values.ndim == 2


def test_a_network_without_maps_says_so() -> None:
    model = build_model("timm:vit_tiny_patch16_224", num_classes=2, input_size=(64, 64)).eval()
    with pytest.raises(RunError, match="no maps over the image"):
        class_activation(model, torch.randn(1, 3, 64, 64), 0)
