"""Bars: one that fills up, and a list of names with a bar each."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_NAME_SHARE, _LONGEST_NAME = 0.4, 40
_LONGEST_BAR = 40


@dataclass(frozen=True)
class BarLine:
    """A line: a name, a value and a bar for it; a line without a bar is text.

    Attributes:
        name: Of what is counted; or the text.
        value: In words.
        share: Length of the bar, 0 to 1; None for a line of text.
        can_open: Whether what is counted can be opened.
    """

    name: str
    value: str = ""
    share: float | None = None
    can_open: bool = False


class BarList(LineList[BarLine]):
    """Names with bars, one a line.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_bar, id=id)
        self._name_width = self._value_width = 0  # columns that the longest of them take
        self._lines: tuple[BarLine, ...] = ()

    def show_bars(self, lines: tuple[BarLine, ...]) -> None:
        """Paint these lines if they are not the same as before."""
        if lines == self._lines:
            return
        self._lines = lines
        first = next((place for place, line in enumerate(lines) if line.can_open), None)
        bars = [line for line in lines if line.share is not None]
        self._name_width = max((self._ink.width(self._ink.shown(line.name)) for line in bars), default=0)
        self._value_width = max((len(line.value) for line in bars), default=0)
        self.show(lines, first if self.cursor is None else self.cursor)
        self.refresh()  # also lines that are the same: the columns may be others

    @property
    def chosen(self) -> str | None:
        """The name under the cursor, if it can be opened."""
        line = None if self.cursor is None else self._lines[self.cursor]
        return line.name if line is not None and line.can_open else None

    def _draw_bar(self, line: BarLine, width: int, is_current: bool) -> list[Segment]:
        text_style = self._ink.cursor() if is_current else Style()
        if line.share is None:
            return [Segment(self._ink.fit(line.name, width) or " ", text_style)]
        room = min(self._name_width, _LONGEST_NAME, int(width * _NAME_SHARE))
        name = self._ink.pad(self._ink.fit(line.name, room), room)
        columns = max(4, min(_LONGEST_BAR, width - room - self._value_width - 4))
        return [
            Segment(f"{name} {line.value:>{self._value_width}}", text_style),
            Segment("  ", Style()),
            Segment(bar(line.share, columns, unicode=self._ink.unicode, empty=" "), self._ink.bar()),
        ]


def bar(share: float, columns: int, *, unicode: bool, empty: str = ".") -> str:
    """A bar that is filled up to a share of its width; where there is only ASCII, the rest is `empty`."""
    share = max(0.0, min(1.0, share))
    if not unicode:
        return ("#" * int(share * columns)).ljust(columns, empty)
    eighths = int(share * columns * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(columns)
