"""Recipes, and what settings must be to each other."""

from typing import Any

import pytest

from mia_tui.catalog.backbones import BACKBONES
from mia_tui.config.check import check_config, make_config
from mia_tui.config.fields import fields
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.recipes import RECIPES
from mia_tui.errors import ConfigError, WeightsError

# What the predecessor starts with.
PREDECESSOR = {
    "backbone": "resnet50",
    "weights": "imagenet",
    "loss": "cross_entropy",
    "metric": "accuracy",
    "optimizer": "adam",
    "lr": 0.001,
    "schedule": "constant",
    "batch_size": 8,
    "epochs": 100,
    "color": False,
    "scaling": "zero_one",
    "val_fraction": 0.15,
    "class_weights": "none",
    "width": 224,
    "height": 224,
    "resize": "cubic",
    "flip_horizontal": 0.5,
    "flip_vertical": 0.5,
    "blur": 0.4,
    "blur_sigma": 3.0,
    "piecewise_affine": 0.3,
    "piecewise_scale_min": 0.01,
    "piecewise_scale_max": 0.05,
    "dropout": 0.3,
    "dropout_pixels_min": 0.01,
    "dropout_pixels_max": 0.1,
    "dropout_pixels_per_channel": 0.5,
    "dropout_patches_min": 0.03,
    "dropout_patches_max": 0.15,
    "dropout_patch_size_min": 0.02,
    "dropout_patch_size_max": 0.05,
    "dropout_patches_per_channel": 0.2,
    "affine": 0.5,
    "affine_scale_min": 0.8,
    "affine_scale_max": 1.2,
    "affine_shift": 0.2,
    "affine_shear": 16.0,
    "affine_rotate": 45.0,
    "plateau_factor": 0.2,
    "plateau_patience": 5,
    "step_factor": 0.5,
    "step_epochs": 25,
    "min_lr": 1e-6,
    "focal_gamma": 2.0,
}


def sentence(**flags: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        make_config(flags=flags)
    return str(caught.value)


@pytest.mark.parametrize(("name", "value"), PREDECESSOR.items(), ids=PREDECESSOR)
def test_the_recipe_mia_has_the_predecessors_value(name: str, value: object) -> None:
    assert RECIPES["mia"][name] == value


def test_the_recipe_mia_settles_all_that_changes_what_is_learned() -> None:
    groups = {"Network", "Loss and metric", "Optimizer", "Augmentation"}
    wanted = {field.name for field in fields() if field.group in groups} - {"effective_beta"}
    assert wanted <= RECIPES["mia"].keys()


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_possible(recipe: str) -> None:
    check_config(make_config(recipe=recipe))


def test_flags_win_over_the_file_and_the_file_over_the_recipe() -> None:
    config = make_config(
        recipe="mia", file_values={"epochs": 7, "batch_size": 16}, flags={"epochs": 3, "lr": None}
    )
    assert (config.epochs, config.batch_size, config.lr) == (3, 16, 0.001)


def test_a_validation_folder_takes_the_place_of_the_split() -> None:
    assert make_config(recipe="mia", flags={"val": "other"}).val_fraction == 0.0
    assert make_config(file_values={"val_fraction": 0.3}, flags={"val": "other"}).val_fraction == 0.0


def test_a_validation_folder_and_a_fraction_asked_for_together_are_refused() -> None:
    assert sentence(val="other", val_fraction=0.2).startswith("--val and --val-fraction exclude each other.")
    with pytest.raises(ConfigError, match="exclude each other"):
        check_config(TrainConfig(val="other"))


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(ConfigError, match="There is no recipe 'mai'"):
        make_config(recipe="mai")


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda row: row.name)
def test_the_smallest_size_of_a_backbone_is_allowed_and_one_less_is_not(backbone: Any) -> None:
    make_config(flags={"backbone": backbone.name, "width": backbone.min_size, "height": backbone.min_size})
    said = sentence(backbone=backbone.name, width=backbone.min_size, height=backbone.min_size - 1)
    assert backbone.name in said
    assert f"at least {backbone.min_size} pixels" in said


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda row: row.name)
def test_stochastic_depth_is_refused_where_a_backbone_has_none(backbone: Any) -> None:
    flags = {"backbone": backbone.name, "drop_path_rate": 0.1}
    if backbone.drop_path:
        make_config(flags=flags)
    else:
        assert sentence(**flags).startswith(f"--drop-path-rate is not offered by {backbone.name}.")


def test_an_unknown_backbone_is_answered_with_the_nearest() -> None:
    assert "Did you mean resnet18" in sentence(backbone="resnet-18")


def test_weights_that_nobody_published_are_said_so() -> None:
    with pytest.raises(WeightsError, match="Nobody published ImageNet weights for resnet152v2"):
        make_config(flags={"backbone": "resnet152v2", "weights": "imagenet"})


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"affine_scale_min": 1.0, "affine_scale_max": 1.0}, None),
        (
            {"piecewise_scale_min": 0.1},
            "--piecewise-scale-min 0.1 is larger than --piecewise-scale-max 0.05.",
        ),
        (
            {"dropout_pixels_max": 0.001},
            "--dropout-pixels-min 0.01 is larger than --dropout-pixels-max 0.001.",
        ),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave nothing to train on."),
        ({"weights": "imagenet", "freeze_epochs": 20, "layer_decay": 0.7}, None),
        ({"freeze_epochs": 1}, "--freeze-epochs needs weights"),
        (
            {"weights": "imagenet", "freeze_epochs": 3.5, "epochs": 3},
            "--freeze-epochs 3.5 is more than --epochs 3.",
        ),
        ({"average_epochs": 20}, None),
        ({"average_epochs": 21}, "--average-epochs 21 is more than --epochs 20."),
        (
            {"average_epochs": 2, "ema_decay": 0.9},
            "--average-epochs and --ema-decay both average the weights.",
        ),
        ({"width": 96, "height": 96, "start_size": 0.5}, None),
        (
            {"width": 96, "height": 64, "start_size": 0.25},
            "--start-size 0.25 begins with 24 x 16 pixels, too few for resnet18.",
        ),
        ({"group_by": "("}, "--group-by '(' is not a regular expression"),
        ({"class_weights": "invers"}, "Did you mean inverse?"),
        ({"device": "cuda:x"}, "--device is 'cuda:x'."),
        ({"channels": "DAPI,,GFP"}, "--channels is 'DAPI,,GFP'. Name each channel, with commas between"),
        ({"channels": "DAPI, GFP,DAPI"}, "--channels names DAPI twice."),
    ],
)
def test_settings_that_contradict_each_other_are_named_by_their_flags(
    flags: dict[str, Any], words: str | None
) -> None:
    if words is None:
        make_config(flags=flags)
    else:
        assert words in sentence(**flags)
