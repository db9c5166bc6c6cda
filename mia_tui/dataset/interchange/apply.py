"""From a file of labels to the store: all that was asked for in one transaction, or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mia_tui.dataset.class_book import class_name
from mia_tui.dataset.interchange.labelfile import LabelFile
from mia_tui.dataset.labelled import META_SOURCE
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan import natural_key
from mia_tui.dataset.store import Label, LabelStore
from mia_tui.dataset.wording import counted, name_some
from mia_tui.errors import LabelFileError

UnknownClasses = Literal["create", "refuse"]
Unmatched = Literal["skip", "refuse"]


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        images: Images that the file gives a class.
        changed: How many of them had no label or another one before.
        created: Classes that are new in the dataset.
        skipped: Rows that were not used, for any reason.
        kept: Images whose label by a person was kept against their folder's class.
        notes: Sentences that name what was skipped, kept or left out.
    """

    images: int
    changed: int
    created: tuple[str, ...]
    skipped: int
    kept: int
    notes: tuple[str, ...]


def import_labels(
    store: LabelStore,
    file: LabelFile,
    *,
    unknown_classes: UnknownClasses = "create",
    unmatched: Unmatched = "skip",
) -> ImportReport:
    """Put the labels of a file into the store, as one step that can be undone.

    Labels of a CSV file or of MIA replace those in the store; the classes of folders give way to what a
    person decided.

    Args:
        store: Labels of the dataset.
        file: What was read.
        unknown_classes: What to do with classes the dataset does not have.
        unmatched: What to do with rows that name no image, or several, and with broken label files.

    Raises:
        LabelFileError: If rows or classes are refused, or the file has no usable label; nothing is imported.
        StoreError: If the store cannot be written; nothing is imported.
    """
    faults = check_file(file, unmatched=unmatched)
    names = {key: class_name(name) for key, name in file.labels.items()}
    with store.transaction():
        ids, created = _class_ids(store, file, set(names.values()), unknown_classes)
        wanted = {key: ids[name] for key, name in names.items()}
        present = store.labels()
        kept = _kept(file, wanted, present)
        changes = [
            (key, class_id)
            for key, class_id in wanted.items()
            if key not in kept and (key not in present or present[key].class_id != class_id)
        ]
        changed = store.set_labels(changes, source="import")
        store.set_meta(META_SOURCE, file.source)
    if kept:
        some = name_some(key.path for key in sorted(kept))
        faults.append(f"{counted(len(kept), 'image')} kept the class a person gave: {some}.")
    return ImportReport(
        images=len(wanted),
        changed=changed,
        created=tuple(created),
        skipped=_skipped(file),
        kept=len(kept),
        notes=(*faults, *file.notes),
    )


def check_file(file: LabelFile, *, unmatched: Unmatched = "skip") -> list[str]:
    """What of a file cannot be used, as sentences; asked before a store is made for it.

    Raises:
        LabelFileError: If rows are refused, or the file has no usable label.
    """
    faults = _faults(file)
    if unmatched == "refuse" and _skipped(file):
        raise LabelFileError(f"{file.name} is refused. {' '.join(faults)}", "Mend it; nothing was imported.")
    if not file.labels:
        raise LabelFileError(
            f"{file.name} labels no image of the dataset. {' '.join(faults)}".rstrip(),
            "File names count from the dataset's folder, as cells/a.png.",
        )
    return faults


def _skipped(file: LabelFile) -> int:
    return len(file.unmatched) + len(file.outside) + len(file.ambiguous) + len(file.unreadable)


def _faults(file: LabelFile) -> list[str]:
    """A sentence for each kind of row that cannot be used."""
    kinds = (
        (file.unmatched, "names no image of the dataset", "name no image of the dataset"),
        (file.outside, "lies outside the dataset", "lie outside the dataset"),
        (file.ambiguous, "fits several images", "fit several images"),
        (file.unreadable, "cannot be used", "cannot be used"),
    )
    faults = [
        f"{counted(len(names), 'row')} {one if len(names) == 1 else many}: {name_some(names)}."
        for names, one, many in kinds
        if names
    ]
    if file.blank:
        faults.append(f"{counted(file.blank, 'row')} without a class.")
    if file.left_out:
        faults.append(f"{counted(file.left_out, 'outline')} of background regions left out.")
    return faults


def _class_ids(
    store: LabelStore, file: LabelFile, used: set[str], unknown_classes: UnknownClasses
) -> tuple[dict[str, int], list[str]]:
    """The id of each class the file names; classes the dataset lacks are created, and returned in order."""
    ids = {known.name: known.id for known in store.classes()}
    ordered = [class_name(name) for name in file.classes] or sorted(used, key=natural_key)
    unknown = [name for name in dict.fromkeys(ordered) if name not in ids]
    if unknown_classes == "refuse" and not used <= ids.keys():
        unknown = [name for name in unknown if name in used]
        raise LabelFileError(
            f"{file.name} names {counted(len(unknown), 'class', 'classes')} that the dataset does not have: "
            f"{name_some(unknown)}.",
            "Allow new classes, or mend the names; nothing was imported.",
        )
    if unknown_classes == "create":
        for name in unknown:
            ids[name] = store.add_class(name).id
        return ids, unknown
    return ids, []


def _kept(
    file: LabelFile, wanted: Mapping[ImageKey, int], present: Mapping[ImageKey, Label]
) -> set[ImageKey]:
    """Images whose label by a person stands against the class of their folder."""
    if file.source != "folders":
        return set()
    return {
        key
        for key, class_id in wanted.items()
        if key in present and present[key].source != "import" and present[key].class_id != class_id
    }
