"""The texts of the labelling screen about an image, the filter and the work: plain functions, no widgets."""

import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

from rich.style import Style

from mia_tui.config.user.kept import ProbabilityOrder
from mia_tui.dataset.images.facts import place_in_words
from mia_tui.dataset.images.rendering import RenderedImage
from mia_tui.dataset.model import WHOLE_STACK, ImageClass
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession, RowState
from mia_tui.text import counted, percent, printable
from mia_tui.tui.classes.class_frame import Framing
from mia_tui.tui.controller.label_controller import LastSave
from mia_tui.tui.keys.bindings import shown_key
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_line import Piece

_BOLD = Style(bold=True)
_NAME_COLUMNS = 70
_GAP = 2  # between what is on the left and on the right
_MODEL_COLUMNS = 24
_RUN_DATE = re.compile(r"^\d{8}-\d{4}-")  # at the beginning of a run's name
_DAY = len("20261129-")
_MOST_KEY_RANGES = 4

STATE_WORDS = {
    "all": "all images",
    "unlabelled": "without a label",
    "labelled": "with a label",
    "class": "of one class",
    "flagged": "flagged",
    "skipped": "skipped",
    "noted": "with a note",
    "suggested": "with a model's suggestion only",
    "unsure": "where a model is unsure",
    "differs": "where label and suggestion differ",
    "models_differ": "where two models differ",
    "unfamiliar": "unfamiliar, as far as that is known",
    "disputed": "where people differ",
    "second_pass": "of the second pass",
    "unreadable": "found missing or unreadable so far",
}


def framing(
    state: RowState | None,
    ink: Ink,
    accept: str,
    model: str = "",
    compared: str = "",
    others: Sequence[tuple[str, float]] = (),
) -> Framing:
    """The frame around an image.

    Args:
        state: Of the image.
        ink: Characters and styles.
        accept: The key that accepts a suggestion, empty if none does.
        model: Whose suggestions are shown.
        compared: The model that it is compared with, empty for none.
        others: The classes after the suggested one with their probabilities, where nothing else lists them.
    """
    if state is None:
        return Framing("", "none")
    notes = [
        sign
        for sign, shown in (
            (f"{ink.flag} flagged", state.flagged),
            ("skipped", state.skipped),
            ("unfamiliar", state.unfamiliar and state.suggestion is None),
        )
        if shown
    ]
    if state.said:
        keeps = f"{accept} keeps it" if accept and state.image_class else ""
        notes[:0] = [*_said_by_class(state), *filter(None, ["decided" if state.is_decided else keeps])]
    model, compared = _short_models(model, compared, ink)
    if compared and state.compared is not None and state.compared != state.suggestion:
        notes.insert(0, f"{compared}: {state.compared.name}?")
    if state.image_class is not None:
        origin = {"import": " (imported)", "accepted": " (accepted)", "page": " (page)"}.get(
            state.source or "", ""
        )
        if state.differs and state.suggestion is not None:
            notes.insert(0, f"{model}: {_suggested(state)}")
        return Framing(
            f"{state.image_class.name}{origin}", "label", state.image_class.colour, ink.separator.join(notes)
        )
    if state.suggestion is not None:
        does = "adds this class" if state.suggests_new else "accepts"
        text = _suggested(state) + (f"  {accept} {does}" if accept else "")
        notes.insert(0, model)
        if others:
            notes.insert(0, ", ".join(f"{name} {percent(share)}" for name, share in others))
        if state.unsure:  # below the threshold that was chosen for the model
            notes.insert(0, "unsure")
        if state.unfamiliar:  # what the model says is not to be trusted then
            notes.insert(0, "unfamiliar")
        return Framing(text, "suggestion", state.suggestion.colour, ink.separator.join(notes))
    return Framing("no label", "none", None, ink.separator.join(notes))


def _said_by_class(state: RowState) -> list[str]:
    """Who named which class, as `round: anna, bob`."""
    by_class: dict[str, list[str]] = {}
    for who, name in state.said:
        by_class.setdefault(name, []).append(who)
    return [f"{name}: {', '.join(people)}" for name, people in by_class.items()]


