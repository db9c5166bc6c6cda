"""From recipe, settings file and flags to one TrainConfig, and what its fields must be to each other."""

from collections.abc import Mapping
from typing import get_args

import msgspec

from mia_tui.catalog.backbones import find_backbone
from mia_tui.config.class_weights import parse_class_weights
from mia_tui.config.fields import Value, check_value, find_field, nearest
from mia_tui.config.recipes import RECIPES
from mia_tui.config.split import check_split
from mia_tui.config.train import RecipeName, TrainConfig
from mia_tui.errors import ConfigError, WeightsError
from mia_tui.paths import printable

# --val takes the place of a split, so one layer of settings cannot ask for both.
_VAL, _VAL_FRACTION = "val", "val_fraction"


def make_config(
    *,
    recipe: str = "default",
    file_values: Mapping[str, object] | None = None,
    flags: Mapping[str, object] | None = None,
) -> TrainConfig:
    """The settings of a run: flags win over the file, the file over the recipe.

    A folder named by `val` takes the place of the split: `val_fraction` becomes 0.

    Args:
        recipe: Name of a recipe.
        file_values: What a settings file names (`load_config`).
        flags: What the command line names, by field; None is not given.

    Raises:
        ConfigError: If a name or a value is impossible, or two settings contradict each other.
    """
    given_flags = {name: value for name, value in (flags or {}).items() if value is not None}
    values: dict[str, Value] = {}
    for layer, in_file in ((_recipe(recipe), True), (file_values or {}, True), (given_flags, False)):
        for name, value in layer.items():
            field = find_field(name, where="the settings")
            values[name] = check_value(field, value, shown=name if in_file else field.option)
        if layer.get(_VAL) is not None:
            _refuse_two_validations(layer)
            values[_VAL_FRACTION] = 0.0
    config = msgspec.convert(values, TrainConfig)
    check_config(config)
    return config


def check_config(config: TrainConfig) -> None:
    """Hold the fields against each other and the backbone; no file is looked at.

    Raises:
        ConfigError: With a sentence that names the flags.
        WeightsError: If nobody published the weights asked for.
    """
    _check_backbone(config)
    parse_class_weights(config.class_weights)
    _check_pairs(config)
    _check_split(config)


def _recipe(name: str) -> Mapping[str, Value]:
    for known in get_args(RecipeName):
        if known == name:
            return RECIPES[known]
    raise ConfigError(f"There is no recipe {printable(name)!r}.", nearest(name, RECIPES))


def _refuse_two_validations(layer: Mapping[str, object]) -> None:
    if layer.get(_VAL_FRACTION):
        raise ConfigError(
            "--val and --val-fraction exclude each other.",
            "A folder named by --val validates instead of a share of the images; leave one out.",
        )


def _check_backbone(config: TrainConfig) -> None:
    backbone = find_backbone(config.backbone)
    if backbone is None:  # any other model of timm: only building it tells
        return
    if min(config.width, config.height) < backbone.min_size:
        raise ConfigError(
            f"--size {config.width}x{config.height} is too small for {backbone.name}.",
            f"It needs at least {backbone.min_size} pixels a side.",
        )
    if config.drop_path_rate > 0 and not backbone.drop_path:
        raise ConfigError(
            f"--drop-path-rate is not offered by {backbone.name}.", "Use --drop-rate, or another backbone."
        )
    if config.weights == "imagenet" and backbone.tag is None:
        raise WeightsError(
            f"Nobody published ImageNet weights for {backbone.name}.",
            "Use --weights none, a file of your own, or another backbone.",
        )


def _check_pairs(config: TrainConfig) -> None:
    for name in TrainConfig.__struct_fields__:
        if not name.endswith("_min"):
            continue
        other = name.removesuffix("_min") + "_max"
        low, high = getattr(config, name), getattr(config, other)
        if low > high:
            options = [find_field(each, where="the settings").option for each in (name, other)]
            raise ConfigError(
                f"{options[0]} {low:g} is larger than {options[1]} {high:g}.", "Swap them, or give both."
            )


def _check_split(config: TrainConfig) -> None:
    if config.val is not None and config.val_fraction > 0:
        _refuse_two_validations({_VAL: config.val, _VAL_FRACTION: config.val_fraction})
    check_split(config.val_fraction, config.test_fraction, config.group_by)
