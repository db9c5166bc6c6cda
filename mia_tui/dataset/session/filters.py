"""Which images are shown, and in which order."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.image_list import ImageList
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.class_list import ClassList
from mia_tui.dataset.session.image_states import ImageStates
from mia_tui.dataset.session.row_table import (
    FLAGGED,
    MISSING,
    NOTED,
    SKIPPED,
    UNFAMILIAR,
    UNREADABLE,
    UNSURE,
    Rows,
    RowTable,
)

State = Literal[
    "all",
    "unlabelled",
    "labelled",
    "class",
    "flagged",
    "skipped",
    "noted",
    "suggested",
    "unsure",
    "differs",
    "models_differ",
    "unfamiliar",
    "disputed",
    "second_pass",
    "unreadable",
]
STATES: tuple[State, ...] = (
    "all", "unlabelled", "labelled", "class", "flagged", "skipped", "noted", "suggested", "unsure", "differs",
    "models_differ", "unfamiliar", "disputed", "second_pass", "unreadable",
)  # fmt: skip

Order = Literal["name", "time", "class", "confidence", "given"]
ORDERS: tuple[Order, ...] = ("name", "time", "class", "confidence")
"""That a person can choose; `given` is that of `Filter.among`."""

_BITS = {
    "flagged": FLAGGED,
    "skipped": SKIPPED,
    "noted": NOTED,
    "unfamiliar": UNFAMILIAR,
    "unreadable": MISSING | UNREADABLE,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which images are shown: those that match all conditions.

    Attributes:
        state: suggested: without a label but with a suggestion of a model; unsure: the same, where the suggestion is
            below the threshold of the model; differs: with a label that differs from
            the suggestion; models_differ: where the two models of the session suggest different classes; unfamiliar:
            far from all classes; disputed: where label and opinions of people differ; second_pass: what this person
            labels again; unreadable: missing or damaged, as far as that is known.
        class_id: Images of this class; if `state` is suggested or unsure, those for which a model suggests it.
        text: Part of the path, in upper or lower case.
        folder: Images in this folder or below it; empty for all.
        among: Only these images; None for all.
        among_words: What those are, for the user.
    """

    state: State = "all"
    class_id: int | None = None
    text: str = ""
    folder: str = ""
    among: tuple[ImageKey, ...] | ImageList | None = None
    among_words: str = ""


def matching(filter: Filter, states: ImageStates, classes: ClassList, start: int = 0) -> NDArray[np.bool_]:
    """For each row, whether it matches a filter.

    Args:
        filter: All its conditions.
        states: The images.
        classes: Labels of archived ones do not count.
        start: First row to check; it has to be the first one of its file.
    """
    shown = _in_state(filter, states, classes, start)
    if filter.text:
        shown &= states.listing.contains_text(filter.text, start)
    if filter.folder:
        shown &= states.listing.in_folder(filter.folder)[start:]
    if filter.among is not None:
        rows = ImageList.of(filter.among).rows_in(states.listing) - start
        chosen = np.zeros(len(shown), np.bool_)
        chosen[rows[rows >= 0]] = True
        shown &= chosen
    return shown


def joining(
    changed: Rows, shown: Rows, filter: Filter, states: ImageStates, classes: ClassList
) -> NDArray[np.bool_] | None:
    """For each row, whether it was changed, is not shown and matches the filter; None if no row is."""
    if filter.state == "all" and filter.class_id is None:  # labels and marks do not matter
        return None
    new = np.zeros(len(states.listing), np.bool_)
    new[changed] = True
    new[shown] = False
    if new.any():
        new &= matching(filter, states, classes)
    return new if new.any() else None


def is_labelled(table: RowTable, classes: ClassList, start: int = 0) -> NDArray[np.bool_]:
    """For each row, whether it has a label of an active class."""
    return classes.are_active(len(table.labels))[table.class_ids[start:]]


