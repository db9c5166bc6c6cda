"""Pretrained weights: finding the file, and loading it only if it belongs to exactly this network.

timm loads with `strict=False` once the number of classes differs, so the file
of a resnet34 "loads" into a resnet18 (whose every key it has) and that of a
resnet18 into a resnet34 (half of which stays random). Here the names and
shapes of the features must agree exactly. The head stays new but for classes
that an earlier network of this program knows by name.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mia_tui.catalog.backbones import HUB, SHIPPED, find_backbone
from mia_tui.config import weights_cache
from mia_tui.dataset.class_rules import class_name
from mia_tui.decoding import BadRecord
from mia_tui.engine.network import download, shipped
from mia_tui.engine.network.backbones import head_modules, head_names, timm_name
from mia_tui.engine.network.torch_file import (
    HoldsCode,
    check_weights,
    load_torch_file,
)
from mia_tui.errors import WeightsError
from mia_tui.runs.record.model_card import card_of, is_safetensors
from mia_tui.text import printable

State = dict[str, Tensor]

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
# Parts that belong to the head in files of these networks, and that build_model leaves out.
_EXTRA_HEADS = {"VGG": ("pre_logits", "classifier"), "InceptionV3": ("AuxLogits",)}


def find_weights(backbone: str, weights: str, *, on_download: Callable[[str], None] | None = None) -> Path:
    """The file of weights that a run starts from; it is downloaded if it is not on this disk.

    Args:
        backbone: A name of the catalogue, or `timm:NAME`.
        weights: `imagenet`, or a file or folder as `weights_cache.given_weights` takes it.
        on_download: Called with a sentence when a download begins.

    Raises:
        WeightsError: If the file is not here and cannot be downloaded; after a few seconds without internet.
    """
    if weights != weights_cache.IMAGENET_WEIGHTS:
        return weights_cache.given_weights(backbone, weights)
    row = find_backbone(backbone)
    if row is not None and row.source == SHIPPED:
        return shipped.find_file()
    tag, source = _published(backbone)
    on_hub = not source.startswith(("http://", "https://"))
    cached = weights_cache.hub_file(source) if on_hub else weights_cache.url_file(source)
    if cached is not None:
        return cached
    address = download.hub_address(source) if on_hub else source
    if (on_hub and download.hub_is_offline()) or not download.answers(address):
        raise _unreachable(backbone, tag, address, on_hub)
    if on_download is not None:
        on_download(
            f"Downloading the ImageNet weights {tag} of {backbone} from {urlsplit(address).hostname}."
        )
    return download.from_hub(source) if on_hub else download.from_url(source)


def load_weights(model: nn.Module, path: Path, *, backbone: str, in_channels: int) -> None:
    """Load everything but the head from a file, in place.

    Args:
        model: As `build_model` made it.
        path: safetensors, or what `torch.save` wrote of a state dict (pickled objects are not opened).
        backbone: The name the user knows the network by.
        in_channels: Channels of the model's first layer; the file's is adapted to it.

    Raises:
        WeightsError: If the file cannot be read, or is of another network; the model is then unchanged.
    """
    state = _fitting(model, read_weights(path), in_channels)
    problem = _difference(model, state)
    if problem:
        raise WeightsError(
            f"{printable(path)} does not hold weights of {printable(backbone)}: {problem}.",
            "Name the file of that network, or train with --weights none.",
        )
    model.load_state_dict({key: state[key] for key in _feature_shapes(model) if key in state}, strict=False)


def clear_head(model: nn.Module) -> None:
    """Let the head say the same of all classes, in place: what the features know is then not lost in chance.

    timm draws the heads of some networks from a range (0.58 either way for three classes in EfficientNets) that
    several hundred steps do not overcome; of those the features would have to learn the chance.
    """
    state = model.state_dict()
    for name in head_names(model):
        state[name].zero_()  # shares its memory with the model


def take_over_head(model: nn.Module, path: Path, classes: Sequence[str]) -> list[str]:
    """Give the head what a network of ours knows of classes of the same names, in place; other classes stay new.

    Args:
        model: As `build_model` made it, with the features of the file.
        path: A file of weights; of one without a model card, whose classes nobody knows, nothing is taken.
        classes: Names of the model's classes, in the order of its logits.

    Returns:
        The names that were found.
    """
    card = card_of(path)
    if card is None:
        return []
    there = {class_name(item.name): row for row, item in enumerate(card.classes)}
    pairs = [(row, there[class_name(name)]) for row, name in enumerate(classes) if class_name(name) in there]
    state, saved, taken = model.state_dict(), read_weights(path), False
    for name in head_names(model):
        ours, theirs = state[name], saved.get(name)
        if theirs is None or not pairs or theirs.shape[1:] != ours.shape[1:]:
            continue
        if (len(ours), len(theirs)) == (len(classes), len(card.classes)):
            rows, others = (torch.tensor(column) for column in zip(*pairs, strict=True))
            ours[rows] = theirs[others].to(ours.dtype)  # shares its memory with the model
            taken = True
    return [classes[row] for row, _ in pairs] if taken else []


def read_weights(path: Path) -> State:
    """The tensors of a file of weights by name, on the CPU.

    Raises:
        WeightsError: If the file is missing, truncated, or another kind of file.
    """
    try:
        by_name = is_safetensors(path)
    except BadRecord as error:
        raise _unreadable(path) from error
    except OSError as error:
        raise WeightsError(f"{printable(path)} cannot be read: {error.strerror or error}.") from error
    try:
        content = load_file(path) if by_name else load_torch_file(path)
    except HoldsCode as error:
        raise WeightsError(
            f"{printable(path)} holds more than tensors and is not opened, since that could run code.",
            "Save the state dict alone, or as safetensors.",
        ) from error
    # OSError: in a file cut short, a seek to before its start.
    except (SafetensorError, RuntimeError, ValueError, OSError) as error:
        raise _unreadable(path) from error
    state = _unwrapped(content, path)
    try:
        check_weights(state)
    except BadRecord as error:
        raise WeightsError(
            f"The weights in {printable(path)} cannot be used: {printable(error)}.", "Name another file."
        ) from error
    return state


def _published(backbone: str) -> tuple[str, str]:
    """Tag and source of a backbone's ImageNet weights: a hub repository, or an address."""
    row = find_backbone(backbone)
    if row is not None and row.tag and row.source:
        return row.tag, weights_cache.hub_repo(row) if row.source == HUB else row.source
    cfg = None if row is not None else timm.get_pretrained_cfg(timm_name(backbone))
    if cfg is None or not (cfg.hf_hub_id or cfg.url):
        raise WeightsError(
            f"Nobody has published ImageNet weights for {printable(backbone)}.",
            "Train with --weights none, name a file with --weights FILE, or choose another backbone.",
        )
    if cfg.custom_load or cfg.hf_hub_filename:
        raise WeightsError(
            f"The weights of {printable(backbone)} are in a format that only timm reads.",
            "Convert them with timm and name the file with --weights FILE.",
        )
    return str(cfg.tag or "default"), str(cfg.hf_hub_id or cfg.url)


