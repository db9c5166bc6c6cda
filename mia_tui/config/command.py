"""The command line that trains with given settings, to copy into a script or a Slurm job."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from mia_tui.config.fields import Field, Value, fields
from mia_tui.config.train import TrainConfig


def train_command(
    config: TrainConfig, dataset: Path, *, state: Path | None = None, annotator: str | None = None
) -> str:
    """`mia-tui train DATASET …` with what differs from the defaults, one line for a shell.

    Args:
        config: The settings.
        dataset: Folder of images.
        state: The folder for --state.
        annotator: The name for --annotator.
    """
    words = ["mia-tui", *train_words(config, dataset, state=state, annotator=annotator)]
    return " ".join(map(quoted, words))


def train_words(
    config: TrainConfig, dataset: Path, *, state: Path | None = None, annotator: str | None = None
) -> list[str]:
    """The words of `train_command` after `mia-tui`, before a shell would need them quoted."""
    folder = os.fspath(dataset)
    words = ["train", f"./{folder}" if folder.startswith("-") else folder]
    for field in fields():
        words += _setting(field, config)
    if config.trials and "--tune" not in words:  # else what is given here would not be tuned
        words += _option("--tune", config.tune)
    if state is not None:
        words += _option("--state", os.fspath(state))
    if annotator is not None:
        words += _option("--annotator", annotator)
    return words


def value_text(value: Value) -> str:
    """A value so that reading it gives the same to the last bit."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def quoted(word: str) -> str:
    """A word for a shell; what a terminal cannot show is written as bytes (bash, zsh, ksh)."""
    if word.isprintable() or not word:
        return shlex.quote(word)
    return "$'" + "".join(_escaped(byte) for byte in os.fsencode(word)) + "'"


def _escaped(byte: int) -> str:
    plain = 0x20 <= byte < 0x7F and chr(byte) not in "\\'"
    return chr(byte) if plain else f"\\{byte:03o}"


def _setting(field: Field, config: TrainConfig) -> Iterator[str]:
    """The option of a field, unless the command takes that value by default."""
    value = getattr(config, field.name)
    if _is_left_out(field, config):
        return
    if field.kind == "switch":
        yield _switch(field.option, value)
    else:
        yield from _option(field.option, value_text(value))


def _is_left_out(field: Field, config: TrainConfig) -> bool:
    value = getattr(config, field.name)
    takes_its_place = field.name == "val_fraction" and config.val is not None
    return value is None or value == field.default or takes_its_place


def _switch(option: str, value: bool) -> str:
    yes, _, no = option.partition("/")
    return yes if value else no or f"--no-{yes.removeprefix('--')}"


def _option(option: str, text: str) -> list[str]:
    return [f"{option}={text}"] if text.startswith("-") else [option, text]
