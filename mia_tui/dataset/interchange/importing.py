"""Importing labels that were read from a file into the store: all in one transaction, or nothing."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.interchange.copies.merging import Comparison, Conflict, compare, merge
from mia_tui.dataset.interchange.formats import ExistingLabels, LabelFile
from mia_tui.dataset.labelled_images import META_SOURCE
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.walk import natural_key
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Label
from mia_tui.errors import LabelFileError
from mia_tui.text import counted, name_some

UnknownClasses = Literal["create", "refuse"]
Unmatched = Literal["skip", "refuse"]

_MOST_CLASSES = 20


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        images: Images for which the file has a class.
        changed: How many of them had no label or another one before.
        created: Classes that are new in the dataset.
        skipped: Rows that were not used, for any reason.
        kept: Images that kept the label they had.
        notes: Sentences that say what was skipped, kept or left out.
        conflicts: Where the labels.db of a copy has another class, whatever became of it.
    """

    images: int
    changed: int
    created: tuple[str, ...]
    skipped: int
    kept: int
    notes: tuple[str, ...]
    conflicts: tuple[Conflict, ...] = ()


def import_into(
    path: Path,
    file: LabelFile,
    *,
    annotator: str | None = None,
    unknown_classes: UnknownClasses = "create",
    unmatched: Unmatched = "skip",
    existing: ExistingLabels | None = None,
    first: Callable[[LabelStore], object] = lambda store: None,
) -> ImportReport:
    """`import_labels` into a labels.db that need not exist yet; it is only created if the file is accepted.

    Args:
        path: The labels.db.
        file: What was read.
        annotator: Who imports; the login name if left out.
        unknown_classes: As for `import_labels`.
        unmatched: As for `import_labels`.
        existing: As for `import_labels`.
        first: Called with the store before the import, so that existing labels move with their files.

    Raises:
        LabelFileError: If the file is refused; nothing is imported or created.
        StoreError: If the store cannot be read or written; nothing is imported.
    """
    store_now = LabelStore.open_existing(path)
    if store_now is None:
        check_file(file, unknown_classes=unknown_classes, unmatched=unmatched)
    else:
        store_now.close()
    with LabelStore(path, annotator=annotator) as store:
        first(store)
        return import_labels(
            store, file, unknown_classes=unknown_classes, unmatched=unmatched, existing=existing
        )


def import_labels(
    store: LabelStore,
    file: LabelFile,
    *,
    unknown_classes: UnknownClasses = "create",
    unmatched: Unmatched = "skip",
    existing: ExistingLabels | None = None,
) -> ImportReport:
    """Write the labels of a file to the store, as one step that can be undone.

    Labels of a CSV file or of MIA replace those in the store, unless these are to be kept; the class of a folder
    never replaces a label that a person gave; those of a labels.db replace none, unless chosen.

    Args:
        store: Labels of the dataset.
        file: What was read.
        unknown_classes: What to do with classes that the dataset does not have.
        unmatched: What to do with rows that match no image, or several, and with broken label files.
        existing: What becomes of other labels that images have already; None for `LabelFile.existing`.

    Raises:
        LabelFileError: If rows or classes are refused, or the file has no usable label; nothing is imported.
        StoreError: If the store cannot be written; nothing is imported.
    """
    existing = existing or file.existing
    known = {image_class.name for image_class in store.classes()}
    faults = check_file(file, known=known, unknown_classes=unknown_classes, unmatched=unmatched)
    if file.copy is not None:
        return _merge(store, file, faults, existing, create=unknown_classes == "create")
    names = {key: class_name(name) for key, name in file.labels.items()}
    with store.transaction():
        ids, created = _class_ids(store, file, create=unknown_classes == "create")
        wanted = {key: ids[name] for key, name in names.items()}
        present = store.labels()
        kept = _kept(file, wanted, present, existing)
        changes = [
            (key, class_id)
            for key, class_id in wanted.items()
            if key not in kept and (key not in present or present[key].class_id != class_id)
        ]
        changed = store.set_labels(changes, source="import")
        store.set_meta(META_SOURCE, file.source)
    if kept:
        some = name_some(key.path for key in sorted(kept))
        which = "that a person gave" if existing == "replace" else "it had" if len(kept) == 1 else "they had"
        faults.append(f"{counted(len(kept), 'image')} kept the class {which}: {some}.")
    return ImportReport(
        images=len(wanted),
        changed=changed,
        created=tuple(created),
        skipped=_skipped(file),
        kept=len(kept),
        notes=(*faults, *file.notes),
    )


