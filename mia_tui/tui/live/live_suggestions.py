"""Suggestions that are learned while a person labels: the part that belongs to the event loop.

Nothing is opened or imported before labels of two classes are there, or somebody asks. From then on a thread learns
from the newest labels, and what it learned takes the place of the suggestions that are shown, if those are the live
ones. Where that gives the image on screen another suggestion after a person has had time to read it, a key that comes
at once is meant for what they saw: `has_just_changed`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mia_tui.config.user.kept import keep_network, kept_network
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.records import Change
from mia_tui.errors import DataError, MiaError, StoreError
from mia_tui.text import counted
from mia_tui.tui.later import later

if TYPE_CHECKING:
    from mia_tui.features.table import FeatureTable
    from mia_tui.tui.controller.label_controller import LabelController
    from mia_tui.tui.live.learner import Learning, LiveLearner
    from mia_tui.tui.live.learner_thread import LearnerThread
    from mia_tui.tui.live.network_in_use import NetworkInUse

Value = TypeVar("Value")

AHEAD = 3
"""Images that are chosen ahead, so that their pictures are ready."""

_LATEST_S = 0.06  # the next image is painted first; it may take long
_WRITTEN_S = 0.005  # from the paint until the terminal has it
_READ_S = 0.15  # so long an image is on screen before its suggestion counts as read
_REACTION_S = 0.3  # so long a key may still be meant for the suggestion of before
_LEAST_CLASSES = 2
_MOST_LOOKED_AT = 100  # changes: an answer of an audit comes alone


def open_features(dataset: Path) -> "FeatureTable | None":
    """The features of a dataset; None while there are none. For the thread."""
    from mia_tui.features.table import FeatureTable

    return FeatureTable.open(dataset)


def open_run_features(dataset: Path) -> "Callable[[], list[FeatureTable]]":
    """Finds the features of a dataset by networks of its runs, the newest run first. For the thread."""
    from mia_tui.tui.live.networks import RunTables

    return RunTables(dataset).newest_first


class LiveSuggestions:
    """What is learned from the labels of one dataset while it is open.

    Args:
        controller: The dataset.

    Attributes:
        is_on: Whether the person wants live suggestions.
        needs_features: Called when features are to be learned from, which may have to be made first.
        learning: What was learned last for the images as they are listed now; None before that.
        listeners: Called when something new was learned, or learning has failed.
        gone_listeners: Called when the features were removed, as to make room for those of others.
        failure: Why nothing is learned any more; empty if that is not so.
        passed: Rows that a next image is not chosen from, besides those with a label: they were looked at.
        chooses: Whether next images are chosen along with each learning.
        asks_for_pages: Whether it is to be found out along with it how many keys pages of look-alikes would take.
    """

    def __init__(self, controller: "LabelController") -> None:
        self._controller = controller
        self.is_on = False
        self.needs_features: Callable[[], object] = lambda: None
        self.learning: Learning | None = None
        self.listeners: list[Callable[[], None]] = []
        self.gone_listeners: list[Callable[[], None]] = []
        self.failure = ""
        self.passed: list[int] = []
        self.chooses = False
        self.asks_for_pages = True
        self._thread: LearnerThread | None = None
        self._is_due = False
        self._dont_send: Callable[[], None] = lambda: None
        self._may_open = False  # whether the first pictures are painted
        self._is_needed = False  # whether labels were given to learn from, since other images were listed
        self._audited: list[ImageKey] = []  # drawn at random, and labelled
        self._group_by: str | None = None  # as in `LabelState`
        self._reading: asyncio.Task[None] | None = None  # of these two
        self._is_stale = True  # the labels changed since they were handed to the thread
        self._on_screen: int | None = None  # row
        self._on_screen_since = 0.0
        self._suggestion_changed_at: float | None = None  # that of this image, after it was read

    # What happens

    def labels_changed(self, changes: Sequence[Change] = (), *, by_person: bool = False) -> None:
        """Labels or classes are others than before.

        Args:
            changes: What happened, oldest first; of many, the beginning is enough.
            by_person: Whether the person at this app did something.
        """
        self._is_stale = True
        if any(change.kind == "audit" for change in changes[:_MOST_LOOKED_AT]):
            self._read_anew()
        if by_person and self.is_on and self.has_two_classes:
            self._controller.suggestions.labels_given()
            if not self._is_needed:
                self._is_needed = True
                self.start()
                self.needs_features()
        self._open_if_wanted()
        self.relearn()

    def _read_anew(self) -> None:
        """Ask labels.db for answers of an audit, which alone say how sure suggestions are once there are enough, and
        for what the split keeps together."""
        if self._thread is not None:
            self._reading = asyncio.get_running_loop().create_task(self._read_store())

    async def _read_store(self) -> None:
        from mia_tui.dataset.split.assignment import stored_rule

        with suppress(StoreError):
            found = await self._controller.store_thread.read(
                lambda store: (store.audits(), stored_rule(store))
            )
            rows, rule = found or ([], None)
            self._audited = [row.image for row in rows if row.kind == "suggestion" and row.answer is not None]
            self._group_by = None if rule is None else rule.group_by
            self._is_stale = True
            self.relearn()

    def images_changed(self) -> None:
        """Other images are listed than before."""
        self.passed, self.learning, self._is_needed = [], None, False
        self.labels_changed()

    def relearn(self) -> None:
        """Learn again as soon as the keys that wait have been obeyed, if anybody wants to know."""
        if self._thread is not None and self._is_wanted and not self._is_due:
            self._is_due = True
            self._dont_send = later(_LATEST_S, self._send)

    def painted(self) -> None:
        """The image after a label is painted: now is the time to learn."""
        if self._is_due:
            self._dont_send()
            self._dont_send = later(_WRITTEN_S, self._send)

    def look_at(self, row: int | None) -> None:
        """This image is on screen now; None while something else is."""
        if row != self._on_screen:
            self._on_screen, self._on_screen_since = row, time.monotonic()
            self._suggestion_changed_at = None

    @property
    def has_just_changed(self) -> bool:
        """Whether the image on screen got another suggestion so lately that a key may be meant for the one before."""
        changed_at = self._suggestion_changed_at
        return changed_at is not None and time.monotonic() - changed_at < _REACTION_S

    @property
    def has_two_classes(self) -> bool:
        """Whether images of two classes are labelled."""
        return sum(count > 0 for count in self._controller.session.counts.by_class.values()) >= _LEAST_CLASSES

    @property
    def is_learning(self) -> bool:
        """Whether the features are watched, and labels learned once there are some."""
        return self._thread is not None

    @property
    def model(self) -> str:
        """What people call what was learned last; empty if that is nothing."""
        learned = None if self.learning is None else self.learning.learned
        if learned is None:
            return ""
        network = f" with {self.network.run}" if self.network.run else ""
        return (
            f"live, {'sample of' if learned.sampled else 'from'} {counted(learned.labels, 'label')}{network}"
        )

    @property
    def network(self) -> "NetworkInUse":
        """The network whose features were learned from last, and why it is that one."""
        from mia_tui.tui.live.network_in_use import SHIPPED_IN_USE

        return SHIPPED_IN_USE if self.learning is None else self.learning.network

    @property
    def chosen_network(self) -> str:
        """Id of the network that the person chose; empty to use the better one."""
        from mia_tui.features.layout import features_name

        return kept_network(features_name(self._controller.dataset))

    def choose_network(self, network_id: str) -> None:
        """Learn from the features of this network from now on; from those of the better one if it is empty."""
        from mia_tui.features.layout import features_name

        keep_network(features_name(self._controller.dataset), network_id)
        if self._thread is not None:
            self._thread.choose(network_id)

    def start(self) -> None:
        """Watch the features, and learn from labels once there are some; nothing happens if that has begun."""
        from mia_tui.features.layout import features_name
        from mia_tui.tui.live.learner_thread import LearnerThread

        if self._thread is None and not self.failure:
            dataset = self._controller.dataset
            self._thread = LearnerThread(
                lambda: open_features(dataset),
                run_tables=lambda: open_run_features(dataset),
                chosen=kept_network(features_name(dataset)),
                took=self._take,
                gone=self._lose,
                failed=self._fail,
            )
            self._read_anew()
            self.relearn()

    def open_again(self) -> None:
        """The first pictures are painted: learn from labels that are there already, if that is to be shown."""
        self._may_open = True
        self._open_if_wanted()

    def _open_if_wanted(self) -> None:
        if self._may_open and self.is_on and self._is_wanted and self.has_two_classes:
            self.start()

    def stop(self) -> None:
        """Learn no more, and forget what was learned."""
        if self._thread is not None:
            self._thread.end()
        self._thread, self.learning, self._is_stale = None, None, True

    async def ask(self, job: "Callable[[LiveLearner], Value]", *, untrained: bool = False) -> Value:
        """Do something with what is known of the images, in the thread, after the newest labels were learned.

        Args:
            job: What to do.
            untrained: Whether it is about labels, so that no network may tell it that was trained on some of them.

        Raises:
            DataError: If nobody has looked at the images yet.
        """
        self.start()
        if self._thread is None:
            raise DataError(self.failure)
        if self._is_stale:
            self._send()
        return await self._thread.ask(job, untrained=untrained)

    async def learn_now(self) -> None:
        """Learn from the newest labels, and wait for that.

        Raises:
            DataError: If nobody has looked at the images yet.
        """
        self._is_stale = True
        await self.ask(lambda learner: None)  # what was learned has been taken by then

    # To the thread and back

    @property
    def _is_wanted(self) -> bool:
        return self.chooses or self._controller.suggestions.wants_live

    def _send(self) -> None:
        self._dont_send()
        self._is_due = False
        if self._thread is None:
            return
        from mia_tui.tui.live.label_state import LabelState

        session = self._controller.session
        class_ids, skipped, active = session.label_arrays()
        shown = session.view
        if session.has_leased:
            shown = shown[~session.leased[shown]]
        passed = [row for row in self.passed if row != session.current_row]
        if passed:
            shown = shown[~np.isin(shown, np.array(passed, np.int32))]
        self._is_stale = False
        self._thread.learn(
            LabelState(
                session.listing, session.listing.arrays, class_ids, skipped, active,
                shown.copy(), session.current_row, session.listing.rows(self._audited),
                self._group_by, self.chooses,
                self.asks_for_pages,
            )
        )  # fmt: skip

    def _take(self, learning: "Learning") -> None:
        if self._thread is None or learning.state.listing is not self._controller.session.listing:
            return
        self.learning = learning
        if learning.learned is not None and self._controller.suggestions.wants_live:
            before = self._read_class
            self._controller.suggestions.show_live(learning, self.model)
            if before is not None and self._read_class != before:
                self._suggestion_changed_at = time.monotonic()
        for tell in self.listeners:
            tell()

    @property
    def _read_class(self) -> int | None:
        """Id of the class that is suggested for the image on screen, once a person has had time to read it."""
        row, session = self._on_screen, self._controller.session
        if row is None or row != session.current_row or time.monotonic() - self._on_screen_since < _READ_S:
            return None
        state = session.state_of(row)
        return None if state.suggestion is None or state.image_class is not None else state.suggestion.id

    def _lose(self) -> None:
        """The features were removed; the next label has them made again."""
        self._is_needed = False
        for tell in self.gone_listeners:
            tell()

    def _fail(self, error: MiaError) -> None:
        self.stop()
        self.failure = str(error)
        for tell in self.listeners:
            tell()
