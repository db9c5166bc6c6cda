"""Markdown as lines of styled text: bold and underlined, without colours, which differ between terminals."""

import io

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text
from rich.theme import Theme

WIDEST = 100
"""Columns of the text: longer lines are hard to read."""

_THEME = Theme(
    {
        "markdown.h1": "bold underline",
        "markdown.h2": "bold underline",
        "markdown.h3": "bold",
        "markdown.code": "bold",
        "markdown.code_block": "none",
        "markdown.item.bullet": "bold",
        "markdown.item.number": "bold",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
    }
)


def draw_page(text: str, columns: int) -> list[Text]:
    """A page as the lines that are shown.

    Args:
        text: Markdown.
        columns: Of the terminal; no more than WIDEST are used.
    """
    width = max(20, min(WIDEST, columns))
    console = Console(file=io.StringIO(), width=width, theme=_THEME, legacy_windows=False)
    markdown = Markdown(text, code_theme="ansi_dark", hyperlinks=False)
    lines = console.render_lines(markdown, console.options.update(width=width), pad=False)
    return [
        Text.assemble(*((part.text, part.style or "") for part in line if not part.control)) for line in lines
    ]
