"""Work for idle time while a dataset is open: fingerprints, garbage, the place that a person returns to.

In idle time fingerprints of labelled files are taken. A file that is renamed
later is recognised by its content, so its label follows it. Reading every file
while a person labels would slow the pictures down; so it is done when no key
was pressed for a while, and briefly when the dataset is closed. What is not
done by then is done in the next session that labels.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mia_tui.dataset.fingerprints import Fingerprint, read_fingerprint
from mia_tui.errors import MiaError
from mia_tui.tui.controller import garbage
from mia_tui.tui.controller.label_controller import LabelController

IDLE_S = 2.0
"""So long without a key is idle time."""

AT_ONCE = 32
"""Fingerprints that are written in one commit."""

LEAVING_S = 2.0
"""Nobody waits longer than this when they leave."""

_COMMIT_S = 0.5


async def use_idle_time(
    controller: LabelController, *, is_idle: Callable[[], bool], remember: Callable[[], None]
) -> None:
    """Save the position, take fingerprints and collect garbage while nobody presses a key. Never ends.

    Args:
        controller: The dataset.
        is_idle: Whether nobody pressed a key for a while.
        remember: Saves where the person is.
    """
    is_collected = False  # since the last key
    while True:
        await asyncio.sleep(IDLE_S)
        remember()
        if is_idle() and not is_collected:
            garbage.collect()
        is_collected = is_idle()
        while is_idle():
            try:
                if not await take_fingerprints(controller, should_stop=lambda: not is_idle()):
                    break
            except MiaError:  # not worth a message; the next label will say what is wrong
                break


async def take_fingerprints(
    controller: LabelController, *, most: int = AT_ONCE, should_stop: Callable[[], bool]
) -> bool:
    """Take the fingerprints of some labelled files that have none.

    Args:
        controller: The dataset.
        most: Number of files.
        should_stop: Called in a thread, also within a file.

    Returns:
        Whether there may be more to do.

    Raises:
        StoreError: If they cannot be written.
    """
    paths = await controller.fingerprints.take(most)
    if not paths:
        return False
    facts, left = await asyncio.to_thread(_facts, controller.dataset, paths, should_stop)
    controller.fingerprints.give_back(left)
    if facts:
        await controller.fingerprints.keep(facts)
    return controller.fingerprints.has_more


async def finish_fingerprints(controller: LabelController, *, most_s: float = LEAVING_S) -> None:
    """Take as many as can be taken quickly, before the dataset is closed; the others wait for the next session."""
    until = time.monotonic() + most_s

    def is_over() -> bool:
        return time.monotonic() > until

    async def take() -> None:
        while not is_over() and await take_fingerprints(controller, should_stop=is_over):
            pass

    with suppress(MiaError, TimeoutError):  # labels.db may be locked for longer
        await asyncio.wait_for(take(), most_s + _COMMIT_S)


def _facts(
    root: Path, paths: Sequence[str], should_stop: Callable[[], bool]
) -> tuple[list[Fingerprint], Sequence[str]]:
    """The fingerprints, and the files that were not reached; for a thread."""
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
