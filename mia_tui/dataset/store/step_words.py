"""Steps of the history in words: `3 images to "round"`, `class "a" merged into "b"`."""

from collections.abc import Mapping, Sequence
from typing import Any

from mia_tui.dataset.store.records import Change
from mia_tui.text import counted, name_some, printable


def describe(changes: Sequence[Change], names: Mapping[int, str]) -> str:
    """What a step did, as a phrase.

    Args:
        changes: All of one batch, the way the step went.
        names: Of classes, by id; those the step adds or takes away need not be among them.
    """
    names = {**_own_names(changes), **names}
    labels = [change for change in changes if change.kind == "label"]
    classes = [change for change in changes if change.kind == "class"]
    if classes and (merged := _merged(classes, labels, names)):
        return merged
    if labels:
        return _labels(labels, names)
    if classes:
        return _class(classes, names)
    return _marks(changes)


def _own_names(changes: Sequence[Change]) -> dict[int, str]:
    return {
        change.target_id: (change.after or change.before)["name"]
        for change in changes
        if change.kind == "class"
    }


def _labels(labels: Sequence[Change], names: Mapping[int, str]) -> str:
    images = _images(labels)
    if any(change.after and change.after["source"] == "import" for change in labels):
        return f"import of {counted(len(labels), 'label')}"
    wanted = {None if change.after is None else change.after["class_id"] for change in labels}
    if len(wanted) > 1:
        return f"{images} to different classes"
    [class_id] = wanted
    if class_id is None:
        return f"{images} without a label"
    return f"{images} to {_quoted(names.get(class_id))}"


def _merged(classes: Sequence[Change], labels: Sequence[Change], names: Mapping[int, str]) -> str | None:
    """The phrase for a merge: one class archived, whose labels all went to another."""
    [first, *rest] = classes
    if rest or not labels or not first.after or not first.after["archived"]:
        return None
    into = {change.after and change.after["class_id"] for change in labels}
    if len(into) > 1 or None in into:
        return None
    images = counted(len(labels), "image")
    return f"class {_quoted(names[first.target_id])} merged into {_quoted(names.get(into.pop()))} ({images})"


def _class(classes: Sequence[Change], names: Mapping[int, str]) -> str:
    if len(classes) > 1:
        return _many_classes(classes, names)
    [change] = classes
    name = _quoted(names[change.target_id])
    if change.before is None:
        return f"class {name} added"
    if change.after is None:
        return f"class {name} taken away"
    fields = _fields(change)
    if "archived" in fields:
        return f"class {name} {'archived' if change.after['archived'] else 'restored'}"
    if "name" in fields:
        return f"class {_quoted(change.before['name'])} renamed to {_quoted(change.after['name'])}"
    what = {"colour": "colour", "key": "key", "position": "place"}
    return f"{' and '.join(what[field] for field in sorted(fields))} of class {name}"


def _many_classes(classes: Sequence[Change], names: Mapping[int, str]) -> str:
    if all(_fields(change) == {"position"} for change in classes):
        return "order of classes"
    some = name_some(f'"{names[target_id]}"' for target_id in dict.fromkeys(c.target_id for c in classes))
    if all(change.before is None for change in classes):
        return f"classes {some} added"
    if all(change.after is None for change in classes):
        return f"classes {some} taken away"
    return f"what became of the classes {some}"


def _fields(change: Change) -> set[str]:
    if change.before is None or change.after is None:
        return set()
    return {name for name in change.before if change.before[name] != change.after[name]}


def _marks(changes: Sequence[Change]) -> str:
    kinds = {change.kind for change in changes}
    if "path" in kinds:
        moved = [change for change in changes if change.kind == "path"]
        return f"link of {_images(moved)} to a moved file"
    images = _images(changes)
    after: Any = changes[0].after
    if kinds == {"flag"}:
        return f"{images} {'flagged' if after else 'no longer flagged'}"
    if kinds == {"skip"}:
        return f"{images} {'skipped' if after else 'no longer skipped'}"
    return f"note of {images}" if kinds == {"note"} else f"marks of {images}"


def _images(changes: Sequence[Change]) -> str:
    paths = {change.image for change in changes}
    [image, *rest] = paths
    return printable(image.path) if image and not rest else counted(len(paths), "image")


def _quoted(name: str | None) -> str:
    return "another class" if name is None else f'"{name}"'
