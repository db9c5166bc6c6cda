"""Networks: features, global average pooling, dropout, one linear head.

Every name of the catalogue is a timm model; `timm:NAME` reaches the others.
Weights are loaded afterwards (`weights.py`), never by timm: with another
number of classes timm accepts a file of another network without a word.
"""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

import timm
import torch
from timm.layers.classifier import ClassifierHead
from timm.models.vgg import VGG
from torch import nn

from mia_tui.catalog.backbones import IMAGENET, TIMM_PREFIX, Normalisation, find_backbone
from mia_tui.engine.network import nasnet_mobile
from mia_tui.engine.network.first_layers import compute_in_float32
from mia_tui.errors import ConfigError
from mia_tui.text import did_you_mean, printable

# Errors of timm's networks, when built or when run, for an input size that they cannot have.
_SIZE_ERRORS = (RuntimeError, AssertionError, ValueError, ZeroDivisionError)


def build_model(
    backbone: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    input_size: tuple[int, int] | None = None,
    is_deep: bool = False,
) -> nn.Module:
    """Build a network with random weights, drawn from torch's global generator.

    Args:
        backbone: A name of the catalogue, or `timm:NAME`, with timm's tag if one is wanted.
        num_classes: Outputs of the head.
        in_channels: 3 for colour, 1 for mono, or the number of channels named.
        drop_rate: Dropout in front of the head.
        drop_path_rate: Stochastic depth; refused where the network has none.
        input_size: Height and width, pixels; used only by networks of `timm:` that are built for one size.
        is_deep: Whether its images have more than 8 bits, see `first_layers`.

    Returns:
        A module from images (N, in_channels, H, W) to logits (N, num_classes).

    Raises:
        ConfigError: If there is no such network, it has no stochastic depth, or it cannot be built for that size.
    """
    row = find_backbone(backbone)
    name = timm_name(backbone)
    options: dict[str, Any] = {}
    if drop_rate:
        options["drop_rate"] = drop_rate
    if drop_path_rate:
        if row is not None and not row.drop_path:
            raise _no_drop_path(backbone)
        options["drop_path_rate"] = drop_path_rate
    if name.startswith("vgg"):
        # The fully connected layers of 4096 are dropped below: build them one wide, not 0.4 GB large.
        options["mlp_ratio"] = 1 / 4096
    if row is None and input_size is not None and timm.get_pretrained_cfg_value(name, "fixed_input_size"):
        options["img_size"] = input_size
    model = _create(backbone, name, num_classes=num_classes, in_chans=in_channels, **options)
    if isinstance(model, VGG):
        _pool_features(model, drop_rate)
    if name.startswith("nasnet"):
        nasnet_mobile.exact_average_pools(model)
    if is_deep:
        compute_in_float32(model)
    return model


def head_names(model: nn.Module) -> frozenset[str]:
    """Names of the parameters and buffers of the head, as `state_dict` has them."""
    modules = list(head_modules(model))
    return frozenset(
        name for name in model.state_dict() if any(name.startswith(f"{module}.") for module in modules)
    )


def head_modules(model: nn.Module) -> Iterator[str]:
    """Names of the modules that make up the head (two for the distilled networks of timm)."""
    classifier = model.get_classifier()  # type: ignore[operator]
    heads = classifier if isinstance(classifier, tuple | list) else (classifier,)
    for name, module in model.named_modules():
        if any(module is head for head in heads):
            yield name


def first_head(model: nn.Module) -> nn.Module:
    """The head; of two, the first one."""
    classifier = model.get_classifier()  # type: ignore[operator]
    head: nn.Module = classifier[0] if isinstance(classifier, tuple | list) else classifier
    return head


def check_input(model: nn.Module, backbone: str, *, in_channels: int, height: int, width: int) -> None:
    """Run the network on one black image, if its smallest size is in no table.

    Raises:
        ConfigError: If the network cannot take images of that size.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model(torch.zeros(1, in_channels, height, width, device=device))
    except _SIZE_ERRORS as error:
        raise _wrong_size(backbone, (height, width), error) from error
    finally:
        model.train(was_training)


def expected_normalisation(backbone: str) -> Normalisation:
    """Mean and deviation that the ImageNet weights of a backbone were trained with."""
    row = find_backbone(backbone)
    if row is not None:
        return row.normalisation
    cfg = timm.get_pretrained_cfg(timm_name(backbone))
    return IMAGENET if cfg is None else Normalisation(_triple(cfg.mean), _triple(cfg.std))


def timm_name(backbone: str) -> str:
    """The model in timm, with the tag of its weights where one is named.

    Raises:
        ConfigError: If the catalogue or timm has no such network; the nearest names are suggested.
    """
    row = find_backbone(backbone)
    if row is not None:
        return row.timm
    name = backbone.removeprefix(TIMM_PREFIX)
    stem, _, tag = name.partition(".")
    if not timm.is_model(stem):
        near = difflib.get_close_matches(stem.lower(), timm.list_models(), n=3)
        raise ConfigError(
            f"timm has no model {printable(stem)!r}.",
            did_you_mean(TIMM_PREFIX + match for match in near) or None,
        )
    if tag and name not in timm.list_pretrained(f"{stem}.*"):
        tags = ", ".join(known.partition(".")[2] for known in timm.list_pretrained(f"{stem}.*"))
        raise ConfigError(
            f"timm has no weights {printable(tag)!r} of {stem}.",
            f"It has {tags}." if tags else "It has none of that network.",
        )
    return name


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    """One value for each colour; networks for grey images have a single one."""
    red, green, blue = values if len(values) == 3 else (values[0],) * 3
    return red, green, blue


def _create(backbone: str, name: str, **options: Any) -> nn.Module:
    try:
        return timm.create_model(name, pretrained=False, **options)
    except TypeError as error:  # an argument that the network does not have
        if "drop_path_rate" in options and "drop_path_rate" in str(error):
            raise _no_drop_path(backbone) from error
        if "drop_rate" in options and "drop_rate" in str(error):
            raise ConfigError(f"{printable(backbone)} has no dropout.", "Leave --drop-rate at 0.") from error
        raise ConfigError(
            f"{printable(backbone)} cannot be built as a classifier of this kind: {printable(error)}.",
            "`mia-tui backbones` lists the networks that can.",
        ) from error
    except _SIZE_ERRORS as error:
        if "img_size" not in options:
            raise
        raise _wrong_size(backbone, options["img_size"], error) from error


def _wrong_size(backbone: str, size: tuple[int, int], error: Exception) -> ConfigError:
    reason = f" The network says: {printable(str(error).splitlines()[0])}." if str(error) else ""
    return ConfigError(
        f"{printable(backbone)} does not take images of {size[1]} x {size[0]} pixels.",
        f"Try another --size.{reason}",
    )


def _no_drop_path(backbone: str) -> ConfigError:
    return ConfigError(
        f"{printable(backbone)} has no stochastic depth.", "Leave --drop-path-rate at 0, or use --drop-rate."
    )


def _pool_features(model: VGG, drop_rate: float) -> None:
    """Remove VGG's fully connected layers: the head gets the pooled 512 features, as in all other networks."""
    features = model.num_features
    model.pre_logits = nn.Identity()  # type: ignore[assignment]
    model.head_hidden_size = features
    model.head = ClassifierHead(features, model.num_classes, pool_type="avg", drop_rate=drop_rate)
