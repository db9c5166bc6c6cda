"""Two runs on the same images: which of them each is right on, and how likely chance is."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.comparison import McNemar, accuracy_difference, mcnemar
from mia_tui.analysis.metrics import Estimate
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import RunError
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.results.computed import ComputedResults, Rows, read_computed

CHOICES = (
    "on which they differ",
    "on which only A is right",
    "on which only B is right",
    "on which both are wrong",
)
"""Which of the common images are listed."""


@dataclass(frozen=True, eq=False)
class PairResults:
    """The images that two runs were both evaluated on, m of them.

    Attributes:
        one: The results of the first run.
        other: Those of the second.
        rows_one: Positions of the images among the results of the first, shape (m,), int64.
        rows_other: The same of the second.
        said_other: Positions of the predictions of the second among the classes of the first, -1 for classes that it
            does not have, shape (m,).
    """

    one: ComputedResults
    other: ComputedResults
    rows_one: Rows
    rows_other: Rows
    said_other: Rows

    @property
    def count(self) -> int:
        return len(self.rows_one)

    @cached_property
    def right_one(self) -> npt.NDArray[np.bool_]:
        """Where the first is right, shape (m,)."""
        return _right(self.one, self.rows_one)

    @cached_property
    def right_other(self) -> npt.NDArray[np.bool_]:
        """Where the second is right, shape (m,)."""
        return _right(self.other, self.rows_other)

    @cached_property
    def test(self) -> McNemar:
        """Whether one is right more often than chance would have it."""
        return mcnemar(self.right_one, self.right_other)

    @cached_property
    def difference(self) -> Estimate:
        """Accuracy of the first less that of the second."""
        return accuracy_difference(self.right_one, self.right_other, self.one.results.groups[self.rows_one])

    @cached_property
    def has_groups(self) -> bool:
        """Whether some of the images belong together, so that they are not independent."""
        groups = self.one.results.groups[self.rows_one]
        return len(np.unique(groups)) < len(groups)

    @cached_property
    def relabelled(self) -> int:
        """How many of the images have another label for the second."""
        names = np.array(self.one.results.classes), np.array(self.other.results.classes)
        truths = self.one.results.truth[self.rows_one], self.other.results.truth[self.rows_other]
        return int((names[0][truths[0]] != names[1][truths[1]]).sum())

    def places(self, choice: int) -> Rows:
        """The common images of one of `CHOICES`, by their positions among them."""
        one, other = self.right_one, self.right_other
        differs = self.one.results.predicted[self.rows_one] != self.said_other
        masks = (differs, one & ~other, other & ~one, ~one & ~other)
        return np.flatnonzero(masks[choice])


def read_pair(run: RunDir, other: RunDir, opened: OpenDataset) -> PairResults:
    """The results of two runs on the images that both were evaluated on. Reads files, so call it in a thread.

    Raises:
        RunError: If one has no results, or they have no image in common.
    """
    one, second = read_computed(run, opened), read_computed(other, opened)
    places: dict[ImageKey, int] = {
        key: row for row in range(second.count) if (key := second.key(row)) is not None
    }
    common = [
        (row, place)
        for row in range(one.count)
        if (key := one.key(row)) is not None and (place := places.get(key)) is not None
    ]
    if not common:
        raise RunError(
            "These runs were evaluated on no image in common.",
            "Evaluate both networks on the same images, then compare the evaluations.",
        )
    rows_one, rows_other = np.array(common, np.int64).T
    position = {name: place for place, name in enumerate(one.results.classes)}
    as_one = np.array([position.get(name, -1) for name in second.results.classes], np.int64)
    said_other = as_one[second.results.predicted[rows_other]]
    return PairResults(one, second, rows_one, rows_other, said_other)


def _right(found: ComputedResults, rows: Rows) -> npt.NDArray[np.bool_]:
    is_right: npt.NDArray[np.bool_] = found.results.truth[rows] == found.results.predicted[rows]
    return is_right
