"""Undoing and redoing what was kept, answered and said in a review."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mia_tui.dataset.store import rows
from mia_tui.dataset.store.records import Change, Opinion
from mia_tui.dataset.store.review.edits import answer_value, kept_value, write_answer, write_kept
from mia_tui.dataset.store.rows import class_of
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.dataset.store.undo import Reversal


def reverse_kept(reversal: "Reversal", change: Change) -> tuple[Any, Any]:
    """Keep an issue again that was kept before the change, or no more.

    Raises:
        StoreConflict: If somebody kept or asked about it since, or the class is gone.
    """
    issue = (change.after or change.before)["issue"]
    present = kept_value(reversal.connection, change.target_id, issue)
    if present != change.after:
        raise reversal.overwritten("kept", change.target_id, f"the issue of {_name(change)}")
    if change.before is None:
        reversal.connection.execute(
            "DELETE FROM kept WHERE image_id = ? AND issue = ?", (change.target_id, issue)
        )
    else:
        _check_class(reversal, change, change.before["class_id"])
        write_kept(reversal.connection, change.target_id, change.before)
    return present, change.before


def reverse_answer(reversal: "Reversal", change: Change) -> tuple[Any, Any]:
    """Take back an answer of an audit, or give it again. If the question was forgotten since, that stays so.

    Raises:
        StoreConflict: If somebody gave another one since, or the class is gone.
    """
    present = answer_value(reversal.connection, change.before["id"])
    if present is None:  # or nobody could undo any more what was done before it
        return change.after, change.before
    if present != change.after:
        raise reversal.overwritten("audit", change.target_id, f"the audit of {_name(change)}")
    for name in ("said_class_id", "class_id"):
        _check_class(reversal, change, change.before[name])
    write_answer(reversal.connection, change.before)
    return present, change.before


def reverse_opinion(kind: rows.OpinionKind) -> "Callable[[Reversal, Change], tuple[Any, Any]]":
    """Takes back what somebody said of an image, or how a dispute was decided, or says it again.

    It raises StoreConflict if that changed since, or the class is gone.
    """

    def reverse_one(reversal: "Reversal", change: Change) -> tuple[Any, Any]:
        before, after = (
            None if value is None else Opinion(**value) for value in (change.before, change.after)
        )
        annotator = (change.after or change.before)["annotator"]
        if rows.opinion_row(reversal.connection, kind, change.target_id, annotator) != after:
            raise reversal.overwritten(kind, change.target_id, f"the {kind} on {_name(change)}")
        if before is not None:
            _check_class(reversal, change, before.class_id)
        rows.write_opinion(reversal.connection, kind, change.target_id, after, before)
        return change.after, change.before

    return reverse_one


def _check_class(reversal: "Reversal", change: Change, class_id: int | None) -> None:
    if class_id is not None and class_of(reversal.connection, class_id) is None:
        raise reversal.refusal(f"would return {_name(change)} to a class that no longer exists")


def _name(change: Change) -> str:
    return printable("an image" if change.image is None else change.image.path)