def _unreachable(backbone: str, tag: str, address: str, on_hub: bool) -> WeightsError:
    host = urlsplit(address).hostname
    offline = (
        "is switched off by HF_HUB_OFFLINE" if on_hub and download.hub_is_offline() else "cannot be reached"
    )
    places = (
        "HF_HOME to a cache with it, HF_ENDPOINT to a mirror" if on_hub else "TORCH_HOME to a cache with it"
    )
    return WeightsError(
        f"The ImageNet weights {tag} of {printable(backbone)} are not on this disk, and {host} {offline}.",
        f"Download {address} on another computer and name it with --weights FILE, set {places}, take the backbone "
        "efficientnetlite0, whose weights are always on this disk, or use --weights none.",
    )


def _unreadable(path: Path) -> WeightsError:
    return WeightsError(
        f"{printable(path)} cannot be read as weights: it is cut short, or another kind of file.",
        "Download it again, or name another file with --weights FILE.",
    )


def _unwrapped(content: Any, path: Path) -> State:
    """The state dict itself, without the wrappers and prefixes that training scripts add."""
    if isinstance(content, Mapping):
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
        state = {str(key): value for key, value in inner.items() if isinstance(value, Tensor)}
        if state and len(state) == len(inner):
            return dict(timm.models.clean_state_dict(state))
    raise WeightsError(f"{printable(path)} holds no weights by name.", "Save the state dict of the network.")


