"""The results of a run: for each image that its network was evaluated on, the truth and what the network said."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.split.assignment import group_numbers
from mia_tui.errors import RunError
from mia_tui.runs.evaluation.confusion import Which, load_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    NOT_EVALUATED,
    epoch_predictions_file,
    load_epoch_predictions,
)
from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, load_scores, scores_file
from mia_tui.runs.list.moved_dataset import current_job, present_samples
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable


@dataclass(frozen=True, eq=False)
class Results:
    """What a network said of labelled images; arrays have one row for each of n images, in the order of the run's.

    Attributes:
        run: The run.
        which: Whether this is the best epoch of a training, its last, or an evaluation.
        epoch: Epoch of the weights.
        split: Part of the images: train, val, test or all.
        dataset: Folder that the images' paths are relative to, as it is now.
        classes: Names of the C classes, in the order of the logits.
        keys: The images.
        truth: Positions of their classes, shape (n,), int64.
        predicted: Positions of the predicted classes, shape (n,), int64.
        log_probabilities: Shape (n, C), float32 or float16; None where they were not kept (earlier versions, the last
            epoch, a training without a validation part).
        groups: Number of the group of each image, shape (n,), int64, from 0: images of one file, or of one match of
            `group_by`, are not independent.
        tta: Whether the answers are means over flips and turns of each image.
        group_by: Regular expression that made the groups; None where only images of one file belong together.
    """

    run: RunDir
    which: Which
    epoch: int
    split: str
    dataset: Path
    classes: tuple[str, ...]
    keys: tuple[ImageKey, ...]
    truth: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    log_probabilities: npt.NDArray[Any] | None
    groups: npt.NDArray[np.int64]
    group_by: str | None
    tta: bool = False

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Images by their class (rows) and the predicted one, shape (C, C)."""
        size = len(self.classes)
        cells = np.bincount(self.truth * size + self.predicted, minlength=size * size)
        return cells.reshape(size, size).astype(np.int64)

    @property
    def group_count(self) -> int:
        """How many groups the images are of."""
        return len(np.unique(self.groups))


def load_results(
    run: RunDir, *, which: Which | None = None, dataset: Path | None = None, group_by: str | None = None
) -> Results:
    """Read the results of a training or an evaluation.

    Args:
        run: The run.
        which: None takes the best epoch of a training, and the evaluation of an evaluation.
        dataset: The folder that the user named, as for `current_job`.
        group_by: As in `SplitRule`; None takes that of the training or the evaluation, an empty
            one is none.

    Raises:
        ConfigError: If `group_by` is not a regular expression.
        RunError: If there are none (yet), or they cannot be read.
    """
    job = current_job(run, dataset)
    config = job.config
    if not isinstance(config, TrainConfig | EvaluateConfig):
        raise RunError(
            f"The run {printable(run.name)} is neither a training nor an evaluation.",
            "`mia-tui evaluate DATASET --run RUN` compares a network with labels.",
        )
    which = which or ("best" if isinstance(config, TrainConfig) else "evaluation")
    if not run.confusion(which).exists():
        raise RunError(
            f"The {config.noun} {printable(run.name)} has no results yet.",
            "A training has some after its first epoch with a validation part, an evaluation at its end.",
        )
    matrix = load_confusion(run.confusion(which))
    predictions = load_epoch_predictions(epoch_predictions_file(run, which))
    samples = present_samples(run, job)
    if predictions is None or len(predictions.predicted) != len(samples):
        raise RunError(
            f"The run {printable(run.name)} does not record what was predicted for which image.",
            "An earlier version made it; `mia-tui evaluate` with the same network records it.",
        )
    rows = np.flatnonzero(predictions.predicted != NOT_EVALUATED)
    evaluated = samples if len(rows) == len(samples) else [samples[row] for row in rows.tolist()]
    keys = tuple([ImageKey(sample.path, sample.frame) for sample in evaluated])
    group_by = config.group_by if group_by is None else group_by or None
    return Results(
        run=run,
        which=which,
        epoch=predictions.epoch,
        split=predictions.split,
        dataset=Path(job.dataset),
        classes=matrix.classes,
        keys=keys,
        truth=np.array([sample.class_index for sample in evaluated], np.int64),
        predicted=predictions.predicted[rows],
        log_probabilities=_fitting(
            load_scores(scores_file(run, which)), predictions.epoch, rows, matrix.classes
        ),
        groups=np.array(group_numbers(keys, group_by=group_by), np.int64),
        group_by=group_by,
        tta=_is_of_views(config, predictions.split),
    )


def _is_of_views(config: TrainConfig | EvaluateConfig, split: str) -> bool:
    """Whether flips and turns of each image were shown; a training part is evaluated while it is trained on."""
    return config.tta if isinstance(config, EvaluateConfig) else config.validate_views and split == "val"


def _fitting(
    scores: EvaluatedScores | None, epoch: int, rows: npt.NDArray[np.int64], classes: tuple[str, ...]
) -> npt.NDArray[Any] | None:
    """The probabilities, if they are of the same epoch and images: a power loss may have torn them apart."""
    if scores is None or scores.epoch != epoch or scores.log_probabilities.shape[1] != len(classes):
        return None
    return scores.log_probabilities if np.array_equal(scores.rows, rows) else None
