"""What rows of the history do to what is known of images and classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.class_list import ClassList, class_of_dict
from mia_tui.dataset.session.image_states import ImageStates
from mia_tui.dataset.session.row_table import FLAGGED, SKIPPED, Rows, source_code
from mia_tui.dataset.store.records import Change
from mia_tui.paths import decode_name


@dataclass(frozen=True, slots=True)
class Applied:
    """What changes did.

    Attributes:
        rows: Images to be drawn again, ascending, int32; those that are not listed are not in it.
        classes_changed: Whether names, colours, keys or order of classes are others now.
        by_others: How many of the changes other annotators made.
        others: Their names, sorted.
    """

    rows: Rows
    classes_changed: bool
    by_others: int
    others: tuple[str, ...]


def apply_changes(
    changes: Sequence[Change], states: ImageStates, classes: ClassList, annotator: str
) -> Applied:
    """Carry out rows of the history; to do so twice does no harm.

    Args:
        changes: Oldest first, as `LabelStore.changes_since` gives them.
        states: The images.
        classes: The classes.
        annotator: Who is not counted among the others.
    """
    rows: list[int | None] = []
    for change in changes:
        # Every row names its image as it is called now, so files move before anything else is looked at.
        if change.kind == "path" and change.image is not None:
            frame = change.image.frame
            old, new = ImageKey(decode_name(change.before), frame), ImageKey(decode_name(change.after), frame)
            rows += states.move(old, new)
    labelled = _apply_labels(changes, states)
    for change in changes:
        if change.image is None:
            continue
        if change.kind == "flag":
            rows.append(states.set_bit(change.image, FLAGGED, bool(change.after)))
        elif change.kind == "skip":
            rows.append(states.set_bit(change.image, SKIPPED, bool(change.after)))
        elif change.kind == "note":
            rows.append(states.set_note(change.image, change.after))
    edits = [(change.target_id, class_of_dict(change.after)) for change in changes if change.kind == "class"]
    if edits:
        classes.change(edits, _merged(changes))
    by_others = [change.annotator for change in changes if change.annotator != annotator]
    marked = np.array([row for row in rows if row is not None], np.int32)
    touched: NDArray[np.int32] = np.unique(np.concatenate((labelled, marked)))
    return Applied(touched, bool(edits), len(by_others), tuple(sorted(set(by_others))))


def _apply_labels(changes: Sequence[Change], states: ImageStates) -> Rows:
    """The last label of each image counts. 100,000 of them are one step."""
    last = {change.image: change.after for change in changes if change.kind == "label" and change.image}
    if not last:
        return np.empty(0, np.int32)
    class_ids = [0 if label is None else int(label["class_id"]) for label in last.values()]
    sources = [0 if label is None else source_code(label["source"]) for label in last.values()]
    return states.set_labels(list(last), class_ids, sources)


def _merged(changes: Sequence[Change]) -> dict[int, int]:
    """Classes that were archived by a batch that moved their labels, and where to."""
    archived = {
        (change.batch, change.target_id)
        for change in changes
        if change.kind == "class" and change.after and change.after["archived"]
    }
    return {
        change.before["class_id"]: change.after["class_id"]
        for change in changes
        if change.kind == "label"
        and change.before
        and change.after
        and (change.batch, change.before["class_id"]) in archived
    }
