"""The keys of the list of classes."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import moves_in_lines, shared

_CLASSES = "In the list of classes"

_ACTIONS: tuple[Action, ...] = (
    Action("add", ("a", "insert"), "Add", "Add one or several: names with commas between them.", _CLASSES),
    Action("rename", ("r", "f2"), "Rename", "Give it another name; its labels stay.", _CLASSES),
    Action("recolour", ("c",), "Colour", "Give it another colour, from a list or as #rrggbb.", _CLASSES),
    Action("set_key", ("k",), "Key", "Give it another key, or none.", _CLASSES),
    Action("move_up", ("shift+up", "ctrl+up"), "Move up", "Move it up among the classes.", _CLASSES),
    Action("move_down", ("shift+down", "ctrl+down"), "Move down", "Move it down.", _CLASSES),
    Action("merge", ("m",), "Merge", "Move all its labels to another class and archive it.", _CLASSES),
    Action("archive", ("x", "delete"), "Archive", "Archive it with its labels; again: restore it.", _CLASSES),
    Action("use", ("enter",), "Use", "Make it the current class and close the list.", _CLASSES),
    Action("close", ("escape", "f8"), "Close", "Close the list.", _CLASSES),
    Action("up", ("up",), "Up", "Go to the class above.", _CLASSES),
    Action("down", ("down",), "Down", "Go to the class below.", _CLASSES),
)

SCOPE = make_scope(
    "classes",
    "in the list of classes",
    (
        *_ACTIONS,
        *moves_in_lines(),
        *shared("undo", "redo", "help", "manual"),
        *shared("command_palette", "quit"),
    ),
    all_open=True,
)
