"""The last line of a screen: its most used keys, to press or to click.

Textual's Footer does the same with a widget for each key, which takes 50 ms when the app starts.
"""

from collections.abc import Iterator, Sequence

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from mia_tui.tui.keys.bindings import KeyHint
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_line import TextLine

_NARROW_COLUMNS = 100
"""In a narrower line keys stand closer, so that more of them are seen."""


class KeyLine(TextLine):
    """Keys that fit into the line as a whole, the first ones first.

    Args:
        ink: Characters that this terminal has.
        hints: What to show.
        bare: Keep the terminal's own background, as beside images; else that of the app.
    """

    class KeyClicked(Message):
        """A key was clicked; the screen does its command."""

        def __init__(self, command: str) -> None:
            super().__init__()
            self.command = command

    def __init__(self, ink: Ink, hints: Sequence[KeyHint], *, bare: bool = False) -> None:
        super().__init__(ink, id="keys", bare=bare)
        self._hints = tuple(hints)
        self._left_out: frozenset[str] = frozenset()
        self._ends: list[tuple[int, str]] = []  # where each that is shown ends

    @property
    def text(self) -> str:
        return " ".join(f"{hint.key} {hint.title}" for hint in self._shown)

    def leave_out(self, commands: frozenset[str]) -> None:
        """Show the keys of all commands but those that would do nothing now."""
        if commands != self._left_out:
            self._left_out = commands
            self.forget()

    @property
    def _shown(self) -> Iterator[KeyHint]:
        return (hint for hint in self._hints if hint.command not in self._left_out)

    def on_click(self, event: events.Click) -> None:
        for end, command in self._ends:
            if event.x < end:
                self.post_message(self.KeyClicked(command))
                return

    def _line(self, width: int) -> Strip:
        margin, gap = (0, 1) if width < _NARROW_COLUMNS else (1, 2)
        segments, used = [Segment(" " * margin)] if margin else [], margin
        self._ends = []
        for hint in self._shown:
            columns = self._ink.width(f"{hint.key} {hint.title}")
            if used + columns > width:
                break
            words = f" {hint.title}{' ' * gap}"
            segments += [Segment(hint.key, self._ink.accent()), Segment(words, self._ink.dim())]
            used += columns + gap
            self._ends.append((used, hint.command))
        return Strip(segments).adjust_cell_length(width)
