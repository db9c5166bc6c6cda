"""Fingerprints of labelled files, taken in idle time and at the end.

A file that is renamed later is known again by its content, so its label goes
with it. Reading every file while a person labels would slow the pictures down;
so it is done when no key was pressed for a while, and for a moment when the
dataset is left. What is not done then is done in the next session that labels.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mia_tui.dataset.fingerprints import Fingerprint, read_fingerprint
from mia_tui.errors import MiaError
from mia_tui.tui.labelling.controller import LabelController

AT_ONCE = 32
"""Files that are kept together."""

LEAVING_S = 2.0
"""Who leaves waits no longer."""

_COMMIT_S = 0.5


async def take_fingerprints(
    desk: LabelController, *, most: int = AT_ONCE, should_stop: Callable[[], bool]
) -> bool:
    """Take the fingerprints of some labelled files that have none.

    Args:
        desk: The dataset.
        most: Files.
        should_stop: Asked in a thread, within a file as well.

    Returns:
        Whether there may be more to do.

    Raises:
        StoreError: If they cannot be kept.
    """
    paths = await desk.take_labelled(most)
    if not paths:
        return False
    facts, left = await asyncio.to_thread(_facts, desk.dataset, paths, should_stop)
    desk.give_back(left)
    if facts:
        await desk.keep_facts(facts)
    return desk.owes_fingerprints


async def finish_fingerprints(desk: LabelController, *, most_s: float = LEAVING_S) -> None:
    """Take those that can be had in a moment, before the dataset is left; what cannot is left for the next time."""
    until = time.monotonic() + most_s

    def is_over() -> bool:
        return time.monotonic() > until

    async def take() -> None:
        while not is_over() and await take_fingerprints(desk, should_stop=is_over):
            pass

    with suppress(MiaError, TimeoutError):  # labels.db may be locked for longer
        await asyncio.wait_for(take(), most_s + _COMMIT_S)


def _facts(
    root: Path, paths: Sequence[str], should_stop: Callable[[], bool]
) -> tuple[list[Fingerprint], Sequence[str]]:
    """What was found out, and the files that were not come to; for a thread."""
    facts: list[Fingerprint] = []
    for place, path in enumerate(paths):
        if should_stop():
            return facts, paths[place:]
        fact = read_fingerprint(root, path, give_up=should_stop)
        if fact is not None:
            facts.append(fact)
        elif should_stop():
            return facts, paths[place:]
    return facts, ()
