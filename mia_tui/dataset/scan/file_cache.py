"""A cache of what files had to be opened for: frame counts and hashes.

It is in the user's cache folder, one file for each dataset. An entry is only
valid while size and time of its file are unchanged. If the folder cannot be
written, or the cache is damaged, the only cost is time.
"""

import os
import time
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from mia_tui.dataset.model import FRAME_NUMBERING, ImageFile
from mia_tui.dataset.user_cache import MOST_CACHE_BYTES, cache_file, write_cache
from mia_tui.decoding import BadRecord, Count, decode_msgpack
from mia_tui.files import read

# A file that was changed twice within one tick of the file system's clock looks unchanged, so files younger than
# this are not cached. FAT has ticks of two seconds.
_SETTLED_NS = 2_000_000_000

_MOST_FRAMES = 10_000_000


class _Entry(msgspec.Struct, array_like=True):
    size: Count
    mtime_ns: int
    frames: Annotated[int, Meta(ge=1, le=_MOST_FRAMES)] | None = None
    hash: Annotated[str, Meta(max_length=128)] | None = None
    numbering: int = 1  # of the frames, see `model.FRAME_NUMBERING`


class FileCache:
    """Frame counts and hashes of one dataset, as far as they are known and still valid.

    Args:
        root: The dataset's folder.
    """

    def __init__(self, root: Path) -> None:
        self._file = cache_file(root, "scan", "msgpack")
        self._entries = _read(self._file)
        self._changed = False

    def frames(self, file: ImageFile) -> int | None:
        entry = self._entry(file)
        return entry.frames if entry and entry.numbering == FRAME_NUMBERING else None

    def hash(self, file: ImageFile) -> str | None:
        entry = self._entry(file)
        return entry.hash if entry else None

    def remember(self, file: ImageFile, *, frames: int | None = None, hash: str | None = None) -> None:
        """Store what was found out about a file whose size and time are known."""
        if file.size is None or file.mtime_ns is None or file.mtime_ns > time.time_ns() - _SETTLED_NS:
            return
        entry = self._entry(file) or _Entry(file.size, file.mtime_ns)
        if frames is not None:
            entry.frames, entry.numbering = frames, FRAME_NUMBERING
        entry.hash = entry.hash if hash is None else hash
        self._entries[os.fsencode(file.path)] = entry
        self._changed = True

    def save(self) -> None:
        """Write new entries; errors are ignored."""
        if not self._changed or self._file is None:
            return
        write_cache(self._file, msgspec.msgpack.encode(self._entries))
        self._changed = False

    def _entry(self, file: ImageFile) -> _Entry | None:
        entry = self._entries.get(os.fsencode(file.path))
        if entry is None or (entry.size, entry.mtime_ns) != (file.size, file.mtime_ns):
            return None
        return entry


def _read(file: Path | None) -> dict[bytes, _Entry]:
    if file is None:
        return {}
    try:
        return decode_msgpack(read(file, most_bytes=MOST_CACHE_BYTES), dict[bytes, _Entry])
    except (OSError, BadRecord):
        return {}
