"""The keys of the manual."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import moves_in_lines, shared

_MANUAL = "In the manual"

_ACTIONS: tuple[Action, ...] = (
    Action("next", ("right", "n"), "Next page", "Turn to the next page.", _MANUAL),
    Action("previous", ("left", "p"), "Previous page", "Turn to the previous page.", _MANUAL),
    Action("contents", ("c", "tab"), "Contents", "Choose a page.", _MANUAL, opens=True),
    Action("find", ("/", "ctrl+f"), "Find", "Find a word on any page.", _MANUAL, opens=True),
    Action("up", ("up",), "Up", "Scroll up.", _MANUAL),
    Action("down", ("down",), "Down", "Scroll down.", _MANUAL),
    Action("leave", ("escape", "q"), "Back", "Go back to where you were.", _MANUAL),
)

SCOPE = make_scope(
    "manual",
    "in the manual",
    (*_ACTIONS, *moves_in_lines(), *shared("help", "command_palette", "quit")),
    "next previous contents find leave help quit",
)
