"""Fingerprints of what was labelled, taken in idle time.

A file that is renamed later is known again by its content, so its label goes
with it. Reading every file while a person labels would slow the pictures down;
so it is done when no key was pressed for a while.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from mia_tui.dataset.hashes import file_hashes
from mia_tui.dataset.model import ImageFile
from mia_tui.tui.services.desk import Desk

AT_ONCE = 32
"""Files read before it is asked again whether somebody works."""


async def take_fingerprints(desk: Desk, *, most: int = AT_ONCE) -> int:
    """Take the fingerprints of some files that were labelled here. Returns how many are still to do.

    Raises:
        StoreError: If they cannot be kept.
    """
    paths = desk.take_labelled(most)
    if not paths:
        return 0
    facts = await asyncio.to_thread(_facts, desk.dataset, paths)
    if facts:
        await desk.keep_facts(facts)
    return desk.labelled_count


def _facts(root: Path, paths: Sequence[str]) -> list[tuple[ImageFile, str]]:
    files = []
    for path in paths:
        try:
            status = (root / path).stat()
        except OSError:  # gone already: there is nothing to know it by
            continue
        files.append(ImageFile(path, status.st_size, status.st_mtime_ns))
    hashes = file_hashes(root, files)
    return [(file, hashes[file.path]) for file in files if file.path in hashes]
