"""The keys of the help, which shows all keys."""

from mia_tui.tui.keys.action import Action, make_scope

_HELP = "Where keys are shown"

_ACTIONS: tuple[Action, ...] = (
    Action(
        "close",
        ("escape", "enter", "q"),
        "Close",
        "Close the help; the key that opened it does the same.",
        _HELP,
    ),
    Action("find", ("/", "ctrl+f"), "Find", "Find a key, or a command, by typing.", _HELP),
    Action("all", ("tab", "a"), "All screens", "Show the keys of all screens; again: of this one.", _HELP),
    Action("down", ("down",), "Down", "Scroll down.", _HELP),
    Action("up", ("up",), "Up", "Scroll up.", _HELP),
    Action("page_next", ("pagedown", "space"), "Page down", "Scroll down a page.", _HELP),
    Action("page_previous", ("pageup",), "Page up", "Scroll up a page.", _HELP),
    Action("first", ("home",), "First", "Scroll to the top.", _HELP),
    Action("last", ("end",), "Last", "Scroll to the end.", _HELP),
)

SCOPE = make_scope("help", "where keys are shown", _ACTIONS)
