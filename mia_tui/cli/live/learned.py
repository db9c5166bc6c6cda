"""The images of a dataset with their features and labels, and what is learned from these; makes missing features."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.directions import Directions, directions
from mia_tui.active.groups import content_numbers, group_numbers, join_copies
from mia_tui.active.suggester import Learned, Rows, Suggester
from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.images import scan_images
from mia_tui.dataset.dataset import Dataset
from mia_tui.dataset.labelled_images import LabelledSet, labelled_images
from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.errors import DataError
from mia_tui.paths import find_state
from mia_tui.text import counted, printable, typed

if TYPE_CHECKING:
    from mia_tui.config.train import LabelSource
    from mia_tui.dataset.listing.listing import Listing
    from mia_tui.features.table import FeatureTable

_AT_ONCE = 16_384  # images whose features are in memory before they are reduced


def frame_of(key: ImageKey) -> int | None:
    """The number of a frame, as it is printed; None for a whole stack."""
    return None if key.frame == WHOLE_STACK else key.frame


@dataclass(frozen=True, eq=False)
class LiveImages:
    """The images of a dataset that have features; arrays have a row for each of them.

    Attributes:
        found: The dataset.
        keys: The images, N.
        suggester: With the features of all.
        labelled: Rows of those labelled images that the network of the features was not trained on.
        class_ids: Their classes.
        is_labelled: Which images are labelled, shape (N,); those that the network was trained on are, too.
        trained_elsewhere: Whether the network was trained, but by what is known on none of these images.
        contents: Equal numbers for equal content, shape (N,); below 0 where that is not known.
        without: How many images have no features.
        network: What people call the network.
        whose: What an audit calls the suggestions that are learned from these features.
        learned_by_network: How many labelled images the network was trained on.
    """

    found: Dataset
    keys: Sequence[ImageKey]
    suggester: Suggester
    labelled: Rows
    class_ids: Rows
    is_labelled: NDArray[np.bool_]
    trained_elsewhere: bool
    contents: Rows
    without: int
    network: str
    whose: str
    learned_by_network: int

    @cached_property
    def names(self) -> dict[int, str]:
        """The classes' names, by id."""
        return {named.id: named.name for named in self.found.labelled.classes}

    @cached_property
    def rows(self) -> dict[ImageKey, int]:
        """The row of each image."""
        return {key: row for row, key in enumerate(self.keys)}

    @cached_property
    def vectors(self) -> Directions:
        """By which near-duplicates and unfamiliar images are found."""
        return directions(self.suggester.points)

    @property
    def groups(self) -> Rows:
        """Equal numbers for images that belong together."""
        assert self.suggester.groups is not None
        return self.suggester.groups

    def learn(self) -> Learned:
        """Learn from the labels.

        Raises:
            DataError: If there are not two classes to learn.
        """
        self.check_classes("Suggestions")
        return self.suggester.learn(self.labelled, self.class_ids, self._audited())

    def _audited(self) -> Rows:
        """Labelled images that were drawn at random: they alone say how sure suggestions are, from some on."""
        from mia_tui.dataset.store.label_store import LabelStore

        store = LabelStore.open_existing(self.found.state.labels_db)
        if store is None:
            return np.empty(0, np.int32)
        with store:
            drawn = {
                row.image for row in store.audits() if row.kind == "suggestion" and row.answer is not None
            }
        return self.labelled[self.mask(drawn)[self.labelled]]

    def check_classes(self, what: str) -> None:
        """Refuse labels of fewer than two classes; `what` needs them.

        Raises:
            DataError: If there are fewer.
        """
        if len(np.unique(self.class_ids)) >= 2:
            return
        root = printable(self.found.root)
        if self.learned_by_network:
            raise DataError(
                f"{printable(self.network)} was trained on {counted(self.learned_by_network, 'label')} of {root} and "
                "knows them by heart, so it cannot say which are wrong; the other images have labels of fewer than "
                "two classes.",
                "Leave --network out: the network that comes with the program was trained on none of them.",
            )
        raise DataError(
            f"{what} need images of two classes that are labelled, and {root} has fewer.",
            f"Label some with `mia-tui {typed(self.found.root)}`, or import labels with `mia-tui labels import`.",
        )

    def check_store(self, what: str) -> None:
        """Refuse classes that only folders have: `what` is kept with the labels.

        Raises:
            DataError: If labels.db does not have them.
        """
        from mia_tui.dataset.store.label_store import LabelStore

        store = LabelStore.open_existing(self.found.state.labels_db)
        stored = set()
        if store is not None:
            with store:
                stored = {known.id for known in store.classes()}
        if not set(self.names) <= stored:
            root = self.found.root
            raise DataError(
                f"The classes of {printable(root)} are the names of its folders, and {what} is kept with labels.",
                f"Make labels of them: `mia-tui labels import {typed(root)} --format folders`.",
            )

    def mask(self, keys: "set[ImageKey]") -> NDArray[np.bool_]:
        """Which images are among some keys of labels.db, shape (N,)."""
        found = np.zeros(len(self.keys), np.bool_)
        here = [self.rows.get(self.found.labelled.here(key)) for key in keys]
        found[[row for row in here if row is not None]] = True
        return found


