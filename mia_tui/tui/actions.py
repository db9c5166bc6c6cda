"""Everything a key can do on the labelling screen: one table for bindings, help, command palette and user keys.

Letters and digits belong to classes, so commands are function keys, ctrl and
punctuation. Keys are written as people write them; Textual's names for them
are made in `bindings`. The table itself does without Textual, which may be imported
only when the terminal has been asked for its colours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.binding import Binding


@dataclass(frozen=True)
class Action:
    """One thing a key can do.

    Attributes:
        id: Name in the user's settings, and among the commands of the screen.
        keys: As a person writes them; the first is shown.
        title: For footer, help and palette.
        help: One sentence.
        section: Heading in help.
        in_footer: Whether the footer shows it.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    help: str
    section: str
    in_footer: bool = False


_LABEL, _MOVE, _MARK, _LOOK, _APP = "Labelling", "Moving", "Marks and lists", "Looking", "The app"

ACTIONS: tuple[Action, ...] = (
    Action("assign", ("f1", "="), "Assign", "Give this image the current class.", _LABEL, True),
    Action(
        "assign_next", ("f2", "space"), "Assign, next", "Give it the current class and go on.", _LABEL, True
    ),
    Action("accept", ("enter",), "Accept", "Take the model's suggestion as the label and go on.", _LABEL),
    Action("clear", ("delete", "backspace"), "Clear", "Take the label away.", _LABEL),
    Action("undo", ("ctrl+z",), "Undo", "Take back my last step, wherever it was.", _LABEL, True),
    Action("redo", ("ctrl+y",), "Redo", "Bring back what undo took away.", _LABEL),
    Action(
        "auto", ("f9",), "Auto mode", "A class key assigns and goes on at once; again: only picks.", _LABEL
    ),
    Action("pick", ("/",), "Find class", "Pick a class by typing some of its name.", _LABEL),
    Action("next", ("right", "down"), "Next", "Go to the next image.", _MOVE),
    Action("previous", ("left", "up"), "Previous", "Go to the image before.", _MOVE),
    Action("page_next", ("pagedown",), "Page on", "Go a page of the list on.", _MOVE),
    Action("page_previous", ("pageup",), "Page back", "Go a page of the list back.", _MOVE),
    Action("first", ("home",), "First", "Go to the first image.", _MOVE),
    Action("last", ("end",), "Last", "Go to the last image.", _MOVE),
    Action("next_unlabelled", ("f3",), "Unlabelled", "Go to the next image without a label.", _MOVE, True),
    Action("previous_unlabelled", ("ctrl+r",), "Unlabelled before", "Go back to one without a label.", _MOVE),
    Action(
        "skip",
        ("f4",),
        "Skip",
        "Mark this image as skipped and go on; again: take the mark away.",
        _MARK,
        True,
    ),
    Action("flag", ("!",), "Flag", "Flag this image to come back to it; again: take the flag away.", _MARK),
    Action("note", ("ctrl+n",), "Note", "Write a note on this image.", _MARK),
    Action("find", ("ctrl+f",), "Find files", "Show only images whose path contains a text.", _MARK),
    Action(
        "filter", ("f5",), "Filter", "Show only some images: unlabelled, a class, flagged, …", _MARK, True
    ),
    Action("order", ("f6",), "Sort", "Sort by name, time, class or confidence.", _MARK),
    Action("folders", ("ctrl+o",), "Folders", "Show only the images of one folder.", _MARK),
    Action("grid", ("f7",), "Grid", "See many images at once, mark some and set their class.", _MARK, True),
    Action(
        "classes",
        ("f8",),
        "Classes",
        "Add, rename, recolour, reorder, merge or archive classes.",
        _MARK,
        True,
    ),
    Action("zoom_in", ("+",), "Zoom in", "Enlarge the image, up to single pixels.", _LOOK),
    Action("zoom_out", ("-",), "Zoom out", "Make it smaller again.", _LOOK),
    Action("pan_left", ("shift+left", "ctrl+left"), "Pan left", "Move over the enlarged image.", _LOOK),
    Action("pan_right", ("shift+right", "ctrl+right"), "Pan right", "Move over the enlarged image.", _LOOK),
    Action("pan_up", ("shift+up", "ctrl+up"), "Pan up", "Move over the enlarged image.", _LOOK),
    Action("pan_down", ("shift+down", "ctrl+down"), "Pan down", "Move over the enlarged image.", _LOOK),
    Action("brighter", (">",), "Brighter", "Show the image brighter; the file stays as it is.", _LOOK),
    Action("darker", ("<",), "Darker", "Show the image darker.", _LOOK),
    Action("more_contrast", ("}",), "More contrast", "Show more contrast.", _LOOK),
    Action("less_contrast", ("{",), "Less contrast", "Show less contrast.", _LOOK),
    Action(
        "window",
        ("%",),
        "Percentile window",
        "Stretch the tones between two percentiles; again: wider.",
        _LOOK,
    ),
    Action("invert", ("~",), "Invert", "Show dark as bright.", _LOOK),
    Action("channel", ("|",), "Channel", "Show red, green or blue alone, then all again.", _LOOK),
    Action("frame_next", ("]",), "Frame on", "Go to the next frame of a stack.", _LOOK),
    Action("frame_previous", ("[",), "Frame back", "Go to the frame before.", _LOOK),
    Action("reset_look", ("*",), "Reset view", "Show the image as it is.", _LOOK),
    Action(
        "keep_look",
        ("&",),
        "Keep view",
        "Keep zoom and tones for the next image, or start each afresh.",
        _LOOK,
    ),
    Action("list", ("ctrl+l",), "List", "Show or hide the list of files.", _APP),
    Action("home", ("f10",), "Home", "Open another folder.", _APP),
    Action("help", ("?",), "Keys", "Show all keys.", _APP, True),
    Action("command_palette", ("ctrl+p",), "Commands", "Find any command by typing.", _APP),
    Action("quit", ("ctrl+q",), "Quit", "Close the app; everything is saved already.", _APP, True),
)

