"""The words around the fields of the form: what a field and its value mean, faults, the command line."""

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import chop_cells
from rich.text import Text

from mia_tui.catalog.backbones import BACKBONES, SIZES, TIMM_PREFIX, Backbone, size_of
from mia_tui.catalog.losses import CLASS_WEIGHTINGS, LOSSES
from mia_tui.catalog.metrics import METRICS
from mia_tui.catalog.optimizers import OPTIMIZERS
from mia_tui.catalog.schedules import SCHEDULES
from mia_tui.config.command import quoted
from mia_tui.config.fields import Field, show_value
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.network.selection import channel_names
from mia_tui.dataset.images.source import Scene
from mia_tui.text import counted, join_names, printable
from mia_tui.tui.training.estimate import StartEstimate
from mia_tui.tui.training.form import START, Form, field_of
from mia_tui.tui.training.machine import cores_here
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.training.form_cursor import FormCursor

_START_HELP = {
    "labels": (
        "Where the class of each image comes from: auto takes what was labelled here, and where nothing was, the "
        "names of the folders that the images lie in."
    ),
    "size": (
        "Every image is brought to this width and height before the network sees it. A smaller one is several "
        "times as fast: take 96 or 128 if you could still tell the classes in such a small picture, more if small "
        "details tell them apart."
    ),
    "epochs": (
        "How often the network goes through all images; each time is an epoch. 20 suits most; take more if the "
        "curves still improve at the end, 5 for a quick try. The best epoch is kept, whatever comes after it."
    ),
    "device": (
        "auto takes the GPU with most free memory, and the processor where there is none. A GPU is 10 to 100 "
        "times as fast."
    ),
    "threads": (
        "Processor cores that are used; left empty, those that are free when the training begins. Name fewer to "
        "leave some to others."
    ),
}
"""What a field of the first page means; of the network see `_network_help`."""

_SIZE_WORDS = {
    "small, quick": "a third of the size of the usual one, for a quick try, or to predict many images",
    "usual": "it suits most sets of some hundred to some thousand images",
    "large and slow": "worth its time where there are thousands of images and the usual one gets no better",
}

_COMMAND_LINES = 2
_LEAST_COLUMNS = 10


def state_words(cursor: "FormCursor", estimate: StartEstimate | None, key: str) -> str:
    """Whether a training can start, in a few words.

    Args:
        cursor: Where the person is in the form.
        estimate: What it would use; None before that is known.
        key: The one that starts it, or else shows a fault.
    """
    faults = cursor.faults
    if faults:
        return f"{counted(len(faults), 'error')}: {key} shows the first"
    if estimate is None:
        return ""
    if estimate.problem:
        return "cannot train yet"
    totals = estimate.totals
    return f"{totals['train']:,} to train, {totals['val']:,} to validate"


def help_text(
    cursor: "FormCursor", estimate: StartEstimate | None, ink: Ink, *, with_fault: bool = True
) -> Text:
    """What the field under the cursor means, below what is wrong with it.

    Args:
        cursor: Where the person is in the form.
        estimate: What a training would use; None before that is known.
        ink: What the terminal can show.
        with_fault: Whether what is wrong is said here as well as at the field, which may be out of sight.
    """
    fault = cursor.faults.get(cursor.name) if with_fault else None
    text = Text()
    if fault is not None:
        text.append(f"{ink.broken} {ink.shown(fault)}\n", style=ink.fault())
    text.append(ink.shown(meaning(cursor, cursor.name)))
    if cursor.section == START:
        return text
    scene = None if estimate is None else estimate.scene
    note = note_of(cursor.name, cursor.form) or ("" if scene is None else scene_words(cursor.name, scene))
    if note:
        text.append(f"\n{ink.shown(note)}", style="dim")
    return text


def meaning(cursor: "FormCursor", name: str) -> str:
    """What a field of the section means and when one would change it; on the first page in plain words."""
    if cursor.section != START:
        return help_of(field_of(name))
    return _network_help(cursor.form.values) if name == "backbone" else _START_HELP[name]


