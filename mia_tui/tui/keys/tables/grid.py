"""The keys of the grid."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import shared

_GRID = "In the grid"
_MARK_FROM, _UNMARK = "Mark from here", "; going back unmarks them again."
_MARKED_WAYS = (
    ("left", "left", "to the left"),
    ("right", "right", "to the right"),
    ("up", "up", "upwards"),
    ("down", "down", "downwards"),
    ("page_previous", "pageup", "a page up"),
    ("page_next", "pagedown", "a page down"),
    ("first", "home", "to the first"),
    ("last", "end", "to the last"),
)

_ACTIONS: tuple[Action, ...] = (
    Action("mark", ("space",), "Mark", "Mark this image, or unmark it.", _GRID),
    Action("mark_all", ("ctrl+a",), "Mark all", "Mark all images that are shown.", _GRID),
    Action(
        "take_seen",
        ("'",),
        "Take suggestions",
        "Take the suggestions of the images that you have seen here, from how sure on is asked; marked ones stay.",
        _GRID,
        opens=True,
    ),
    Action("open", ("enter",), "Open", "Go to this image on the labelling screen.", _GRID, opens=True),
    Action(
        "leave",
        ("escape",),
        "Back",
        "Remove all marks; without marks, go back, first from a search or filter.",
        _GRID,
        opens=True,
    ),
    Action("zoom_in", ("+",), "Larger", "Make the tiles larger.", _GRID),
    Action("zoom_out", ("-",), "Smaller", "Make the tiles smaller.", _GRID),
    Action("left", ("left",), "Left", "Go to the image on the left.", _GRID),
    Action("right", ("right",), "Right", "Go to the image on the right.", _GRID),
    Action("up", ("up",), "Up", "Go up a line.", _GRID),
    Action("down", ("down",), "Down", "Go down a line.", _GRID),
    *(
        Action(f"mark_{where}", (f"shift+{key}",), f"Mark {words}", f"{_MARK_FROM} {words}{_UNMARK}", _GRID)
        for where, key, words in _MARKED_WAYS
    ),
)

SCOPE = make_scope(
    "grid",
    "in the grid",
    (
        *_ACTIONS,
        *shared("page_next", "page_previous", "first", "last"),
        *shared("assign", "clear", "undo", "redo", "pick", "next_unlabelled", "previous_unlabelled"),
        *shared(
            "suggestions",
            "add_new_classes",
            "skip",
            "flag",
            "note",
            "find",
            "filter",
            "order",
            "folders",
            "grid",
            "look_alikes",
            "find_like",
            "classes",
        ),
        *shared("train", "predict", "runs", "counts", "help", "manual", "command_palette", "quit"),
    ),
    "mark assign open leave help undo skip train quit mark_all filter classes next_unlabelled look_alikes grid runs",
    typed="classes",
)