def read_live(
    report: Report,
    dataset: Path,
    state: Path | None,
    annotator: str | None,
    *,
    labels: "LabelSource | None",
    network: str | None,
    device: str,
    needs_labels: bool = True,
) -> "LiveImages | int":
    """Read images, labels and features; features that are missing are made first, which is said.

    Returns:
        The images; or an exit code, where making features was stopped.

    Raises:
        MiaError: If there are no images, no labels that are needed, or no features.
    """
    found = _dataset(report, dataset, state, annotator, labels, needs_labels)
    made = _features(report, found, state, network, device)
    if isinstance(made, int):
        return made
    table, listing = made
    at = listing.rows(found.scan.keys)
    places = np.where(at >= 0, table.places(listing)[at], -1).astype(np.int32)
    has = np.flatnonzero(places >= 0)
    if not len(has):
        raise DataError(f"None of the images of {printable(dataset)} could be read.", "Check the files.")
    if len(has) < len(places):
        report.warn(f"{counted(len(places) - len(has), 'image')} without features are left out.")
    by_image = group_numbers(listing, _group_by(found))
    return _joined(found, table, places, has, by_image[at[has]])


def _joined(
    found: Dataset, table: "FeatureTable", places: Rows, has: NDArray[np.intp], groups: Rows
) -> LiveImages:
    from mia_tui.dataset.store.review.audits import live_model
    from mia_tui.features.layout import DEFAULT_NETWORK

    keys = [found.scan.keys[row] for row in has.tolist()]
    suggester = Suggester(table.network.dims)
    everything = table.rows(0, len(table))
    for start in range(0, len(has), _AT_ONCE):
        suggester.add(everything[places[has[start : start + _AT_ONCE]]])
    digests = table.digests[places[has]]
    suggester.set_groups(join_copies(groups, content_numbers(digests)))
    ids = [named.id for named in found.labelled.classes]
    labels = [found.labelled.labels.get(key) for key in keys]
    class_ids = np.array([0 if at is None else ids[at] for at in labels], np.int32)
    is_labelled = np.array([at is not None for at in labels], np.bool_)
    contents = _contents(keys, [bytes(digest) for digest in digests])
    trained_on = table.by_heart[places[has]]
    usable = np.flatnonzero(is_labelled & ~trained_on).astype(np.int32)
    return LiveImages(
        found,
        keys,
        suggester,
        usable,
        class_ids[usable],
        is_labelled,
        table.network.id != DEFAULT_NETWORK and not table.parts.any(),
        contents,
        len(places) - len(has),
        table.network.name,
        live_model("" if table.network.id == DEFAULT_NETWORK else table.network.name),
        int((is_labelled & trained_on).sum()),
    )


def _dataset(
    report: Report,
    dataset: Path,
    state: Path | None,
    annotator: str | None,
    source: "LabelSource | None",
    needs_labels: bool,
) -> Dataset:
    """The images and their labels; none where none are needed."""
    from mia_tui.dataset.interchange.folders import read_class_folders
    from mia_tui.dataset.store.label_store import stack_mode

    found = scan_images(report, dataset, "first")
    place = find_state(dataset, state, class_folders=read_class_folders(found.keys) is not None)
    found = found.labelled_as(stack_mode(place.labels_db))
    try:
        labelled = labelled_images(
            found, dataset, place, source=source or "auto", keep_empty=True, annotator=annotator
        )
    except DataError:
        if needs_labels:
            raise
        labelled = LabelledSet("store", (), {}, {}, 0, ())
    for note in labelled.notes:
        report.warn(note)
    return Dataset(dataset, found, place, labelled)


def _features(
    report: Report, found: Dataset, state: Path | None, network: str | None, device: str
) -> "tuple[FeatureTable, Listing] | int":
    """The features, and the images as they are listed; an exit code where making them was stopped."""
    from mia_tui.cli.shared.network import find_network
    from mia_tui.dataset.scan.incremental import list_images
    from mia_tui.features.table import FeatureTable
    from mia_tui.runs.features.create import network_id

    weights = None if network is None else find_network(network, found.root, state)[1]
    wanted = network_id(weights)
    listed = list_images(found.root, stacks=found.scan.mode)
    assert listed is not None
    table = FeatureTable.open(found.root, wanted)
    missing = len(listed.listing) if table is None else len(table.missing(listed.listing))
    if missing:
        report.note(f"{counted(missing, 'image has', 'images have')} no features yet: they are made first.")
        code = _make(report, found.root, weights, state, device)
        if code:
            return code
        table = FeatureTable.open(found.root, wanted)
    if table is None:
        raise DataError(f"{printable(found.root)} has no features.", "Make them with `mia-tui features`.")
    return table, listed.listing


def _make(report: Report, dataset: Path, weights: Path | None, state: Path | None, device: str) -> int:
    from mia_tui.cli.open import user_settings
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.cli.shared.jobs import exit_code, work_in_front
    from mia_tui.cli.shared.network import warn_of_unreadable
    from mia_tui.config.features import BYTES_PER_GB
    from mia_tui.runs.features.create import create_features
    from mia_tui.runs.record.state import read_state

    most_bytes = int(user_settings().features_gb * BYTES_PER_GB)
    run = create_features(dataset, weights, state=state, device=device, most_bytes=most_bytes)
    before = read_state(run)
    with EpochProgress(report, metric=before.metric, state=before) as progress:
        result = work_in_front(report, run, progress, record_events=False)
    code = exit_code(result)
    if code == 0 and progress.state.result is not None:
        warn_of_unreadable(report, progress.state.result)
    elif code:
        report.note("Stopped; the same command continues where it stopped.")
    return code


def _group_by(found: Dataset) -> str | None:
    """By which the split of the dataset keeps images together; None without a split."""
    from mia_tui.dataset.split.assignment import stored_rule
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(found.state.labels_db)
    if store is None:
        return None
    with store:
        rule = stored_rule(store)
    return None if rule is None else rule.group_by


def _contents(keys: Sequence[ImageKey], digests: Sequence[bytes]) -> Rows:
    numbers: dict[tuple[bytes, int], int] = {}
    return np.array(
        [
            numbers.setdefault((digest, key.frame), len(numbers)) if any(digest) else -1
            for key, digest in zip(keys, digests, strict=True)
        ],
        np.int32,
    )
