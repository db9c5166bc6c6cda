"""A list of texts with one of them under the cursor."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_RIGHT_SHARE = 0.6  # of a line, at most, for what stands on the right


@dataclass(frozen=True)
class Entry:
    """A line: `left` keeps its end where it is too long, `right` its beginning. Headings cannot be chosen."""

    left: str
    right: str = ""
    is_heading: bool = False


class EntryList(LineList[Entry]):
    """Lines of text."""

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._look_of, id=id)

    def can_pick(self, entry: Entry) -> bool:
        return not entry.is_heading

    def _look_of(self, entry: Entry, width: int, *, is_current: bool) -> list[Segment]:
        ink = self._ink
        if entry.is_heading:
            return [Segment(ink.pad(entry.left, width), Style(bold=True))]
        right = ink.fit(entry.right, int(width * _RIGHT_SHARE))
        room = width - 3 - ink.width(right)
        left = ink.fit_left(entry.left, max(0, room))
        look = Style(reverse=is_current)
        return [
            Segment(ink.pointer if is_current else " ", Style(bold=True)),
            Segment(left + " " * max(0, room - ink.width(left) + 1), look),
            Segment(right + " ", look + ink.dim() if not is_current else look),
        ]
