"""A network as a folder that timm opens: `timm.create_model("local-dir:FOLDER", pretrained=True)`, or from the hub.

Only the network is in it. Images are prepared by the one who uses it; config.json says how, in timm's words as far as
timm has them. The weights are those of the run, to the byte, so mia-tui opens the folder as well.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import timm
import torch
from timm.models.vgg import VGG
from torch import nn

from mia_tui.config.train import Geometry, Resize
from mia_tui.engine.network.nasnet_mobile import NASNetAMobile
from mia_tui.errors import ConfigError
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.text import printable

_CROP_MODE: dict[Geometry, str] = {"squash": "squash", "letterbox": "border", "crop": "center"}
_INTERPOLATION: dict[Resize, str] = {
    "nearest": "box",
    "linear": "bilinear",
    "cubic": "bicubic",
    "lanczos": "lanczos",
}


def check_known_to_timm(network: nn.Module, card: ModelCard) -> None:
    """Refuse networks that timm builds otherwise.

    Raises:
        ConfigError: If it is one.
    """
    reasons: dict[type[nn.Module], str] = {
        VGG: "has three fully connected layers in timm and one here",
        NASNetAMobile: "does not exist in timm",
    }
    reason = next((words for kind, words in reasons.items() if isinstance(network, kind)), None)
    if reason is not None:
        raise ConfigError(
            f"{printable(card.backbone)} {reason}, so timm cannot open it.",
            "Export it with --format onnx or torch; for mia-tui the weights file of the run is enough.",
        )


def timm_config(network: nn.Module, card: ModelCard, metadata: Mapping[str, Any]) -> bytes:
    """The content of config.json, in the form of the hub."""
    known: dict[str, Any] = dict(network.pretrained_cfg)  # type: ignore[arg-type]
    size = [card.channel_count, card.height, card.width]
    arguments: dict[str, Any] = {}
    if card.channel_count != 3:
        arguments["in_chans"] = card.channel_count
    if known.get("fixed_input_size"):
        arguments["img_size"] = size[1:]
    described = {
        "input_size": size,
        "fixed_input_size": bool(known.get("fixed_input_size")),
        "interpolation": _INTERPOLATION[card.resize],
        "crop_pct": 1.0,
        "crop_mode": _CROP_MODE[card.geometry],
        "mean": list(card.mean),
        "std": list(card.std),
        "num_classes": len(card.classes),
        "pool_size": None,
        "first_conv": known.get("first_conv"),
        "classifier": known.get("classifier"),
    }
    content = {
        "architecture": known["architecture"],
        "num_classes": len(card.classes),
        "num_features": network.num_features,
        "label_names": [item.name for item in card.classes],
        "model_args": arguments,
        "pretrained_cfg": described,
        "mia_tui": metadata,
    }
    return json.dumps(content, indent=2).encode()


class TimmNetwork:
    """Runs the network in a folder as timm makes it.

    Args:
        folder: With config.json and the weights.
        temperature: Logits are divided by it.
    """

    def __init__(self, folder: Path, *, temperature: float) -> None:
        self._network: nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        self._temperature = temperature

    def run(self, prepared: torch.Tensor) -> npt.NDArray[np.float32]:
        """Probabilities, shape (N, C), of images (N, channels, height, width), normalised."""
        with torch.inference_mode():
            logits = self._network(prepared)
            found: npt.NDArray[np.float32] = torch.softmax(logits / self._temperature, dim=1).numpy()
        return found
