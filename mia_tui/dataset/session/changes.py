"""Applying changes of the history to the states of images and classes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.class_list import ClassList, class_of_dict
from mia_tui.dataset.session.image_states import ImageStates
from mia_tui.dataset.session.row_table import FLAGGED, SKIPPED, Rows, source_code
from mia_tui.dataset.store.records import Change, ChangeKind
from mia_tui.text import decode_name

_STEP = 2048  # changes that are applied within a frame or two


@dataclass(frozen=True, slots=True)
class Applied:
    """The effect of changes that were applied.

    Attributes:
        rows: Images to redraw, ascending, int32; without those that are not listed.
        by_others: How many of the changes were made by other annotators.
        others: Their names, sorted.
    """

    rows: Rows
    by_others: int
    others: tuple[str, ...]


def apply_in_steps(
    changes: Sequence[Change], states: ImageStates, classes: ClassList, annotator: str
) -> Generator[None, None, Applied]:
    """Apply changes of the history, as many at a time as fit into a frame; applying them twice does no harm.

    Args:
        changes: Oldest first, as `LabelStore.changes_since` returns them.
        states: The images.
        classes: The classes.
        annotator: Not counted among the others.
    """
    # Every change names its image by its present key, so images are moved before anything else is applied.
    moves = [change for change in changes if change.kind in ("path", "frame")]
    touched = [np.array([row for change in moves for row in _move(change, states)], np.int32)]
    edits, others = [], Counter[str]()
    for start in range(0, len(changes), _STEP):
        if start:
            yield
        some = changes[start : start + _STEP]
        touched += _apply_to_images(some, states)
        touched.append(_apply_opinions(some, states, annotator))
        edits += [
            (change.target_id, class_of_dict(change.after)) for change in some if change.kind == "class"
        ]
        others.update(change.annotator for change in some)
    if edits:
        classes.change(edits, _merged(changes))
    del others[annotator]
    rows = _unique(np.concatenate(touched))
    return Applied(rows, others.total(), tuple(sorted(others)))


def _unique(rows: Rows) -> Rows:
    """Ascending. (numpy's `unique` takes ten times as long.)"""
    rows = np.sort(rows)
    once: Rows = rows[np.diff(rows, prepend=np.int32(-1)) != 0]
    return once


def _move(change: Change, states: ImageStates) -> list[int]:
    if change.image is None:
        return []
    if change.kind == "frame":
        return states.move(
            replace(change.image, frame=change.before), replace(change.image, frame=change.after)
        )
    old, new = decode_name(change.before), decode_name(change.after)
    return states.move(ImageKey(old, change.image.frame), ImageKey(new, change.image.frame))


def _apply_to_images(changes: Sequence[Change], states: ImageStates) -> list[Rows]:
    """Apply labels, flags, skips and notes, all of a kind together; the last one of each image counts."""
    last: defaultdict[ChangeKind, dict[ImageKey, Any]] = defaultdict(dict)
    for change in changes:
        if change.image is not None:
            last[change.kind][change.image] = change.after
    return [_APPLY[kind](states, of_kind) for kind, of_kind in last.items() if kind in _APPLY]


def _apply_opinions(changes: Sequence[Change], states: ImageStates, annotator: str) -> Rows:
    said = [change for change in changes if change.kind in ("opinion", "decision")]
    if not said:
        return np.empty(0, np.int32)
    for change in said:
        states.people.apply(change, annotator)
    rows = states.listing.rows([change.image for change in said if change.image is not None])
    return rows[rows >= 0]


def _label(states: ImageStates, last: Mapping[ImageKey, Any]) -> Rows:
    labels = last.values()
    class_ids = [0 if label is None else int(label["class_id"]) for label in labels]
    sources = [0 if label is None else source_code(label["source"]) for label in labels]
    return states.set_labels(list(last), class_ids, sources)


def _touch(states: ImageStates, last: Mapping[ImageKey, Any]) -> Rows:
    """Nothing of it is shown with the images, but an undo goes to them."""
    rows = states.listing.rows(list(last))
    return rows[rows >= 0]


_APPLY: dict[ChangeKind, Callable[[ImageStates, Mapping[ImageKey, Any]], Rows]] = {
    "label": _label,
    "flag": lambda states, last: states.set_bits(list(last), FLAGGED, list(last.values())),
    "skip": lambda states, last: states.set_bits(list(last), SKIPPED, list(last.values())),
    "note": lambda states, last: states.set_notes(list(last), list(last.values())),
    "kept": _touch,
    "audit": _touch,
}


def _merged(changes: Sequence[Change]) -> dict[int, int]:
    """Classes that were archived by a batch that also moved their labels, and the class those went to."""
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
