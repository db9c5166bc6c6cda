"""Size, time and hash of labelled files, kept with their labels: a file that is renamed later is known again by them.

Every program that writes labels takes the fingerprints of all labelled files
that have none, those of earlier sessions included. A command does so before it
ends, the app in idle time (`tui.labelling.fingerprints`). To look at a dataset
takes none.
"""

import math
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mia_tui.dataset.hashes import file_hash
from mia_tui.dataset.model import ImageFile
from mia_tui.dataset.scan.index import map_in_threads
from mia_tui.dataset.store.label_store import LabelStore

Fingerprint = tuple[ImageFile, str]
"""A file with size and time, and its hash."""

_AT_ONCE = 256  # files of one commit


def read_fingerprint(
    root: Path, path: str, *, give_up: Callable[[], bool] = lambda: False
) -> Fingerprint | None:
    """What a file is known again by; None if it cannot be read, is no file, or was given up."""
    try:
        status = (root / path).stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        hash = file_hash(root / path, give_up=give_up)
    except OSError:
        return None
    return ImageFile(path, status.st_size, status.st_mtime_ns), hash


def take_fingerprints(
    store: LabelStore,
    root: Path,
    *,
    most_s: float = math.inf,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Take the fingerprints of all labelled files that have none; kept every few hundred files.

    Args:
        store: Where the labels are.
        root: The dataset's folder.
        most_s: Seconds after which the rest is left for the next time.
        progress: Told how many files were read.

    Returns:
        How many files were left. Those that cannot be read are not among them.

    Raises:
        StoreError: If they cannot be kept.
    """
    until, done, left = time.monotonic() + most_s, 0, 0

    def is_over() -> bool:
        return time.monotonic() > until

    for paths in _pages(store):
        if is_over():
            left += len(paths)
            continue
        facts = []
        for fact in map_in_threads(partial(read_fingerprint, root, give_up=is_over), paths):
            done += 1
            if fact is not None:
                facts.append(fact)
            if progress is not None:
                progress(done)
        if facts:
            store.save_fingerprints(facts)
        if is_over():
            left += len(paths) - len(facts)
    return left


def _pages(store: LabelStore) -> Iterator[Sequence[str]]:
    """Labelled files without a fingerprint, some at a time; each comes once."""
    paths, last = store.files_without_hash()
    while last is not None:
        for start in range(0, len(paths), _AT_ONCE):
            yield paths[start : start + _AT_ONCE]
        paths, last = store.files_without_hash(last)
