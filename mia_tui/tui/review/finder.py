"""Finds what is doubtful in a dataset: labels that look wrong, near-duplicates with different labels, outliers, and
images unlike all classes. Computed in the thread of the live suggestions, from the features and the labels of now.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.directions import directions
from mia_tui.active.duplicates import different_duplicates
from mia_tui.active.label_issues import label_issues
from mia_tui.active.unfamiliar import outliers, unfamiliarity
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.review.records import IssueKind
from mia_tui.errors import DataError
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.review.queue import TITLES, Doubt, Doubted

if TYPE_CHECKING:
    from mia_tui.tui.live.learner import Learner

Rows = NDArray[np.int32]

_ISSUES: tuple[IssueKind, ...] = ("label", "duplicate", "outlier")
_LEAST_CLASSES = 2


@dataclass(frozen=True)
class FoundDoubts:
    """What is doubtful now.

    Attributes:
        doubts: By kind, the most doubtful first; all kinds unless `why_not` says something.
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
        class_ids: 0 without a label of an active class.
        passed: Images that were skipped or flagged.
        kept: By issue, whether a person left it as it is.
    """

    class_ids: Rows
    passed: NDArray[np.bool_]
    kept: Mapping[IssueKind, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class _DoubtfulRows:
    """What was found, by row of the listing.

    Attributes:
        labels: Row, suggested class, its probability, that of the label.
        pairs: Two rows.
        outliers: Rows.
        unfamiliar: Rows.
        count: How many labelled images that was told from.
    """

    labels: list[tuple[int, int, float, float]]
    pairs: list[tuple[int, int]]
    outliers: list[int]
    unfamiliar: list[int]
    count: int


class DoubtFinder:
    """Finds what is doubtful.

    Args:
        controller: The dataset.
    """

    def __init__(self, controller: LabelController) -> None:
        self._controller = controller

    async def find(self) -> FoundDoubts:
        """What is doubtful now, without what a person kept as it is.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        session = self._controller.session
        listing = session.listing
        kept = await self._controller.store_thread.read(_kept) or {}
        class_ids, skipped, active = session.label_arrays()
        flagged = np.zeros(len(class_ids), np.bool_)
        flagged[session.rows_of(Filter("flagged"))] = True
        labels = _Labels(
            np.where(active[class_ids], class_ids, 0).astype(np.int32),
            skipped | flagged,
            {issue: _marked(listing, kept.get(issue, set())) for issue in _ISSUES},
        )
        if len(np.unique(labels.class_ids[labels.class_ids > 0])) < _LEAST_CLASSES:
            return FoundDoubts(why_not="Images of two classes have to be labelled first.")
        try:
            found = await self._controller.live.ask(partial(_find, labels=labels))
        except DataError:
            return FoundDoubts(why_not=ask_for_features(self._controller))
        if session.listing is listing:
            session.set_unfamiliar(np.array(found.unfamiliar, np.int32))
        doubts = await asyncio.to_thread(_by_key, found, labels, listing)
        return FoundDoubts(doubts, counted(found.count, "label"))


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


def _find(learner: "Learner", labels: _Labels) -> _DoubtfulRows:  # in the thread
    suggester, places = learner.suggester, learner.places
    images = min(len(places), len(labels.class_ids))
    places = places[:images]
    owners = np.full(len(suggester), -1, np.int32)  # the image of each row of the features
    has = np.flatnonzero(places >= 0)
    owners[places[has]] = has
    is_labelled = (labels.class_ids[:images] > 0) & (places >= 0)
    rows = np.flatnonzero(is_labelled).astype(np.int32)
    labelled, class_ids, groups = places[rows], labels.class_ids[rows], suggester.groups
    if len(np.unique(class_ids)) < _LEAST_CLASSES:
        return _DoubtfulRows([], [], [], [], len(rows))
    issues = label_issues(suggester.points, labelled, class_ids, groups)
    vectors = directions(suggester.points)
    contents = np.unique(learner.contents, return_inverse=True)[1].astype(np.int32)
    pairs = different_duplicates(vectors, labelled, class_ids, contents)
    far = owners[outliers(vectors, labelled, groups)[0]]
    wanted = np.zeros(len(suggester), np.bool_)
    wanted[places[(places >= 0) & ~is_labelled & ~labels.passed[:images]]] = True
    strange = unfamiliarity(vectors, labelled, groups)
    doubtful = issues.doubtful
    columns = (owners[issues.rows], issues.suggested, issues.probabilities, issues.said_probabilities)
    kept = labels.kept
    return _DoubtfulRows(
        [
            (row, *what)
            for row, *what in zip(*(column[:doubtful].tolist() for column in columns), strict=True)
            if not kept["label"][row]
        ],
        [
            (one, other)
            for one, other in zip(owners[pairs.first].tolist(), owners[pairs.second].tolist(), strict=True)
            if not (kept["duplicate"][one] and kept["duplicate"][other])
        ],
        [row for row in far.tolist() if not kept["outlier"][row]],
        [] if strange is None else owners[strange.rows(wanted)].tolist(),
        len(rows),
    )


def _by_key(found: _DoubtfulRows, labels: _Labels, listing: Listing) -> dict[Doubted, tuple[Doubt, ...]]:
    said = labels.class_ids
    key = listing.key
    doubts: dict[Doubted, tuple[Doubt, ...]] = dict.fromkeys(TITLES, ())
    doubts["label"] = tuple(
        Doubt(key(row), int(said[row]), suggested, share, own) for row, suggested, share, own in found.labels
    )
    pairs: dict[int, Doubt] = {}
    for one, other in found.pairs:
        if one not in pairs and other not in pairs:  # an image of several pairs has them one after the other
            pairs[one] = Doubt(key(one), int(said[one]), int(said[other]), twin=key(other))
            pairs[other] = Doubt(key(other), int(said[other]), int(said[one]), twin=key(one))
    doubts["duplicate"] = tuple(pairs.values())
    doubts["outlier"] = tuple(Doubt(key(row), int(said[row])) for row in found.outliers)
    doubts["unfamiliar"] = tuple(Doubt(key(row), 0) for row in found.unfamiliar)
    return doubts
