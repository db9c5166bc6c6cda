"""The keys of the screen that compares runs."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import moves_in_lines, shared

_COMPARE = "Where runs are compared"

_ACTIONS: tuple[Action, ...] = (
    Action("figure", ("space", "tab"), "Next metric", "Show the curves of another metric.", _COMPARE),
    Action("up", ("up",), "Up", "Scroll the tables up.", _COMPARE),
    Action("down", ("down",), "Down", "Scroll the tables down.", _COMPARE),
    Action(
        "pair",
        ("enter", "i"),
        "Image by image",
        "See the images on which two of the runs differ, and whether chance explains that.",
        _COMPARE,
        opens=True,
    ),
    Action("leave", ("escape",), "Back", "Go back to the list of runs.", _COMPARE),
)

SCOPE = make_scope(
    "compare",
    "where runs are compared",
    (
        *_ACTIONS,
        *moves_in_lines(),
        *shared("help", "manual", "command_palette", "quit"),
    ),
    "leave pair figure help quit",
)
