"""Networks with weights that tell images apart, without a training, and images for them."""

from pathlib import Path

import msgspec
import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import nn

from mia_tui.dataset.images.decode import decode_input
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.engine.data.scaling import standardise, to_tensor, to_unit
from mia_tui.engine.network.backbones import build_model, head_modules
from mia_tui.engine.training.checkpoint import copy_weights
from mia_tui.runs.record.job import JobClass
from mia_tui.runs.record.model_card import CARD_KEY, ModelCard

TINY = "timm:test_resnet"
"""A network of timm with all that a ResNet has, and 0.5 million weights."""

CLASSES = ("round", "thin", "dark")


def save_pictures(folder: Path, count: int, *, mode: str = "RGB", seed: int = 1) -> Path:
    """Images of several sizes with something to see in each."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        height, width = ((60, 80), (90, 41), (33, 33))[number % 3]
        y, x = np.mgrid[:height, :width]
        waves = np.sin(x / random.uniform(2, 20) + random.uniform(0, 6)) * np.cos(y / random.uniform(2, 20))
        colours = random.uniform(0, 255, 3) * (0.5 + 0.5 * waves[:, :, None]) + random.normal(
            0, 8, (height, width, 3)
        )
        Image.fromarray(colours.clip(0, 255).astype(np.uint8)).convert(mode).save(folder / f"{number:03}.png")
    return folder


def make_card(backbone: str = TINY, **changed: object) -> ModelCard:
    """A model card; the number of channels decides the scaling."""
    values: dict[str, object] = {
        "backbone": backbone,
        "classes": [JobClass(number, name) for number, name in enumerate(CLASSES, 1)],
        "width": 48,
        "height": 40,
        "color": True,
        "geometry": "squash",
        "resize": "cubic",
        "max_megapixels": 100.0,
        "frames": "first",
        "drop_rate": 0.0,
        "drop_path_rate": 0.0,
        "run": "a-run",
        "epoch": 3,
        "metric": "macro_f1",
        "value": 0.9,
        "evaluated_on": "val",
        "version": "0.1.0",
        "input_map": InputMap(mode="dataset"),
        **changed,
    }
    input_map = values["input_map"]
    assert isinstance(input_map, InputMap)
    channels = len(input_map.channels) or (3 if values["color"] else 1)
    return ModelCard(**{"mean": [0.45] * channels, "std": [0.25] * channels, **values})


def save_network(path: Path, card: ModelCard, images: Path, *, spread: float = 2.0) -> Path:
    """Write a weights file whose network gives these images different classes.

    Args:
        path: The file.
        card: Its model card.
        images: A folder of images, on which the layers' norms and the head are set.
        spread: Standard deviation of the logits.
    """
    torch.manual_seed(3)
    model = build_model(
        card.backbone,
        num_classes=len(card.classes),
        in_channels=card.channel_count,
        input_size=(card.height, card.width),
    )
    pixels = [decode_input(file, 0, card) for file in sorted(images.iterdir())[:24]]
    inputs = standardise(
        to_unit(to_tensor(np.stack(pixels)).permute(0, 3, 1, 2)), tuple(card.mean), tuple(card.std)
    )
    _settle(model, inputs, spread)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {CARD_KEY: msgspec.json.encode(card).decode()}
    safetensors.torch.save_file(copy_weights(model), path, metadata)
    return path


def _settle(model: nn.Module, inputs: torch.Tensor, spread: float) -> None:
    """Set the norms to these images, and the head so that its outputs are centred and spread."""
    model.train()
    with torch.no_grad():
        for _ in range(4):
            for module in model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.momentum = 0.6
            model(inputs)
        model.eval()
        logits = model(inputs)
        for name in head_modules(model):
            head = model.get_submodule(name)
            scale = spread / logits.std(dim=0).clamp(min=1e-6)
            head.weight.mul_(scale.view(-1, *[1] * (head.weight.ndim - 1)))
            if head.bias is not None:
                head.bias.sub_(logits.mean(dim=0)).mul_(scale)
