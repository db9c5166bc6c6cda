"""Options that several commands share, and the settings of a run as options.

The options of `train` are made from the fields of TrainConfig: a new field becomes an option with help and error
messages without a change here.
"""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from mia_tui.errors import ConfigError, DataError, MiaError
from mia_tui.text import did_you_mean, join_names, printable

if TYPE_CHECKING:
    from mia_tui.config.fields import Field
    from mia_tui.config.train import TrainConfig

Function = TypeVar("Function", bound=Callable[..., Any])

GRAPHICS = ("auto", "kitty", "iterm2", "sixel", "half", "none")  # none: no images, only words

_GENERAL = "General"
# Whether a path exists and may be read is checked where it is opened: that message says more than click's.
_PATH = click.Path(path_type=Path, readable=False)


WATCH_HELP = "Show the curves of loss and metric while it trains; in a pipe, plain lines."


def check_watch(watch: bool, *, as_json: bool) -> None:
    """Refuse --watch with --json.

    Raises:
        ConfigError: If both are given.
    """
    if watch and as_json:
        raise ConfigError("--watch draws curves, and --json prints records.", "Leave one of them out.")


def check_new_file(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written, or must not be, before anything is computed for it.

    Raises:
        ConfigError: If it is a folder.
        DataError: If its folder is missing, or it exists and is not to be replaced.
    """
    if path.is_dir():
        raise ConfigError(f"{printable(path)} is a folder.", "Name a file.")
    if not path.absolute().parent.is_dir():
        raise DataError(f"The folder of {printable(path)} does not exist.", "Make it, or name another file.")
    if path.exists() and not overwrite:
        raise DataError(
            f"{printable(path)} already exists, and nothing was written.",
            "Pass --overwrite to replace it, or name another file.",
        )


class Decorator(Protocol):
    """What adds an option to a command's function."""

    def __call__(self, function: Function, /) -> Function:
        """The function with the option."""


class Option(click.Option):
    """An option with a heading in the help.

    Args:
        *args: As for click.
        section: The heading.
        make_help: Makes the help when it is shown, for texts that depend on what is registered; instead of `help`.
        **kwargs: As for click.
    """

    def __init__(
        self,
        *args: Any,
        section: str = _GENERAL,
        make_help: Callable[[], str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.section = section
        self._make_help = make_help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        if self._make_help is not None:
            self.help = self._make_help()
        return super().get_help_record(ctx)


class Command(click.Command):
    """A command whose help is divided by headings, and that refuses an option given twice."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        refuse_repeats(self.make_parser(ctx).parse_args(list(args))[2])
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):  # the usage line has the arguments
                sections.setdefault(getattr(param, "section", _GENERAL), []).append(record)
        # The settings come first: they are what the command is about.
        for title in sorted(sections, key=lambda title: title == _GENERAL):
            with formatter.section(title if len(sections) > 1 else "Options"):
                formatter.write_dl(sections[title])


class Group(click.Group):
    """A group of commands that suggests the nearest name for a misspelt command."""

    command_class = Command
    what = "command"

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise self.unknown_command(name)
        return super().resolve_command(ctx, args)

    def unknown_command(self, name: str) -> MiaError:
        """The error for a name that is no command."""
        known = self.list_commands(click.get_current_context())
        near = difflib.get_close_matches(name.lower(), known, n=2)
        hint = did_you_mean(near) or f"The commands are {join_names(known)}."
        return ConfigError(f"There is no {self.what} {printable(name)!r}.", hint)


def require_command(ctx: click.Context) -> None:
    """Refuse a call without a command, for groups that are made with `invoke_without_command=True`."""
    if ctx.invoked_subcommand is None and isinstance(ctx.command, click.Group):
        names = join_names(ctx.command.list_commands(ctx))
        raise ConfigError(
            f"`{ctx.command_path}` needs a command: {names}.", f"See `{ctx.command_path} --help`."
        )


def unknown_option(error: click.NoSuchOption) -> str:
    """The sentence for an option that a command does not have, since click's own suggestions are often far off."""
    known = error.ctx.command.get_params(error.ctx) if error.ctx is not None else []
    options = [one for one in known if isinstance(one, click.Option)]
    words = [word.lstrip("-") for option in options for word in (*option.opts, *option.secondary_opts)]
    typed = error.option_name.lstrip("-").lower()
    near = [word for word in words if len(typed) > 2 and word.startswith(typed)][:2]
    near = near or difflib.get_close_matches(typed, words, n=2, cutoff=0.75)
    return f"There is no option {printable(error.option_name)}. {did_you_mean(f'--{word}' for word in near)}".rstrip()


def refuse_repeats(params: list[click.Parameter]) -> None:
    """Refuse an option given twice: click uses the last one, which hides a mistake in a long command line.

    Raises:
        ConfigError: If one of the parsed parameters comes twice.
    """
    seen = set()
    for param in params:
        if param.name in seen and isinstance(param, click.Option) and not param.multiple:
            raise ConfigError(
                f"{'/'.join([*param.opts, *param.secondary_opts])} is given twice.", "Leave one out."
            )
        seen.add(param.name)


def path_argument(name: str, *, required: bool = True) -> Decorator:
    """A positional file or folder; arrives as a Path that need not exist."""
    return click.argument(name, type=_PATH, required=required)


def path_option(flag: str, help: str | Callable[[], str]) -> Decorator:
    """An option that names a file or folder."""
    texts = {"make_help": help} if callable(help) else {"help": help}
    return click.option(flag, cls=Option, type=_PATH, **texts)


def dataset_argument(function: Function) -> Function:
    """DATASET, the folder of images; arrives as `dataset: Path`."""
    return path_argument("dataset")(function)


def dataset_option(function: Function) -> Function:
    """--dataset where none is positional; arrives as `dataset: Path | None`."""
    help = "Dataset in which RUN is looked up, if it is a name, best or last."
    return path_option("--dataset", help)(function)


def checked_dataset_option(function: Function) -> Function:
    """--dataset of a command that checks the folder; arrives as `dataset: Path | None`."""
    return path_option("--dataset", "Folder of images to check as well.")(function)


def run_argument(function: Function) -> Function:
    """RUN; arrives as `run: str`, for `runs.list.find.find_run`."""
    return click.argument("run")(function)


def state_option(function: Function) -> Function:
    """--state; arrives as `state: Path | None`."""
    help = "Folder for labels and runs, if the dataset's own folder cannot be written."
    return path_option("--state", help)(function)


def state_options(function: Function) -> Function:
    """--state and --annotator; arrive as `state: Path | None` and `annotator: str | None`."""
    named = click.option(
        "--annotator",
        cls=Option,
        metavar="NAME",
        callback=_named,
        help="Name that is saved with each label; by default your login name.",
    )
    return state_option(named(function))


def _named(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise ConfigError("--annotator is empty.", "Give a name, or leave the option out.")
    return value if value is None else value.strip()


def device_option(help: str) -> Decorator:
    """--device, checked; arrives as `device: str`."""
    return click.option(
        "--device", cls=Option, default="auto", show_default=True, help=help, callback=_device
    )


def _device(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value != "auto":
        from mia_tui.config.fields import check_value, find_field

        check_value(find_field("device", where="--device"), value, shown="--device")
    return value


def graphics_option(function: Function) -> Function:
    """--graphics; arrives as `graphics: str | None`, None where the user's settings decide."""
    return click.option(
        "--graphics",
        cls=Option,
        type=click.Choice(GRAPHICS, case_sensitive=False),
        help="How images are drawn; by default the best way this terminal supports.",
    )(function)


def json_option(function: Function) -> Function:
    """--json; arrives as `as_json: bool`."""
    help = "Print one JSON object per line on stdout, and all text on stderr."
    return click.option("--json", "as_json", cls=Option, is_flag=True, help=help)(function)


def settings_options(function: Function) -> Function:
    """Every setting of a run as an option, with --recipe and --config.

    They arrive as keyword arguments: one for each setting (None: not given), `recipe` and `config_file`. Collect
    them with `**settings` for `read_settings`.
    """
    from mia_tui.config.fields import fields

    for field in reversed(fields()):
        function = _setting_option(field, field.group)(function)
    recipe = click.option(
        "--recipe",
        cls=Option,
        metavar="NAME",
        help=(
            "Settings to start from: default, finetune (begins with ImageNet weights), best (the same, "
            "validated over flips and turns, for predictions with --tta), quick (a first look), scratch (begins "
            "with no weights), auto (the default, tuned by short trials), or mia (the predecessor's). Which one "
            "suits is said before the start."
        ),
    )
    file = click.option(
        "--config",
        "config_file",
        cls=Option,
        metavar="FILE",
        type=_PATH,
        help="A file of settings (TOML); options given here take precedence. --show-config prints one.",
    )
    return recipe(file(function))


def read_settings(settings: dict[str, Any]) -> "TrainConfig":
    """The TrainConfig that the options of `settings_options` result in.

    Raises:
        ConfigError: If a value is impossible or two contradict each other.
    """
    from mia_tui.config.check import make_config
    from mia_tui.config.settings_file import load_config

    file = settings["config_file"]
    return make_config(
        recipe=settings["recipe"] or "default",
        file_values=load_config(file) if file is not None else {},
        flags=_flags(settings),
    )


def field_option(name: str) -> Decorator:
    """A setting of a run as an option of another command; arrives by the field's name, None if not given."""
    from mia_tui.config.fields import find_field

    return _setting_option(find_field(name, where="the command line"), section=_GENERAL)


def given_fields(settings: dict[str, Any]) -> list[str]:
    """The fields of TrainConfig that the user set, on the command line or in the settings file."""
    from mia_tui.config.settings_file import load_config

    file = settings["config_file"]
    return [*typed_fields(settings), *(load_config(file) if file is not None else ())]


def typed_fields(settings: dict[str, Any]) -> list[str]:
    """The fields of TrainConfig that the user set on the command line."""
    return list(_flags(settings))


def given_settings(settings: dict[str, Any]) -> list[str]:
    """The options of `settings_options` that the user typed, such as `--batch-size`."""
    from mia_tui.config.fields import fields

    options = [field.option for field in fields() if settings.get(field.name) is not None]
    others = {"--recipe": settings["recipe"], "--config": settings["config_file"]}
    return options + [option for option, value in others.items() if value is not None]


def _flags(settings: dict[str, Any]) -> dict[str, Any]:
    from mia_tui.config.fields import record_values

    return record_values(
        {
            name: value
            for name, value in settings.items()
            if name not in ("recipe", "config_file") and value is not None
        }
    )


def _setting_option(field: "Field", section: str) -> Decorator:
    if field.kind == "switch":
        flag = field.option if "/" in field.option else f"{field.option}/--no-{field.option[2:]}"
        return click.option(flag, field.name, cls=Option, section=section, default=None, help=field.help)
    return click.option(
        field.option, field.name, cls=Option, section=section, type=_FieldType(field), help=field.help
    )


class _FieldType(click.ParamType):  # type: ignore[type-arg]  # no generic in click 8.1
    """A value of one field; kind and limits are the field's."""

    def __init__(self, field: "Field") -> None:
        self.field = field
        names = {"whole": "number", "real": "number", "choice": "word", "size": "size"}
        self.name = names.get(field.kind, "text")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from mia_tui.config.fields import parse_value

        return parse_value(self.field, value)