def _merge(
    store: LabelStore, file: LabelFile, faults: list[str], existing: ExistingLabels, *, create: bool
) -> ImportReport:
    """Take over what the labels.db of a copy says, as one step."""
    assert file.copy is not None
    with store.transaction():
        found = compare(store, file.copy)
        ids, created = _class_ids(store, file, create=create)
        changed, taken = merge(store, file.copy, found, ids, existing)
        store.set_meta(META_SOURCE, file.source)
    kept = [
        one
        for one in found.conflicts
        if existing in ("keep", "opinion") or (existing == "newer" and one.theirs_at <= one.mine_at)
    ]
    return ImportReport(
        images=len(file.labels),
        changed=changed,
        created=tuple(created),
        skipped=_skipped(file),
        kept=len(kept),
        notes=(*faults, *file.notes, *taken),
        conflicts=tuple(found.conflicts),
    )


def check_file(
    file: LabelFile,
    *,
    known: Collection[str] = (),
    unknown_classes: UnknownClasses = "create",
    unmatched: Unmatched = "skip",
) -> list[str]:
    """What cannot be used of a file, as sentences; checked before anything is written.

    Args:
        file: What was read.
        known: Names of the classes the dataset has.
        unknown_classes: As for `import_labels`.
        unmatched: As for `import_labels`.

    Raises:
        LabelFileError: If rows or classes are refused, or the file has no usable label.
    """
    faults = _faults(file)
    if unmatched == "refuse" and _skipped(file):
        raise LabelFileError(
            f"{file.name} is refused. {' '.join(faults)}", "Correct it; nothing was imported."
        )
    if not file.labels and (file.copy is None or file.copy.is_empty):
        raise LabelFileError(
            f"{file.name} labels no image of the dataset. {' '.join(faults)}".rstrip(),
            "File names are relative to the dataset's folder, as cells/a.png.",
        )
    unknown = [name for name in _class_names(file) if name not in known]
    if unknown_classes == "refuse" and unknown:
        raise LabelFileError(
            f"{file.name} names {counted(len(unknown), 'class', 'classes')} that the dataset does not have: "
            f"{name_some(unknown)}.",
            "Pass --unknown-classes create, or correct the names; nothing was imported.",
        )
    return faults + _twins(unknown, known)


def _twins(new: Sequence[str], known: Collection[str]) -> list[str]:
    """A sentence about new classes that are probably known ones in other letters; empty if there are none."""
    same = {name.casefold(): name for name in known}
    twins = [f"{name} from {same[name.casefold()]}" for name in new if name.casefold() in same]
    if not twins:
        return []
    differ, are = ("differs", "it is") if len(twins) == 1 else ("differ", "they are")
    return [
        f"{counted(len(twins), 'new class', 'new classes')} {differ} only by capital letters: {name_some(twins)}. "
        f"If {are} the same, correct the file first, or merge the classes in the app."
    ]


def _skipped(file: LabelFile) -> int:
    return len(file.unmatched) + len(file.outside) + len(file.ambiguous) + len(file.unreadable)


