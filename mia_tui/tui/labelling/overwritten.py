"""Labels of others that one's own key replaced before one could have seen them: the newest wins, and says so."""

from collections.abc import Callable, Sequence

from mia_tui.dataset.store.records import Change
from mia_tui.text import counted, name_some, printable


def find_overwritten(changes: Sequence[Change], annotator: str) -> list[Change]:
    """What the newest action of an annotator did to labels that came with it from the history, and are others'.

    Args:
        changes: Everything that is new in the history, the action included, oldest first.
        annotator: Whose action.
    """
    theirs = {
        change.target_id for change in changes if change.kind == "label" and change.annotator != annotator
    }
    if not theirs:
        return []
    batch = next((change.batch for change in reversed(changes) if change.annotator == annotator), None)
    return [
        change
        for change in changes
        if change.batch == batch
        and change.kind == "label"
        and change.target_id in theirs
        and _replaces(change)
    ]


def overwritten_words(found: Sequence[Change], name_of: Callable[[int], str]) -> str:
    """A sentence about what `find_overwritten` found; `name_of` names a class by its id."""
    people = [printable(name) for name in dict.fromkeys(change.before["annotator"] for change in found)]
    if len(found) > 1:
        images = counted(len(found), "of these images", "of these images")
        return (
            f"{name_some(people)} labelled {images} a moment ago; your step replaced that; "
            "undo brings those labels back."
        )
    [change], [who] = found, people
    image = printable(change.image.path) if change.image is not None else "this image"
    theirs = name_of(change.before["class_id"])
    yours = "you took that away" if change.after is None else f"your {name_of(change.after['class_id'])}"
    did = "" if change.after is None else " replaced it"
    return f"{who} labelled {image} {theirs} a moment ago; {yours}{did}; undo brings {who}'s label back."


def _replaces(change: Change) -> bool:
    before, after = change.before, change.after
    if before is None or before["annotator"] == change.annotator:
        return False
    return after is None or after["class_id"] != before["class_id"]
