"""The checklist for machine learning of Schmied et al. 2024 (QUAREP-LiMi): what of it this report answers, and where.

The items are those of "Machine learning workflows", three of which are minimal, four recommended, one ideal; and of
"New workflows" those that a program can answer.
"""

from dataclasses import dataclass
from typing import Literal

from mia_tui.report.facts import RunFacts

Answered = Literal["here", "archive", "yours"]


@dataclass(frozen=True)
class ChecklistItem:
    """An item of the checklist.

    Attributes:
        level: minimal, recommended or ideal.
        title: What it asks for.
        answered: By this report, by the archive beside it, or by the authors.
        where: Where it is answered, or what the authors have to do, a sentence.
        anchor: Section of the report that answers it; empty for none.
    """

    level: str
    title: str
    answered: Answered
    where: str
    anchor: str = ""


def checklist(facts: RunFacts, *, in_archive: bool, examples: int) -> list[ChecklistItem]:
    """The items, and how they are answered.

    Args:
        facts: What is known of the run.
        in_archive: Whether the archive is made, too.
        examples: How many example images of each class are in it.
    """
    archive: Answered = "archive" if in_archive else "yours"
    has_model = in_archive and facts.weights is not None
    zip_hint = "`mia-tui report --zip FILE.zip` puts it into an archive"
    return [
        ChecklistItem(
            "minimal", "Cite the original method", "here", "The works to cite are listed.", "literature"
        ),
        ChecklistItem(
            "minimal",
            "Access to the model",
            "archive" if has_model else "yours",
            "The archive has the weights with their model card; put it into a public repository."
            if has_model
            else f"Publish the weights; {zip_hint}.",
        ),
        ChecklistItem(
            "minimal",
            "Example or validation data",
            "archive" if in_archive and examples else "yours",
            "The archive has example images of each class; put it into a public repository."
            if in_archive and examples
            else f"Publish example images; {zip_hint} with `--examples 10`.",
        ),
        ChecklistItem(
            "recommended",
            "Training and test data, with metadata",
            archive,
            "Settings, training time and device are here, and the archive lists the images of each part; the images "
            "themselves are for you to publish."
            if in_archive
            else "Settings, training time and device are here; the images and their parts are for you to publish.",
            "settings",
        ),
        ChecklistItem(
            "recommended",
            "Code available",
            "here",
            "The program, its version and its command line are named; cite its release.",
            "versions",
        ),
        ChecklistItem(
            "recommended",
            "Limitations",
            "here",
            "What the figures do not show is listed; discuss it.",
            "limits",
        ),
        ChecklistItem(
            "recommended",
            "Cloud hosted or container",
            "yours",
            "Not made by this program; the versions for a container are here.",
            "versions",
        ),
        ChecklistItem(
            "ideal",
            "Standardised format",
            archive,
            "The weights are a safetensors file; `mia-tui export` writes ONNX.",
        ),
        ChecklistItem(
            "minimal",
            "Components and platform, with exact versions",
            "here",
            "Versions and device.",
            "versions",
        ),
        ChecklistItem("minimal", "Sequence of steps", "here", "The methods paragraph.", "methods"),
        ChecklistItem("minimal", "Key settings", "here", "Marked among all settings.", "settings"),
        ChecklistItem("recommended", "All settings", "here", "The table of settings.", "settings"),
    ]
