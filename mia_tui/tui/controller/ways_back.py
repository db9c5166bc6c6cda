"""The way back from the images that are shown: what Esc does where they are labelled, and in the grid.

Each filter, search and folder remembers which images were shown before; the images of a run, from which of its
pages they were opened; an image that was opened from the grid, that it was.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter, Order
from mia_tui.dataset.session.session import LabelSession

if TYPE_CHECKING:
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.tui.open_dataset import CountsPlace, RunPlace

Taken = Literal["find", "filter", "folders", "run", "grid", "look_alikes", "undo", "review"]

_OPENED = ("grid", "look_alikes")  # screens that an image is opened from


@dataclass(frozen=True)
class Way:
    """A step that led to other images.

    Attributes:
        by: What was done; `grid` and `look_alikes` are the opening of an image from there, `undo` a step taken back
            on an image that was not shown.
        scope: The screen on which it was done.
        before: The filter until then.
        shown: The filter since then.
        image: The current image until then.
        place: Where the images were opened, for those of a run.
        order: That of before, if the step changed it.
    """

    by: Taken
    scope: str
    before: Filter
    shown: Filter
    image: ImageKey | None = None
    place: "RunPlace | CountsPlace | None" = None
    order: tuple[Order, bool] | None = None


class WaysBack:
    """The steps that can be taken back, for all screens of a dataset.

    Args:
        session: The images.
    """

    def __init__(self, session: LabelSession) -> None:
        self._session = session
        self._ways: list[Way] = []

    def show(
        self,
        by: Taken,
        scope: str,
        shown: Filter,
        place: "RunPlace | CountsPlace | None" = None,
        order: tuple[Order, bool] | None = None,
    ) -> None:
        """Show other images, and remember which were shown before.

        The same step again takes the place of the last one: Esc leads to what was shown before both.

        Args:
            by: What is done.
            scope: The screen on which it is done.
            shown: Which images.
            place: Where they were opened, for those of a run.
            order: Their order, and whether it is reversed; None for the present one.
        """
        session = self._session
        before, image = session.filter, session.current
        order_before = (session.order, session.reverse) if order is not None else None
        session.set_filter(shown, order)
        if shown == Filter():
            self._ways.clear()
            return
        last = self._ways[-1] if self._ways else None
        if last is not None and (last.by, last.scope, last.shown) == (by, scope, before):
            before, image, order_before = last.before, last.image, last.order or order_before
            self._ways.pop()
        if shown != before:
            self._ways.append(Way(by, scope, before, shown, image, place, order_before))

    @property
    def run(self) -> "RunDir | None":
        """The run from which the images that are shown were opened; None if they were not."""
        from mia_tui.tui.open_dataset import RunPlace

        places = [way.place for way in self._ways if way.shown == self._session.filter]
        return next((place.run for place in reversed(places) if isinstance(place, RunPlace)), None)

    def reveal(self, row: int, scope: str) -> bool:
        """Go to an image on which a step was undone; if it is not shown, show all, and remember which were.

        Returns whether that was necessary.
        """
        before, image = self._session.filter, self._session.current
        if not self._session.reveal(row):
            return False
        self._ways.append(Way("undo", scope, before, self._session.filter, image))
        return True

    def opened_from(self, by: Literal["grid", "look_alikes"]) -> None:
        """An image was opened from the grid, or from a page of look-alikes, over which nothing is shown any more."""
        if by == "grid" and self._ways and self._ways[-1].by == "look_alikes":
            return  # which lay over the grid: Esc leads there
        shown = self._session.filter
        self._ways.append(Way(by, "label", shown, shown))

    def opened(self, by: Literal["grid", "look_alikes"]) -> None:
        """The grid, or pages of look-alikes, were opened: they need not be returned to a second time."""
        gone = _OPENED if by == "grid" else (by,)
        self._ways = [way for way in self._ways if way.by not in gone]

    def take(self, scope: str) -> Way | None:
        """Take the last step of a screen back; None if there is none.

        Steps after which somebody chose other images in another way are passed over. From the grid,
        the steps that were taken before it was opened are left for the screen below.
        """
        while self._ways:
            last = self._ways[-1]
            if last.by not in _OPENED and last.shown != self._session.filter:
                self._ways.pop()
            elif scope != "label" and (last.scope != scope or last.by in _OPENED):
                return None
            else:
                self._ways.pop()
                self._show_again(last)
                return last
        return None

    def _show_again(self, way: Way) -> None:
        if way.by in _OPENED:
            return
        self._session.set_filter(way.before, way.order)
        row = None if way.image is None else self._session.listing.row(way.image)
        # After a search one stays with what was found.
        if (way.place is not None or way.by in ("undo", "review")) and row is not None:
            self._session.go_to(row)
