"""The state behind the labelling screen: position, filter, labels, classes. No disk, no threads, no screen.

It is updated from labels.db and the changes in its history, the person's own
and those of others, and is never ahead of them. Rows are those of the listing;
keys stay valid when the listing is replaced.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.session.changes import Applied, apply_in_steps
from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.counts import LabellingSpeed, SessionCounts
from mia_tui.dataset.session.filters import Filter, Order, in_order, is_labelled, joining, matching
from mia_tui.dataset.session.image_states import ImageStates
from mia_tui.dataset.session.leased import LeasedImages
from mia_tui.dataset.session.people import SaidByPeople, shuffled
from mia_tui.dataset.session.row_table import (
    FLAGGED,
    MISSING,
    SKIPPED,
    UNREADABLE,
    Rows,
    RowState,
    row_state,
)
from mia_tui.dataset.session.shown_rows import Selection, ShownRows
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.records import Change, Label, Mark

__all__ = ["Applied", "LabelSession", "RowState"]

_PASSED_OVER = (
    512  # images that others have may lie between this one and the next; a key waits for the search
)
_OF_MODELS = ("suggested", "unsure", "differs", "models_differ")  # filters


class LabelSession:
    """The state of a dataset while it is labelled.

    Args:
        listing: Its images.
        annotator: Who is labelling; changes by others are counted.

    Attributes:
        speed: How fast the person labels.
        counts: How many images are labelled, left, skipped, flagged.
        filter: Which images are shown.
        order: In which order.
        reverse: Whether in the reverse of that order.
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
        self._leased = LeasedImages()
        self.refresh_view()

    @property
    def listing(self) -> Listing:
        return self._states.listing

    def append(self, part: ListingArrays) -> None:
        """Add files that were found, with one image each. Those that match the filter are shown at the end."""
        start = len(self.listing)
        self._states.append(part)
        self._selection.grow(len(self.listing) - start)
        if part.images:
            shown = matching(self.filter, self._states, self._classes, start)
            self._view.append((np.flatnonzero(shown) + start).astype(np.int32))

    def replace_listing(self, listing: Listing, placed: Rows | None = None) -> None:
        """Replace the list of images. Labels stay with their images; the current image stays, or else the next one.

        Images that are shown stay shown, and new images that match the filter are added. `placed` is
        `listing.rows_from(session.listing)`, if that was computed in a thread before.
        """
        if placed is None or len(placed) != len(self.listing):
            placed = listing.rows_from(self.listing)
        if len(placed) == len(listing) and np.array_equal(placed, np.arange(len(placed))):
            self._states.listing = listing  # the same images, perhaps with sizes and times
            return
        is_new = np.ones(len(listing), np.bool_)
        is_new[placed[placed >= 0]] = False
        self._states.replace(listing, placed)
        self._selection = self._selection.moved(placed, len(listing))
        new = self._in_order(matching(self.filter, self._states, self._classes) & is_new)
        self._view.follow(placed, new, in_rows=self._is_in_rows, reverse=self.reverse)

    def load_in_steps(
        self, classes: Sequence[ImageClass], labels: Mapping[ImageKey, Label], marks: Mapping[ImageKey, Mark]
    ) -> Iterator[None]:
        """Replace everything known by what the store contains, with pauses for the screen.

        Changes that are made meanwhile have to be applied after the last step.

        Args:
            classes: All classes, archived ones too.
            labels: Also those of images that are not listed yet.
            marks: Flags, skips and notes.
        """
        self._classes.replace(classes)
        for model in (self._states.shown_model, self._states.compared_model):
            model.match_anew(self._classes)
        yield from self._states.load_in_steps(labels, marks)
        self.refresh_view()

    def apply_in_steps(self, changes: Sequence[Change]) -> Generator[None, None, Applied]:
        """Apply changes of the history, own and others', oldest first, with pauses for the screen.

        Images that are shown stay shown. Changes that are made meanwhile have to be applied after the last step.
        """
        return apply_in_steps(changes, self._states, self._classes, self.annotator)

    def set_suggestions(self, found: ModelSuggestions, rows: Rows | None = None) -> None:
        """Replace the suggestions that are shown by those of a model, and of this model only.

        A filter or order that depends on them is applied again. The current image stays even if it does not match
        the filter: the next key is meant for it.

        Args:
            found: What the model suggests; images that are not listed get their suggestion once they are.
            rows: `listing.rows(found.keys)`, if that was computed in a thread before.
        """
        self._states.set_suggestions(found, self.listing.rows(found.keys) if rows is None else rows)
        self._states.shown_model.match_anew(self._classes)
        self._suggestions_changed()

    def update_suggestions(
        self,
        model: str,
        class_ids: Sequence[int],
        suggestions: NDArray[np.int32],
        confidences: NDArray[np.float32],
        *,
        is_other: bool,
    ) -> Rows:
        """Replace the suggestions shown by those of a model that learns while the person labels.

        Takes well under a millisecond for 100,000 images. Which images are shown, and in which order, stays as it was
        when filter and order were chosen: it must not change with every label.

        Returns:
            The rows whose suggested class is another one now.

        Args:
            model: What people call it.
            class_ids: Its classes, which the dataset has.
            suggestions: For each row, 0 for nothing, else the position of its class from 1; rows that are missing
                at the end have none.
            confidences: For each row; NaN where there is none.
            is_other: Whether another model was shown before.
        """
        states = self._states
        before = states.shown_model.ids(self._classes)[states.table.suggestions]
        classes = [self._classes.of(class_id) for class_id in class_ids]
        names = ["" if known is None else known.name for known in classes]
        states.set_suggestions_by_row(model, names, suggestions, confidences)
        states.shown_model.match_anew(self._classes)
        if is_other:
            self._suggestions_changed()
        after = states.shown_model.ids(self._classes)[states.table.suggestions]
        return np.flatnonzero(before != after).astype(np.int32)

    def compare_with(self, found: ModelSuggestions, rows: Rows | None = None) -> None:
        """Compare the model shown with another one, for the filter where they differ; as `set_suggestions`."""
        self._states.set_compared(found, self.listing.rows(found.keys) if rows is None else rows)
        self._states.compared_model.match_anew(self._classes)
        self._suggestions_changed()

    def _suggestions_changed(self) -> None:
        if self.filter.state in _OF_MODELS or self.order == "confidence":
            self.refresh_view(keeps_current=True)
            self._selection.keep(self.view)

    def label_arrays(self) -> tuple[Rows, NDArray[np.bool_], NDArray[np.bool_]]:
        """Copies, for a thread: the class id of each row (0: none), whether it is skipped, which ids are active."""
        table = self._states.table
        active = self._classes.are_active(len(table.labels))
        return table.class_ids.copy(), (table.bits & SKIPPED) != 0, active

    @property
    def model(self) -> str:
        """Whose suggestions are shown; empty if there are none."""
        return self._states.shown_model.model

    @property
    def compared_model(self) -> str:
        """Which model that one is compared with; empty for none."""
        return self._states.compared_model.model

    @property
    def new_classes(self) -> tuple[str, ...]:
        """Classes of the model shown that the dataset does not have."""
        return self._states.shown_model.new(self._classes)

    def join(self, rows: Rows) -> None:
        """Show images that others changed and that match the filter now; images that are shown stay shown."""
        new = joining(rows, self.view, self.filter, self._states, self._classes)
        if new is not None:
            same = np.arange(len(self.listing), dtype=np.int32)
            self._view.follow(same, self._in_order(new), in_rows=self._is_in_rows, reverse=self.reverse)

    def set_problem(self, row: int, problem: str | None, *, missing: bool = False) -> None:
        """Record why an image could not be shown; None if it could."""
        self._states.table.set_problem(row, problem, missing=missing)

    def set_unfamiliar(self, rows: Rows) -> None:
        """Replace which images are far from all classes; those that are shown stay shown."""
        self._states.table.set_unfamiliar(rows)

    @property
    def view(self) -> Rows:
        """The rows that are shown, in order, int32; not to be written to. Labelling does not remove any."""
        return self._view.rows

    @property
    def view_generation(self) -> int:
        """A counter of how often other rows were shown; rows added at the end do not count."""
        return self._view.generation

    @property
    def position(self) -> int | None:
        """Position of the current image among those shown; None if nothing is shown."""
        return self._view.position

    @property
    def current_row(self) -> int | None:
        return self._view.row

    @property
    def current(self) -> ImageKey | None:
        return None if self._view.row is None else self.listing.key(self._view.row)

    @property
    def current_name(self) -> str:
        """What the current image is called, as `name_of` says; empty without one."""
        row, position = self.current_row, self.position
        return "" if row is None or position is None else self.name_of(row, position)

    def move(self, delta: int) -> bool:
        """Move by this many images, at most to the end. False at the end."""
        return self.position is not None and self._view.move_to(self.position + delta)

    def first(self) -> bool:
        """Go to the first image shown. False if it is current already."""
        return self._view.move_to(0)

    def last(self) -> bool:
        """Go to the last image shown. False if it is current already."""
        return self._view.move_to(len(self.view) - 1)

    def go_to(self, row: int) -> bool:
        """Go to an image. False if it is not shown."""
        place = self._view.place_of(row)
        if place is None:
            return False
        self._view.move_to(place)
        return True

    def is_shown(self, row: int) -> bool:
        """Whether an image is among those that are shown."""
        return self._view.place_of(row) is not None

    def next_unlabelled(self, *, backwards: bool = False, wrap: bool = False) -> bool:
        """Go to the next image that has no label, was not skipped and is not left to others. False if there is none.

        Args:
            backwards: Search backwards.
            wrap: Whether to continue at the other end.
        """
        place = self.unlabelled_place(backwards=backwards, wrap=wrap)
        return place is not None and self._view.move_to(place)

    def unlabelled_place(self, *, backwards: bool = False, wrap: bool = False) -> int | None:
        """The position that `next_unlabelled` goes to; None if there is none."""
        table = self._states.table
        if self.is_blind:
            wanted = self.people.in_second_pass(self.listing, left=True)
            return self._view.next_place(wanted, backwards=backwards, wrap=wrap)
        wanted = ~is_labelled(table, self._classes) & (table.bits & SKIPPED == 0)
        if self.has_leased:
            wanted &= ~self.leased
        return self._view.next_place(wanted, backwards=backwards, wrap=wrap)

    def neighbours(self, ahead: int = 3, behind: int = 1) -> list[int]:
        """Rows to preload: those ahead in the direction of the last move, then those behind, nearest first."""
        return self._view.neighbours(ahead, behind)

    def reveal(self, row: int) -> bool:
        """Go to an image; if it is not shown, show all images. Returns whether that was necessary."""
        if self.go_to(row):
            return False
        self.set_filter(Filter())
        self.go_to(row)
        return True

    def set_filter(self, filter: Filter, order: tuple[Order, bool] | None = None) -> None:
        """Show other images. The current one stays if it is among them, else the next one becomes current.

        Args:
            filter: Which images.
            order: Their order, and whether it is reversed; None for the present one.
        """
        if order is None and self.order == "given" and filter.among is None:
            order = "name", False
        self.filter = filter
        self.order, self.reverse = order or (self.order, self.reverse)
        self.refresh_view()
        self._selection.keep(self.view)

    def set_order(self, order: Order, *, reverse: bool = False) -> None:
        """Show the images in another order; the current one stays."""
        self.order, self.reverse = order, reverse
        self.refresh_view()

    def refresh_view(self, *, keeps_current: bool = False) -> None:
        """Apply the filter again: images that no longer match are hidden, others that match now are shown."""
        shown = matching(self.filter, self._states, self._classes)
        anchor = self._view.anchor
        if anchor is None:
            self._view.show(self._in_order(shown), 0)
            return
        is_shown = bool(shown[anchor]) or (keeps_current and self.position is not None)
        shown[anchor] = True  # to find the position it would have
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

    def class_named(self, name: str) -> ImageClass | None:  # archived or not
        return self._classes.named(name)

    def class_of_key(self, char: str) -> ImageClass | None:
        return self._classes.of_key(char)

    def state_of(self, row: int) -> RowState:
        """The state of an image."""
        states = self._states
        state = row_state(states.table, self._classes, states.shown_model, states.compared_model, row)
        if self.is_blind:
            return states.people.as_blind(self.listing.key(row), state, self._classes)
        if self.shows_disputes:
            return states.people.with_opinions(self.listing.key(row), state, self._classes)
        return state

    @property
    def people(self) -> SaidByPeople:
        """What several people said beside the labels."""
        return self._states.people

    @property
    def is_blind(self) -> bool:
        """Whether this is a second pass, in which nothing may tell what others say: no label, suggestion or path."""
        return self.filter.state == "second_pass"

    @property
    def shows_disputes(self) -> bool:
        """Whether a class that is given now decides a dispute."""
        return self.filter.state == "disputed"

    @property
    def is_second_look(self) -> bool:
        """Whether images are judged that have a label: a second pass, or disputes."""
        return self.is_blind or self.shows_disputes

    def set_leased(self, keys: Sequence[ImageKey]) -> None:
        """These images come next where somebody else labels."""
        self._leased.replace(keys)

    @property
    def leased(self) -> NDArray[np.bool_]:
        """For each row, whether it comes next where somebody else labels; not to be written to."""
        return self._leased.mask(self.listing)

    @property
    def has_leased(self) -> bool:
        """Whether somebody else labels, so that some images are left to them."""
        return bool(self._leased)

    def unlabelled_after(self, most: int, searched: int) -> list[int]:
        """Rows without a label that come next, and that nobody else has; looks only at so many images."""
        if self.position is None:
            return []
        ahead = self.view[self.position + 1 : self.position + 1 + searched]
        table, leased = self._states.table, self.leased
        active = self._classes.are_active(len(table.labels))
        left = ~active[table.class_ids[ahead]] & (table.bits[ahead] & SKIPPED == 0) & ~leased[ahead]
        found: list[int] = ahead[left][:most].tolist()
        return found

    def go_on(self) -> bool:
        """Go to the next image, or the next one that is not left to somebody else. False at the end."""
        if self.has_leased and not self.is_second_look and self.position is not None:
            ahead = self.view[self.position + 1 : self.position + 1 + _PASSED_OVER]
            free = np.flatnonzero(~self.leased[ahead])
            if len(free):
                return self.move(int(free[0]) + 1)
        return self.move(1)

    def name_of(self, row: int, position: int) -> str:
        """What an image is called: its path, in a blind pass its number among those shown."""
        return f"image {position + 1:,}" if self.is_blind else self.listing.path(row)

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
        """Select an image, or deselect it."""
        self._selection.toggle(row)

    def select(self, rows: Rows) -> None:
        """Add images to the selection."""
        self._selection.add(rows)

    def select_range(self, a: int, b: int) -> None:
        """Select everything shown from one row to another, in either direction; nothing if one is not shown."""
        self._selection.add(self._view.between(a, b))

    def rows_of(self, filter: Filter) -> Rows:
        """The rows that match a filter, whatever is shown; ascending."""
        return np.flatnonzero(matching(filter, self._states, self._classes)).astype(np.int32)

    def open_rows(self) -> NDArray[np.bool_]:
        """For each row, whether it is shown, without a label, and neither skipped, flagged, unreadable nor leased."""
        table = self._states.table
        shown = np.zeros(len(self.listing), np.bool_)
        shown[self.view] = True
        bits = table.bits & (SKIPPED | FLAGGED | MISSING | UNREADABLE)
        shown &= ~is_labelled(table, self._classes) & (bits == 0)
        return shown & ~self.leased if self.has_leased else shown

    def suggested(self) -> tuple[Rows, NDArray[np.float32]]:
        """Copies: for each row the class that the model shown suggests, 0 for none that the dataset has; how sure."""
        table = self._states.table
        ids = self._states.shown_model.ids(self._classes)[table.suggestions]
        return ids, table.confidences.copy()

    def clear_selection(self) -> None:
        self._selection.clear()

    def selected_keys(self) -> Callable[[], list[ImageKey]]:
        """A function that returns the keys of the selected images; it may be called in a thread."""
        return self.keys_later(self.selected)

    def keys_later(self, rows: Rows) -> Callable[[], list[ImageKey]]:
        """A function that returns the keys of some images; it may be called in a thread."""
        listing = self.listing
        return lambda: listing.keys(rows)

    @property
    def _is_in_rows(self) -> bool:
        """Whether what is shown is in the order of the listing, or the reverse."""
        return self.order == "name" and not self.is_blind

    def _in_order(self, shown: NDArray[np.bool_]) -> Rows:
        if self.is_blind:
            return shuffled(shown)
        given = self.filter.among or ()
        return in_order(shown, self.order, self.reverse, self._states, self._classes, given)