def _fitting(model: nn.Module, state: State, in_channels: int) -> State:
    """The file's tensors under the model's names and for its channels, as far as timm can convert them."""
    adapted = _adapt_channels(model, state, in_channels)
    if not _difference(model, adapted):
        return adapted
    try:
        renamed = _renamed(model, dict(state))
    except (LookupError, RuntimeError, ValueError, AttributeError, TypeError, AssertionError):
        return adapted  # the converters fail for files of other networks
    return _adapt_channels(model, renamed, in_channels)


def _renamed(model: nn.Module, state: State) -> State:
    """Names of other programs converted to timm's, by the converter in timm's module of each network."""
    if shipped.has_other_names(state):
        return shipped.renamed(model, state)
    module: Any = sys.modules[type(model).__module__]
    if hasattr(module, "checkpoint_filter_fn"):
        return dict(module.checkpoint_filter_fn(state, model))
    if hasattr(module, "_filter_torchvision_pretrained"):
        return dict(module._filter_torchvision_pretrained(state))
    return state


def _adapt_channels(model: nn.Module, state: State, in_channels: int) -> State:
    """The first layers of the file for another number of channels, so that grey images give equal features.

    One channel gets the sum of all; otherwise channels are repeated and scaled by old / new (as in timm).
    """
    config: Any = getattr(model, "pretrained_cfg", None) or {}
    first = config.get("first_conv") or ()
    adapted = dict(state)
    for name in (first,) if isinstance(first, str) else first:
        weight = adapted.get(f"{name}.weight")
        if weight is None or weight.ndim != 4 or weight.shape[1] in (0, in_channels):
            continue
        old = weight.shape[1]
        if in_channels == 1:
            adapted[f"{name}.weight"] = weight.sum(dim=1, keepdim=True)
        else:
            repeated = weight[:, [channel % old for channel in range(in_channels)]]
            adapted[f"{name}.weight"] = repeated * (old / in_channels)
    return adapted


def _difference(model: nn.Module, state: State) -> str:
    """Why a file is not of this network, in words; empty if it is."""
    wanted = _feature_shapes(model)
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    heads = (*head_modules(model), *_EXTRA_HEADS.get(type(model).__name__, ()))
    extra = [
        key for key in state if key not in wanted and not key.startswith(tuple(f"{head}." for head in heads))
    ]
    reshaped = [key for key, shape in wanted.items() if key in state and state[key].shape != shape]
    if reshaped:
        key = reshaped[0]
        return f"{printable(key)} is {_size(state[key].shape)} there and {_size(wanted[key])} here"
    words = [_some(missing, "lacks"), _some(extra, "has, unlike the network,")]
    return " and ".join(word for word in words if word)


def _feature_shapes(model: nn.Module) -> dict[str, torch.Size]:
    head = head_names(model)
    return {key: value.shape for key, value in model.state_dict().items() if key not in head}


def _some(keys: list[str], verb: str) -> str:
    if not keys:
        return ""
    others = f" and {len(keys) - 1} others" if len(keys) > 1 else ""
    return f"it {verb} {printable(keys[0])}{others}"


def _size(shape: torch.Size) -> str:
    return " x ".join(str(length) for length in shape) or "a single number"
