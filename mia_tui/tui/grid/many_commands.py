"""What is done to many images at once: label, clear, skip, flag, note.

Whatever concerns many images says how many, asks first above `MANY`, and is
one step of the history.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.row_table import FLAGGED, SKIPPED, Rows
from mia_tui.dataset.store.long_lists import let_go
from mia_tui.text import counted
from mia_tui.tui.dialogs import Question, TextDialog
from mia_tui.tui.label.commands import SessionCommands
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.label.session_screen import SessionScreen

MANY = 20
"""With more images than this, a command asks first."""

_NOTE_HINT = "{ok} writes it on all of them; empty takes notes away, {cancel} does nothing."


class ManyCommands(SessionCommands):
    """The commands that concern the marked images, or the one under the cursor where none is marked.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.
    """

    def __init__(self, controller: LabelController, screen: "SessionScreen[Any]", ink: Ink) -> None:
        super().__init__(controller, screen, ink)
        self.by_name |= {
            "assign": self._assign_current,
            "clear": self._clear,
            "skip": self._skip,
            "flag": self._flag,
            "note": self._note,
        }

    @abstractmethod
    def forget_marks(self) -> None:
        """Take all marks away: what they were meant for is done."""

    async def use_class(self, class_id: int) -> None:
        """Give the images this class; it is the current class from now on."""
        self._session.choose_class(class_id)
        image_class = self._session.class_of(class_id)
        keys = await self._meant()
        if image_class is None or not keys:
            return
        name = self._ink.shown(image_class.name)
        if not await self._agreed(f"Label {counted(len(keys), 'image')} as {name}?", len(keys), "Label"):
            return
        count, changed = len(keys), await self._controller.assign(keys, class_id)
        await self._done(keys)
        if count > 1:
            same = count - changed
            rest = f"; {same:,} had this label already" if same else ""
            self._screen.say(f"{counted(changed, 'image')} labelled as {name}{rest}.")

    async def _assign_current(self) -> None:
        current = self._session.current_class
        if current is None:
            self._screen.say(f"There is no class yet: {self._screen.key('classes')} adds some.")
        else:
            await self.use_class(current)

    async def _clear(self) -> None:
        keys = await self._meant()
        title = f"Take the labels of {counted(len(keys), 'image')} away?"
        if not keys or not await self._agreed(title, len(keys), "Take away"):
            return
        changed = await self._controller.clear(keys)
        await self._done(keys)
        self._screen.say(
            f"{counted(changed, 'image')} without a label now." if changed else "There was no label."
        )

    async def _skip(self) -> None:
        """Skip all, or take the marks away where all are skipped."""
        ask, ask_back = ("Skip {}?", "Skip"), ("Skip {} no longer?", "Take back")
        await self._mark_or_not(SKIPPED, self._controller.skip, ask, ask_back, "skipped")

    async def _flag(self) -> None:
        """Flag all, or take the flags away where all have one."""
        ask, ask_back = ("Flag {}?", "Flag"), ("Take the flags of {} away?", "Take away")
        await self._mark_or_not(FLAGGED, self._controller.flag, ask, ask_back, "flagged")

    async def _mark_or_not(
        self,
        bit: int,
        write: Callable[[Sequence[ImageKey], bool], Awaitable[int]],
        ask: tuple[str, str],
        ask_back: tuple[str, str],
        done: str,
    ) -> None:
        """Set a bit of all images, or clear it where all have it; `ask` is a question and its answer."""
        on = not self._session.all_have(self._meant_rows(), bit)
        keys = await self._meant()
        title, answer = ask if on else ask_back
        title = title.format(counted(len(keys), "image"))
        if not keys or not await self._agreed(title, len(keys), answer):
            return
        changed = await write(keys, on)
        await self._done(keys)
        self._screen.say(f"{counted(changed, 'image')} {done if on else f'no longer {done}'}.")

    async def _note(self) -> None:
        """One note for all of them."""
        keys = await self._meant()
        if not keys:
            return
        images = counted(len(keys), "image")
        if len(keys) > 1:
            dialog = TextDialog(f"Note on {images}, instead of those they have", hint=_NOTE_HINT)
        else:
            row = self._session.listing.row(keys[0])
            old = None if row is None else self._session.state_of(row).note
            dialog = TextDialog(f"Note on {self._ink.fit_left(keys[0].path, 50)}", value=old or "")
        text = await self._screen.ask(dialog)
        if text is None or not await self._agreed(f"Write a note on {images}?", len(keys), "Write"):
            return
        note = text.strip() or None
        changed = await self._controller.write(lambda store: store.set_notes(keys, note), f"{images}: note")
        await self._done(keys)
        said = "has a note now" if note else "has no note any more"
        said = said if changed == 1 else said.replace("has", "have", 1)
        self._screen.say(f"{counted(changed, 'image')} {said}." if changed else "No note is different now.")

    async def _done(self, keys: list[ImageKey]) -> None:
        """Take the marks away, and let go of what was meant: a million keys at once would hold up the screen."""
        self.forget_marks()
        if len(keys) > MANY:
            await asyncio.to_thread(let_go, keys)

    async def _meant(self) -> list[ImageKey]:
        """The marked images, or the one under the cursor."""
        if self._session.selected_count:
            return await asyncio.to_thread(self._session.selected_keys())  # a million take a second
        return [self._session.current] if self._session.current is not None else []

    def _meant_rows(self) -> Rows:
        if self._session.selected_count:
            return self._session.selected
        row = self._session.current_row
        return self._session.view[:0] if row is None else np.array([row], np.int32)

    async def _agreed(self, title: str, count: int, word: str) -> bool:
        if count <= MANY:
            return True
        answers = [("Cancel", False), (word, True)]
        text = "It is one step: undo takes all of it back."
        return bool(await self._screen.ask(Question(title, text, answers)))
