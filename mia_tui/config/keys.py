"""Keys as people write them: `f1`, `ctrl+z`, `space`, `=`; which of them a command may have.

Letters and digits pick classes, so no command has one. Terminals send the
same byte for some keys (ctrl+i is tab), and nothing at all for others
(ctrl with most punctuation), which is said where it is asked for.
"""

import difflib

from mia_tui.errors import ConfigError
from mia_tui.paths import printable

NAMED_KEYS = (
    *(f"f{number}" for number in range(1, 21)),
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete"),
    *("backspace", "enter", "escape", "space", "tab"),
)
MODIFIERS = ("alt", "ctrl", "shift")  # in the order in which Textual names them

_ALSO = {
    "esc": "escape",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    "pgup": "pageup",
    "pgdn": "pagedown",
}
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+h": "backspace"}
_WANTED = "A key is f1 to f20, a sign such as = or !, a name such as space or pageup, or ctrl+ with a letter."


def check_key(text: str, *, shown: str) -> str:
    """A key in the one way it is written here.

    Args:
        text: As the user wrote it.
        shown: Where, such as `keys.undo in config.toml`.

    Raises:
        ConfigError: If there is no such key, or it is a letter or digit.
    """
    *modifiers, last = _parts(text)
    if len(last) == 1 and last.isalnum() and modifiers in ([], ["shift"]):
        raise ConfigError(
            f"{shown} names {printable(text)!r}: letters and digits belong to classes.", _WANTED
        )
    if not set(modifiers) <= set(MODIFIERS) or not _goes_with(modifiers, last):
        raise ConfigError(f"{shown} names the key {printable(text)!r}.", _hint(modifiers, last))
    key = "+".join([*sorted(set(modifiers)), last])
    if key in _SAME:
        raise ConfigError(f"{shown} names {key}, which is {_SAME[key]} to a terminal.", "Take another key.")
    return key


def _parts(text: str) -> list[str]:
    """Modifiers and, last, the key: `ctrl+z` is ctrl and z, `+` is itself."""
    if text == " ":
        return ["space"]
    words = text.strip().lower()
    *modifiers, last = [*words[:-2].split("+"), "+"] if words.endswith("++") else words.split("+")
    return ["+"] if words == "+" else [*modifiers, _ALSO.get(last, last)]


def _goes_with(modifiers: list[str], last: str) -> bool:
    """Whether terminals send something for that key with those modifiers."""
    if last in NAMED_KEYS:
        return True
    if not modifiers:
        return len(last) == 1 and last.isprintable() and not last.isspace()
    return modifiers in (["ctrl"], ["alt"]) and len(last) == 1 and last.isascii() and last.isalpha()


def _hint(modifiers: list[str], last: str) -> str:
    fitted = [_nearest(word, MODIFIERS) for word in modifiers]
    key = last if len(last) == 1 else _nearest(last, NAMED_KEYS)
    if None in fitted or key is None or not _goes_with([word or "" for word in fitted], key):
        return _WANTED
    near = "+".join([word or "" for word in fitted] + [key])
    return f"Did you mean {near}?"


def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    near = difflib.get_close_matches(word, known, n=1)
    return near[0] if near else None
