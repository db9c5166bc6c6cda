"""The images that come next where somebody else labels the same dataset."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey


class LeasedImages:
    """Images that are left to others, by their keys; rows come and go."""

    def __init__(self) -> None:
        self._keys: tuple[ImageKey, ...] = ()
        self._mask: tuple[Listing, NDArray[np.bool_]] | None = None

    def __bool__(self) -> bool:
        return bool(self._keys)

    def replace(self, keys: Sequence[ImageKey]) -> None:
        """These are all of them now."""
        self._keys, self._mask = tuple(keys), None

    def mask(self, listing: Listing) -> NDArray[np.bool_]:
        """For each row, whether it is one of them; not to be written to."""
        if self._mask is None or self._mask[0] is not listing or len(self._mask[1]) != len(listing):
            mask = np.zeros(len(listing), np.bool_)
            rows = listing.rows(self._keys)
            mask[rows[rows >= 0]] = True
            self._mask = listing, mask
        return self._mask[1]
