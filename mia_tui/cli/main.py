"""The command `mia-tui`: the app on a folder, or one of the commands, each imported when it is called.

The help of the whole program comes from the table below, so that it needs nothing but click: numpy, Pillow, rich,
textual and torch are imported where they are used.
"""

import difflib
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui import __version__
from mia_tui.cli.shared.options import Group, Option, graphics_option, refuse_repeats, state_options
from mia_tui.errors import ConfigError, DataError, MiaError
from mia_tui.paths import is_folder
from mia_tui.text import did_you_mean, join_names, printable, typed

if TYPE_CHECKING:
    from mia_tui.config.user.settings import GraphicsWish

# name: (module:attribute, what help says)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("mia_tui.cli.demo:command", "Make a small set of cell images, train on it, predict and report."),
    "train": ("mia_tui.cli.training.command:command", "Train a network on a labelled dataset."),
    "rate": ("mia_tui.cli.rate:command", "Find a learning rate for a training."),
    "predict": ("mia_tui.cli.predict:command", "Predict the classes of images with a trained network."),
    "evaluate": ("mia_tui.cli.evaluate:command", "Evaluate a trained network on labelled images."),
    "export": ("mia_tui.cli.export:command", "Write a trained network as a file for other programs."),
    "counts": ("mia_tui.cli.counts.command:command", "Count the classes in each well, slide or patient."),
    "report": (
        "mia_tui.cli.report:command",
        "Make a report of a run for a paper: HTML, figures, archive.",
    ),
    "suggest": ("mia_tui.cli.live.command:command", "Suggest classes from the labels of now."),
    "features": (
        "mia_tui.cli.live.features:command",
        "Make features of all images, for suggestions and look-alikes.",
    ),
    "labels": ("mia_tui.cli.labels.commands:command", "Import, export, count and split labels."),
    "runs": ("mia_tui.cli.runs.commands:command", "List and follow runs; stop, resume, repeat, delete them."),
    "show": ("mia_tui.cli.show:command", "Print an image in the terminal."),
    "backbones": ("mia_tui.cli.backbones:command", "List the networks to choose from."),
    "help": ("mia_tui.cli.help:command", "Show the manual: labelling, formats, training, troubles, …"),
    "doctor": ("mia_tui.cli.doctor:command", "Check this machine: Python, torch, GPU, disks, terminal."),
}


class Program(Group):
    """Runs a command if the first word is one, otherwise the app on the folder that it names.

    Options of the app may come before or after its folder.
    """

    what = "command or folder"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        word = self._first_word(args)
        is_command = word is None or word in COMMANDS
        if word is not None and not is_command and not _is_dataset(Path(word)):
            raise self.unknown_command(word)
        ctx.allow_interspersed_args = not is_command
        refuse_repeats(self.make_parser(ctx).parse_args(list(args))[2])
        if is_command:
            return super().parse_args(ctx, args)
        folder, *more = click.Command.parse_args(self, ctx, args)  # a group's own would look for a command
        if more:
            raise _one_folder(folder, more[0], ctx)
        ctx.params["dataset"] = Path(folder)
        ctx.args = []
        return []

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        loaded = getattr(import_module(module), attribute)
        assert isinstance(loaded, click.Command), cmd_name
        return loaded

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[DATASET] [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", prefix=" " * len("Usage: "))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def unknown_command(self, name: str) -> MiaError:
        """The error for a path that is no folder, or for a misspelt command."""
        path = Path(name)
        if path.exists():
            return _file_instead(path)
        if os.sep in name:
            return DataError(f"There is no folder {printable(name)}.", "Check how it is spelt.")
        near = difflib.get_close_matches(name.lower(), [*COMMANDS, *_folders_here()], n=2)
        hint = did_you_mean(near) or _commands_hint()
        return ConfigError(f"There is no {self.what} {printable(name)!r}.", hint)

    def _first_word(self, args: list[str]) -> str | None:
        """The first word that is neither an option nor the value of one."""
        takes_value = {
            opt
            for param in self.params
            for opt in param.opts
            if isinstance(param, Option) and not param.is_flag
        }
        words = iter(args)
        for word in words:
            if word == "--":
                return next(words, None)
            if not word.startswith("-") or word == "-":
                return word
            if word in takes_value:
                next(words, None)
        return None


def _one_folder(folder: str, more: str, ctx: click.Context) -> Exception:
    if more in COMMANDS:
        return ConfigError(
            f"The command {more} comes after the folder {printable(folder)}.",
            f"Write the command first: `mia-tui {more} {typed(folder)}`.",
        )
    return click.UsageError(f"Got unexpected extra argument ({more})", ctx)


def _is_dataset(path: Path) -> bool:
    from mia_tui.dataset.images.formats import is_folder_image_name

    return path.is_dir() and not is_folder_image_name(path.name)


def _file_instead(path: Path) -> ConfigError:
    from mia_tui.dataset.images.formats import is_image_name

    name = printable(path)
    if is_image_name(path.name):
        return ConfigError(
            f"{name} is an image.",
            f"`mia-tui show {typed(path)}` prints it; `mia-tui {typed(path.parent)}` opens its folder.",
        )
    return ConfigError(f"{name} is neither a command nor a folder.", _commands_hint())


def _folders_here() -> list[str]:
    try:
        with os.scandir() as entries:
            return [entry.name for entry in entries if is_folder(entry)]
    except OSError:
        return []


def _commands_hint() -> str:
    return f"The commands are {join_names(COMMANDS)}; `mia-tui COMMAND --help` explains one."


@click.group(cls=Program, invoke_without_command=True)
@state_options
@graphics_option
@click.version_option(__version__, prog_name="mia-tui", message="%(prog)s %(version)s")
@click.pass_context
def command(
    ctx: click.Context,
    state: Path | None,
    annotator: str | None,
    graphics: "GraphicsWish | None",
    dataset: Path | None = None,
) -> int | None:
    """Sort images into classes, train a network on them, and let it classify all others.

    `mia-tui DATASET` opens a folder of images in the app, `mia-tui` alone asks which one. `mia-tui demo` shows
    what the commands do in about a minute. For a folder that is named like a command, write ./train.
    """
    name = ctx.invoked_subcommand
    if name is None:
        from mia_tui.cli.open import open_dataset

        return open_dataset(dataset, state=state, annotator=annotator, graphics=graphics)
    _refuse_options_of_the_app(ctx, name)
    return None


def _refuse_options_of_the_app(ctx: click.Context, name: str) -> None:
    given = [param.opts[0] for param in ctx.command.params if ctx.params.get(param.name or "") is not None]
    if given:
        raise ConfigError(
            f"{join_names(given)} comes before the command {name}.",
            f"Options of a command come after it: `mia-tui {name} --help` lists them.",
        )
