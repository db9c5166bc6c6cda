"""--format, with the names of the label formats that are registered when they are asked for."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mia_tui.cli.shared.options import Decorator, Option
from mia_tui.dataset.interchange.formats import LabelFormat

if TYPE_CHECKING:
    _ParamType = click.ParamType[str]
else:
    _ParamType = click.ParamType  # takes no type argument in click 8.1


def one_of(*words: str) -> "click.Choice[str]":
    """A choice of words, in upper or lower case."""
    return click.Choice(words, case_sensitive=False)


class _FormatName(_ParamType):
    """The names of the label formats that are registered when they are asked for."""

    name = "format"

    def __init__(self, formats: Callable[[], list[LabelFormat]]) -> None:
        self._formats = formats

    def _names(self) -> list[str]:
        return [known.name for known in self._formats()]

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self._names())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return one_of(*self._names()).convert(value, param, ctx)


class _FormatOption(Option):
    """--format, whose help says what each registered format reads or writes."""

    def __init__(self, *args: Any, describe: Callable[[], str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._describe = describe

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = self._describe()
        return super().get_help_record(ctx)


def format_option(
    formats: Callable[[], list[LabelFormat]], help_of: Callable[[LabelFormat], str]
) -> Decorator:
    """--format; arrives as `file_format: str | None`.

    Args:
        formats: The formats there are.
        help_of: What to say of each.
    """
    return click.option(
        "--format",
        "file_format",
        cls=_FormatOption,
        type=_FormatName(formats),
        describe=lambda: " ".join(f"{known.name}: {help_of(known)}." for known in formats()),
    )
