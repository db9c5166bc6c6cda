"""Which recipe suits a training, why, and how long it takes: said before the start, by command line and form.

The rules go by what was measured (page `figures` of the manual): trained on 920 images of cells, a network that
begins with ImageNet weights was right on as many images of other slides as one that begins with none, in two thirds
of the time. Trained on 100 it took more epochs than the recipe has for that: an epoch of few images has few steps.
Of sets beyond `MANY_IMAGES` nothing was measured, so nothing is recommended there.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from mia_tui.catalog.backbones import BACKBONES, SHIPPED
from mia_tui.config.fields import find_field, parse_value
from mia_tui.config.train import RecipeName, TrainConfig
from mia_tui.config.train.recipes import RECIPES
from mia_tui.config.weights_cache import IMAGENET_WEIGHTS
from mia_tui.dataset.model import Part
from mia_tui.runs.machine.step_times import StepTimes
from mia_tui.runs.preflight.duration import Forecast, about, forecast
from mia_tui.text import counted, printable, typed

MANY_IMAGES = 20_000
"""Images to train on from which nothing is recommended."""

FEW_IMAGES = 300
"""Images to train on below which a recipe gets `MANY_EPOCHS`: its own are too few steps."""

MANY_EPOCHS = 40

LARGE_NETWORK = 15_000_000
"""Parameters from which a network is called large for fewer than `MANY_IMAGES` images that it learns from nothing.

