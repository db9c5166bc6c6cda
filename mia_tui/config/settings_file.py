"""Settings files: TOML, one `name = value` a line, names as in TrainConfig.

As on the command line, a name may have dashes (`batch-size`), and `size` (96 or "128x96") is width and height, which
may be named one by one as well.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from mia_tui.config.fields import SIZE, Field, Value, check_value, fields, find_field, parse_size
from mia_tui.config.toml_file import read_toml
from mia_tui.config.train import TrainConfig
from mia_tui.errors import ConfigError
from mia_tui.text import printable


def load_config(path: Path) -> dict[str, Value]:
    """The settings a file names; those it leaves out are not in the answer.

    Raises:
        ConfigError: If the file cannot be read, is not TOML, or names a setting or value there is
            none of, or one setting twice.
    """
    try:
        values = read_toml(
            path, example='A setting is a line such as  epochs = 15  or  backbone = "resnet18".'
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no settings file {printable(path)}.", "Check the name given with --config."
        ) from error
    return _checked(values, printable(path))


def save_config(config: TrainConfig) -> str:
    """The settings as the text of a file that `load_config` reads back to the same.

    Every setting has its meaning, unit and limits above it; one that is left out is a comment.
    """
    return "\n".join(_lines(config))


def _checked(values: Mapping[str, object], name: str) -> dict[str, Value]:
    """The values of a file by the names of their fields; `name` is the file, for messages."""
    checked: dict[str, Value] = {}
    for key, value in values.items():
        shown = f"{key} in {name}"
        for field_name, part in _by_field(key, value, shown):
            field = find_field(field_name, where=name)
            if field.name in checked:
                raise ConfigError(f"{name} sets {field.name} twice.", "Leave one of the lines out.")
            checked[field.name] = check_value(field, part, shown=shown)
    return checked


def _by_field(key: str, value: object, shown: str) -> Iterator[tuple[str, object]]:
    """A line of a file as names of fields and their values."""
    if key != SIZE:
        named = key.replace("-", "_")
        yield (named if named in TrainConfig.__struct_fields__ else key), value  # a slip stays as typed
    elif isinstance(value, str):
        yield from zip(("width", "height"), parse_size(value, shown=shown), strict=True)
    else:
        yield from (("width", value), ("height", value))


def _lines(config: TrainConfig) -> Iterator[str]:
    yield "# Settings of `mia-tui train`, for its --config."
    for group, members in groupby(fields(), key=lambda field: field.group):
        yield f"\n# ---- {group} ----"
        for field in members:
            yield f"# {field.help}"
            yield _line(field, getattr(config, field.name))
    yield ""


def _line(field: Field, value: Value | None) -> str:
    if field.name == SIZE and str(value).isdecimal():  # a square
        value = int(value or 0)
    return f"# {field.name} =" if value is None else f"{field.name} = {_literal(value)}"


def _literal(value: Value) -> str:
    """A value as TOML writes it. JSON's strings are TOML's, but for the delete character."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
