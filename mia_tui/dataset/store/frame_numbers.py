"""Labels of stacks whose frames had other numbers: which frame each of them belongs to now.

Until numbering 2 (`model.FRAME_NUMBERING`) each page of a TIFF was an image of its own. Now channels are part of one
image, so several old pages may be one frame. Only the file tells; as long as it was not read, page n is kept as frame
-2 - n, where no image is, so its label is neither shown nor trained on.

The frames of a file are found first, in any thread and without writing (`find_frames`). Then either the labels are
moved there, in one transaction with its changes in the history (`write_frames`), or they are only read so
(`present_keys`), where nothing may be written.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from mia_tui.dataset.model import FRAME_NUMBERING, PARTS, ImageKey
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.history import ChangeRecorder, NewChange
from mia_tui.dataset.store.migrations import NUMBERED_FROM, schema_version
from mia_tui.dataset.store.records import Label
from mia_tui.dataset.threads import map_in_threads
from mia_tui.decoding import Count, check
from mia_tui.errors import DecodeError
from mia_tui.text import counted, name_some, printable

_FIRST = -2
_MOST_NAMED = 8  # pages in a note; a stack may have thousands
_AT_ONCE = 4096  # single images
_SUFFIXES = (".tif", ".tiff")  # of the files whose pages were frames
_ImageFields = tuple[Count, rows.StoredFrame, Count, Count, str | None, str | None]

OldPages = dict[str, list[int]]
"""The numbers that images of a file have in the old numbering, by path."""


def kept_as(page: int) -> int:
    """The frame as which a page of the old numbering is kept, and the other way round."""
    return _FIRST - page


def old_key(path: str, frame: int) -> ImageKey:
    """The key of an image of a labels.db that does not say which numbering it has."""
    is_old = frame > 0 and path.lower().endswith(_SUFFIXES)
    return ImageKey(path, kept_as(frame) if is_old else frame)


def read_old_pages(connection: sqlite3.Connection) -> OldPages:
    """The images whose frame now is not known; only reads."""
    if schema_version(connection) < NUMBERED_FROM:
        found = connection.execute(
            """SELECT path, frame FROM image
            WHERE lower(substr(path, -4)) = '.tif' OR lower(substr(path, -5)) = '.tiff' ORDER BY path"""
        )
    else:
        found = connection.execute("SELECT path, frame FROM image WHERE numbering = 1 ORDER BY path")
    pages: defaultdict[str, list[int]] = defaultdict(list)
    for name, frame in rows.checked(found, tuple[bytes, rows.StoredFrame]):
        path = os.fsdecode(name)
        if path.lower().endswith(_SUFFIXES):
            pages[path].append(kept_as(frame) if frame <= _FIRST else frame)
    return {path: sorted(numbers) for path, numbers in pages.items()}


@dataclass(frozen=True)
class FramesNow:
    """What the old pages of files are now.

    Attributes:
        frames: The frame of each old page, by path; None if all numbers are as they were.
        stacks: Those of them that have several frames, or had.
        waiting: Files that are missing or cannot be read, with pages that may be other frames.
    """

    frames: dict[str, Sequence[int] | None] = field(default_factory=dict)
    stacks: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)

    def in_parts(self) -> Iterator["FramesNow"]:
        """All stacks together, and then the single images, some thousands at a time: a key may wait for each part."""
        if self.stacks:
            yield replace(self, frames={path: self.frames[path] for path in self.stacks})
        single = iter([path for path in self.frames if path not in self.stacks])
        while some := list(islice(single, _AT_ONCE)):
            yield FramesNow(dict.fromkeys(some))

    @property
    def note(self) -> str | None:
        """A sentence about labels that are left out."""
        if not self.waiting:
            return None
        return (
            f"Labels of {counted(len(self.waiting), 'stack')} that cannot be read now are left out: frames are "
            f"counted in another way than by the version that made them ({name_some(self.waiting)})."
        )


def find_frames(
    old: Mapping[str, Sequence[int]], here: Collection[str], stacks: Mapping[str, int], root: Path
) -> FramesNow:
    """Find out what old pages are now. Reads files, writes nothing, needs no open store.

    Args:
        old: From `read_old_pages`.
        here: Files that exist, or at least those of `old`.
        stacks: How many frames those of them have that have several.
        root: The dataset's folder.
    """
    now = FramesNow()
    doubtful = []
    for path, pages in old.items():
        if path in here and (path in stacks or pages[-1] > 0):
            doubtful.append(path)
        elif path in here:  # a single image
            now.frames[path] = None
        elif pages[-1] > 0:
            now.waiting.append(path)

    def read(path: str) -> Sequence[int] | DecodeError | None:
        from mia_tui.dataset.images.reading import new_frame_numbers

        try:
            return new_frame_numbers(root / path)
        except DecodeError as error:
            return error

    for path, numbers in zip(doubtful, map_in_threads(read, doubtful), strict=True):
        known = stacks.get(path, 1) if numbers is None or isinstance(numbers, DecodeError) else len(numbers)
        if isinstance(numbers, DecodeError) or old[path][-1] >= known:  # damaged, or another file by now
            now.waiting.append(path)
        else:
            now.frames[path] = numbers
            now.stacks.add(path)
    return now


def find_frames_of(keys: Iterable[ImageKey], root: Path) -> dict[ImageKey, ImageKey]:
    """The keys now of images that were named by the old numbering, as `present_keys` of those kept in a store.

    Those that cannot be told, or are no images any more, get a key that no image has. Reads the stacks among them.

    Args:
        keys: As they were named then.
        root: Folder that their paths are relative to.
    """
    from mia_tui.dataset.images.reading import count_frames

    pages: defaultdict[str, list[int]] = defaultdict(list)
    for key in keys:
        if key.path.lower().endswith(_SUFFIXES):
            pages[key.path].append(key.frame)
    old = {path: sorted(numbers) for path, numbers in pages.items() if max(numbers) > 0}
    counts = {}
    for path in old:
        with suppress(DecodeError):
            counts[path] = count_frames(root / path)
    now = find_frames(old, counts.keys(), counts, root)
    present = present_keys(old, now)
    found = {}
    for path, numbers in old.items():
        for page in numbers:
            stored = ImageKey(path, page if page == 0 else kept_as(page))
            found[ImageKey(path, page)] = present.get(stored, stored)
    return found


def frame_now(page: int, numbers: Sequence[int] | None) -> int | None:
    """The frame of an old page; None if it is not an image any more."""
    if numbers is None:
        return page
    return numbers[page] if numbers[page] >= 0 else None


def present_keys(old: Mapping[str, Sequence[int]], now: FramesNow) -> dict[ImageKey, ImageKey]:
    """The key of each old page as it is kept, in order of their numbers, and of its frame now, where they differ."""
    keys = {}
    for path, numbers in now.frames.items():
        for page in old[path]:
            stored, frame = page if page == 0 else kept_as(page), frame_now(page, numbers)
            if frame != stored:
                keys[ImageKey(path, stored)] = ImageKey(path, kept_as(page) if frame is None else frame)
    return keys


def with_present_frames(
    labels: Mapping[ImageKey, Label], frames: Mapping[ImageKey, ImageKey]
) -> tuple[dict[ImageKey, Label], str | None]:
    """Labels by the frames that images have now, as `write_frames` would leave them; and a sentence of doubts.

    Args:
        labels: As they are kept.
        frames: From `present_keys`.
    """
    present = {key: label for key, label in labels.items() if key not in frames}
    doubtful: dict[ImageKey, None] = {}
    for stored, key in frames.items():
        if stored in labels and present.setdefault(key, labels[stored]).class_id != labels[stored].class_id:
            doubtful[key] = None
    return present, _doubts(doubtful, "of each, the first counts") if doubtful else None


@dataclass(frozen=True)
class WrittenFrames:
    """What `write_frames` wrote.

    Attributes:
        changed: Files whose images have other numbers now.
        joined: How many images became part of another one.
        doubtful: Images whose parts had different labels; they were flagged.
    """

    changed: list[str] = field(default_factory=list)
    joined: int = 0
    doubtful: list[ImageKey] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What happened, a sentence each."""
        notes = []
        if self.changed:
            joined = (
                f"; {counted(self.joined, 'channel')} joined the image it is part of" if self.joined else ""
            )
            if self.joined > 1:
                joined = f"; {self.joined:,} channels joined the images they are part of"
            notes.append(
                f"Labels of {counted(len(self.changed), 'stack')} got the numbers that frames have now{joined}: "
                f"{name_some(self.changed)}."
            )
        if self.doubtful:
            notes.append(_doubts(self.doubtful, "the first was kept, and the image flagged with a note"))
        return notes


