"""Going to the most useful image, once or again and again; and back to those before.

While labelling goes on with the most useful image, the images that were visited are remembered in order, as a browser
does: back leads to the one before, on to the one after it, and from the last one to another useful one.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from mia_tui.dataset.model import ImageKey
from mia_tui.errors import DataError
from mia_tui.tui.live.live_suggestions import AHEAD

if TYPE_CHECKING:
    from mia_tui.tui.controller.label_controller import LabelController

_MOST_VISITED = 2000


class UsefulImages:
    """Which image comes next where the most useful one does.

    Args:
        controller: The dataset.
        is_on: Whether labelling goes on with the most useful image instead of the next one in the list.
    """

    def __init__(self, controller: "LabelController", *, is_on: bool) -> None:
        self._controller, self._session, self._live = controller, controller.session, controller.live
        self.is_on = is_on
        self._visited: list[ImageKey] = []
        self._place = -1  # of the current image among them
        self._live.chooses = is_on

    def turn(self, *, is_on: bool) -> None:
        """Let labelling go on with the most useful image, or not any more."""
        self.is_on = is_on
        self._visited, self._place, self._live.passed = [], -1, []
        self._live.chooses = is_on or self._live.chooses
        if is_on:
            self._visit()
            self._live.start()
            self._live.relearn()

    async def go_on(self) -> bool:
        """Go to the image that was visited after this one, else to the most useful one. False if there is none."""
        self._visit()
        for place in range(self._place + 1, len(self._visited)):
            if self._go_to_visited(place):
                return True
        row = self._chosen()
        if row is None:
            row = await self._choose()
        if row is None:
            return False
        self._session.go_to(row)
        self._visit()
        self._live.relearn()
        return True

    def go_back(self) -> bool:
        """Go to the image that was visited before this one. False if there is none."""
        self._visit()
        return any(self._go_to_visited(place) for place in range(self._place - 1, -1, -1))

    def upcoming(self) -> list[int]:
        """Rows to preload: those that `go_on` is likely to go to, then the one before; empty if it is not known."""
        place = self._place if self._is_at_place() else len(self._visited)
        after, before = self._visited[place + 1 : place + 1 + AHEAD], self._visited[max(0, place - 1) : place]
        row_of, chosen = self._session.listing.row, filter(self._is_open, self._next_rows)
        ahead = [row for key in after if (row := row_of(key)) is not None]
        behind = [row for key in before if (row := row_of(key)) is not None]
        return [*[*ahead, *chosen][:AHEAD], *behind]

    @property
    def can_choose(self) -> bool:
        """Whether there are features to choose by."""
        learning = self._live.learning
        return learning is not None and learning.features > 0

    @property
    def _next_rows(self) -> list[int]:
        return [] if self._live.learning is None else self._live.learning.next_rows

    def _chosen(self) -> int | None:
        """The most useful of the images that were chosen ahead and are without a label still."""
        return next(filter(self._is_open, self._next_rows), None)

    async def _choose(self) -> int | None:
        """Choose now; once all others were passed, those are chosen from again."""
        self._live.chooses = True
        with suppress(DataError):
            await self._live.learn_now()
            if self._chosen() is None and self._live.passed:
                self._live.passed = []
                await self._live.learn_now()
        return self._chosen()

    def _is_open(self, row: int) -> bool:
        """Whether an image is shown, is another one than this, and has neither a label nor was skipped or passed."""
        session = self._session
        if row == session.current_row or row in self._live.passed or not session.is_shown(row):
            return False
        if session.has_leased and session.leased[row]:
            return False
        state = session.state_of(row)
        return state.image_class is None and not state.skipped

    def _visit(self) -> None:
        """The current image is the last one that was visited, unless it is the one we went back to."""
        key = self._session.current
        if key is None or self._is_at_place():
            return
        self._visited = [*self._visited[: self._place + 1], key][-_MOST_VISITED:]
        self._place = len(self._visited) - 1
        unlabelled = [row for row in self._live.passed if self._session.state_of(row).image_class is None]
        row = self._session.current_row
        self._live.passed = unlabelled if row is None else [*unlabelled, row]

    def _is_at_place(self) -> bool:
        return 0 <= self._place < len(self._visited) and self._visited[self._place] == self._session.current

    def _go_to_visited(self, place: int) -> bool:
        row = self._session.listing.row(self._visited[place])
        if row is None or not self._session.go_to(row):
            return False
        self._place = place
        return True
