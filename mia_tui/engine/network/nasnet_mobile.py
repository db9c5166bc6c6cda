"""NASNet-A mobile (4 @ 1056), which timm lacks, put together from timm's NASNet cells.

Registered as timm model `nasnetamobile`, so `timm.create_model` makes it. The
names of its parts are those of the published weights (Cadene,
pretrained-models.pytorch): cells 4, 5, 10 and 11 do not exist here.

timm's average pooling with TensorFlow's padding counts the padded zeros even
where it is told not to. NASNet's weights were trained without them, so
`exact_average_pools` puts that right in both NASNets (largest difference of a
logit on random weights before: 0.004, after: 2e-7).

Source: Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", 2018.
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers.classifier import create_classifier
from timm.layers.conv_bn_act import ConvNormAct
from timm.layers.padding import pad_same
from timm.layers.pool2d_same import AvgPool2dSame
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.nasnet import CellStem0, CellStem1, FirstCell, NormalCell, ReductionCell0, ReductionCell1
from torch import Tensor, nn

from mia_tui.catalog.backbones import BACKBONES

_STEM = 32
_WIDTH = 44
_FEATURES = 24 * _WIDTH


class AveragePoolSame(nn.Module):
    """Average pooling with TensorFlow's SAME padding, over the pixels of the image only."""

    def __init__(self, kernel_size: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        self.kernel_size = list(kernel_size)
        self.stride = list(stride)

    def forward(self, x: Tensor) -> Tensor:
        inside = torch.ones_like(x[:1, :1])  # (1, 1, H, W)
        return self._pool(x) / self._pool(inside)

    def _pool(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(pad_same(x, self.kernel_size, self.stride), self.kernel_size, self.stride)


def exact_average_pools(model: nn.Module) -> None:
    """Replace timm's SAME average pools that should not count their padding, in place."""
    for name, module in list(model.named_modules()):
        if isinstance(module, AvgPool2dSame) and not module.count_include_pad:
            kernel, stride = module.kernel_size, module.stride
            assert isinstance(kernel, tuple) and isinstance(stride, tuple)  # timm makes pairs of both
            model.set_submodule(name, AveragePoolSame(kernel, stride))


class NASNetAMobile(nn.Module):
    """The network; arguments as timm's models have them."""

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        drop_rate: float = 0.0,
        global_pool: str = "avg",
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.num_features = self.head_hidden_size = _FEATURES
        self.feature_info = [{"num_chs": _FEATURES, "reduction": 32, "module": "act"}]
        width = _WIDTH
        self.conv0 = ConvNormAct(
            in_chans,
            _STEM,
            kernel_size=3,
            stride=2,
            padding=0,
            norm_layer=partial(nn.BatchNorm2d, eps=0.001, momentum=0.1),
            apply_act=False,
        )
        self.cell_stem_0 = CellStem0(_STEM, num_channels=width // 4, pad_type="same")
        self.cell_stem_1 = CellStem1(_STEM, num_channels=width // 2, pad_type="same")
        self._add_cells(0, before=width, after=2 * width, width=width)
        self.reduction_cell_0 = ReductionCell0(6 * width, 2 * width, 6 * width, 2 * width, pad_type="same")
        self._add_cells(6, before=6 * width, after=8 * width, width=2 * width)
        self.reduction_cell_1 = ReductionCell1(12 * width, 4 * width, 12 * width, 4 * width, pad_type="same")
        self._add_cells(12, before=12 * width, after=16 * width, width=4 * width)
        self.act = nn.ReLU(inplace=True)
        self.global_pool, self.head_drop, self.last_linear = create_classifier(
            _FEATURES, num_classes, pool_type=global_pool, drop_rate=drop_rate
        )
        exact_average_pools(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Features, shape (N, 1056, H/32, W/32) rounded up, from images (N, C, H, W)."""
        x = self.conv0(x)
        stem = self.cell_stem_0(x)
        before, now = stem, self.cell_stem_1(x, stem)
        before, now = self._run_cells(0, before, now)
        # The cell after a reduction takes the reduction's own input as its left one.
        now, before = self.reduction_cell_0(now, before), now
        before, now = self._run_cells(6, before, now)
        now, before = self.reduction_cell_1(now, before), now
        _, now = self._run_cells(12, before, now)
        return self.act(now)  # type: ignore[no-any-return]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (N, num_classes), or pooled features (N, 1056), from features."""
        x = self.head_drop(self.global_pool(x))
        return x if pre_logits else self.last_linear(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Which layers belong together, as timm says it of nasnetalarge."""
        return {
            "stem": r"^conv0|cell_stem_[01]",
            "blocks": [
                (r"^cell_(\d+)", None),
                (r"^reduction_cell_0", (6,)),
                (r"^reduction_cell_1", (12,)),
            ],
        }

    def get_classifier(self) -> nn.Module:
        """The head, as timm's models give it."""
        head: nn.Module = self.last_linear
        return head

    def _add_cells(self, first: int, *, before: int, after: int, width: int) -> None:
        """Four cells; `before` and `after` are the channels before and after the reduction ahead of them."""
        normal = partial(NormalCell, out_chs_left=width, out_chs_right=width, pad_type="same")
        self.add_module(
            f"cell_{first}", FirstCell(before, width // 2, after, width, pad_type="same")
        )  # FirstCell halves its left input, so each half gets half of the width
        self.add_module(f"cell_{first + 1}", normal(in_chs_left=after, in_chs_right=6 * width))
        self.add_module(f"cell_{first + 2}", normal(in_chs_left=6 * width, in_chs_right=6 * width))
        self.add_module(f"cell_{first + 3}", normal(in_chs_left=6 * width, in_chs_right=6 * width))

    def _run_cells(self, first: int, before: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        for number in range(first, first + 4):
            before, now = now, self.get_submodule(f"cell_{number}")(now, before)
        return before, now


default_cfgs = generate_default_cfgs(
    {
        "nasnetamobile.tf_in1k": {
            "url": BACKBONES["nasnetmobile"].source,
            "input_size": (3, 224, 224),
            "pool_size": (7, 7),
            "crop_pct": 0.875,
            "interpolation": "bicubic",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "num_classes": 1000,
            "first_conv": "conv0.conv",
            "classifier": "last_linear",
        },
    }
)


@register_model  # type: ignore[untyped-decorator, unused-ignore]
def nasnetamobile(pretrained: bool = False, **options: Any) -> nn.Module:
    """NASNet-A mobile, for timm's registry."""
    return build_model_with_cfg(NASNetAMobile, "nasnetamobile", pretrained, **options)
