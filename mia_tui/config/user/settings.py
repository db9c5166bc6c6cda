"""What this user set for the app: `config.toml` in the user's folder of settings. Only the user writes it,
and `mia-tui doctor --terminal` where the user says so.

    graphics = "half"        # as --graphics
    colours = "256"
    theme = "nord"
    keep_look = true

    [keys]                   # the id of a command and all its keys, on every screen that has it
    undo = ["ctrl+z", "f11"]
    flag = []                # none
    "grid.mark" = ["insert"] # on one screen only; also as  mark = …  below [keys.grid]

Commands that are not named keep their keys.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from mia_tui.config.fields import Field, Value, check_value, fields_of, nearest
from mia_tui.config.toml_file import read_toml
from mia_tui.config.user.keys import KeyTable, Typed, check_key, keys_in_force
from mia_tui.errors import ConfigError
from mia_tui.text import printable

GraphicsWish = Literal["auto", "kitty", "iterm2", "sixel", "half", "none"]
WheelUse = Literal["next", "zoom"]
ColoursWish = Literal["auto", "true", "256", "16", "none"]

_KEYS = "keys"
_EXAMPLE = 'A setting is a line such as  graphics = "half"  or, below [keys],  undo = ["ctrl+z"].'


def _app(description: str, unit: str = "", **limits: Any) -> Meta:
    return Meta(description=description, extra={"group": "App", "unit": unit}, **limits)


class UserSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that are one value each."""

    graphics: Annotated[GraphicsWish, _app("How images are drawn; auto asks the terminal.")] = "auto"
    colours: Annotated[ColoursWish, _app("Colours of the terminal; auto asks it.")] = "auto"
    theme: Annotated[
        str,
        _app(
            "Colours of the app, such as mia-dark, mia-light or nord; auto is the theme that was chosen last in the "
            "palette, or else the one that matches the terminal's background.",
        ),
    ] = "auto"
    auto_advance: Annotated[
        bool | None,
        _app(
            "Begin in auto mode: the key of a class assigns it and moves to the next image; without this line as it "
            "was left."
        ),
    ] = None
    live_suggestions: Annotated[
        bool | None,
        _app(
            "Learn suggestions while you label: a network looks at all images in the background, once images of two "
            "classes are labelled; without this line as it was left, and on at first."
        ),
    ] = None
    wheel: Annotated[
        WheelUse,
        _app("What the mouse wheel does over the image: the next image, or zoom; with Ctrl it always zooms."),
    ] = "next"
    keep_look: Annotated[bool, _app("Keep zoom and tones for the next image.")] = False
    list_width: Annotated[int, _app("Width of the list of files.", "columns", ge=10, le=200)] = 32
    features_gb: Annotated[
        float,
        _app(
            "Room for the features of all datasets in your cache folder; those not used for longest go first.",
            "GB",
            gt=0.0,
            le=1e6,
        ),
    ] = 5.0
    decoded_gb: Annotated[
        float,
        _app(
            "Room for decoded images in your cache folder, so that the next training need not read them; at most "
            "half of the free disk; those not used for longest go first; 0 keeps none.",
            "GB",
            ge=0.0,
            le=1e6,
        ),
    ] = 20.0
    toast_s: Annotated[float, _app("How long a message stays.", "seconds", gt=0.0, le=60.0)] = 5.0


class UserConfig(UserSettings, frozen=True, kw_only=True):
    """Everything in the file. `keys` holds the commands whose keys the user set, by id or screen.id; () is none."""

    keys: dict[str, tuple[str, ...]] = {}


@cache
def user_fields() -> tuple[Field, ...]:
    """The settings that are one value each, with meaning, limits and default."""
    return fields_of(UserSettings)


def load_user_config(path: Path, *, screens: Iterable[KeyTable]) -> UserConfig:
    """The user's settings; the defaults if there is no file.

    Args:
        path: The file, see `paths.user_config_file`.
        screens: Every command of the app with its default keys, by screen; asked for where the file sets
            keys.

    Raises:
        ConfigError: If the file cannot be read, is not TOML, names an unknown setting, command or key or an
            impossible value, or gives one key to two commands of a screen.
    """
    try:
        values = read_toml(path, example=_EXAMPLE)
    except FileNotFoundError:
        return UserConfig()
    name = printable(path)
    keys = _checked_keys(values.pop(_KEYS), tuple(screens), name) if _KEYS in values else {}
    settings: dict[str, Any] = {}
    for key, value in values.items():
        field, checked = _checked(key, value, name)
        if field in settings:
            raise ConfigError(f"{name} sets {field} twice.", "Leave one of the lines out.")
        settings[field] = checked
    return UserConfig(**settings, keys=keys)


