"""The keys of a screen, with the user's in force, in panels; what the frame means; how this terminal shows images."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, zip_longest

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Key
from textual.widgets import Input

from mia_tui.terminal.model import Terminal
from mia_tui.text import has_words, printable
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import key_name, keys_of, said_key, shown_key
from mia_tui.tui.keys.tables import SCOPES, Action
from mia_tui.tui.screen import KeyedModal
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_field import TextField
from mia_tui.tui.widgets.text_lines import TextLines

WIDE_COLUMNS = 120
"""From this width on, panels stand in two columns."""

_WIDEST = 230
_COLUMN = 60  # columns of a panel, at least, where there are several side by side
_KEYS = 18  # columns of the keys
_GAP = 2  # columns behind the keys
_AROUND = 5  # columns of the dialog that are its own, and its scrollbar's
_MOST_COLUMNS = 3
_ALL_LINES = 10_000
_EXAMPLE_COLOUR = "#e69f00"
_EXAMPLE_COLUMNS = 12

_GRAPHICS = {
    "kitty": "as pixels, by the kitty protocol",
    "iterm2": "as pixels, by iTerm2's protocol",
    "sixel": "as pixels, by sixels",
    "half": "as half blocks: two pixels for each character",
    "none": 'not at all: graphics is set to "none"',
}
_HINTS = (
    "Letters and digits choose a class; {auto} makes them assign it at once.",
    "F1 may open the help of the terminal; each key of a command does the same. On a Mac, hold Fn for F keys.",
    "Every key can be changed in the settings file, which mia-tui doctor names.",
)

_Pieces = list[tuple[str, Style]]
"""A line."""

_PLAIN = Style()


@dataclass(frozen=True)
class HelpSection:
    """A panel: keys with what they do, or anything else that is shown.

    Attributes:
        title: Above it.
        rows: Keys, what they do, and more words by which they are found.
        words: What stands in place of rows, wrapped.
        lines: What stands in place of both.
    """

    title: str
    rows: tuple[tuple[str, str, str], ...] = ()
    words: tuple[str, ...] = ()
    lines: tuple[tuple[tuple[str, Style], ...], ...] = ()

    def narrowed(self, words: str) -> "HelpSection | None":
        """Only the rows that hold all of some words; None if there are none."""
        rows = tuple(row for row in self.rows if has_words(" ".join(row), words))
        return HelpSection(self.title, rows) if rows else None

    def drawn(self, ink: Ink, columns: int) -> list[_Pieces]:
        """The panel, in lines of so many columns (rich's tables would take 50 ms for all panels)."""
        left, right, level = ("╭╮", "╰╯", "─") if ink.unicode else ("++", "++", "-")
        side, edge = "│" if ink.unicode else "|", ink.dim()
        room = columns - 4
        title = ink.fit(self.title, room - 1)
        above = level * (room - 1 - ink.width(title))
        top = [(f"{left[0]}{level} ", edge), (title, ink.title()), (f" {above}{left[1]}", edge)]
        lines = [
            [(f"{side} ", edge), *line, (" " * (room - _width(line, ink)) + f" {side}", edge)]
            for line in self._lines(ink, room)
        ]
        return [top, *lines, [(f"{right[0]}{level * (columns - 2)}{right[1]}", edge)]]

    def _lines(self, ink: Ink, room: int) -> Iterator[_Pieces]:
        yield from (list(line) for line in self.lines)
        for words in self.words:
            yield from ([(line, _PLAIN)] for line in _wrapped(words, room))
        for keys, meaning, _ in self.rows:
            both = zip_longest(_wrapped(keys, _KEYS), _wrapped(meaning, room - _KEYS - _GAP), fillvalue="")
            for left, right in both:
                yield [(ink.pad(left, _KEYS + _GAP), ink.accent()), (right, _PLAIN)]


class HelpScreen(KeyedModal[None]):
    """The keys.

    Args:
        context: What screens share.
        scope: The screen whose keys are shown.
    """

    SCOPE_NAME = "help"
    AUTO_FOCUS = ""

    def __init__(self, context: Context, scope: str = "label") -> None:
        super().__init__()
        self.by_name = {
            "close": self._close,
            "find": self._begin_search,
            "all": self._toggle_all,
            "down": partial(self._scroll, 1),
            "up": partial(self._scroll, -1),
            "page_next": partial(self._scroll_page, 1),
            "page_previous": partial(self._scroll_page, -1),
            "first": partial(self._scroll, -_ALL_LINES),
            "last": partial(self._scroll, _ALL_LINES),
        }
        self._shared, self._scope = context, scope
        own_keys = keys_of(scope, context.user.keys)
        self._closed_by = {key_name(key) for key in own_keys.get("help", ())}
        self._shows_all = False
        self._lines = TextLines(context.ink, id="help-lines")
        self._field = TextField(placeholder="type a key, or what it does", id="text", before=self._in_field)
        self._field.display = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="help-dialog"):
            yield self._field
            yield self._lines
            words = (
                "{find} finds a key, {all} shows those of all screens, {page_next} scrolls, {close} closes."
            )
            yield TextBlock(self.with_keys(words), classes="hint")

    def on_resize(self) -> None:
        self._show()

    def on_key(self, event: Key) -> None:
        """The key that opened it closes it."""
        if event.key in self._closed_by and self.is_current:
            event.stop()
            event.prevent_default()  # it may be a key of the help, too
            self.dismiss()

    # Finding

    def _begin_search(self) -> None:
        self._field.display = True
        self._field.focus()

    def _end_search(self) -> None:
        self._field.value = ""
        self._field.display = False
        self.set_focus(None)
        self._show()

    def _in_field(self, event: Key) -> bool:
        """While something is typed, only keys that are no text are commands; closing ends the search first."""
        if event.is_printable:
            return False
        command = self.command_of(event.key)
        if command == "close" and event.key != "enter":
            event.stop()
            self._end_search()
            return True
        return command not in ("first", "last") and self.run_key(event)

    @on(Input.Changed)
    def _narrow(self) -> None:
        self._show()

    def _toggle_all(self) -> None:
        self._shows_all = not self._shows_all
        self._show()

    def _close(self) -> None:
        self.dismiss()

    # Painting

    def _show(self) -> None:
        ink, width = self._shared.ink, min(_WIDEST, self.size.width - 4)
        words = self._field.value.strip()
        sections = list(self._sections())
        if words:
            sections = [found for section in sections if (found := section.narrowed(words)) is not None]
        count = 1 if self.size.width < WIDE_COLUMNS else min(_MOST_COLUMNS, width // _COLUMN)
        dialog = self.query_one("#help-dialog")
        dialog.styles.width = width
        dialog.border_title = (
            "Keys of all screens" if self._shows_all else f"Keys {SCOPES[self._scope].where}"
        )
        columns = (width - _AROUND + 1) // count - 1
        parts = _balanced([section.drawn(ink, columns) for section in sections], count)
        empty: _Pieces = [(" " * columns, _PLAIN)]
        lines = [
            Text.assemble(*(piece for part in row for piece in (*part, (" ", _PLAIN))))
            for row in zip_longest(*parts, fillvalue=empty)
        ]
        nothing = Text(f"Nothing matches {ink.shown(words)!r}.", style=ink.dim())
        self._lines.show(lines or [nothing], None)
        self._lines.put_on_top(0)

    def _sections(self) -> Iterator[HelpSection]:
        context, scope = self._shared, self._scope
        yield from _sections_of(scope, context, scope)
        others = [name for name in SCOPES if name != scope]
        for name in others if self._shows_all else [name for name in ("dialog", "help") if name != scope]:
            yield from _sections_of(name, context, scope)
        keys = keys_of("label", context.user.keys)
        if scope in ("label", "grid"):
            yield _legend(context.ink, said_key("label", keys, "accept"))
        yield _showing(context.terminal, said_key("label", keys, "auto"))

    def _scroll(self, lines: int) -> None:
        self._lines.move(lines)

    def _scroll_page(self, pages: int) -> None:
        self._lines.move(pages * max(1, self._lines.size.height - 1))


def _sections_of(name: str, context: Context, own: str) -> list[HelpSection]:
    """The commands of a screen; of another one than `own`, only those that `own` does not have."""
    from mia_tui.tui.keys.other_words import OTHER_WORDS

    keys = keys_of(name, context.user.keys)
    known = () if name == own else SCOPES[own].actions
    actions = [action for action in SCOPES[name].actions if action not in known]
    other = OTHER_WORDS.get(name, {})
    return [
        HelpSection(
            heading,
            tuple(
                (_words(keys[action.id]), action.help, f"{action.title} {other.get(action.id, '')}")
                for action in group
            ),
        )
        for heading, group in groupby(sorted(actions, key=_section_place(actions)), key=_section)
    ]


def _section(action: Action) -> str:
    return action.section


def _section_place(actions: Sequence[Action]) -> Callable[[Action], int]:
    """Sections in the order in which they begin."""
    order = list(dict.fromkeys(map(_section, actions)))
    return lambda action: order.index(action.section)


def _words(keys: Sequence[str]) -> str:
    return "  ".join(map(shown_key, keys)) or "in the palette"


def _legend(ink: Ink, accept: str) -> HelpSection:
    words = (
        ("label", "a person's label"),
        ("suggestion", f"a model's suggestion; {accept} accepts it as the label"),
        ("none", "no label"),
    )
    lines = []
    for kind, meaning in words:
        pattern = (ink.pattern(kind) * _EXAMPLE_COLUMNS)[:_EXAMPLE_COLUMNS]
        colour = None if kind == "none" else _EXAMPLE_COLOUR
        lines.append(((pattern, ink.frame(kind, colour)), (f"  {meaning}", _PLAIN)))
    return HelpSection("The frame around an image", lines=tuple(lines))


def _showing(terminal: Terminal, auto: str) -> HelpSection:
    words = [f"Images are shown {_GRAPHICS[terminal.graphics]}; {terminal.colours_in_words}."]
    if terminal.brand:
        where = f", in {terminal.multiplexer}" if terminal.multiplexer else ""
        words.append(f"The terminal is {printable(terminal.around or terminal.brand)}{where}.")
    words += [printable(text) for text in (terminal.note, terminal.hint) if text]
    return HelpSection("This terminal", words=(*words, *(hint.format(auto=auto) for hint in _HINTS)))


def _wrapped(text: str, columns: int) -> list[str]:
    columns = max(1, columns)
    return [text] if len(text) <= columns else textwrap.wrap(text, columns, break_on_hyphens=False)


def _width(line: _Pieces, ink: Ink) -> int:
    return sum(ink.width(text) for text, _ in line)


def _balanced(panels: Sequence[list[_Pieces]], count: int) -> list[list[_Pieces]]:
    """So many columns of about the same height, the order kept."""
    columns: list[list[_Pieces]] = [[] for _ in range(count)]
    share, used = sum(map(len, panels)) / count, 0.0
    for panel in panels:
        columns[min(count - 1, int((used + len(panel) / 2) / max(1.0, share)))] += panel
        used += len(panel)
    return columns
