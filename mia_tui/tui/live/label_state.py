"""The labels of a moment, as they are handed to the thread that learns from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.listing import Listing

Rows = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LabelState:
    """The labels of a moment.

    Attributes:
        listing: The images; only to tell whether they are still the same.
        arrays: Those of the listing.
        class_ids: Of each image, 0 without a label, shape (images,).
        skipped: Whether each was skipped.
        active: By id, whether a class is not archived.
        shown: Rows that the next image may be chosen from.
        current: Row of the image on screen.
        audited: Rows of images that were drawn at random and labelled; -1 for those that are not listed.
        group_by: By which the split of the dataset keeps images together; None without a split.
        chooses: Whether a next image is wanted.
        asks_for_pages: Whether it is to be found out how many keys pages of look-alikes would take.
    """

    listing: Listing
    arrays: ListingArrays
    class_ids: Rows
    skipped: NDArray[np.bool_]
    active: NDArray[np.bool_]
    shown: Rows
    current: int | None
    audited: Rows
    group_by: str | None
    chooses: bool
    asks_for_pages: bool

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Whether each image has a label."""
        found: NDArray[np.bool_] = self.active[self.class_ids]
        return found
