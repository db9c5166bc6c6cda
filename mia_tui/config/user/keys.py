"""Keys as people write them: `f1`, `ctrl+z`, `space`, `=`; which of them a command may have on which screen.

Letters and digits pick classes where images are shown, so no command has one
there. Terminals send the same byte for some keys (ctrl+i is tab), and nothing
at all for others (ctrl with most punctuation), which is said where it is asked
for.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mia_tui.errors import ConfigError
from mia_tui.text import printable

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


Typed = Literal["nothing", "classes", "text"]
"""What letters and signs do on a screen: nothing by themselves; letters and digits pick classes; all are typed."""


@dataclass(frozen=True)
class KeyTable:
    """The commands of one screen.

    Attributes:
        name: Of the screen, as in `grid.mark`.
        where: For sentences, such as `in the grid`.
        keys: By command, its default keys.
        typed: Which keys no command can have.
    """

    name: str
    where: str
    keys: Mapping[str, tuple[str, ...]]
    typed: Typed = "nothing"

    def can_have(self, key: str) -> bool:
        """Whether a command of this screen can have a key."""
        return not (_is_typed(key) if self.typed == "text" else self.typed == "classes" and _is_letter(key))


def keys_in_force(table: KeyTable, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The keys of a screen's commands.

    Args:
        table: The screen.
        wanted: What the user set: `grid.mark` counts in the grid alone, and there before `mark`, which counts on
            every screen that has the command and can have the key.
    """
    found = {}
    for command, own in table.keys.items():
        plain = wanted.get(command, own)
        fitting = tuple(key for key in plain if table.can_have(key))
        found[command] = wanted.get(f"{table.name}.{command}", fitting if fitting or not plain else own)
    return found


def check_key(text: str, *, shown: str, typed: Typed = "classes") -> str:
    """A key in the one way it is written here.

    Args:
        text: As the user wrote it.
        shown: Where, such as `keys.undo in config.toml`.
        typed: What letters and signs do on the screen of that command.

    Raises:
        ConfigError: If there is no such key, or no command can have it there.
    """
    *modifiers, last = _parts(text)
    if len(last) == 1 and last.isalnum() and modifiers in ([], ["shift"]) and typed == "classes":
        raise ConfigError(
            f"{shown} names {printable(text)!r}: letters and digits belong to classes.", _WANTED
        )
    if not set(modifiers) <= set(MODIFIERS) or not _goes_with(modifiers, last):
        raise ConfigError(f"{shown} names the key {printable(text)!r}.", _hint(modifiers, last))
    key = "+".join([*sorted(set(modifiers)), last])
    if key in _SAME:
        raise ConfigError(f"{shown} names {key}, which is {_SAME[key]} to a terminal.", "Choose another key.")
    if typed == "text" and _is_typed(key):
        raise ConfigError(
            f"{shown} names {printable(text)!r}, which is typed there.", "Use a key such as f6."
        )
    return key


def _is_letter(key: str) -> bool:
    return len(key) == 1 and key.isalnum()


def _is_typed(key: str) -> bool:
    return len(key) == 1 or key in ("space", "backspace")


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
