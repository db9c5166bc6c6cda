"""The fields of TrainConfig as a list."""

import math

import pytest

from mia_tui.config.fields import Field, check_value, fields, find_field, parse_value, record_values
from mia_tui.config.train import TrainConfig
from mia_tui.errors import ConfigError

FIELDS = {field.name: field for field in fields()}


def test_every_setting_is_a_field_in_its_order_and_width_and_height_are_one() -> None:
    names = [name if name != "width" else "size" for name in TrainConfig.__struct_fields__]
    assert list(FIELDS) == [name for name in names if name != "height"]
    assert set(record_values(dict.fromkeys(FIELDS, 64))) == set(TrainConfig.__struct_fields__)


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.name)
def test_help_of_a_field_has_a_sentence_its_unit_its_limits_and_its_default(field: Field) -> None:
    assert field.description.endswith(".")
    assert field.advice in field.help
    assert field.unit in field.help
    assert field.limits in field.help
    assert all(choice in field.help for choice in field.choices)
    assert ("default " in field.help) == (field.default is not None)


def test_a_setting_that_people_change_says_when() -> None:
    assert {field.name for field in fields() if not field.advice} == _FINE


_FINE = {
    "piecewise_scale_min",
    "dropout_pixels_min",
    "dropout_pixels_max",
    "dropout_pixels_per_channel",
    "dropout_patches_min",
    "dropout_patch_size_min",
    "dropout_patch_size_max",
    "dropout_patches_per_channel",
    "crop_area_max",
    "crop_ratio",
    "jitter_brightness",
    "jitter_contrast",
    "jitter_saturation",
    "erasing_share_min",
    "mixup_alpha",
    "cutmix_alpha",
}
"""Parts of an augmentation, whose other parts say when one would change them."""


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.name)
def test_the_default_of_a_field_lies_within_its_own_limits(field: Field) -> None:
    if field.default is not None:
        assert check_value(field, field.default, shown=field.option) == field.default


def test_choices_stand_in_the_order_they_are_written_in() -> None:
    assert FIELDS["geometry"].choices == ("squash", "letterbox", "crop")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "3", 3),
        ("lr", "1e-3", 1e-3),
        ("lr", "1", 1.0),
        ("size", "96", "96"),
        ("size", "96x96", "96"),
        ("size", "320×240", "320x240"),
        ("color", "no", False),
        ("loss", "kl", "kl"),
        ("optimizer", "AdamW", "adamw"),
        ("pixel_size", "0.5", 0.5),
        ("pixel_size", "0.5um", 0.5),
        ("pixel_size", "500 nm", 0.5),
        ("pixel_size", "0.65µm", 0.65),
        ("pixel_size", "1e-3mm", 1.0),
    ],
)
def test_a_text_becomes_a_value_of_the_fields_kind(name: str, text: str, value: object) -> None:
    parsed = parse_value(FIELDS[name], text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("epochs", "0", "--epochs is 0. It must be at least 1."),
        ("epochs", "3.5", "--epochs is '3.5'. It takes a whole number."),
        ("size", "4097", "--size is 4097 pixels. It must be at most 4096."),
        ("size", "224x7", "--size is 7 pixels. It must be at least 8."),
        ("size", "big", "--size is 'big'. It takes 96 or, width first, 128x96."),
        ("drop_rate", "1", "--drop-rate is 1. It must be below 1."),
        ("drop_rate", "-1", "--drop-rate is -1. It must be at least 0."),
        ("lr", "0", "--lr is 0. It must be over 0."),
        ("lr", "nan", "--lr is nan. It must be a finite number."),
        ("lr", "inf", "--lr is inf. It must be a finite number."),
        ("loss", "focl", "--loss is 'focl'. Did you mean focal?"),
        ("metric", "f1", "--metric is 'f1'. Did you mean macro_f1 or weighted_f1?"),
        ("loss", "x\x1b[2J", "--loss is 'x\\\\x1b[2J'. It takes cross_entropy, focal or kl."),
        ("device", "gpu", "--device is 'gpu'. It takes auto, cpu, cuda, cuda:N or mps."),
        ("weights", "", "--weights is empty."),
        ("pixel_size", "0nm", "--pixel-size is 0 µm. It must be over 0."),
        ("pixel_size", "two um", "--pixel-size is 'two um'. It takes a number, such as 0.5, 0.5um or 500nm."),
        (
            "pixel_size",
            "5 pixels",
            "--pixel-size is '5 pixels'. It takes a number, such as 0.5, 0.5um or 500nm.",
        ),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_can(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_value(FIELDS[name], text)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(("name", "value"), [("epochs", True), ("epochs", 3.0), ("lr", "1"), ("color", 1)])
def test_a_value_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError):
        check_value(FIELDS[name], value, shown=name)


def test_no_limit_lets_a_number_pass_that_is_not_finite() -> None:
    for field in fields():
        if field.kind == "real":
            with pytest.raises(ConfigError):
                check_value(field, math.nan, shown=field.name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("epoch", "epochs"), ("sizes", "size"), ("mono", "color"), ("batch-size", "batch_size")],
)
def test_an_unknown_setting_is_answered_with_the_one_that_was_meant(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="There is no setting") as caught:
        find_field(name, where="train.toml")
    assert hint in str(caught.value)


def test_a_large_limit_is_written_in_full() -> None:
    assert FIELDS["seed"].limits == "at least 0, at most 2,147,483,647"
    with pytest.raises(ConfigError, match="at most 2,147,483,647"):
        parse_value(FIELDS["seed"], str(2**31))