def in_order(
    shown: NDArray[np.bool_],
    order: Order,
    reverse: bool,
    states: ImageStates,
    classes: ClassList,
    given: tuple[ImageKey, ...] | ImageList = (),
) -> Rows:
    """The rows to show, int32, in order; rows that are equal stay in the order of the listing.

    Rows without a value to sort by (no label, no confidence, no time, not among those given) come last, reversed or
    not.
    """
    if order == "name":
        ordered, last = np.flatnonzero(shown), np.empty(0, np.intp)
    elif order == "time":
        rows = states.listing.by_time
        rows = rows[shown[rows]]
        unknown = states.listing.mtimes_ns[rows] == 0
        ordered, last = rows[~unknown], rows[unknown]
    elif order == "class":
        labelled = is_labelled(states.table, classes)
        ordered, last = np.flatnonzero(shown & labelled), np.flatnonzero(shown & ~labelled)
        places = classes.places(len(states.table.labels))[states.table.class_ids[ordered]]
        ordered = ordered[np.argsort(places, kind="stable")]
    elif order == "given":
        ordered, last = _as_given(shown, ImageList.of(given).rows_in(states.listing))
    else:
        sure = ~np.isnan(states.table.confidences)
        ordered, last = _by_confidence(shown & sure, states.table), np.flatnonzero(shown & ~sure)
    if reverse:
        ordered = ordered[::-1]
    return np.concatenate((ordered, last)).astype(np.int32)


def _in_state(filter: Filter, states: ImageStates, classes: ClassList, start: int) -> NDArray[np.bool_]:
    table = states.table
    labelled = is_labelled(table, classes, start)
    class_ids, suggestions = table.class_ids[start:], table.suggestions[start:]
    suggested, model_ids = states.shown_model.are_shown(classes)[suggestions], states.shown_model.ids(classes)
    shown: NDArray[np.bool_]
    if filter.state in _BITS:
        shown = (table.bits[start:] & _BITS[filter.state]) != 0
    elif filter.state == "all":
        shown = np.ones(len(labelled), np.bool_)
    elif filter.state == "unlabelled":
        shown = ~labelled
    elif filter.state == "suggested":
        shown = ~labelled & suggested
    elif filter.state == "unsure":
        shown = ~labelled & suggested & ((table.bits[start:] & UNSURE) != 0)
    elif filter.state == "differs":
        shown = labelled & suggested & (model_ids[suggestions] != class_ids)
    elif filter.state == "disputed":
        shown = states.people.disputed(states.listing, table, classes)[start:]
    elif filter.state == "second_pass":
        shown = states.people.in_second_pass(states.listing)[start:]
    elif filter.state == "models_differ":
        shown = suggested & _models_differ(states, classes, start)
    else:
        shown = labelled
    if filter.class_id is not None:
        shown &= (
            model_ids[suggestions] if filter.state in ("suggested", "unsure") else class_ids
        ) == filter.class_id
    return shown


def _models_differ(states: ImageStates, classes: ClassList, start: int) -> NDArray[np.bool_]:
    """For each row, whether the models suggest different classes; not where one of them suggests nothing."""
    one, other = states.table.suggestions[start:], states.table.compared[start:]
    meaning, others_meaning = states.shown_model.meanings(states.compared_model, classes)
    compared = states.compared_model.are_shown(classes)[other]
    differs: NDArray[np.bool_] = compared & (meaning[one] != others_meaning[other])
    return differs


def _as_given(shown: NDArray[np.bool_], given: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows that are given, in that order, each once, and all others that are shown."""
    given = given[given >= 0]
    given = given[shown[given]]
    _, first = np.unique(given, return_index=True)
    others = shown.copy()
    others[given] = False
    return given[np.sort(first)].astype(np.intp), np.flatnonzero(others)


def _by_confidence(shown: NDArray[np.bool_], table: RowTable) -> NDArray[np.intp]:
    """Lowest first. Floats that are not negative sort like their bits; the row number makes each unique."""
    rows = np.flatnonzero(shown)
    bits = (np.maximum(table.confidences[rows], 0) + np.float32(0)).view(np.uint32).astype(np.int64)
    return np.sort(bits << 32 | rows) & 0xFFFFFFFF
