"""A bar with words, for a line of text."""

from mia_tui.tui.widgets.ink import Ink, style
from mia_tui.tui.widgets.text_line import Piece

_COLOUR = "#56b4e9"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def progress_pieces(title: str, share: float, words: str, columns: int, ink: Ink) -> list[Piece]:
    """Title, bar and words in so many columns.

    Args:
        title: What moves on.
        share: How much of it is done, 0 to 1.
        words: Said behind the bar.
        columns: Of the line.
        ink: Characters and styles.
    """
    room = max(4, min(40, columns - len(title) - len(words) - 4))
    bar = bar_text(share, room, unicode=ink.unicode)
    look = style(fg=_COLOUR) if ink.colours else None
    left, right = ("▕", "▏") if ink.unicode else ("[", "]")
    return [(f"{title} {left}", None), (bar, look), (f"{right} {words}", None)]


def bar_text(share: float, columns: int, *, unicode: bool) -> str:
    """A bar that is filled so far."""
    share = max(0.0, min(1.0, share))
    if not unicode:
        return ("#" * int(share * columns)).ljust(columns, ".")
    eighths = int(share * columns * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(columns)
