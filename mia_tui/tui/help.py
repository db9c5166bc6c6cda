"""The keys of a screen, with the user's in force, in panels; what the frame means; how this terminal shows images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key
from textual.widgets import Input

from mia_tui.terminal.model import Terminal
from mia_tui.text import has_words, printable
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import key_name, keys_of, said_key, shown_key
from mia_tui.tui.keys.palette import PALETTE_KEYS
from mia_tui.tui.keys.tables import SCOPES, Action
from mia_tui.tui.screen import KeyedModal
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_field import TextField

WIDE_COLUMNS = 120
"""From this width on, panels stand in two columns."""

_WIDEST = 230
_COLUMN = 60  # columns of a panel, at least, where there are several side by side
_KEYS = 18  # columns of the keys
_BESIDE = 6  # columns of a panel that are not text
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


@dataclass(frozen=True)
class HelpSection:
    """A panel: keys with what they do, or anything else that is shown.

    Attributes:
        title: Above it.
        rows: Keys, what they do, and more words by which they are found.
        more: What is shown in place of rows.
        lines: How many lines that takes.
    """

    title: str
    rows: tuple[tuple[str, str, str], ...] = ()
    more: RenderableType | None = None
    lines: int = 0

    def narrowed(self, words: str) -> "HelpSection | None":
        """Only the rows that hold all of some words; None if there are none."""
        rows = tuple(row for row in self.rows if has_words(" ".join(row), words))
        return HelpSection(self.title, rows) if rows else None

    def height(self, columns: int) -> int:
        """About how many lines the panel takes in so many columns."""
        room = max(10, columns - _KEYS - _BESIDE - 2)
        return 2 + (self.lines or sum(-(-len(meaning) // room) for _, meaning, _ in self.rows))

    def drawn(self, ink: Ink) -> Panel:
        """The panel."""
        return Panel(
            _table(self.rows, ink) if self.more is None else self.more,
            title=Text(self.title, style=ink.title()),
            title_align="left",
            box=box.ROUNDED if ink.unicode else box.ASCII,
            border_style=ink.dim(),
        )


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
        self._columns = [TextBlock(classes="help-column") for _ in range(3)]
        self._field = TextField(placeholder="type a key, or what it does", id="text", before=self._in_field)
        self._field.display = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="help-dialog"):
            yield self._field
            with VerticalScroll(id="help-scroll", can_focus=False), Horizontal(id="help-columns"):
                yield from self._columns
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
        count = 1 if self.size.width < WIDE_COLUMNS else min(len(self._columns), width // _COLUMN)
        dialog = self.query_one("#help-dialog")
        dialog.styles.width = width
        dialog.border_title = (
            "Keys of all screens" if self._shows_all else f"Keys {SCOPES[self._scope].where}"
        )
        parts = _balanced(sections, count, width // count)
        nothing = Text(f"Nothing matches {ink.shown(words)!r}.", style=ink.dim())
        for number, column in enumerate(self._columns):
            column.display = number < count
            drawn = [section.drawn(ink) for section in parts[number]] if number < count else []
            column.update(Group(*drawn) if drawn or number else nothing)

    def _sections(self) -> Iterator[HelpSection]:
        context, scope = self._shared, self._scope
        yield from _sections_of(scope, context, scope)
        others = [name for name in SCOPES if name != scope]
        for name in others if self._shows_all else [name for name in ("dialog", "help") if name != scope]:
            yield from _sections_of(name, context, scope)
        palette = shown_key(next(iter(keys_of("label", context.user.keys)["command_palette"]), ""))
        yield HelpSection(
            f"In the palette ({palette})" if palette else "In the palette",
            tuple((keys, meaning, "palette") for keys, meaning in PALETTE_KEYS),
        )
        keys = keys_of("label", context.user.keys)
        if scope in ("label", "grid"):
            yield _legend(context.ink, said_key("label", keys, "accept"))
        yield _showing(context.terminal, said_key("label", keys, "auto"))

    def _scroll(self, lines: int) -> None:
        self.query_one("#help-scroll").scroll_relative(y=lines, animate=False)

    def _scroll_page(self, pages: int) -> None:
        scroll = self.query_one("#help-scroll")
        scroll.scroll_relative(y=pages * max(1, scroll.size.height - 1), animate=False)


def _sections_of(name: str, context: Context, own: str) -> list[HelpSection]:
    """The commands of a screen; of another one than `own`, only those that `own` does not have."""
    from mia_tui.tui.keys.tables.other_words import OTHER_WORDS

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
    return "  ".join(map(shown_key, keys)) or "no key"


def _legend(ink: Ink, accept: str) -> HelpSection:
    words = (
        ("label", "a person's label"),
        ("suggestion", f"a model's suggestion; {accept} accepts it as the label"),
        ("none", "no label"),
    )
    table = Table.grid(padding=(0, 2))
    for kind, meaning in words:
        pattern = (ink.pattern(kind) * _EXAMPLE_COLUMNS)[:_EXAMPLE_COLUMNS]
        colour = None if kind == "none" else _EXAMPLE_COLOUR
        table.add_row(Text(pattern, style=ink.frame(kind, colour)), Text(meaning))
    return HelpSection("The frame around an image", more=table, lines=len(words))


def _showing(terminal: Terminal, auto: str) -> HelpSection:
    words = [f"Images are shown {_GRAPHICS[terminal.graphics]}; {terminal.colours_in_words}."]
    if terminal.brand:
        where = f", in {terminal.multiplexer}" if terminal.multiplexer else ""
        words.append(f"The terminal is {printable(terminal.around or terminal.brand)}{where}.")
    words += [printable(text) for text in (terminal.note, terminal.hint) if text]
    texts = [Text(text) for text in (*words, *(hint.format(auto=auto) for hint in _HINTS))]
    return HelpSection("This terminal", more=Group(*texts), lines=2 * len(texts))


def _table(rows: Sequence[tuple[str, str, str]], ink: Ink) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=_KEYS)
    table.add_column()
    for keys, meaning, _ in rows:
        table.add_row(Text(keys, style=ink.accent()), Text(meaning))
    return table


def _balanced(sections: Sequence[HelpSection], count: int, columns: int) -> list[list[HelpSection]]:
    """So many columns of about the same height, the order kept."""
    heights = [section.height(columns) for section in sections]
    parts: list[list[HelpSection]] = [[] for _ in range(count)]
    share, used = sum(heights) / count, 0.0
    for section, height in zip(sections, heights, strict=True):
        parts[min(count - 1, int((used + height / 2) / max(1.0, share)))].append(section)
        used += height
    return parts
