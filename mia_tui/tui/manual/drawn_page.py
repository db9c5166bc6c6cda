"""Pages of the manual as they were drawn, so that the second look at one takes no time."""

from collections.abc import Iterator
from functools import lru_cache

from rich.style import Style
from rich.text import Text

from mia_tui.tui.manual.drawing import draw_parts
from mia_tui.tui.manual.text import TOPICS


class DrawnPage:
    """A page whose lines are drawn as they are needed.

    Args:
        parts: Its lines, part by part.

    Attributes:
        lines: Those drawn so far.
    """

    def __init__(self, parts: Iterator[list[Text]]) -> None:
        self.lines: list[Text] = []
        self._parts = parts
        self.is_complete = False

    def draw(self, lines: int) -> None:
        """Draw at least so many lines, if the page has them."""
        while len(self.lines) < lines and not self.is_complete:
            self.draw_part()

    def draw_all(self) -> None:
        """Draw the whole page."""
        while not self.is_complete:
            self.draw_part()

    def draw_part(self) -> None:
        """Draw the next part."""
        part = next(self._parts, None)
        if part is None:
            self.is_complete = True
        else:
            self.lines += part


@lru_cache(maxsize=2 * len(TOPICS))
def drawn_page(text: str, columns: int, accent: Style) -> DrawnPage:
    """A page; see `draw_page`."""
    return DrawnPage(draw_parts(text, columns, accent))