def facts(
    session: LabelSession,
    view: RenderedImage | None,
    box_px: tuple[int, int],
    settings: Sequence[str],
    ink: Ink,
    columns: int,
    *,
    is_named: bool = True,
) -> tuple[list[Piece], list[Piece]]:
    """The line about the image: its position and name on the left, its size and view settings on the right.

    Where there is no room, the size is left out first. The filter is always shown: size and settings are left out for
    it, then the beginning of the name. `is_named` is False where a name could tell the class, as in an audit.
    """
    row = session.current_row
    if row is None or session.position is None:
        return [(shown_filter(session.filter, session, ink) or "No images", None)], []
    key = session.listing.key(row)
    path = session.name_of(row, session.position) if is_named else ""
    position = f"{session.position + 1:,}/{len(session.view):,}  "
    more: list[Piece] = []
    frames = session.listing.frames_of(row)
    if frames > 1:
        place = "" if view is None else place_in_words(view.scene, view.place, frames)
        of_stack = f"  {place or f'frame {key.frame + 1}/{frames}'}"
        more.append((f"  stack of {frames} frames" if key.frame == WHOLE_STACK else of_stack, None))
    note = session.state_of(row).note if is_named else None
    if note:
        more.append((f"  {ink.noted} {printable(note)}", Style(italic=True)))
    right = list(settings)
    if view is not None:
        right.insert(0, f"{view.image_width:,}x{view.image_height:,} px")
        right.insert(1, f"{view.scale_in(box_px) * 100:.0f} %")
    shown = filter_words(session, columns, ink)
    if not shown:
        left = [(position, _BOLD), (ink.fit_left(path, _NAME_COLUMNS), None), *more]
        room = columns - _GAP - sum(ink.width(ink.shown(text)) for text, _ in left)
        while right and ink.width(ink.separator.join(right)) > room:
            del right[0]
        return left, [(ink.separator.join(right), ink.dim())]
    room = columns - ink.width(f"{position}  {shown}")
    name = ink.fit_left(path, min(_NAME_COLUMNS, room))
    left = [(position, _BOLD), (name, None)]
    room -= ink.width(name)
    for text, style in more:
        left.append((ink.fit(text, room), style))
        room -= ink.width(left[-1][0])
    beside = ink.separator.join(["", *right])
    return left, [(shown + (beside if ink.width(beside) <= room else ""), ink.dim())]


def filter_words(session: LabelSession, columns: int, ink: Ink) -> str:
    """The filter in words, in brackets, at most half a line; empty if all images are shown."""
    shown = shown_filter(session.filter, session, ink)
    return f"[{ink.fit(shown, columns // 2 - 2)}]" if shown else ""


def status(
    session: LabelSession,
    saved: LastSave | None,
    annotator: str,
    message: str,
    now: float,
    ink: Ink,
    *,
    scanned: bool,
    useful_first: bool = False,
) -> tuple[list[Piece], list[Piece]]:
    """The line about the work: done, left and labels a minute; on the right the last save and the annotator."""
    counts = session.counts
    words = [f"{counts.labelled:,} labelled", f"{counts.left:,} left"]
    missing, unused = (counts.missing, counts.unused) if scanned else (0, 0)
    for count, word in (
        (counts.skipped, "skipped"),
        (counts.flagged, "flagged"),
        (missing, "missing"),
        (unused, "unused"),
    ):
        if count:
            words.append(f"{count:,} {word}")
    if not scanned:
        words.append("looking for more")
    if useful_first:
        words.append("most useful first")
    speed = session.speed.per_minute(now)
    if speed is not None:
        words.append(f"{speed:.0f}/min")
    left: list[Piece] = [(message + "  ", _BOLD)] if message else []
    left.append((ink.separator.join(words), None))
    right = annotator
    if saved is not None:
        clock = time.strftime("%H:%M:%S", time.localtime(saved.at))
        what = "" if saved.what in message else f" {ink.fit_left(saved.what, 36)}"  # not repeated
        right = f"saved {clock}{what}{ink.separator}{annotator}"
    return left, [(right, ink.dim())]


def class_key_hint(
    classes: Sequence[ImageClass], *, auto: bool, keys: tuple[str, str], auto_key: str, columns: int, ink: Ink
) -> list[Piece]:
    """What the key of a class does now; the longest of several texts that there is room for.

    Args:
        classes: Those with keys count.
        auto: Whether a class key labels the image and goes on.
        keys: Of the commands that assign the current class, without and with going on.
        auto_key: The key that changes that.
        columns: The room there is.
        ink: Characters and styles.
    """
    of_classes = class_keys(classes)
    if not of_classes:
        return []
    is_one = len(of_classes) == 1
    assign, assign_next = keys
    if auto:
        sign, does = " AUTO ", "labels the image and goes on" if is_one else "label the image and go on"
        short = [of_classes, f" {'labels' if is_one else 'label'}, next"]
        whole = [of_classes, f" {does}"]
        texts = [[of_classes, f" {does}; ", auto_key, ": only choose the class"], whole, short]
    else:
        sign, does = "", "chooses the class" if is_one else "choose the class"
        whole = [of_classes, f" {does} of ", assign, " and ", assign_next]  # keys and words by turns
        texts = [[*whole, "; ", auto_key, ": label at once"], whole, [of_classes, f" {does}"]]
    room = columns - _GAP - len(sign) - bool(sign)
    words = next((text for text in texts if ink.width("".join(text)) <= room), texts[-1])
    pieces: list[Piece] = [
        (text, ink.accent() if place % 2 == 0 else ink.dim()) for place, text in enumerate(words)
    ]
    return [(sign, ink.accent() + Style(reverse=True)), (" ", None), *pieces] if auto else pieces


