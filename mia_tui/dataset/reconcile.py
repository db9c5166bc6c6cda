"""What became of the files that labels belong to: moved, changed, gone, back again.

A plan is made first, without writing; a dataset where nothing happened is not
written to. Hashes are read once for each labelled file, because a file that
was moved can only be known again if its hash was known before.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mia_tui.dataset.hashes import file_hashes
from mia_tui.dataset.model import ImageFile
from mia_tui.paths import encode_name

NoteChange = Callable[[Literal["flag", "path"], int, object, object], None]


@dataclass(frozen=True)
class Reconciled:
    """What `LabelStore.reconcile` found; paths are relative to the dataset.

    Attributes:
        missing: Files with a label that are not there; the labels stay.
        relinked: (old, new): files that were moved; their labels went with them.
        changed: Files whose content is another than the one that was labelled; flagged just now.
        returned: Files that had been missing.
    """

    missing: tuple[str, ...]
    relinked: tuple[tuple[str, str], ...]
    changed: tuple[str, ...]
    returned: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """What labels.db knows of a file: of all its frames together."""

    size: int | None
    mtime_ns: int | None
    hash: str | None
    missing: bool
    labelled: bool


@dataclass
class Plan:
    """What is to be written. `facts` are size, time and hash as they are now."""

    absent: list[str] = field(default_factory=list)
    relinked: list[tuple[str, str]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    facts: dict[str, Stored] = field(default_factory=dict)


def read_stored(connection: sqlite3.Connection) -> dict[str, Stored]:
    """All files that labels.db knows, by path."""
    rows = connection.execute(
        """SELECT path, MAX(size), MAX(mtime_ns), MAX(hash), MAX(missing), COUNT(label.image_id)
        FROM image LEFT JOIN label ON label.image_id = image.id GROUP BY path ORDER BY MIN(image.id)"""
    )
    return {
        os.fsdecode(path): Stored(size, mtime_ns, hash, bool(missing), bool(labels))
        for path, size, mtime_ns, hash, missing, labels in rows
    }


def make_plan(stored: Mapping[str, Stored], files: Sequence[ImageFile], root: Path) -> Plan:
    """Compare what was known with what is there.

    Args:
        stored: From `read_stored`.
        files: The dataset as it is, with sizes and times.
        root: Its folder, for files whose hash is needed.
    """
    present = {file.path: file for file in files}
    here = {path: present[path] for path in stored if path in present}
    gone = {path: known for path, known in stored.items() if path not in present}
    strangers = _candidates(gone.values(), (file for file in files if file.path not in stored))
    to_read = [file for path, file in here.items() if _wants_hash(stored[path], file)]
    hashes = file_hashes(root, [*to_read, *strangers])

    plan = Plan()
    for path, file in here.items():
        _compare(plan, stored[path], file, hashes.get(path))
    plan.relinked = _pair_up(gone, strangers, hashes)
    for old, new in plan.relinked:
        plan.facts[new] = _seen(present[new], gone[old].hash, gone[old].labelled)
    moved = {old for old, _ in plan.relinked}
    plan.absent = [path for path in gone if path not in moved]
    return plan


def carry_out(
    connection: sqlite3.Connection, plan: Plan, newly_absent: Iterable[str], note_change: NoteChange
) -> None:
    """Write a plan, within a transaction of the caller."""
    connection.executemany(
        "UPDATE image SET missing = 1 WHERE path = ?", ((os.fsencode(path),) for path in newly_absent)
    )
    for old, new in plan.relinked:
        for image_id in _image_ids(connection, old):
            connection.execute("UPDATE image SET path = ? WHERE id = ?", (os.fsencode(new), image_id))
            note_change("path", image_id, encode_name(old), encode_name(new))
    for path in plan.changed:
        for image_id in _image_ids(
            connection, path, "AND id IN (SELECT image_id FROM label) AND NOT flagged"
        ):
            connection.execute("UPDATE image SET flagged = 1 WHERE id = ?", (image_id,))
            note_change("flag", image_id, False, True)
    connection.executemany(
        "UPDATE image SET size = ?, mtime_ns = ?, hash = ?, missing = 0 WHERE path = ?",
        ((now.size, now.mtime_ns, now.hash, os.fsencode(path)) for path, now in plan.facts.items()),
    )


def _image_ids(connection: sqlite3.Connection, path: str, condition: str = "") -> list[int]:
    rows = connection.execute(f"SELECT id FROM image WHERE path = ? {condition}", (os.fsencode(path),))
    return [row[0] for row in rows]


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
        now = _seen(file, hash, known.labelled)
    if now != known:
        plan.facts[file.path] = now


def _is_other_content(known: Stored, file: ImageFile, hash: str | None) -> bool:
    if known.size is not None and known.size != file.size:
        return True
    return known.hash is not None and hash is not None and known.hash != hash


def _wants_hash(known: Stored, file: ImageFile) -> bool:
    """New to us, or touched since. Files without a label need no finding again."""
    return known.labelled and (
        known.hash is None or (known.size, known.mtime_ns) != (file.size, file.mtime_ns)
    )


def _candidates(gone: Iterable[Stored], new: Iterable[ImageFile]) -> list[ImageFile]:
    sizes = {known.size for known in gone if known.hash is not None}
    return [file for file in new if file.size in sizes]


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


def _seen(file: ImageFile, hash: str | None, labelled: bool) -> Stored:
    return Stored(file.size, file.mtime_ns, hash, False, labelled)
