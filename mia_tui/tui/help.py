"""The help: all keys, with the user's in force; what the frame means; how this terminal shows images."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key

from mia_tui.terminal.model import Terminal
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import key_name, keys_of, said_key, shown_key
from mia_tui.tui.keys.tables import SCOPES, Action
from mia_tui.tui.screen import KeyedModal
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_block import TextBlock

WIDE_COLUMNS = 120
"""From this width on, keys stand in two columns."""

_WIDEST = 170
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


class HelpScreen(KeyedModal[None]):
    """The keys.

    Args:
        context: What screens share.
        scope: The screen whose keys are shown; for the labelling screen, those of all screens.
    """

    SCOPE_NAME = "help"

    def __init__(self, context: Context, scope: str = "label") -> None:
        super().__init__()
        self.by_name = {
            "close": self.dismiss,
            "down": partial(self._scroll, 1),
            "up": partial(self._scroll, -1),
            "page_next": partial(self._scroll_page, 1),
            "page_previous": partial(self._scroll_page, -1),
            "first": partial(self._scroll, -_ALL_LINES),
            "last": partial(self._scroll, _ALL_LINES),
        }
        self._closed_by = {key_name(key) for key in keys_of(scope, context.user.keys)["help"]}
        scopes = tuple(SCOPES) if scope == "label" else (scope,)
        sections = [section for name in scopes for section in _sections(name, context, scope)]
        keys = keys_of("label", context.user.keys)
        legend = (
            [_legend(context.ink, said_key("label", keys, "accept"))] if scope in ("label", "grid") else []
        )
        self._sections = [*sections, *legend, _showing(context.terminal, said_key("label", keys, "auto"))]
        self._columns = [TextBlock(classes="help-column"), TextBlock(classes="help-column")]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="help-dialog"):
            yield TextBlock("Keys", classes="title")
            with VerticalScroll(id="help-scroll", can_focus=False), Horizontal(id="help-columns"):
                yield from self._columns
            words = "{down}, {up}, {page_next} and {page_previous} scroll, {close} closes."
            yield TextBlock(self.with_keys(words), classes="hint")

    def on_resize(self) -> None:
        is_wide = self.size.width >= WIDE_COLUMNS
        parts = _halves(self._sections) if is_wide else (self._sections, [])
        self._columns[1].display = is_wide
        self.query_one("#help-dialog").styles.width = min(_WIDEST, self.size.width - 4)
        for column, part in zip(self._columns, parts, strict=True):
            column.update(Group(*(section for section, _ in part)))

    def on_key(self, event: Key) -> None:
        """The key that opened it closes it."""
        if event.key in self._closed_by and self.is_current:
            event.stop()
            event.prevent_default()  # it may be a key of the help, too
            self.dismiss()

    def _scroll(self, lines: int) -> None:
        self.query_one("#help-scroll").scroll_relative(y=lines, animate=False)

    def _scroll_page(self, pages: int) -> None:
        scroll = self.query_one("#help-scroll")
        scroll.scroll_relative(y=pages * max(1, scroll.size.height - 1), animate=False)


Section = tuple[RenderableType, int]
"""What is shown, and about how many lines it needs."""


def _sections(name: str, context: Context, own: str) -> list[Section]:
    """The commands of a screen; of another one than `own`, only those that `own` does not have."""
    known = () if name == own else SCOPES[own].actions
    keys = keys_of(name, context.user.keys)
    actions = [action for action in SCOPES[name].actions if action not in known]
    sections: list[Section] = []
    for heading, group in groupby(sorted(actions, key=_section_place(actions)), key=_section):
        rows = [(_words(keys[action.id]), action.help) for action in group]
        sections.append((Group(_heading(heading), _table(rows), Text("")), len(rows) + 2))
    return sections


def _section(action: Action) -> str:
    return action.section


def _section_place(actions: Sequence[Action]) -> Callable[[Action], int]:
    """Sections in the order in which they begin."""
    order = list(dict.fromkeys(map(_section, actions)))
    return lambda action: order.index(action.section)


def _words(keys: Sequence[str]) -> str:
    return "  ".join(map(shown_key, keys)) or "no key"


def _legend(ink: Ink, accept: str) -> Section:
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
    return Group(_heading("The frame around an image"), table, Text("")), len(words) + 2


def _showing(terminal: Terminal, auto: str) -> Section:
    words = [f"Images are shown {_GRAPHICS[terminal.graphics]}; {terminal.colours_in_words}."]
    if terminal.brand:
        where = f", in {terminal.multiplexer}" if terminal.multiplexer else ""
        words.append(f"The terminal is {printable(terminal.around or terminal.brand)}{where}.")
    words += [printable(text) for text in (terminal.note, terminal.hint) if text]
    texts = [Text(text) for text in (*words, *(hint.format(auto=auto) for hint in _HINTS))]
    return Group(_heading("This terminal"), *texts), 2 * len(texts) + 1


def _heading(text: str) -> Text:
    return Text(text, style="bold underline")


def _table(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=18)
    table.add_column()
    for keys, meaning in rows:
        table.add_row(Text(keys, style="bold"), Text(meaning))
    return table


def _halves(sections: Sequence[Section]) -> tuple[list[Section], list[Section]]:
    """Two columns of about the same length, the order kept."""
    total, used = sum(lines for _, lines in sections), 0
    for number, (_, lines) in enumerate(sections):
        if used + lines / 2 >= total / 2:
            return list(sections[:number]), list(sections[number:])
        used += lines
    return list(sections), []
