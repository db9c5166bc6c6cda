"""Where pages of look-alikes come from: what is learned while labelling, the suggestions of a run, or one image.

A source gets the rows of the list that may be on a page, and returns a page of them with all classes that each image
may have. What takes long runs in a thread.
"""

import asyncio
from collections.abc import Callable, Iterable, Set
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.pages import next_page
from mia_tui.active.suggester import Learned, Rows, Suggester
from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession
from mia_tui.runs.prediction.probabilities import ProbabilityFile
from mia_tui.text import printable
from mia_tui.tui.look_alikes.page import Guess, LookAlike, LookAlikePage, ranked

if TYPE_CHECKING:
    from mia_tui.runs.prediction.suggestions import SuggestionSet

Value = TypeVar("Value")

_UNKNOWN = np.float32(0.5)  # what a suggestion without a probability counts for


class LearnedHead(Protocol):
    """What is learned from the labels of an open dataset, anew after each of them."""

    @property
    def learned(self) -> Learned | None:
        """The newest; None before there are labels of two classes, and features."""

    @property
    def places(self) -> Rows:
        """For each row of the list its row in the features, -1 for none; rows behind the end have none."""

    async def ask(self, work: Callable[[Suggester], Value]) -> Value:
        """Do something with the suggester in its thread."""

    async def catch_up(self) -> str:
        """Wait until the newest labels are learned, if there are labels of two classes.

        Returns:
            Without features, a sentence that says so; they are begun to be made. Else nothing.
        """


class PageSource(Protocol):
    """Makes pages.

    Attributes:
        model: Whose suggestions these are, to be said; empty where that is clear.
    """

    model: str

    async def what_is_missing(self) -> str:
        """A sentence that says why there can be no pages yet; empty if there can be some."""

    def suggested(self, rows: Rows) -> dict[int, int]:
        """How many of some images are suggested to be of each class, without those of none."""

    async def page(
        self, rows: Rows, count: int, class_id: int | None, passed: Set[int]
    ) -> LookAlikePage | None:
        """The next page, of the newest suggestions.

        Args:
            rows: Of the list: the images that may be on it.
            count: Images on it, at most.
            class_id: Of the page; None for the class of which most can be taken at once.
            passed: Classes that it must not be of.

        Returns:
            None if no image is left for one.
        """


class LearnedPages:
    """Pages of what is learned while labelling.

    Args:
        head: What is learned.
        session: The images.
    """

    model = ""

    def __init__(self, head: LearnedHead, session: LabelSession) -> None:
        self._head, self._session = head, session

    async def what_is_missing(self) -> str:
        why = await self._head.catch_up()
        if why or self._head.learned is not None:
            return why
        if sum(count > 0 for count in self._session.counts.by_class.values()) > 1:
            return "The images with labels have not been looked at by the network yet; try again in a moment."
        return "Look-alikes are suggested once images of two classes have labels: label some of each first."

    def suggested(self, rows: Rows) -> dict[int, int]:
        learned = self._head.learned
        if learned is None:
            return {}
        owners = owners_of(self._head.places, rows, len(learned.best))
        return _counts(learned.classes[learned.best[owners >= 0]], self._session)

    async def page(
        self, rows: Rows, count: int, class_id: int | None, passed: Set[int]
    ) -> LookAlikePage | None:
        await self._head.catch_up()
        learned, listing = self._head.learned, self._session.listing
        if learned is None:
            return None
        known = learned.classes.tolist()
        never = set(known) - set(_active(known, self._session)) | passed
        if class_id is not None and (class_id in never or class_id not in known):
            return None
        owners = owners_of(self._head.places, rows, len(learned.best))
        among = (owners >= 0) & ~np.isin(learned.classes[learned.best], list(never))
        found = await self._head.ask(lambda _: next_page(learned, among, count, class_id))
        if found is None:
            return None
        others = [image_class.id for image_class in self._session.classes]
        shares = learned.probabilities(found.rows)
        images = [
            LookAlike(listing.key(int(owners[row])), ranked(found.class_id, guesses, others))
            for row, guesses in zip(
                found.rows.tolist(), _guesses(learned, shares, self._session), strict=True
            )
        ]
        return LookAlikePage(found.class_id, images)


class Neighbours:
    """Pages of the images that are most like one of them, nearest first.

    Args:
        key: The image; it is on the first page itself as long as it has no label.
        class_id: The class that all of them get, unless the person chooses another one.
        head: What is learned; its features tell what is alike.
        session: The images.
    """

    model = ""

    def __init__(self, key: ImageKey, class_id: int, head: LearnedHead, session: LabelSession) -> None:
        self._key, self._class_id, self._head, self._session = key, class_id, head, session

    async def what_is_missing(self) -> str:
        why, row = await self._head.catch_up(), self._session.listing.row(self._key)
        if not why and (row is None or row >= len(self._head.places) or self._head.places[row] < 0):
            why = f"{printable(self._key.path)} has not been looked at by the network yet; try again soon."
        return why

    def suggested(self, rows: Rows) -> dict[int, int]:
        return {image_class.id: len(rows) for image_class in self._session.classes if len(rows)}

    async def page(
        self, rows: Rows, count: int, class_id: int | None, passed: Set[int]
    ) -> LookAlikePage | None:
        await self._head.catch_up()
        listing, places, learned = self._session.listing, self._head.places, self._head.learned
        row, wanted = listing.row(self._key), self._class_id if class_id is None else class_id
        if row is None or row >= len(places) or places[row] < 0:
            return None
        place = int(places[row])
        owners, found = await self._head.ask(
            partial(_nearest, places=places, rows=rows, row=place, count=count)
        )
        if row in rows:
            found = np.concatenate([np.array([place], np.int32), found])[:count]
            owners[place] = row
        if not len(found):
            return None
        others = [image_class.id for image_class in self._session.classes]
        known: Iterable[list[Guess]] = [[]] * len(found)
        if learned is not None and int(found.max()) < len(learned.best):
            known = _guesses(learned, learned.probabilities(found), self._session)
        images = [
            LookAlike(listing.key(int(owners[at])), ranked(wanted, guesses, others))
            for at, guesses in zip(found.tolist(), known, strict=True)
        ]
        return LookAlikePage(wanted, images, self._key)


