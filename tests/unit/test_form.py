"""The settings of a training as a person types them."""

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from test_command import configs

from mia_tui.config.check import check_config, make_config
from mia_tui.config.fields import fields
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.recipes import RECIPES
from mia_tui.errors import ConfigError
from mia_tui.tui.training import words as form_words
from mia_tui.tui.training.form import Form, field_named_in, groups, in_words
from mia_tui.tui.training.form_cursor import EditedLine

_VALUE_COLUMNS = 28  # of a field in a window of 80


def typed(**texts: str) -> Form:
    form = Form()
    for name, text in texts.items():
        form.set_text(name, text)
    return form


def test_what_an_empty_field_means_fits_into_a_window_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_words, "cores_here", lambda: 128)
    said = {field.name: form_words.empty_words(field.name, TrainConfig()) for field in fields()}
    assert said["threads"] == "the free ones, at most 128"
    assert {name: words for name, words in said.items() if len(words) > _VALUE_COLUMNS} == {}


@settings(max_examples=100, deadline=None)
@given(configs)
def test_what_the_form_shows_means_the_settings_it_was_given(config: TrainConfig) -> None:
    """Settings without effect go back to their defaults, and nothing else."""
    try:
        check_config(config)
    except ConfigError:
        assume(False)
    form = Form(config)
    got = form.config
    assert got is not None
    for field in fields():
        value = getattr(config, field.name)
        if form.matters(field.name) and value != "":
            assert getattr(got, field.name) == value, field.name


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("epochs", "0", "Epochs is 0. It must be at least 1."),
        ("epochs", "many", "Epochs is 'many'. It takes a whole number."),
        ("lr", "-1", "Learning rate is -1. It must be over 0."),
        ("batch_size", "0", "Batch size is 0 images. It must be at least 1."),
        ("val_fraction", "1", "Val fraction is 1. It must be below 1."),
        ("device", "gpu", "Device is 'gpu'. It takes auto, cpu, cuda, cuda:N or mps."),
        ("backbone", "resnet19", "There is no backbone 'resnet19'."),
        ("class_weights", "x=-1", "class weights: '-1' is no weight for the class 'x'."),
        ("group_by", "(", "group by '(' is not a regular expression"),
        ("weights", "", "Weights is empty."),
        ("size", "4", "Size is 4 pixels. It must be at least 8."),
        ("size", "320x", "Size is '320x'. It takes 96 or, width first, 128x96."),
    ],
)
def test_a_fault_stands_at_its_field_in_words(name: str, text: str, words: str) -> None:
    form = typed(**{name: text})
    assert name in form.faults
    assert words in form.faults[name]
    assert "--" not in form.faults[name].split("Example")[0]
    assert form.config is None


@pytest.mark.parametrize(
    ("texts", "name", "words"),
    [
        ({"backbone": "inceptionv3", "size": "64"}, "size", "size 64 is too small for inceptionv3."),
        ({"backbone": "vgg16", "drop_path_rate": "0.1"}, "drop_path_rate", "not offered by vgg16"),
        ({"backbone": "resnet152v2", "weights": "imagenet"}, "weights", "Nobody published ImageNet weights"),
        ({"val_fraction": "0.6", "test_fraction": "0.5"}, "val_fraction", "leave nothing to train on"),
        (
            {"affine": "1", "affine_scale_min": "1", "piecewise_affine": "1", "piecewise_scale_min": "0.1"},
            "piecewise_scale_min",
            "piecewise scale min 0.1 is larger than piecewise scale max 0.05.",
        ),
    ],
)
def test_what_fields_must_be_to_each_other_is_told_at_the_field_to_change(
    texts: dict[str, str], name: str, words: str
) -> None:
    form = typed(**texts)
    assert list(form.faults) == [name]
    assert words in form.faults[name]


def test_all_faults_are_told_at_once_in_the_order_of_the_form() -> None:
    form = typed(epochs="0", backbone="nosuch", group_by="(", batch_size="x")
    assert list(form.faults) == ["backbone", "epochs", "batch_size", "group_by"]


@pytest.mark.parametrize(
    ("texts", "shown", "hidden"),
    [
        (
            {},
            "warmup_epochs min_lr",
            "focal_gamma momentum plateau_factor step_epochs blur_sigma effective_beta",
        ),
        ({"loss": "focal"}, "focal_gamma", "effective_beta"),
        ({"class_weights": "effective"}, "effective_beta", "focal_gamma"),
        ({"optimizer": "sgd"}, "momentum", ""),
        ({"schedule": "plateau"}, "plateau_factor plateau_patience min_lr", "warmup_epochs step_factor"),
        ({"schedule": "step"}, "step_factor step_epochs min_lr", "warmup_epochs plateau_factor"),
        ({"schedule": "constant"}, "lr", "min_lr warmup_epochs plateau_factor step_factor"),
        ({"blur": "0.1"}, "blur_sigma", "affine_scale_min dropout_pixels_min piecewise_scale_min"),
        ({"dropout": "0.1"}, "dropout_pixels_min dropout_patches_per_channel", "blur_sigma"),
        ({"piecewise_affine": "1"}, "piecewise_affine piecewise_scale_max", "affine_shear"),
        ({"affine": "1"}, "affine affine_shear", "piecewise_scale_max"),
        ({"val": "other"}, "val", "val_fraction test_fraction group_by split_seed"),
    ],
)
def test_only_fields_with_an_effect_matter(texts: dict[str, str], shown: str, hidden: str) -> None:
    form = typed(**texts)
    assert all(form.matters(name) for name in shown.split())
    assert not any(form.matters(name) for name in hidden.split())


