"""What was found out about the last few files of many pages: their images are mostly opened one after the other."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from io import UnsupportedOperation
from threading import Lock
from typing import BinaryIO

from mia_tui.dataset.images.readers.tiff.chain import PageChain, Walk
from mia_tui.dataset.images.readers.tiff.series import PlainPages, Series

_FEWEST_PAGES = 64
_MOST_FILES = 4


@dataclass(frozen=True)
class Identity:
    """A file with its content, as far as the disk tells them apart, and how its frames are numbered."""

    device: int
    number: int
    size: int
    changed_ns: int
    numbering: int

    @classmethod
    def of(cls, file: BinaryIO, numbering: int) -> "Identity | None":
        """None for a file in memory, which is a page of another file."""
        try:
            found = os.fstat(file.fileno())
        except UnsupportedOperation:
            return None
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, numbering)


_lock = Lock()
_known: OrderedDict[Identity, tuple[Walk, list[Series] | None]] = OrderedDict()


def recall(identity: Identity | None) -> tuple[Walk | None, list[Series] | None]:
    """How far the pages of a file were followed, and what they are; None where that is not known."""
    with _lock:
        found = None if identity is None else _known.get(identity)
        if identity is None or found is None:
            return None, None
        _known.move_to_end(identity)
        return found


def remember(identity: Identity | None, chain: PageChain, series: Sequence[Series]) -> None:
    """Keep what was found out about a file, if it is worth it."""
    walk = chain.walk()
    if identity is None or len(walk.offsets) < _FEWEST_PAGES:
        return
    # Plain pages are looked up in the chain, and grow while that happens.
    kept = None if isinstance(series, PlainPages) else list(series)
    with _lock:
        before = _known.get(identity)
        if before is not None and len(before[0].offsets) >= len(walk.offsets):
            return
        _known[identity] = walk, kept
        _known.move_to_end(identity)
        while len(_known) > _MOST_FILES:
            _known.popitem(last=False)
