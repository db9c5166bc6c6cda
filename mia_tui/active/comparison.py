"""Which of two networks has features that suggest better classes: told by images that none of them was trained on."""

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.head import RidgeHead, groups_held_out
from mia_tui.active.suggester import MOST_LEARNED, Rows, Suggester, sample_of_labels

LEAST_COMPARED = 20
"""Images; fewer do not tell which network is better."""


def share_right(
    features: NDArray[np.float16], class_ids: Rows, groups: Rows | None, asked: NDArray[np.bool_]
) -> float:
    """The share of some labelled images that get the right class by a head which did not learn from them.

    Args:
        features: Of the labelled images, shape (M, dims).
        class_ids: Their classes, of two at least, shape (M,).
        groups: Which of them belong together, shape (M,): nothing is learned from the group of an image that is
            asked about. None if each is one of its own.
        asked: Which of them count, shape (M,); one at least.
    """
    classes, found = np.unique(class_ids, return_inverse=True)
    positions: Rows = found.astype(np.int32)
    suggester = Suggester(features.shape[1])
    suggester.add(features)
    head = RidgeHead.fit(suggester.points, positions, len(classes))
    chosen = np.flatnonzero(asked).astype(np.int32)
    scores = head.held_out(suggester.points, positions, groups_held_out(positions, groups), chosen)
    return float((scores.argmax(axis=1) == positions[chosen]).mean())


def compared_rows(class_ids: Rows, asked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Labelled images to compare networks with, ascending: all that are asked about, and of the others so many as are
    learned from at once."""
    others = np.flatnonzero(~asked)
    most = max(0, MOST_LEARNED - int(asked.sum()))
    if len(others) > most:
        positions: Rows = np.unique(class_ids[others], return_inverse=True)[1].astype(np.int32)
        others = others[sample_of_labels(positions, most)]
    return np.sort(np.concatenate([np.flatnonzero(asked), others]))
