"""The settings of a run as rows of a table: all of them, those that differ from the default marked."""

from dataclasses import dataclass
from typing import Any

import msgspec

from mia_tui.config.fields import fields, show_value
from mia_tui.config.jobs import JobConfig
from mia_tui.config.train import TrainConfig
from mia_tui.text import printable


@dataclass(frozen=True)
class SettingRow:
    """A setting.

    Attributes:
        group: Heading above it.
        name: As in a settings file.
        value: In words, with its unit.
        is_changed: Whether it differs from the default.
        has_effect: Whether it does anything, as the other settings are.
    """

    group: str
    name: str
    value: str
    is_changed: bool
    has_effect: bool = True


def setting_rows(config: JobConfig) -> list[SettingRow]:
    """The settings in the order of the form."""
    if not isinstance(config, TrainConfig):
        return _other_rows(config)
    usual = TrainConfig()
    return [
        SettingRow(
            field.group,
            field.name,
            _words(getattr(config, field.name), field.unit),
            getattr(config, field.name) != getattr(usual, field.name),
            field.has_effect(config),
        )
        for field in fields()
    ]


def _other_rows(config: JobConfig) -> list[SettingRow]:
    settings = msgspec.structs.fields(config)  # type: ignore[arg-type]  # any kind's settings are a Struct
    return [
        SettingRow(
            config.noun.capitalize(),
            field.name,
            _words(getattr(config, field.name), ""),
            not field.required and getattr(config, field.name) != field.default,
        )
        for field in settings
    ]


def _words(value: Any, unit: str) -> str:
    if value is None:
        return "none"
    return f"{printable(show_value(value))} {unit}".rstrip()
