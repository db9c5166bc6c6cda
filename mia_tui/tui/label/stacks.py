"""Choosing whether stacks are labelled frame by frame or as a whole, and looking at the frames of a whole stack."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mia_tui.dataset.model import StackMode
from mia_tui.dataset.stacks import mode_words, unused_labels, unused_words
from mia_tui.dataset.store.queries import META_STACKS
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen


async def choose_stacks(
    controller: LabelController, screen: "LabelScreen", rescan: Callable[[], Awaitable[None]]
) -> None:
    """Ask whether to label stacks in the other way, and list the images anew."""
    listing = controller.session.listing
    if listing.stack_mode is None or not screen.idle:
        still = "." if screen.idle else " yet; the search for images is not over."
        screen.say(f"There are no stacks here{still}")
        return
    before = await asyncio.to_thread(controller.stack_mode)
    mode: StackMode = "frames" if before == "whole" else "whole"
    stacks = listing.stacks()
    labels = await controller.store_thread.read(lambda store: list(store.labels())) or []
    unused = unused_words(unused_labels(labels, stacks, mode), mode)
    title = "Label stacks as a whole?" if mode == "whole" else "Label each frame of stacks?"
    yes = "Yes, as a whole" if mode == "whole" else "Yes, each frame"
    text = f"Now: {mode_words(before, stacks)}\n\nThen: {mode_words(mode, stacks)}"
    if await screen.confirm(title, f"{text}\n\n{unused}" if unused else text, no="No, as now", yes=yes):
        await controller.write(lambda store: store.set_meta(META_STACKS, mode), "how stacks are labelled")
        await rescan()


def about_stacks(controller: LabelController) -> str | None:
    """A sentence for somebody who opens a dataset with stacks and has labelled nothing; None for others."""
    session = controller.session
    if session.listing.stack_mode is None or session.counts.labelled:
        return None
    stacks = counted(len(session.listing.stacks()), "file is a stack", "files are stacks")
    if session.listing.stack_mode == "whole":
        return f"{stacks}, labelled as a whole; the command Stacks changes that."
    return f"{stacks}: each frame is an image to label; the command Stacks makes a stack one image."