def test_a_field_without_effect_has_no_fault_and_keeps_its_text() -> None:
    form = typed(loss="focal", focal_gamma="lots")
    assert "focal_gamma" in form.faults
    form.set_text("loss", "kl")
    assert form.config == TrainConfig(loss="kl")
    form.set_text("loss", "focal")
    assert form.text("focal_gamma") == "lots"


def test_a_folder_that_validates_takes_the_place_of_the_split() -> None:
    form = typed(val="other", test_fraction="0.1")
    assert form.config is not None
    assert (form.config.val, form.config.val_fraction, form.config.test_fraction) == ("other", 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "size"), [("96", (96, 96)), ("320x240", (320, 240)), ("96 x 64", (96, 64)), ("x", None)]
)
def test_width_and_height_are_one_field(text: str, size: tuple[int, int] | None) -> None:
    config = typed(size=text).config
    assert (None if config is None else (config.width, config.height)) == size


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_fills_the_form(name: str) -> None:
    form = typed(epochs="x")
    form.take_recipe(name)
    recipe = make_config(recipe=name)
    assert form.config is not None
    assert all(
        getattr(form.config, each.name) == getattr(recipe, each.name)
        for each in fields()
        if form.matters(each.name)
    )


def test_a_recipe_leaves_image_size_parts_and_machine_as_somebody_named_them() -> None:
    form = typed(size="96", group_by="a(.)", threads="2", batch_size="8", start_size="0.9")
    form.take_recipe("finetune")
    kept = form.values
    assert (kept.width, kept.group_by, kept.threads, kept.weights) == (96, "a(.)", 2, "imagenet")
    assert kept.batch_size == TrainConfig().batch_size
    assert kept.start_size == TrainConfig().start_size
    assert form.given == {"size", "group_by", "threads"}
    form.take_recipe("mia")
    assert form.values.width == RECIPES["mia"]["width"]


def test_a_file_that_was_saved_is_loaded_to_the_same_and_names_what_it_sets(tmp_path: Path) -> None:
    form = typed(epochs="3", lr="0.5", group_by="a(.)", loss="focal", focal_gamma="1.5")
    form.save(tmp_path / "mine.toml")
    other = Form()
    other.load(tmp_path / "mine.toml")
    assert other.config == form.config
    assert {"epochs", "lr", "group_by"} <= other.given


def test_a_file_that_is_refused_leaves_the_form_as_it_was(tmp_path: Path) -> None:
    form = typed(epochs="3")
    (tmp_path / "bad.toml").write_text("epochs = 0")
    with pytest.raises(ConfigError, match="at least 1"):
        form.load(tmp_path / "bad.toml")
    assert form.text("epochs") == "3"


def test_settings_with_faults_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="errors"):
        typed(epochs="x").save(tmp_path / "bad.toml")
    assert not (tmp_path / "bad.toml").exists()


def test_a_stored_split_shows_where_nobody_named_something_else() -> None:
    form = typed(val_fraction="0.3")
    assert form.decide({"val_fraction": 0.5, "split_seed": 7, "group_by": None})
    assert (form.text("val_fraction"), form.text("split_seed")) == ("0.3", "7")
    assert not form.decide({"split_seed": 7})
    form.reset("val_fraction")
    assert form.decide({"val_fraction": 0.5})
    assert form.text("val_fraction") == "0.5"


def test_a_message_of_the_command_line_speaks_of_the_form_and_names_its_field() -> None:
    error = ConfigError("This dataset was split with --val-fraction 0.2, not 0.3.", "See --lr and --unknown.")
    assert (
        in_words(error)
        == "This dataset was split with val fraction 0.2, not 0.3. See learning rate and --unknown."
    )
    assert field_named_in(error) == "val_fraction"


def test_every_field_stands_under_a_heading() -> None:
    assert groups() == ["Network", "Input", "Loss and metric", "Optimizer", "Run", "Data", "Augmentation"]


def test_typing_into_a_field_just_reached_replaces_its_text() -> None:
    assert EditedLine.of("20").typed("5").text == "5"


def test_moving_the_caret_first_keeps_the_text() -> None:
    line = EditedLine.of("20")
    for key in ("left", "left", "right"):
        line = line.pressed(key) or line
    assert line.typed("5").text == "250"
    assert (line.pressed("backspace") or line).text == "0"
    assert (line.pressed("delete") or line).text == "2"


@pytest.mark.parametrize(
    ("key", "text"), [("home", "Xab c"), ("end", "ab cX"), ("ctrl+u", "X"), ("ctrl+w", "ab X"), ("f5", None)]
)
def test_editing_keys(key: str, text: str | None) -> None:
    line = EditedLine.of("ab c").pressed(key)
    assert (line.typed("X").text if line else None) == text


def test_pasted_control_characters_do_not_reach_the_field() -> None:
    assert EditedLine.of("").typed("a\x1b[31m\nb").text == "a[31mb"
