"""What follows from results: metrics with intervals, confusion matrix, curves, calibration, the largest losses."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.calibration import Reliability, reliability
from mia_tui.analysis.curves import Areas, ClassCurve, areas, precision_recall, roc
from mia_tui.analysis.metrics import MetricTable, metric_table
from mia_tui.analysis.thresholds import CoverageCurve, coverage_curve
from mia_tui.analysis.top_losses import TopLoss, top_losses
from mia_tui.report.evaluated import EvaluatedResults
from mia_tui.runs.record.decision import UNSURE, DecisionRule, calibrated, decide

MOST_CURVES = 10
"""Classes whose curves are drawn; of more, those with the lowest F1."""

MOST_LOSSES = 60
MOST_CONFUSIONS = 20
_BLOCK = 1 << 22  # probabilities that are in float64 at a time

_OLD = (
    "The probabilities of single images were not kept, so there are no ROC and precision-recall curves, no "
    "reliability diagram and no losses; `mia-tui evaluate` with the same network keeps them."
)


@dataclass(frozen=True)
class ConfusedClasses:
    """Images of one class that were predicted as another.

    Attributes:
        truth: Name of their class.
        predicted: Name of the predicted class.
        count: How many.
        share: Of the images of their class.
    """

    truth: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class ReportedCurves:
    """Both curves of a class, by its position; None where there is none."""

    index: int
    name: str
    roc: ClassCurve | None
    precision_recall: ClassCurve | None


@dataclass(frozen=True)
class AnsweredImages:
    """What the threshold that was chosen for a network does to some images.

    Attributes:
        coverage: Share of them that is answered.
        accuracy: Share of the answered ones that is right; None where none is answered.
    """

    coverage: float
    accuracy: float | None


@dataclass(frozen=True, eq=False)
class ResultNumbers:
    """The numbers of one part. What needs probabilities is None or empty without them.

    Attributes:
        evaluated: The results.
        confusion: Counts, shape (C, C), int64; rows are the truth.
        metrics: With intervals.
        group_count: How many groups the images are of.
        confused: The largest confusions, at most `MOST_CONFUSIONS`.
        confused_count: How many pairs of classes are confused.
        curves: Of all classes, or of the `MOST_CURVES` with the lowest F1.
        areas: Areas below the curves of all classes.
        reliability: Of the probabilities as the network gives them.
        calibrated: With the temperature that was chosen; None where there is none.
        rule: The temperature and the threshold that were chosen; plain where none were.
        answered: What that threshold does to these images; None without one.
        coverage: Accuracy against coverage, with that temperature.
        losses: The images that the network was most wrong about, at most `MOST_LOSSES`.
        wrong: Rows of the images that were predicted wrongly.
        why_no_probabilities: A sentence; empty where there are some.
    """

    evaluated: EvaluatedResults
    confusion: npt.NDArray[np.int64]
    metrics: MetricTable
    group_count: int
    confused: tuple[ConfusedClasses, ...]
    confused_count: int
    wrong: npt.NDArray[np.int64]
    curves: tuple[ReportedCurves, ...] = ()
    areas: Areas | None = None
    reliability: Reliability | None = None
    calibrated: Reliability | None = None
    rule: DecisionRule = DecisionRule()  # noqa: RUF009  # never changed
    answered: AnsweredImages | None = None
    coverage: CoverageCurve | None = None
    losses: tuple[TopLoss, ...] = ()
    why_no_probabilities: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        return self.evaluated.results.classes

    @property
    def image_count(self) -> int:
        """How many images were evaluated."""
        return len(self.evaluated.results.truth)

    def weakest(self, most: int) -> list[int]:
        """Positions of the classes that have images, those with the lowest F1 first."""
        rows = self.metrics.by_class
        found = [index for index, row in enumerate(rows) if row.support]
        return sorted(found, key=lambda index: (rows[index].f1.value, index))[:most]

    def shown_classes(self, most: int) -> list[int]:
        """Positions of all classes, or, of more than `most`, of the weakest; in their order."""
        count = len(self.classes)
        return list(range(count)) if count <= most else sorted(self.weakest(most))


def compute_numbers(evaluated: EvaluatedResults, rule: DecisionRule | None = None) -> ResultNumbers:
    """Everything that is said of results.

    Args:
        evaluated: The results.
        rule: The temperature and the threshold that were chosen for the network; None for none.
    """
    results = evaluated.results
    confusion = results.confusion
    confused, confused_count = _largest(confusion, results.classes)
    numbers = ResultNumbers(
        evaluated=evaluated,
        confusion=confusion,
        metrics=metric_table(results.truth, results.predicted, results.classes, results.groups),
        group_count=results.group_count,
        confused=confused,
        confused_count=confused_count,
        wrong=np.flatnonzero(results.truth != results.predicted),
        rule=rule or DecisionRule(),
    )
    scores = results.log_probabilities
    return replace(numbers, why_no_probabilities=_OLD) if scores is None else _with_scores(numbers, scores)


def spread(rows: npt.NDArray[np.int64], most: int) -> list[int]:
    """At most so many of some rows, spread evenly over them."""
    count = min(most, len(rows))
    places = np.unique(np.linspace(0, max(0, len(rows) - 1), count).round().astype(np.int64))
    return [int(row) for row in rows[places]]


def _with_scores(numbers: ResultNumbers, scores: npt.NDArray[Any]) -> ResultNumbers:
    truth, temperature = numbers.evaluated.results.truth, numbers.rule.temperature
    if not len(truth):
        return numbers
    return replace(
        numbers,
        curves=tuple(
            ReportedCurves(
                index,
                numbers.classes[index],
                roc(truth == index, scores[:, index]),
                precision_recall(truth == index, scores[:, index]),
            )
            for index in numbers.shown_classes(MOST_CURVES)
        ),
        areas=areas(scores, truth),
        reliability=reliability(scores, truth),
        calibrated=None if temperature == 1.0 else reliability(scores, truth, temperature=temperature),
        coverage=coverage_curve(scores, truth, temperature=temperature),
        answered=_answered(numbers, scores) if numbers.rule.may_be_unsure else None,
        losses=tuple(top_losses(scores, truth, MOST_LOSSES)),
    )


def _answered(numbers: ResultNumbers, scores: npt.NDArray[Any]) -> AnsweredImages:
    """Decide about all images, some at a time: their probabilities may be gigabytes."""
    truth, at_once = numbers.evaluated.results.truth, max(1, _BLOCK // len(numbers.classes))
    answered = right = 0
    for start in range(0, len(truth), at_once):
        rows = slice(start, start + at_once)
        shares = calibrated(np.exp(scores[rows].astype(np.float64)), numbers.rule.temperature)
        said = decide(numbers.rule, shares, numbers.classes)
        answered += int((said != UNSURE).sum())
        right += int((said == truth[rows]).sum())
    return AnsweredImages(answered / len(truth), right / answered if answered else None)


def _largest(
    confusion: npt.NDArray[np.int64], classes: tuple[str, ...]
) -> tuple[tuple[ConfusedClasses, ...], int]:
    """The largest counts off the diagonal, and how many are not 0."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    counts, support = wrong[rows, columns], confusion.sum(axis=1)
    order = np.argsort(-counts, kind="stable")[:MOST_CONFUSIONS].tolist()
    found = (
        ConfusedClasses(
            classes[rows[at]],
            classes[columns[at]],
            int(counts[at]),
            float(counts[at] / max(1, support[rows[at]])),
        )
        for at in order
    )
    return tuple(found), len(rows)