def _network_help(config: TrainConfig) -> str:
    """What the size of the network means."""
    size = size_of(config.backbone)
    words = "chosen from the list of all networks, see the next page" if size is None else _SIZE_WORDS[size]
    sizes, now = join_names(SIZES, "or"), printable(config.backbone)
    return f"How much the network can learn: {sizes}. Now it is {now}: {words}."


def network_words(backbone: str) -> str:
    """A network as the page shows it, such as `usual: resnet18`."""
    size = size_of(backbone)
    return backbone if size is None else f"{size}: {backbone}"


def shown_command(command: str, dataset: Path, columns: int, ink: Ink) -> str:
    """The command line; where it is long the path is shortened, so that the options are seen. It is copied whole.

    Args:
        command: As it would be typed.
        dataset: The folder that stands in it.
        columns: Width of the place it is shown in.
        ink: What the terminal can show.
    """
    shown, width = f"$ {command}", max(_LEAST_COLUMNS, columns)
    lines = _wrapped(shown, width, ink)
    if len(lines) > _COMMAND_LINES:
        shown = shown.replace(quoted(os.fspath(dataset)), f"{ink.more}/{quoted(dataset.name)}", 1)
        lines = _wrapped(shown, width, ink)
    if len(lines) > _COMMAND_LINES:  # the last line says that there is more
        last = " ".join(lines[_COMMAND_LINES - 1 :])
        lines = [*lines[: _COMMAND_LINES - 1], ink.fit(last, width)]
    return "\n".join(lines)


def _wrapped(text: str, width: int, ink: Ink) -> list[str]:
    """Lines of a text, broken between words: the widget would do it by itself, and cut what is too much."""
    lines = textwrap.wrap(ink.shown(text), width, break_on_hyphens=False, replace_whitespace=False)
    return [piece for line in lines for piece in chop_cells(line, width)]


_MILLION = 1e6


def help_of(field: Field) -> str:
    """What a field means, with unit, limits and default; the choices stand in its list."""
    default = "" if field.default is None else f"default {_default(field)}"
    words = ", ".join(word for word in (field.unit, field.limits, default) if word)
    text = f"{field.description} {field.advice}".rstrip()
    return text + (f" [{words}]" if words else "")


def empty_words(name: str, config: TrainConfig) -> str:
    """What an empty field means, shown in it; "" where no words are needed."""
    own = OPTIMIZERS[config.optimizer]
    return {
        "lr": f"{own.lr:g} by default",
        "weight_decay": f"{own.weight_decay:g} by default",
        "threads": f"the free ones, at most {cores_here()}",
        "group_by": "none",
        "channels": "a picture, or all",
        "pixel_size": "none",
        "val": "none: a share of the images",
    }.get(name, "")


def note_of(name: str, form: Form) -> str:
    """What the present value of a field means; "" if there is nothing to explain."""
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
        case "size":
            row = BACKBONES.get(config.backbone)
            return "" if row is None else f"{row.name} needs at least {row.min_size} pixels a side."
    return ""


def scene_words(name: str, scene: Scene) -> str:
    """What an image says about a field; "" if nothing."""
    match name:
        case "channels":
            names = channel_names(scene)
            return f"The first image has {join_names(map(printable, names))}."
        case "pixel_size":
            if scene.pixel_um is None:
                return "The first image does not say how large its pixels are."
            return f"A pixel of the first image is {scene.pixel_um[0]:.4g} µm wide."
        case "intensity":
            return f"The first image has {scene.bits or 8 * scene.dtype.itemsize} bits."
    return ""


def choice_words(name: str) -> dict[str, str]:
    """What each choice of a field means, where that is explained."""
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
        weights = "no published weights"
    else:
        weights = f"ImageNet weights: top-1 {row.top1:.1f} %, {row.licence}"
    return (
        f"{row.params / _MILLION:.1f} M parameters, {gmacs_at(row, config):.2g} billion multiply-adds an image at "
        f"{config.size}; {weights}."
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
