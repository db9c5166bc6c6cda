"""What the keys of the grid do: move, mark, and change the marked images: label, clear, skip, flag, note.

A command that changes images says how many, asks first if there are more than
`MANY`, and is one step for undo.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.row_table import FLAGGED, SKIPPED, Rows
from mia_tui.dataset.session.session import Applied, LabelSession
from mia_tui.dataset.store.edits import free_in_steps
from mia_tui.text import counted, printable
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.dialogs import TextDialog
from mia_tui.tui.label.commands import SessionCommands
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.grid.screen import GridScreen
    from mia_tui.tui.mosaic.tile_pictures import TilePictures

MANY = 20
"""With more images than this, a command asks first."""

_NOTE_HINT = "{ok} saves it for all of them; empty removes their notes, {cancel} changes nothing."
_WAYS = "left", "right", "up", "down", "page_previous", "page_next", "first", "last"


class Marks:
    """Marks images, singly or a range at a time.

    Args:
        session: Holds the marks.
    """

    def __init__(self, session: LabelSession) -> None:
        self._session = session
        self._anchor: int | None = None  # row at which the range begins
        self._order: object = None  # images and their order when the range began
        self._ranged: Rows = session.view[:0]  # rows that the range has marked

    def through(self, before: int | None) -> None:
        """Mark from the beginning of the range to the current image; moving back removes those marks again.

        Args:
            before: The row that was current before this move: a new range begins there.
        """
        session, row = self._session, self._session.current_row
        if row is None or before is None:
            return
        order = session.listing, session.view_generation
        # in another order, the range would hold other images
        if self._anchor is None or self._order != order:
            self._anchor, self._ranged, self._order = before, session.view[:0], order
        wanted = self._between(self._anchor, row)
        for other in np.setdiff1d(self._ranged, wanted).tolist():
            session.toggle(other)
        new = wanted[~np.isin(wanted, session.selected)]
        session.select_range(self._anchor, row)
        self._ranged = np.concatenate([np.intersect1d(self._ranged, wanted), new])

    def end_range(self) -> None:
        """Begin a new range at the next `through`."""
        self._anchor = None

    def forget(self) -> None:
        """Remove all marks."""
        self._session.clear_selection()
        self._anchor = None

    def replace(self, rows: Rows) -> None:
        """Mark these rows and no others; rows that are not shown are left out."""
        self.forget()
        self._session.select(rows[np.isin(rows, self._session.view)])

    def _between(self, first: int, last: int) -> Rows:
        view = self._session.view
        places = np.flatnonzero(np.isin(view, [first, last]))
        return view[places[0] : places[-1] + 1] if len(places) else view[:0]


class GridCommands(SessionCommands):
    """The commands of the grid. Those that change images concern the marked ones, or the one under the cursor.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.
    """

    _screen: "GridScreen"

    def __init__(self, controller: LabelController, screen: "GridScreen", ink: Ink) -> None:
        super().__init__(controller, screen, ink)
        self._marks = Marks(controller.session)
        self.by_name |= {
            "assign": self._assign_current,
            "clear": self._clear,
            "skip": self._skip,
            "flag": self._flag,
            "note": self._note,
            "mark": self._mark,
            "mark_all": self._mark_all,
            "take_seen": self._take_seen,
            "open": self._open,
            "leave": self._leave,
            "grid": self.open_grid,
            "zoom_in": partial(self._resize, 1),
            "zoom_out": partial(self._resize, -1),
        }
        for where in _WAYS:
            self.by_name[where] = partial(self._move, where, marking=False)
            self.by_name[f"mark_{where}"] = partial(self._move, where, marking=True)

    async def go_to(self, key: ImageKey, *, mark: bool = False, through: bool = False) -> None:
        """Go to a tile that was clicked; with `mark` mark it, with `through` mark all from the cursor to it."""
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

    async def ask_about(self, key: ImageKey) -> None:
        """Ask what to do with a tile, or with all that are marked, if some are."""
        from mia_tui.tui.label import pickers

        marked = self._session.selected_count
        if not marked:
            await self.go_to(key)
        row = self._session.current_row
        if row is None:
            return
        name = counted(marked, "marked image") if marked else self._session.current_name
        state = None if marked else self._session.state_of(row)
        chosen = await self._screen.ask(pickers.image_menu(self._session, state, name, self._ink))
        if isinstance(chosen, int):
            await self.use_class(chosen)
        elif chosen is not None:
            await self.by_name[chosen]()

    def reveal(self, applied: Applied) -> str:
        """Go to the first changed image; if there are several, mark them. Returns what to say about it."""
        rows, session = applied.rows, self._session
        if not len(rows):
            return ""
        words = "" if session.current_row in rows else self._go_to(int(rows[0]))
        if len(rows) > 1:
            self._marks.replace(rows)
        return words

    async def _move(self, where: str, *, marking: bool) -> None:
        before = self._session.current_row
        session, tiles = self._session, self._screen.tiles
        line, page = tiles.tile_layout.per_line, tiles.per_page
        moves: dict[str, Callable[[], bool]] = {
            "left": lambda: session.move(-1),
            "right": lambda: session.move(1),
            "up": lambda: self._move_by_line(-line),
            "down": lambda: self._move_by_line(line),
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

    def _move_by_line(self, by: int) -> bool:
        """Move a line up or down; from above the end of a shorter last line, move to the last image."""
        position, count = self._session.position, len(self._session.view)
        line = self._screen.tiles.tile_layout.per_line
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
            await self.shown.leave()

    async def leave_screen(self) -> None:
        self._screen.leave(opened=False)

    async def open_grid(self) -> None:
        await self.leave_screen()

    async def show_pages(self, *, like: ImageKey | None = None, returns: bool = False) -> bool:
        is_opened = await super().show_pages(like=like, returns=returns)
        if is_opened:
            self._screen.leave(opened=True)
        return is_opened

    @property
    def tile_pictures(self) -> "TilePictures":
        return self._screen.tile_pictures

    async def _open(self) -> None:
        if self._session.current is not None:
            self._screen.leave(opened=True)

    async def _resize(self, by: int) -> None:
        if not self._screen.tiles.resize_tiles(by):
            self._screen.say("These are the largest tiles." if by > 0 else "These are the smallest tiles.")

    # Changing the marked images

    async def use_class(self, class_id: int) -> None:
        """Label the images with this class, and make it the current one."""
        self._session.choose_class(class_id)
        image_class = self._session.class_of(class_id)
        keys = await self._keys_to_change()
        if image_class is None or not keys:
            return
        name = printable(image_class.name)
        if not await self._confirm_many(
            f"Label {counted(len(keys), 'image')} as {name}?", len(keys), "Label"
        ):
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

    async def _take_seen(self) -> None:
        """Accept the suggestions of images that were on the screen, above a confidence that is asked for."""
        from mia_tui.tui.review.sure import seen_suggestions, threshold_dialog

        self._screen.note_seen()
        found, unseen = seen_suggestions(self._session, self._controller.seen)
        if not found:
            why = (
                f"{counted(unseen, 'image')} with one were not on the screen yet"
                if unseen
                else "none has one"
            )
            self._screen.say(f"There is no suggestion to take here: {why}.")
            return
        least = await self._screen.ask(threshold_dialog(found, unseen, self._ink))
        if least is None:
            return
        taken = [(each.key, each.class_id) for each in found if each.confidence >= least]
        changed = await self._controller.accept_all(taken)
        self._screen.say(f"{counted(changed, 'suggestion')} taken; {self._screen.key('undo')} undoes that.")

    async def _clear(self) -> None:
        keys = await self._keys_to_change()
        title = f"Remove the labels of {counted(len(keys), 'image')}?"
        if not keys or not await self._confirm_many(title, len(keys), "Remove"):
            return
        changed = await self._controller.clear(keys)
        await self._done(keys)
        self._screen.say(
            f"{counted(changed, 'label')} removed." if changed else "There was no label to remove."
        )

    async def _skip(self) -> None:
        """Skip all, or unskip them if all are skipped."""
        ask, ask_back = ("Skip {}?", "Skip"), ("Unskip {}?", "Unskip")
        await self._set_or_clear(SKIPPED, self._controller.skip, ask, ask_back, "skipped")

    async def _flag(self) -> None:
        """Flag all, or remove the flags if all have one."""
        ask, ask_back = ("Flag {}?", "Flag"), ("Remove the flags of {}?", "Remove")
        await self._set_or_clear(FLAGGED, self._controller.flag, ask, ask_back, "flagged")

    async def _set_or_clear(
        self,
        bit: int,
        write: Callable[[Sequence[ImageKey], bool], Awaitable[int]],
        ask: tuple[str, str],
        ask_back: tuple[str, str],
        done: str,
    ) -> None:
        """Set a flag of all images, or clear it if all have it.

        Args:
            bit: The flag.
            write: Sets or clears it.
            ask: The question before setting it, and its answer.
            ask_back: The question before clearing it, and its answer.
            done: What images with the flag are called.
        """
        on = not self._session.all_have(self._rows_to_change(), bit)
        keys = await self._keys_to_change()
        title, answer = ask if on else ask_back
        title = title.format(counted(len(keys), "image"))
        if not keys or not await self._confirm_many(title, len(keys), answer):
            return
        changed = await write(keys, on)
        await self._done(keys)
        self._screen.say(f"{counted(changed, 'image')} {done if on else f'no longer {done}'}.")

    async def _note(self) -> None:
        """Write one note for all of them."""
        keys = await self._keys_to_change()
        if not keys or self.hides_notes():
            return
        images = counted(len(keys), "image")
        if len(keys) > 1:
            dialog = TextDialog(f"Note on {images}, in place of their present notes", hint=_NOTE_HINT)
        else:
            row = self._session.listing.row(keys[0])
            old = None if row is None else self._session.state_of(row).note
            dialog = TextDialog(f"Note on {self._ink.fit_left(keys[0].path, 50)}", value=old or "")
        text = await self._screen.ask(dialog)
        if text is None or not await self._confirm_many(f"Write a note on {images}?", len(keys), "Write"):
            return
        note = text.strip() or None
        changed = await self._controller.write(lambda store: store.set_notes(keys, note), f"{images}: note")
        await self._done(keys)
        have = "has" if changed == 1 else "have"
        words = f"{have} a note now" if note else f"{have} no note now"
        self._screen.say(f"{counted(changed, 'image')} {words}." if changed else "No note has changed.")

    async def _done(self, keys: list[ImageKey]) -> None:
        """Remove the marks, and free long lists in a thread: a million keys at once would hold up the screen."""
        self._marks.forget()
        if len(keys) > MANY:
            await asyncio.to_thread(free_in_steps, keys)

    async def _keys_to_change(self) -> list[ImageKey]:
        """The marked images, or the one under the cursor."""
        if self._session.selected_count:
            return await asyncio.to_thread(self._session.selected_keys())  # a million take a second
        return [self._session.current] if self._session.current is not None else []

    def _rows_to_change(self) -> Rows:
        if self._session.selected_count:
            return self._session.selected
        row = self._session.current_row
        return self._session.view[:0] if row is None else np.array([row], np.int32)

    async def _confirm_many(self, title: str, count: int, word: str) -> bool:
        """Ask only if there are more images than `MANY`."""
        if count <= MANY:
            return True
        text = "Undo reverses all of it in one step."
        return await self._screen.confirm(title, text, no="Cancel", yes=word)
