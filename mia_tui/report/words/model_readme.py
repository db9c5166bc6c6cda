"""The README.md beside the weights in the archive: what the network is, in the form of the hub of Hugging Face.

Names are whatever somebody typed; none of them can become YAML, Markdown or HTML.
Source of the form: https://huggingface.co/docs/hub/model-cards
"""

from collections.abc import Iterator, Sequence

from mia_tui.catalog.metrics import metric_words
from mia_tui.report.facts import RunFacts
from mia_tui.report.numbers import ResultNumbers
from mia_tui.text import counted, markdown_text, yaml_text

_METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "macro_f1": "f1"}
"""What the hub calls them."""


def model_readme(
    facts: RunFacts, numbers: ResultNumbers | None, *, methods: str, limits: Sequence[str]
) -> str:
    """The text.

    Args:
        facts: What is known of the run; with its model card.
        numbers: Of the main results; None without any.
        methods: The paragraph.
        limits: What the results do not show, a sentence each.
    """
    classes = [f"{number}. {markdown_text(name)}" for number, name in enumerate(facts.classes)]
    parts = [
        "\n".join(_head(facts, numbers)),
        f"# {markdown_text(facts.title)}",
        f"It sorts images into {counted(len(classes), 'class', 'classes')}, in the order of its output:",
        "\n".join(classes),
        "## Use",
        "```\nmia-tui predict FOLDER --run best.safetensors --out predictions.csv\n```",
        "`mia-tui export` writes it as ONNX, torch.export or timm for other programs.",
        "## Methods and results",
        markdown_text(methods),
        "## Limits",
        "\n".join(f"- {markdown_text(sentence)}" for sentence in limits),
    ]
    return "\n\n".join(parts) + "\n"


def _head(facts: RunFacts, numbers: ResultNumbers | None) -> Iterator[str]:
    yield "---"
    yield "# license: choose one, such as mit or cc-by-4.0"
    yield "library_name: mia-tui"
    yield "pipeline_tag: image-classification"
    yield "tags:"
    yield from ("- image-classification", "- microscopy", "- mia-tui")
    if numbers is not None and numbers.image_count:
        yield from _results(facts, numbers)
    yield "---"


def _results(facts: RunFacts, numbers: ResultNumbers) -> Iterator[str]:
    results = numbers.evaluated.results
    dataset = yaml_text(results.dataset.name or "unnamed")
    yield "model-index:"
    yield f"- name: {yaml_text(facts.title)}"
    yield "  results:"
    yield "  - task:"
    yield "      type: image-classification"
    yield "    dataset:"
    yield f"      name: {dataset}"
    yield f"      type: {dataset}"
    yield f"      split: {yaml_text(results.split)}"
    yield "    metrics:"
    for name, kind in _METRICS.items():
        yield f"    - type: {kind}"
        yield f"      value: {numbers.metrics.overall[name].value:.6f}"
        yield f"      name: {yaml_text(metric_words(name))}"
