"""The images that are counted: the class of each by its label and by a prediction, and its group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.path_groups import PathGroups, groups_of
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.errors import RunError
from mia_tui.runs.list.find import places_of_runs
from mia_tui.runs.prediction.suggestions import SuggestionSet, read_newest, read_suggestions, suggestion_sets
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable

NONE = -1
"""In place of a class: the image has none."""

COLUMNS = (
    "class",
    "images",
    "labels",
    "label_fraction",
    "label_low",
    "label_high",
    "predictions",
    "prediction_fraction",
    "prediction_low",
    "prediction_high",
    "corrected_fraction",
    "corrected_low",
    "corrected_high",
    "is_control",
    "enrichment_of",
    "enrichment_score",
    "p",
    "q",
)
"""Of a table in long form, behind the columns of the groups, which have other names."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """The predictions that are counted.

    Attributes:
        run: Their run.
        model: What people call the network.
        classes: Names of its classes.
        best: Position among these of each of n images, shape (n,), int32; `NONE` where there is none.
        unsure: Which of them are below the threshold of their class, shape (n,), bool: they are counted as no class.
    """

    run: RunDir
    model: str
    classes: tuple[str, ...]
    best: NDArray[np.int32]
    unsure: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CountedImages:
    """n images in groups.

    Attributes:
        classes: Names, C: those of the dataset, then those that only the network has.
        groups: The groups of the images.
        labels: Position in `classes` of the label of each image, shape (n,), int32; `NONE` for none.
        predictions: The same of its prediction; None without a prediction.
        predicted: The predictions with the network's own classes; None without.
    """

    classes: tuple[str, ...]
    groups: PathGroups
    labels: NDArray[np.int32]
    predictions: NDArray[np.int32] | None = None
    predicted: Predicted | None = None


def count_images(
    keys: Sequence[ImageKey],
    labels: NDArray[np.int32],
    names: Sequence[str],
    *,
    by: str | None = None,
    predicted: Predicted | None = None,
) -> CountedImages:
    """Put labels, predictions and groups of images together.

    Args:
        keys: The images, n.
        labels: Position in `names` of the label of each, shape (n,); `NONE` for none.
        names: Of the dataset's classes.
        by: As for `groups_of`.
        predicted: The predictions, if there are some.

    Raises:
        ConfigError: As for `groups_of`.
    """
    labelled = np.flatnonzero(labels >= 0).tolist()
    groups = groups_of(keys, by, {keys[row]: int(labels[row]) for row in labelled}, taken=COLUMNS)
    if predicted is None:
        return CountedImages(tuple(names), groups, labels)
    known = {class_name(name): place for place, name in reversed([*enumerate(names)])}
    new = [name for name in map(class_name, predicted.classes) if name not in known]
    classes = (*names, *new)
    known |= {name: len(names) + place for place, name in enumerate(new)}
    here = np.array([*(known[class_name(name)] for name in predicted.classes), NONE], np.int32)
    counted = np.where(predicted.unsure, NONE, predicted.best)
    return CountedImages(classes, groups, labels, here[counted], predicted)


def read_predicted(
    keys: Sequence[ImageKey], dataset: Path, state: Path | None, run: RunDir | None = None
) -> Predicted | None:
    """The newest predictions for the images of a dataset, or those of a run; None if there are none.

    Args:
        keys: The images.
        dataset: Their folder.
        state: The folder given with --state.
        run: The run that is meant.

    Raises:
        RunError: If the run that is meant has none for this dataset, or they are damaged.
    """
    known = suggestion_sets(places_of_runs(dataset, state), dataset)
    if run is None:
        found = read_newest(known)
        return None if found is None else _placed(*found, keys)
    path = run.path.resolve()
    chosen = next((each for each in known if each.run.path.resolve() == path), None)
    if chosen is None:
        raise RunError(
            f"The run {printable(run.name)} keeps no predictions for {printable(dataset)}.",
            "`mia-tui predict DATASET --run RUN` without --out keeps them; so does a prediction in the app.",
        )
    return _placed(chosen, read_suggestions(chosen), keys)


def _placed(known: SuggestionSet, found: ModelSuggestions, keys: Sequence[ImageKey]) -> Predicted:
    row: Mapping[ImageKey, int] = {key: place for place, key in enumerate(found.keys)}
    rows = np.fromiter((row.get(key, NONE) for key in keys), np.int64, len(keys))
    best = np.concatenate([found.best, [NONE]]).astype(np.int32)[rows]  # the last one is that of `NONE`
    unsure = np.zeros(len(found.keys) + 1, np.bool_)
    if found.unsure is not None:
        unsure[:-1] = found.unsure
    return Predicted(known.run, known.model, found.classes, best, unsure[rows])
