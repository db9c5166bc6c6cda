"""The panel beside the fields of a section: counts of images, class weights, GPUs, facts of the network."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from mia_tui.analysis.rate_curve import RateCurve
from mia_tui.catalog.backbones import BACKBONES, Backbone
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import PARTS
from mia_tui.text import counted
from mia_tui.tui.runs.figures.text_plots import LEAST_COLUMNS, LEAST_ROWS, draw, plain
from mia_tui.tui.training.estimate import StartEstimate
from mia_tui.tui.training.machine import Machine
from mia_tui.tui.training.words import gmacs_at
from mia_tui.tui.widgets.ink import Ink

_LEAST_COLUMNS, _LEAST_ROWS = 10, 4
_NUMBER = 7  # columns of a number, or more where one needs them
_LEAST_NAME = 8
_PLOT_ROWS = 16
_LEAST_BAR = 12  # columns of the longest one
_OTHER_ROWS = 3  # beside the devices


@dataclass(frozen=True)
class FormFacts:
    """What was found out for the form; None for what is not known yet.

    Attributes:
        weights_are_here: Whether the weights of the network in the form are on this disk.
        machine: Where it can train.
        estimate: What the training would use.
        rates: Losses while the learning rate rose, of the latest search of one.
    """

    weights_are_here: bool | None
    machine: Machine | None
    estimate: StartEstimate | None
    rates: RateCurve | None = None


def panel(section: str, config: TrainConfig, known: FormFacts, size: tuple[int, int], ink: Ink) -> Text:
    """The panel beside a section of the form; `size` is columns and rows."""
    width, rows = max(_LEAST_COLUMNS, size[0]), max(_LEAST_ROWS, size[1])
    match section:
        case "Network":
            return network_panel(config, known.weights_are_here, ink)
        case "Run":
            return machine_panel(known.machine, width, rows, ink)
        case "Loss and metric":
            return weights_panel(known.estimate, width, rows, ink)
        case "Optimizer" if known.rates is not None and width >= LEAST_COLUMNS and rows >= LEAST_ROWS:
            return rate_panel(known.rates, width, rows, ink)
        case "Start" | "Data" | "Input" | "Optimizer":
            return data_panel(known.estimate, width, rows, ink)
    return Text("")


def rate_panel(curve: RateCurve, width: int, rows: int, ink: Ink) -> Text:
    """The losses of the latest search of a learning rate."""
    from mia_tui.tui.runs.figures.rate_plot import rate_plot

    return Text(
        plain(draw(rate_plot(curve), width, min(rows, _PLOT_ROWS), unicode=ink.unicode)), no_wrap=True
    )


def data_panel(estimate: StartEstimate | None, width: int, rows: int, ink: Ink) -> Text:
    """Images of each class and part."""
    if estimate is None:
        return Text(f"Looking for images {ink.more}", style="dim")
    if estimate.problem:
        return _problem(estimate, ink)
    totals = estimate.totals
    number = _number_width(totals.values())
    name_width = max(_LEAST_NAME, width - 3 * number)
    where = "folder names" if estimate.source == "folders" else "the labels here"
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{counted(len(estimate.counts), 'class', 'classes')} from {where}\n", style="bold")
    text.append(_row("", ("train", "val", "test"), name_width, number, ink), style="dim")
    shown = _shown(estimate, max(1, rows - 3))
    most = max((sum(of.values()) for of in estimate.counts.values()), default=1)
    named = 1 + max(ink.width(ink.shown(name)) for name, _ in shown)
    for name, of in shown:
        numbers = [f"{of[part]:,}" for part in PARTS]
        if name_width - named < _LEAST_BAR:
            text.append(_row(name, numbers, name_width, number, ink))
        else:
            text.append(ink.pad(name, named))
            bar = round(sum(of.values()) / most * (name_width - named))
            text.append(("━" if ink.unicode else "=") * bar, style=ink.accent())
            text.append(_row("", numbers, name_width - named - bar, number, ink))
    left = len(estimate.counts) - len(shown)
    if left > 0:
        text.append(f"and {left:,} classes with more images\n", style="dim")
    text.append(_row("all", [f"{totals[part]:,}" for part in PARTS], name_width, number, ink), style="bold")
    return text


def weights_panel(estimate: StartEstimate | None, width: int, rows: int, ink: Ink) -> Text:
    """The weight of each class in the loss."""
    if estimate is None or estimate.problem:
        return data_panel(estimate, width, rows, ink)
    number = _number_width(of["train"] for of in estimate.counts.values())
    name_width = max(_LEAST_NAME, width - 2 * number - 2)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("Weight of each class in the loss\n", style="bold")
    text.append(_row("", ("images", "weight"), name_width, number, ink), style="dim")
    names = list(estimate.counts)
    for name, of in _shown(estimate, max(1, rows - 2)):
        weight = 1.0 if estimate.weights is None else estimate.weights[names.index(name)]
        text.append(_row(name, (f"{of['train']:,}", f"{weight:.3g}"), name_width, number, ink))
    return text


def machine_panel(machine: Machine | None, width: int, rows: int, ink: Ink) -> Text:
    """The devices, and why there is no GPU; of many GPUs only memory and load (the list to choose from has names)."""
    if machine is None:
        return Text(f"Looking for GPUs {ink.more}", style="dim")
    text = Text()
    text.append("Where it can train\n", style="bold")
    named = machine.named()
    taken = sum(len(textwrap.wrap(f"{name}: {words}", width)) for name, words in named)
    if taken + _OTHER_ROWS > rows:
        named = machine.named(short=True)
    for name, words in named:
        busy = words.startswith("BUSY")
        text.append(f"{name}: ", style="bold" if not busy else ink.fault())
        text.append(f"{ink.shown(words)}\n", style=ink.fault() if busy else "")
    if machine.why_not:
        text.append(ink.shown(machine.why_not), style=ink.warning() if machine.has_nvidia else "")
    elif machine.gpus and machine.torch is None:
        text.append(f"Asking torch whether it can use them {ink.more}", style="dim")
    return text


def network_panel(config: TrainConfig, weights_are_here: bool | None, ink: Ink) -> Text:
    """Facts of the network."""
    row = BACKBONES.get(config.backbone)
    if row is None:
        return Text(f"{ink.shown(config.backbone)}: a network of timm; its size is known when it is built.")
    text = Text()
    text.append(f"{row.name}\n", style="bold")
    facts = (
        ("parameters", f"{row.params / 1e6:.1f} million"),
        ("multiply-adds", f"{gmacs_at(row, config):.2g} G an image"),
        ("", f"at {config.size} pixels"),
        ("trained at", f"{row.input_size} pixels"),
        ("at least", f"{row.min_size} pixels a side"),
        ("weights", _weights(row, weights_are_here)),
        ("licence", row.licence or "-"),
        ("ImageNet top-1", f"{row.top1:.1f} %" if row.top1 is not None else "-"),
    )
    for name, words in facts:
        text.append(f"{name:<15}", style="dim")
        text.append(f"{words}\n")
    return text


def _weights(row: Backbone, here: bool | None) -> str:
    if row.tag is None:
        return "none published"
    return "" if here is None else "on this disk" if here else "to be downloaded"


def _problem(estimate: StartEstimate, ink: Ink) -> Text:
    """Why there are no counts; what is wrong with a field stands there."""
    if estimate.problem_field is not None:
        return Text("The images are counted again once the error is corrected.", style="dim")
    return Text(ink.shown(estimate.problem), style=ink.fault())


def _shown(estimate: StartEstimate, room: int) -> list[tuple[str, dict[str, int]]]:
    """The classes there is room for: all in their order, or those with the fewest images, which matter most."""
    rows = [(name, dict(of)) for name, of in estimate.counts.items()]
    if len(rows) <= room:
        return [(name, {str(part): count for part, count in of.items()}) for name, of in rows]
    rows.sort(key=lambda row: row[1]["train"])
    return [(name, {str(part): count for part, count in of.items()}) for name, of in rows[: max(1, room - 1)]]


def _row(name: str, numbers: Sequence[str], name_width: int, number_width: int, ink: Ink) -> str:
    return ink.pad(name, name_width) + "".join(f"{number:>{number_width}}" for number in numbers) + "\n"


def _number_width(numbers: Iterable[int]) -> int:
    """Columns of each number, so that the largest has a gap before it."""
    return max(_NUMBER, 1 + max((len(f"{number:,}") for number in numbers), default=0))
