"""Labels that others gave while a dataset is open."""

import asyncio
from collections.abc import Callable

from mia_tui.errors import MiaError
from mia_tui.tui.controller.label_controller import LabelController

NEWS_S = 1.0


async def follow_news(
    controller: LabelController,
    *,
    came: Callable[[], None],
    failed: Callable[[MiaError], None],
    tell: Callable[[str], None],
) -> None:
    """Show what others label within a second or two. Never ends.

    Args:
        controller: The dataset.
        came: Called when something new was applied to the session.
        tell: Called with a sentence about somebody else who is at work here.
        failed: Called once if labels.db cannot be read, and again only after it could be read in between.
    """
    failing = False
    while True:
        await asyncio.sleep(NEWS_S)
        try:
            news = await controller.news()
        except MiaError as error:
            if not failing:
                failed(error)
            failing = True
            continue
        failing = False
        if news is not None:
            came()
        await controller.leases.keep()
        for sentence in controller.leases.news():
            tell(sentence)
