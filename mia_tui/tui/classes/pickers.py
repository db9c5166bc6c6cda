"""The lists to choose a class or a colour from."""

from collections.abc import Sequence

from rich.text import Text

from mia_tui.dataset.class_rules import COLOURS
from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.session.session import LabelSession
from mia_tui.text import name_some
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.widgets.ink import Ink

# Names of the colours of `class_rules.COLOURS`, in its order.
_COLOUR_NAMES = (
    "orange", "sky blue", "green", "yellow", "blue", "vermilion", "pink", "rose", "indigo", "sand",
    "dark green", "cyan", "wine", "teal", "olive", "purple",
)  # fmt: skip


def classes(
    session: LabelSession, ink: Ink, *, title: str = "Which class?", leave_out: int | None = None
) -> PickDialog[int]:
    """One of the classes."""
    choices = [
        Choice(image_class.name, image_class.id, class_chip(image_class, ink))
        for image_class in session.classes
        if image_class.id != leave_out
    ]
    return PickDialog(title, choices, ink)


def colours(title: str, known: Sequence[ImageClass], ink: Ink, error: str = "") -> PickDialog[str]:
    """A colour that colour-blind people can tell from the others, or any other as #rrggbb.

    Args:
        title: The question.
        known: All classes, to name those that have a colour already.
        ink: Characters and styles.
        error: Why the last answer was refused.
    """
    owners: dict[str, list[str]] = {}
    for image_class in known:
        owners.setdefault(image_class.colour, []).append(image_class.name)
    choices = []
    for colour, name in zip(COLOURS, _COLOUR_NAMES, strict=True):
        used = f", of {name_some(owners[colour], 2)}" if colour in owners else ""
        mark = Text("   ", style=ink.chip(colour)) if ink.colours else None
        choices.append(Choice(f"{name} {colour}{used}", colour, mark))
    hint = "{ok} chooses it, {cancel} changes nothing; you can also type #rrggbb."
    return PickDialog(title, choices, ink, hint=hint, typed=_typed_colour, error=error)


def class_chip(image_class: ImageClass, ink: Ink) -> Text:
    """The key of a class on its colour."""
    return Text(f" {image_class.key or ' '} ", style=ink.chip(image_class.colour))


def _typed_colour(text: str) -> str | None:
    return text.strip() if text.strip().startswith("#") else None
