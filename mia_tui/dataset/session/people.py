"""What several people said of the images of a session: the blind second pass, and disputes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.row_table import Rows, RowState, RowTable
from mia_tui.dataset.store.records import Change, Opinion
from mia_tui.dataset.store.review.ratings import is_disputed
from mia_tui.text import printable

Name = TypeVar("Name", str, ImageKey)


class SaidByPeople:
    """Opinions and decisions, as labels.db has them, and the second pass of the person who works here.

    Attributes:
        mine: The images that this person labels again, and the class they said; None before that.
    """

    def __init__(self) -> None:
        self.mine: dict[ImageKey, int | None] = {}
        self._opinions: dict[ImageKey, dict[str, int]] = {}
        self._decisions: dict[ImageKey, int] = {}

    def load(
        self, opinions: Mapping[ImageKey, Mapping[str, Opinion]], decisions: Mapping[ImageKey, Opinion]
    ) -> None:
        """Replace everything but the second pass."""
        self._opinions = {
            key: {who: one.class_id for who, one in said.items()} for key, said in opinions.items()
        }
        self._decisions = {key: one.class_id for key, one in decisions.items()}

    def apply(self, change: Change, annotator: str) -> None:
        """Apply a change of an opinion or a decision; `annotator` is the person who works here."""
        if change.image is None:
            return
        class_id = None if change.after is None else int(change.after["class_id"])
        if change.kind == "decision":
            _put(self._decisions, change.image, class_id)
            return
        who = (change.after or change.before)["annotator"]
        said = self._opinions.setdefault(change.image, {})
        _put(said, who, class_id)
        if not said:
            del self._opinions[change.image]
        if who == annotator and change.image in self.mine:
            self.mine[change.image] = class_id

    def move(self, old: ImageKey, new: ImageKey) -> None:
        """An image has another key."""
        tables: tuple[dict[ImageKey, Any], ...] = (self._opinions, self._decisions, self.mine)
        for values in tables:
            if old in values:
                values[new] = values.pop(old)

    def in_second_pass(self, listing: Listing, *, left: bool = False) -> NDArray[np.bool_]:
        """For each row, whether it is in this person's second pass; with `left`, only without an answer."""
        keys = [key for key, class_id in self.mine.items() if not left or class_id is None]
        return _mask(listing, listing.rows(keys))

    def disputed(self, listing: Listing, table: RowTable, classes: ClassList) -> NDArray[np.bool_]:
        """For each row, whether there is an open dispute about it."""
        keys = list(self._opinions)
        rows = listing.rows(keys)
        found = [
            row
            for key, row in zip(keys, rows.tolist(), strict=True)
            if row >= 0 and self._is_disputed(key, int(table.class_ids[row]), classes)
        ]
        return _mask(listing, np.array(found, np.int32))

    def _is_disputed(self, key: ImageKey, label: int, classes: ClassList) -> bool:
        named = [one for one in self._opinions[key].values() if classes.active_of(one) is not None]
        label = label if classes.active_of(label) is not None else 0
        return is_disputed(label, named, self._decisions.get(key))

    def as_blind(self, key: ImageKey, state: RowState, classes: ClassList) -> RowState:
        """What may be seen of an image in a blind pass: what this person said of it, and no other judgement."""
        said = classes.active_of(self.mine.get(key) or 0)
        return replace(
            state,
            image_class=said,
            source=None if said is None else "person",
            suggestion=None,
            confidence=None,
            compared=None,
            note=None,
        )

    def with_opinions(self, key: ImageKey, state: RowState, classes: ClassList) -> RowState:
        """The state of an image with who said what of it, instead of a suggestion."""
        named = [
            (printable(who), found.name)
            for who, class_id in sorted(self._opinions.get(key, {}).items())
            if (found := classes.active_of(class_id)) is not None
        ]
        return replace(
            state,
            suggestion=None,
            confidence=None,
            compared=None,
            said=tuple(named),
            is_decided=key in self._decisions,
        )

    @property
    def done(self) -> int:
        """How many images of the second pass this person has labelled again."""
        return sum(class_id is not None for class_id in self.mine.values())


def shuffled(shown: NDArray[np.bool_]) -> Rows:
    """The rows in an order that is always the same and says nothing of their classes, as that of folders would."""
    rows = np.flatnonzero(shown).astype(np.int32)
    return rows[np.random.default_rng(len(rows)).permutation(len(rows))]


def _mask(listing: Listing, rows: Rows) -> NDArray[np.bool_]:
    mask = np.zeros(len(listing), np.bool_)
    mask[rows[rows >= 0]] = True
    return mask


def _put(values: dict[Name, int], key: Name, value: int | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
