"""Which images are shown, and in which order: commands of every screen that shows the session's view."""

import asyncio
from dataclasses import replace
from typing import Protocol, TypeVar

from textual.screen import Screen

from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.widgets.ink import Ink

Answer = TypeVar("Answer")


class Face(Protocol):
    """What these commands need of a screen."""

    def say(self, message: str) -> None:
        """A word in the status line, until the next command."""

    async def ask(self, dialog: Screen[Answer]) -> Answer | None:
        """Show another screen until the person leaves it; what came of it, None if they think better of it."""

    def key(self, command: str) -> str:
        """The key of a command, as people read it."""


def list_commands(session: LabelSession, face: Face, ink: Ink) -> dict[str, Command]:
    """The commands by the id of their action: find, filter, order, folders."""

    def show(wanted: Filter | None) -> None:
        if wanted is not None:
            session.set_filter(wanted)
            if not len(session.view):
                face.say(f"No image is like that; {face.key('filter')} shows others.")

    async def find() -> None:
        from mia_tui.tui.dialogs import TextDialog

        present = session.filter
        hint = "{ok} shows the images with this in their path; empty shows all."
        text = await face.ask(TextDialog("Find files", value=present.text, hint=hint))
        if text is not None:
            show(replace(present, text=text.strip()))

    async def choose_filter() -> None:
        from mia_tui.tui.classes import choosing

        show(await face.ask(choosing.filters(session, ink)))

    async def choose_folder() -> None:
        from mia_tui.tui.classes import choosing

        found = await asyncio.to_thread(session.listing.folders_later())
        show(await face.ask(choosing.folders(session, found, ink)))

    async def choose_order() -> None:
        from mia_tui.tui.classes import choosing

        wanted = await face.ask(choosing.orders(ink))
        if wanted is not None:
            session.set_order(wanted[0], reverse=wanted[1])

    return {"find": find, "filter": choose_filter, "order": choose_order, "folders": choose_folder}
