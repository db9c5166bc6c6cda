"""The images behind a figure of results, for the labelling screen and as tiles."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from mia_tui.errors import RunError
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.results.computed import ComputedResults
from mia_tui.tui.results.page import ChosenRows
from mia_tui.tui.runs.gallery import GalleryImage


async def images_of(found: ComputedResults, chosen: ChosenRows, opened: OpenDataset) -> OpenImages:
    """Images to be seen on the labelling screen, the one under the cursor first.

    Raises:
        RunError: If all of them lie outside the dataset that is open.
    """
    keys = found.images(chosen.rows)
    if not keys:
        raise RunError(f"The images ({chosen.title}) lie outside this dataset.")
    if opened.session is not None:
        await found.inside.find_rows(opened.session.listing)
    return OpenImages(chosen.title, keys, found.key(int(chosen.rows[chosen.first])) or keys[0])


class TilesOfRows(Sequence[GalleryImage]):
    """Images of results as tiles, each made when it is looked at: there may be a hundred thousand.

    Args:
        found: The results.
        chosen: Which of their images.

    Attributes:
        rows: Their positions, without those that lie outside the dataset that is open.
        keys: The images.
        first: Position of the one under the cursor.

    Raises:
        RunError: If all of them lie outside.
    """

    def __init__(self, found: ComputedResults, chosen: ChosenRows) -> None:
        inside = found.is_inside(chosen.rows)
        self._found, self.rows = found, chosen.rows[inside]
        self.keys = found.images(self.rows)
        if not len(self.rows):
            raise RunError(f"The images ({chosen.title}) lie outside this dataset.")
        before = int(np.count_nonzero(inside[: chosen.first]))
        self.first = min(before, len(self.rows) - 1)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, position: int) -> GalleryImage: ...
    @overload
    def __getitem__(self, position: slice) -> list[GalleryImage]: ...
    def __getitem__(self, position: int | slice) -> GalleryImage | list[GalleryImage]:
        if isinstance(position, slice):
            return [self._tile(row) for row in self._rows_of(position)]
        return self._tile(int(self.rows[position]))

    def _rows_of(self, part: slice) -> list[int]:
        rows: npt.NDArray[np.int64] = self.rows[part]
        return [int(row) for row in rows]

    def _tile(self, row: int) -> GalleryImage:
        found, results = self._found, self._found.results
        key = found.key(row)
        assert key is not None
        predicted = int(results.predicted[row])
        values = results.log_probabilities
        probability = None if values is None else float(np.exp(float(values[row, predicted])))
        return GalleryImage(
            key, results.classes[int(results.truth[row])], results.classes[predicted], probability
        )
