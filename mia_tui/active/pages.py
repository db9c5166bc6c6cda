"""Pages of look-alikes: images of one suggested class, the surest first, to be taken by one key."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.suggester import Learned, Rows, Suggester


@dataclass(frozen=True, eq=False)
class Page:
    """Images that are suggested to be of one class.

    Attributes:
        class_id: Of the class.
        rows: The images, surest first.
    """

    class_id: int
    rows: Rows


def next_page(
    suggester: Suggester,
    learned: Learned,
    among: NDArray[np.bool_],
    count: int,
    class_id: int | None = None,
) -> Page | None:
    """The next page; None if no image is left for one.

    Args:
        suggester: With the points of all images.
        learned: From the labels that there are.
        among: Which images may be on it, shape (N,).
        count: How many, at most.
        class_id: Of the class; None for the class of which most can be taken at once.
    """
    pages = []
    for position, known in enumerate(learned.classes.tolist()):
        if class_id in (None, known):
            rows = np.flatnonzero(among & (learned.best == position))
            order = np.argsort(-learned.confidences[rows], kind="stable")[:count]
            pages.append(Page(known, rows[order].astype(np.int32)))
    best = max(pages, key=lambda page: float(learned.confidences[page.rows].sum()), default=None)
    return best if best is not None and len(best.rows) else None
