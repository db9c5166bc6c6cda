"""The keys of the pages of look-alikes."""

from dataclasses import replace

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import shared

_PAGES = "On a page of look-alikes"

_ACTIONS: tuple[Action, ...] = (
    Action(
        "take",
        ("enter", "f2"),
        "Take",
        "Give all images of the page the class that they show, in one step, and see the next page.",
        _PAGES,
    ),
    Action(
        "pass_on",
        ("pagedown",),
        "Pass",
        "Leave the whole page without labels, and its class for now; see the next page.",
        _PAGES,
    ),
    Action("pass_back", ("pageup",), "Passed page", "See the page again that was passed last.", _PAGES),
    Action(
        "leave_out",
        ("delete", "backspace"),
        "Leave out",
        "Leave the marked images, or the one under the cursor, without a label; again: take it.",
        _PAGES,
    ),
    Action("mark", ("space",), "Mark", "Mark this image for the key of a class, or unmark it.", _PAGES),
    Action(
        "class_next",
        ("tab",),
        "Next class",
        "See pages of the next class, until you choose otherwise.",
        _PAGES,
    ),
    Action("class_previous", ("shift+tab",), "Previous class", "See pages of the class before.", _PAGES),
    Action(
        "choose",
        ("f5",),
        "Choose class",
        "Choose the class of the pages, or let always the one come of which most can be taken at once.",
        _PAGES,
        opens=True,
    ),
    Action("open", ("ctrl+o",), "Open", "See this image on the labelling screen.", _PAGES, opens=True),
    Action("leave", ("escape",), "Back", "Go back to where you came from.", _PAGES, opens=True),
    Action("zoom_in", ("+",), "Larger", "Make the tiles larger; a page then has fewer.", _PAGES),
    Action("zoom_out", ("-",), "Smaller", "Make the tiles smaller.", _PAGES),
    Action("left", ("left",), "Left", "Go to the image on the left.", _PAGES),
    Action("right", ("right",), "Right", "Go to the image on the right.", _PAGES),
    Action("up", ("up",), "Up", "Go up a line.", _PAGES),
    Action("down", ("down",), "Down", "Go down a line.", _PAGES),
)


def _again(action: Action) -> Action:
    """The key that opened the pages begins them anew here."""
    return replace(action, title="Begin anew", help="See again what was left out or passed.", section=_PAGES)


SCOPE = make_scope(
    "look_alikes",
    "on a page of look-alikes",
    (
        *_ACTIONS,
        *map(_again, shared("look_alikes")),
        *shared("find_like", "undo", "redo", "pick", "first", "last"),
        *shared("suggestions", "add_new_classes", "classes", "help", "manual", "command_palette", "quit"),
    ),
    "take pass_on leave undo help find_like class_next open choose quit mark leave_out classes",
    typed="classes",
)
