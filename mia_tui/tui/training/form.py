"""The settings of a training as a person types them: the text of each field, its faults, and whether it matters.

Free of Textual. The fields, their limits and their meaning are those of the
command line (`config.fields`); nothing here knows how a form looks.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from mia_tui.config.check import find_faults, make_config
from mia_tui.config.command import value_text
from mia_tui.config.fields import SIZE, Field, Value, fields, parse_value, record_values
from mia_tui.config.settings_file import load_config, save_config
from mia_tui.config.split import SPLIT_FIELDS
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.recipes import RECIPES
from mia_tui.errors import ConfigError, MiaError
from mia_tui.files import new_content

START = "Start"
"""The first page, which has the settings that most people change; they stand in their own sections, too."""

START_TITLES = {
    "labels": "labels from",
    "backbone": "network",
    "size": "image size",
    "epochs": "epochs",
    "device": "computes on",
    "threads": "cores",
}
"""Its settings, as they are called there."""

_OF_LEARNING = frozenset(("start_size", "sampling"))
_OF_THE_MACHINE = frozenset(
    ("device", "devices", "threads", "cache", "precision", "compile", "cuda_graphs", "deterministic", "seed")
)
_OPTION = re.compile(r"--[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class _FormReading:
    """What the texts mean.

    Attributes:
        config: With defaults where a text cannot be read or has no effect.
        faults: A sentence or two by field.
    """

    config: TrainConfig
    faults: Mapping[str, str]


class Form:
    """Settings being typed.

    Args:
        config: What the form starts with.

    Attributes:
        given: Fields that the person or a file named; a stored split decides the others of `SPLIT_FIELDS`.
    """

    def __init__(self, config: TrainConfig | None = None) -> None:
        self.given: set[str] = set()
        self._texts: dict[str, str] = {}
        self._read: _FormReading | None = None
        self.take(config or TrainConfig())

    def take(self, config: TrainConfig, *, given: Collection[str] = ()) -> None:
        """Show other settings; `given` are those that somebody named."""
        self._texts = {field.name: _shown(getattr(config, field.name)) for field in fields()}
        self.given = set(given)
        self._read = None

    def take_recipe(self, name: str) -> None:
        """Start again from a recipe; what somebody named of images, labels and machine stays, unless it names it."""
        kept = {
            each: self._texts[each] for each in self.given if _stays(each) and each not in _named_by(name)
        }
        self.take(make_config(recipe=name))
        for each, text in kept.items():
            self.set_text(each, text)

    def load(self, path: Path) -> None:
        """Take the settings of a file, and the defaults for those that it leaves out.

        Raises:
            ConfigError: If the file cannot be read or asks for what cannot be; the form stays as it is.
        """
        values = load_config(path)
        self.take(make_config(file_values=values), given=values.keys())

    def save(self, path: Path) -> None:
        """Write the settings to a file that `load` and `--config` read.

        Raises:
            ConfigError: If there are faults, or the file cannot be written.
        """
        config = self.config
        if config is None:
            raise ConfigError("The settings have errors, so they are not saved.", "Correct them first.")
        try:
            with new_content(path, mode=0o666) as file:
                file.write(save_config(config).encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise ConfigError(
                f"The settings cannot be saved there: {error.strerror}.", "Name another file."
            ) from error

    def text(self, name: str) -> str:
        """The text of a field."""
        return self._texts[name]

    def set_text(self, name: str, text: str) -> None:
        """Type something into a field."""
        self._texts[name] = text
        self.given.add(name)
        self._read = None

    def reset(self, name: str) -> None:
        """Restore the default."""
        self._texts[name] = _shown(field_of(name).default)
        self.given.discard(name)
        self._read = None

    def decide(self, values: Mapping[str, Value | None]) -> bool:
        """Show what a stored split decided, where nobody named something else; whether anything changed."""
        texts = {name: _shown(value) for name, value in values.items() if name not in self.given}
        changed = any(self._texts[name] != text for name, text in texts.items())
        if changed:
            self._texts |= texts
            self._read = None
        return changed

    def is_changed(self, name: str) -> bool:
        """Whether a field has another value than its default."""
        return self._texts[name] != _shown(field_of(name).default)

    def matters(self, name: str) -> bool:
        """Whether a field has an effect, as the others are now."""
        return field_of(name).has_effect(self.values)

    @property
    def faults(self) -> Mapping[str, str]:
        """What is wrong, in words, by field; only fields that matter have faults."""
        return self._reading.faults

    @property
    def values(self) -> TrainConfig:
        """The settings, with defaults where a text is wrong or has no effect."""
        return self._reading.config

    @property
    def config(self) -> TrainConfig | None:
        """The settings; None while there are faults."""
        return None if self.faults else self.values

    @property
    def _reading(self) -> _FormReading:
        if self._read is None:
            self._read = _read(self._texts)
        return self._read


@cache
def field_of(name: str) -> Field:
    """The field of a name."""
    return next(field for field in fields() if field.name == name)


def groups() -> list[str]:
    """The headings, in their order."""
    return list(dict.fromkeys(field.group for field in fields()))


def in_words(error: MiaError) -> str:
    """What a message of the command line says, with the names of the form in place of its options."""
    return _OPTION.sub(lambda match: _by_option().get(match[0], match[0]), str(error))


def field_named_in(error: ConfigError) -> str | None:
    """The field whose option a message of the command line names first."""
    names = {field.option: field.name for field in fields()}
    return next((names[option] for option in _OPTION.findall(str(error)) if option in names), None)


@cache
def _by_option() -> dict[str, str]:
    return {field.option: field.title for field in fields()}


def _named_by(recipe: str) -> frozenset[str]:
    """The fields that a recipe sets."""
    values = next((values for known, values in RECIPES.items() if known == recipe), {})
    return frozenset(SIZE if name in ("width", "height") else name for name in values)


def _stays(name: str) -> bool:
    """Whether a field is of the images, the labels or the machine, and not of how the network learns."""
    is_of_data = field_of(name).group in ("Input", "Data") and name not in _OF_LEARNING
    return is_of_data or name in _OF_THE_MACHINE


def _shown(value: Value | None) -> str:
    return "" if value is None else value_text(value)


def _read(texts: Mapping[str, str]) -> _FormReading:
    values: dict[str, Value | None] = {}
    own: dict[str, str] = {}
    for field in fields():
        try:
            values[field.name] = _value(field, texts[field.name])
        except ConfigError as error:
            own[field.name] = str(error)
    config = msgspec.structs.replace(TrainConfig(), **record_values(values))
    if config.val is not None:  # it takes the place of a split
        config = msgspec.structs.replace(config, val_fraction=0.0, test_fraction=0.0)
    config = _without_idle(config)
    faults = {name: in_words(error) for name, error in find_faults(config).items() if name not in own}
    faults = {name: text for name, text in (own | faults).items() if field_of(name).has_effect(config)}
    ordered = {field.name: faults[field.name] for field in fields() if field.name in faults}
    return _FormReading(config, ordered)


def _without_idle(config: TrainConfig) -> TrainConfig:
    """Reset settings without effect, so that they have no faults and do not clutter the command."""
    idle = {
        field.name: field.default
        for field in fields()
        if field.name not in SPLIT_FIELDS and not field.has_effect(config)
    }
    return msgspec.structs.replace(config, **record_values(idle))


def _value(field: Field, text: str) -> Value | None:
    if field.optional and not text.strip():
        return None
    if field.kind != "text":
        text = text.strip()
    return parse_value(field, text, shown=field.title.capitalize())
