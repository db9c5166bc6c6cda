"""The lists to choose a setting from; what is typed narrows them down."""

from collections.abc import Callable, Sequence
from pathlib import Path

from textual.widgets import Input, OptionList

from mia_tui.catalog.backbones import BACKBONES, SIZES, Backbone
from mia_tui.config.fields import Field
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.recipes import RECIPES
from mia_tui.config.weights_cache import IMAGENET_WEIGHTS, weights_here
from mia_tui.errors import MiaError
from mia_tui.runs.list.find import runs_of
from mia_tui.text import printable
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.training.machine import Machine
from mia_tui.tui.training.words import choice_words, gmacs_at, is_timm
from mia_tui.tui.widgets.ink import Ink

OTHER = "other"
"""Chosen among the sizes: a network of another name."""

_LEAST_ROWS = 4
_FRAME_ROWS = 12  # of the dialog around its list, and of the screen around it
_LICENCE_COLUMNS = 96  # of the terminal, from which there is room for it

_RECIPE_WORDS = {
    "default": "the settings without a recipe; the network has no weights yet",
    "quick": "as finetune in a few epochs, for a first look",
    "best": "as finetune, validated over flips and turns, for --tta",
    "finetune": "ImageNet weights, which come with the program",
    "scratch": "no weights yet; more epochs, of images that grow",
    "auto": "as default; trials choose rate, weight decay and length",
    "mia": "those of MIA (Microscopic Image Analyzer)",
}


class FieldPicker(PickDialog[str]):
    """A list with room for columns, whose first letter may be typed already.

    Args:
        title: The question.
        choices: In the order they are shown.
        ink: Characters and styles.
        begun: What was typed to open it.
        current: What stands in the field, which the list begins at.
        hint: One line below.
        typed: As for `PickDialog`.
    """

    IS_WIDE = True

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice[str]],
        ink: Ink,
        *,
        begun: str = "",
        current: str = "",
        hint: str = "{ok} chooses it, {cancel} changes nothing.",
        typed: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        super().__init__(title, choices, ink, hint=hint, typed=typed)
        self._begun, self._current = begun, current

    def on_mount(self) -> None:
        """Besides what every list of choices does (Textual calls both)."""
        options = self.query_one(OptionList)
        rows = max(_LEAST_ROWS, min(len(self._choices), self.app.size.height - _FRAME_ROWS))
        options.styles.height = options.styles.max_height = rows  # by itself, a long list leaves a gap below
        values = [choice.value for choice in self._choices]
        if self._current in values and not self._begun:
            self.call_after_refresh(setattr, options, "highlighted", values.index(self._current))
        if self._begun:
            line = self.query_one(Input)
            line.value, line.cursor_position = self._begun, len(self._begun)
            line.select_on_focus = False


def network_sizes(config: TrainConfig, ink: Ink) -> FieldPicker:
    """The networks for people who need not know their names, and a way to all others."""
    choices = [Choice(f"{size}: {name}, {_size_words(name, config)}", name) for size, name in SIZES.items()]
    choices.append(Choice("another one, from the list of all networks", OTHER))
    return FieldPicker("How large a network?", choices, ink, current=config.backbone)


def _size_words(name: str, config: TrainConfig) -> str:
    row, usual = BACKBONES[name], BACKBONES[SIZES["usual"]]
    share = gmacs_at(row, config) / gmacs_at(usual, config)
    work = "" if row is usual else f", {share:.1f} times the work"
    return f"{row.params / 1e6:.0f} million numbers{work}"


def backbones(
    config: TrainConfig, here: frozenset[str], ink: Ink, begun: str = "", *, columns: int
) -> FieldPicker:
    """All networks of the catalogue; timm:NAME can be typed. `columns` are those of the terminal."""
    with_licence = columns >= _LICENCE_COLUMNS
    choices = [
        Choice(_backbone_line(row, config, row.name in here, with_licence), row.name)
        for row in BACKBONES.values()
    ]
    title = (
        f"{'Which network?':<17} {'params':>7} {'cost':>7} {'trained':>7} {'least':>5} {'top-1':>5}  weights"
    )
    hint = f"Cost: multiply-adds an image at {config.size}. Any other of timm: type timm:NAME."
    return FieldPicker(
        title, choices, ink, begun=begun, current=config.backbone, hint=hint, typed=_typed_timm
    )