def _faults(file: LabelFile) -> list[str]:
    """A sentence for each kind of row that cannot be used."""
    kinds = (
        (file.unmatched, "names no image of the dataset", "name no image of the dataset"),
        (file.outside, "is outside the dataset", "are outside the dataset"),
        (file.ambiguous, "matches several images", "match several images"),
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


def _class_names(file: LabelFile) -> list[str]:
    """The classes of the file's images, in natural order."""
    return sorted({class_name(name) for name in file.labels.values()}, key=natural_key)


def _class_ids(store: LabelStore, file: LabelFile, *, create: bool) -> tuple[dict[str, int], list[str]]:
    """The id of each class; the file's new classes are created, and returned in order."""
    ids = {known.name: known.id for known in store.classes()}
    ordered = [class_name(name) for name in file.classes] or _class_names(file)
    created = [name for name in dict.fromkeys(ordered) if name not in ids] if create else []
    ids |= {added.name: added.id for added in store.add_classes(created)}
    return ids, created


def _kept(
    file: LabelFile,
    wanted: Mapping[ImageKey, int],
    present: Mapping[ImageKey, Label],
    existing: ExistingLabels,
) -> set[ImageKey]:
    """Images that have another label, which stays."""
    if existing == "replace" and file.source != "folders":
        return set()
    return {
        key
        for key, class_id in wanted.items()
        if key in present
        and present[key].class_id != class_id
        and (existing == "keep" or present[key].source != "import")
    }


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do.

    Attributes:
        file: What was read.
        new: Images that have no label now.
        same: Images that have the same label already.
        different: Images that have another label now: its class, and that in the file.
        by_people: How many of those labels a person gave.
        counts: Images of each class in the file, the largest first.
        created: Classes that the dataset does not have.
        notes: Sentences that say what cannot be used.
        compared: How the labels.db of a copy differs; None for other files.
    """

    file: LabelFile
    new: int
    same: int
    different: Mapping[ImageKey, tuple[str, str]]
    by_people: int
    counts: Mapping[str, int]
    created: tuple[str, ...]
    notes: tuple[str, ...]
    compared: Comparison | None = None

    @property
    def sentences(self) -> list[str]:
        """What would be different, a sentence each."""
        classes = name_some((f"{name} {count:,}" for name, count in self.counts.items()), _MOST_CLASSES)
        words = [f"{counted(len(self.file.labels), 'image')} in {self.file.name}: {classes}."]
        of_new = f"{self.new:,} {'has' if self.new == 1 else 'have'} no label yet" if self.new else ""
        of_same = (
            f"{self.same:,} {'has' if self.same == 1 else 'have'} the same label already" if self.same else ""
        )
        if of_new or of_same:
            words.append(f"{', '.join(filter(None, (of_new, of_same)))}.")
        if self.different:
            some = name_some(f"{key.path} ({old}, here {new})" for key, (old, new) in self.different.items())
            people = f", {self.by_people:,} of them by a person" if self.by_people else ""
            has = "has another label" if len(self.different) == 1 else "have another label"
            words.append(f"{len(self.different):,} {has}{people}: {some}.")
        if self.compared is not None and (self.compared.later or self.compared.earlier):
            later, earlier = len(self.compared.later), len(self.compared.earlier)
            words.append(
                f"Changed since the copy was made: {later:,} there, {earlier:,} here; the later one stays."
            )
        if self.created:
            words.append(f"New classes: {name_some(self.created, _MOST_CLASSES)}.")
        return words


def plan_import(
    store: LabelStore | None,
    file: LabelFile,
    *,
    unknown_classes: UnknownClasses = "create",
    unmatched: Unmatched = "skip",
) -> ImportPlan:
    """What `import_labels` would do; writes nothing.

    Args:
        store: Labels of the dataset; None before there are any.
        file: What was read.
        unknown_classes: As for `import_labels`.
        unmatched: As for `import_labels`.

    Raises:
        LabelFileError: As `import_labels`.
        StoreError: If the store cannot be read.
    """
    classes = {} if store is None else {known.id: known.name for known in store.classes(archived=True)}
    active = set() if store is None else {known.name for known in store.classes()}
    faults = check_file(file, known=active, unknown_classes=unknown_classes, unmatched=unmatched)
    present = {} if store is None else store.labels()
    names = {key: class_name(name) for key, name in file.labels.items()}
    compared = None if file.copy is None else compare(store, file.copy)
    different = {
        key: (old, name)
        for key, name in names.items()
        if key in present and (old := classes.get(present[key].class_id, "")) != name
    }
    if compared is not None:
        different = {one.key: (one.mine, one.theirs) for one in compared.conflicts}
    ordered = [class_name(name) for name in file.classes] or _class_names(file)
    return ImportPlan(
        file,
        new=len(compared.new) if compared else sum(key not in present for key in names),
        same=len(compared.same) if compared else sum(key in present for key in names) - len(different),
        different=different,
        by_people=sum(present[key].source != "import" for key in different),
        counts=dict(Counter(names.values()).most_common()),
        created=tuple(name for name in dict.fromkeys(ordered) if name not in active),
        notes=(*faults, *file.notes),
        compared=compared,
    )
