"""What the tests of the labelling session share: listings, classes and rows of the history, without a disk."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mia_tui.dataset.listing.arrays import UNKNOWN_SIZE, arrays_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageClass, ImageFile, ImageKey
from mia_tui.dataset.session.session import Applied, LabelSession
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.records import Change, ChangeKind, Label, LabelOrigin, Mark

ROUND = ImageClass(1, "round", "#e69f00", "1", 0)
FLAT = ImageClass(2, "flat", "#56b4e9", "2", 1)
FLOWER = ImageClass(5, "Flower", "#009e73", "f", 2)
CLASSES = (ROUND, FLAT, FLOWER)


def listing_of_files(files: Sequence[ImageFile], frames: dict[str, int] | None = None) -> Listing:
    """A listing of files; `frames` says how many images those have that have several."""
    return Listing(
        arrays_of(
            [file.path for file in files],
            sizes=[UNKNOWN_SIZE if file.size is None else file.size for file in files],
            mtimes_ns=[file.mtime_ns or 0 for file in files],
            frames=[(frames or {}).get(file.path, 1) for file in files],
        )
    )


def listing_of(*paths: str, frames: dict[str, int] | None = None) -> Listing:
    """A listing of these files; `frames` names those with several."""
    return listing_of_files([ImageFile(path, 1, 1) for path in paths], frames)


def keys_of(listing: Listing) -> list[ImageKey]:
    return [listing.key(row) for row in range(len(listing))]


def extend(files: Listing | LabelSession, paths: Sequence[str]) -> None:
    """Append files with one image each."""
    files.append(arrays_of(paths))


def load(
    session: LabelSession,
    classes: Sequence[ImageClass],
    labels: Mapping[ImageKey, Label],
    marks: Mapping[ImageKey, Mark],
) -> None:
    for _ in session.load_in_steps(classes, labels, marks):
        pass


def apply(session: LabelSession, changes: Sequence[Change]) -> Applied:
    steps = session.apply_in_steps(changes)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def session_of(*paths: str, annotator: str = "anna") -> LabelSession:
    """A session with three classes and no labels."""
    session = LabelSession(listing_of(*paths), annotator=annotator)
    load(session, CLASSES, {}, {})
    return session


def label(class_id: int, source: LabelOrigin = "person") -> Label:
    return Label(class_id, "anna", source, 1.0)


def change(
    kind: ChangeKind,
    image: str | ImageKey | None,
    after: Any,
    *,
    before: Any = None,
    batch: int = 1,
    annotator: str = "anna",
    target_id: int = 1,
) -> Change:
    """A row of the history."""
    key = ImageKey(image) if isinstance(image, str) else image
    return Change(1, batch, 1.0, annotator, kind, target_id, key, before, after, None)


def labelled(image: str, class_id: int | None, **options: Any) -> Change:
    """An image gets a label, or loses it."""
    return change("label", image, _fields(class_id), **options)


def moved_label(image: str, before: int, after: int, **options: Any) -> Change:
    """A label that goes from one class to another."""
    return change("label", image, _fields(after), before=_fields(before), **options)


def class_row(image_class: ImageClass | None, *, id: int | None = None, **options: Any) -> Change:
    """A class was made, changed, or (None) made undone."""
    names = ("id", "name", "colour", "key", "position", "archived")
    after = None if image_class is None else {name: getattr(image_class, name) for name in names}
    target_id = image_class.id if image_class is not None else id
    assert target_id is not None
    return change("class", None, after, target_id=target_id, **options)


def _fields(class_id: int | None) -> dict[str, Any] | None:
    if class_id is None:
        return None
    return {"class_id": class_id, "annotator": "anna", "source": "person", "updated_at": 1.0}


def suggestions(
    what: Mapping[ImageKey, tuple[str, float]],
    *,
    model: str = "resnet18",
    classes: Sequence[str] = ("round", "flat", "Flower"),
    unsure: Collection[str] = (),
) -> ModelSuggestions:
    """What a model with these classes suggests: a class and a confidence for each image; `unsure` names paths."""
    best = np.array([classes.index(name) for name, _ in what.values()], np.int32)
    sure = np.array([sure for _, sure in what.values()], np.float32)
    below = np.array([key.path in unsure for key in what], np.bool_)
    return ModelSuggestions(model, tuple(classes), list(what), best, sure, unsure=below)
