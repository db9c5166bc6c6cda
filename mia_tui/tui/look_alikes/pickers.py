"""The list to choose the class of the pages from."""

from collections.abc import Mapping

from mia_tui.dataset.session.session import LabelSession
from mia_tui.text import counted
from mia_tui.tui.classes.pickers import class_chip
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.widgets.ink import Ink


def page_classes(suggested: Mapping[int, int], session: LabelSession, ink: Ink) -> PickDialog[int]:
    """The class of the pages, 0 for always the one with the most to take.

    Args:
        suggested: How many images are suggested to be of each class.
        session: The classes.
        ink: Characters and styles.
    """
    choices = [Choice("always the class of which most can be taken at once", 0)]
    for image_class in session.classes:
        images = suggested.get(image_class.id)
        if images:
            words = f"{image_class.name} ({counted(images, 'image')})"
            choices.append(Choice(words, image_class.id, class_chip(image_class, ink)))
    hint = "{ok} shows pages of it until you choose otherwise; {cancel} changes nothing."
    return PickDialog("Pages of which class?", choices, ink, hint=hint)
