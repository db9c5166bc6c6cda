"""What the file of an exported network says of itself, for people and for programs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

import mia_tui
from mia_tui.config.predict import DecisionRule, Share, Temperature
from mia_tui.decoding import decode_json
from mia_tui.engine.export.graph import GraphInput
from mia_tui.runs.record.model_card import CARD_KEY, ModelCard
from mia_tui.text import join_names, printable

_PACKAGES = ("torch", "timm", "onnx", "onnxscript", "onnxruntime", "pillow")
TAKES_KEY = "takes"
_PROBABILITIES = "probabilities, at the temperature named here,"
_LOGITS = "logits, to be divided by the temperature named here before the softmax,"


@dataclass(frozen=True)
class Provenance:
    """Where a network is from.

    Attributes:
        dataset: Name of the folder that it learned from; empty where that is unknown.
        digest: BLAKE2b of its weights file.
        exported_at: Unix seconds.
    """

    dataset: str
    digest: str
    exported_at: float

    @property
    def day(self) -> str:
        """The date in UTC, such as 2026-11-29."""
        return time.strftime("%Y-%m-%d", time.gmtime(self.exported_at))


def make_metadata(
    card: ModelCard, takes: GraphInput | None, rule: DecisionRule, provenance: Provenance
) -> dict[str, Any]:
    """The metadata by key; values are strings or what JSON can hold.

    Args:
        card: The model card, which is among them.
        takes: What the file takes; None where the images are prepared by whoever uses it.
        rule: Temperature and thresholds.
        provenance: Where the network is from.
    """
    found: dict[str, Any] = {
        CARD_KEY: msgspec.json.encode(card).decode(),
        "classes": [item.name for item in card.classes],
        "input": prepared_sentence(card) if takes is None else input_sentence(card, takes),
        "output": f"{_LOGITS if takes is None else _PROBABILITIES} (N, {len(card.classes)})",
        "temperature": rule.temperature,
        "threshold": rule.threshold,
        "threshold_by_class": dict(rule.by_class),
        "run": card.run,
        "dataset": provenance.dataset,
        "exported_on": provenance.day,
        "weights_blake2b": provenance.digest,
        "versions": {"mia-tui": mia_tui.__version__, "trained with mia-tui": card.version, **_versions()},
    }
    if takes is not None:
        found[TAKES_KEY] = {"dtype": takes.dtype, "channels": takes.channels, "limits": takes.limits}
    return found


def input_sentence(card: ModelCard, takes: GraphInput, shown: Callable[[object], str] = printable) -> str:
    """What arrays a file takes; `shown` makes names harmless."""
    shape = f"(N, height, width, {takes.channels})"
    what = f"images: {takes.dtype} {shape}, any number of images of one size, {_channel_words(card, takes, shown)}"
    pictures = "" if takes.limits else "; pictures of 8 bits, transparent ones on white"
    size = "; pixel_um: float64 (2,), width and height of a pixel in micrometres" if card.pixel_size else ""
    stack = f"; of a stack its {_stack_words(card)}" if card.stacks == "whole" else ""
    return f"{what}, as the file has them{pictures}{stack}{size}. Brightness, size and scaling are inside."


def prepared_sentence(card: ModelCard) -> str:
    """How images are prepared for a file that holds only the network."""
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (card.mean, card.std))
    return (
        f"float32 (N, {card.channel_count}, {card.height}, {card.width}): {card.geometry} to that size with the "
        f"filter {card.resize}, values as 0 to 1, minus the mean ({mean}), divided by the deviation ({std})."
    )


def read_metadata(metadata: Mapping[str, str]) -> tuple[DecisionRule, GraphInput]:
    """Temperature, thresholds, and what a file takes, from its metadata.

    Raises:
        BadRecord: If they are no such values.
        KeyError: If they are missing.
    """
    rule = DecisionRule(
        temperature=decode_json(metadata["temperature"], Temperature),
        threshold=decode_json(metadata["threshold"], Share),
        by_class=decode_json(metadata["threshold_by_class"], dict[str, Share]),
    )
    return rule, decode_json(metadata[TAKES_KEY], GraphInput)


def _channel_words(card: ModelCard, takes: GraphInput, shown: Callable[[object], str]) -> str:
    names = card.input_map.channels
    if names:
        return f"the channels {join_names([shown(name) for name in names])}"
    return "red, green and blue" if takes.channels == 3 else "one grey channel"


def _stack_words(card: ModelCard) -> str:
    return {"max": "maximum", "mean": "mean", "middle": "plane in the middle"}[card.stack]


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
