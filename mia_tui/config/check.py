"""From recipe, settings file and flags to one TrainConfig, and a check that its fields fit each other."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import get_args

import msgspec

from mia_tui.catalog.backbones import BACKBONES, Backbone, find_backbone
from mia_tui.config.devices import LEAST_IMAGES, check_devices, least_devices
from mia_tui.config.fields import SIZE, Value, check_value, find_field, nearest, record_values
from mia_tui.config.split import check_split, compile_pattern
from mia_tui.config.train import RecipeName, TrainConfig
from mia_tui.config.train.class_weights import parse_class_weights
from mia_tui.config.train.epoch_work import epoch_size
from mia_tui.config.train.recipes import RECIPES
from mia_tui.config.train.run import TUNABLE
from mia_tui.errors import ConfigError, WeightsError
from mia_tui.text import join_names, printable

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
    values: dict[str, Value] = {}  # by the names of the record: a file may name one side only
    for layer, in_file in ((_recipe(recipe), True), (file_values or {}, True), (given_flags, False)):
        for name, value in layer.items():
            field = find_field(name, where="the settings")
            values |= record_values(
                {name: check_value(field, value, shown=name if in_file else field.option)}
            )
        if layer.get(_VAL) is not None:
            _refuse_two_validations(layer)
            values[_VAL_FRACTION] = 0.0
    config = msgspec.convert(values, TrainConfig)
    check_config(config)
    return config


def check_config(config: TrainConfig) -> None:
    """Check the fields against each other and the backbone; no file is read.

    Raises:
        ConfigError: With a sentence that names the flags.
        WeightsError: If nobody published the weights asked for.
    """
    for error in find_faults(config).values():
        raise error


def find_faults(config: TrainConfig) -> dict[str, ConfigError]:
    """What `check_config` refuses, by the field to change, for a form that shows all faults at once."""
    faults = {}
    for name, check in _CHECKS.items():
        try:
            check(config)
        except ConfigError as error:
            faults[name] = error
    return faults


def find_doubts(config: TrainConfig) -> list[str]:
    """Warnings of settings that are allowed but seldom intended, a sentence each."""
    found = []
    if config.loss == "focal" and config.label_smoothing:
        found.append(
            "With --label-smoothing the focal loss no longer pulls predictions to the smoothed targets; "
            "leave out one of them."
        )
    if config.sampling != "all" and config.class_weights.strip() != "none":
        found.append(
            "Rare classes are shown more often (--sampling) and count more (--class-weights), so they gain twice; "
            "leave out one of them."
        )
    if config.average_epochs and config.early_stop:
        found.append(
            "--early-stop may end the training before the last epochs, which --average-epochs waits for."
        )
    return found


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
    find_backbone(config.backbone)


def _check_weights(config: TrainConfig) -> None:
    backbone = _known_backbone(config)
    if backbone is not None and config.weights == "imagenet" and backbone.tag is None:
        raise WeightsError(
            f"Nobody published ImageNet weights for {backbone.name}.",
            "Use --weights none, a file of your own, or another backbone.",
        )


def _check_drop_path(config: TrainConfig) -> None:
    backbone = _known_backbone(config)
    if backbone is not None and config.drop_path_rate > 0 and not backbone.drop_path:
        raise ConfigError(
            f"--drop-path-rate is not offered by {backbone.name}.", "Use --drop-rate, or another backbone."
        )


def _check_size(config: TrainConfig) -> None:
    backbone = _known_backbone(config)
    if backbone is not None and min(config.width, config.height) < backbone.min_size:
        raise ConfigError(
            f"--size {config.size} is too small for {backbone.name}.",
            f"It needs at least {backbone.min_size} pixels a side.",
        )


def _check_start_size(config: TrainConfig) -> None:
    height, width = epoch_size(config, 1)
    backbone = _known_backbone(config)
    if config.start_size < 1 and backbone is not None and min(height, width) < backbone.min_size:
        raise ConfigError(
            f"--start-size {config.start_size:g} begins with {width} x {height} pixels, too few for {backbone.name}.",
            f"It needs at least {backbone.min_size} pixels a side.",
        )


def _check_freezing(config: TrainConfig) -> None:
    if config.freeze_epochs == 0:
        return
    if config.weights == "none":
        raise ConfigError(
            "--freeze-epochs needs weights: without them nothing in front of the head is worth keeping.",
            "Use --weights imagenet or the weights of a run, or leave it at 0.",
        )
    if config.freeze_epochs > config.epochs:
        raise ConfigError(
            f"--freeze-epochs {config.freeze_epochs:g} is more than --epochs {config.epochs}.",
            "With as many as epochs only the head learns.",
        )


def _check_average(config: TrainConfig) -> None:
    if config.average_epochs and config.ema_decay:
        raise ConfigError(
            "--average-epochs and --ema-decay both average the weights.", "Leave one of them at 0."
        )
    if config.average_epochs > config.epochs:
        raise ConfigError(
            f"--average-epochs {config.average_epochs} is more than --epochs {config.epochs}.",
            "Take a part of them, such as a quarter.",
        )


def _check_channels(config: TrainConfig) -> None:
    names = config.channel_names
    if not all(names):
        raise ConfigError(
            f"--channels is {printable(config.channels)!r}.",
            "Name each channel, with commas between: DAPI,GFP.",
        )
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ConfigError(f"--channels names {printable(twice)} twice.", "Leave one out.")


def _known_backbone(config: TrainConfig) -> Backbone | None:
    """None for one that is not in the catalogue: of any other model of timm only building it tells."""
    return BACKBONES.get(config.backbone)


def _check_pair(name: str, other: str, config: TrainConfig) -> None:
    low, high = getattr(config, name), getattr(config, other)
    if low > high:
        options = [find_field(each, where="the settings").option for each in (name, other)]
        raise ConfigError(
            f"{options[0]} {low:g} is larger than {options[1]} {high:g}.", "Swap them, or give both."
        )


def _check_val(config: TrainConfig) -> None:
    if config.val is not None and config.val_fraction > 0:
        _refuse_two_validations({_VAL: config.val, _VAL_FRACTION: config.val_fraction})


def _check_tune(config: TrainConfig) -> None:
    unknown = [name for name in map(str.strip, config.tune.split(",")) if name not in TUNABLE]
    if unknown:
        raise ConfigError(
            f"--tune names {printable(unknown[0])!r}, which trials do not choose.",
            f"They choose {join_names(TUNABLE, 'and')}; name those, with commas between them.",
        )


def _check_group_by(config: TrainConfig) -> None:
    if config.group_by is not None:
        compile_pattern(config.group_by)


def _check_devices(config: TrainConfig) -> None:
    check_devices(config.devices, config.device)
    count = least_devices(config.devices)
    if count > 1 and config.batch_size < LEAST_IMAGES * count:
        raise ConfigError(
            f"--batch-size {config.batch_size} is too small for {count} devices.",
            f"They share each batch, {LEAST_IMAGES} images or more for each: use {LEAST_IMAGES * count} or more, or "
            "fewer devices.",
        )
    if count > 1 and config.sync_norms and config.device == "cpu":
        raise ConfigError(
            "--sync-norms needs GPUs: torch has no synchronised batch normalisation for processors.",
            "Leave it out; each process then normalises its own part of a batch.",
        )


# Each under the field to change; the first fault is the one that the command line names.
_CHECKS: dict[str, Callable[[TrainConfig], object]] = {
    "backbone": _check_backbone,
    SIZE: _check_size,
    "start_size": _check_start_size,
    "channels": _check_channels,
    "drop_path_rate": _check_drop_path,
    "weights": _check_weights,
    "freeze_epochs": _check_freezing,
    "average_epochs": _check_average,
    "class_weights": lambda config: parse_class_weights(config.class_weights),
    **{
        name: partial(_check_pair, name, name.removesuffix("_min") + "_max")
        for name in TrainConfig.__struct_fields__
        if name.endswith("_min")
    },
    "val": _check_val,
    "devices": _check_devices,
    "val_fraction": lambda config: check_split(config.val_fraction, config.test_fraction, None),
    "group_by": _check_group_by,
    "tune": _check_tune,
}
