"""The list to choose the class of the pages from."""

from mia_tui.dataset.session.session import LabelSession
from mia_tui.text import counted
from mia_tui.tui.classes.pickers import class_chip
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.look_alikes.pages import Pages
from mia_tui.tui.widgets.ink import Ink


def page_classes(pages: Pages, session: LabelSession, ink: Ink) -> PickDialog[int]:
    """A class, with how many images are suggested to be of it; 0 for always the one with the most to take."""
    choices = [Choice("always the class of which most can be taken at once", 0)]
    for image_class in session.classes:
        images = pages.suggested(image_class.id)
        if images:
            words = f"{image_class.name} ({counted(images, 'image')})"
            choices.append(Choice(words, image_class.id, class_chip(image_class, ink)))
    hint = "{ok} shows pages of it until you choose otherwise; {cancel} changes nothing."
    return PickDialog("Pages of which class?", choices, ink, hint=hint)
