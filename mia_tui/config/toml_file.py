"""Reading a TOML file of settings, whatever it contains, and changing single values in it."""

import re
from collections.abc import Mapping
from pathlib import Path

from mia_tui.errors import ConfigError
from mia_tui.files import add_folder, new_content, read
from mia_tui.text import printable

_MOST_BYTES = 1 << 20


def read_toml(path: Path, *, example: str) -> dict[str, object]:
    """What a settings file says, before anything is checked.

    Args:
        path: The file.
        example: A line as it should be, for the message about a file that is not TOML.

    Raises:
        ConfigError: If the file cannot be read or is not TOML.
        FileNotFoundError: If there is none.
    """
    name = printable(path)
    try:
        # A path whose bytes are not UTF-8 survives as lone surrogates; some editors begin with a mark.
        text = (
            read(path, follow=True, most_bytes=_MOST_BYTES)
            .decode("utf-8", "surrogateescape")
            .removeprefix("\ufeff")
        )
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"The settings file {name} cannot be read: {error.strerror}.") from error
    import tomllib  # most users have no such file, and the app starts faster without it

    try:
        return tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # besides TOML's own: absurdly large numbers and deep nesting
        raise ConfigError(f"The settings file {name} is not TOML: {error}.", example) from error


def set_in_toml(path: Path, values: Mapping[str, str]) -> None:
    """Set texts at the top of a file of settings; all other lines, and comments, stay as they are.

    Args:
        path: The file; it is created if there is none. Behind a link, the file that it points to is changed.
        values: By name, without quotes or backslashes.

    Raises:
        ConfigError: If the file cannot be read, changed or written; it is then as it was.
    """
    path = path.resolve()
    name = printable(path)
    wanted = "\n".join(f'{key} = "{value}"' for key, value in values.items())
    try:
        before = read_toml(path, example=wanted)
        text = read(path, most_bytes=_MOST_BYTES).decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    except FileNotFoundError:
        before, text = {}, ""
    except OSError as error:
        raise ConfigError(f"The settings file {name} cannot be read: {error.strerror}.") from error
    changed = _with_lines(text, values)
    import tomllib

    try:
        after = tomllib.loads(changed)
    except ValueError:
        after = {}
    if after != {**{key: before[key] for key in before if key.replace("-", "_") not in values}, **values}:
        raise ConfigError(
            f"The settings file {name} cannot be changed safely.", f"Put this into it: {wanted}"
        )
    try:
        add_folder(path.parent, parents=True)
        with new_content(path) as file:
            file.write(changed.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise ConfigError(f"The settings file {name} cannot be written: {error.strerror}.") from error


def _with_lines(text: str, values: Mapping[str, str]) -> str:
    """The text with a line for each value: in the place of the old one, or before the first table."""
    lines = text.splitlines()
    tables = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    top, below = lines[:tables], lines[tables:]
    for key, value in values.items():
        line = f'{key} = "{value}"'
        spelt = re.compile(rf"""\s*["']?{key.replace("_", "[_-]")}["']?\s*=""")
        place = next((number for number, old in enumerate(top) if spelt.match(old)), None)
        if place is not None:
            top[place] = line
        else:
            end = len(top)
            while below and end and not top[end - 1].strip():
                end -= 1
            top.insert(end, line)
    return "".join(f"{line}\n" for line in (*top, *below))
