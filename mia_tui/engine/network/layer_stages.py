"""The stages of a network from its first layers to its head: which parameters learn at which rate, or not at all.

Which layers belong together is what timm says of its networks (`group_matcher`, coarse); of those few that do not say
it, layers are taken together in the order in which they were built.
"""

from collections.abc import Sequence
from typing import Any

from timm.models import group_parameters
from timm.optim._param_groups import auto_group_layers
from torch import nn

from mia_tui.engine.network.backbones import head_modules, head_names

MOST_STAGES = 8
"""Stages in front of the head, as the EfficientNets have. Of networks that name more (46 of inception_resnet_v2, 12
of a transformer) neighbours are taken together, so that a share from stage to stage means much the same for all."""


def stage_numbers(model: nn.Module) -> dict[str, int]:
    """The stage of every parameter, by name: 0 is that of the first layers, the largest number that of the head."""
    found: dict[str, int]
    if hasattr(model, "group_matcher"):
        matcher: Any = model.group_matcher
        found = group_parameters(model, matcher(coarse=True), reverse=True)
    else:
        found = auto_group_layers(model)  # type: ignore[no-untyped-call]
    head = head_names(model)
    beside_head = max(found.values())  # timm counts the last norms among the head
    body = sorted(set(found.values()) - {beside_head})
    count = min(len(body), MOST_STAGES)
    number_of = {number: place * count // len(body) for place, number in enumerate(body)}
    number_of[beside_head] = count - 1
    return {name: count if name in head else number_of[number] for name, number in found.items()}


def learning_shares(model: nn.Module, decay: float) -> dict[str, float]:
    """Learning rate of every parameter as a share of that of the head, by name.

    Args:
        model: The network.
        decay: Rate of a stage as a share of that of the stage after it, in (0, 1].

    Source: Clark et al., "ELECTRA", 2020, as timm's `param_groups_layer_decay` does it.
    """
    stages = stage_numbers(model)
    last = max(stages.values())
    return {name: decay ** (last - stage) for name, stage in stages.items()}


def set_frozen(model: nn.Module, frozen: bool) -> None:
    """Keep everything but the head as it is, or let all of it learn."""
    head = head_names(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not frozen or name in head)


def train_head_only(model: nn.Module) -> None:
    """Training mode for the head, and the mode of predictions for all layers with weights in front of it.

    So their batch normalisation neither follows the new images nor depends on the batch, and nothing is left out at
    random but in front of the head.
    """
    model.train()
    _hold(model, "", tuple(head_modules(model)))


def _hold(module: nn.Module, prefix: str, heads: Sequence[str]) -> None:
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        if path in heads:
            continue
        if any(head.startswith(f"{path}.") for head in heads):
            _hold(child, f"{path}.", heads)
        elif any(True for _ in child.parameters()):
            child.eval()