def load_setting(path: Path, name: str) -> Value:
    """One of the settings that are one value each; its default if the file does not set it.

    Args:
        path: As for `load_user_config`.
        name: Of the setting.

    Raises:
        ConfigError: If the file cannot be read, is not TOML, or gives it an impossible value.
    """
    try:
        values = read_toml(path, example=_EXAMPLE)
    except FileNotFoundError:
        values = {}
    for key, value in values.items():
        if key.replace("-", "_") == name:
            return _checked(key, value, printable(path))[1]
    default: Value = getattr(UserSettings(), name)
    return default


def _checked(key: str, value: object, name: str) -> tuple[str, Value]:
    known = {field.name: field for field in user_fields()}
    field = known.get(key.replace("-", "_"))
    if field is None:
        raise ConfigError(
            f"There is no setting {printable(key)!r}, which {name} names.", nearest(key, [*known, _KEYS])
        )
    return field.name, check_value(field, value, shown=f"{field.name} in {name}")


def _checked_keys(table: object, screens: Sequence[KeyTable], name: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise ConfigError(f"{_KEYS} in {name} is no table.", _EXAMPLE)
    keys: dict[str, tuple[str, ...]] = {}
    for command, wanted in _flat(table, {screen.name for screen in screens}):
        shown = f"{_KEYS}.{printable(command)} in {name}"
        if command in keys:
            raise ConfigError(f"{shown} is set twice.", "Leave one of the lines out.")
        typed = _typed_with(command, screens, name)
        keys[command] = _key_list(wanted, shown, typed)
    for screen in screens:
        _refuse_shared(keys, screen, name)
    return keys


def _flat(table: Mapping[str, object], screens: set[str]) -> Iterator[tuple[str, object]]:
    """`grid.mark = …` without quotes is a table in the table."""
    for command, wanted in table.items():
        if isinstance(wanted, dict) and command in screens:
            yield from ((f"{command}.{below}", value) for below, value in wanted.items())
        else:
            yield command, wanted


def _typed_with(command: str, screens: Sequence[KeyTable], name: str) -> Typed:
    """What letters and signs do where a command is; where that is on several screens, classes count."""
    screen, dot, own = command.rpartition(".")
    having = [each for each in screens if own in each.keys and (not dot or each.name == screen)]
    if not having:
        on_screen = [each for each in screens if each.name == screen]
        known = [f"{each.name}.{own}" for each in on_screen for own in each.keys]
        known = known or list(dict.fromkeys(own for each in screens for own in each.keys))
        raise ConfigError(
            f"There is no command {printable(command)!r}, which [keys] in {name} names.",
            nearest(command, known),
        )
    kinds = {each.typed for each in having}
    return "classes" if "classes" in kinds else "nothing" if "nothing" in kinds else "text"


def _key_list(wanted: object, shown: str, typed: Typed) -> tuple[str, ...]:
    listed = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(listed, list) or not all(isinstance(key, str) for key in listed):
        raise ConfigError(f"{shown} is {printable(wanted)}.", 'It takes a list of keys, such as ["f1", "="].')
    keys = tuple(check_key(key, shown=shown, typed=typed) for key in listed)
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"{shown} names {printable(key)} twice.", "Leave one out.")
    return keys


def _refuse_shared(wanted: Mapping[str, tuple[str, ...]], screen: KeyTable, name: str) -> None:
    """On a screen, one key starts one command; what keeps its own keys counts as well."""
    owners: dict[str, str] = {}
    keys = keys_in_force(screen, wanted)
    for command in sorted(keys, key=lambda command: _is_set(command, screen, wanted)):
        for key in keys[command]:
            if key in owners:
                raise _shared(key, owners[key], command, screen, wanted, name)
            owners[key] = command


def _shared(
    key: str, first: str, second: str, screen: KeyTable, wanted: Mapping[str, tuple[str, ...]], name: str
) -> ConfigError:
    what = f"[keys] in {name} gives {printable(key)} to {second}"
    if _is_set(first, screen, wanted):
        return ConfigError(f"{what} and to {first} {screen.where}.", "Leave one out.")
    return ConfigError(
        f"{what}, and {first} has it by default {screen.where}.",
        f"Give {screen.name}.{first} other keys as well, or none: [].",
    )


def _is_set(command: str, screen: KeyTable, wanted: Mapping[str, tuple[str, ...]]) -> bool:
    return command in wanted or f"{screen.name}.{command}" in wanted
