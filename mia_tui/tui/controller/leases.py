"""Working beside others: telling them which images come next here, and learning which ones come next there.

Whoever labels alone writes nothing of this. That somebody else is at work is seen by what they do: a label or a lease
of another program, for which labels.db is asked each second; or, when the dataset is opened, a label by somebody else
in the last minutes. From then on a handful of images ahead are leased, in the transaction of every few labels, and
before somebody goes to an unlabelled image that is not among them. The other side sees those leases a second later,
and does the same. Leases end with the app, and by themselves some minutes after the last label.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.review.leases import LEASE_S, Lease
from mia_tui.errors import StoreError
from mia_tui.text import counted, printable

if TYPE_CHECKING:
    from mia_tui.tui.controller.label_controller import LabelController

Value = TypeVar("Value")

AHEAD = 8
"""Images that are leased: so many others pass over where this person goes on."""

_SEARCHED = 512  # images of the list in which the next ones are looked for, since a key waits for it


class ImageLeases:
    """The leases of one open dataset, its own and those of others.

    Args:
        controller: The dataset.

    Attributes:
        upcoming: Rows that come next where that is not the next unlabelled one in the list; empty if it is.
        page: The images of a page that is looked at, which are leased instead; empty without one.
    """

    def __init__(self, controller: "LabelController") -> None:
        self._controller, self._session = controller, controller.session
        self.upcoming: Callable[[], Sequence[int]] = tuple
        self.page: tuple[ImageKey, ...] = ()
        self._holder = os.urandom(16).hex()
        self._others_at: float | None = None  # when somebody else was seen at work, `time.monotonic`
        self._worked_at: float | None = None  # when something was labelled here
        self._others: list[Lease] = []
        self._held: dict[ImageKey, float] = {}  # until when, `time.monotonic`
        self._announced: set[str] = set()
        self._is_possible = True

    @property
    def are_needed(self) -> bool:
        """Whether somebody else is at work, and labels are given here."""
        if self._others_at is None or not self._is_possible or self._session.is_second_look:
            return False
        return time.monotonic() - self._others_at < LEASE_S

    def saw_others(self) -> None:
        """Somebody else is at work."""
        self._others_at = time.monotonic()

    def worked(self) -> None:
        """Something was labelled here."""
        self._worked_at = time.monotonic()

    def due(self, keys: Sequence[ImageKey]) -> list[ImageKey]:
        """The images to lease when these are labelled; empty while enough of those that come next are held."""
        if not self.are_needed:
            return []
        labelled = set(keys[:_SEARCHED])  # of a whole dataset, these are enough
        wanted = [key for key in self._wanted() if key not in labelled]
        return [] if all(map(self._is_held, wanted[: AHEAD // 2])) else wanted

    def with_label(
        self, job: Callable[[LabelStore], Value], wanted: Sequence[ImageKey]
    ) -> Callable[[LabelStore], tuple[Value, list[Lease]]]:
        """A job that also leases images, all in one transaction."""

        def label_and_lease(store: LabelStore) -> tuple[Value, list[Lease]]:
            with store.transaction():
                value = job(store)
                return value, self._take(store, wanted)

        return label_and_lease

    async def hold(self) -> bool:
        """Lease the current image and those that come next, or a page, unless that is done.

        Returns False if somebody else has the current image, or the first one of the page.

        Where nothing can be written, nobody is kept from looking.
        """
        key = self.page[0] if self.page else self._session.current
        if key is None or not self.are_needed or self._is_held(key):
            return True
        try:
            others = await self._controller.write_silently(partial(self._take, wanted=self._wanted()))
        except StoreError:
            self._is_possible = False
            return True
        self.learn(others)
        return all(lease.image != key for lease in others)

    async def keep(self) -> None:
        """Renew the leases where somebody labels and others do, too; called each second."""
        is_at_work = self._worked_at is not None and time.monotonic() - self._worked_at < LEASE_S
        if is_at_work and not self._controller.store_thread.busy_since:
            await self.hold()

    def learn(self, leases: Sequence[Lease]) -> None:
        """These are all leases now."""
        now = time.time()
        others = [lease for lease in leases if lease.holder != self._holder and lease.until > now]
        if others:
            self.saw_others()
        if others or self._others:
            self._others = others
            self._session.set_leased([lease.image for lease in others])

    def news(self) -> list[str]:
        """Sentences about who else is at work, each once."""
        by_name: dict[str, int] = {}
        for lease in self._others:
            by_name[lease.annotator] = by_name.get(lease.annotator, 0) + 1
        new = [name for name in by_name if name not in self._announced]
        self._announced.update(new)
        return [
            f"{printable(name)}{' (in another window)' if name == self._controller.annotator else ''} is labelling "
            f"{counted(by_name[name], 'image')} here; you are led to other ones."
            for name in new
        ]

    def _take(self, store: LabelStore, wanted: Sequence[ImageKey]) -> list[Lease]:  # in the store thread
        others = store.take_leases(wanted, self._holder)
        self._controller.store_thread.holder = self._holder
        until, left = time.monotonic() + LEASE_S / 2, {lease.image for lease in others}
        self._held = {key: until for key in wanted if key not in left}
        return others

    def _is_held(self, key: ImageKey) -> bool:
        return self._held.get(key, 0.0) > time.monotonic()

    def _wanted(self) -> list[ImageKey]:
        """The current image and those that come next, or those of a page."""
        if self.page:
            return list(self.page)
        session = self._session
        current = [] if session.current_row is None else [session.current_row]
        ahead = [row for row in self.upcoming() if session.state_of(row).image_class is None]
        if not ahead:
            ahead = session.unlabelled_after(AHEAD, _SEARCHED)
        return session.listing.keys(np.array([*current, *ahead[:AHEAD]], np.int32))
