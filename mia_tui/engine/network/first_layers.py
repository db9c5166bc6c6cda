"""The first layers of a network in float32, for images of more than 8 bits.

bfloat16 has 8 significant bits, float16 and TF32 have 11: a weak texture beside bright pixels would be rounded away
before the network sees it. After the first convolution and its norm the values are of one scale, and what follows may
be computed in fewer bits. The layers keep their names and weights, so files of weights stay the same.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


def compute_in_float32(model: nn.Module) -> None:
    """Let a network's first convolution, and the norm behind it, compute in float32 under autocast, in place.

    On NVIDIA GPUs convolutions in float32 are no longer rounded to TF32 in this process.
    """
    torch.backends.cudnn.allow_tf32 = False
    for layer in first_layers(model):
        layer.__class__ = _float32_kind(type(layer))  # type: ignore[arg-type]  # a class can be hashed


def first_layers(model: nn.Module) -> list[nn.Module]:
    """The first convolution, and the norm behind it where there is one; of some networks of timm several branches."""
    modules = dict(model.named_modules())
    names = list(modules)
    found = []
    for name in _first_convolutions(model, modules):
        found.append(modules[name])
        following = modules[names[names.index(name) + 1]] if name != names[-1] else None
        if following is not None and _is_norm(following):
            found.append(following)
    return found


def _first_convolutions(model: nn.Module, modules: dict[str, nn.Module]) -> list[str]:
    """Names: those that timm gives; of other networks, the first layer with a kernel."""
    config: Any = getattr(model, "pretrained_cfg", None) or {}
    given = config.get("first_conv") or ()
    named = [name for name in ((given,) if isinstance(given, str) else given) if name in modules]
    return named or [name for name, module in modules.items() if isinstance(module, nn.Conv2d)][:1]


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.modules.batchnorm._NormBase)


@cache
def _float32_kind(kind: type[nn.Module]) -> type[nn.Module]:
    """The same layer without autocast. A class, since a copy of the network must not call the original's layer."""

    class InFloat32(kind):  # type: ignore[misc, valid-type]
        def forward(self, images: Tensor) -> Any:
            with torch.autocast(images.device.type, enabled=False):
                return super().forward(images.float())

    return InFloat32
