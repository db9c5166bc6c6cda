"""Images that look like none of the labelled ones: "none of these".

An image is as far as its mean cosine to the 5 nearest labelled images says (Sun 2022, deep nearest neighbours). How
far is too far is learned from the labelled images themselves: beyond the limit is what lies farther than 99 % of them
lie from the others, with the images of their own group left out. So about one in a hundred familiar images is listed,
too; with few labels a few more, since they show less of what there is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.directions import Directions, nearness
from mia_tui.active.suggester import Rows

SHARE = 0.99
"""Of labelled images that lie within the limit."""

FEWEST_LABELS = 10
"""Below, nothing is called unfamiliar."""

_NEAREST = 5
_MOST_COMPARED = 2048  # labelled images: of more, every n-th
_FAR_OUT = 3.0  # interquartile ranges (Tukey 1977)


@dataclass(frozen=True, eq=False)
class Unfamiliarity:
    """How far all images are from the labelled ones.

    Attributes:
        scores: Distance of each image as a multiple of the limit, float32, shape (N,): above 1 it is unfamiliar.
        labels: How many labelled images it is about.
    """

    scores: NDArray[np.float32]
    labels: int

    def rows(self, among: NDArray[np.bool_]) -> Rows:
        """The unfamiliar ones of some images, farthest first.

        Args:
            among: Which images may be listed, shape (N,).
        """
        found = np.flatnonzero(among & (self.scores > 1))
        return found[np.argsort(-self.scores[found], kind="stable")].astype(np.int32)


def unfamiliarity(
    vectors: Directions, labelled: Rows, groups: Rows | None = None, share: float = SHARE
) -> Unfamiliarity | None:
    """How far images are from the labelled ones; None while there are fewer than 10 of those.

    Args:
        vectors: Of all images, shape (N, dims).
        labelled: Rows of the labelled images.
        groups: As for `Suggester.set_groups`, of all images.
        share: Of labelled images that lie within the limit.
    """
    if len(labelled) < FEWEST_LABELS:
        return None
    compared = _compared(labelled)
    distances = 1 - nearness(vectors, vectors[compared], _NEAREST)
    held_out = _held_out(vectors, labelled, compared, groups)
    limit = np.float32(max(float(np.quantile(held_out, share)), 1e-6))
    scores = distances / limit
    scores[labelled] = held_out / limit
    return Unfamiliarity(scores.astype(np.float32), len(labelled))


def outliers(
    vectors: Directions, labelled: Rows, groups: Rows | None = None
) -> tuple[Rows, NDArray[np.float32]]:
    """Labelled images far from all other labelled ones: their rows, farthest first, and how far.

    Far is more than three interquartile ranges above the upper quartile of their distances, so there need not be any.

    Args:
        vectors: Of all images.
        labelled: Rows of the labelled images.
        groups: As for `unfamiliarity`.

    Returns:
        Rows, and distances as multiples of that limit.
    """
    if len(labelled) < FEWEST_LABELS:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    distances = _held_out(vectors, labelled, _compared(labelled), groups)
    low, high = np.quantile(distances, (0.25, 0.75))
    limit = np.float32(max(high + _FAR_OUT * (high - low), 1e-6))
    order = np.argsort(-distances, kind="stable")
    order = order[distances[order] > limit]
    return labelled[order].astype(np.int32), (distances[order] / limit).astype(np.float32)


def _compared(labelled: Rows) -> Rows:
    """The labelled images that others are compared with."""
    return labelled[:: -(-len(labelled) // _MOST_COMPARED)]


def _held_out(
    vectors: Directions, labelled: Rows, compared: Rows, groups: Rows | None
) -> NDArray[np.float32]:
    """The distance of each labelled image from those of other groups; from all others where these are too few."""
    if groups is None or len(np.unique(groups[compared])) <= _NEAREST:
        groups = np.arange(len(vectors), dtype=np.int32)
    apart = groups[labelled], groups[compared]
    found: NDArray[np.float32] = 1 - nearness(vectors[labelled], vectors[compared], _NEAREST, apart)
    return found
