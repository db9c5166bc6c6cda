"""The fields of a record of settings as a list: what command line, settings files and forms are made from.

A field is known by its name (`batch_size`) in files and by its option
(`--batch-size`) on the command line. `check_value` is the one place that
checks a value against a field's kind and limits, wherever it came from. Width
and height of a record are one setting, `size`; files may name them as well.
"""

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

import msgspec.inspect

from mia_tui.errors import ConfigError
from mia_tui.text import did_you_mean, join_names, printable

if TYPE_CHECKING:
    from mia_tui.config.train import TrainConfig

Kind = Literal["text", "whole", "real", "switch", "choice", "size"]
Value = str | int | float | bool
Condition = Callable[["TrainConfig"], bool]

MICROMETRES = "µm"
"""Unit of lengths; where people type one, it may be in another unit of `_LENGTHS`."""

SIZE = "size"
"""The setting that is width and height of a record."""

_SIDES = ("width", "height")
# Fields that the command line sets by an option of another name.
_OPTIONS = {"width": "--size", "height": "--size", "color": "--color/--mono"}
_LARGE = 1e6  # from here on, :g writes whole numbers with a power of ten
_LARGEST = 2**63 - 1  # of the whole numbers a run's files can hold
_SIZE = re.compile(r"([0-9]{1,6})(?: *[xX×] *([0-9]{1,6}))?")
_LENGTH = re.compile(r"(.*[0-9.]) *(nm|um|µm|μm|mm)")  # both letters that look like micro are in use
_LENGTHS = {"nm": 1e3, "um": 1.0, "µm": 1.0, "μm": 1.0, "mm": 1e-3}  # how many are a micrometre
_WORDS: dict[Kind, str] = {
    "text": "a text",
    "whole": "a whole number",
    "real": "a number",
    "switch": "true or false",
    "choice": "a word",
    "size": "96 or, width first, 128x96",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One setting, of a training run or of the user.

    Attributes:
        optional: Whether it may be left out (None), which its description explains.
        choices: The words allowed; empty unless `kind` is "choice".
        title: As forms call it, such as `batch size`.
        group: Heading above it in forms and help.
        advice: When somebody would change it; "" where it says that by itself.
        unit: Of its value; "" where it has none.
        only_if: Tells whether it has an effect, from the other settings; None where it always has. A form shows only
            the settings that have an effect.
        pattern: Regular expression a text must match; None where any will do.
    """

    name: str
    kind: Kind
    default: Value | None
    optional: bool
    choices: tuple[str, ...]
    title: str
    group: str
    description: str
    unit: str
    advice: str = ""
    only_if: Condition | None = None
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    min_length: int = 0
    pattern: str | None = None

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return _OPTIONS.get(self.name, "--" + self.name.replace("_", "-"))

    def has_effect(self, config: "TrainConfig") -> bool:
        """Whether it changes anything, as the other settings are."""
        return self.only_if is None or self.only_if(config)

    @property
    def limits(self) -> str:
        """Its limits in words, such as `over 0, at most 20`; "" where it has none."""
        pairs = (("over", self.gt), ("at least", self.ge), ("below", self.lt), ("at most", self.le))
        return ", ".join(f"{word} {_limit(limit)}" for word, limit in pairs if limit is not None)

    @property
    def help(self) -> str:
        """What it means and when one would change it, with choices, unit, limits and default."""
        default = "" if self.default is None else f"default {self._default_word}"
        words = ", ".join(word for word in (self.unit, self.limits, default) if word)
        choices = f"One of {', '.join(self.choices)}." if self.choices else ""
        text = " ".join(word for word in (self.description, choices, self.advice) if word)
        return text + (f" [{words}]" if words else "")

    @property
    def _default_word(self) -> str:
        words = _words(self.option)
        if self.kind == "switch" and len(words) == 2:
            return words[0] if self.default else words[1]
        return show_value(self.default) if self.default is not None else ""


@cache
def fields() -> tuple[Field, ...]:
    """Every setting of a training, in the order of TrainConfig, whose width and height are one of them."""
    from mia_tui.config.train.advice import ADVICE

    return tuple(
        replace(field, advice=ADVICE.get(field.name, "")) for field in _with_one_size(_record_fields())
    )


@cache
def _record_fields() -> tuple[Field, ...]:
    from mia_tui.config.train import TrainConfig  # the app needs the fields of its own settings alone

    return fields_of(TrainConfig)


def _with_one_size(of_record: Iterable[Field]) -> Iterator[Field]:
    for field in of_record:
        if field.name == "width":
            yield replace(
                field,
                name=SIZE,
                kind="size",
                title="size",
                default=str(field.default),
                description="Width and height that every image is brought to: 224 is square, 320x240 is width by "
                "height.",
            )
        elif field.name != "height":
            yield field


def record_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of settings by the names of TrainConfig: the size becomes width and height."""
    record: dict[str, Any] = {}
    for name, value in values.items():
        if name == SIZE:
            record |= zip(_SIDES, parse_size(str(value), shown=SIZE), strict=True)
        else:
            record[name] = value
    return record


def fields_of(record: type[msgspec.Struct]) -> tuple[Field, ...]:
    """Every field of a record that carries description, group and unit, in its order."""
    info = msgspec.inspect.type_info(record)
    assert isinstance(info, msgspec.inspect.StructType)
    hints = get_type_hints(record)
    return tuple(_field(item, get_args(hints[item.name])) for item in info.fields)


def find_field(name: str, *, where: str) -> Field:
    """The field of that name.

    Raises:
        ConfigError: If there is none; the nearest names are suggested. `where` is the file, for the message.
    """
    known = {field.name: field for field in (*fields(), *_record_fields())}
    if name in known:
        return known[name]
    by_option = [field.name for field in known.values() if name in _words(field.option)]
    near = by_option or difflib.get_close_matches(name, known, n=3)
    hint = did_you_mean(near, "and" if len(by_option) > 1 else "or")
    hint = hint or "`mia-tui train --help` lists the settings."
    raise ConfigError(f"There is no setting {printable(name)!r}, which {where} names.", hint)


def parse_value(field: Field, text: str, *, shown: str = "") -> Value:
    """A value from the text a user typed for a field.

    Args:
        field: The field.
        text: What was typed.
        shown: How the user knows the field; its option if left out.

    Raises:
        ConfigError: If the text is no value of its kind or is outside its limits.
    """
    return check_value(field, _read(field, text), shown=shown or field.option)


def parse_size(text: str, *, shown: str) -> tuple[int, int]:
    """Width and height from `96` (a square) or `128x96`; limits are not checked.

    Raises:
        ConfigError: If it is neither. `shown` is how the user knows it, such as `--size`.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigError(f"{shown} is {_quoted(text)}.", "It takes 96 or, width first, 128x96.")
    return int(match[1]), int(match[2] or match[1])


def check_value(field: Field, value: object, *, shown: str) -> Value:
    """The value, if the field can have it.

    A whole number becomes a float where one is wanted, and a choice is known in any letter case.

    Args:
        field: The field.
        value: From a file or the command line.
        shown: How the user knows the field, such as `--epochs` or `epochs in train.toml`.

    Raises:
        ConfigError: If it has the wrong type or is outside its limits.
    """
    if field.kind == "size":
        return _checked_size(value, shown)
    if type(value) is int and abs(value) > _LARGEST:
        raise ConfigError(f"{shown} is a number of {len(str(abs(value)))} digits.", "Give a smaller one.")
    if field.kind == "real" and type(value) is int:
        value = float(value)
    if field.kind == "switch" and isinstance(value, bool):
        return value
    if field.kind == "choice":
        return _checked_choice(field, value, shown)
    if field.kind == "text" and isinstance(value, str):
        return _checked_text(field, value, shown)
    wanted = {"whole": int, "real": float}.get(field.kind)
    if type(value) is wanted and isinstance(value, int | float):
        return _checked_number(field, value, shown)
    such = ", such as 0.5, 0.5um or 500nm" if field.unit == MICROMETRES else ""
    raise ConfigError(f"{shown} is {_quoted(value)}.", f"It takes {_WORDS[field.kind]}{such}.")


def show_value(value: Value) -> str:
    """A value as help and messages write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def nearest(word: str, words: Iterable[str]) -> str:
    """`Did you mean …?` with the words nearest to one that does not exist, or a list of all of them."""
    known = list(words)
    near = _holding(word, known) or difflib.get_close_matches(word.lower(), known, n=3)
    return did_you_mean(near) or f"It takes {join_names(known, 'or')}."


def _holding(word: str, words: list[str]) -> list[str]:
    """The words that a part of is the one typed: macro_f1 and weighted_f1 for f1."""
    return [each for each in words if word.lower() in each.split("_")]


def _words(option: str) -> list[str]:
    return [part.removeprefix("--") for part in option.split("/")]


def _field(item: msgspec.inspect.Field, choices: tuple[Any, ...]) -> Field:
    about = item.type
    assert isinstance(about, msgspec.inspect.Metadata), item.name
    kind, optional = about.type, False
    if isinstance(kind, msgspec.inspect.UnionType):
        kind, optional = (
            next(part for part in kind.types if not isinstance(part, msgspec.inspect.NoneType)),
            True,
        )
    extra: dict[str, Any] = about.extra or {}
    schema: dict[str, Any] = about.extra_json_schema or {}
    return Field(
        name=item.name,
        default=item.default,
        optional=optional,
        title=schema.get("title", item.name.replace("_", " ")),
        group=extra["group"],
        description=schema["description"],
        unit=extra["unit"],
        only_if=extra.get("only_if"),
        **_kind_and_limits(kind, choices),
    )


def _kind_and_limits(kind: msgspec.inspect.Type, choices: tuple[Any, ...]) -> dict[str, Any]:
    match kind:
        case msgspec.inspect.LiteralType():
            return {"kind": "choice", "choices": choices}
        case msgspec.inspect.BoolType():
            return {"kind": "switch", "choices": ()}
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            name = "whole" if isinstance(kind, msgspec.inspect.IntType) else "real"
            limits = {limit: getattr(kind, limit) for limit in ("gt", "ge", "lt", "le")}
            return {"kind": name, "choices": (), **limits}
        case msgspec.inspect.StrType():
            return {
                "kind": "text",
                "choices": (),
                "min_length": kind.min_length or 0,
                "pattern": kind.pattern,
            }
    raise TypeError(f"No option can be made for {kind}.")


def _read(field: Field, text: str) -> object:
    """The text as a number or switch where the field wants one; as it is where it is none."""
    if field.kind == "switch":
        return {"yes": True, "true": True, "no": False, "false": False}.get(text.lower(), text)
    reader = {"whole": int, "real": float}.get(field.kind)
    if reader is None:
        return text
    unit = _LENGTH.fullmatch(text.strip()) if field.unit == MICROMETRES else None
    try:
        return float(unit[1]) / _LENGTHS[unit[2]] if unit else reader(text)
    except ValueError:
        return text


def _checked_size(value: object, shown: str) -> str:
    """A size as one text, from a text or from the side of a square."""
    sides = parse_size(value, shown=shown) if isinstance(value, str) else (value, value)
    width, height = (
        check_value(find_field(name, where=shown), side, shown=shown)
        for name, side in zip(_SIDES, sides, strict=True)
    )
    return f"{width}" if width == height else f"{width}x{height}"


def _checked_choice(field: Field, value: object, shown: str) -> str:
    for choice in field.choices:
        if isinstance(value, str) and value.lower() == choice.lower():
            return choice
    raise ConfigError(f"{shown} is {_quoted(value)}.", nearest(str(value), field.choices))


def _checked_text(field: Field, value: str, shown: str) -> str:
    if len(value) < field.min_length:
        raise ConfigError(f"{shown} is empty.", f"It takes: {field.description}")
    if field.pattern is not None and not re.search(field.pattern, value):
        raise ConfigError(f"{shown} is {_quoted(value)}.", f"It takes {field.description}")
    return value


def _checked_number(field: Field, value: int | float, shown: str) -> int | float:
    broken = _broken_limit(field, value)
    if broken is None:
        return value
    unit = f" {field.unit}" if field.unit not in ("", field.name) else ""
    raise ConfigError(f"{shown} is {show_value(value)}{unit}.", f"It must be {broken}.")


def _broken_limit(field: Field, value: int | float) -> str | None:
    """What a number would have to be, such as `at least 8`; None if it is that."""
    if not math.isfinite(value):
        return "a finite number"
    limits = (
        ("over", field.gt, operator.gt),
        ("at least", field.ge, operator.ge),
        ("below", field.lt, operator.lt),
        ("at most", field.le, operator.le),
    )
    for word, limit, holds in limits:
        if limit is not None and not holds(value, limit):
            return f"{word} {_limit(limit)}"
    return None


def _limit(limit: float) -> str:
    """A limit in words; no power of ten where it is a whole number."""
    return f"{limit:,.0f}" if limit >= _LARGE and limit == int(limit) else f"{limit:g}"


def _quoted(value: object) -> str:
    return f"{printable(value)!r}" if isinstance(value, str) else printable(value)
