"""What the keys of a page of look-alikes do."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from mia_tui.dataset.session.session import Applied
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.commands import SessionCommands
from mia_tui.tui.look_alikes import opening
from mia_tui.tui.look_alikes.page import LookAlikePage
from mia_tui.tui.widgets.ink import Ink

READ_S = 0.25
"""So long a page is on the screen before the key that takes it can be meant for it: a key that is held down, or
pressed twice by mistake, labels no images that nobody has seen."""

if TYPE_CHECKING:
    from mia_tui.tui.look_alikes.screen import LookAlikesScreen
    from mia_tui.tui.mosaic.tile_pictures import TilePictures


class LookAlikesCommands(SessionCommands):
    """The commands of the pages of look-alikes.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.
    """

    _screen: "LookAlikesScreen"

    def __init__(self, controller: LabelController, screen: "LookAlikesScreen", ink: Ink) -> None:
        super().__init__(controller, screen, ink)
        self._pages = screen.pages
        self._came_at = 0.0  # when a page followed one that was taken, or a key was too early for it
        self.by_name |= {
            "take": self._take,
            "pass_on": self._pass_on,
            "pass_back": self._pass_back,
            "leave_out": self._on_page(self._leave_out),
            "mark": self._on_page(self._mark),
            "class_next": partial(self._other_class, 1),
            "class_previous": partial(self._other_class, -1),
            "choose": self._choose,
            "open": self._on_page(self._open),
            "leave": self._leave,
            "undo": partial(self._step_back, redo=False),
            "redo": partial(self._step_back, redo=True),
            "suggestions": partial(self._choose_suggestions, self.by_name["suggestions"]),
            "zoom_in": partial(self._resize, 1),
            "zoom_out": partial(self._resize, -1),
        }
        for way in ("left", "right", "up", "down", "first", "last"):
            self.by_name[way] = self._on_page(partial(self._move, way))

    # Tiles

    async def use_key(self, character: str) -> None:
        """The letter of a tile, or the key of a class."""
        keys = {image_class.key for image_class in self._session.classes}
        letters = self._screen.letters
        letter = next((each for each in (character, character.swapcase()) if each in letters), None)
        page = self._pages.page
        if page is None or character in keys or letter is None:
            await super().use_key(character)
        else:
            self._next_class(page, letters.index(letter))

    async def use_class(self, class_id: int) -> None:
        """Give a class to the marked images, or to the one under the cursor."""
        page, image_class = self._pages.page, self._session.class_of(class_id)
        if page is None or image_class is None:
            return
        page.give(sorted(page.marked) or [page.position], class_id)

    async def click(self, page: LookAlikePage | None, position: int, *, leaves_out: bool) -> None:
        """A tile was clicked: its next best class, or none."""
        if page is None or page is not self._pages.page:
            return
        if leaves_out:
            page.move_to(position)
            page.leave_out(position)
        else:
            self._next_class(page, position)

    async def mark_clicked(self, page: LookAlikePage | None, position: int, *, through: bool) -> None:
        """A tile was clicked to mark it, or all from the cursor to it."""
        if page is None or page is not self._pages.page:
            return
        first, last = sorted((page.position, position))
        if through:
            page.marked |= set(range(first, last + 1))
        else:
            page.toggle_mark(position)
        page.move_to(position)

    async def open_clicked(self, page: LookAlikePage | None, position: int) -> None:
        """A tile was clicked twice; what the first click did is taken back."""
        if page is None or page is not self._pages.page:
            return
        page.take_back(position)
        page.move_to(position)
        await self._open(page)

    def _next_class(self, page: LookAlikePage, position: int) -> None:
        page.move_to(position)
        why = self._pages.why_left_out(page.images[position].key)
        if why:
            self._screen.say(f"This image is {why}: the page leaves it as it is.")
            return
        page.next_class(position)

    async def _leave_out(self, page: LookAlikePage) -> None:
        for position in sorted(page.marked) or [page.position]:
            page.leave_out(position)

    async def _mark(self, page: LookAlikePage) -> None:
        page.toggle_mark(page.position)

    async def _move(self, way: str, page: LookAlikePage) -> None:
        line = self._screen.tiles.tile_layout.per_line
        by = {"left": -1, "right": 1, "up": -line, "down": line, "first": -len(page), "last": len(page)}[way]
        is_line = way in ("up", "down")
        if (is_line and not 0 <= page.position + by < len(page)) or not page.move_to(page.position + by):
            end = "first" if by < 0 else "last"
            self._screen.say(f"This is the {end} {'line' if is_line else 'image'} of the page.")

    # Pages

    async def _take(self) -> None:
        page = self._pages.page
        if page is None:
            self._screen.say("No page is left.")
            return
        if time.monotonic() - self._came_at < READ_S:
            self._came_at = time.monotonic()
            self._screen.say("This page has just come: look at it before you take it.")
            return
        labelled = await self._pages.take()
        undo = self._screen.key("undo")
        self._screen.say(
            f"{counted(labelled, 'image')} labelled; {undo} undoes that."
            if labelled
            else "No image of the page got a label."
        )
        await self._show_next()
        self._came_at = time.monotonic()
        self._screen.run_worker(self._screen.offer_audit(labelled), name="audit offer")

    async def _pass_on(self) -> None:
        if self._pages.page is None:
            self._screen.say("No page is left.")
            return
        self._pages.pass_on()
        self._screen.say(f"Passed without a label; {self._screen.key('pass_back')} shows that page again.")
        await self._show_next()

    async def _pass_back(self) -> None:
        if not self._pages.pass_back():
            self._screen.say("No page was passed.")

    async def _step_back(self, *, redo: bool) -> None:
        """Undo or redo; a page comes back when its labels are undone, and goes when they are redone."""
        step = await self._controller.step_back(redo=redo)
        if step is None:
            self._screen.say("There is nothing to redo." if redo else "There is nothing of yours to undo.")
            return
        words, applied = step
        self._screen.say(words)
        if redo and self._pages.redone(applied):
            await self._show_next()
        elif not redo:
            self._pages.undone(applied)

    async def _other_class(self, by: int) -> None:
        """Show pages of the next class that has any."""
        pages = self._pages
        suggested = pages.suggested()
        order = [one.id for one in self._session.classes if one.id in suggested]
        present = pages.class_id if pages.page is None else pages.page.class_id
        if order in ([], [present]):
            self._screen.say("There are no pages of another class.")
            return
        at = order.index(present) if present in order else -1 if by > 0 else 0
        await self._show_class(order[(at + by) % len(order)])

    async def _choose(self) -> None:
        from mia_tui.tui.look_alikes.pickers import page_classes

        picker = page_classes(self._pages.suggested(), self._session, self._ink)
        chosen = await self._screen.ask(picker)
        if chosen is not None:
            await self._show_class(chosen or None)

    async def _show_class(self, class_id: int | None) -> None:
        self._pages.choose_class(class_id)
        await self._show_next()

    async def _show_next(self) -> None:
        await self._pages.show_next(self._screen.tiles.per_page)

    async def _resize(self, by: int) -> None:
        if not self._screen.tiles.resize_tiles(by):
            self._screen.say("These are the largest tiles." if by > 0 else "These are the smallest tiles.")
            return
        page, count = self._pages.page, self._screen.tiles.per_page
        if page is not None and page.is_untouched and count > len(page):
            await self._show_next()

    # Where pages come from

    async def open_look_alikes(self) -> None:
        """Begin anew: with what was left out or passed, and the class of which most can be taken at once."""
        self._pages.see_all_again()
        words = await opening.begin(self._controller, self._pages)
        if words:
            self._screen.say(words)

    async def find_like(self) -> None:
        """See the images that are most like the one under the cursor."""
        page = self._pages.page
        if page is None:
            self._screen.say("There is no image to find others like.")
            return
        key, class_id = page.images[page.position].key, page.class_of(page.position)
        words = await opening.begin_like(
            self._controller, self._pages, key, class_id or page.class_id, beside=True
        )
        if words:
            self._screen.say(words)

    async def _choose_suggestions(self, choose: Callable[[], Awaitable[None]]) -> None:
        before = self._session.model
        await choose()
        if self._session.model != before:
            await self.open_look_alikes()

    # Other screens

    async def _open(self, page: LookAlikePage) -> None:
        row = self._session.listing.row(page.images[page.position].key)
        if row is None:
            self._screen.say("This image does not exist any more.")
            return
        self._session.reveal(row)
        self._controller.ways_back.opened_from("look_alikes")
        self._screen.leave(opened=True)

    async def _leave(self) -> None:
        if not self._pages.end_beside():
            await self.leave_screen()

    async def leave_screen(self) -> None:
        self._screen.leave(opened=False)

    async def open_grid(self) -> None:
        await self.leave_screen()

    @property
    def tile_pictures(self) -> "TilePictures":
        return self._screen.tile_pictures

    def reveal(self, applied: Applied) -> str:
        """What was undone is said; pages show no other images."""
        return ""

    def _on_page(self, work: Callable[[LookAlikePage], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """A command that needs a page."""

        async def command() -> None:
            if self._pages.page is None:
                self._screen.say("No page is left.")
            else:
                await work(self._pages.page)

        return command
