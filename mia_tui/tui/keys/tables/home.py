"""The keys of the first screen."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import shared

_HOME = "On the first screen"

_ACTIONS: tuple[Action, ...] = (
    Action(
        "open", ("enter",), "Open", "Open the dataset or folder under the cursor, or what is typed.", _HOME
    ),
    Action("up", ("up",), "Up", "Go up in the list.", _HOME),
    Action("down", ("down",), "Down", "Go down in the list.", _HOME),
    Action("page_next", ("pagedown",), "Page down", "Go one page down the list.", _HOME),
    Action("page_previous", ("pageup",), "Page up", "Go one page up the list.", _HOME),
    Action("go_in", ("right",), "Into folder", "Show what is in the folder under the cursor.", _HOME),
    Action("go_out", ("left",), "Parent folder", "Show the parent folder.", _HOME),
    Action("complete", ("tab",), "Complete", "Complete the typed name as far as it is unambiguous.", _HOME),
    Action("start_anew", ("escape",), "Start over", "Clear the line, and show recent datasets again.", _HOME),
    Action("help", ("f1",), "Keys", "Show these keys.", _HOME),
)

SCOPE = make_scope(
    "home",
    "on the first screen",
    (*_ACTIONS, *shared("manual", "command_palette", "quit")),
    "open complete go_in go_out start_anew help quit",
    typed="text",
)
