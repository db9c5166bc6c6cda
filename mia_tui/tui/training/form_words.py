"""What the form says about its fields: help, and what the present value means."""

from collections.abc import Mapping
from typing import Any

from mia_tui.catalog.backbones import BACKBONES, TIMM_PREFIX, Backbone
from mia_tui.catalog.losses import CLASS_WEIGHTINGS, LOSSES
from mia_tui.catalog.metrics import METRICS
from mia_tui.catalog.optimizers import OPTIMIZERS
from mia_tui.catalog.schedules import SCHEDULES
from mia_tui.config.fields import Field, show_value
from mia_tui.config.train import TrainConfig
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.tui.training.form import Form, field_of

_MILLION, _BILLION = 1e6, 1e9


def help_of(field: Field) -> str:
    """What a field means, with unit, limits and default; the choices stand in its list."""
    default = "" if field.default is None else f"default {_default(field)}"
    words = ", ".join(word for word in (field.unit, field.limits, default) if word)
    return field.description + (f" [{words}]" if words else "")


def left_out(name: str, config: TrainConfig) -> str:
    """What an empty field means, shown in its place; "" where empty means nothing."""
    own = OPTIMIZERS[config.optimizer]
    return {
        "lr": f"{own.lr:g} by default",
        "weight_decay": f"{own.weight_decay:g} by default",
        "threads": f"the free ones, at most {usable_cores()}",
        "group_by": "none",
        "val": "none: a share of the images",
    }.get(name, "")


def note_of(name: str, form: Form) -> str:
    """What the present value of a field means; "" where nothing is to be said."""
    config, text = form.values, form.text(name).strip()
    match name:
        case "backbone":
            row = BACKBONES.get(text)
            return backbone_words(row, config) if row is not None else ""
        case "optimizer":
            own = OPTIMIZERS[config.optimizer]
            return f"{own.title}: rate {own.lr:g} and decay {own.weight_decay:g} unless set ({own.source})."
        case "loss" | "metric" | "schedule" | "class_weights":
            words = choice_words(name).get(text, "")
            return f"{text}: {words}." if words else ""
        case "width" | "height":
            row = BACKBONES.get(config.backbone)
            return "" if row is None else f"{row.name} needs at least {row.min_size} pixels a side."
    return ""


def choice_words(name: str) -> dict[str, str]:
    """What the choices of a field mean, as far as there are words for it."""
    known: dict[str, dict[str, str]] = {
        "loss": _plain(LOSSES),
        "metric": _plain(METRICS),
        "schedule": _plain(SCHEDULES),
        "class_weights": {key: words for key, words in CLASS_WEIGHTINGS.items() if key != "manual"},
        "optimizer": {key: f"{own.title}, rate {own.lr:g}" for key, own in OPTIMIZERS.items()},
    }
    return known.get(name, {})


def backbone_words(row: Backbone, config: TrainConfig) -> str:
    """A network in a sentence."""
    if row.tag is None:
        weights = "nobody published weights"
    else:
        weights = f"ImageNet weights: top-1 {row.top1:.1f} %, {row.licence}"
    return (
        f"{row.params / _MILLION:.1f} M parameters, {gmacs_at(row, config):.2g} billion multiply-adds an image at "
        f"{config.width}x{config.height}; {weights}."
    )


def gmacs_at(row: Backbone, config: TrainConfig) -> float:
    """Billions of multiply-adds for one image of the chosen size; they grow with its pixels."""
    return row.gmacs * config.width * config.height / row.input_size**2


def is_timm(name: str) -> bool:
    """Whether a typed name asks for any other network of timm."""
    return name.startswith(TIMM_PREFIX) and len(name) > len(TIMM_PREFIX)


def right_of(name: str) -> str:
    """Unit and limits, short."""
    field = field_of(name)
    return ", ".join(word for word in (field.unit if field.unit != field.name else "", field.limits) if word)


def _plain(words: Mapping[Any, str]) -> dict[str, str]:
    return {str(name): text for name, text in words.items()}


def _default(field: Field) -> str:
    if field.name == "color":
        return "colour" if field.default else "mono"
    return show_value(field.default) if field.default is not None else ""
