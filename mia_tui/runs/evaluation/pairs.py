"""Two runs on the same images."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.comparison import McNemar, accuracy_difference, mcnemar
from mia_tui.analysis.metrics import Estimate
from mia_tui.errors import RunError
from mia_tui.runs.evaluation.results import Results
from mia_tui.text import printable

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CommonResults:
    """The results of two runs on the images that both were evaluated on, in the same order.

    Attributes:
        one: Of the first run.
        other: Of the second.
        rows_one: Positions of the images among all results of the first, shape (m,), int64.
        rows_other: The same of the second.
        relabelled: How many of the images have another label for the second run.
    """

    one: Results
    other: Results
    rows_one: _Rows
    rows_other: _Rows
    relabelled: int

    @cached_property
    def differing(self) -> _Rows:
        """The images that the two do not give the same class, ascending."""
        one, other = (_names(each, each.predicted) for each in (self.one, self.other))
        return np.flatnonzero(one != other)

    @cached_property
    def right(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """On which images each is right, shape (n,)."""
        return self.one.truth == self.one.predicted, self.other.truth == self.other.predicted

    @cached_property
    def is_grouped(self) -> bool:
        """Whether some of the images belong together, so that they are not independent."""
        return len(np.unique(self.one.groups)) < len(self.one.groups)

    @property
    def views_remark(self) -> str:
        """A sentence if one network was shown flips and turns of each image and the other was not; else empty."""
        if self.one.tta == self.other.tta:
            return ""
        return "Only one of the two was shown flips and turns of each image, which by itself may make a difference."

    @cached_property
    def test(self) -> McNemar:
        """Whether one is right more often than chance would have it, if the images are independent."""
        return mcnemar(*self.right)

    @cached_property
    def difference(self) -> Estimate:
        """Accuracy of the first less that of the second."""
        return accuracy_difference(*self.right, self.one.groups)


def common_results(one: Results, other: Results) -> CommonResults:
    """The results of two runs, without the images that only one of them was evaluated on.

    Images are the same if their paths in the datasets are: these may be copies.

    Raises:
        RunError: If they have no image in common.
    """
    places = {key: row for row, key in enumerate(other.keys)}
    common = [(row, places[key]) for row, key in enumerate(one.keys) if key in places]
    if not common:
        raise RunError(
            f"{printable(one.run.name)} and {printable(other.run.name)} were evaluated on no image in common.",
            "`mia-tui evaluate DATASET --run RUN --against RUN2` evaluates both on the same images.",
        )
    rows, rows_other = np.array(common, np.int64).T.copy()
    found, found_other = of_rows(one, rows), of_rows(other, rows_other)
    relabelled = _names(found, found.truth) != _names(found_other, found_other.truth)
    return CommonResults(found, found_other, rows, rows_other, int(relabelled.sum()))


def of_rows(results: Results, rows: _Rows) -> Results:
    """The results of some of the images, in this order."""
    if np.array_equal(rows, np.arange(len(results.truth))):
        return results  # without a copy of all probabilities
    scores = results.log_probabilities
    return replace(
        results,
        keys=tuple(results.keys[row] for row in rows.tolist()),
        truth=results.truth[rows],
        predicted=results.predicted[rows],
        log_probabilities=None if scores is None else scores[rows],
        groups=results.groups[rows],
    )


def _names(results: Results, places: _Rows) -> npt.NDArray[np.str_]:
    return np.array(results.classes)[places]
