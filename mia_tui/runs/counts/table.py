"""The table of counts: of each group and class, images, shares with intervals, correction and enrichment."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mia_tui.analysis.counts import (
    ENOUGH_GROUPS,
    ILL_CONDITIONED,
    Corrected,
    Counts,
    NotCorrected,
    Numbers,
    Shares,
    corrected_shares,
    overall_shares,
    shares_by_group,
)
from mia_tui.analysis.enrichment import Enrichment, GroupModel, NotFitted, enrichment, fit_groups
from mia_tui.config.split import compile_pattern
from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.path_groups import OUTSIDE, PathGroups
from mia_tui.errors import ConfigError, DataError
from mia_tui.runs.counts.confusions import KnownConfusions
from mia_tui.runs.counts.images import NONE, CountedImages, Predicted
from mia_tui.text import counted, name_some, printable

Use = Literal["labels", "predictions"]

USUAL_Q = 0.05
"""Below this a group is called enriched or depleted."""

NOT_CORRECTED = "Fractions are not corrected"
"""How the note begins that says why."""

_AGAINST = "--against"


@dataclass(frozen=True, eq=False)
class CountTable:
    """Counts of C classes in G groups; arrays have shape (G, C) where nothing else is said.

    Attributes:
        classes: Names.
        groups: Of the images.
        images: Images in each group, shape (G,), int64.
        labels: Labelled images.
        predictions: Predicted images; None without a prediction.
        label_shares: Of the labelled images of a group.
        prediction_shares: Of its predicted images; None without a prediction.
        use: What the figures over all groups and the enrichment are of.
        model: What people call the network that predicted; empty for none.
        overall: Shares in all groups together, shape (C,).
        corrected: Shares corrected for the network's confusions; None if that was not asked for, or cannot be.
        source: From which labelled images the confusions are known; empty without a correction.
        controls: Groups that others are compared with, shape (G,), bool; all of them where none were named.
        fitted: How much groups differ; None where that cannot be told.
        enrichment: How unusual groups are; None likewise.
        notes: What one has to know about the figures, a sentence each.
    """

    classes: tuple[str, ...]
    groups: PathGroups
    images: Counts
    labels: Counts
    predictions: Counts | None
    label_shares: Shares
    prediction_shares: Shares | None
    use: Use
    model: str
    overall: Shares
    corrected: Corrected | None
    source: str
    controls: NDArray[np.bool_]
    fitted: GroupModel | None
    enrichment: Enrichment | None
    notes: tuple[str, ...]

    @property
    def counts(self) -> Counts:
        """The counts that the figures are of."""
        return self.labels if self.use == "labels" or self.predictions is None else self.predictions

    @property
    def shares(self) -> Shares:
        """The shares of these."""
        found = self.label_shares if self.use == "labels" else self.prediction_shares
        return self.label_shares if found is None else found

    def unusual(self, q: float = USUAL_Q) -> list[tuple[int, int]]:
        """Groups and classes that are enriched or depleted, the least likely by chance first."""
        if self.enrichment is None:
            return []
        group, place = np.nonzero(np.nan_to_num(self.enrichment.q, nan=1.0) < q)
        order = np.argsort(self.enrichment.p[group, place], kind="stable")
        return [(int(group[at]), int(place[at])) for at in order]


def make_table(
    images: CountedImages,
    *,
    use: Use | None = None,
    confusions: KnownConfusions | None = None,
    against: str | None = None,
    seed: int = 0,
) -> CountTable:
    """Count, and compute all figures.

    Args:
        images: What is counted.
        use: What the figures over all groups and the enrichment are of; None takes predictions where there are some.
        confusions: Of the network that predicted, to correct for; None corrects nothing.
        against: Name of a group, or regular expression on names of groups: the controls.
        seed: Of the resamples.

    Raises:
        ConfigError: If no group fits `against`, or predictions are meant and there are none.
        DataError: If nothing is labelled or predicted.
    """
    labels = _counts(images.groups, images.labels, len(images.classes))
    predictions = None
    if images.predictions is not None:
        predictions = _counts(images.groups, images.predictions, len(images.classes))
    use = _used(use, labels, predictions)
    counts = labels if use == "labels" or predictions is None else predictions
    controls = _controls(images.groups, against)
    corrected, notes = None, [*_notes(images)]
    if confusions is not None and images.predicted is not None:
        corrected, said = _correct(images, images.predicted, confusions, seed)
        notes += [*said, *([] if corrected is None else confusions.notes)]
    model, found, why_none = _enriched(counts, controls)
    notes += why_none
    return CountTable(
        images.classes,
        images.groups,
        _images(images.groups),
        labels,
        predictions,
        shares_by_group(labels),
        None if predictions is None else shares_by_group(predictions),
        use,
        "" if images.predicted is None else images.predicted.model,
        overall_shares(counts, seed=seed),
        corrected,
        "" if confusions is None or corrected is None else confusions.source,
        controls,
        model,
        found,
        tuple(notes),
    )


def _used(use: Use | None, labels: Counts, predictions: Counts | None) -> Use:
    if use == "predictions" and predictions is None:
        raise ConfigError(
            "There are no predictions of these images.", "`mia-tui predict DATASET --run RUN` makes some."
        )
    if use is None:
        use = "predictions" if predictions is not None and predictions.any() else "labels"
    if not labels.any() and (predictions is None or not predictions.any()):
        raise DataError(
            "No image of these groups has a label or a prediction, so there is nothing to count.",
            "Label some, or predict them with `mia-tui predict DATASET --run RUN`.",
        )
    return use


def _images(groups: PathGroups) -> Counts:
    inside = groups.of_image[groups.of_image != OUTSIDE]
    return np.bincount(inside, minlength=len(groups.names)).astype(np.int64)


def _counts(groups: PathGroups, places: NDArray[np.int32], classes: int) -> Counts:
    """Images of each class in each group, shape (G, classes)."""
    known = (groups.of_image != OUTSIDE) & (places != NONE)
    cells = groups.of_image[known].astype(np.int64) * classes + places[known]
    size = len(groups.names) * classes
    return np.bincount(cells, minlength=size).reshape(len(groups.names), classes).astype(np.int64)


def _notes(images: CountedImages) -> Iterable[str]:
    groups, total = images.groups, len(images.labels)
    if groups.outside:
        yield f"{counted(groups.outside, 'image')} of {total:,} in no group, and not counted."
    if images.predicted is not None:
        missing = int(np.count_nonzero(images.predicted.best == NONE))
        if missing:
            yield f"{counted(missing, 'image has', 'images have')} no prediction."
        unsure = int(np.count_nonzero(images.predicted.unsure))
        if unsure:
            yield (
                f"{counted(unsure, 'prediction is', 'predictions are')} unsure (below the threshold), and counted as "
                "no class; a correction takes them all."
            )


def _controls(groups: PathGroups, against: str | None) -> NDArray[np.bool_]:
    names = [groups.name(place) for place in range(len(groups.names))]
    if against is None:
        return np.ones(len(names), np.bool_)
    if against in names:
        return np.array([name == against for name in names], np.bool_)
    pattern = compile_pattern(against, _AGAINST)
    found = np.array([pattern.search(name) is not None for name in names], np.bool_)
    if not found.any():
        raise ConfigError(
            f"{_AGAINST} {printable(against)!r} is the name of no group, and fits none.",
            f"Groups are {name_some(names)}.",
        )
    return found


def _correct(
    images: CountedImages, predicted: Predicted, confusions: KnownConfusions, seed: int
) -> tuple[Corrected | None, list[str]]:
    """The corrected shares by the classes of the table; None with a sentence where there are none."""
    own = _counts(images.groups, predicted.best, len(predicted.classes))
    try:
        found = corrected_shares(own, confusions.evaluated, seed=seed)
    except NotCorrected as error:
        if error.classes:
            names = name_some(predicted.classes[place] for place in error.classes)
            why = f"no image of {names} is among the {confusions.source}"
        else:
            why = f"the {confusions.source} do not tell the classes apart"
        return None, [f"{NOT_CORRECTED}: {why}."]
    notes = []
    if found.condition > ILL_CONDITIONED:
        notes.append(
            f"The correction is ill-conditioned: errors are magnified up to {found.condition:.0f} times, since "
            "some classes are confused with each other too often. Merge them, or evaluate more images."
        )
    if found.groups < ENOUGH_GROUPS:
        notes.append(
            f"The confusions are known from {counted(found.groups, 'group')} of labelled images only, so intervals "
            "of corrected fractions may be too narrow."
        )
    places = _class_places(images, predicted)
    classes = len(images.classes)
    by_group, overall = (_spread(shares, places, classes) for shares in (found.by_group, found.overall))
    return replace(found, by_group=by_group, overall=overall), notes


def _class_places(images: CountedImages, predicted: Predicted) -> NDArray[np.intp]:
    """Where each class of the network is among those of the table."""
    known = {class_name(name): place for place, name in reversed([*enumerate(images.classes)])}
    return np.array([known[class_name(name)] for name in predicted.classes], np.intp)


def _spread(shares: Shares, places: NDArray[np.intp], classes: int) -> Shares:
    def whole(values: Numbers) -> Numbers:
        result = np.full((*values.shape[:-1], classes), np.nan)
        result[..., places] = values
        return result

    return replace(shares, value=whole(shares.value), low=whole(shares.low), high=whole(shares.high))


def _enriched(
    counts: Counts, controls: NDArray[np.bool_]
) -> tuple[GroupModel | None, Enrichment | None, list[str]]:
    try:
        model = fit_groups(counts[controls])
    except NotFitted as error:
        return None, None, [f"No enrichment: {error}."]
    notes = []
    if model.is_chance:
        notes.append(
            "Groups differ no more than by the chance of counting, so there is no enrichment score, and p-values are "
            "binomial."
        )
    if not controls.all() and model.groups < ENOUGH_GROUPS:
        notes.append(
            f"The controls are {counted(model.groups, 'group')}: how much groups differ is not well known from fewer "
            f"than {ENOUGH_GROUPS}, and p-values may be too small."
        )
    return model, enrichment(model, counts), notes
