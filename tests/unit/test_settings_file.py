"""Settings files."""

from pathlib import Path

import pytest

from mia_tui.config.check import make_config
from mia_tui.config.fields import fields
from mia_tui.config.settings_file import load_config, save_config
from mia_tui.config.train import TrainConfig
from mia_tui.errors import ConfigError


def saved(path: Path, config: TrainConfig) -> Path:
    path.write_bytes(save_config(config).encode("utf-8", "surrogateescape"))
    return path


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(),
        make_config(recipe="mia"),
        TrainConfig(width=320, height=240),
        TrainConfig(lr=3e-4, threads=3, color=False, min_lr=1e-12),
        TrainConfig(val='Größe "2"\\\n\x7f\t', val_fraction=0.0, group_by=r"(slide\d+)_"),
        TrainConfig(val="bytes\udcff", val_fraction=0.0),
    ],
    ids=["defaults", "mia", "size", "numbers", "odd text", "name that is not UTF-8"],
)
def test_saved_settings_load_to_the_same(tmp_path: Path, config: TrainConfig) -> None:
    assert make_config(file_values=load_config(saved(tmp_path / "train.toml", config))) == config


def test_every_setting_stands_in_the_file_under_what_it_means() -> None:
    lines = save_config(TrainConfig()).splitlines()
    for field in fields():
        place = next(
            i for i, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{field.name} =")
        )
        assert lines[place - 1] == f"# {field.help}"


def test_a_setting_that_is_left_out_stays_left_out(tmp_path: Path) -> None:
    assert "lr" not in load_config(saved(tmp_path / "train.toml", TrainConfig()))


def test_a_file_names_only_what_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_bytes(b"\xef\xbb\xbfepochs = 3\r\nlr = 1\r\n")
    assert load_config(file) == {"epochs": 3, "lr": 1.0}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("size = 96", {"width": 96, "height": 96}),
        ('size = "128x96"', {"width": 128, "height": 96}),
        ("width = 128\nheight = 96", {"width": 128, "height": 96}),
        ("width = 128", {"width": 128}),
        ("batch-size = 8", {"batch_size": 8}),
    ],
)
def test_a_file_may_name_settings_as_the_command_line_does(
    tmp_path: Path, text: str, values: dict[str, int]
) -> None:
    file = tmp_path / "train.toml"
    file.write_text(text)
    assert load_config(file) == values


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs = 0", "epochs in train.toml is 0. It must be at least 1."),
        ("epoch = 3", "There is no setting 'epoch', which train.toml names. Did you mean epochs"),
        ("epoch-s = 3", "There is no setting 'epoch-s', which train.toml names. Did you mean epochs"),
        ("batch-size = 3\nbatch_size = 4", "train.toml sets batch_size twice. Leave one of the lines out."),
        ("width = 96\nsize = 64", "train.toml sets width twice."),
        ("size = 'big'", "size in train.toml is 'big'. It takes 96 or, width first, 128x96."),
        ("size = '128x7'", "size in train.toml is 7 pixels. It must be at least 8."),
        ("size = 9.5", "size in train.toml is 9.5. It takes a whole number."),
        ("epochs = 3\nepochs = 4", "is not TOML"),
        ("epochs: 3", "A setting is a line such as"),
        ("lr = nan", "It must be a finite number."),
        (f"lr = {'1' * 400}", "lr in train.toml is a number of 400 digits."),
        (f"lr = {'1' * 5000}", "is not TOML"),
        ("lr = " + "[" * 5000, "is not TOML"),
        ("lr = [1]", "It takes a number."),
        ("color = 'yes'", "It takes true or false."),
    ],
)
def test_a_fault_in_a_file_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(Path("train.toml"))
    assert words in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no settings file"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
