"""The command line of a form does what the form does."""

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mia_tui.cli.shared.options import read_settings
from mia_tui.cli.training.command import command
from mia_tui.config.check import check_config
from mia_tui.config.command import quoted, train_command, train_words
from mia_tui.config.fields import Field, fields, record_values
from mia_tui.config.train import TrainConfig
from mia_tui.errors import ConfigError

_TEXTS: dict[str, st.SearchStrategy[Any]] = {
    "backbone": st.sampled_from(["resnet18", "resnet50", "vgg16", "timm:convnext_tiny"]),
    "weights": st.sampled_from(["none", "imagenet", "my weights.pth", "-odd", "it's"]),
    "class_weights": st.sampled_from(["none", "inverse", "a=2,b=0.5", "round one=3,it's=0.1"]),
    "tune": st.sampled_from(["lr,weight_decay,epochs", "lr", "epochs, lr"]),
    "devices": st.sampled_from(["1", "4", "all", "0,2"]),
    "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:3", "mps"]),
    "channels": st.one_of(st.none(), st.sampled_from(["DAPI", "DAPI,GFP", "0, 2", "-1", "it's", " "])),
    "group_by": st.one_of(st.none(), st.sampled_from(["", "slide([0-9]+)_", "^-a b", "$x"])),
    "val": st.one_of(st.none(), st.sampled_from(["other folder", "-v", "", "/data/ä"])),
}


def values_of(field: Field) -> st.SearchStrategy[Any]:
    if field.kind == "size":
        return st.builds("{}x{}".format, st.integers(8, 4096), st.integers(8, 4096))
    if field.kind == "text":
        return _TEXTS[field.name]
    if field.kind == "switch":
        return st.booleans()
    if field.kind == "choice":
        return st.sampled_from(field.choices)
    low = field.ge if field.ge is not None else field.gt
    high = field.le if field.le is not None else field.lt
    if field.kind == "whole":
        numbers: st.SearchStrategy[Any] = st.integers(int(low or 0), int(high) if high is not None else 10**6)
    else:
        numbers = st.floats(
            low,
            high if high is not None else 1e6,
            exclude_min=field.gt is not None,
            exclude_max=field.lt is not None,
        )
    return st.one_of(st.none(), numbers) if field.optional else numbers


configs = st.fixed_dictionaries({}, optional={field.name: values_of(field) for field in fields()}).map(
    lambda values: TrainConfig(**record_values(values))
)


def parsed(words: list[str]) -> tuple[TrainConfig, dict[str, Any]]:
    """What the real command makes of its words."""
    context = command.make_context("train", words)
    rest = {name: context.params.pop(name) for name in (*_OTHERS, "dataset") if name in context.params}
    return read_settings(context.params), rest


_OTHERS = ("resume", "after", "detach", "watch", "show_config", "as_json", "state", "annotator")


@settings(max_examples=100, deadline=None)
@given(configs)
def test_parsing_the_command_gives_the_same_settings_back(config: TrainConfig) -> None:
    config = msgspec.structs.replace(config, val_fraction=0.0) if config.val is not None else config
    try:
        check_config(config)
    except ConfigError:
        assume(False)
    verb, *words = train_words(config, Path("images"))
    assert verb == "train"
    assert parsed(words)[0] == config


def test_state_annotator_and_odd_folders_come_through() -> None:
    words = train_words(TrainConfig(), Path("-images"), state=Path("-state"), annotator="-me")
    config, rest = parsed(words[1:])
    assert config == TrainConfig()
    assert (rest["dataset"], rest["state"], rest["annotator"]) == (Path("./-images"), Path("-state"), "-me")


def test_only_what_differs_from_the_defaults_is_named() -> None:
    assert train_command(TrainConfig(), Path("images")) == "mia-tui train images"
    config = TrainConfig(width=96, height=96, color=False, lr=1e-4, deterministic=True)
    assert (
        train_command(config, Path("my images"))
        == "mia-tui train 'my images' --size 96 --mono --lr 0.0001 --deterministic"
    )


@pytest.mark.parametrize(
    "name", [b"it's", b"a b", b"x\ny", b"\xff\xfe", b"\x1b[31mred", "ä".encode(), b"a\\b\t'"]
)
def test_a_shell_reads_any_name_back_and_no_control_character_is_shown(name: bytes) -> None:
    word = quoted(os.fsdecode(name))
    assert word.isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert done.stdout == name