ACTION_IDS = tuple(action.id for action in ACTIONS)

# In a narrow terminal the footer shows what comes first: how to label, how to learn more, how to get out.
_FIRST = {"assign": 0, "assign_next": 1, "help": 2, "quit": 3}
_OF_THE_APP = frozenset({"command_palette", "quit"})


def bindings(actions: Iterable[Action] = ACTIONS) -> "list[Binding]":
    """The table as bindings of a screen; the user's keys replace them by their id."""
    from textual.binding import Binding

    ordered = sorted(actions, key=lambda action: _FIRST.get(action.id, len(_FIRST)))
    return [
        Binding(
            ",".join(map(key_name, action.keys)),
            f"app.{action.id}" if action.id in _OF_THE_APP else f"obey('{action.id}')",
            action.title,
            show=action.in_footer,
            key_display=shown_key(action.keys[0]),
            tooltip=action.help,
            id=action.id,
        )
        for action in ordered
    ]


def keymap(keys: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The user's keys as Textual wants them, by the id of the action."""
    return {name: ",".join(map(key_name, wanted)) for name, wanted in keys.items()}


def key_name(key: str) -> str:
    """Textual's name of a key: `=` is equals_sign; f1, ctrl+z and the like stay."""
    from textual.keys import _character_to_key

    return _character_to_key(key) if len(key) == 1 else key


_SHOWN = {
    "space": "Space",
    "enter": "Enter",
    "delete": "Del",
    "insert": "Ins",
    "escape": "Esc",
    "backspace": "Backspace",
    "left": "Left",
    "right": "Right",
    "up": "Up",
    "down": "Down",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
}


def shown_key(key: str) -> str:
    """A key as help shows it: F1, Ctrl+Z, =."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    last = _SHOWN.get(last, last.upper() if len(last) > 1 or modifiers else last)
    return "+".join([*(word.capitalize() for word in modifiers), last])
