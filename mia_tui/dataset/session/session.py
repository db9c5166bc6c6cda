"""What the labelling screen knows: position, filter, labels, classes. No disk, no threads, no screen.

It is fed with what is in labels.db and with the rows of its history, the
person's own and those of others, and never runs ahead of them. Rows are those
of the listing; keys stay true when another listing comes.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import ListingArrays, arrays_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.session.changes import Applied, apply_in_steps
from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.counts import LabellingSpeed, SessionCounts
from mia_tui.dataset.session.filters import Filter, Order, in_order, is_labelled, joining, matching
from mia_tui.dataset.session.image_states import ImageStates
from mia_tui.dataset.session.row_table import SKIPPED, Rows, RowState, row_state
from mia_tui.dataset.session.shown_rows import Selection, ShownRows
from mia_tui.dataset.store.records import Change, Label, Mark

__all__ = ["Applied", "LabelSession", "RowState"]


class LabelSession:
    """What the labelling screen knows of a dataset.

    Args:
        listing: Its images.
        annotator: Who sits in front of it; changes by others are counted.

    Attributes:
        pace: How fast the person labels.
        tally: How many images are labelled, left, skipped, flagged.
        filter: Which images are shown.
        order: In which order.
        reverse: Whether from its end.
    """

    def __init__(self, listing: Listing, *, annotator: str = "") -> None:
        self.annotator = annotator
        self.speed = LabellingSpeed()
        self.filter = Filter()
        self.order: Order = "name"
        self.reverse = False
        self._states = ImageStates(listing)
        self._classes = ClassList()
        self.counts = SessionCounts(self._states, self._classes)
        self._view = ShownRows()
        self._selection = Selection(len(listing))
        self.refresh_view()

    @property
    def listing(self) -> Listing:
        return self._states.listing

    def extend(self, paths: Sequence[str]) -> None:
        """More files were found, one image each. Those that the filter shows come to the end of the view."""
        self.append(arrays_of(paths))

    def append(self, part: ListingArrays) -> None:
        """As `extend`, without any work for a screen."""
        start = len(self.listing)
        self._states.append(part)
        self._selection.grow(len(self.listing) - start)
        if part.images:
            shown = matching(self.filter, self._states, self._classes, start)
            self._view.append((np.flatnonzero(shown) + start).astype(np.int32))

    def replace_listing(self, listing: Listing, placed: Rows | None = None) -> None:
        """The images are these now. Labels stay with theirs; the current image stays, or the next one takes over.

        What is shown stays shown, and new images that the filter shows join it. `placed` is
        `listing.rows_from(session.listing)`, if it was found out in a thread before.
        """
        if placed is None or len(placed) != len(self.listing):
            placed = listing.rows_from(self.listing)
        if len(placed) == len(listing) and np.array_equal(placed, np.arange(len(placed))):
            self._states.listing = listing  # the same images, with sizes and times perhaps
            return
        is_new = np.ones(len(listing), np.bool_)
        is_new[placed[placed >= 0]] = False
        self._states.replace(listing, placed)
        self._selection = self._selection.moved(placed, len(listing))
        new = self._in_order(matching(self.filter, self._states, self._classes) & is_new)
        self._view.follow(placed, new, in_rows=self.order == "name", reverse=self.reverse)

    def load(
        self, classes: Sequence[ImageClass], labels: Mapping[ImageKey, Label], marks: Mapping[ImageKey, Mark]
    ) -> None:
        """Take over what the store says, instead of what was known before.

        Args:
            classes: All of them, archived ones too.
            labels: Those of images that are not listed come into force with them.
            marks: Flags, skips and notes.
        """
        for _ in self.load_in_steps(classes, labels, marks):
            pass

    def load_in_steps(
        self, classes: Sequence[ImageClass], labels: Mapping[ImageKey, Label], marks: Mapping[ImageKey, Mark]
    ) -> Iterator[None]:
        """As `load`, with pauses for the screen. Apply what is changed meanwhile after the last step."""
        self._classes.replace(classes)
        yield from self._states.load_in_steps(labels, marks)
        self.refresh_view()

    def apply(self, changes: Sequence[Change]) -> Applied:
        """Take over rows of the history, own and others', oldest first. What is shown stays shown."""
        steps = self.apply_in_steps(changes)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                applied: Applied = end.value
                return applied

    def apply_in_steps(self, changes: Sequence[Change]) -> Generator[None, None, Applied]:
        """As `apply`, with pauses for the screen. Apply what is changed meanwhile after the last step."""
        return apply_in_steps(changes, self._states, self._classes, self.annotator)

    def set_suggestions(
        self, keys: Sequence[ImageKey], class_ids: NDArray[np.int32], confidences: NDArray[np.float32]
    ) -> None:
        """What a model says, instead of what was said before; a filter about that is asked again.

        The current image stays, even where it does not fit: the next key is meant for it.

        Args:
            keys: Images; those that are not listed get theirs when they are.
            class_ids: Id of the likeliest class of each, shape (N,); 0 is nothing.
            confidences: Its probability, shape (N,).
        """
        confidences = np.where(class_ids == 0, np.float32(np.nan), confidences)
        self._states.set_suggestions(keys, class_ids, confidences)
        if self.filter.state in ("suggested", "differs") or self.order == "confidence":
            self.refresh_view(keeps_current=True)
            self._selection.keep(self.view)

    def join(self, rows: Rows) -> None:
        """Of images that others changed, those that fit the filter now join the view; what is shown stays shown."""
        new = joining(rows, self.view, self.filter, self._states, self._classes)
        if new is not None:
            same = np.arange(len(self.listing), dtype=np.int32)
            self._view.follow(same, self._in_order(new), in_rows=self.order == "name", reverse=self.reverse)

    def set_problem(self, row: int, problem: str | None, *, missing: bool = False) -> None:
        """An image could not be shown, for this reason; None: it could."""
        self._states.table.set_problem(row, problem, missing=missing)

    @property
    def view(self) -> Rows:
        """The rows that are shown, in order, int32; not to be written to. Work does not take any away."""
        return self._view.rows

    @property
    def view_generation(self) -> int:
        """Counts how often other rows were shown; more at the end do not count."""
        return self._view.generation

    @property
    def position(self) -> int | None:
        """Place of the current image in the view; None if nothing is shown."""
        return self._view.position

    @property
    def current_row(self) -> int | None:
        return self._view.row

    @property
    def current(self) -> ImageKey | None:
        return None if self._view.row is None else self.listing.key(self._view.row)

    def move(self, delta: int) -> bool:
        """Go on by so many images, to the end at most. False at the end: there is nothing to go to."""
        return self.position is not None and self._view.move_to(self.position + delta)

    def first(self) -> bool:
        """Go to the first image shown. False if it is the current one."""
        return self._view.move_to(0)

    def last(self) -> bool:
        """Go to the last image shown. False if it is the current one."""
        return self._view.move_to(len(self.view) - 1)

    def go_to(self, row: int) -> bool:
        """Go to an image. False if it is not shown."""
        place = self._view.place_of(row)
        if place is None:
            return False
        self._view.move_to(place)
        return True

    def next_unlabelled(self, *, backwards: bool = False, wrap: bool = False) -> bool:
        """Go to the next image without a label that was not skipped. False if there is none.

        Args:
            backwards: To the one before.
            wrap: Whether to begin again at the other end.
        """
        place = self.unlabelled_place(backwards=backwards, wrap=wrap)
        return place is not None and self._view.move_to(place)

    def unlabelled_place(self, *, backwards: bool = False, wrap: bool = False) -> int | None:
        """Where in the view `next_unlabelled` goes to; None if nowhere."""
        table = self._states.table
        wanted = ~is_labelled(table, self._classes) & (table.bits & SKIPPED == 0)
        return self._view.next_place(wanted, backwards=backwards, wrap=wrap)

    def neighbours(self, ahead: int = 3, behind: int = 1) -> list[int]:
        """Rows to have ready: those ahead in the direction of the last move, then those behind, nearest first."""
        return self._view.neighbours(ahead, behind)

    def reveal(self, row: int) -> bool:
        """Go to an image, showing all images if it is not among those shown. Returns whether that was needed."""
        if self.go_to(row):
            return False
        self.set_filter(Filter())
        self.go_to(row)
        return True

    def set_filter(self, filter: Filter) -> None:
        """Show other images. The current one stays if it is among them, else the next one takes over."""
        self.filter = filter
        self.refresh_view()
        self._selection.keep(self.view)

    def set_order(self, order: Order, *, reverse: bool = False) -> None:
        """Show the images in another order; the current one stays."""
        self.order, self.reverse = order, reverse
        self.refresh_view()

    def refresh_view(self, *, keeps_current: bool = False) -> None:
        """Ask the filter again: what does not fit any more since it was labelled goes, what fits now comes."""
        shown = matching(self.filter, self._states, self._classes)
        anchor = self._view.anchor
        if anchor is None:
            self._view.show(self._in_order(shown), 0)
            return
        is_shown = bool(shown[anchor]) or (keeps_current and self.position is not None)
        shown[anchor] = True  # to see where it would stand
        self._view.show_around(self._in_order(shown), anchor, is_shown=is_shown)

    @property
    def classes(self) -> tuple[ImageClass, ...]:
        """Those that are not archived, in order."""
        return self._classes.active

    @property
    def current_class(self) -> int | None:
        """Id of the class to assign; None while there is none."""
        return self._classes.current

    def choose_class(self, class_id: int) -> None:
        """Make a class the current one."""
        self._classes.choose(class_id)

    def class_of(self, class_id: int) -> ImageClass | None:  # archived or not
        return self._classes.of(class_id)

    def class_of_key(self, char: str) -> ImageClass | None:
        return self._classes.of_key(char)

    def state_of(self, row: int) -> RowState:
        """What is known of an image."""
        return row_state(self._states.table, self._classes, row)

    def all_have(self, rows: Rows, bit: int) -> bool:
        """Whether each of these images is FLAGGED, or SKIPPED (of `row_table`)."""
        return bool(np.all(self._states.table.bits[rows] & bit))

    @property
    def selected(self) -> Rows:  # ascending
        return self._selection.rows

    @property
    def selected_count(self) -> int:
        return self._selection.count

    def is_selected(self, row: int) -> bool:
        return self._selection.has(row)

    def toggle(self, row: int) -> None:
        """Mark an image, or take its mark away."""
        self._selection.toggle(row)

    def select(self, rows: Rows) -> None:
        """Mark images, too."""
        self._selection.add(rows)

    def select_range(self, a: int, b: int) -> None:
        """Mark everything shown from one row to another, in either direction; nothing if one is not shown."""
        self._selection.add(self._view.between(a, b))

    def clear_selection(self) -> None:
        self._selection.clear()

    def selected_keys(self) -> Callable[[], list[ImageKey]]:
        """What makes the keys of the marked images; may be called in a thread, whatever is listed meanwhile."""
        listing, rows = self.listing, self.selected.tolist()
        return lambda: [listing.key(row) for row in rows]

    def _in_order(self, shown: NDArray[np.bool_]) -> Rows:
        return in_order(shown, self.order, self.reverse, self._states, self._classes)
