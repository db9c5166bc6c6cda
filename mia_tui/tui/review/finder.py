"""Finds what is doubtful in a dataset: labels that look wrong, near-duplicates with different labels, outliers, and
unfamiliar images. Computed in the thread of the live suggestions, from the labels of now and features of the
network that comes with the program: one that was trained on these labels knows them by heart, wrong ones too.

Which images are unfamiliar the network says whose suggestions are shown, if it was trained to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.directions import Directions, directions
from mia_tui.active.duplicates import different_duplicates
from mia_tui.active.label_issues import label_issues
from mia_tui.active.unfamiliar import outliers, unfamiliarity
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.review.records import IssueKind
from mia_tui.errors import DataError
from mia_tui.text import counted, printable
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.review.queue import TITLES, Doubt, Doubted

if TYPE_CHECKING:
    from mia_tui.tui.live.learner import LiveLearner

Rows = NDArray[np.int32]

_ISSUES: tuple[IssueKind, ...] = ("label", "duplicate", "outlier")
_LEAST_CLASSES = 2


@dataclass(frozen=True)
class FoundDoubts:
    """What is doubtful now.

    Attributes:
        doubts: By kind, the most doubtful first; those kinds that were asked for, unless `why_not` says something.
        of: What that was told from, such as `180 labels`.
        why_not: Why nothing can be told, a sentence; empty if it can.
    """

    doubts: Mapping[Doubted, tuple[Doubt, ...]] = field(default_factory=dict)
    of: str = ""
    why_not: str = ""


@dataclass(frozen=True, eq=False)
class _Labels:
    """The labels of a moment, by row of the listing.

    Attributes:
        listing: The images.
        class_ids: 0 without a label of an active class.
        passed: Images that were skipped or flagged.
        kept: By issue, whether a person left it as it is.
    """

    listing: Listing
    class_ids: Rows
    passed: NDArray[np.bool_]
    kept: Mapping[IssueKind, NDArray[np.bool_]]

    def is_same(self, other: "_Labels") -> bool:
        """Whether the same is doubtful by these and other labels."""
        return (
            self.listing is other.listing
            and np.array_equal(self.class_ids, other.class_ids)
            and np.array_equal(self.passed, other.passed)
            and all(np.array_equal(self.kept[issue], other.kept[issue]) for issue in _ISSUES)
        )


class DoubtFinder:
    """Finds what is doubtful. One kind after the other, so that labels can be learned from in between.

    Args:
        controller: The dataset.
    """

    def __init__(self, controller: LabelController) -> None:
        self._controller = controller
        self._known: dict[Doubted, tuple[Doubt, ...]] = {}
        self._known_of: tuple[_Labels, int] | None = None  # these labels, and so many images with features

    async def find(self, kinds: Sequence[Doubted] = tuple(TITLES)) -> FoundDoubts:
        """What is doubtful now, without what a person kept as it is; what was found before is not computed again.

        Args:
            kinds: Which doubts are wanted.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        live, session = self._controller.live, self._controller.session
        labels = await self._labels()
        far = self._controller.suggestions.unfamiliar
        if far is not None and tuple(kinds) == ("unfamiliar",):
            return self._said_by_the_network(far, labels)
        if len(np.unique(labels.class_ids[labels.class_ids > 0])) < _LEAST_CLASSES:
            return FoundDoubts(why_not="Images of two classes have to be labelled first.")
        try:
            features = await live.ask(lambda learner: len(learner.suggester), untrained=True)
            self._forget_others(labels, features)
            for kind in kinds:
                if kind not in self._known:
                    self._known[kind] = await live.ask(
                        partial(_find, kind=kind, labels=labels), untrained=True
                    )
        except DataError:
            return FoundDoubts(why_not=ask_for_features(self._controller))
        if "unfamiliar" in kinds and session.listing is labels.listing:
            rows = labels.listing.rows([doubt.key for doubt in self._known["unfamiliar"]])
            session.set_unfamiliar(rows)
        count = counted(int(np.count_nonzero(labels.class_ids)), "label")
        return FoundDoubts({kind: self._known[kind] for kind in kinds}, count)

    def _said_by_the_network(self, far: Sequence[ImageKey], labels: _Labels) -> FoundDoubts:
        """The images among these that nobody has decided about yet."""
        session, rows = self._controller.session, labels.listing.rows(list(far))
        if session.listing is labels.listing:
            session.set_unfamiliar(rows[rows >= 0])
        is_open = (labels.class_ids == 0) & ~labels.passed
        shown = zip(far, rows.tolist(), strict=True)
        doubts = tuple(Doubt(key, 0) for key, row in shown if row >= 0 and is_open[row])
        return FoundDoubts({"unfamiliar": doubts}, printable(session.model))

    async def _labels(self) -> _Labels:
        session = self._controller.session
        kept = await self._controller.store_thread.read(_kept) or {}
        class_ids, skipped, active = session.label_arrays()
        flagged = np.zeros(len(class_ids), np.bool_)
        flagged[session.rows_of(Filter("flagged"))] = True
        return _Labels(
            session.listing,
            np.where(active[class_ids], class_ids, 0).astype(np.int32),
            skipped | flagged,
            {issue: _marked(session.listing, kept.get(issue, set())) for issue in _ISSUES},
        )

    def _forget_others(self, labels: _Labels, features: int) -> None:
        """Forget what was found with other labels or features."""
        if self._known_of is None or self._known_of[1] != features or not self._known_of[0].is_same(labels):
            self._known, self._known_of = {}, (labels, features)


