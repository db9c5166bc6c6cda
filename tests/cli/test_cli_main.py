"""Which commands there are, their help, and the answers to mistakes."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_support import Mia

from mia_tui import __version__
from mia_tui.cli.main import COMMANDS, Program, command
from mia_tui.cli.shared.options import Option
from mia_tui.config.fields import Field, fields
from mia_tui.config.train.recipes import RECIPES


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it."""
    context = click.Context(command)
    for name in COMMANDS:
        loaded = command.get_command(context, name)
        assert loaded is not None
        yield name, loaded
        if isinstance(loaded, click.Group):
            yield from ((f"{name} {below}", loaded.commands[below]) for below in loaded.commands)


EVERY = dict(all_commands())


def test_help_names_every_command_with_what_it_is_for(mia: Mia) -> None:
    answer = mia("--help")
    assert answer.code == 0
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name}" in answer.out
        assert summary in answer.out


def test_the_version_is_reported(mia: Mia) -> None:
    assert mia("--version").out == f"mia-tui {__version__}\n"


@pytest.mark.parametrize("words", EVERY)
def test_every_command_explains_itself_and_each_of_its_options(mia: Mia, words: str) -> None:
    answer = mia(*words.split(), "--help")
    assert answer.code == 0
    assert EVERY[words].help
    for param in EVERY[words].params:
        if isinstance(param, click.Option):
            assert param.help, param.name
            assert param.opts[0] in answer.out


@pytest.mark.parametrize("words", EVERY)
def test_every_line_of_help_fits_a_terminal_of_80_columns(mia: Mia, words: str) -> None:
    assert max(map(len, mia(*words.split(), "--help").out.splitlines())) <= 80


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.name)
def test_every_setting_is_an_option_of_train_with_its_help(mia: Mia, field: Field) -> None:
    answer = mia("train", "--help")
    assert all(option in answer.out for option in field.option.split("/"))
    assert field.help in " ".join(answer.out.split())


def test_the_recipes_are_named_in_the_help_of_train(mia: Mia) -> None:
    line = " ".join(mia("train", "--help").out.split())
    assert all(name in line.split("--recipe")[1].split("--config")[0] for name in RECIPES)


@pytest.mark.parametrize(
    ("words", "code", "start"),
    [
        (["trian"], 2, "There is no command or folder 'trian'. Did you mean train?"),
        (["pretict"], 2, "There is no command or folder 'pretict'. Did you mean predict?"),
        (["zzz"], 2, "There is no command or folder 'zzz'. The commands are demo, train,"),
        (["\x1b[2Jzzz"], 2, "There is no command or folder '\\\\x1b[2Jzzz'."),
        (["runs"], 2, "`mia-tui runs` needs a command: "),
        (["runs", "lst"], 2, "There is no command 'lst'. Did you mean list?"),
        (
            ["train", "x", "--epoch", "3"],
            2,
            "There is no option --epoch. Did you mean --epochs? See `mia-tui train --help`.\n",
        ),
        (["train", "x", "--batch", "3"], 2, "There is no option --batch. Did you mean --batch-size? See"),
        (
            ["runs", "list", "--dataset", "x"],
            2,
            "There is no option --dataset. See `mia-tui runs list --help`.\n",
        ),
        (["train", "x", "--zzz"], 2, "There is no option --zzz. See `mia-tui train --help`.\n"),
        (["--versoin"], 2, "There is no option --versoin. Did you mean --version? See `mia-tui --help`.\n"),
        (["train", "x", "--epochs", "3", "--epochs", "4"], 2, "--epochs is given twice."),
        (["train", "x", "--color", "--mono"], 2, "--color/--mono is given twice."),
        (["train", "x", "--size", "big"], 2, "--size is 'big'. It takes 96 or, width first, 128x96."),
        (["train", "x", "--seed", "1" * 400], 2, "--seed is a number of 400 digits."),
        (["train", "x", "--epochs", "1" * 20], 2, "--epochs is a number of 20 digits."),
        (["train", "x", "--lr", "inf"], 2, "--lr is inf. It must be a finite number."),
        (["x" * 300], 2, f"{'x' * 300} cannot be used: File name too long."),
        (["labels", "stats", "x" * 300], 3, f"{'x' * 300} cannot be read: File name too long."),
        (["train", "x" * 300], 3, f"{'x' * 300} cannot be read: File name too long."),
        (["train", "x", "--epochs"], 2, "Option '--epochs' requires an argument."),
        (["backbones", "x"], 2, "Got unexpected extra argument (x). See `mia-tui backbones --help`."),
    ],
)
def test_a_slip_is_answered_in_one_line(mia: Mia, words: list[str], code: int, start: str) -> None:
    answer = mia(*words)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(start)
    assert answer.err.count("\n") == 1


def test_a_file_in_place_of_a_command_is_named(mia: Mia, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.touch()
    assert mia(file).err.startswith(f"{file} is neither a command nor a folder.")


def test_settings_come_before_the_general_options_in_help() -> None:
    train = EVERY["train"]
    sections = list(dict.fromkeys(p.section for p in train.params if isinstance(p, Option)))
    assert set(sections) >= {field.group for field in fields()}
    assert train.get_help(click.Context(train)).index("Network:") < train.get_help(
        click.Context(train)
    ).index("General:")


def test_the_group_loads_no_command_that_it_does_not_know() -> None:
    assert Program().get_command(click.Context(command), "nothing") is None


@pytest.mark.parametrize("group", ["labels", "runs"])
def test_no_summary_of_a_command_is_cut(mia: Mia, group: str) -> None:
    assert "..." not in mia(group, "--help").out.split("Commands:")[1]
