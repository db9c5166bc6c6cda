"""Fingerprints of labelled files: size, time and hash, stored with the labels to recognise files that are renamed.

Whatever writes labels also takes the fingerprints of all labelled files that
have none, including those of earlier sessions: a command before it ends, the app
in idle time (`tui.controller.idle_tasks`). Reading a dataset takes none.
"""

import math
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mia_tui.dataset.hashes import file_hash
from mia_tui.dataset.model import ImageFile
from mia_tui.dataset.scan.folder_images import stat_image
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.threads import map_in_threads

Fingerprint = tuple[ImageFile, str]
"""A file with its size and time, and its hash."""

_AT_ONCE = 256  # files of one commit


def read_fingerprint(
    root: Path, path: str, *, give_up: Callable[[], bool] = lambda: False
) -> Fingerprint | None:
    """The fingerprint of a file; None if it cannot be read, is not a file, or `give_up` returned True."""
    try:
        status = stat_image(root / path)
        if not stat.S_ISREG(status.st_mode):
            return None
        hash = file_hash(root / path, give_up=give_up)
    except OSError:
        return None
    return ImageFile(path, status.st_size, status.st_mtime_ns), hash


def take_all_fingerprints(
    store: LabelStore,
    root: Path,
    *,
    most_s: float = math.inf,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Take the fingerprints of all labelled files that have none; they are saved every few hundred files.

    Args:
        store: The labels.
        root: The dataset's folder.
        most_s: Seconds after which the remaining files are left for the next time.
        progress: Called with the number of files read so far.

    Returns:
        How many files were left. Those that cannot be read are not counted.

    Raises:
        StoreError: If they cannot be saved.
    """
    until, done, left = time.monotonic() + most_s, 0, 0

    def is_over() -> bool:
        return time.monotonic() > until

    for paths in _pages(store):
        if is_over():
            left += len(paths)
            continue
        fingerprints = []
        for fingerprint in map_in_threads(partial(read_fingerprint, root, give_up=is_over), paths):
            done += 1
            if fingerprint is not None:
                fingerprints.append(fingerprint)
            if progress is not None:
                progress(done)
        if fingerprints:
            store.save_fingerprints(fingerprints)
        if is_over():
            left += len(paths) - len(fingerprints)
    return left


def _pages(store: LabelStore) -> Iterator[Sequence[str]]:
    """Labelled files without a fingerprint, some at a time, each once."""
    paths, last = store.files_without_hash()
    while last is not None:
        for start in range(0, len(paths), _AT_ONCE):
            yield paths[start : start + _AT_ONCE]
        paths, last = store.files_without_hash(last)
