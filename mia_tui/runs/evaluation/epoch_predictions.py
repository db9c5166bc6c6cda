"""Which class a network predicted for each image that it was evaluated on: the images behind a confusion matrix.

Written beside each matrix, by position in samples.jsonl; runs of earlier
versions have none.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import BadRecord, Count, Text, decode_json
from mia_tui.errors import RunError
from mia_tui.files import read
from mia_tui.runs.disk import make_folder, write_atomically
from mia_tui.runs.evaluation.confusion import Which
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir, unreadable
from mia_tui.text import printable

NOT_EVALUATED = -1

_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class EpochPredictions:
    """Predictions of one epoch.

    Attributes:
        epoch: Epoch of the weights.
        split: Part of the images.
        predicted: Position of the class that each of the run's samples was given, shape (N,), int; `NOT_EVALUATED`
            for those of other parts and those that could not be read.
    """

    epoch: int
    split: str
    predicted: npt.NDArray[np.int64]


class _EpochPredictionsFile(msgspec.Struct, frozen=True, kw_only=True):
    epoch: Count
    split: Text
    predicted: list[Annotated[int, Meta(ge=NOT_EVALUATED, le=2**31 - 1)]]


def epoch_predictions_file(run: RunDir, which: Which) -> Path:
    """File of the predictions behind a confusion matrix."""
    return run.confusion(which).with_suffix(".predicted.json")


def save_epoch_predictions(path: Path, predictions: EpochPredictions, *, root: Path | None = None) -> None:
    """Write them as JSON.

    Args:
        path: The file; its folder is made where it is missing.
        predictions: What to write.
        root: As for `files.new_content`.

    Raises:
        RunError: If the disk does not take it.
    """
    file = _EpochPredictionsFile(
        epoch=predictions.epoch, split=predictions.split, predicted=predictions.predicted.tolist()
    )
    make_folder(path.parent, root=root)
    # Not synced: only the matrix beside it must survive a power loss.
    write_atomically(path, msgspec.json.encode(file), root=root, sync=False)


def load_epoch_predictions(path: Path) -> EpochPredictions | None:
    """Read what `save_epoch_predictions` wrote; None if there is no such file.

    Raises:
        RunError: If it cannot be read, or is damaged.
    """
    try:
        file = decode_json(read(path, most_bytes=_MOST_BYTES), _EpochPredictionsFile)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    except BadRecord as error:
        raise RunError(f"{printable(path)} holds no predictions: {error}.") from error
    return EpochPredictions(file.epoch, file.split, np.array(file.predicted, dtype=np.int64))


def images_of_cell(
    samples: Sequence[Sample], predictions: EpochPredictions, *, truth: int, predicted: int | None = None
) -> list[ImageKey]:
    """The images of a cell of the confusion matrix, or of a row of it, wrong predictions first.

    Args:
        samples: The run's.
        predictions: Of the same run.
        truth: Position of their class.
        predicted: Position of the predicted class; None takes all images that were evaluated.

    Raises:
        RunError: If the predictions are of other samples.
    """
    found = evaluated_images(samples, predictions)
    wanted = [each for each in found if each.truth == truth and predicted in (None, each.predicted)]
    return [each.key for each in sorted(wanted, key=lambda each: each.truth == each.predicted)]


class EvaluatedImage(NamedTuple):
    """An image, and the positions of its class and of the predicted one."""

    key: ImageKey
    truth: int
    predicted: int


def evaluated_images(samples: Sequence[Sample], predictions: EpochPredictions) -> list[EvaluatedImage]:
    """What was predicted for each image that was evaluated.

    Raises:
        RunError: If the predictions are of other samples.
    """
    if len(predictions.predicted) != len(samples):
        raise RunError("The predictions of this run do not match its images.", "Train it again.")
    return [
        EvaluatedImage(ImageKey(sample.path, sample.frame), sample.class_index, given)
        for sample, given in zip(samples, predictions.predicted.tolist(), strict=True)
        if given != NOT_EVALUATED
    ]


def wrong_images(images: Sequence[EvaluatedImage]) -> list[EvaluatedImage]:
    """Those that were predicted wrongly, the largest confusions first."""
    often = Counter((each.truth, each.predicted) for each in images)
    wrong = [each for each in images if each.truth != each.predicted]
    return sorted(wrong, key=lambda each: (-often[each.truth, each.predicted], each.truth, each.predicted))