def dispute_hint(session: LabelSession, accept: str, ink: Ink) -> list[Piece]:
    """What the keys do where disputes are shown; empty elsewhere."""
    if not session.shows_disputes:
        return []
    keeps: list[Piece] = [("; ", ink.dim()), (accept, ink.accent()), (" keeps the label", ink.dim())]
    decide: list[Piece] = [(class_keys(session.classes), ink.accent()), (" decide and go on", ink.dim())]
    return decide + keeps if accept else decide


def tile_key_hint(classes: Sequence[ImageClass], marked: int, ink: Ink) -> list[Piece]:
    """What the key of a class does in the grid, where so many images are marked."""
    of_classes = class_keys(classes)
    if not of_classes:
        return []
    what = f"the {counted(marked, 'marked image')}" if marked else "the image under the cursor"
    verb = "labels" if len(of_classes) == 1 else "label"
    return [(of_classes, ink.accent()), (f" {verb} {what}", ink.dim())]


def next_probability_order(order: ProbabilityOrder) -> tuple[ProbabilityOrder, str]:
    """The order of the probabilities after this one, and a sentence about it."""
    if order == "off":
        return "by_probability", "Probabilities: the most probable class first."
    if order == "by_probability":
        return "by_class", "Probabilities: in the order of the classes."
    return "off", "Probabilities are hidden."


def class_keys(classes: Sequence[ImageClass]) -> str:
    """The keys of classes, such as `1-6` or `1-9, a-c, x`."""
    keys = sorted(image_class.key for image_class in classes if image_class.key)
    ranges: list[list[str]] = []
    for key in keys:
        follows = ranges and ord(key) == ord(ranges[-1][-1]) + 1 and key.isdigit() == ranges[-1][-1].isdigit()
        if follows:
            ranges[-1].append(key)
        else:
            ranges.append([key])
    words = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(run) for run in ranges]
    return ", ".join(words) if len(words) <= _MOST_KEY_RANGES else f"{words[0]} to {words[-1][-1]}"


def why_empty(session: LabelSession, other: str, *, growing: bool) -> str:
    """Why there is no image to show; `other` is the key that changes the filter."""
    if growing:
        return "Looking for images"
    if not len(session.listing):
        return "No images"
    return f"No image matches: {other} shows others"


def shown_filter(filter: Filter, session: LabelSession, ink: Ink) -> str:
    """The filter in words; empty if all images are shown."""
    words = []
    if filter.class_id is not None:
        image_class = session.class_of(filter.class_id)
        words.append(f"class {image_class.name}" if image_class else "a class")
    elif filter.state == "models_differ" and session.compared_model:
        model, compared = _short_models(session.model, session.compared_model, ink)
        words.append(f"where {model} and {compared} differ")
    elif filter.state == "second_pass":
        words.append(f"blind second pass, {session.people.done:,} of {len(session.people.mine):,} done")
    elif filter.state != "all":
        words.append(STATE_WORDS[filter.state])
    if filter.text:
        words.append(f'"{filter.text}"')
    if filter.folder:
        words.append(f"in {filter.folder}")
    if filter.among is not None:
        words.append(filter.among_words)
    return ", ".join(words)


@lru_cache(maxsize=8)  # asked for at each key
def _short_models(model: str, compared: str, ink: Ink) -> tuple[str, str]:
    """The names of two models without the date of their runs; the time stays where only that tells them apart."""
    names = short_model(model), short_model(compared)
    if names[0] == names[1]:
        names = model, compared
        if model[:_DAY] == compared[:_DAY] and all(map(_RUN_DATE.match, names)):
            names = model[_DAY:], compared[_DAY:]
    return ink.fit_left(names[0], _MODEL_COLUMNS), ink.fit_left(names[1], _MODEL_COLUMNS)


def short_model(name: str) -> str:
    """The name of a model without the date of its run."""
    return _RUN_DATE.sub("", name, count=1) or name


def _suggested(state: RowState) -> str:
    assert state.suggestion is not None
    sure = "" if state.confidence is None else f" {percent(state.confidence)}"
    return f"{state.suggestion.name}?{sure}"


def first_hint(keys: Mapping[str, Sequence[str]]) -> str:
    """Which keys label, shown at the first start."""

    def either(command: str) -> str:
        return " or ".join(map(shown_key, keys[command][:2])) or "a key of your choice"

    return (
        f"{either('assign')} assigns; {either('assign_next')} assigns and moves on; "
        f"{either('help')} shows all keys."
    )
