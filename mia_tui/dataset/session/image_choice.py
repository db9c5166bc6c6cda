"""Which images of a session something is to be done with: all, the unlabelled ones, or those that are shown."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession


@dataclass(frozen=True)
class ImageChoice:
    """Some of the images.

    Attributes:
        words: Which they are.
        count: How many, as far as they are known.
        keys: Returns them, in the order of the dataset; may be called in a thread. None for all of the dataset.
    """

    words: str
    count: int
    keys: Callable[[], list[ImageKey]] | None = None


def image_choices(session: LabelSession, filter_words: str) -> list[ImageChoice]:
    """What a person can choose from; choices without an image, and those that are all images, are left out.

    Args:
        session: The images.
        filter_words: Which images are shown; empty if all are.
    """
    total = len(session.listing)
    unlabelled = session.rows_of(Filter(state="unlabelled"))
    choices = [("images without a label", unlabelled)]
    if filter_words:
        choices.append((f"images shown ({filter_words})", np.sort(session.view)))
    return [ImageChoice("all images", total)] + [
        ImageChoice(words, len(rows), session.keys_later(rows))
        for words, rows in choices
        if 0 < len(rows) < total
    ]
