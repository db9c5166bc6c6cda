"""An evaluation: the confusion matrix of a network on labelled images."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mia_tui.dataset.model import ImageKey
from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.engine.inference.ensemble import AnyPredictor
from mia_tui.engine.jobs.network import load_network, warn_of_other_stacks, warn_of_other_types
from mia_tui.engine.large_library import import_large
from mia_tui.engine.parallel.devices import work_on_devices
from mia_tui.engine.parallel.prediction import gather_other_types, predict_together
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.errors import DataError
from mia_tui.runs.evaluation.confusion import SavedConfusion, figures, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    NOT_EVALUATED,
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.evaluation.saved_scores import (
    EvaluatedScores,
    lower_bounded,
    save_scores,
    scores_dtype,
    scores_file,
)
from mia_tui.runs.list.moved_dataset import current_samples
from mia_tui.runs.record.events import MOST_NAMED, Outcome, ResultSaved
from mia_tui.runs.record.job import EvaluateJob, Sample, image_name
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import counted, encode_name, printable


def work(attempt: Attempt, job: EvaluateJob) -> Outcome:
    """Evaluate a network on the samples of a job; on several devices in a process for each.

    Raises:
        AwayError: If a disk was away for too long.
        MiaError: If the evaluation cannot be made.
    """
    return work_on_devices(attempt, job, _evaluate)


def _evaluate(attempt: Attempt, job: EvaluateJob, ranks: Ranks) -> Outcome:
    run, config = attempt.run, job.config
    network, _ = load_network(attempt, config, job.threads, ranks)
    samples = current_samples(run, job)
    warn_of_other_stacks(attempt, network, [sample.frame for sample in samples])
    attempt.phase("working", f"evaluating {counted(len(samples), 'image')}")
    try:
        predicted, scores, problems = _predict(attempt, job, network, samples, ranks)
    except WorkStopped:
        return "stopped"
    gather_other_types(ranks, network)
    if not ranks.is_first:
        return "finished"
    counts = _confusion(job, samples, predicted)
    matrix = SavedConfusion(
        network.card.epoch, config.split, tuple(item.name for item in job.classes), counts
    )

    def save() -> None:
        file = epoch_predictions_file(run, "evaluation")
        if scores is not None:
            save_scores(scores_file(run, "evaluation"), scores, root=run.root)
        save_epoch_predictions(file, EpochPredictions(matrix.epoch, matrix.split, predicted), root=run.root)
        save_confusion(run.confusion("evaluation"), matrix, root=run.root)

    attempt.write_when_back(save)
    remark = warn_of_other_types(attempt, network)
    values = figures(counts)
    images = f"{counted(int(counts.sum()), 'image')} {_of_part(config.split)}"
    attempt.emit(
        ResultSaved(
            t=time.time(),
            sentence=f"{images}: macro F1 {values['macro_f1']:.4f}, accuracy {values['accuracy']:.4f}.",
            file=str(run.confusion("evaluation").relative_to(run.path)),
            problem_count=len(problems),
            problems=dict(list(problems.items())[:MOST_NAMED]),
            figures=values,
            remark=remark,
        )
    )
    return "finished"


def _predict(
    attempt: Attempt, job: EvaluateJob, network: AnyPredictor, samples: Sequence[Sample], ranks: Ranks
) -> tuple[np.ndarray, EvaluatedScores | None, dict[str, str]]:
    """What a network says of samples.

    Returns:
        The predicted class of each sample, shape (samples,), int64; the probabilities, unless there are too many; and
        why some samples cannot be read, by name.

    Raises:
        WorkStopped: If a stop is requested.
    """
    predicted = np.full(len(samples), NOT_EVALUATED, np.int64)
    problems: dict[str, str] = {}
    kept = scores_dtype(len(samples), len(job.classes))
    values = np.empty((0 if kept is None else len(samples), len(job.classes)), kept or np.float32)
    predictions = predict_together(
        ranks,
        network,
        Path(job.dataset),
        [ImageKey(sample.path, sample.frame) for sample in samples],
        batch_size=job.config.batch_size,
        tta=job.config.tta,
        should_stop=attempt.should_stop,
        on_wait=attempt.waiting_for_disk,
        numbering=job.numbering,
    )
    for row, prediction in enumerate(predictions):
        if prediction.probabilities is None:
            problems[encode_name(image_name(samples[row]))] = prediction.problem or ""
        else:
            predicted[row] = prediction.probabilities.argmax()
            if kept is not None:
                with np.errstate(divide="ignore"):
                    values[row] = lower_bounded(np.log(prediction.probabilities))
        attempt.progress(row + 1, len(samples))
    if kept is None:
        return predicted, None, problems
    rows = np.flatnonzero(predicted != NOT_EVALUATED)
    return predicted, EvaluatedScores(network.card.epoch, job.config.split, rows, values[rows]), problems


def _confusion(job: EvaluateJob, samples: Sequence[Sample], predicted: np.ndarray) -> np.ndarray:
    """The confusion matrix of the samples that could be read, shape (classes, classes), int64; rows are the truth.

    Raises:
        DataError: If none could be read.
    """
    read = predicted != NOT_EVALUATED
    if not read.any():
        raise DataError(
            f"None of the labelled images of {printable(job.dataset)} can be read.", "Check the files."
        )
    logging.getLogger("matplotlib.font_manager").setLevel(
        logging.ERROR
    )  # comes with torchmetrics; draws nothing
    import_large("torchmetrics")  # only here: its import takes a second, which no other job waits for
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    truth = np.fromiter((sample.class_index for sample in samples), np.int64, len(samples))
    counts = multiclass_confusion_matrix(
        torch.from_numpy(predicted[read]), torch.from_numpy(truth[read]), num_classes=len(job.classes)
    )
    return np.asarray(counts.numpy(), np.int64)


def _of_part(split: str) -> str:
    return "in all" if split == "all" else f"of the part {split}"
