"""Messages in a line of their own, which is as high as they need and covers nothing; without one, a hint."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.notifications import Notification
from textual.strip import Strip

from mia_tui.tui.later import later
from mia_tui.tui.textual_private import take_messages_away
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_line import TextLine

_SHARE = 4
"""At most one line in so many of the screen is taken by messages."""


class MessageLine(TextLine):
    """The messages of the app, the oldest first, each on lines of its own; without any, what `show` was given.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, id=id, bare=True)
        self._messages: tuple[Notification, ...] = ()
        self._strips: list[Strip] = []
        self._stop_waiting: Callable[[], None] = lambda: None

    def show_messages(self, messages: Sequence[Notification]) -> None:
        """Show these messages, each until its time is over."""
        shown = tuple(sorted(messages, key=lambda message: message.raised_at))
        if shown != self._messages:
            self._messages = shown
            self._lay_out()
        self._stop_waiting()
        if shown:
            left_s = min(message.time_left for message in shown)
            self._stop_waiting = later(max(0.0, left_s) + 0.01, self._drop_expired)

    @property
    def messages(self) -> list[str]:
        """The messages that are shown."""
        return [message.message for message in self._messages]

    def render_lines(self, crop: Region) -> list[Strip]:
        under = self._ink.beside_images
        if not self._messages:
            blank = Strip.blank(crop.width, under)
            return (super().render_lines(Region(crop.x, 0, crop.width, 1)) + [blank] * crop.height)[
                crop.y : crop.bottom
            ]
        strips = [*self._strips, *[Strip.blank(self.size.width)] * self.size.height]
        seen = [strip.crop(crop.x, crop.right) for strip in strips[crop.y : crop.bottom]]
        return seen if under is None else [strip.apply_style(under) for strip in seen]

    def on_resize(self) -> None:
        self._lay_out()

    def on_click(self) -> None:
        """Somebody has read them."""
        take_messages_away(self.app, self._messages)

    def _drop_expired(self) -> None:
        if self.is_attached:
            self.show_messages([message for message in self._messages if not message.has_expired])

    def _lay_out(self) -> None:
        """Make the lines of the messages, and take as many lines of the screen."""
        width = self.size.width
        if not width or not self.is_attached:
            return
        most = max(1, self.screen.size.height // _SHARE)
        lines = [
            (text, self._style(message))
            for message in self._messages
            for text in _wrapped(self._ink.shown(message.message), width - 2)
        ]
        if len(lines) > most:
            text, style = lines[most - 1]
            lines[most - 1 :] = [(self._ink.fit(f"{text} {self._ink.more}" + " " * width, width - 2), style)]
        self._strips = [
            Strip([Segment(f"{self._ink.pointer if not row else ' '} {text}", style)]).adjust_cell_length(
                width
            )
            for row, (text, style) in enumerate(lines)
        ]
        self.styles.height = max(1, len(lines))
        self.refresh()

    def _style(self, message: Notification) -> Style:
        if message.severity == "error":
            return self._ink.fault()
        return Style(bold=True)


def _wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most so many cells, broken at spaces where that is possible."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        while cell_len(word) > width > 1:  # a path without spaces
            cut = len(word)
            while cell_len(word[:cut]) > width:
                cut -= 1
            lines[-1], word = word[:cut], word[cut:]
            lines.append("")
        lines[-1] = word
    return lines