All networks up to resnet18 (11 million), with which the figures were measured, are below; resnet34 and resnet50 are
above.
"""

LONG_S = 6 * 3600.0
"""A training that takes longer is better begun by a quick one."""

_SMALL = "resnet18"
NO_WEIGHTS = "none"
SHIPPED_BACKBONE = next(name for name, row in BACKBONES.items() if row.source == SHIPPED)


@dataclass(frozen=True)
class TrainingPlace:
    """Where a training computes.

    Attributes:
        has_gpu: Whether there is a GPU that can be used.
        cores: CPU cores that can be used.
        times: What was timed there; None where that is not known yet.
    """

    has_gpu: bool
    cores: int
    times: StepTimes | None


@dataclass(frozen=True)
class Recommendation:
    """What suits a training.

    Attributes:
        recipe: The recipe; None where the settings are good as they are, or nothing is known to be better.
        beside: Settings to name beside it, by field.
        reason: Why, a sentence; "" without a recipe.
        warning: What is against the settings as they are, a sentence; "" for nothing.
        now: How long it takes with the settings as they are; None if nothing tells.
        then: How long it takes with the recipe.
    """

    recipe: RecipeName | None
    beside: Mapping[str, str]
    reason: str
    warning: str
    now: Forecast | None
    then: Forecast | None

    @property
    def options(self) -> str:
        """The words for the command line, such as `--recipe finetune --backbone resnet50`."""
        named = {} if self.recipe is None else {"recipe": str(self.recipe), **self.beside}
        return " ".join(f"--{name} {typed(value)}" for name, value in named.items())

    @property
    def time(self) -> str:
        """How long it takes with the settings as they are, a sentence; "" where nothing tells."""
        return "" if self.now is None else f"The training takes {self.now}."

    def advice(self, how: str, *, with_reason: bool = True) -> str:
        """What suits better and why, two sentences; "" where nothing does.

        Args:
            how: What the recipe is called there, such as "`--recipe finetune`".
            with_reason: Whether there is room for the second one.
        """
        if self.recipe is None:
            return ""
        takes = "" if self.then is None else f", and takes {about(self.then.seconds)}"
        return f"{how} suits better{takes}. {self.reason if with_reason else ''}".strip()


def recommend(
    config: TrainConfig,
    totals: Mapping[Part, int],
    place: TrainingPlace,
    *,
    here: Callable[[str], bool],
    given: Collection[str] = (),
) -> Recommendation:
    """What suits a training of these images.

    Args:
        config: The settings as they are.
        totals: Images of each part.
        place: Where it computes.
        here: Whether the ImageNet weights of a network are on this disk.
        given: Fields that somebody named, which a recipe leaves as they are.
    """
    images = totals["train"]
    now = _time(config, totals, place)
    choice = _choose(config, images, here, given)
    if choice is None or any(_is_of(config, suits, given) for suits in (choice.recipe, "best", "quick")):
        is_long = now is not None and now.seconds > LONG_S
        choice = _QUICK if is_long and not _is_of(config, "quick", given) else None
    warning = _warning(config, images)
    if choice is None:
        return Recommendation(None, {}, "", warning, now, None)
    then = _time(with_recipe(config, choice.recipe, given, choice.beside), totals, place)
    return Recommendation(choice.recipe, choice.beside, choice.reason, warning, now, then)


def with_recipe(
    config: TrainConfig,
    recipe: RecipeName,
    given: Collection[str] = (),
    beside: Mapping[str, str] | None = None,
) -> TrainConfig:
    """The settings with those of a recipe, but for fields that somebody named.

    Args:
        config: The settings as they are.
        recipe: The recipe.
        given: Those that somebody named.
        beside: Settings to take beside it, by field.
    """
    values: dict[str, Any] = {name: value for name, value in RECIPES[recipe].items() if name not in given}
    named = {
        name: parse_value(find_field(name, where="a recipe"), text) for name, text in (beside or {}).items()
    }
    return msgspec.structs.replace(config, **values | named)


@dataclass(frozen=True)
class _Choice:
    recipe: RecipeName
    reason: str
    beside: Mapping[str, str] = field(default_factory=dict)


_QUICK = _Choice("quick", "It shows first whether the classes can be told apart.")


def _choose(
    config: TrainConfig, images: int, here: Callable[[str], bool], given: Collection[str]
) -> _Choice | None:
    """What suits so many images; None where nothing was measured."""
    if images >= MANY_IMAGES:
        return None
    few = f"With {counted(images, 'image')} to learn from"
    choice = _choose_network(config, few, here, given)
    if images >= FEW_IMAGES or choice.recipe != "finetune" or "epochs" in given:
        return choice
    return replace(choice, beside={**choice.beside, "epochs": str(MANY_EPOCHS)})


def _choose_network(
    config: TrainConfig, few: str, here: Callable[[str], bool], given: Collection[str]
) -> _Choice:
    """What suits by the weights that are there; `few` begins the reason."""
    if config.weights != NO_WEIGHTS:
        beside = {"backbone": config.backbone, "weights": config.weights}
        if beside == {"backbone": SHIPPED_BACKBONE, "weights": IMAGENET_WEIGHTS}:
            beside = {}
        return _Choice(
            "finetune", f"{few}, less of what the weights know is lost if the head learns first.", beside
        )
    as_often = (
        "a network that begins with ImageNet weights is right as often, in less time, as one from nothing"
    )
    if "backbone" in given and here(config.backbone):
        on_disk = f"those of {printable(config.backbone)} are on this disk"
        return _Choice("finetune", f"{few}, {as_often}; {on_disk}.", {"backbone": config.backbone})
    if here(SHIPPED_BACKBONE):
        beside = {"backbone": SHIPPED_BACKBONE} if "backbone" in given else {}
        shipped = f"those of {SHIPPED_BACKBONE} come with the program"
        return _Choice("finetune", f"{few}, {as_often}; {shipped}.", beside)
    reason = f"{few} and no ImageNet weights on this disk, more epochs of images that grow are as quick."
    return _Choice("scratch", reason, {"backbone": _SMALL} if is_large(config.backbone) else {})


def _warning(config: TrainConfig, images: int) -> str:
    if config.weights != NO_WEIGHTS or images >= MANY_IMAGES or not is_large(config.backbone):
        return ""
    params = BACKBONES[config.backbone].params / 1e6
    return (
        f"{config.backbone} begins with nothing here, and {counted(images, 'image')} are few to learn "
        f"{params:.0f} million numbers from."
    )


def is_large(backbone: str) -> bool:
    """Whether a network is large for a few thousand images; those of timm whose size is not known here are not."""
    row = BACKBONES.get(backbone)
    return row is not None and row.params >= LARGE_NETWORK


def _is_of(config: TrainConfig, recipe: RecipeName, given: Collection[str]) -> bool:
    """Whether the settings are those of a recipe, but for network, weights and what somebody named."""
    return all(
        getattr(config, name) == value
        for name, value in RECIPES[recipe].items()
        if name not in given and name not in ("backbone", "weights")
    )


def _time(config: TrainConfig, totals: Mapping[Part, int], place: TrainingPlace) -> Forecast | None:
    return forecast(config, totals, place.times, has_gpu=place.has_gpu, cores=place.cores)
