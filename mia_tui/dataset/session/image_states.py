"""The state of each image, listed or not: labels belong to keys, since rows come and go."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from math import nan

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import ListingArrays, paths_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.people import SaidByPeople
from mia_tui.dataset.session.row_table import (
    FLAGGED,
    NOTED,
    SKIPPED,
    ImageRecord,
    Rows,
    RowTable,
    source_code,
)
from mia_tui.dataset.session.suggested import ModelSuggestions, SuggestedClasses
from mia_tui.dataset.store.records import Label, Mark

_LOADED = 8192  # labels or marks at a time, within a frame or two


class ImageStates:
    """The states of the images of a listing, and of images that are not in it.

    The latter are used once their image is listed: their files may be missing, or not found yet.

    Attributes:
        table: By row of the listing.
        shown_model: Whose suggestions are shown.
        compared_model: Which model it is compared with.
        people: What several people said beside the labels.
        missing: How many labels belong to images that are not listed.
        unused: How many of these are of other frames of files that are listed, as of single frames where stacks are
            labelled as a whole.
    """

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.table = RowTable(len(listing))
        self.missing = self.unused = 0
        self.shown_model = SuggestedClasses()
        self.compared_model = SuggestedClasses()
        self.people = SaidByPeople()
        self._absent: dict[ImageKey, ImageRecord] = {}
        self._suggests_absent = False  # whether some of them may have a suggestion of the model shown

    def load_in_steps(
        self, labels: Mapping[ImageKey, Label], marks: Mapping[ImageKey, Mark]
    ) -> Iterator[None]:
        """Replace all labels and marks, as many at a time as fit into a frame."""
        self._clear_labels_and_marks()
        yield
        items = iter(labels.items())
        while part := list(islice(items, _LOADED)):
            class_ids = [label.class_id for _, label in part]
            self.set_labels(
                [key for key, _ in part], class_ids, [source_code(label.source) for _, label in part]
            )
            yield
        marked = iter(marks.items())
        while some := list(islice(marked, _LOADED)):
            keys = [key for key, _ in some]
            self.set_bits(keys, FLAGGED, [mark.flagged for _, mark in some])
            self.set_bits(keys, SKIPPED, [mark.skipped for _, mark in some])
            self.set_notes(keys, [mark.note for _, mark in some])
            yield

    def set_labels(self, keys: Sequence[ImageKey], class_ids: Sequence[int], sources: Sequence[int]) -> Rows:
        """Label images, each once; class 0 with source 0 removes labels. Returns the rows that are listed."""
        if len(keys) == 1:
            return self._set_label(keys[0], class_ids[0], sources[0])
        rows = self.listing.rows(keys)
        here = rows >= 0
        self.table.set_labels(
            rows[here], np.array(class_ids, np.int32)[here], np.array(sources, np.uint8)[here]
        )
        for at in np.flatnonzero(~here).tolist():
            self._label_absent(keys[at], class_ids[at], sources[at])
        return rows[here]

    def set_bits(self, keys: Sequence[ImageKey], bit: int, on: Sequence[bool]) -> Rows:
        """Set or clear FLAGGED or SKIPPED of images, each once. Returns the rows that are listed."""
        rows = self.listing.rows(keys)
        here = rows >= 0
        self.table.set_bits(rows[here], bit, np.array(on, np.bool_)[here])
        for at in np.flatnonzero(~here).tolist():
            self._change_absent(keys[at], partial(_set_bit, bit=bit, on=on[at]))
        return rows[here]

    def set_notes(self, keys: Sequence[ImageKey], notes: Sequence[str | None]) -> Rows:
        """Put notes on images, each once, or remove them. Returns the rows that are listed."""
        rows = self.listing.rows(keys)
        here = rows >= 0
        self.table.set_notes(rows[here], [notes[at] for at in np.flatnonzero(here).tolist()])
        for at in np.flatnonzero(~here).tolist():
            self._change_absent(keys[at], partial(_set_note, note=notes[at]))
        return rows[here]

    def move(self, old: ImageKey, new: ImageKey) -> list[int]:
        """Move label and marks to the new key of a moved file. Returns the rows concerned."""
        self.people.move(old, new)
        from_row, to_row = self.listing.row(old), self.listing.row(new)
        known = self._take_absent(old) if from_row is None else self.table.take(from_row)
        if to_row is None:
            self._put_absent(new, known)
        else:
            self.table.put(to_row, known)
        return [row for row in (from_row, to_row) if row is not None]

    def set_suggestions(self, found: ModelSuggestions, rows: Rows) -> None:
        """Replace what the model shown suggests.

        Args:
            found: What another model suggests.
            rows: The row of each of its images; -1 if it is not listed.
        """
        self.shown_model = SuggestedClasses(found.model, found.classes)
        self._forget_absent_suggestions()
        here, suggestions = rows >= 0, found.best + np.int32(1)
        unsure = np.zeros(len(rows), np.bool_) if found.unsure is None else found.unsure
        self.table.set_suggestions(rows[here], suggestions[here], found.confidences[here], unsure[here])
        for at in np.flatnonzero(~here).tolist():
            known = self._absent.setdefault(found.keys[at], ImageRecord())
            known.suggestion, known.confidence = int(suggestions[at]), float(found.confidences[at])
            known.unsure = bool(unsure[at])
            self._suggests_absent = True

    def set_suggestions_by_row(
        self,
        model: str,
        classes: Sequence[str],
        suggestions: NDArray[np.int32],
        confidences: NDArray[np.float32],
    ) -> None:
        """The same for the images listed first, without any loop over them; nothing is suggested for all others.

        Args:
            model: What people call it.
            classes: Names.
            suggestions: For each row, 0 for nothing, else the position of its class from 1.
            confidences: For each row; NaN where there is none.
        """
        self.shown_model = SuggestedClasses(model, classes)
        self._forget_absent_suggestions()
        self.table.set_suggestions_of_first(suggestions, confidences)

    def _forget_absent_suggestions(self) -> None:
        if self._suggests_absent:
            for key in [key for key, known in self._absent.items() if known.suggestion]:
                self._change_absent(key, _forget_suggestion)
            self._suggests_absent = False

    def set_compared(self, found: ModelSuggestions, rows: Rows) -> None:
        """The same of the model that it is compared with."""
        self.compared_model = SuggestedClasses(found.model, found.classes)
        for key in [key for key, known in self._absent.items() if known.compared]:
            self._change_absent(key, _forget_compared)
        here, suggestions = rows >= 0, found.best + np.int32(1)
        self.table.set_compared(rows[here], suggestions[here])
        for at in np.flatnonzero(~here).tolist():
            self._absent.setdefault(found.keys[at], ImageRecord()).compared = int(suggestions[at])

    def append(self, part: ListingArrays) -> None:
        """Add files with one image each to the listing."""
        first = len(self.listing)
        self.listing.append(part)
        self.table.grow(len(self.listing) - first)
        if self._absent:
            self._list_absent((first + number, ImageKey(path)) for number, path in enumerate(paths_of(part)))

    def replace(self, listing: Listing, placed: Rows) -> None:
        """Replace the listing; `placed` is the new row of each row, -1 if the image is no longer listed."""
        gone = np.flatnonzero((placed < 0) & self._has_anything()).astype(np.int32)
        lost = dict(zip(self.listing.keys(gone), self.table.known_of(gone), strict=True))
        self.table = self.table.moved(placed, len(listing))
        self.listing = listing
        self._list_all_absent()
        self._absent.update(lost)
        self._suggests_absent |= any(known.suggestion for known in lost.values())
        self.missing += sum(known.class_id != 0 for known in lost.values())
        labelled = [key.path for key, known in self._absent.items() if known.class_id]
        self.unused = self.listing.count_listed(labelled)

    def _clear_labels_and_marks(self) -> None:
        """Remove labels and marks, before they are loaded again."""
        self.table.clear_decisions()
        absent, self._absent = self._absent, {}
        self.missing = self.unused = 0
        for key, known in absent.items():
            if known.suggestion or known.compared:
                self._absent[key] = ImageRecord(
                    suggestion=known.suggestion,
                    confidence=known.confidence,
                    compared=known.compared,
                    unsure=known.unsure,
                )

    def _has_anything(self) -> NDArray[np.bool_]:
        table = self.table
        marked = (table.bits & (FLAGGED | SKIPPED | NOTED)) != 0
        suggested = (table.suggestions != 0) | (table.compared != 0)
        has: NDArray[np.bool_] = (table.class_ids != 0) | suggested | marked
        return has

    def _list_absent(self, places: Iterable[tuple[int, ImageKey]]) -> None:
        """Give images that are listed now the state that was kept for them."""
        for row, key in places:
            known = self._absent.pop(key, None)
            if known is not None:
                self.missing -= known.class_id != 0
                self.table.put(row, known)

    def _list_all_absent(self) -> None:
        """The same for all images of a new listing; they may be very many."""
        keys = list(self._absent)
        rows = self.listing.rows(keys)
        here = np.flatnonzero(rows >= 0)
        known = [self._absent.pop(keys[at]) for at in here.tolist()]
        self.missing -= sum(one.class_id != 0 for one in known)
        self.table.put_all(rows[here], known)

    def _set_label(self, key: ImageKey, class_id: int, source: int) -> Rows:
        row = self.listing.row(key)
        if row is None:
            self._label_absent(key, class_id, source)
            return np.empty(0, np.int32)
        self.table.set_label(row, class_id, source)
        return np.array([row], np.int32)

    def _label_absent(self, key: ImageKey, class_id: int, source: int) -> None:
        def change(known: ImageRecord) -> None:
            known.class_id, known.source = class_id, source

        self._change_absent(key, change)

    def _change_absent(self, key: ImageKey, change: Callable[[ImageRecord], None]) -> None:
        known = self._absent.get(key) or ImageRecord()
        before = known.class_id != 0
        change(known)
        difference = (known.class_id != 0) - before
        self.missing += difference
        if difference:
            self.unused += difference * self.listing.count_listed([key.path])
        if known.is_empty:
            self._absent.pop(key, None)
        else:
            self._absent[key] = known

    def _take_absent(self, key: ImageKey) -> ImageRecord:
        taken = ImageRecord()

        def change(known: ImageRecord) -> None:
            taken.class_id, taken.source, taken.bits, taken.note = (
                known.class_id, known.source, known.bits, known.note,
            )  # fmt: skip
            known.class_id, known.source, known.bits, known.note = 0, 0, 0, None

        self._change_absent(key, change)
        return taken

    def _put_absent(self, key: ImageKey, decided: ImageRecord) -> None:
        def change(known: ImageRecord) -> None:
            known.class_id, known.source, known.bits, known.note = (
                decided.class_id, decided.source, decided.bits, decided.note,
            )  # fmt: skip

        self._change_absent(key, change)


def _forget_suggestion(known: ImageRecord) -> None:
    known.suggestion, known.confidence, known.unsure = 0, nan, False


def _forget_compared(known: ImageRecord) -> None:
    known.compared = 0


def _set_bit(known: ImageRecord, *, bit: int, on: bool) -> None:
    known.bits = known.bits | bit if on else known.bits & ~bit


def _set_note(known: ImageRecord, *, note: str | None) -> None:
    known.note = note
    _set_bit(known, bit=NOTED, on=note is not None)
