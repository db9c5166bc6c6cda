"""The keys of the grid and of the list of classes, beside those that `actions` gives to every screen."""

from mia_tui.tui.actions import Action

_GRID = "In the grid"

GRID_ACTIONS: tuple[Action, ...] = (
    Action("mark", ("space",), "Mark", "Mark this image, or take its mark away.", _GRID, True),
    Action("mark_all", ("ctrl+a",), "Mark all", "Mark all images that are shown.", _GRID, True),
    Action("open", ("enter",), "Open", "Go to this image on the labelling screen.", _GRID, True),
    Action("leave", ("escape",), "Back", "Take all marks away; without any, go back.", _GRID, True),
)

MARK_THROUGH = Action(
    "mark_through",
    ("shift+right", "shift+left"),
    "Mark on",
    "Mark from here on, with Shift and any key that moves; going back takes marks away again.",
    _GRID,
)
"""For help; the screen has a key for each direction."""

MOVES = {
    "left": "left", "right": "right", "up": "up", "down": "down", "pageup": "page_up",
    "pagedown": "page_down", "home": "first", "end": "last",
}  # fmt: skip
"""Keys that move the cursor, and where to."""

SHARED = (
    "assign", "clear", "undo", "redo", "pick", "next_unlabelled", "previous_unlabelled", "flag", "find",
    "filter", "order", "folders", "classes", "zoom_in", "zoom_out", "grid", "help", "command_palette", "quit",
)  # fmt: skip
"""Commands that the labelling screen has, too, with the same keys."""

_CLASSES = "In the list of classes"

CLASS_ACTIONS: tuple[Action, ...] = (
    Action("add", ("a", "insert"), "Add", "Add one or many: names with commas between them.", _CLASSES),
    Action("rename", ("r", "f2"), "Rename", "Give it another name; its labels stay.", _CLASSES),
    Action("recolour", ("c",), "Colour", "Give it another colour, from a list or as #rrggbb.", _CLASSES),
    Action("set_key", ("k",), "Key", "Give it another key, or none.", _CLASSES),
    Action("move_up", ("shift+up", "ctrl+up"), "Up", "Move it up among the classes.", _CLASSES),
    Action("move_down", ("shift+down", "ctrl+down"), "Down", "Move it down.", _CLASSES),
    Action("merge", ("m",), "Merge", "Move all its labels to another class and archive it.", _CLASSES),
    Action(
        "archive", ("x", "delete"), "Archive", "Put it away with its labels; again: bring it back.", _CLASSES
    ),
    Action("undo", ("ctrl+z",), "Undo", "Take back my last step.", _CLASSES),
    Action("redo", ("ctrl+y",), "Redo", "Bring back what undo took away.", _CLASSES),
    Action("use", ("enter",), "Use", "Make it the current class and close the list.", _CLASSES),
    Action("close", ("escape", "f8"), "Close", "Close the list.", _CLASSES),
)
