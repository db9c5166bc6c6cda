"""The command `mia-tui`: which commands there are; each is loaded when it is called.

Help for the whole program comes from the table below, so that it needs nothing
but click: numpy, Pillow, rich and torch stay where they are used.
"""

from importlib import import_module
from pathlib import Path

import click

from mia_tui import __version__
from mia_tui.cli.options import Group, join_names
from mia_tui.errors import ConfigError, MiaError
from mia_tui.paths import printable

# name: (module:attribute, what help says)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("mia_tui.cli.demo:command", "Make a small set of cell images, train on it, predict and report."),
    "train": ("mia_tui.cli.train:command", "Train a network on a labelled dataset."),
    "predict": ("mia_tui.cli.predict:command", "Predict the classes of images with a trained network."),
    "evaluate": ("mia_tui.cli.evaluate:command", "Judge a trained network on labelled images."),
    "labels": ("mia_tui.cli.labels:command", "Import, export, count and split labels."),
    "runs": ("mia_tui.cli.runs:command", "List, show, follow and stop training runs."),
    "backbones": ("mia_tui.cli.backbones:command", "List the networks to choose from."),
    "doctor": ("mia_tui.cli.doctor:command", "Check this machine: Python, torch, GPU, disks, terminal."),
}


class LazyGroup(Group):
    """Knows its commands by name and loads only the one that is called."""

    what = "command or folder"

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        loaded = getattr(import_module(module), attribute)
        assert isinstance(loaded, click.Command), cmd_name
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def unknown_command(self, name: str) -> MiaError:
        """A folder opens the app one day; anything else is a slip."""
        path = Path(name)
        if path.is_dir():
            return _no_app(f"so the folder {printable(name)} cannot be opened")
        if path.exists():
            return ConfigError(f"{printable(name)} is neither a command nor a folder.", _commands_hint())
        return super().unknown_command(name)


def _no_app(consequence: str) -> ConfigError:
    return ConfigError(f"The app is not part of this version, {consequence}.", _commands_hint())


def _commands_hint() -> str:
    return f"The commands are {join_names(COMMANDS)}; `mia-tui COMMAND --help` explains one."


@click.group(cls=LazyGroup, invoke_without_command=True)
@click.version_option(__version__, prog_name="mia-tui", message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Sort images into classes, train a network on them, predict the rest.

    `mia-tui demo` shows all of it in about a minute. A command's name wins over a folder of that name:
    ./train is the folder.
    """
    if ctx.invoked_subcommand is None:
        raise _no_app("so `mia-tui` alone opens nothing")
