"""The table of `actions` as Textual's bindings, with the user's keys in force, and as people read it."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mia_tui.config.keys import keys_in_force
from mia_tui.tui.keys.tables import SCOPES

if TYPE_CHECKING:
    from textual.binding import Binding
    from textual.events import Key
    from textual.screen import Screen

Wanted = Mapping[str, tuple[str, ...]]
"""The user's keys, as `UserConfig.keys` has them."""

_OBEY = re.compile(r"obey\('(\w+)'\)")
_OF_THE_APP = frozenset({"command_palette", "quit"})


@dataclass(frozen=True)
class KeyHint:
    """What the last line of a screen says of a command.

    Attributes:
        key: As people read it.
        title: Of the command.
        action: As Textual's bindings have it.
    """

    key: str
    title: str
    action: str


def bind_keys(
    screen: "Screen[Any]", scope: str, wanted: Wanted, *, only: Container[str] | None = None
) -> None:
    """Give a screen the keys of its commands, each of which calls `action_obey` with its id.

    Textual's own keymap is not used: it cannot take a command all its keys away, and works it out at each key.

    Args:
        screen: Being made.
        scope: Its name in `SCOPES`.
        wanted: What the user set.
        only: Ids of the commands that it has, where those are not all of the table.
    """
    from textual.binding import BindingsMap

    made = BindingsMap(_bindings(scope, wanted, only))
    others = {
        key: known
        for key, known in screen._bindings.key_to_bindings.items()
        if key not in made.key_to_bindings
    }
    screen._bindings = BindingsMap.from_keys({**made.key_to_bindings, **others})


def obey_key(screen: "Screen[Any]", event: "Key") -> bool:
    """Obey a command of the screen's own at once; False if the key is none.

    For screens that take keys themselves, too: Textual looks for a binding only when the key has come back to
    the app, and what was pressed behind it in the same burst is then done before it.
    """
    for binding in screen._bindings.key_to_bindings.get(event.key, ()):
        if binding.action.startswith("app."):  # a field must not take the key for its own
            event.stop()
            screen.call_later(screen.run_action, binding.action)
            return True
        found = _OBEY.fullmatch(binding.action)
        if found is not None:
            event.stop()
            screen.action_obey(found[1])  # type: ignore[attr-defined]
            return True
    return False


def keys_of(scope: str, wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """The keys in force on a screen, by command."""
    return keys_in_force(SCOPES[scope].keys, wanted)


def key_hints(scope: str, wanted: Wanted) -> list[KeyHint]:
    """The keys that the last line of a screen shows, in their order; a command without a key is left out."""
    keys, titles = keys_of(scope, wanted), {action.id: action.title for action in SCOPES[scope].actions}
    return [
        KeyHint(shown_key(keys[name][0]), titles[name], _action(name))
        for name in SCOPES[scope].footer
        if keys[name]
    ]


def said_key(scope: str, keys: Mapping[str, Sequence[str]], command: str) -> str:
    """The key of a command for a sentence, letters as on a keyboard; where it has none, how the palette does it."""
    if keys[command]:
        key = shown_key(keys[command][0])
        return key.upper() if len(key) == 1 else key
    title = next(action.title for action in SCOPES[scope].actions if action.id == command)
    palette = keys["command_palette"]
    return f"{shown_key(palette[0])}, {title}" if palette else title


def palette_lines(scope: str, wanted: Wanted) -> list[tuple[str, str, str]]:
    """The commands of a screen for the palette: id, title with its keys, help."""
    keys = keys_of(scope, wanted)
    return [
        (action.id, "  ".join([action.title, *map(shown_key, keys[action.id])]), action.help)
        for action in SCOPES[scope].actions
        if action.id != "command_palette"
    ]


def _bindings(scope: str, wanted: Wanted, only: Container[str] | None) -> "list[Binding]":
    from textual.binding import Binding

    keys = keys_of(scope, wanted)
    return [
        Binding(
            ",".join(map(key_name, keys[action.id])),
            _action(action.id),
            action.title,
            show=False,
        )
        for action in SCOPES[scope].actions
        if keys[action.id] and (only is None or action.id in only)
    ]


def _action(command: str) -> str:
    return f"app.{command}" if command in _OF_THE_APP else f"obey('{command}')"


def key_name(key: str) -> str:
    """Textual's name of a key: `=` is equals_sign; f1, ctrl+z and the like stay."""
    from textual.keys import _character_to_key

    return _character_to_key(key) if len(key) == 1 else key


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
