"""What happened to the files that labels belong to: moved, changed, missing, back again.

The changes are found first, in any thread and without writing; if nothing
happened, nothing is written. Each labelled file is hashed once, because a moved
file can only be recognised if its hash was known before: all at once before a
training, or by `dataset.fingerprints` after an import and in idle time. So
opening a dataset reads only those files that may have changed.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mia_tui.dataset.hashes import file_hashes
from mia_tui.dataset.model import ImageFile
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.history import ChangeRecorder, rejected_moves
from mia_tui.decoding import Count
from mia_tui.text import decode_name, encode_name

Hashing = Literal["all", "doubtful"]
_StoredFileFields = tuple[bytes, Count | None, int | None, str | None, Count, Count]


@dataclass(frozen=True)
class AppliedFileChanges:
    """What `LabelStore.apply_file_changes` wrote; paths are relative to the dataset.

    Attributes:
        missing: Labelled files that no longer exist; the labels stay.
        relinked: (old, new): files that were moved; their labels moved with them.
        changed: Files whose content has changed since it was labelled; they were flagged just now.
        returned: Files that had been missing.
        batch: What `LabelStore.undo` needs to undo it; None if nothing was added to the history.
    """

    missing: tuple[str, ...]
    relinked: tuple[tuple[str, str], ...]
    changed: tuple[str, ...]
    returned: tuple[str, ...]
    batch: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class StoredFile:
    """What labels.db knows about a file, all its frames together.

    `rejected` are paths that this file did not move to: a person undid that.
    """

    size: int | None
    mtime_ns: int | None
    hash: str | None
    missing: bool
    labelled: bool
    rejected: frozenset[str] = frozenset()


@dataclass
class FileChanges:
    """What has to be written. `current` are size, time and hash as they are now.

    `missing` are labelled files that no longer exist, `newly_absent` all files not marked as missing yet.
    """

    missing: list[str] = field(default_factory=list)
    newly_absent: list[str] = field(default_factory=list)
    relinked: list[tuple[str, str]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    current: dict[str, StoredFile] = field(default_factory=dict)


def read_stored(connection: sqlite3.Connection) -> dict[str, StoredFile]:
    """All files that labels.db knows, by path."""
    rejected: defaultdict[str, set[str]] = defaultdict(set)
    for old, new in rejected_moves(connection):
        rejected[decode_name(old)].add(decode_name(new))
    found = connection.execute(
        """SELECT path, MAX(size), MAX(mtime_ns), MAX(hash), MAX(missing), COUNT(label.image_id)
        FROM image LEFT JOIN label ON label.image_id = image.id GROUP BY path ORDER BY MIN(image.id)"""
    )
    stored = {}
    for name, size, mtime_ns, hash, missing, labels in rows.checked(found, _StoredFileFields):
        path = os.fsdecode(name)
        moves = frozenset(rejected.get(path, ()))
        stored[path] = StoredFile(size, mtime_ns, hash, bool(missing), bool(labels), moves)
    return stored


def find_file_changes(
    stored: Mapping[str, StoredFile], files: Sequence[ImageFile], root: Path, *, hashing: Hashing = "all"
) -> FileChanges:
    """Compare the store with the disk. Reads files, writes nothing, needs no open store.

    Args:
        stored: From `read_stored`.
        files: All files of the dataset now, with sizes and times.
        root: The dataset's folder.
        hashing: "all" also reads labelled files whose hash is not known, so that they are recognised if they
            move later; "doubtful" only files that may have changed, or may be a missing one that was moved.
    """
    present = {file.path: file for file in files}
    here = {path: present[path] for path in stored if path in present}
    gone, new_files = _missing_and_new(stored, files)
    to_read = [file for path, file in here.items() if _wants_hash(stored[path], file, hashing)]
    wanted = [*to_read, *new_files]
    hashes = file_hashes(root, wanted) if wanted else {}

    changes = FileChanges()
    for path, file in here.items():
        _compare(changes, stored[path], file, hashes.get(path))
    changes.relinked = _pair_up(gone, new_files, hashes)
    for old, new in changes.relinked:
        changes.current[new] = _seen(present[new], gone[old].hash, gone[old])
    moved = {old for old, _ in changes.relinked}
    absent = [path for path in gone if path not in moved]
    changes.missing = [path for path in absent if stored[path].labelled]
    changes.newly_absent = [path for path in absent if not stored[path].missing]
    return changes


def find_moves(stored: Mapping[str, StoredFile], files: Sequence[ImageFile], root: Path) -> dict[str, str]:
    """Where missing files are now, old path to new, without writing it down.

    Only reads new files of the same size as a missing one.
    """
    gone, new_files = _missing_and_new(stored, files)
    return dict(_pair_up(gone, new_files, file_hashes(root, new_files) if new_files else {}))


def has_work(changes: FileChanges) -> bool:
    """Whether there is anything to write."""
    return bool(changes.newly_absent or changes.current or changes.relinked)


def report(
    changes: FileChanges, relinked: Iterable[tuple[str, str]] = (), batch: int | None = None
) -> AppliedFileChanges:
    """The report on changes."""
    return AppliedFileChanges(
        tuple(changes.missing), tuple(relinked), tuple(changes.changed), tuple(changes.returned), batch
    )


def write_changes(
    connection: sqlite3.Connection, changes: FileChanges, recorder: ChangeRecorder
) -> AppliedFileChanges:
    """Write changes, within a transaction of the caller; they may have been found some time ago.

    Moves that somebody else has written since, or whose new file has a label of its own by now, are left out.
    """
    connection.executemany(
        "UPDATE image SET missing = 1 WHERE path = ?", ((os.fsencode(path),) for path in changes.newly_absent)
    )
    relinked = [(old, new) for old, new in changes.relinked if _relink(connection, recorder, old, new)]
    for path in changes.changed:
        _flag(connection, recorder, path)
    connection.executemany(
        "UPDATE image SET size = ?, mtime_ns = ?, hash = ?, missing = 0 WHERE path = ?",
        ((now.size, now.mtime_ns, now.hash, os.fsencode(path)) for path, now in changes.current.items()),
    )
    return report(changes, relinked, recorder.written_batch)


def write_fingerprints(connection: sqlite3.Connection, fingerprints: Iterable[tuple[ImageFile, str]]) -> int:
    """Store size, time and hash of labelled files, within a transaction of the caller.

    A file with another known hash is left as it is: it changed under its label, and `find_file_changes` has to
    see that.

    Returns:
        How many images got them.
    """
    return connection.executemany(
        """UPDATE image SET size = ?, mtime_ns = ?, hash = ? WHERE path = ?
        AND EXISTS (SELECT 1 FROM label WHERE image_id = image.id) AND (hash IS NULL OR hash = ?)""",
        ((file.size, file.mtime_ns, hash, os.fsencode(file.path), hash) for file, hash in fingerprints),
    ).rowcount


def _relink(connection: sqlite3.Connection, recorder: ChangeRecorder, old: str, new: str) -> bool:
    old_name, new_name = os.fsencode(old), os.fsencode(new)
    if connection.execute("SELECT 1 FROM image WHERE path = ?", (new_name,)).fetchone():
        return False
    ids = [row[0] for row in connection.execute("SELECT id FROM image WHERE path = ?", (old_name,))]
    connection.execute("UPDATE image SET path = ? WHERE path = ?", (new_name, old_name))
    recorder.add_many(("path", id, encode_name(old), encode_name(new), None) for id in ids)
    return bool(ids)


def _flag(connection: sqlite3.Connection, recorder: ChangeRecorder, path: str) -> None:
    found = connection.execute(
        f"""SELECT id, flagged FROM image JOIN label ON image_id = id
        WHERE path = ? AND NOT flagged & {rows.CONTENT_CHANGED}""",
        (os.fsencode(path),),
    ).fetchall()
    for id, before in found:
        after = before | rows.CONTENT_CHANGED
        connection.execute("UPDATE image SET flagged = ? WHERE id = ?", (after, id))
        recorder.add("flag", id, before, after)


def _compare(changes: FileChanges, known: StoredFile, file: ImageFile, hash: str | None) -> None:
    if known.missing:
        changes.returned.append(file.path)
    is_other = _is_other_content(known, file, hash)
    if is_other and known.labelled:
        changes.changed.append(file.path)
    if (
        hash is None and not is_other and known.labelled
    ):  # nothing new, or not readable now: keep what was known
        now = replace(known, missing=False)
    else:
        now = _seen(file, hash, known)
    if now != known:
        changes.current[file.path] = now


def _is_other_content(known: StoredFile, file: ImageFile, hash: str | None) -> bool:
    if known.size is not None and known.size != file.size:
        return True
    return known.hash is not None and hash is not None and known.hash != hash


def _wants_hash(known: StoredFile, file: ImageFile, hashing: Hashing) -> bool:
    """Whether its hash is unknown, or it was modified since. Files without a label need no hash."""
    if not known.labelled:
        return False
    if known.hash is None:
        return hashing == "all"
    return (known.size, known.mtime_ns) != (file.size, file.mtime_ns)


def _missing_and_new(
    stored: Mapping[str, StoredFile], files: Sequence[ImageFile]
) -> tuple[dict[str, StoredFile], list[ImageFile]]:
    """Known files that are missing, and the new files of the same size as one of them."""
    present = {file.path for file in files}
    gone = {path: known for path, known in stored.items() if path not in present}
    sizes = {known.size for known in gone.values() if known.hash is not None}
    return gone, [file for file in files if file.size in sizes and file.path not in stored]


def _pair_up(
    gone: Mapping[str, StoredFile], new_files: Iterable[ImageFile], hashes: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Old and new paths of equal content. Of several copies, the one with the longest common end of the path."""
    by_hash: defaultdict[str, list[str]] = defaultdict(list)
    for file in new_files:
        if file.path in hashes:
            by_hash[hashes[file.path]].append(file.path)
    pairs = [
        (-_common_end(old, new), old, new)
        for old, known in gone.items()
        if known.hash is not None
        for new in by_hash.get(known.hash, ())
        if new not in known.rejected
    ]
    taken: dict[str, str] = {}
    used: set[str] = set()
    for _, old, new in sorted(pairs):
        if old not in taken and new not in used:
            taken[old] = new
            used.add(new)
    return list(taken.items())


def _common_end(one: str, other: str) -> int:
    parts = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    count = 0
    for a, b in parts:
        if a != b:
            break
        count += 1
    return count


def _seen(file: ImageFile, hash: str | None, known: StoredFile) -> StoredFile:
    return replace(known, size=file.size, mtime_ns=file.mtime_ns, hash=hash, missing=False)
