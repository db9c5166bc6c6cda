"""What goes on beside the keys for as long as a dataset is open: others' labels, and work for idle time."""

import asyncio
from collections.abc import Callable

from mia_tui.errors import MiaError
from mia_tui.tui.labelling import garbage
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.labelling.fingerprints import take_fingerprints

NEWS_S = 1.0
IDLE_S = 2.0


async def follow_news(
    desk: LabelController, *, came: Callable[[], None], failed: Callable[[MiaError], None]
) -> None:
    """What others label appears within a second or two. Never ends.

    Args:
        desk: The dataset.
        came: Called when the desk took over something.
        failed: Called once where labels.db cannot be read, until it can be again.
    """
    failing = False
    while True:
        await asyncio.sleep(NEWS_S)
        try:
            news = await desk.news()
        except MiaError as error:
            if not failing:
                failed(error)
            failing = True
            continue
        failing = False
        if news is not None:
            came()


async def use_idle_time(
    desk: LabelController, *, is_idle: Callable[[], bool], remember: Callable[[], None]
) -> None:
    """Note the place, take fingerprints, look for garbage, while nobody presses a key. Never ends.

    Args:
        desk: The dataset.
        is_idle: Whether nobody pressed a key for a while.
        remember: Notes where the person is.
    """
    is_tidy = False  # since the last key
    while True:
        await asyncio.sleep(IDLE_S)
        remember()
        if is_idle() and not is_tidy:
            garbage.collect()
        is_tidy = is_idle()
        while is_idle():
            try:
                if not await take_fingerprints(desk, should_stop=lambda: not is_idle()):
                    break
            except MiaError:  # they spare somebody a search one day; the next label will say what is wrong
                break