def backbones_here() -> frozenset[str]:
    """The networks whose weights lie on this disk; looks at the disk, so it is for a thread."""
    return frozenset(name for name in BACKBONES if weights_here(name))


def weights(config: TrainConfig, here: bool, ours: Sequence[tuple[str, Path]], ink: Ink) -> FieldPicker:
    """What the network can start from, what is on this disk first; `ours` are titles and weights of runs."""
    row = BACKBONES.get(config.backbone)
    choices = [Choice("none: start from random weights", "none")]
    if row is None or row.tag is not None:
        words = "on this disk" if here else "to be downloaded"
        choices.insert(0 if here else 1, Choice(f"imagenet: learnt on ImageNet, {words}", IMAGENET_WEIGHTS))
    choices += [Choice(f"the run {printable(title)} of this dataset", str(path)) for title, path in ours]
    hint = "{ok} chooses it, {cancel} changes nothing; a file or folder can be typed."
    return FieldPicker(
        "Which weights to start from?", choices, ink, current=config.weights, hint=hint, typed=_typed
    )


def weights_of_runs(opened: OpenDataset, backbone: str) -> list[tuple[str, Path]]:
    """The titles and best weights of the dataset's runs with a network, the newest first; for a thread."""
    found: list[tuple[str, Path]] = []
    try:
        for run in runs_of(opened.dataset, opened.state):
            if run.best_weights.exists() and run.train_job().config.backbone == backbone:
                found.append((run.notes().title or run.name, run.best_weights))
    except MiaError:  # a list to choose from: a run that cannot be read is left out
        return found[::-1]
    return found[::-1]


def devices(machine: Machine, ink: Ink) -> FieldPicker:
    """Where to train; what is wrong stands below."""
    choices = [Choice(f"{name}: {words}", name) for name, words in machine.named()]
    hint = machine.why_not or "{ok} chooses it, {cancel} changes nothing."
    return FieldPicker("Where to train?", choices, ink, hint=ink.shown(hint), typed=_typed)


def words_of(field: Field, ink: Ink, begun: str = "", *, current: str = "") -> FieldPicker:
    """The choices of a field, with what each means."""
    words = choice_words(field.name)
    names = field.choices or tuple(words)
    choices = [Choice(f"{name}: {words[name]}" if name in words else name, name) for name in names]
    if field.choices:
        return FieldPicker(f"{field.title.capitalize()}?", choices, ink, begun=begun, current=current)
    hint = "By hand: type NAME=WEIGHT,NAME=WEIGHT."
    return FieldPicker(
        f"{field.title.capitalize()}?", choices, ink, begun=begun, current=current, hint=hint, typed=_typed
    )


def recipes(ink: Ink, best: str | None) -> FieldPicker:
    """The recipes; `best` is the one that suits these images."""
    choices = [
        Choice(f"{name}: {_RECIPE_WORDS[name]}{' (suits best)' if name == best else ''}", str(name))
        for name in RECIPES
    ]
    hint = (
        "Image size, labels, parts and device stay, unless the recipe names them. {cancel} changes nothing."
    )
    return FieldPicker("Take the settings of which recipe?", choices, ink, current=best or "", hint=hint)


def _backbone_line(row: Backbone, config: TrainConfig, here: bool, with_licence: bool) -> str:
    where = "-" if row.tag is None else "here" if here else "no"
    licence = row.licence or "" if with_licence else ""
    top1 = "" if row.top1 is None else f"{row.top1:.1f}"
    return (
        f"{row.name:<17} {row.params / 1e6:>5.1f} M {gmacs_at(row, config):>5.2f} G {row.input_size:>7} "
        f"{row.min_size:>5} {top1:>5}  {where:<5} {licence}"
    )


def _typed(text: str) -> str | None:
    return text.strip() or None


def _typed_timm(text: str) -> str | None:
    return text.strip() if is_timm(text.strip()) else None
