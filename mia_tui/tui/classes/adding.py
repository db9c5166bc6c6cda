"""Asking for the names of classes, and adding them as one step."""

from collections.abc import Sequence
from functools import partial

from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, StoreError
from mia_tui.text import counted
from mia_tui.tui.dialogs import TextDialog
from mia_tui.tui.label.commands import AskingScreen
from mia_tui.tui.labelling.controller import LabelController


async def add_classes(
    controller: LabelController, screen: AskingScreen, title: str, hint: str
) -> list[ImageClass]:
    """Ask for names with commas between them until they are taken; what is refused is asked again.

    Args:
        controller: The dataset.
        screen: The screen.
        title: The question.
        hint: What taking it does, as for `TextDialog`.

    Returns:
        The new classes; none if the person thinks better of it.

    Raises:
        StoreError: If they cannot be written.
    """
    text = error = ""
    while True:
        answer = await screen.ask(TextDialog(title, value=text, hint=hint, error=error, several=True))
        names = _names_in(answer or "")
        if answer is None or not names:
            return []
        text = answer
        try:
            return await controller.write(partial(_add_all, names), _of(names))
        except StoreError:
            raise
        except DataError as refusal:
            error = str(refusal)


def _names_in(text: str) -> list[str]:
    """Names with commas between them, each once."""
    return list(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


def _add_all(names: Sequence[str], store: LabelStore) -> list[ImageClass]:
    return store.add_classes(names)


def _of(names: Sequence[str]) -> str:
    return f"class {names[0]}" if len(names) == 1 else counted(len(names), "class", "classes")
