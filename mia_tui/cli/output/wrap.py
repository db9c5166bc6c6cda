"""Text wrapped at words for a terminal, which would break it inside a word."""

import re
from collections.abc import Iterator

from mia_tui.cli.output.tables import width

# What is never broken: a command, with its punctuation; anything else without a space.
_PIECE = re.compile(
    r"""(?P<gap>\ *)
    (?P<piece>
        (?<=:\ |\$\ |\ \ )mia-tui\ .+  # to the end of the line, as in `Stop it: mia-tui runs stop RUN`
      | [^\ `]*`[^`]+`[^\ ]*
      | [^\ ]+
    )""",
    re.VERBOSE,
)


def wrap(text: str, columns: int, *, hang: int = 2) -> str:
    """The text as lines that fit, broken between words; a word longer than a line stays whole.

    Args:
        text: One line.
        columns: Width of the terminal.
        hang: Spaces before every line but the first; fewer where the terminal is narrow.
    """
    if width(text) <= columns:
        return text
    return "\n".join(_lines(text, columns, " " * min(hang, columns // 3)))


def _lines(text: str, columns: int, indent: str) -> Iterator[str]:
    line = ""
    for match in _PIECE.finditer(text):
        gap, piece = match["gap"], match["piece"]
        if width(line + gap) > len(indent) and line.strip() and width(line + gap + piece) > columns:
            yield line
            line = indent + piece
        else:
            line += gap + piece
    yield line
