"""Choosing how a network decides, from what it said of images that it was not trained on."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.calibration import confidences, fit_temperature, reliability
from mia_tui.analysis.metrics import LEAST_IMAGES, Estimate, metric_table
from mia_tui.analysis.thresholds import CoverageCurve, coverage_curve, threshold_for
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.predict import DecisionRule, NetworkConfig
from mia_tui.config.train import TrainConfig
from mia_tui.errors import ConfigError, RunError
from mia_tui.runs.evaluation.results import Results, load_results
from mia_tui.runs.record.decision import Decision, least_probabilities
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import read_card, weights_digest
from mia_tui.text import counted, printable

COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
"""Of the rows of `ThresholdChoice.rows`."""

_MOST_DIGITS = 12  # of a threshold
_MARGIN = 0.1  # of the gap between two probabilities, which a rounded threshold keeps from both


@dataclass(frozen=True)
class ThresholdRow:
    """One threshold with what it does: the share of the images that is answered, and how many of these are right."""

    threshold: float
    coverage: float
    accuracy: Estimate


@dataclass(frozen=True)
class ClassRow:
    """The same for the images that are predicted as one class; the accuracy is the precision of the answers."""

    name: str
    threshold: float
    images: int
    answered: int
    right: int


@dataclass(frozen=True, eq=False)
class ThresholdChoice:
    """What the thresholds of a network are chosen from.

    Attributes:
        weights: The network's file.
        digest: Of it.
        results: Of the images; n of them.
        log_probabilities: Shape (n, C), as in `Results`.
        temperature: The one that makes them come true best, or that was given.
        remark: Why the temperature was not chosen, a sentence; empty if it was.
        confidence: Probability of the predicted class at this temperature, shape (n,), float64.
        predicted: Position of that class, shape (n,), int64.
    """

    weights: Path
    digest: str
    results: Results
    log_probabilities: npt.NDArray[Any]
    temperature: float
    remark: str
    confidence: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.int64]

    def curve(self, *, of_class: int | None = None) -> CoverageCurve:
        """The accuracy of the answers against their share, of all images or of those predicted as one class."""
        logs, truth = self.log_probabilities, self.results.truth
        if of_class is not None:
            is_it = self.predicted == of_class
            logs, truth = logs[is_it], truth[is_it]
        return coverage_curve(logs, truth, temperature=self.temperature)

    @property
    def doubts(self) -> list[str]:
        """Why what is chosen may hold less for other images, a sentence each."""
        config, images = self.results.run.job().config, len(self.results.truth)
        found = []
        if isinstance(config, EvaluateConfig) and config.trained_on:
            found.append(
                f"{config.trained_on:,} of the {counted(images, 'image')} were trained on: of others fewer answers "
                "will be right."
            )
        if self.results.tta:
            found.append(
                "These answers are means over flipped and turned copies: the choice holds for predictions with --tta."
            )
        return found

    def calibration_errors(self) -> tuple[float, float]:
        """The expected calibration error as the network says it, and at the temperature."""
        logs, truth = self.log_probabilities, self.results.truth
        return reliability(logs, truth).ece, reliability(logs, truth, temperature=self.temperature).ece

    def answered(self, rule: DecisionRule) -> npt.NDArray[np.bool_]:
        """Which images have an answer, shape (n,)."""
        least = least_probabilities(rule, self.results.classes)
        enough: npt.NDArray[np.bool_] = self.confidence >= least[self.predicted]
        return enough

    def outcome(self, rule: DecisionRule) -> ThresholdRow:
        """What a rule at this temperature does to the images."""
        return _outcome(self.results, self.predicted, self.answered(rule), rule)

    def rows(self) -> list[ThresholdRow]:
        """What thresholds do, from that with which all images are answered to that with which half of them are."""
        curve, rows = self.curve(), list[ThresholdRow]()
        for coverage in COVERAGES:
            point = threshold_for(curve, coverage=coverage)
            assert point is not None
            threshold = self.rounded(point.threshold)
            if not rows or threshold != rows[-1].threshold:
                rows.append(self.outcome(DecisionRule(self.temperature, threshold)))
        return rows

    def rows_by_class(self, rule: DecisionRule) -> list[ClassRow]:
        """What a rule does to the images that are predicted as each class."""
        at, right = self.answered(rule), self.predicted == self.results.truth
        found = []
        for place, name in enumerate(self.results.classes):
            is_it = self.predicted == place
            counts = (np.count_nonzero(each) for each in (is_it, is_it & at, is_it & at & right))
            found.append(ClassRow(name, rule.threshold_of(name), *map(int, counts)))
        return found

    def choose(
        self,
        *,
        accuracy: float | None = None,
        coverage: float | None = None,
        threshold: float | None = None,
        by_class: bool = False,
    ) -> Decision:
        """Choose a threshold by exactly one of these.

        Args:
            accuracy: Least share of the answers that is right, with as many answers as there can be.
            coverage: Least share of the images that is answered, with answers as sure as there can be.
            threshold: The threshold itself.
            by_class: Whether each class gets a threshold of its own, from the images that are predicted as it; one of
                fewer than `LEAST_IMAGES` images keeps the common one.

        Raises:
            ConfigError: If no threshold does that, or no image would be answered.
        """
        chosen = self._found(accuracy, coverage) if threshold is None else threshold
        of_classes = self._of_classes(accuracy, coverage) if by_class else {}
        rule = DecisionRule(self.temperature, chosen, of_classes)
        if not self.answered(rule).any():
            raise ConfigError(
                f"No image of {self.results.split} would be answered: the most probable class of the surest one has "
                f"{self.confidence.max(initial=0.0):.4f}.",
                "Choose a lower threshold.",
            )
        return decision_by(rule, self.results, self.predicted, self.answered(rule))

    def _found(self, accuracy: float | None, coverage: float | None, *, of_class: int | None = None) -> float:
        curve = self.curve(of_class=of_class)
        point = threshold_for(curve, accuracy=accuracy, coverage=coverage)
        if point is not None:
            return self.rounded(point.threshold, of_class=of_class)
        best = int(curve.accuracy.argmax())
        images = "answers" if of_class is None else f"images predicted as {self.results.classes[of_class]}"
        raise ConfigError(
            f"With no threshold {accuracy:.2%} of the {printable(images)} are right; the most is "
            f"{curve.accuracy[best]:.2%}, with {curve.coverage[best]:.1%} answered.",
            "Ask for less.",
        )

    def _of_classes(self, accuracy: float | None, coverage: float | None) -> dict[str, float]:
        images = np.bincount(self.predicted, minlength=len(self.results.classes))
        return {
            name: self._found(accuracy, coverage, of_class=place)
            for place, name in enumerate(self.results.classes)
            if images[place] >= LEAST_IMAGES
        }

    def rounded(self, threshold: float, *, of_class: int | None = None) -> float:
        """The threshold with the fewest digits that answers the same images."""
        sure = self.confidence if of_class is None else self.confidence[self.predicted == of_class]
        low = sure[sure < threshold].max(initial=0.0)
        high = sure[sure >= threshold].min(initial=1.0)
        margin = _MARGIN * (high - low)
        for digits in range(1, _MOST_DIGITS):
            short = round(threshold, digits)
            if low + margin <= short <= high - margin:
                return short
        return threshold


def decision_by(
    rule: DecisionRule, results: Results, predicted: npt.NDArray[np.int64], answered: npt.NDArray[np.bool_]
) -> Decision:
    """A rule with what it does to the images it was chosen on, to be kept with the network.

    Args:
        rule: The rule.
        results: Of n images.
        predicted: Positions of their predicted classes, shape (n,).
        answered: Whether each has an answer by the rule, shape (n,).
    """
    outcome = _outcome(results, predicted, answered, rule)
    known = outcome.accuracy
    return Decision(
        temperature=rule.temperature,
        threshold=rule.threshold,
        by_class=rule.by_class,
        part=results.split,
        images=len(results.truth),
        coverage=outcome.coverage,
        accuracy=known.value,
        interval=None if known.interval is None else (known.interval.low, known.interval.high),
        method=known.why_none if known.interval is None else known.interval.method,
        chosen_at=time.time(),
    )


def _outcome(
    results: Results,
    predicted: npt.NDArray[np.int64],
    answered: npt.NDArray[np.bool_],
    rule: DecisionRule,
) -> ThresholdRow:
    at = answered
    table = metric_table(results.truth[at], predicted[at], results.classes, results.groups[at])
    share = float(np.count_nonzero(at)) / max(1, len(at))
    return ThresholdRow(rule.threshold, share, table.overall["accuracy"])


def read_choice(
    run: RunDir,
    *,
    dataset: Path | None = None,
    group_by: str | None = None,
    temperature: float | None = None,
) -> ThresholdChoice:
    """What the thresholds of a network are chosen from: the validation part of its training, or an evaluation.

    Args:
        run: The training or the evaluation.
        dataset: As for `load_results`.
        group_by: As for `load_results`.
        temperature: None chooses one.

    Raises:
        CheckpointError: If its weights file is missing or damaged.
        ConfigError: If `group_by` is not a regular expression.
        RunError: If the run has no probabilities of images that the network was not trained on, or its weights have
            been replaced since.
    """
    return choice_of(load_results(run, dataset=dataset, group_by=group_by), temperature=temperature)


def choice_of(results: Results, *, temperature: float | None = None) -> ThresholdChoice:
    """The same from results that have been read.

    Raises:
        CheckpointError: As for `read_choice`.
        RunError: As for `read_choice`.
    """
    run = results.run
    if results.split == "train":
        raise RunError(
            f"The training {printable(run.name)} had no validation part, and on images it was trained on a network "
            "is too sure.",
            "`mia-tui evaluate FOLDER --run RUN` evaluates it on others; choose the threshold from that evaluation.",
        )
    if results.log_probabilities is None or not len(results.truth):
        raise RunError(
            f"The run {printable(run.name)} does not record the probabilities of its images.",
            "`mia-tui evaluate` with its network does; choose the threshold from that evaluation.",
        )
    weights, digest = _weights(run, results)
    logs = results.log_probabilities
    chosen, why_none = best_temperature(results) if temperature is None else (temperature, "")
    remark = f"The temperature stays 1: {why_none}." if why_none else ""
    sure, predicted = confidences(logs, temperature=chosen)
    return ThresholdChoice(weights, digest, results, logs, chosen, remark, sure, predicted)


def evaluated_weights(run: RunDir) -> Path:
    """The file of the network that a training has made, or that an evaluation is of.

    Raises:
        RunError: If the run is neither.
    """
    config = run.job().config
    return run.best_weights if isinstance(config, TrainConfig) else Path(run.evaluate_job().config.weights)


def _weights(run: RunDir, results: Results) -> tuple[Path, str]:
    """The file of the network that said it, and its digest."""
    config, weights = run.job().config, evaluated_weights(run)
    if isinstance(config, NetworkConfig) and config.ensemble:
        raise RunError(
            f"The run {printable(run.name)} is of {len(config.ensemble)} networks that answer together, and a "
            "threshold is kept with one network.",
            "Give it to each prediction: `mia-tui predict IMAGES --run A --run B --threshold P`.",
        )
    epoch = read_card(weights).epoch  # first: says what is wrong with the file
    digest = weights_digest(weights)
    was = config.digest if isinstance(config, NetworkConfig) else ""
    if results.epoch != epoch or (was and was != digest):
        raise RunError(
            f"{printable(weights)} holds other weights than those that the run {printable(run.name)} evaluated.",
            "Evaluate these with `mia-tui evaluate`, and choose the threshold from that evaluation.",
        )
    return weights, digest


def best_temperature(results: Results) -> tuple[float, str]:
    """The temperature that makes the probabilities of results come true best; or 1, and why, to stand in a sentence.

    Args:
        results: With probabilities.
    """
    logs, images = results.log_probabilities, len(results.truth)
    assert logs is not None
    if images < LEAST_IMAGES:
        return 1.0, f"{counted(images, 'image is', 'images are')} too few to choose it by"
    if (results.predicted == results.truth).all():
        return 1.0, "no image is predicted wrong"
    return fit_temperature(logs, results.truth), ""
