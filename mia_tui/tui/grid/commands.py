"""What the keys of the grid do: move and mark; what is done to the marked images stands in `many_commands`.

No widget is touched here but through `GridScreen`.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import Applied
from mia_tui.text import counted
from mia_tui.tui.grid.many_commands import ManyCommands
from mia_tui.tui.grid.marks import Marks
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.grid.screen import GridScreen

_WAYS = "left", "right", "up", "down", "page_previous", "page_next", "first", "last"


class GridCommands(ManyCommands):
    """The commands of the grid.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.
    """

    _screen: "GridScreen"

    def __init__(self, controller: LabelController, screen: "GridScreen", ink: Ink) -> None:
        super().__init__(controller, screen, ink)
        self._marks = Marks(controller.session)
        own: dict[str, Command] = {
            "mark": self._mark,
            "mark_all": self._mark_all,
            "open": self._open,
            "leave": self._leave,
            "grid": self._back,
            "classes": screen.show_classes,
            "help": screen.show_help,
            "zoom_in": partial(self._resize, 1),
            "zoom_out": partial(self._resize, -1),
        }
        self.by_name |= own
        for where in _WAYS:
            self.by_name[where] = partial(self._move, where, marking=False)
            self.by_name[f"mark_{where}"] = partial(self._move, where, marking=True)

    async def go_to(self, key: ImageKey, *, mark: bool = False, through: bool = False) -> None:
        """A tile was clicked: go there, mark it too, or mark everything from the cursor to it."""
        row = self._session.listing.row(key)
        before = self._session.current_row
        if row is None or not self._session.go_to(row):
            return
        if mark:
            await self._mark()
        elif through:
            self._marks.through(before)
        else:
            self._marks.end_range()

    def forget_marks(self) -> None:
        self._marks.forget()

    def reveal(self, applied: Applied) -> str:
        """Go where something changed, and mark it where it is several images."""
        rows, session = applied.rows, self._session
        if not len(rows):
            return ""
        shown_all = session.current_row not in rows and session.reveal(int(rows[0]))
        if len(rows) > 1:
            self._marks.replace(rows)
        return " All images are shown again." if shown_all else ""

    async def _move(self, where: str, *, marking: bool) -> None:
        before = self._session.current_row
        session, line, page = self._session, self._screen.per_line, self._screen.per_page
        moves: dict[str, Callable[[], bool]] = {
            "left": lambda: session.move(-1),
            "right": lambda: session.move(1),
            "up": lambda: self._stays_in_column(-line),
            "down": lambda: self._stays_in_column(line),
            "page_previous": lambda: session.move(-page),
            "page_next": lambda: session.move(page),
            "first": session.first,
            "last": session.last,
        }
        if not moves[where]():
            end = "first" if where in ("left", "up", "page_previous", "first") else "last"
            self._screen.say(
                f"This is the {end} line." if where in ("up", "down") else f"This is the {end} image."
            )
        if marking:
            self._marks.through(before)
        else:
            self._marks.end_range()

    def _stays_in_column(self, by: int) -> bool:
        """A line up or down; from above a shorter last line to its end."""
        position, count, line = self._session.position, len(self._session.view), self._screen.per_line
        if position is None or position + by < 0:
            return False
        if position + by >= count and position // line == (count - 1) // line:
            return False
        return self._session.move(by)

    async def _unlabelled(self, *, backwards: bool) -> None:
        self._marks.end_range()
        await super()._unlabelled(backwards=backwards)

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
            self._screen.say(f"{counted(len(view), 'image')} marked.")

    async def _leave(self) -> None:
        if self._session.selected_count:
            self._marks.forget()
        else:
            await self._back()

    async def _back(self) -> None:
        self._screen.leave(opened=False)

    async def _open(self) -> None:
        if self._session.current is not None:
            self._screen.leave(opened=True)

    async def _resize(self, by: int) -> None:
        if not self._screen.resize_tiles(by):
            self._screen.say("These are the largest tiles." if by > 0 else "These are the smallest tiles.")
