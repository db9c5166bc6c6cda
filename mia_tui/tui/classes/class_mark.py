"""The mark of an image in lists and tiles: the key of its class on the colour of the class."""

from rich.style import Style

from mia_tui.dataset.session.session import RowState
from mia_tui.tui.widgets.ink import Ink

MARK_COLUMNS = 3


def class_mark(state: RowState, ink: Ink) -> tuple[str, Style]:
    """Three cells: ` k ` on the colour of the class, `(k)` for a model's suggestion, a dot without either."""
    if state.problem is not None:
        return f" {ink.gone if state.missing else ink.broken} ", Style(bold=True)
    if state.image_class is not None:
        letter = _letter(state.image_class.key, state.image_class.name, ink)
        return f" {letter} ", ink.chip(state.image_class.colour)
    if state.suggestion is not None:
        letter = _letter(state.suggestion.key, state.suggestion.name, ink)
        return f"({letter})", ink.words("suggestion", state.suggestion.colour)
    return f" {ink.dot} ", ink.dim()


def _letter(key: str | None, name: str, ink: Ink) -> str:
    """One character for a class: its key, else the first letter of its name."""
    letter = ink.shown(key if key is not None else name[:1])
    return letter if ink.width(letter) == 1 else "?"
