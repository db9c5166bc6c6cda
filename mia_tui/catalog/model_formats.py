"""Formats to choose from in which a trained network leaves for other programs."""

from dataclasses import dataclass
from typing import Literal

ModelFormatName = Literal["onnx", "torch", "timm"]

ONNX_FILE, INT8_FILE, TORCH_FILE, TIMM_FILE = (
    "model.onnx",
    "model.int8.onnx",
    "model.pt2",
    "model.safetensors",
)
TIMM_CONFIG = "config.json"
CARD_FILE = "README.md"
ONNX_INSTALL = "pip install 'mia-tui[onnx]'"


@dataclass(frozen=True)
class ModelFormat:
    """A format.

    Attributes:
        words: What it is for.
        file: The file with the network.
    """

    words: str
    file: str


MODEL_FORMATS: dict[ModelFormatName, ModelFormat] = {
    "onnx": ModelFormat(
        "for onnxruntime, in any language and without Python: pixels in, probabilities out", ONNX_FILE
    ),
    "torch": ModelFormat("for torch alone: pixels in, probabilities out", TORCH_FILE),
    "timm": ModelFormat("for timm, the hub of Hugging Face, and other people's mia-tui", TIMM_FILE),
}
