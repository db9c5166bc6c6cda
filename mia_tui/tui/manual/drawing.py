"""Markdown as lines of styled text: bold and underlined, and in one colour where the app has one."""

import io

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
    width = max(20, min(WIDEST, columns))
    plain = Style(underline=False)  # colour is enough
    coloured = {} if accent is None else {name: _STYLES[name] + accent + plain for name in _COLOURED}
    theme = Theme(_STYLES | coloured)
    console = Console(file=io.StringIO(), width=width, theme=theme, legacy_windows=False)
    markdown = Markdown(text, code_theme="ansi_dark", hyperlinks=False)
    lines = console.render_lines(markdown, console.options.update(width=width), pad=False)
    return [
        Text.assemble(*((part.text, part.style or "") for part in line if not part.control)) for line in lines
    ]
