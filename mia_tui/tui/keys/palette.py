"""The palette: finds the commands of a screen by their titles, by other words for them, by their help."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.segment import Segment
from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.fuzzy import FuzzySearch
from textual.widgets import Input

from mia_tui.tui.dialogs import Dialog
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList
from mia_tui.tui.widgets.text_field import TextField
from mia_tui.tui.widgets.text_line import TextLine

_AT_THE_BEGINNING = 1.0
# And for letters of the title, in their order, up to 1 more.
_BY_TITLE, _BY_OTHER_WORDS, _BY_HELP = 3.0, 2.0, 1.0
_FEWEST_LINES = 1
_MOST_LINES = 24
_AROUND = 9  # lines of the window around the list
_PLAIN = Style()
_KEYS_SHARE = 0.4  # of a line, at most

NOTHING_FOUND = "No command matches."


@dataclass(frozen=True)
class PaletteCommand:
    """A line of the palette.

    Attributes:
        title: What people choose.
        help: What it does, a sentence.
        run: Does it.
        keys: That do the same, as help shows them.
        other_words: By which it is found as well.
        is_listed: Whether it is there before anything is typed.
    """

    title: str
    help: str
    run: Callable[[], object]
    keys: str = ""
    other_words: str = ""
    is_listed: bool = True


def found_by(query: str, commands: Sequence[PaletteCommand]) -> list[PaletteCommand]:
    """The commands that a text finds, the best first: all that are listed for no text."""
    if not query.strip():
        return [command for command in commands if command.is_listed]
    search, words = FuzzySearch(), query.casefold().split()

    def score(command: PaletteCommand) -> float:
        fuzzy = float(search.match(query.strip(), command.title)[0])
        starts = command.title.casefold().startswith(query.casefold().strip())
        return _words_score(words, command) + min(1.0, fuzzy) + _AT_THE_BEGINNING * starts

    scored = [(score(command), command) for command in commands]
    scored.sort(key=lambda pair: -pair[0])  # a sort keeps the order of equals
    return [command for points, command in scored if points > 0]


def _words_score(words: list[str], command: PaletteCommand) -> float:
    """By where all words, or parts of words, are found; 0 if nowhere."""
    text = ""
    for more, score in (
        (command.title, _BY_TITLE),
        (command.other_words, _BY_OTHER_WORDS),
        (command.help, _BY_HELP),
    ):
        text += f" {more.casefold()}"
        if all(word in text for word in words):
            return score
    return 0.0


class Palette(Dialog[Callable[[], object] | None]):
    """Asks for a command by typing; the answer runs it.

    Args:
        commands: Of the screen below.
        ink: Characters and styles.
    """

    def __init__(self, commands: Sequence[PaletteCommand], ink: Ink) -> None:
        super().__init__()
        self._commands, self._ink = commands, ink
        self._field = TextField(placeholder="Type what you want to do", id="text", before=self.run_key)
        self._list = LineList[PaletteCommand](ink, self._draw, id="palette-lines")
        self._help = TextLine(ink, id="palette-help")
        self._narrowed_to = ""
        self._found = found_by("", commands)
        self.by_name = {
            "ok": self._take,
            "cancel": partial(self.dismiss, None),
            "down": partial(self._move, 1),
            "up": partial(self._move, -1),
            "page_next": lambda: self._move(self._list.page),
            "page_previous": lambda: self._move(-self._list.page),
        }

    def compose(self) -> ComposeResult:
        with Vertical(id="palette-dialog", classes="dialog") as dialog:
            dialog.border_title = "Commands"
            yield self._field
            yield self._list
            yield self._remark
            yield self._help

    def on_mount(self) -> None:
        self._field.focus()
        self._show(0)

    def on_resize(self) -> None:
        """The list stays as high as all commands need, if there is room, while it is narrowed down."""
        listed = len(found_by("", self._commands))
        self._list.styles.height = max(_FEWEST_LINES, min(listed, _MOST_LINES, self.size.height - _AROUND))

    @on(Input.Changed)
    def narrow(self) -> None:
        """Show what the text finds."""
        text = self._field.value
        if text != self._narrowed_to:
            self._narrowed_to = text
            self._found = found_by(text, self._commands)
            self._show(0)

    @on(LineList.LineClicked)
    def _clicked(self, event: LineList.LineClicked) -> None:
        self.dismiss(self._found[event.line].run)

    def _take(self) -> None:
        self.narrow()  # in a burst of keys, the text before this key may not have been reported yet
        place = self._list.cursor
        if place is not None and place < len(self._found):
            self.dismiss(self._found[place].run)
        else:
            self.remark(f"{NOTHING_FOUND} {{cancel}} closes this.")

    def _move(self, by: int) -> None:
        self.narrow()
        if self._found:
            self._show((self._list.cursor or 0) + by)

    def _show(self, place: int) -> None:
        place = max(0, min(place, len(self._found) - 1))
        self._list.show(self._found, place if self._found else None)
        said = self._found[place].help if self._found else NOTHING_FOUND
        self._help.show([(said, self._ink.dim())])

    def _draw(self, command: PaletteCommand, width: int, is_current: bool) -> list[Segment]:
        ink = self._ink
        style = ink.cursor() if is_current else _PLAIN
        keys = ink.fit(command.keys, int(width * _KEYS_SHARE))
        title = ink.fit(command.title, max(0, width - ink.width(keys) - 3))
        gap = max(0, width - ink.width(title) - ink.width(keys) - 2)
        return [
            Segment(f" {title}", style),
            Segment(" " * gap, style),
            Segment(f"{keys} ", style if is_current else ink.accent()),
        ]
