"""Commands that go to other images of the labelling screen: the next in the list or the most useful one, frames."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.picture.view_settings import ViewSettings
from mia_tui.tui.live.useful_images import UsefulImages

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen


class MovingCommands:
    """The commands that show another image.

    Args:
        controller: The dataset.
        view_settings: How images are shown.
        screen: The screen.
        useful: Finds the most useful image.
        is_reviewing: Whether a review decides which image comes next.
        last_words: What is said at the end of a second look.

    Attributes:
        by_name: Every one of them, by the id of its action.
    """

    def __init__(
        self,
        controller: LabelController,
        view_settings: ViewSettings,
        screen: "LabelScreen",
        useful: UsefulImages,
        *,
        is_reviewing: Callable[[], bool],
        last_words: Callable[[], str],
    ) -> None:
        self._session, self._view_settings, self._screen = controller.session, view_settings, screen
        self._useful, self._is_reviewing, self._last_words = useful, is_reviewing, last_words
        self.by_name: dict[str, Command] = {
            "next": partial(self.move, 1),
            "previous": partial(self.move, -1),
            "page_next": lambda: self.move(screen.page),
            "page_previous": lambda: self.move(-screen.page),
            "first": self._first,
            "last": self._last,
            "frame_next": partial(self._move_frame, 1),
            "frame_previous": partial(self._move_frame, -1),
        }

    @property
    def is_led(self) -> bool:
        """Whether the next image is the most useful one; a review and a second look have orders of their own."""
        return self._useful.is_on and not self._session.is_second_look and not self._is_reviewing()

    def upcoming(self) -> list[int]:
        """Rows that are likely next, where those are not the next ones in the list; empty if they are."""
        return self._useful.upcoming() if self.is_led else []

    async def move(self, by: int) -> None:
        """Show the image so many places further; below zero, back."""
        if self.is_led and by == 1:
            await self.go_on()
        elif self.is_led and by == -1:
            if not self._useful.go_back():
                self._screen.say("This is the first image that you went to.")
        elif not self._session.move(by):
            self._screen.say(f"This is the {'last' if by > 0 else 'first'} image of the list.")

    async def go_on(self) -> None:
        """Go to the next image, the next in the list or the most useful one; says so where there is none."""
        if self.is_led:
            has_gone = await self._useful.go_on() or self._session.next_unlabelled(wrap=True)
        else:
            has_gone = self._session.go_on()
        if not has_gone:
            self._screen.say(self._why_none())

    def _why_none(self) -> str:
        if self._session.is_second_look:
            return self._last_words()
        if self.is_led:
            return "All images shown have a label or are skipped."
        left, skipped = self._session.counts.left, self._session.counts.skipped
        key = self._screen.key("next_unlabelled")
        todo = f"{left:,} have no label: {key} goes there." if left else "All have a label."
        if not left and skipped:
            todo = f"All others have a label; {skipped:,} skipped."
        return f"This was the last image of the list. {todo}"

    async def _first(self) -> None:
        self._session.first()

    async def _last(self) -> None:
        self._session.last()

    async def _move_frame(self, by: int) -> None:
        row = self._session.current_row
        if row is None:
            return
        listing = self._session.listing
        if listing.frame(row) == WHOLE_STACK:
            self._view_settings.page(by, listing.frames_of(row))
            return
        frame = listing.frame(row) + by
        if not 0 <= frame < listing.frames_of(row):
            self._screen.say("There is no other frame in this file in that direction.")
        elif self._session.reveal(row + by):
            self._screen.say("All images are shown again.")
