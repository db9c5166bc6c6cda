"""What the keys of the labelling screen do: each command by its id in `actions.label`.

No widget is touched here: a command changes the desk, the session or the look,
says a word about it, or asks through a dialog. The screen paints what is
different afterwards.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import Applied
from mia_tui.tui.label.list_commands import Face
from mia_tui.tui.label.session_commands import SessionCommands
from mia_tui.tui.label.view_settings import Glance
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.widgets.ink import Ink


class LabelFace(Face, Protocol):
    """What these commands need of a screen."""

    @property
    def page(self) -> int:
        """Images on a page of the list."""


class LabelCommands(SessionCommands):
    """The commands of one labelling screen.

    Args:
        desk: The dataset.
        glance: How images are looked at.
        face: The screen.
        ink: Characters and styles, for dialogs.
        auto: Whether to begin in auto mode.

    Attributes:
        auto: Whether the key of a class assigns and goes on.
        by_name: Every command, by its name.
    """

    def __init__(
        self, desk: LabelController, glance: Glance, face: LabelFace, ink: Ink, *, auto: bool
    ) -> None:
        super().__init__(desk, face, ink)
        self._glance, self.auto = glance, auto
        self.by_name |= {
            "assign": partial(self._assign, advance=False),
            "assign_next": partial(self._assign, advance=True),
            "accept": self._accept,
            "clear": self._clear,
            "unlink": self._unlink,
            "auto": self._toggle_auto,
            "next": partial(self._move, 1),
            "previous": partial(self._move, -1),
            "page_next": lambda: self._move(face.page),
            "page_previous": lambda: self._move(-face.page),
            "first": partial(self._go, self._session.first),
            "last": partial(self._go, self._session.last),
            "frame_next": partial(self._move_frame, 1),
            "frame_previous": partial(self._move_frame, -1),
            "skip": self._skip,
            "flag": self._flag,
            "note": self._note,
        }
        self.by_name |= {name: partial(self._look, change) for name, change in self._looks().items()}

    # Labelling

    async def use_class(self, class_id: int) -> None:
        """Make a class the current one; in auto mode assign it and go on."""
        self._session.choose_class(class_id)
        if self.auto:
            await self._assign(advance=True)

    async def go_to(self, key: ImageKey) -> None:
        """Show another image of the list; nothing happens where it is there no more."""
        row = self._session.listing.row(key)
        if row is not None:
            await self._go(partial(self._session.go_to, row))

    async def move(self, by: int) -> None:
        """Show the image so many places on."""
        await self._move(by)

    async def _assign(self, *, advance: bool) -> None:
        key = self._session.current
        if key is None:
            return
        if self._session.current_class is None and not await self._add_first_class():
            return
        chosen = self._session.current_class
        assert chosen is not None
        await self._desk.assign([key], chosen)
        if advance:
            self._advance()

    async def _add_first_class(self) -> bool:
        from mia_tui.tui.classes.commands import add_classes

        title = "There is no class yet. What is the first one called? More of them: with commas between."
        hint = "{ok} gives this image the first of them."
        added = await add_classes(self._desk, self._face, title, hint)
        if added:
            self._session.choose_class(added[0].id)
        return bool(added)

    def _advance(self) -> None:
        if self._session.move(1):
            self._glance.next_image()
            return
        left, skipped = self._session.tally.left, self._session.tally.skipped
        key = self._face.key("next_unlabelled")
        rest = f"{left:,} have no label: {key} goes there." if left else "All have a label."
        if not left and skipped:
            rest = f"All others have a label; {skipped:,} skipped."
        self._face.say(f"This was the last image of the list. {rest}")

    async def _accept(self) -> None:
        row, key = self._session.current_row, self._session.current
        state = None if row is None else self._session.state_of(row)
        if state is None or key is None:
            self._face.say("There is no image to accept a suggestion for.")
            return
        if state.suggestion is None:
            self._face.say("No model suggests anything for this image.")
            return
        await self._desk.assign([key], state.suggestion.id, source="accepted")
        self._advance()
        if state.image_class is not None and state.differs:
            names = f"{state.suggestion.name} replaced {state.image_class.name}"
            self._face.say(f"{names} of {key.path}; {self._face.key('undo')} takes that back.")

    async def _clear(self) -> None:
        key = self._session.current
        if key is not None and not await self._desk.clear([key]):
            self._face.say("This image has no label.")

    async def _unlink(self) -> None:
        step = await self._desk.undo_links()
        if step is None:
            self._face.say("No label went along with a moved file.")
        else:
            self._face.say(f"{step[0]} {self._face.key('redo')} links again.")

    def reveal(self, applied: Applied) -> str:
        """Go where something changed; what to say about it."""
        if not len(applied.rows) or self._session.current_row in applied.rows:
            return ""
        self._glance.next_image()
        return " All images are shown again." if self._session.reveal(int(applied.rows[0])) else ""

    async def _toggle_auto(self) -> None:
        self.auto = not self.auto
        self._face.say(
            "Auto mode: the key of a class assigns it and goes on." if self.auto else "Auto mode is off."
        )

    # Moving

    async def _go(self, move: Callable[[], bool], stuck: str = "") -> None:
        if move():
            self._glance.next_image()
        else:
            self._face.say(stuck)

    async def _move(self, by: int) -> None:
        end = "last" if by > 0 else "first"
        await self._go(partial(self._session.move, by), f"This is the {end} image of the list.")

    async def _move_frame(self, by: int) -> None:
        row = self._session.current_row
        if row is None:
            return
        frame = self._session.listing.frame(row) + by
        if not 0 <= frame < self._session.listing.frames_of(row):
            self._face.say("There is no further frame in this file.")
        elif self._session.reveal(row + by):
            self._face.say("All images are shown again.")

    # Marks

    async def _skip(self) -> None:
        row, key = self._session.current_row, self._session.current
        if row is None or key is None:
            return
        skipped = self._session.state_of(row).skipped
        await self._desk.skip([key], not skipped)
        if not skipped:
            self._advance()

    async def _flag(self) -> None:
        row, key = self._session.current_row, self._session.current
        if row is not None and key is not None:
            await self._desk.flag([key], not self._session.state_of(row).flagged)

    async def _note(self) -> None:
        row, key = self._session.current_row, self._session.current
        if row is None or key is None:
            return
        from mia_tui.tui.dialogs import TextDialog

        old = self._session.state_of(row).note or ""
        text = await self._face.ask(TextDialog(f"Note on {self._ink.fit_left(key.path, 50)}", value=old))
        if text is not None and text.strip() != old:
            await self._desk.note(key, text.strip() or None)

    # Looking

    def _looks(self) -> dict[str, Callable[[], Any]]:
        glance = self._glance
        return {
            "zoom_in": lambda: glance.zoom(1),
            "zoom_out": lambda: glance.zoom(-1),
            "pan_left": lambda: glance.pan(-1, 0),
            "pan_right": lambda: glance.pan(1, 0),
            "pan_up": lambda: glance.pan(0, -1),
            "pan_down": lambda: glance.pan(0, 1),
            "brighter": lambda: glance.brighten(1),
            "darker": lambda: glance.brighten(-1),
            "more_contrast": lambda: glance.contrast(1),
            "less_contrast": lambda: glance.contrast(-1),
            "window": glance.next_window,
            "invert": glance.invert,
            "channel": glance.next_channel,
            "reset_look": glance.reset,
            "keep_look": self._toggle_keep,
        }

    async def _look(self, change: Callable[[], Any]) -> None:
        change()

    def _toggle_keep(self) -> None:
        self._glance.keep = not self._glance.keep
        kept = (
            "The next image is shown like this one." if self._glance.keep else "Each image is shown afresh."
        )
        self._face.say(kept)
