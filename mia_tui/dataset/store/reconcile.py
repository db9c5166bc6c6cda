"""What became of the files that labels belong to: moved, changed, gone, back again.

A plan is made first, without writing, in any thread; a dataset where nothing
happened is not written to. Hashes are read once for each labelled file,
because a file that was moved can only be known again if its hash was known
before: all at once for a training, or by `note_facts` behind an import and in
idle time (`dataset.fingerprints`), so that opening a dataset reads only files
where something looks off.
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
from mia_tui.records import Count
from mia_tui.text import decode_name, encode_name

Hashing = Literal["all", "doubtful"]
_StoredFields = tuple[bytes, Count | None, int | None, str | None, Count, Count]


@dataclass(frozen=True)
class Reconciled:
    """What `LabelStore.follow` found and wrote; paths are relative to the dataset.

    Attributes:
        missing: Files with a label that are not there; the labels stay.
        relinked: (old, new): files that were moved; their labels went with them.
        changed: Files whose content is another than the one that was labelled; flagged just now.
        returned: Files that had been missing.
        batch: What `LabelStore.undo` takes to undo it; None if nothing came into the history.
    """

    missing: tuple[str, ...]
    relinked: tuple[tuple[str, str], ...]
    changed: tuple[str, ...]
    returned: tuple[str, ...]
    batch: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Stored:
    """What labels.db knows of a file: of all its frames together.

    `rejected` are paths of files that a person said this one did not move to.
    """

    size: int | None
    mtime_ns: int | None
    hash: str | None
    missing: bool
    labelled: bool
    rejected: frozenset[str] = frozenset()


@dataclass
class Plan:
    """What is to be written. `facts` are size, time and hash as they are now.

    `missing` are files with a label that are not there, `newly_absent` all files not known to be gone yet.
    """

    missing: list[str] = field(default_factory=list)
    newly_absent: list[str] = field(default_factory=list)
    relinked: list[tuple[str, str]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    facts: dict[str, Stored] = field(default_factory=dict)


def read_stored(connection: sqlite3.Connection) -> dict[str, Stored]:
    """All files that labels.db knows, by path."""
    rejected: defaultdict[str, set[str]] = defaultdict(set)
    for old, new in rejected_moves(connection):
        rejected[decode_name(old)].add(decode_name(new))
    found = connection.execute(
        """SELECT path, MAX(size), MAX(mtime_ns), MAX(hash), MAX(missing), COUNT(label.image_id)
        FROM image LEFT JOIN label ON label.image_id = image.id GROUP BY path ORDER BY MIN(image.id)"""
    )
    stored = {}
    for name, size, mtime_ns, hash, missing, labels in rows.checked(found, _StoredFields):
        path = os.fsdecode(name)
        moves = frozenset(rejected.get(path, ()))
        stored[path] = Stored(size, mtime_ns, hash, bool(missing), bool(labels), moves)
    return stored


def make_plan(
    stored: Mapping[str, Stored], files: Sequence[ImageFile], root: Path, *, hashing: Hashing = "all"
) -> Plan:
    """Compare what was known with what is there. Reads files, writes nothing, needs no store.

    Args:
        stored: From `read_stored`.
        files: The dataset as it is, with sizes and times.
        root: Its folder, for files whose hash is needed.
        hashing: "all" reads labelled files whose hash is not known, too, so that they can be followed
            later; "doubtful" only files that look touched, or like the new place of a missing one.
    """
    present = {file.path: file for file in files}
    here = {path: present[path] for path in stored if path in present}
    gone, strangers = _gone_and_strangers(stored, files)
    to_read = [file for path, file in here.items() if _wants_hash(stored[path], file, hashing)]
    wanted = [*to_read, *strangers]
    hashes = file_hashes(root, wanted) if wanted else {}

    plan = Plan()
    for path, file in here.items():
        _compare(plan, stored[path], file, hashes.get(path))
    plan.relinked = _pair_up(gone, strangers, hashes)
    for old, new in plan.relinked:
        plan.facts[new] = _seen(present[new], gone[old].hash, gone[old])
    moved = {old for old, _ in plan.relinked}
    absent = [path for path in gone if path not in moved]
    plan.missing = [path for path in absent if stored[path].labelled]
    plan.newly_absent = [path for path in absent if not stored[path].missing]
    return plan


def find_moves(stored: Mapping[str, Stored], files: Sequence[ImageFile], root: Path) -> dict[str, str]:
    """Where files that are missing lie now, old path to new, for whoever only looks.

    Reads new files of the size of a missing one, and nothing else.
    """
    gone, strangers = _gone_and_strangers(stored, files)
    return dict(_pair_up(gone, strangers, file_hashes(root, strangers) if strangers else {}))


def has_work(plan: Plan) -> bool:
    """Whether there is anything to write."""
    return bool(plan.newly_absent or plan.facts or plan.relinked)


def report(plan: Plan, relinked: Iterable[tuple[str, str]] = (), batch: int | None = None) -> Reconciled:
    """What came of a plan."""
    return Reconciled(tuple(plan.missing), tuple(relinked), tuple(plan.changed), tuple(plan.returned), batch)


def carry_out(connection: sqlite3.Connection, plan: Plan, notes: ChangeRecorder) -> Reconciled:
    """Write a plan, within a transaction of the caller; it may be some time old.

    Moves are left out that somebody else made meanwhile, or whose new file got a label of its own.
    """
    connection.executemany(
        "UPDATE image SET missing = 1 WHERE path = ?", ((os.fsencode(path),) for path in plan.newly_absent)
    )
    relinked = [(old, new) for old, new in plan.relinked if _relink(connection, notes, old, new)]
    for path in plan.changed:
        _flag(connection, notes, path)
    connection.executemany(
        "UPDATE image SET size = ?, mtime_ns = ?, hash = ?, missing = 0 WHERE path = ?",
        ((now.size, now.mtime_ns, now.hash, os.fsencode(path)) for path, now in plan.facts.items()),
    )
    return report(plan, relinked, notes.written_batch)


def note_facts(connection: sqlite3.Connection, facts: Iterable[tuple[ImageFile, str]]) -> int:
    """Keep size, time and hash of labelled files, within a transaction of the caller.

    A file whose known hash is another one is left alone: it changed under its label, and `make_plan` is to
    see that.

    Returns:
        How many images got them.
    """
    return connection.executemany(
        """UPDATE image SET size = ?, mtime_ns = ?, hash = ? WHERE path = ?
        AND EXISTS (SELECT 1 FROM label WHERE image_id = image.id) AND (hash IS NULL OR hash = ?)""",
        ((file.size, file.mtime_ns, hash, os.fsencode(file.path), hash) for file, hash in facts),
    ).rowcount


def _relink(connection: sqlite3.Connection, notes: ChangeRecorder, old: str, new: str) -> bool:
    old_name, new_name = os.fsencode(old), os.fsencode(new)
    if connection.execute("SELECT 1 FROM image WHERE path = ?", (new_name,)).fetchone():
        return False
    ids = [row[0] for row in connection.execute("SELECT id FROM image WHERE path = ?", (old_name,))]
    connection.execute("UPDATE image SET path = ? WHERE path = ?", (new_name, old_name))
    notes.add_many(("path", id, encode_name(old), encode_name(new), None) for id in ids)
    return bool(ids)


def _flag(connection: sqlite3.Connection, notes: ChangeRecorder, path: str) -> None:
    found = connection.execute(
        f"""SELECT id, flagged FROM image JOIN label ON image_id = id
        WHERE path = ? AND NOT flagged & {rows.CONTENT_CHANGED}""",
        (os.fsencode(path),),
    ).fetchall()
    for id, before in found:
        after = before | rows.CONTENT_CHANGED
        connection.execute("UPDATE image SET flagged = ? WHERE id = ?", (after, id))
        notes.add("flag", id, before, after)


def _compare(plan: Plan, known: Stored, file: ImageFile, hash: str | None) -> None:
    if known.missing:
        plan.returned.append(file.path)
    is_other = _is_other_content(known, file, hash)
    if is_other and known.labelled:
        plan.changed.append(file.path)
    if (
        hash is None and not is_other and known.labelled
    ):  # nothing new, or not readable now: what was known stays
        now = replace(known, missing=False)
    else:
        now = _seen(file, hash, known)
    if now != known:
        plan.facts[file.path] = now


def _is_other_content(known: Stored, file: ImageFile, hash: str | None) -> bool:
    if known.size is not None and known.size != file.size:
        return True
    return known.hash is not None and hash is not None and known.hash != hash


def _wants_hash(known: Stored, file: ImageFile, hashing: Hashing) -> bool:
    """New to us, or touched since. Files without a label need no finding again."""
    if not known.labelled:
        return False
    if known.hash is None:
        return hashing == "all"
    return (known.size, known.mtime_ns) != (file.size, file.mtime_ns)


def _gone_and_strangers(
    stored: Mapping[str, Stored], files: Sequence[ImageFile]
) -> tuple[dict[str, Stored], list[ImageFile]]:
    """What is known and not there, and the new files that may be it: those of an equal size."""
    present = {file.path for file in files}
    gone = {path: known for path, known in stored.items() if path not in present}
    sizes = {known.size for known in gone.values() if known.hash is not None}
    return gone, [file for file in files if file.size in sizes and file.path not in stored]


def _pair_up(
    gone: Mapping[str, Stored], strangers: Iterable[ImageFile], hashes: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Old and new paths of equal content. Among copies, the one whose path ends most alike is taken."""
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for file in strangers:
        if file.path in hashes:
            homes[hashes[file.path]].append(file.path)
    pairs = [
        (-_common_end(old, new), old, new)
        for old, known in gone.items()
        if known.hash is not None
        for new in homes.get(known.hash, ())
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


def _seen(file: ImageFile, hash: str | None, known: Stored) -> Stored:
    return replace(known, size=file.size, mtime_ns=file.mtime_ns, hash=hash, missing=False)
