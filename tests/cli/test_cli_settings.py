"""From options to TrainConfig."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from cli_support import Mia

from mia_tui.cli.shared.options import Command, given_fields, given_settings, read_settings, settings_options
from mia_tui.config.fields import Field, fields
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.recipes import RECIPES
from mia_tui.errors import ConfigError

# A value other than the default, for fields where none can be told from their kind.
_OTHER = {
    "backbone": "resnet50",
    "weights": "here.pth",
    "class_weights": "inverse",
    "tune": "lr",
    "devices": "2",
    "device": "cpu",
    "val": "folder",
    "freeze_epochs": 3.0,
}

# What a field cannot do without.
_NEEDED = {"freeze_epochs": ("--weights", "imagenet")}


def settings_of(*words: object) -> dict[str, Any]:
    """What a command gets as **settings."""

    @click.command("try", cls=Command)
    @settings_options
    def command(**settings: Any) -> dict[str, Any]:
        return settings

    answer = command.main([str(word) for word in words], standalone_mode=False)
    assert isinstance(answer, dict)
    return answer


def config_of(*words: object) -> TrainConfig:
    return read_settings(settings_of(*words))


def other_words(field: Field) -> tuple[list[object], object]:
    """Words that give a field another value than its default, and that value."""
    if field.kind == "switch":
        flag = field.option.split("/")[-1 if field.default else 0]
        return [flag], not field.default
    if field.kind == "choice":
        value: object = next(choice for choice in field.choices if choice != field.default)
    elif field.kind == "text":
        value = _OTHER.get(field.name, "a(b)")
    elif field.kind == "whole":
        value = 64 if field.unit == "pixels" else int(field.default or 0) + 3
    elif field.kind == "size":
        value = "320x240"
    elif field.name in _OTHER:
        value = _OTHER[field.name]
    else:
        middle = (field.le or field.lt or 2.0) / 2
        value = middle if middle != field.default else middle * 1.01
    return [field.option, value], value


@pytest.mark.parametrize(
    "field", [f for f in fields() if not f.name.endswith(("_min", "_max"))], ids=lambda field: field.name
)
def test_an_option_reaches_its_field_and_no_other(field: Field) -> None:
    words, value = other_words(field)
    needed = _NEEDED.get(field.name, ())
    config, usual = config_of(*words, *needed), config_of(*needed)
    changed = {
        name for name in TrainConfig.__struct_fields__ if getattr(config, name) != getattr(usual, name)
    }
    together = {"--size": {"width", "height"}, "--val": {"val", "val_fraction"}}
    assert getattr(config, field.name) == value
    assert changed == together.get(field.option, {field.name})


def test_no_option_gives_the_defaults() -> None:
    assert config_of() == TrainConfig()


@pytest.mark.parametrize(("text", "size"), [("96", (96, 96)), ("128x96", (128, 96)), ("128X96", (128, 96))])
def test_size_sets_width_and_height(text: str, size: tuple[int, int]) -> None:
    config = config_of("--size", text)
    assert (config.width, config.height) == size


def test_mono_and_color_set_the_same_field() -> None:
    assert config_of("--mono").color is False
    assert config_of("--recipe", "mia", "--color").color is True


def test_a_recipe_gives_its_values() -> None:
    config = config_of("--recipe", "mia")
    assert {name: getattr(config, name) for name in RECIPES["mia"]} == RECIPES["mia"]


def test_options_win_over_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text("epochs = 7\nbatch_size = 16\nval_fraction = 0.3\n")
    settings = settings_of("--config", file, "--epochs", 3)
    config = read_settings(settings)
    assert (config.epochs, config.batch_size) == (3, 16)
    assert set(given_fields(settings)) == {"epochs", "batch_size", "val_fraction"}


def test_given_settings_are_named_as_typed() -> None:
    assert given_settings(settings_of("--size", 64, "--mono", "--recipe", "mia")) == [
        "--size",
        "--color/--mono",
        "--recipe",
    ]
    assert given_settings(settings_of()) == []


def test_a_value_out_of_range_is_refused_before_anything_is_done() -> None:
    with pytest.raises(ConfigError, match="--epochs is 0"):
        settings_of("--epochs", 0)


def test_the_settings_can_be_shown_as_a_file_that_gives_them_again(mia: Mia, tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text("batch-size = 16\nsize = 64\n")
    answer = mia("train", "--recipe", "mia", "--config", file, "--epochs", 3, "--show-config")
    assert (answer.code, answer.err) == (0, "")
    again = tmp_path / "again.toml"
    again.write_text(answer.out)
    config = config_of("--config", again)
    assert config == config_of("--recipe", "mia", "--batch-size", 16, "--size", 64, "--epochs", 3)
    record = json.loads(mia("train", "--show-config", "--size", 64, "--json").out)
    assert (record["width"], record["height"]) == (64, 64)


def test_a_resumed_run_shows_its_settings_elsewhere(mia: Mia) -> None:
    answer = mia("train", "--resume", "last", "--show-config")
    assert (answer.code, answer.out) == (2, "")
    assert "`mia-tui runs show last --json`" in answer.err


def test_a_choice_is_known_in_any_letter_case() -> None:
    assert config_of("--optimizer", "Adam").optimizer == "adam"
