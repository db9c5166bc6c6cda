"""The lists to choose from which images to show, in which order, and whose suggestions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from mia_tui.dataset.images.channels import ALL_CHANNELS, ChannelChoice
from mia_tui.dataset.listing.folders import Folder
from mia_tui.dataset.session.filters import ORDERS, STATES, Filter, Order
from mia_tui.dataset.session.session import LabelSession, RowState
from mia_tui.text import counted, printable, when
from mia_tui.tui.classes.pickers import class_chip
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.label.words import STATE_WORDS, shown_filter
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.runs.prediction.suggestions import SuggestionSet
    from mia_tui.tui.controller.suggestions import LiveSet

_MODEL_COLUMNS, _MENU_NAME_COLUMNS = 26, 30

_ORDER_WORDS = {
    "name": ("by name, from A to Z", "by name, from Z to A"),
    "time": ("by time, oldest first", "by time, newest first"),
    "class": ("by class, in the order of the classes", "by class, the last class first"),
    "confidence": ("by the model's confidence, least sure first", "by the model's confidence, surest first"),
}


def filters(session: LabelSession, ink: Ink) -> PickDialog[Filter]:
    """Which images to show. Text and folder of the present filter stay; images of a run are narrowed down."""
    present = session.filter
    unbound = Filter(text=present.text, folder=present.folder)
    narrowed = shown_filter(unbound, session, ink)
    choices = [Choice(f"all images, {narrowed}" if narrowed else "all images", unbound)]
    choices += [
        Choice(f"images {STATE_WORDS[state]}", replace(present, state=state, class_id=None))
        for state in STATES
        if state not in ("all", "class", "second_pass")  # that has a command of its own
    ]
    counts = session.counts.by_class
    for image_class in session.classes:
        name = f"class {image_class.name} ({counts.get(image_class.id, 0):,})"
        filter = replace(present, state="class", class_id=image_class.id)
        choices.append(Choice(name, filter, class_chip(image_class, ink)))
    if narrowed:
        choices.insert(1, Choice("all images, without text and folder", Filter()))
    return PickDialog("Show which images?", choices, ink)


def image_menu(
    session: LabelSession, state: RowState | None, name: str, ink: Ink, *, can_accept: bool = False
) -> PickDialog[int | str]:
    """What to do with an image: the id of the class it gets, or the id of a command.

    Args:
        session: Its classes.
        state: Of the image; None for several images.
        name: Of the image, or words for several.
        ink: Characters and styles.
        can_accept: Whether the screen has the command that accepts a suggestion.
    """
    present = state.image_class.id if state is not None and state.image_class is not None else None
    choices: list[Choice[int | str]] = [
        Choice(
            f"{image_class.name}{', as now' if image_class.id == present else ''}",
            image_class.id,
            class_chip(image_class, ink),
        )
        for image_class in session.classes
    ]
    if can_accept and state is not None and state.suggestion is not None:
        choices.append(Choice(f"accept {state.suggestion.name}, which the model suggests", "accept"))
    if state is None or present is not None:
        choices.append(Choice("remove the label" if state is not None else "remove the labels", "clear"))
    flag, skip = "flag", "skip"
    if state is None:
        flag, skip = "flag, or remove the flags of all", "skip, or do not skip all any more"
    elif state.flagged:
        flag = "remove the flag"
    if state is not None and state.skipped:
        skip = "do not skip any more"
    choices += [Choice(flag, "flag"), Choice(skip, "skip"), Choice("write a note", "note")]
    title = f"{ink.fit_left(name, _MENU_NAME_COLUMNS)}: which class, or what else?"
    return PickDialog(title, choices, ink)


def orders(ink: Ink) -> PickDialog[tuple[Order, bool]]:
    """The order of the images, and whether it is reversed."""
    choices = [
        Choice(words, (order, reverse))
        for order in ORDERS
        for words, reverse in zip(_ORDER_WORDS[order], (False, True), strict=True)
    ]
    return PickDialog("In which order?", choices, ink)


def channels(names: Mapping[int, str], present: ChannelChoice, ink: Ink) -> PickDialog[ChannelChoice]:
    """Which channels are seen: each one shown or hidden, or one alone."""
    choices = []
    for number, name in names.items():
        is_seen = present.alone is None and number not in present.hidden
        hidden = present.hidden ^ {number} if present.alone is None else frozenset(names) - {number}
        verb = "hide" if is_seen else "show"
        choices.append(Choice(f"{verb} {printable(name)}", ChannelChoice(hidden=frozenset(hidden))))
    choices += [
        Choice(f"only {printable(name)}, in grey", ChannelChoice(alone=number))
        for number, name in names.items()
    ]
    choices.append(Choice("all channels together", ALL_CHANNELS))
    return PickDialog("Which channels?", choices, ink)


def suggestions(
    known: "Sequence[SuggestionSet | LiveSet]",
    shown: "SuggestionSet | LiveSet | None",
    images: int,
    ink: Ink,
    *,
    title: str,
    hint: str,
) -> "PickDialog[SuggestionSet | LiveSet]":
    """A set of suggestions: its model, when it was predicted, and how many of the images it covers.

    Args:
        known: The sets to choose from.
        shown: The one that is shown.
        images: How many images the dataset has.
        ink: Characters and styles.
        title: The question.
        hint: What the answer does.
    """
    names = [ink.fit_left(each.model, _MODEL_COLUMNS) for each in known]
    columns = max(map(ink.width, names), default=0)
    choices: list[Choice[SuggestionSet | LiveSet]] = []
    for name, each in zip(names, known, strict=True):
        text = f"{ink.pad(name, columns)}  {when(each.predicted_at):12}  {counted(each.images, 'image')}"
        choices.append(Choice(text, each, Text(ink.pointer if each == shown else " ")))
    return PickDialog(f"{title} ({images:,} images in all)", choices, ink, hint=hint)


def folders(session: LabelSession, found: Sequence[Folder], ink: Ink) -> PickDialog[Filter]:
    """The tree of folders, with how many images lie in and below each."""
    present = session.filter
    choices = [Choice(f"the whole dataset ({len(session.listing):,})", replace(present, text="", folder=""))]
    for folder in found:
        if not folder.path:
            continue
        name = f"{'  ' * (folder.depth - 1)}{folder.path} ({folder.images_below:,})"
        choices.append(Choice(name, replace(present, text="", folder=folder.path)))
    return PickDialog("Show the images of which folder?", choices, ink)