class SuggestedPages:
    """Pages of the suggestions of a run that are shown; the other classes are known where it has kept them.

    Args:
        shown: The suggestions.
        session: The images, with these suggestions.
    """

    def __init__(self, shown: "SuggestionSet", session: LabelSession) -> None:
        self.model = shown.model
        self._session, self._probabilities = session, ProbabilityFile(shown.run)

    async def what_is_missing(self) -> str:
        return ""

    def suggested(self, rows: Rows) -> dict[int, int]:
        return _counts(self._session.suggested()[0][rows], self._session)

    async def page(
        self, rows: Rows, count: int, class_id: int | None, passed: Set[int]
    ) -> LookAlikePage | None:
        listing, session = self._session.listing, self._session
        ids, confidences = session.suggested()
        ids, confidences = ids[rows], confidences[rows]
        wanted = [one for one in _counts(ids, session) if class_id in (None, one) and one not in passed]
        found = await asyncio.to_thread(_surest, ids, confidences, wanted, count)
        if found is None:
            return None
        chosen, at = found
        keys = [listing.key(row) for row in rows[at].tolist()]
        places = (rows[at] / max(1, len(listing))).tolist()
        said = await asyncio.to_thread(self._said, keys, places)
        images = []
        for key, guesses, confidence in zip(keys, said, confidences[at].tolist(), strict=True):
            best = Guess(chosen, None if np.isnan(confidence) else confidence)
            images.append(LookAlike(key, ranked(chosen, guesses or [best])))
        return LookAlikePage(chosen, images)

    def _said(self, keys: list[ImageKey], places: list[float]) -> list[list[Guess]]:  # in a thread
        """What the run says of images, as far as it has kept that."""
        if not self._probabilities.run.probabilities.exists():
            return [[] for _ in keys]
        found = []
        for key, place in zip(keys, places, strict=True):
            known = self._probabilities.known(key) or self._probabilities.find(key, place)
            pairs = () if known is None else zip(known.classes, known.probabilities, strict=True)
            guesses = [(self._session.class_named(class_name(name)), share) for name, share in pairs]
            found.append(
                [Guess(one.id, share) for one, share in guesses if one is not None and not one.archived]
            )
        return found


def owners_of(places: Rows, rows: Rows, features: int) -> Rows:
    """For each row of the features the row of the list it belongs to, of some rows; -1 for none, int32.

    Args:
        places: For each row of the list its row in the features, -1 for none.
        rows: Of the list.
        features: How many rows the features have.
    """
    owners = np.full(features, -1, np.int32)
    rows = rows[rows < len(places)]
    at = places[rows]
    has = (at >= 0) & (at < features)
    owners[at[has]] = rows[has]
    return owners


def _nearest(suggester: Suggester, places: Rows, rows: Rows, row: int, count: int) -> tuple[Rows, Rows]:
    owners = owners_of(places, rows, len(suggester))
    return owners, suggester.neighbours(row, owners >= 0, count)


def _guesses(learned: Learned, shares: NDArray[np.float32], session: LabelSession) -> list[list[Guess]]:
    active = set(_active(learned.classes.tolist(), session))
    ids = learned.classes.tolist()
    return [
        [Guess(class_id, share) for class_id, share in zip(ids, of_image, strict=True) if class_id in active]
        for of_image in shares.tolist()
    ]


def _active(ids: Iterable[int], session: LabelSession) -> list[int]:
    active = {image_class.id for image_class in session.classes}
    return [class_id for class_id in ids if class_id in active]


def _counts(class_ids: Rows, session: LabelSession) -> dict[int, int]:
    """How often each active class is among some."""
    found, counts = np.unique(class_ids, return_counts=True)
    by_class = dict(zip(found.tolist(), counts.tolist(), strict=True))
    return {class_id: by_class[class_id] for class_id in _active(by_class, session)}


def _surest(
    ids: Rows, confidences: NDArray[np.float32], classes: list[int], count: int
) -> tuple[int, NDArray[np.intp]] | None:
    """The class of which most can be taken at once, and where its images are, the surest first."""
    sure = np.where(np.isnan(confidences), _UNKNOWN, confidences)
    best: tuple[float, int, NDArray[np.intp]] | None = None
    for class_id in classes:
        at = np.flatnonzero(ids == class_id)
        at = at[np.argsort(-sure[at], kind="stable")[:count]]
        worth = float(sure[at].sum())
        if len(at) and (best is None or worth > best[0]):
            best = worth, class_id, at
    return None if best is None else best[1:]