def ask_for_features(controller: LabelController) -> str:
    """Have a network look at the images; returns a sentence about that."""
    live = controller.live
    if live.failure:
        return live.failure
    if not live.is_on:
        return "A network has to look at the images first: the command Live suggestions begins that."
    live.needs_features()
    return "A network has to look at the images first; it is at work in the background."


def _kept(store: LabelStore) -> dict[IssueKind, set[ImageKey]]:
    return {issue: store.kept(issue) for issue in _ISSUES}


def _marked(listing: Listing, keys: set[ImageKey]) -> NDArray[np.bool_]:
    rows, marked = listing.rows(list(keys)), np.zeros(len(listing), np.bool_)
    marked[rows[rows >= 0]] = True
    return marked


# In the thread


def _find(learner: "LiveLearner", kind: Doubted, labels: _Labels) -> tuple[Doubt, ...]:
    places = learner.places[: len(labels.class_ids)]
    owners = np.full(len(learner.suggester), -1, np.int32)  # the image of each row of the features
    has = np.flatnonzero(places >= 0)
    owners[places[has]] = has
    rows = np.flatnonzero((labels.class_ids[: len(places)] > 0) & (places >= 0)).astype(np.int32)
    if len(np.unique(labels.class_ids[rows])) < _LEAST_CLASSES:
        return ()
    found = _Found(learner, labels, places, owners, places[rows], labels.class_ids[rows])
    return {
        "label": found.labels_that_look_wrong, "duplicate": found.duplicates, "outlier": found.outliers,
        "unfamiliar": found.unfamiliar,
    }[kind]()  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Found:
    """Finds each kind of doubt.

    Attributes:
        learner: Of the live suggestions.
        labels: Of all images.
        places: For each image its row in the features, -1 for none.
        owners: For each row of the features its image, -1 for none.
        labelled: Rows in the features of the labelled images.
        class_ids: Their classes.
    """

    learner: "LiveLearner"
    labels: _Labels
    places: Rows
    owners: Rows
    labelled: Rows
    class_ids: Rows

    def labels_that_look_wrong(self) -> tuple[Doubt, ...]:
        suggester = self.learner.suggester
        issues = label_issues(suggester.points, self.labelled, self.class_ids, suggester.groups)
        columns = (
            self.owners[issues.rows],
            issues.suggested,
            issues.probabilities,
            issues.said_probabilities,
        )
        some = zip(*(column[: issues.doubtful].tolist() for column in columns), strict=True)
        kept = self.labels.kept["label"]
        return tuple(self._doubt(row, *what) for row, *what in some if not kept[row])

    def duplicates(self) -> tuple[Doubt, ...]:
        contents = np.unique(self.learner.contents, return_inverse=True)[1].astype(np.int32)
        pairs = different_duplicates(self._vectors, self.labelled, self.class_ids, contents)
        kept, said, key = self.labels.kept["duplicate"], self.labels.class_ids, self.labels.listing.key
        doubts: dict[int, Doubt] = {}
        for one, other in zip(
            self.owners[pairs.first].tolist(), self.owners[pairs.second].tolist(), strict=True
        ):
            # An image of several pairs has them one after the other.
            if one not in doubts and other not in doubts and not (kept[one] and kept[other]):
                doubts[one] = Doubt(key(one), int(said[one]), int(said[other]), twin=key(other))
                doubts[other] = Doubt(key(other), int(said[other]), int(said[one]), twin=key(one))
        return tuple(doubts.values())

    def outliers(self) -> tuple[Doubt, ...]:
        far = self.owners[outliers(self._vectors, self.labelled, self.learner.suggester.groups)[0]].tolist()
        return tuple(self._doubt(row) for row in far if not self.labels.kept["outlier"][row])

    def unfamiliar(self) -> tuple[Doubt, ...]:
        found = unfamiliarity(self._vectors, self.labelled, self.learner.suggester.groups)
        if found is None:
            return ()
        count = len(self.places)
        is_open = (self.labels.class_ids[:count] == 0) & ~self.labels.passed[:count] & (self.places >= 0)
        among = np.zeros(len(self.owners), np.bool_)
        among[self.places[is_open]] = True
        return tuple(self._doubt(row) for row in self.owners[found.rows(among)].tolist())

    @property
    def _vectors(self) -> Directions:
        return directions(self.learner.suggester.points)

    def _doubt(
        self, row: int, suggested: int = 0, probability: float | None = None, said: float | None = None
    ) -> Doubt:
        labels = self.labels
        return Doubt(labels.listing.key(row), int(labels.class_ids[row]), suggested, probability, said)
