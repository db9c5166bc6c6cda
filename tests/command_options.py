"""The options of all commands, for tests of what documents name."""

from collections.abc import Iterator

import click

from mia_tui.cli.main import command

OF_OTHER_PROGRAMS = frozenset(
    ["--array", "--cpus-per-task", "--requeue", "--dependency", "--wrap", "--dist", "--no-deps"]
)
"""Slurm, pytest and pip."""


def options_of_all_commands() -> frozenset[str]:
    """Every option that some command takes, and those of other programs that documents show."""
    return frozenset(_options(command)) | OF_OTHER_PROGRAMS


def _options(found: click.Command) -> Iterator[str]:
    context = click.Context(found)
    for parameter in found.get_params(context):
        if isinstance(parameter, click.Option):
            yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(found, click.Group):
        for name in found.list_commands(context):
            inner = found.get_command(context, name)
            assert inner is not None, name
            yield from _options(inner)
