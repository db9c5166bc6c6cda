"""What the keys of the grid do: move, mark, give all marked images one class.

No widget is touched here but through `GridFace`. Whatever concerns many images
says how many, asks first above `MANY`, and is one step of the history.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from textual.screen import ModalScreen

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import Applied
from mia_tui.dataset.wording import counted
from mia_tui.tui.screens import choosing
from mia_tui.tui.screens.dialogs import Question
from mia_tui.tui.screens.grid_marks import Marks
from mia_tui.tui.screens.list_commands import list_commands
from mia_tui.tui.screens.more_actions import MOVES
from mia_tui.tui.services.desk import Desk
from mia_tui.tui.services.obeying import Command
from mia_tui.tui.widgets.ink import Ink

Answer = TypeVar("Answer")

MANY = 20
"""With more images than this, a command asks first."""


class GridFace(Protocol):
    """What commands need of the screen."""

    def say(self, message: str) -> None:
        """A word in the status line, until the next command."""

    async def ask(self, dialog: ModalScreen[Answer]) -> Answer | None:
        """Let the person answer; None if they think better of it."""

    async def show_classes(self) -> None:
        """Show the list of classes until it is closed."""

    async def show_help(self) -> None:
        """Show the keys until they are closed."""

    @property
    def per_line(self) -> int:
        """Tiles side by side."""

    @property
    def per_page(self) -> int:
        """Tiles on a page."""

    def resize_tiles(self, by: int) -> bool:
        """Larger or smaller tiles; False if there are none."""

    def leave(self, *, opened: bool) -> None:
        """Go back to the labelling screen; `opened` with the image under the cursor."""


class GridCommands:
    """The commands of the grid.

    Args:
        desk: The dataset.
        face: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Every command, by the id of its action.
    """

    def __init__(self, desk: Desk, face: GridFace, ink: Ink) -> None:
        self._desk, self._session, self._face, self._ink = desk, desk.session, face, ink
        self._marks = Marks(desk.session)
        self.by_name: dict[str, Command] = {
            "mark": self._mark,
            "mark_all": self._mark_all,
            "open": self._open,
            "leave": self._leave,
            "grid": self._back,
            "assign": self._assign_current,
            "clear": self._clear,
            "undo": partial(self._step_back, redo=False),
            "redo": partial(self._step_back, redo=True),
            "pick": self._pick,
            "next_unlabelled": partial(self._unlabelled, backwards=False),
            "previous_unlabelled": partial(self._unlabelled, backwards=True),
            "flag": self._flag,
            "classes": face.show_classes,
            "help": face.show_help,
            "zoom_in": partial(self._resize, 1),
            "zoom_out": partial(self._resize, -1),
        }
        self.by_name |= list_commands(desk.session, face, ink)
        for where in MOVES.values():
            self.by_name[where] = partial(self._move, where, marking=False)
            self.by_name[f"mark_{where}"] = partial(self._move, where, marking=True)

    # Moving and marking

    async def go_to(self, position: int, *, mark: bool = False, through: bool = False) -> None:
        """A tile was clicked: go there, mark it too, or mark everything from the cursor to it."""
        if not 0 <= position < len(self._session.view):
            return
        before = self._session.current_row
        self._session.go_to(int(self._session.view[position]))
        if mark:
            await self._mark()
        elif through:
            self._marks.through(before)
        else:
            self._marks.end_range()

    async def _move(self, where: str, *, marking: bool) -> None:
        before = self._session.current_row
        session, line, page = self._session, self._face.per_line, self._face.per_page
        moves: dict[str, Callable[[], bool]] = {
            "left": lambda: session.move(-1),
            "right": lambda: session.move(1),
            "up": lambda: self._stays_in_column(-line),
            "down": lambda: self._stays_in_column(line),
            "page_up": lambda: session.move(-page),
            "page_down": lambda: session.move(page),
            "first": session.first,
            "last": session.last,
        }
        if not moves[where]():
            end = "first" if where in ("left", "up", "page_up", "first") else "last"
            self._face.say(
                f"This is the {end} line." if where in ("up", "down") else f"This is the {end} image."
            )
        if marking:
            self._marks.through(before)
        else:
            self._marks.end_range()

    def _stays_in_column(self, by: int) -> bool:
        """A line up or down; from above a shorter last line to its end."""
        position, count, line = self._session.position, len(self._session.view), self._face.per_line
        if position is None or position + by < 0:
            return False
        if position + by >= count and position // line == (count - 1) // line:
            return False
        return self._session.move(by)

    async def _mark(self) -> None:
        row = self._session.current_row
        if row is not None:
            self._session.toggle(row)
            self._marks.end_range()

    async def _mark_all(self) -> None:
        view = self._session.view
        if len(view):
            self._session.select_range(int(view[0]), int(view[-1]))
            self._marks.end_range()
            self._face.say(f"{counted(len(view), 'image')} marked.")

    async def _leave(self) -> None:
        if self._session.selected_count:
            self._marks.forget()
        else:
            await self._back()

    async def _back(self) -> None:
        self._face.leave(opened=False)

    async def _open(self) -> None:
        if self._session.current is not None:
            self._face.leave(opened=True)

    async def _unlabelled(self, *, backwards: bool) -> None:
        self._marks.end_range()
        if not self._session.next_unlabelled(backwards=backwards):
            where = "before" if backwards else "behind"
            left = self._session.unlabelled
            self._face.say(
                f"No image {where} this one is without a label." if left else "All images have a label."
            )

    async def _resize(self, by: int) -> None:
        if not self._face.resize_tiles(by):
            self._face.say("These are the largest tiles." if by > 0 else "These are the smallest tiles.")

    # Labelling

    async def use_key(self, character: str) -> None:
        """The key of a class was pressed: the marked images are of this class, or the one under the cursor."""
        image_class = self._session.class_of_key(character)
        if image_class is None:
            self._face.say(f"No class has the key {character}.")
        else:
            await self.use_class(image_class.id)

    async def use_class(self, class_id: int) -> None:
        """Give the marked images this class, or the one under the cursor; it is the current class from now on."""
        self._session.choose_class(class_id)
        image_class = self._session.class_of(class_id)
        keys = await self._meant()
        if image_class is None or not keys:
            return
        name = self._ink.shown(image_class.name)
        if not await self._agreed(f"Label {counted(len(keys), 'image')} as {name}?", len(keys), "Label"):
            return
        changed = await self._desk.assign(keys, class_id)
        self._marks.forget()
        if len(keys) > 1:
            same = len(keys) - changed
            rest = f"; {same:,} had this label already" if same else ""
            self._face.say(f"{counted(changed, 'image')} labelled as {name}{rest}.")

    async def _assign_current(self) -> None:
        current = self._session.current_class
        if current is None:
            self._face.say("There is no class yet: F8 adds some.")
        else:
            await self.use_class(current)

    async def _pick(self) -> None:
        chosen = await self._face.ask(choosing.classes(self._session, self._ink))
        if chosen is not None:
            await self.use_class(chosen)

    async def _clear(self) -> None:
        keys = await self._meant()
        title = f"Take the labels of {counted(len(keys), 'image')} away?"
        if not keys or not await self._agreed(title, len(keys), "Take away"):
            return
        changed = await self._desk.clear(keys)
        self._marks.forget()
        self._face.say(
            f"{counted(changed, 'image')} without a label now." if changed else "There was no label."
        )

    async def _flag(self) -> None:
        """Flag all, or take the flags away where all have one."""
        keys = await self._meant()
        rows = self._session.listing.rows(keys).tolist()
        flagged = not all(self._session.state_of(row).flagged for row in rows if row >= 0)
        images = counted(len(keys), "image")
        title = f"Flag {images}?" if flagged else f"Take the flags of {images} away?"
        if not keys or not await self._agreed(title, len(keys), "Flag" if flagged else "Take away"):
            return
        changed = await self._desk.flag(keys, flagged)
        self._marks.forget()
        self._face.say(f"{counted(changed, 'image')} {'flagged' if flagged else 'no longer flagged'}.")

    async def _meant(self) -> Sequence[ImageKey]:
        """The marked images, or the one under the cursor."""
        if self._session.selected_count:
            return await asyncio.to_thread(self._session.selected_keys())  # a million take a second
        return [self._session.current] if self._session.current is not None else []

    async def _agreed(self, title: str, count: int, word: str) -> bool:
        if count <= MANY:
            return True
        answers = [("Cancel", False), (word, True)]
        text = "It is one step: undo takes all of it back."
        return bool(await self._face.ask(Question(title, text, answers)))

    async def _step_back(self, *, redo: bool) -> None:
        step = await self._desk.step_back(redo=redo)
        if step is None:
            self._face.say(
                "There is nothing to bring back." if redo else "There is nothing of yours to undo."
            )
            return
        words, applied = step
        self._face.say(words + self._reveal(applied))

    def _reveal(self, applied: Applied) -> str:
        """Go where something changed, and mark it where it is several images; what to say about it."""
        rows, session = applied.rows, self._session
        if not len(rows):
            return ""
        shown_all = session.current_row not in rows and session.reveal(int(rows[0]))
        if len(rows) > 1:
            self._marks.replace(rows)
        return " All images are shown again." if shown_all else ""
