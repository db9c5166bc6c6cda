"""Whether labels can be saved at a place, found out without writing there."""

import os
from contextlib import suppress
from pathlib import Path

from mia_tui.text import printable

_JOURNAL = "-journal"


def why_unwritable(labels_db: Path) -> str | None:
    """Why labels cannot be saved, as a sentence with the way out; None where nothing speaks against it.

    Only what the system itself says for sure counts: a disk that is read-only, a file or folder that this user
    may not write. Whatever else can go wrong is said when it does.

    Args:
        labels_db: The file; it and its folders need not be there yet.
    """
    file = labels_db if labels_db.exists() else None
    place = file or _nearest(labels_db.parent)
    if place is None:
        return None
    way_out = "you can look at everything here, and label with --state DIR, a folder that you may write."
    if _is_read_only(place):
        return f"Labels cannot be saved: {printable(place)} lies on a read-only disk; {way_out}"
    journal = labels_db.with_name(labels_db.name + _JOURNAL)
    needed = [file, journal if journal.exists() else labels_db.parent] if file is not None else [place]
    forbidden = next((path for path in needed if not _may_write(path)), None)
    if forbidden is not None:
        return f"Labels cannot be saved: you may not write {printable(forbidden)}; {way_out}"
    return None


def _nearest(folder: Path) -> Path | None:
    """The folder, or the first above it that is there."""
    return next((place for place in (folder, *folder.absolute().parents) if place.exists()), None)


def _is_read_only(place: Path) -> bool:
    with suppress(OSError):
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    return False


def _may_write(path: Path) -> bool:
    wanted = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
    by_effective = os.access in os.supports_effective_ids
    return os.access(path, wanted, effective_ids=by_effective)
