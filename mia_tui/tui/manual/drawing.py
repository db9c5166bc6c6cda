"""Markdown as lines of styled text: bold and underlined, and in one colour where the app has one."""

import io
from collections.abc import Iterator
from functools import lru_cache

from rich.console import Console
from rich.markdown import Markdown
from rich.style import Style
from rich.text import Text
from rich.theme import Theme

WIDEST = 100
"""Columns of the text: longer lines are hard to read."""

_STYLES = {
    "markdown.h1": Style(bold=True, underline=True),
    "markdown.h2": Style(bold=True, underline=True),
    "markdown.h3": Style(bold=True),
    "markdown.code": Style(bold=True),
    "markdown.code_block": Style(),
    "markdown.item.bullet": Style(bold=True),
    "markdown.item.number": Style(bold=True),
    "markdown.table.border": Style(dim=True),
    "markdown.table.header": Style(bold=True),
}
_COLOURED = "markdown.h1", "markdown.h2", "markdown.h3", "markdown.code", "markdown.item.bullet"


def draw_page(text: str, columns: int, accent: Style | None = None) -> list[Text]:
    """A page as the lines that are shown.

    Args:
        text: Markdown.
        columns: Of the terminal; no more than WIDEST are used.
        accent: Of headings, and of what is typed or pressed.
    """
    return [line for part in draw_parts(text, columns, accent) for line in part]


def draw_parts(text: str, columns: int, accent: Style | None = None) -> Iterator[list[Text]]:
    """The lines of each part of a page, which may be shown before the next is drawn: a page takes up to 100 ms."""
    width = max(20, min(WIDEST, columns))
    console = _console(width, accent)
    for number, part in enumerate(_parts(text)):
        markdown = Markdown(part, code_theme="ansi_dark", hyperlinks=False)
        lines = console.render_lines(markdown, console.options.update(width=width), pad=False)
        yield [Text()] * bool(number) + [
            Text.assemble(*((piece.text, piece.style or "") for piece in line if not piece.control))
            for line in lines
        ]


@lru_cache(maxsize=4)
def _console(width: int, accent: Style | None) -> Console:
    plain = Style(underline=False)  # colour is enough
    coloured = {} if accent is None else {name: _STYLES[name] + accent + plain for name in _COLOURED}
    theme = Theme(_STYLES | coloured)
    return Console(file=io.StringIO(), width=width, theme=theme, legacy_windows=False)


def _parts(text: str) -> Iterator[str]:
    """A page cut before headings, and before lines in bold, which stand over tables."""
    lines: list[str] = []
    in_code = False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        is_first = line.startswith("#") or (line.startswith("**") and lines[-1:] == [""])
        if lines and not in_code and is_first:
            yield "\n".join(lines)
            lines = []
        lines.append(line)
    yield "\n".join(lines)
