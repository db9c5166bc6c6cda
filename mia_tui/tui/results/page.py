"""What the pages of the results have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
from textual.widget import Widget

from mia_tui.tui.results.computed import ComputedResults
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

ResultPageName = Literal["metrics", "per_class", "matrix", "roc", "reliability", "losses", "threshold"]
RESULT_PAGES: tuple[ResultPageName, ...] = get_args(ResultPageName)


@dataclass(frozen=True, eq=False)
class ChosenRows:
    """Images under the cursor.

    Attributes:
        title: What they are, such as `truth basophil, predicted monocyte`.
        rows: Their positions among the results, in the order to see them in, shape (k,).
        first: Position in `rows` of the one under the cursor.
    """

    title: str
    rows: npt.NDArray[np.int64]
    first: int = 0


@dataclass(frozen=True)
class PageCursor:
    """Where the cursor of a page is, and how the page is shown.

    Attributes:
        line: Of the cursor.
        column: In a matrix.
        view: What else the page wants to be given back.
    """

    line: int = 0
    column: int = 0
    view: Any = None


class ResultPage(ABC):
    """A page: how it is drawn, what its cursor is on, and which images that are.

    Args:
        ink: Characters and styles.

    Attributes:
        NAME: In the code and in the table of keys.
        TITLE: For people.
        SHORT: In little room.
        NEEDS_PROBABILITIES: Whether it shows nothing of a run that kept only its predictions.
        widget: Shows it.
        trouble: Why it cannot be shown, a sentence; empty if it can.
    """

    NAME: ClassVar[ResultPageName]
    TITLE: ClassVar[str]
    SHORT: ClassVar[str]
    NEEDS_PROBABILITIES: ClassVar[bool] = False
    widget: Widget
    trouble: str = ""

    def __init__(self, ink: Ink) -> None:
        self.ink = ink

    @abstractmethod
    def missing(self, found: ComputedResults) -> Callable[[], object] | None:
        """What has to be computed, in a thread, before the page can show more; None if all is known."""

    @abstractmethod
    def show(self, found: ComputedResults) -> None:
        """Paint what is known."""

    @abstractmethod
    def heading(self, found: ComputedResults) -> str:
        """What is said above the page."""

    @abstractmethod
    def chosen(self, found: ComputedResults) -> ChosenRows | None:
        """The images under the cursor; None if there are none."""

    @abstractmethod
    def words(self, found: ComputedResults) -> str:
        """A sentence about what is under the cursor."""

    @property
    @abstractmethod
    def lines(self) -> LineList[Any]:
        """The list with the cursor."""

    def move(self, down: int, right: int) -> None:
        """Move the cursor."""
        self.lines.move(down)

    @property
    def page_lines(self) -> int:
        """Lines that fit into the view."""
        return self.lines.page

    @property
    def cursor(self) -> PageCursor:
        """Where it is, to return to."""
        return PageCursor(self.lines.cursor or 0)

    def set_view(self, place: PageCursor) -> None:  # noqa: B027  # most pages have one view
        """Show the page as it was shown; called before it is painted."""

    def put_cursor(self, place: PageCursor) -> None:
        """Return there; the page has been shown."""
        self.lines.move(place.line - (self.lines.cursor or 0))
