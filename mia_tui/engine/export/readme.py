"""The model card of an exported network for people: README.md in the form of the hub of Hugging Face.

Names of classes, runs and datasets are whatever somebody typed; none of them can become YAML, Markdown or HTML.
Source of the form: https://huggingface.co/docs/hub/model-cards
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mia_tui.catalog.model_formats import INT8_FILE, ModelFormatName
from mia_tui.engine.export.comparison import NetworkAgreement
from mia_tui.engine.export.graph import GraphInput
from mia_tui.engine.export.metadata import Provenance, input_sentence, prepared_sentence
from mia_tui.runs.evaluation.confusion import ClassFigures
from mia_tui.runs.record.decision import DecisionRule
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.text import counted, markdown_text, percent, shorten, yaml_text

_LIBRARY: dict[ModelFormatName, str] = {"onnx": "onnx", "torch": "pytorch", "timm": "timm"}
# Names of metrics on the hub.
_METRICS = {
    "accuracy": ("accuracy", "accuracy"),
    "balanced_accuracy": ("balanced_accuracy", "balanced accuracy"),
    "macro_f1": ("f1", "macro F1"),
    "mcc": ("matthews_correlation", "Matthews correlation coefficient"),
}

_KNOWN_IMAGES = {
    "val": ", which also chose the epoch, so that figures may be somewhat too good",
    "train": ", on which the network was trained, so that figures are too good",
}


@dataclass(frozen=True)
class Evaluation:
    """What a network was worth on labelled images.

    Attributes:
        part: Part of the data: val or test.
        images: How many.
        figures: By name, from `confusion.figures`.
        by_class: Of each class.
    """

    part: str
    images: int
    figures: Mapping[str, float]
    by_class: tuple[ClassFigures, ...]


@dataclass(frozen=True)
class ReadmeFacts:
    """What the text is made of.

    Attributes:
        name: What people call the network.
        format: Of the file.
        file: Its name.
        card: The model card.
        takes: What the file takes; None where images are prepared outside.
        rule: Temperature and thresholds.
        provenance: Where it is from.
        evaluation: None where that is not known.
        agreement: With the program.
        int8: NetworkAgreement of the file with 8 bits with the other one; None if there is none.
        samples: Images of each part that it was trained with, by part; empty where that is unknown.
    """

    name: str
    format: ModelFormatName
    file: str
    card: ModelCard
    takes: GraphInput | None
    rule: DecisionRule
    provenance: Provenance
    evaluation: Evaluation | None
    agreement: NetworkAgreement
    int8: NetworkAgreement | None
    samples: Mapping[str, int]


def readme(facts: ReadmeFacts) -> str:
    """The text of README.md."""
    parts = [_head(facts), _about(facts), _use(facts), _worth(facts), _limits(facts)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(facts: ReadmeFacts) -> Iterator[str]:
    yield "---"
    yield "# license: choose one, such as mit or cc-by-4.0"
    yield f"library_name: {_LIBRARY[facts.format]}"
    yield "pipeline_tag: image-classification"
    yield "tags:"
    yield from ("- image-classification", "- microscopy", "- mia-tui")
    if facts.evaluation is not None:
        yield from _model_index(facts, facts.evaluation)
    yield "---"


def _model_index(facts: ReadmeFacts, evaluation: Evaluation) -> Iterator[str]:
    name = facts.provenance.dataset or "unnamed"
    yield "model-index:"
    yield f"- name: {yaml_text(facts.name)}"
    yield "  results:"
    yield "  - task:"
    yield "      type: image-classification"
    yield "    dataset:"
    yield f"      name: {yaml_text(name)}"
    yield f"      type: {yaml_text(name)}"
    yield f"      split: {yaml_text(evaluation.part)}"
    yield "    metrics:"
    for key, (kind, words) in _METRICS.items():
        if math.isfinite(evaluation.figures.get(key, math.nan)):  # of images of one class some are not
            yield f"    - type: {kind}"
            yield f"      value: {evaluation.figures[key]:.6f}"
            yield f"      name: {yaml_text(words)}"


def _about(facts: ReadmeFacts) -> Iterator[str]:
    card, provenance = facts.card, facts.provenance
    yield f"# {markdown_text(facts.name)}"
    yield ""
    yield (
        f"A network ({markdown_text(card.backbone)}) that sorts images into "
        f"{counted(len(card.classes), 'class', 'classes')}, trained with mia-tui {markdown_text(card.version)}"
        + (f" on the dataset {markdown_text(provenance.dataset)}" if provenance.dataset else "")
        + f", run {markdown_text(card.run)}, epoch {card.epoch}."
    )
    if facts.samples:
        parts = ", ".join(f"{count:,} in {markdown_text(part)}" for part, count in facts.samples.items())
        yield f"Images: {parts}."
    yield ""
    yield "Classes, in the order of the output:"
    yield ""
    for number, item in enumerate(card.classes):
        yield f"{number}. {markdown_text(item.name)}"
    yield ""
    yield (f"Exported on {provenance.day}; BLAKE2b of the weights of the run: `{provenance.digest}`.")


def _use(facts: ReadmeFacts) -> Iterator[str]:
    yield "## Use"
    yield ""
    if facts.takes is None:
        yield f"Input: {prepared_sentence(facts.card)}"
    else:
        yield f"Input: {input_sentence(facts.card, facts.takes, markdown_text)}"
    yield ""
    if facts.takes is not None:
        yield (
            "Values are those of the file at its own size. JPEG files and images with smaller copies inside are read "
            "by mia-tui at a smaller size where that is still twice what the network takes."
        )
        yield ""
    yield "```python"
    yield from _code(facts)
    yield "```"
    rule = facts.rule
    if rule.temperature != 1.0:
        where = "inside" if facts.takes is not None else "not inside: divide the logits by it"
        yield ""
        yield f"Temperature of the probabilities: {shorten(rule.temperature)} ({where})."
    if rule.may_be_unsure:
        yield ""
        yield (
            f"Below a probability of {shorten(rule.threshold)} the answer is unsure"
            + (f"; {_thresholds(rule)}" if rule.by_class else "")
            + "."
        )


def _thresholds(rule: DecisionRule) -> str:
    return ", ".join(f"{shorten(least)} for {markdown_text(name)}" for name, least in rule.by_class.items())


def _code(facts: ReadmeFacts) -> Iterable[str]:
    if facts.takes is None:
        return (
            "import timm",
            'network = timm.create_model("local-dir:FOLDER", pretrained=True).eval()',
            "# or, with mia-tui, which prepares the images as in training:",
            "from mia_tui import Classifier",
            'print(Classifier("FOLDER").predict("cell.png").labels)',
        )
    more = ', "pixel_um": np.array([0.65, 0.65])' if facts.card.pixel_size else ""
    read = [
        "import numpy as np",
        "from PIL import Image",
        *_reading(facts.takes),
    ]
    if facts.format == "onnx":
        return (
            "import json",
            "import onnxruntime",
            *read,
            f'session = onnxruntime.InferenceSession("{facts.file}")',
            f'(probabilities,) = session.run(None, {{"images": images{more}}})',
            'classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])',
            "print(classes[probabilities[0].argmax()], probabilities[0].max())",
        )
    more = ", pixel_um=torch.tensor([0.65, 0.65], dtype=torch.float64)" if facts.card.pixel_size else ""
    return (
        "import torch",
        *read,
        f'network = torch.export.load("{facts.file}").module()',
        f"probabilities = network(images=torch.from_numpy(images){more}).detach()",
    )


def _reading(takes: GraphInput) -> tuple[str, ...]:
    if takes.limits is None:
        mode = "RGB" if takes.channels == 3 else "L"
        grey = "" if takes.channels == 3 else "[:, :, None]"
        return (f'images = np.array(Image.open("cell.png").convert("{mode}")){grey}[None]',)
    return (
        "# (height, width, channels) as the file has them, such as from tifffile.imread or mia_tui.read_image",
        f"images = pixels.astype(np.{takes.dtype})[None]",
    )


def _worth(facts: ReadmeFacts) -> Iterator[str]:
    yield "## Results"
    yield ""
    evaluation = facts.evaluation
    if evaluation is None:
        yield "It is not known here how good the network is."
    else:
        part = f"of the part {markdown_text(evaluation.part)}" if evaluation.part else "that were evaluated"
        known = _KNOWN_IMAGES.get(evaluation.part, "")
        yield f"On {counted(evaluation.images, 'image')} {part}{known}:"
        yield ""
        yield "| metric | value |"
        yield "|---|---|"
        for key, (_, words) in _METRICS.items():
            if math.isfinite(evaluation.figures.get(key, math.nan)):
                yield f"| {words} | {evaluation.figures[key]:.4f} |"
        yield ""
        yield "| class | images | precision | recall | F1 |"
        yield "|---|---|---|---|---|"
        for row in evaluation.by_class:
            yield (
                f"| {markdown_text(row.name)} | {row.support:,} | {row.precision:.4f} | {row.recall:.4f} | "
                f"{row.f1:.4f} |"
            )
    yield ""
    yield "- " + _agreement_words(facts.agreement, f"`{facts.file}` and mia-tui (with `--precision fp32`)")
    if facts.int8 is not None:
        yield "- " + _agreement_words(
            facts.int8, f"`{INT8_FILE}`, which has weights of 8 bits, and `{facts.file}`"
        )


def _agreement_words(agreement: NetworkAgreement, both: str) -> str:
    share = percent(agreement.same_class / agreement.images) if agreement.images else "none"
    return (
        f"{both} name the same class for {share} of {counted(agreement.images, 'image')}; probabilities differ by "
        f"{agreement.difference:.1e} at most."
    )


def _limits(facts: ReadmeFacts) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield (
        "It knows only these classes, and gives one of them to any image. Images of another microscope, stain or "
        "preparation may be judged worse than the figures above say; label some and evaluate before relying on it."
    )