def _doubts(keys: Collection[ImageKey], done: str) -> str:
    named = name_some(f"{key.path} frame {key.frame}" for key in keys)
    return (
        f"{counted(len(keys), 'image has', 'images have')} channels with different labels; {done}: {named}."
    )


def write_frames(connection: sqlite3.Connection, recorder: ChangeRecorder, now: FramesNow) -> WrittenFrames:
    """Give images the numbers that their frames have now, within a transaction of the caller.

    Of several pages that are one image now, equal labels stay, and of different ones the first: then the image is
    flagged, and its note says what the others were. The rows of the other pages stay, for the history.
    """
    written = WrittenFrames()
    joined = 0
    for path in [path for path, numbers in now.frames.items() if numbers is not None or path in now.stacks]:
        numbers = now.frames[path]
        found = _Images(connection, path)
        groups = found.groups(numbers)
        changes = [change for frame, images in groups.items() for change in found.join(frame, images)]
        changes += found.set_aside()
        # The first page leaves its place before another one takes it.
        changes.sort(key=lambda change: change[0] != "frame" or change[2] != 0)
        recorder.add_many(changes)
        if changes and numbers is not None:
            written.changed.append(path)
        joined += sum(len(images) - 1 for images in groups.values())
        written.doubtful.extend(found.doubtful)
    connection.executemany(
        f"UPDATE image SET numbering = {FRAME_NUMBERING} WHERE path = ? AND numbering = 1",
        ((os.fsencode(path),) for path in now.frames),
    )
    return replace(written, joined=joined)


