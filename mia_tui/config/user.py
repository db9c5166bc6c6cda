"""What this user set for the app: `config.toml` in the user's folder of settings. Only the user writes it.

    graphics = "half"        # as --graphics
    colours = "256"
    keep_look = true

    [keys]                   # the id of a command and all its keys; `?` in the app lists them
    undo = ["ctrl+z", "f11"]
    flag = []                # none

Commands that are not named keep their keys.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from mia_tui.config.fields import Field, Value, check_value, fields_of, nearest
from mia_tui.config.keys import check_key
from mia_tui.config.toml import read_toml
from mia_tui.errors import ConfigError
from mia_tui.paths import printable

GraphicsWish = Literal["auto", "kitty", "iterm2", "sixel", "half", "none"]
ColoursWish = Literal["auto", "true", "256", "16", "none"]

_KEYS = "keys"
_EXAMPLE = 'A setting is a line such as  graphics = "half"  or, below [keys],  undo = ["ctrl+z"].'


def _app(description: str, unit: str = "", **limits: Any) -> Meta:
    return Meta(description=description, extra={"group": "App", "unit": unit}, **limits)


class UserSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that are one value each."""

    graphics: Annotated[GraphicsWish, _app("How images are drawn; auto asks the terminal.")] = "auto"
    colours: Annotated[ColoursWish, _app("Colours of the terminal; auto asks it.")] = "auto"
    auto_advance: Annotated[bool, _app("Begin in auto mode: the key of a class assigns and goes on.")] = False
    keep_look: Annotated[bool, _app("Keep zoom and tones for the next image.")] = False
    list_width: Annotated[int, _app("Width of the list of files.", "columns", ge=10, le=200)] = 32
    toast_s: Annotated[float, _app("How long a message stays.", "seconds", gt=0.0, le=60.0)] = 5.0


class UserConfig(UserSettings, frozen=True, kw_only=True):
    """Everything in the file. `keys` holds the commands whose keys the user set, by id; () is no key."""

    keys: dict[str, tuple[str, ...]] = {}


@cache
def user_fields() -> tuple[Field, ...]:
    """The settings that are one value each, with meaning, limits and default."""
    return fields_of(UserSettings)


def load_user_config(path: Path, *, actions: Mapping[str, Iterable[str]]) -> UserConfig:
    """The user's settings; the defaults if there is no file.

    Args:
        path: The file, see `paths.user_config_file`.
        actions: Every command of the app by its id, with the keys it has by itself.

    Raises:
        ConfigError: If the file cannot be read, is not TOML, names a setting, command, key or value there is none
            of, or gives one key to two commands.
    """
    try:
        values = read_toml(path, example=_EXAMPLE)
    except FileNotFoundError:
        return UserConfig()
    name = printable(path)
    keys = _checked_keys(values.pop(_KEYS, {}), actions, name)
    settings: dict[str, Any] = {}
    for key, value in values.items():
        field, checked = _checked(key, value, name)
        if field in settings:
            raise ConfigError(f"{name} sets {field} twice.", "Leave one of the lines out.")
        settings[field] = checked
    return UserConfig(**settings, keys=keys)


def _checked(key: str, value: object, name: str) -> tuple[str, Value]:
    known = {field.name: field for field in user_fields()}
    field = known.get(key.replace("-", "_"))
    if field is None:
        raise ConfigError(
            f"There is no setting {printable(key)!r}, which {name} names.", nearest(key, [*known, _KEYS])
        )
    return field.name, check_value(field, value, shown=f"{field.name} in {name}")


def _checked_keys(
    table: object, actions: Mapping[str, Iterable[str]], name: str
) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise ConfigError(f"{_KEYS} in {name} is no table.", _EXAMPLE)
    keys: dict[str, tuple[str, ...]] = {}
    for action, wanted in table.items():
        if action not in actions:
            raise ConfigError(
                f"There is no command {printable(action)!r}, which [keys] in {name} names.",
                nearest(action, actions),
            )
        keys[action] = _key_list(wanted, f"{_KEYS}.{action} in {name}")
    _refuse_shared(keys, actions, name)
    return keys


def _key_list(wanted: object, shown: str) -> tuple[str, ...]:
    listed = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(listed, list) or not all(isinstance(key, str) for key in listed):
        raise ConfigError(f"{shown} is {printable(wanted)}.", 'It takes a list of keys, such as ["f1", "="].')
    return tuple(check_key(key, shown=shown) for key in listed)


def _refuse_shared(
    keys: Mapping[str, tuple[str, ...]], actions: Mapping[str, Iterable[str]], name: str
) -> None:
    """One key starts one command; what keeps its own keys counts as well."""
    owner = {key: action for action, own in actions.items() if action not in keys for key in own}
    for action, wanted in keys.items():
        for key in wanted:
            if key in owner:
                raise _shared(key, owner[key], action, name, is_set=owner[key] in keys)
            owner[key] = action


def _shared(key: str, first: str, second: str, name: str, *, is_set: bool) -> ConfigError:
    if first == second:
        return ConfigError(f"keys.{first} in {name} names {printable(key)} twice.", "Leave one out.")
    what = f"[keys] in {name} gives {printable(key)} to {second}"
    if is_set:
        return ConfigError(f"{what} and to {first}.", "Leave one out.")
    return ConfigError(
        f"{what}, and {first} has it by itself.", f"Give {first} other keys as well, or none: []."
    )
