"""The keys of the gallery of a run's images."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import shared

_GALLERY = "In the gallery of a run"

_ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter",), "Open", "Go to these images on the screen that you came from.", _GALLERY),
    Action("leave", ("escape", "g"), "Back", "Go back to the run.", _GALLERY),
    Action("left", ("left",), "Left", "Go to the image on the left.", _GALLERY),
    Action("right", ("right",), "Right", "Go to the image on the right.", _GALLERY),
    Action("up", ("up",), "Up", "Go up a line.", _GALLERY),
    Action("down", ("down",), "Down", "Go down a line.", _GALLERY),
    Action("zoom_in", ("+",), "Larger", "Make the tiles larger.", _GALLERY),
    Action("zoom_out", ("-",), "Smaller", "Make the tiles smaller.", _GALLERY),
)

SCOPE = make_scope(
    "gallery",
    "in the gallery of a run",
    (
        *_ACTIONS,
        *shared("page_next", "page_previous", "first", "last", "help", "manual", "command_palette", "quit"),
    ),
    "open leave zoom_in zoom_out help quit",
    all_open=True,
)
