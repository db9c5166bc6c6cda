"""What is learned from the labels of an open dataset: suggestions for its images, and the most useful of these.

Everything here runs in the thread of `learner_thread`. Rows are those of the list of images; the rows of the features
have another order, and an image may have none yet. `Learning.places` leads from the former to the latter.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.choice import next_images
from mia_tui.active.groups import content_numbers, group_numbers, join_copies
from mia_tui.active.pages import next_page
from mia_tui.active.suggester import Learned, Suggester
from mia_tui.dataset.listing.listing import Listing
from mia_tui.features.table import FeatureTable
from mia_tui.tui.live.label_state import LabelState
from mia_tui.tui.live.live_suggestions import AHEAD
from mia_tui.tui.live.network_in_use import SHIPPED_IN_USE, NetworkInUse
from mia_tui.tui.look_alikes.page import MOST

Rows = NDArray[np.int32]

_AT_ONCE = 8192  # features that are taken over before labels are learned again
_LEAST_CLASSES = 2


@dataclass(frozen=True, eq=False)
class Learning:
    """What was learned from a `LabelState`. Nothing in it changes, so any thread may read it.

    Attributes:
        state: The labels.
        learned: None before there are labels of two classes with features.
        places: For each row its row in the features, -1 for none, shape (images,).
        suggestions: For each row, 0 for nothing, else the position of the class in `learned.classes` from 1.
        confidences: Its probability, NaN where there is none.
        features: How many images have features.
        network: Whose features these are.
        next_rows: Rows of the most useful images, the best first; empty unless the state asks for them.
        page_presses: Expected for each image of the next page of look-alikes; 1 or more where there is no full page,
            or the state does not ask for it.
    """

    state: LabelState
    learned: Learned | None
    places: Rows
    suggestions: Rows
    confidences: NDArray[np.float32]
    features: int
    network: NetworkInUse = SHIPPED_IN_USE
    next_rows: list[int] = field(default_factory=list)
    page_presses: float = 1.0

    def probabilities(self, row: int) -> list[tuple[int, float]]:
        """Class ids with their probabilities for the image of a row, the most probable first; empty if unknown."""
        if self.learned is None or row >= len(self.places) or self.places[row] < 0:
            return []
        shares = self.learned.probabilities(self.places[row : row + 1])[0]
        order = np.argsort(-shares, kind="stable")
        return [(int(self.learned.classes[at]), float(shares[at])) for at in order]


class LiveLearner:
    """Learns from the labels again and again, while features are still being made.

    Args:
        table: The features.

    Attributes:
        network: Whose features these are, and why.
    """

    def __init__(self, table: FeatureTable) -> None:
        self.table = table
        self.network = SHIPPED_IN_USE
        self.suggester = Suggester(table.network.dims)
        self._listing: Listing | None = None  # the app's, to know it again
        self._images = Listing()  # our own: the app's may grow meanwhile
        self._group_by: str | None = None
        self._by_image: Rows = np.empty(0, np.int32)  # the group of each image
        self._has_grown = False  # images may have features now that had none
        self._places: Rows = np.empty(0, np.int32)

    def grow(self) -> bool:
        """Take over some of the features that were made since the last call; returns whether there were any."""
        self.table.refresh()
        before = len(self.suggester)
        if len(self.table) == before:
            return False
        features = self.table.rows(before, min(before + _AT_ONCE, len(self.table)))
        self.suggester.add(features)
        self._has_grown = True
        return True

    @property
    def places(self) -> Rows:
        """For each image as they were listed last its row in the features, -1 for none."""
        return self._places

    @property
    def contents(self) -> NDArray[np.uint64]:
        """For each row of the features a number, the same for files of the same content."""
        return content_numbers(self.table.digests[: len(self.suggester)])

    @property
    def is_behind(self) -> bool:
        """Whether more features are known than were taken over."""
        return len(self.table) > len(self.suggester)

    def learn(self, state: LabelState) -> Learning:
        """Learn from all labels of a moment."""
        self.find_images(state)
        places = self._places
        rows = np.flatnonzero(state.labelled[: len(places)] & (places >= 0))
        class_ids = state.class_ids[rows]
        learned = None
        if len(np.unique(class_ids)) >= _LEAST_CLASSES:
            audited = state.audited[(state.audited >= 0) & (state.audited < len(places))]
            learned = self.suggester.learn(places[rows], class_ids, places[audited])
        suggestions = np.zeros(len(places), np.int32)
        confidences = np.full(len(places), np.nan, np.float32)
        has = np.flatnonzero(places >= 0)
        if learned is not None:
            suggestions[has] = learned.best[places[has]] + 1
            confidences[has] = learned.confidences[places[has]]
        chosen = self._next_rows(state, learned) if state.chooses else []
        presses = self._page_presses(state, learned) if state.asks_for_pages else 1.0
        return Learning(
            state, learned, places, suggestions, confidences, len(has), self.network, chosen, presses
        )

    def find_images(self, state: LabelState) -> None:
        """Find the features of the images as they are listed at a moment."""
        is_same = self._listing is state.listing and len(self._images) == state.arrays.images
        is_same &= self._group_by == state.group_by
        if not is_same:
            self._listing, self._images = state.listing, Listing(state.arrays)
            self._group_by = state.group_by
            self._by_image = group_numbers(self._images, state.group_by)
        if not is_same or self._has_grown:
            self._has_grown = False
            places = self.table.places(self._images)
            self._places = np.where(places < len(self.suggester), places, np.int32(-1))
            self.suggester.set_groups(self._groups())
            if self.table.network.run:
                self.suggester.by_heart = self.table.by_heart[: len(self.suggester)]

    def among(self, rows: Rows) -> NDArray[np.bool_]:
        """Which rows of the features are those of some images; for the functions of `active`."""
        places = self._places[rows[rows < len(self._places)]]
        found = np.zeros(len(self.suggester), np.bool_)
        found[places[places >= 0]] = True
        return found

    def rows(self, features: Rows) -> list[int]:
        """The images that rows of the features belong to."""
        owners = np.full(len(self.suggester), -1, np.int32)
        has = np.flatnonzero(self._places >= 0)
        owners[self._places[has]] = has
        return [int(row) for row in owners[features] if row >= 0]

    def _groups(self) -> Rows:
        """Which rows of the features belong together; those of no image are groups of their own."""
        groups = np.arange(len(self.suggester), dtype=np.int32)
        has = np.flatnonzero(self._places >= 0)
        groups[self._places[has]] = self._by_image[has] + np.int32(len(groups))
        return join_copies(groups, content_numbers(self.table.digests[: len(groups)]))

    def _next_rows(self, state: LabelState, learned: Learned | None) -> list[int]:
        """The most useful ones but the image on screen, which is among them first, so that they differ from it."""
        chosen = self.rows(next_images(self.suggester, learned, self._left(state), AHEAD + 1))
        return [row for row in chosen if row != state.current][:AHEAD]

    def _page_presses(self, state: LabelState, learned: Learned | None) -> float:
        page = None if learned is None else next_page(learned, self._left(state), MOST)
        return 1.0 if page is None or len(page.rows) < MOST else page.presses

    def _left(self, state: LabelState) -> NDArray[np.bool_]:
        """Which rows of the features are those of images that are shown and left to label."""
        wanted = np.zeros(len(state.class_ids), np.bool_)
        wanted[state.shown] = True
        wanted &= ~state.labelled & ~state.skipped
        return self.among(np.flatnonzero(wanted).astype(np.int32))
