"""The images behind a class or a cell of a run's confusion matrix, as images of the dataset that is open."""

import os
from pathlib import Path

import numpy as np

from mia_tui.dataset.model import ImageKey
from mia_tui.errors import RunError
from mia_tui.paths import is_same_folder
from mia_tui.runs.evaluation.confusion import ConfusionReport
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    evaluated_images,
    images_of_cell,
    load_epoch_predictions,
    wrong_images,
)
from mia_tui.runs.list.moved_dataset import current_job, present_samples
from mia_tui.runs.prediction.suggestions import SuggestionSet, read_suggestions
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.gallery import GalleryImage


def images_behind(
    run: RunDir, opened: OpenDataset, report: ConfusionReport, *, truth: int, predicted: int | None = None
) -> OpenImages:
    """The images that were evaluated, wrong predictions first. Reads files, so call it in a thread.

    Args:
        run: The run.
        opened: The dataset that is open.
        report: The report that is on the screen.
        truth: Position of their class.
        predicted: Position of the predicted class; None takes all of `truth`.

    Raises:
        RunError: If there are none, or the run does not record which they are.
    """
    predictions, job = _predictions(run, report), current_job(run, opened.dataset)
    found = images_of_cell(present_samples(run, job), predictions, truth=truth, predicted=predicted)
    root, home = folders_of(opened, Path(job.dataset))
    keys = tuple(dict.fromkeys(key for image in found if (key := in_dataset(image, home, root)) is not None))
    names = report.matrix.classes  # a foreign file of counts may have more of them than the job
    title = f"truth {printable(names[truth])}"
    if predicted is not None:
        title += f", predicted {printable(names[predicted])}"
    if not found:
        raise RunError(f"There is no image with {title}.")
    if not keys:
        raise RunError(f"The images with {title} lie outside this dataset.")
    return OpenImages(title, keys)


def wrong_predictions(run: RunDir, opened: OpenDataset, report: ConfusionReport) -> list[GalleryImage]:
    """All images that were predicted wrongly, the largest confusions first. Reads files, so call it in a thread.

    Args:
        run: The run.
        opened: The dataset that is open.
        report: The report that is on the screen.

    Raises:
        RunError: If there are none, or the run does not record which they are.
    """
    predictions, job = _predictions(run, report), current_job(run, opened.dataset)
    found = wrong_images(evaluated_images(present_samples(run, job), predictions))
    if not found:
        raise RunError("No prediction is wrong.")
    root, home = folders_of(opened, Path(job.dataset))
    names = report.matrix.classes
    images = [
        GalleryImage(key, names[image.truth], names[image.predicted])
        for image in found
        if (key := in_dataset(image.key, home, root)) is not None
    ]
    if not images:
        raise RunError("The images that were predicted wrongly lie outside this dataset.")
    return images


def _predictions(run: RunDir, report: ConfusionReport) -> EpochPredictions:
    """What was predicted for each image behind a report."""
    predictions = load_epoch_predictions(epoch_predictions_file(run, report.which))
    if predictions is None:
        raise RunError(
            f"The run {printable(run.name)} does not record which images these are: an earlier version trained it.",
            "Run it again to be able to open them.",
        )
    if predictions.epoch != report.matrix.epoch:
        raise RunError("Another epoch has ended meanwhile.", "Try again.")
    return predictions


def folders_of(opened: OpenDataset, trained_on: Path) -> tuple[Path, Path]:
    """The dataset that is open, and the one of a run as it is now: one folder may be mounted at two places."""
    root = opened.dataset.resolve()
    return root, root if is_same_folder(root, trained_on) else trained_on


def images_predicted_as(run: RunDir, opened: OpenDataset, name: str) -> OpenImages:
    """The images for which a prediction suggests a class. Reads files, so call it in a thread.

    Args:
        run: The prediction.
        opened: The dataset that is open.
        name: Of the class.

    Raises:
        RunError: If there are none, or the prediction was written to a file.
    """
    job = run.predict_job()
    if job.config.out is not None:
        raise RunError(
            f"These predictions are in {printable(job.config.out)}, not in the app.",
            "Predict from the app, or without --out, to see them here.",
        )
    if not is_same_folder(opened.dataset, Path(current_job(run, opened.dataset).dataset)):
        raise RunError(
            "These images lie outside this dataset.", f"Open {printable(job.dataset)} to see them."
        )
    network = job.config.network
    found = read_suggestions(SuggestionSet(run, network, 0.0, 0))
    wanted = np.flatnonzero(found.best == found.classes.index(name)) if name in found.classes else ()
    keys = tuple(found.keys[place] for place in wanted)
    if not keys:
        raise RunError(f"There is no image that is predicted as {printable(name)}.")
    return OpenImages(f"predicted as {printable(name)} by {printable(network)}", keys)


def in_dataset(image: ImageKey, home: Path, root: Path) -> ImageKey | None:
    """An image of a run by its place in the dataset that is open; None if it lies elsewhere.

    Args:
        image: As the run has it.
        home: The folder that it was trained on, as it is now.
        root: The dataset that is open.
    """
    path = home / image.path  # --val FOLDER has whole paths
    if not path.is_relative_to(root):
        return None
    return ImageKey(path.relative_to(root).as_posix().replace(os.sep, "/"), image.frame)
