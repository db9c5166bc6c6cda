"""The keys of dialogs: a text, a choice from a list, a question, the palette, the check before a training."""

from mia_tui.tui.keys.action import Action, make_scope

_DIALOG = "In dialogs"

_ACTIONS: tuple[Action, ...] = (
    Action("ok", ("enter",), "Confirm", "Confirm what is typed or chosen.", _DIALOG),
    Action("cancel", ("escape",), "Cancel", "Close it without changing anything.", _DIALOG),
    Action("down", ("down",), "Down", "Go down a list, or to the next answer.", _DIALOG),
    Action("up", ("up",), "Up", "Go up a list, or to the previous answer.", _DIALOG),
    Action("page_next", ("pagedown",), "Page down", "Go ten lines down a list.", _DIALOG),
    Action("page_previous", ("pageup",), "Page up", "Go ten lines up a list.", _DIALOG),
    Action("first", ("home",), "First", "Go to the top of a list without a search line.", _DIALOG),
    Action("last", ("end",), "Last", "Go to the end of a list without a search line.", _DIALOG),
    Action("right", ("right", "tab"), "Right", "Go to the next answer.", _DIALOG),
    Action("left", ("left", "shift+tab"), "Left", "Go to the previous answer.", _DIALOG),
    Action("help", ("f1",), "Keys", "Show these keys.", _DIALOG),
)

SCOPE = make_scope("dialog", "in dialogs", _ACTIONS, typed="text")
