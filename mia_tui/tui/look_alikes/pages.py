"""One page of look-alikes after the other: which comes next, which were taken or passed, what it has cost so far."""

import asyncio
import time
from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np

from mia_tui.dataset.listing.listing import Rows
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import Applied, RowState
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.look_alikes.audit_offer import AuditOffer
from mia_tui.tui.look_alikes.page import MOST, LookAlikePage
from mia_tui.tui.look_alikes.sources import LearnedHead, PageSource

_SOON_S = 0.04
"""A page that takes longer comes too late; then the one that was prepared is shown."""

_PASSED_FOR = 3  # pages that are taken before the class of a passed one comes by itself again


class _TakenPage(NamedTuple):
    """A page, and the images of it that were labelled."""

    page: LookAlikePage
    labelled: set[ImageKey]


class Pages:
    """The pages of an open dataset; kept while it is open.

    Args:
        controller: The dataset.
        head: What is learned while labelling.

    Attributes:
        head: As given.
        page: What is shown; None if nothing is left.
        ahead: Images that are likely on the next page.
        most: Images that the person wants on a page.
        class_id: The class that the person chose; None: the one of which most can be taken at once.
        keys: Keys and clicks so far.
        labelled: Images that these have labelled, without those that were undone.
        of_class: How many images are left that are suggested to be of the class of the page, its own among them; 0
            as long as they were not counted.
        audit_offer: Says when their labels are to be audited.
    """

    def __init__(self, controller: LabelController, head: LearnedHead) -> None:
        self._controller, self._session, self.head = controller, controller.session, head
        self.page: LookAlikePage | None = None
        self.ahead: tuple[ImageKey, ...] = ()
        self.most = MOST
        self.class_id: int | None = None
        self.keys = self.labelled = 0
        self.of_class = 0
        self.audit_offer = AuditOffer(controller)
        self._source: PageSource | None = None
        self._before: list[tuple[PageSource, LookAlikePage | None, int | None]] = []  # to go back to
        self._taken: list[_TakenPage] = []
        self._undone: list[_TakenPage] = []
        self._passed: list[LookAlikePage] = []
        self._passed_classes: dict[int, int] = {}  # how many pages had been taken then
        self._set_aside: set[ImageKey] = set()  # were left out or passed
        self._prepared: tuple[LookAlikePage, LookAlikePage] | None = None  # a page, and the one behind it
        self._made_s = 0.0  # how long the last page took, with what had to be learned for it

    async def try_source(self, source: PageSource, *, beside: bool = False) -> bool:
        """Take pages from here from now on, if there is one.

        Args:
            source: Makes the pages.
            beside: Whether `end_beside` leads back to the page of before.
        """
        page = await self._made(source, MOST, None)
        if page is None:
            return False
        if beside and self._source is not None:
            self._before.append((self._source, self.page, self.class_id))
        else:
            self._before.clear()
            self._forget_passed()
        self._source, self.page, self.class_id = source, page, None
        return True

    def end_beside(self) -> bool:
        """Go back to the page before `try_source` with `beside`; False if there is none."""
        if not self._before:
            return False
        self._source, self.page, self.class_id = self._before.pop()
        return True

    def choose_class(self, class_id: int | None) -> None:
        """Show pages of one class from now on; None: of the one of which most can be taken at once."""
        self.class_id = class_id
        self._passed_classes.clear()

    def suggested(self) -> dict[int, int]:
        """How many images without a label are suggested to be of each class, without those of none."""
        return {} if self._source is None else self._source.suggested(self._rows())

    def count_left(self) -> None:
        """Count the look-alikes that are left of the class of the page."""
        page = self.page
        self.of_class = 0 if page is None or page.like is not None else self.suggested().get(page.class_id, 0)

    async def show_next(self, count: int) -> None:
        """Show the next page, of at most so many images.

        It comes from the newest labels if these are learned within `_SOON_S`; else, and at once if the last ones were
        not, it is what was prepared.
        """
        if self._source is None:
            return
        behind = None if self._prepared is None or self._prepared[0] is not self.page else self._prepared[1]
        if behind is not None and self._is_stale(behind):
            behind = None
        if behind is not None and self._made_s >= _SOON_S:
            self.page = behind
            return
        making = asyncio.ensure_future(self._made(self._source, count, self.class_id))
        if behind is not None:
            await asyncio.wait((making,), timeout=_SOON_S)
            if not making.done():
                making.cancel()
                self._made_s, self.page = _SOON_S, behind
                return
        self.page = await making

    async def look_ahead(self, count: int) -> None:
        """Find out which page is likely the one behind the one that is shown."""
        shown, source = self.page, self._source
        if shown is None or source is None:
            self.ahead = ()
            return
        begun_at = time.monotonic()
        try:
            after = await self._made(source, count, self.class_id, without=set(shown.keys))
        except (
            DataError
        ):  # nothing is learned any more: the dataset is being closed, or its features are gone
            after = None
        self._made_s = time.monotonic() - begun_at
        if self.page is shown:
            self.ahead = () if after is None else after.keys
            self._prepared = None if after is None else (shown, after)

    async def take(self) -> int:
        """Write the labels of the page, as one step. Images without a class are not shown again by themselves.

        Returns:
            How many images were labelled.

        Raises:
            StoreError: If they cannot be written; nothing changed.
        """
        page = self.page
        assert page is not None
        taken, corrected = page.labels(leave_out=self.left_out(page))
        count, changed = len(taken) + len(corrected), 0
        if count:
            changed = await self._write(page.class_id, taken, corrected)
            self._taken.append(_TakenPage(page, {*taken, *(key for key, _ in corrected)}))
            self._undone.clear()
            self.labelled += changed
        now = time.monotonic()
        for _ in range(changed):
            self._session.speed.add_label(now)
        self._set_aside |= set(page.keys) - set(taken) - {key for key, _ in corrected}
        return changed

    async def _write(
        self, class_id: int, taken: Sequence[ImageKey], corrected: Sequence[tuple[ImageKey, int]]
    ) -> int:
        controller, leases = self._controller, self._controller.leases
        what = f"a page of {len(taken) + len(corrected):,}"

        def job(store: LabelStore) -> int:
            return _write_page(store, class_id, taken, corrected)

        if not leases.are_needed:
            leases.worked()
            return await controller.write(job, what)
        leases.page = self.ahead
        keys = [*taken, *(key for key, _ in corrected)]
        changed, others = await controller.write(leases.with_label(job, keys), what)
        leases.learn(others)
        return changed

    async def hold(self) -> None:
        """Tell others at work that the images of the page are looked at here; `release` ends that."""
        self._controller.leases.page = () if self.page is None else self.page.keys
        await self._controller.leases.hold()

    def release(self) -> None:
        """The page is not looked at any more."""
        self._controller.leases.page = ()

    def pass_on(self) -> None:
        """Leave the page as it is: its images wait, and its class, until some pages of other classes are taken."""
        if self.page is None:
            return
        self._passed.append(self.page)
        self._passed_classes[self.page.class_id] = len(self._taken)
        self._set_aside |= set(self.page.keys)

    def pass_back(self) -> bool:
        """Show the page again that was passed last; False if there is none."""
        if not self._passed:
            return False
        self.page = self._passed.pop()
        self._passed_classes.pop(self.page.class_id, None)
        self._set_aside -= set(self.page.keys)
        return True

    def undone(self, applied: Applied) -> bool:
        """Show the page again whose labels were undone; False if these were others."""
        page = self._moved(applied, self._taken, self._undone)
        if page is None:
            return False
        self._set_aside -= set(page.keys)
        self.labelled -= len(applied.rows)
        self.page = page
        return True

    def redone(self, applied: Applied) -> bool:
        """Whether the labels of a page were written again, which counts as taking it."""
        if self._moved(applied, self._undone, self._taken) is None:
            return False
        self.labelled += len(applied.rows)
        return True

    def _moved(
        self, applied: Applied, source: list[_TakenPage], target: list[_TakenPage]
    ) -> LookAlikePage | None:
        """The last page of a list, which goes to the other one, if these are its labels."""
        keys = set(self._session.listing.keys(applied.rows))
        if not source or not keys or source[-1].labelled != keys:
            return None
        target.append(source.pop())
        return target[-1].page

    def left_out(self, page: LookAlikePage) -> set[int]:
        """Positions of images that get no label whatever the page says."""
        return {position for position, key in enumerate(page.keys) if self.why_left_out(key)}

    def why_left_out(self, key: ImageKey) -> str:
        """Why an image gets no label from a page, in a word or two; empty if it may get one."""
        session = self._session
        row = session.listing.row(key)
        state = None if row is None else session.state_of(row)
        if row is None or state is None or state.missing:
            return "gone"
        if state.problem is not None:
            return "unreadable"
        if state.image_class is not None:
            return "labelled"
        if session.has_leased and session.leased[row]:
            return "somebody else's"
        return "flagged" if state.flagged else "skipped" if state.skipped else ""

    def state_of(self, key: ImageKey) -> RowState | None:
        """What is known of an image; None if it is not in the dataset any more."""
        row = self._session.listing.row(key)
        return None if row is None else self._session.state_of(row)

    @property
    def waiting(self) -> int:
        """Images that were left out or passed, and have no label yet."""
        return sum(not self.why_left_out(key) for key in self._set_aside)

    def see_all_again(self) -> None:
        """Images that were left out or passed may be on pages again."""
        self._set_aside.clear()
        self._forget_passed()

    def _forget_passed(self) -> None:
        self._passed_classes.clear()
        self._passed.clear()

    def _is_stale(self, page: LookAlikePage) -> bool:
        """Whether a page that was prepared is not to be shown any more."""
        is_other = self.class_id not in (None, page.class_id) or page.class_id in self._passed_now()
        return is_other or not self._set_aside.isdisjoint(page.keys) or bool(self.left_out(page))

    def _passed_now(self) -> set[int]:
        """Classes that do not come by themselves now."""
        if self.class_id is not None:
            return set()
        taken = len(self._taken)
        return {class_id for class_id, then in self._passed_classes.items() if taken < then + _PASSED_FOR}

    def _rows(self, without: Set[ImageKey] = frozenset()) -> Rows:
        """The images that may be on a page."""
        session = self._session
        may = session.open_rows()
        aside = session.listing.rows([*self._set_aside, *without])
        may[aside[aside >= 0]] = False
        return np.flatnonzero(may).astype(np.int32)

    async def _made(
        self, source: PageSource, count: int, class_id: int | None, without: Set[ImageKey] = frozenset()
    ) -> LookAlikePage | None:
        rows, passed, count = self._rows(without), self._passed_now(), min(count, MOST)
        page = await source.page(rows, count, class_id, passed)
        if page is None and passed:
            page = await source.page(rows, count, class_id, set())
        return page


def _write_page(
    store: LabelStore, class_id: int, taken: Sequence[ImageKey], corrected: Sequence[tuple[ImageKey, int]]
) -> int:
    """Label the images of a page in one step; returns how many changed."""
    with store.transaction():
        changed = store.set_labels(((key, class_id) for key in taken), source="page")
        return changed + store.set_labels(corrected, source="person")
