"""The tables of `keys.tables` with the user's keys in force: the command of a key, and how a key is written."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from mia_tui.config.user.keys import keys_in_force
from mia_tui.tui.keys.tables import SCOPES

UserKeys = Mapping[str, tuple[str, ...]]
"""The keys that the user set, as in `UserConfig.keys`."""


@dataclass(frozen=True)
class KeyHint:
    """A command in the last line of a screen.

    Attributes:
        key: As it is shown.
        title: Of the command.
        command: Its id.
    """

    key: str
    title: str
    command: str


def commands_by_key(
    keys: Mapping[str, Sequence[str]], *, only: Container[str] | None = None
) -> dict[str, str]:
    """The command of each key, with keys as Textual names them.

    Textual's own bindings and keymap are not used: they cannot remove all keys of a command, and a binding is
    looked up only when the key has come back to the app. A capital letter without a command has that of the small
    one, as sentences name keys in capitals.

    Args:
        keys: In force, by command, as `keys_of` gives them.
        only: The commands that the screen has, if those are not all of the table.
    """
    found: dict[str, str] = {}
    for command, its_keys in keys.items():
        if only is None or command in only:
            for key in its_keys:
                found.setdefault(key_name(key), command)
    for key, command in list(found.items()):
        if len(key) == 1:
            found.setdefault(key.upper(), command)
    return found


def command_elsewhere(key: str, wanted: UserKeys) -> tuple[str, str] | None:
    """The first screen on which a key has a command, and the title of that; None if it has none on any.

    Args:
        key: As Textual names it.
        wanted: The keys that the user set.
    """
    for scope in SCOPES:
        command = commands_by_key(keys_of(scope, wanted)).get(key)
        if command is not None:
            return scope, next(action.title for action in SCOPES[scope].actions if action.id == command)
    return None


def keys_of(scope: str, wanted: UserKeys) -> dict[str, tuple[str, ...]]:
    """The keys in force on a screen, by command."""
    return keys_in_force(SCOPES[scope], wanted)


def key_hints(scope: str, wanted: UserKeys) -> list[KeyHint]:
    """The commands that the last line of a screen shows, in order, without those that have no key."""
    keys, titles = keys_of(scope, wanted), {action.id: action.title for action in SCOPES[scope].actions}
    return [
        KeyHint(shown_key(keys[name][0]), titles[name], name) for name in SCOPES[scope].footer if keys[name]
    ]


def said_key(scope: str, keys: Mapping[str, Sequence[str]], command: str) -> str:
    """The key of a command for a sentence, letters in capitals; without a key, how to run it from the palette."""
    if keys[command]:
        key = shown_key(keys[command][0])
        return key.upper() if len(key) == 1 else key
    title = next(action.title for action in SCOPES[scope].actions if action.id == command)
    palette = keys["command_palette"]
    return f"{shown_key(palette[0])}, {title}" if palette else title


def palette_lines(scope: str, wanted: UserKeys) -> list[tuple[str, str, str, str]]:
    """The commands of a screen for the palette: id, title, keys, help."""
    keys = keys_of(scope, wanted)
    return [
        (action.id, action.title, "  ".join(map(shown_key, keys[action.id])), action.help)
        for action in SCOPES[scope].actions
        if action.id != "command_palette"
    ]


def other_words(scope: str) -> dict[str, str]:
    """Other words for what the palette lists: by the id of a command of the screen, and by other titles."""
    from mia_tui.tui.keys.other_words import OTHER_WORDS, OTHER_WORDS_OF_TITLES

    found = dict(OTHER_WORDS_OF_TITLES)
    if scope in SCOPES:
        for words in (*reversed(OTHER_WORDS.values()), OTHER_WORDS.get(scope, {})):
            found |= words
    return found


def key_name(key: str) -> str:
    """Textual's name of a key: `=` is equals_sign; f1, ctrl+z and the like stay as they are."""
    from mia_tui.tui.textual_private import key_of_character

    return key_of_character(key) if len(key) == 1 else key


def pressed_key(name: str) -> str:
    """A key that was pressed as help shows it, from Textual's name of it: equals_sign is =."""
    from textual.keys import key_to_character

    return shown_key(key_to_character(name) or name)


_SHOWN = {
    "space": "Space",
    "enter": "Enter",
    "delete": "Del",
    "insert": "Ins",
    "escape": "Esc",
    "backspace": "Backspace",
    "left": "Left",
    "right": "Right",
    "up": "Up",
    "down": "Down",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
}


def shown_key(key: str) -> str:
    """A key as help shows it: F1, Ctrl+Z, =."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    last = _SHOWN.get(last, last.upper() if len(last) > 1 or modifiers else last)
    return "+".join([*(word.capitalize() for word in modifiers), last])
