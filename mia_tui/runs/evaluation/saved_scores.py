"""What a network said of each image that it was evaluated on: the probabilities behind a confusion matrix.

Written beside the matrix of the best epoch and of an evaluation, as an archive of numpy; runs of earlier versions
have none.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mia_tui.arrays import BROKEN, read_array
from mia_tui.errors import RunError
from mia_tui.files import open_to_read
from mia_tui.runs.disk import make_folder, replacing
from mia_tui.runs.evaluation.confusion import Which
from mia_tui.runs.record.layout import RunDir, unreadable
from mia_tui.text import printable

MOST_VALUES = 1 << 28
"""Of images times classes; of more none are kept, such as of 268,436 images of a thousand classes."""

_MOST_EXACT = 1 << 24  # of images times classes kept as float32, 64 MiB
_MOST_BYTES = 2 * MOST_VALUES + (1 << 26)
_LOWEST = -60.0  # a probability of 1e-26; float16 has no room for that of float32


@dataclass(frozen=True, eq=False)
class EvaluatedScores:
    """The probabilities of one epoch.

    Attributes:
        epoch: Epoch of the weights.
        split: Part of the images.
        rows: Positions in samples.jsonl of the images that could be read, ascending, shape (n,), int64.
        log_probabilities: Natural logarithms of the probabilities, shape (n, C), in the order of the run's classes;
            float32, of very many float16, which is right to 0.1 % of a logarithm.
    """

    epoch: int
    split: str
    rows: npt.NDArray[np.int64]
    log_probabilities: npt.NDArray[Any]


def scores_dtype(images: int, classes: int) -> type[np.float32 | np.float16] | None:
    """In which type the scores of so many images and classes are kept; None for too many."""
    values = images * classes
    if values > MOST_VALUES:
        return None
    return np.float32 if values <= _MOST_EXACT else np.float16


def lower_bounded(log_probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same without minus infinity, which is the logarithm of 0."""
    bounded: npt.NDArray[Any] = np.maximum(log_probabilities, _LOWEST)
    return bounded


def scores_file(run: RunDir, which: Which) -> Path:
    """File of the scores behind a confusion matrix."""
    return run.confusion(which).with_suffix(".scores.npz")


def save_scores(path: Path, scores: EvaluatedScores, *, root: Path | None = None) -> None:
    """Write them; the folder is made where it is missing.

    Args:
        path: The file.
        scores: What to write.
        root: As for `files.new_content`.

    Raises:
        RunError: If the disk does not take it.
    """
    make_folder(path.parent, root=root)
    with replacing(
        path, root=root, sync=False
    ) as file:  # only the matrix beside it must survive a power loss
        np.savez(
            file,
            epoch=np.int64(scores.epoch),
            split=np.array(scores.split),
            rows=scores.rows,
            log_probabilities=scores.log_probabilities,
        )


def load_scores(path: Path) -> EvaluatedScores | None:
    """Read what `save_scores` wrote; None if there is no such file.

    Raises:
        RunError: If it cannot be read, or is damaged.
    """
    try:
        with open_to_read(path) as file, zipfile.ZipFile(file) as archive:
            return _checked(archive)
    except FileNotFoundError:
        return None
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise unreadable(path, error) from error
        raise RunError(
            f"{printable(path)} holds no probabilities: {printable(error)}.",
            "Delete it, and `mia-tui evaluate` makes new ones; what needs no probabilities is shown without it.",
        ) from error


def _checked(archive: zipfile.ZipFile) -> EvaluatedScores:
    found: list[npt.NDArray[Any]] = [
        read_array(archive, f"{name}.npy", _MOST_BYTES)
        for name in ("rows", "log_probabilities", "epoch", "split")
    ]
    rows, values, epochs, splits = found
    epoch, split = int(epochs.item()), str(splits.item())
    if rows.dtype != np.int64 or values.dtype not in (np.float32, np.float16):
        raise ValueError("its numbers are of another type")
    if rows.ndim != 1 or values.ndim != 2 or len(rows) != len(values):
        raise ValueError("its tables do not fit")
    if len(rows) and (rows[0] < 0 or (np.diff(rows) <= 0).any()):
        raise ValueError("its rows are in disorder")
    if not np.isfinite(values).all() or (values > 1e-3).any():
        raise ValueError("it holds numbers that are no probabilities")
    return EvaluatedScores(epoch, split, rows, values)
