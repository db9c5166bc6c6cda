"""Reading the labels.db of a copy of the dataset, and finding its images here: by path, else by content."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.hashes import file_hashes
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.scan.file_cache import FileCache
from mia_tui.dataset.scan.scan import Scan
from mia_tui.dataset.store.file_changes import StoredFile
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Label, Mark, Opinion
from mia_tui.dataset.store.review.merging import KeptIssue
from mia_tui.dataset.store.review.records import AuditRow
from mia_tui.text import counted, name_some, printable

Value = TypeVar("Value")


@dataclass(frozen=True)
class LabelCopy:
    """What the labels.db of a copy says of images of this dataset, by their keys here.

    Attributes:
        names: Names of its classes by the ids that everything else has; archived ones are left out.
        labels: Its labels.
        former: Labels that its images had before.
        marks: Flags, skips and notes.
        opinions: What annotators said beside the labels.
        decisions: How disputes were decided.
        second_pass: Images that were drawn to be labelled again.
        kept: Label issues that were kept.
        audits: Images of audits.
    """

    names: Mapping[int, str]
    labels: Mapping[ImageKey, Label]
    former: Mapping[ImageKey, set[Label]] = field(default_factory=dict)
    marks: Mapping[ImageKey, Mark] = field(default_factory=dict)
    opinions: Mapping[ImageKey, Mapping[str, Opinion]] = field(default_factory=dict)
    decisions: Mapping[ImageKey, Opinion] = field(default_factory=dict)
    second_pass: frozenset[ImageKey] = frozenset()
    kept: Sequence[KeptIssue] = ()
    audits: Sequence[AuditRow] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.labels or self.marks or self.opinions or self.second_pass or self.audits)


def read_label_copy(path: Path, scan: Scan, *, dataset: Path) -> LabelFile:
    """Read what the labels.db of a copy says of this dataset's images. The file is never written to.

    Args:
        path: The labels.db.
        scan: The dataset's images.
        dataset: The dataset's folder.

    Raises:
        StoreError: If it cannot be read, or is no labels.db.
        DataError: If one of its classes has a name that is not allowed.
    """
    with LabelStore.read_other(path) as other:
        names = {known.id: class_name(known.name) for known in other.classes()}
        found = find_files(other.stored_files(), scan.files, dataset)
        labels = other.labels()
        placed = {key: here for key in labels if (here := found.here(key)) is not None}
        copy = LabelCopy(
            names,
            {
                placed[key]: label
                for key, label in labels.items()
                if key in placed and label.class_id in names
            },
            found.place(other.former_labels()),
            found.place(other.marks()),
            found.place(other.opinions()),
            found.place(other.decisions()),
            frozenset(found.place(dict.fromkeys(other.second_pass()))),
            [replace(one, image=here) for one in other.kept_issues() if (here := found.here(one.image))],
            [replace(one, image=here) for one in other.audits() if (here := found.here(one.image))],
        )
    elsewhere = {*found.changed, *found.ambiguous}
    unmatched = sorted({key.path for key in labels if key not in placed} - elsewhere)
    return LabelFile(
        printable(path.name),
        {key: names[label.class_id] for key, label in copy.labels.items()},
        unmatched=unmatched,
        ambiguous=found.ambiguous,
        classes=tuple(names.values()),
        notes=_notes(found),
        copy=copy,
    )


@dataclass(frozen=True)
class FoundFiles:
    """Where the files of a copy are in this dataset.

    Attributes:
        paths: Path here by path there.
        renamed: Of those, the ones with another path here.
        changed: Paths of files whose content here is another one.
        ambiguous: Paths of files that several files here could be.
    """

    paths: Mapping[str, str]
    renamed: Sequence[str]
    changed: Sequence[str]
    ambiguous: list[str]

    def here(self, key: ImageKey) -> ImageKey | None:
        """The key of an image here; None if it is not here."""
        path = self.paths.get(key.path)
        return None if path is None else key if path == key.path else ImageKey(path, key.frame)

    def place(self, values: Mapping[ImageKey, Value]) -> dict[ImageKey, Value]:
        """The values of images that are here, by their keys here."""
        return {here: value for key, value in values.items() if (here := self.here(key)) is not None}


def find_files(theirs: Mapping[str, StoredFile], files: Iterable[ImageFile], dataset: Path) -> FoundFiles:
    """Find the files of a copy here: by path, unless the content is known to differ, else by content.

    Only files of the right size that are no file of the copy by their path are read.

    Args:
        theirs: What the labels.db of the copy knows of its files.
        files: All files here.
        dataset: The folder here.
    """
    here = {file.path: file for file in files}
    cache = FileCache(dataset)
    changed = [path for path in theirs if path in here and _differs(theirs[path], here[path], cache)]
    lost = {path for path in theirs if path not in here} | set(changed)
    by_hash = {theirs[path].hash: path for path in lost if theirs[path].hash is not None}
    sizes = {theirs[path].size for path in by_hash.values()}
    hashes = file_hashes(
        dataset,
        [file for path, file in here.items() if file.size in sizes and (path not in theirs or path in lost)],
    )
    places: dict[str, list[str]] = {}
    for path, content in hashes.items():
        if content in by_hash:
            places.setdefault(by_hash[content], []).append(path)
    renamed = {path: found[0] for path, found in places.items() if len(found) == 1}
    paths = {path: path for path in theirs if path in here and path not in lost} | renamed
    return FoundFiles(
        paths,
        sorted(renamed),
        sorted(set(changed) - set(renamed)),
        sorted(path for path, found in places.items() if len(found) > 1),
    )


def _differs(there: StoredFile, here: ImageFile, cache: FileCache) -> bool:
    """Whether two files of the same name are known to have other content."""
    if there.size is None or here.size is None:
        return False
    if there.size != here.size:
        return True
    known = cache.hash(here)
    return None not in (known, there.hash) and known != there.hash


def _notes(found: FoundFiles) -> tuple[str, ...]:
    notes = []
    if found.renamed:
        words = counted(len(found.renamed), "image has another name", "images have other names")
        notes.append(f"{words} here, and got found by content: {name_some(found.renamed)}.")
    if found.changed:
        words = counted(len(found.changed), "image has other content", "images have other content")
        notes.append(f"{words} here and there, and were left out: {name_some(found.changed)}.")
    return tuple(notes)
