"""The keys of the screen of the images on which two runs differ."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import moves_in_lines, shared

_PAIR = "Where two runs are compared image by image"

_ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter", "i"), "Open", "See these images, the one under the cursor first.", _PAIR),
    Action("gallery", ("g",), "Tiles", "See these images as tiles.", _PAIR),
    Action(
        "pane_next",
        ("tab", "space"),
        "Which images",
        "List all images on which they differ, or those that only one is right on.",
        _PAIR,
    ),
    Action(
        "pane_previous", ("shift+tab",), "Previous images", "List those that were listed before these.", _PAIR
    ),
    Action("leave", ("escape",), "Back", "Go back to where the runs were compared or listed.", _PAIR),
    Action("up", ("up",), "Up", "Go up a line.", _PAIR),
    Action("down", ("down",), "Down", "Go down a line.", _PAIR),
)

SCOPE = make_scope(
    "pair",
    "where two runs are compared image by image",
    (
        *_ACTIONS,
        *moves_in_lines(),
        *shared("help", "manual", "command_palette", "quit"),
    ),
    "leave open gallery pane_next help quit",
    all_open=True,
)