@dataclass
class _KeptImage:
    """A row of the store."""

    id: int
    frame: int
    flagged: int
    skipped: bool
    note: str | None
    part: str | None
    label: Label | None
    page: int | None

    @property
    def name(self) -> str:
        return "this image" if self.page is None else f"page {self.page + 1}"


class _Images:
    """The images of one file, while their numbers change."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._db, self._path, self._name = connection, path, os.fsencode(path)
        self.doubtful: list[ImageKey] = []
        self._gone: list[_KeptImage] = []
        self._classes = {known.id: known.name for known in rows.read_classes(connection, archived=True)}

    def groups(self, numbers: Sequence[int] | None) -> dict[int, list[_KeptImage]]:
        """The images that are one frame now: first one that was labelled by that number, then old pages in order."""
        found = self._db.execute(
            """SELECT id, frame, flagged, skipped, note, part, numbering FROM image
            LEFT JOIN split ON split.image_id = id WHERE path = ?""",
            (self._name,),
        ).fetchall()
        labels = dict(self._labels())
        groups: defaultdict[int, list[_KeptImage]] = defaultdict(list)
        images = []
        for *fields, numbering in found:
            id, frame, flagged, skipped, note, part = check(tuple(fields), _ImageFields)
            page = None
            if numbering == 1:
                page = kept_as(frame) if frame <= _FIRST else frame
            images.append(_KeptImage(id, frame, flagged, bool(skipped), note, part, labels.get(id), page))
        for image in sorted(images, key=lambda image: -1 if image.page is None else image.page):
            frame_is = image.frame if image.page is None else frame_now(image.page, numbers)
            if frame_is is None:
                self._gone.append(image)
            elif frame_is >= 0:
                groups[frame_is].append(image)
        return {frame: group for frame, group in groups.items() if any(i.page is not None for i in group)}

    def join(self, frame: int, images: Sequence[_KeptImage]) -> Iterator[NewChange]:
        """Make one image of several, the first of them; gives the changes for the history."""
        first, *others = images
        if first.page is not None and first.frame != frame:
            yield "frame", first.id, first.frame, frame, None
            self._make_room(frame)
            self._db.execute("UPDATE image SET frame = ? WHERE id = ?", (frame, first.id))
        labelled = [image for image in images if image.label is not None]
        label = labelled[0].label if labelled else None
        if label is not None and first.label is None:
            yield "label", first.id, None, label, None
        different = [
            image
            for image in labelled[1:]
            if image.label and label and image.label.class_id != label.class_id
        ]
        flagged, note = self._marks(images, different)
        yield from self._mark(first, flagged, note, any(i.skipped for i in images) and label is None)
        for other in others:
            if other.label is not None:
                yield "label", other.id, other.label, None, None
            yield from self._mark(other, 0, None, False)
            yield from self._put_aside(other)
        rows.write_label_rows(self._db, {first.id: label, **{other.id: None for other in others}})
        self._keep_part(images)
        if different:
            self.doubtful.append(ImageKey(self._path, frame))

    def set_aside(self) -> Iterator[NewChange]:
        """Keep pages that are no images any more where nothing is looked for, with their labels."""
        for image in self._gone:
            yield from self._put_aside(image)

    def _put_aside(self, image: _KeptImage) -> Iterator[NewChange]:
        if image.frame >= 0:  # where another image is now, or none
            yield "frame", image.id, image.frame, kept_as(image.frame), None
            self._db.execute("UPDATE image SET frame = ? WHERE id = ?", (kept_as(image.frame), image.id))

    def _make_room(self, frame: int) -> None:
        """The first page, which is another frame now, waits for its turn where it is in nobody's way."""
        self._db.execute(
            "UPDATE image SET frame = ? WHERE path = ? AND frame = ? AND numbering = 1",
            (kept_as(frame), self._name, frame),
        )

    def _marks(self, images: Sequence[_KeptImage], different: Sequence[_KeptImage]) -> tuple[int, str | None]:
        """Flag and note of an image, from those of its parts."""
        flagged = 0
        for image in images:
            flagged |= image.flagged
        notes = [image.note for image in images if image.note]
        if different:
            flagged |= rows.BY_PERSON
            named = [f'{image.name} was "{self._class_name(image.label)}"' for image in different]
            notes.append(f"before its channels became one image, {name_some(named, _MOST_NAMED)}")
        return flagged, printable("; ".join(dict.fromkeys(notes))) or None

    def _mark(self, image: _KeptImage, flagged: int, note: str | None, skipped: bool) -> Iterator[NewChange]:
        if flagged != image.flagged:
            yield "flag", image.id, image.flagged, flagged, None
        if note != image.note:
            yield "note", image.id, image.note, note, None
        if skipped != image.skipped:
            yield "skip", image.id, image.skipped, skipped, None
        self._db.execute(
            "UPDATE image SET flagged = ?, note = ?, skipped = ? WHERE id = ?",
            (flagged, note, skipped, image.id),
        )

    def _keep_part(self, images: Sequence[_KeptImage]) -> None:
        """One part of the split: what any of them was held out for, it stays held out for."""
        parts = [part for part in reversed(PARTS) if any(image.part == part for image in images)]
        for image in images:
            self._db.execute("DELETE FROM split WHERE image_id = ?", (image.id,))
        if parts:
            self._db.execute("INSERT INTO split VALUES (?, ?)", (images[0].id, parts[0]))

    def _labels(self) -> Iterable[tuple[int, Label]]:
        found = self._db.execute(
            f"SELECT image_id, {rows.LABEL_COLUMNS} FROM label JOIN image ON id = image_id WHERE path = ?",
            (self._name,),
        ).fetchall()
        return ((row[0], Label(*check(tuple(row[1:]), rows.LabelFields))) for row in found)

    def _class_name(self, label: Label | None) -> str:
        return "" if label is None else self._classes.get(label.class_id, "")
