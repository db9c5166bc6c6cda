"""Everything that is said of the results of a run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.calibration import reliability
from mia_tui.analysis.curves import Areas, areas
from mia_tui.analysis.metrics import MetricTable, metric_table
from mia_tui.analysis.top_losses import TopLoss, top_losses
from mia_tui.config.train import TrainConfig
from mia_tui.runs.evaluation.results import Results
from mia_tui.runs.evaluation.threshold import best_temperature
from mia_tui.runs.record.decision import Decision, read_decision
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted


@dataclass(frozen=True)
class CalibrationFigures:
    """Whether the probabilities come true.

    Attributes:
        error: Expected calibration error of the probabilities as the network says them.
        temperature: By which they are mended; None where there is none.
        error_after: The calibration error with it.
        source: Where the temperature is from, or why there is none, in words.
    """

    error: float
    temperature: float | None
    error_after: float | None
    source: str


@dataclass(frozen=True, eq=False)
class ResultFigures:
    """What is said of results.

    Attributes:
        results: As read.
        counts: Confusion matrix, shape (C, C), int64; rows are the truth.
        table: Metrics with their intervals.
        group_count: How many groups the images are of.
        areas: Below the ROC and precision-recall curves; None without probabilities.
        calibration: None without probabilities.
        losses: The images with the largest ones.
    """

    results: Results
    counts: npt.NDArray[np.int64]
    table: MetricTable
    group_count: int
    areas: Areas | None
    calibration: CalibrationFigures | None
    losses: list[TopLoss]

    @property
    def image_count(self) -> int:
        return len(self.results.truth)


def compute_figures(results: Results, top: int) -> ResultFigures:
    """Compute all of it, seconds for 100,000 images of 1,000 classes.

    Args:
        results: As read.
        top: How many of the largest losses.

    Raises:
        RunError: If there is a damaged decision beside the weights.
    """
    scores = results.log_probabilities
    has_scores = scores is not None and len(scores) > 0
    return ResultFigures(
        results,
        results.confusion,
        metric_table(results.truth, results.predicted, results.classes, results.groups),
        results.group_count,
        areas(scores, results.truth) if scores is not None and has_scores else None,
        _calibration(results) if has_scores else None,
        top_losses(scores, results.truth, top) if scores is not None else [],
    )


def _calibration(results: Results) -> CalibrationFigures:
    scores, truth = results.log_probabilities, results.truth
    assert scores is not None
    error = reliability(scores, truth).ece
    decision = _decision(results.run)
    if decision is not None:
        temperature, source = (
            decision.temperature,
            f"chosen on {counted(decision.images, 'image')} of {decision.part}",
        )
    else:
        temperature, why_none = best_temperature(results)
        if why_none:
            return CalibrationFigures(error, None, None, f"no temperature is fitted: {why_none}")
        source = "fitted to these images"
    return CalibrationFigures(
        error, temperature, reliability(scores, truth, temperature=temperature).ece, source
    )


def _decision(run: RunDir) -> Decision | None:
    """What was chosen for the network that was evaluated."""
    config = run.job().config
    if isinstance(config, TrainConfig):
        return read_decision(run.best_weights)
    evaluated = run.evaluate_job().config
    return read_decision(Path(evaluated.weights), digest=evaluated.digest or None)
