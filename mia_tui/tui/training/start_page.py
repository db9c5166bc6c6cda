"""The first page of the form: what to learn, how large, how long and on what, in plain words. Free of Textual."""

from collections.abc import Mapping
from dataclasses import dataclass

from mia_tui.runs.preflight.duration import Forecast
from mia_tui.runs.preflight.recommendation import Recommendation
from mia_tui.text import counted, join_names, printable
from mia_tui.tui.training.estimate import StartEstimate
from mia_tui.tui.training.form_cursor import FormCursor, FormLine, WordKind, wrapped
from mia_tui.tui.training.machine import Machine, cores_here
from mia_tui.tui.training.words import meaning
from mia_tui.tui.widgets.ink import Ink

_NAMED_CLASSES = 12
_LEAST_COLUMNS = 20
_INDENT = 4  # columns, on both sides


@dataclass(frozen=True)
class StartFacts:
    """What was found out for the first page; None for what is not known yet.

    Attributes:
        estimate: What the training would use.
        forecast: How long it would take.
        machine: Where it can train.
        keys: Those that start the training, show the other settings, keep groups together, and load a recipe.
        recommendation: Which recipe suits.
    """

    estimate: StartEstimate | None
    forecast: Forecast | None
    machine: Machine | None
    keys: tuple[str, str, str, str]
    recommendation: Recommendation | None = None


@dataclass(frozen=True)
class StartRoom:
    """The room for the first page.

    Attributes:
        columns: Width.
        is_airy: Whether there is room for empty lines.
        is_ample: Whether there is room for all explanations.
        has_table: Whether the counts of all classes stand beside it.
    """

    columns: int
    is_airy: bool
    is_ample: bool
    has_table: bool


def start_lines(cursor: FormCursor, facts: StartFacts, room: StartRoom, ink: Ink) -> list[FormLine]:
    """The lines of the page.

    Args:
        cursor: Where the person is.
        facts: What was found out.
        room: How many they may be.
        ink: What the terminal can show.
    """
    width = max(_LEAST_COLUMNS, room.columns - _INDENT)
    start, others, keep, recipe = facts.keys
    gap = [FormLine("", "", "", "fact")] if room.is_airy else []

    def say(text: str, kind: WordKind = "fact") -> list[FormLine]:
        return [FormLine("", line, "", kind) for line in wrapped(text, width)]

    def ask(*names: str) -> list[FormLine]:
        lines: list[FormLine] = []
        for name in names:
            lines += gap if room.is_ample and lines else []
            lines += cursor.field_lines(name, room.columns)
            lines += say(meaning(cursor, name), "note") if room.is_ample else []
        return lines

    blocks = (
        (
            "What to learn",
            say(what(facts.estimate, ink, named=not room.has_table))
            + say(_advice(cursor, facts, keep), "advice")
            + ask("labels"),
        ),
        ("How large", ask("backbone", "size")),
        (
            "How long",
            ask("epochs")
            + say(how_long(facts.forecast), "told")
            + say(_recipe(facts, recipe, with_reason=room.has_table), "advice"),
        ),
        ("On what", ask("device", "threads") + say(_on_what(cursor, facts, ink))),
    )
    lines = [line for title, block in blocks for line in (FormLine("", title, "", "heading"), *block, *gap)]
    return lines + say(f"{start} starts. {others} shows all settings.", "key")


def what(estimate: StartEstimate | None, ink: Ink, *, named: bool) -> str:
    """Which images and classes are learned, two sentences; the classes are `named` with their counts."""
    if estimate is None:
        return f"Looking for images {ink.more}"
    if estimate.problem:
        return estimate.problem
    counts = {name: sum(of.values()) for name, of in estimate.counts.items()}
    where = "the names of folders" if estimate.source == "folders" else "the labels given here"
    totals = estimate.totals
    kept = f", {totals['test']:,} are kept for a test" if totals["test"] else ""
    classes = f": {_named(counts)}" if named else ""
    images, kinds = counted(sum(counts.values()), "image"), counted(len(counts), "class", "classes")
    return (
        f"{images} of {kinds}, by {where}{classes}. "
        f"{totals['train']:,} are learned from, {totals['val']:,} show how good it is{kept}."
    )


def _named(counts: Mapping[str, int]) -> str:
    named = [f"{printable(name)} {count:,}" for name, count in list(counts.items())[:_NAMED_CLASSES]]
    left = len(counts) - len(named)
    return join_names([*named, f"{left:,} more"] if left else named)


def how_long(forecast: Forecast | None) -> str:
    """How long the training takes, a sentence."""
    return "It is not known how long that takes." if forecast is None else f"Takes {forecast}."


def _advice(cursor: FormCursor, facts: StartFacts, key: str) -> str:
    """That names look like slides, and what keeps them together; "" where they do not, or where they are."""
    estimate = facts.estimate
    if estimate is None or estimate.groups is None or cursor.form.values.group_by:
        return ""
    groups = estimate.groups
    return (
        f"File names look like {groups.count:,} {groups.noun} (such as {printable(groups.example)}); images of one "
        f"{groups.one} in both training and validation would make results look better than they are. "
        + (estimate.keeping or f"{key} keeps each {groups.one} in one part.")
    )


def _recipe(facts: StartFacts, key: str, *, with_reason: bool) -> str:
    """Which recipe suits better, why if there is room, and what loads it; "" where none does."""
    told = facts.recommendation
    if told is None or told.recipe is None:
        return "" if told is None else told.warning
    return f"{told.warning} {told.advice(f'Recipe {told.recipe} ({key})', with_reason=with_reason)}".strip()


def _on_what(cursor: FormCursor, facts: StartFacts, ink: Ink) -> str:
    device, machine = cursor.form.values.device, facts.machine
    if machine is None:
        return f"Looking for GPUs {ink.more}"
    cores = counted(cores_here(), "core")
    if device == "cpu":
        return f"The processor, {cores}."
    if machine.why_not:
        return machine.why_not if device != "auto" else f"{machine.why_not} It has {cores}."
    words = dict(machine.named())
    if device == "auto" and machine.gpus:
        return f"{counted(len(machine.gpus), 'GPU')} here; the one with most free memory is taken."
    return f"{words[device]}." if device in words and device != "auto" else ""
