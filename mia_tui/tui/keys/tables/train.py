"""The keys of the form of a training."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import shared

_TRAIN = "On the form of a training"

_ACTIONS: tuple[Action, ...] = (
    Action(
        "start",
        ("f5", "ctrl+g"),
        "Start",
        "Check for problems, then train, or queue behind a run.",
        _TRAIN,
    ),
    Action(
        "open",
        ("enter",),
        "Choose",
        "Open the list of a field or toggle a switch; otherwise go to the next field.",
        _TRAIN,
    ),
    Action("down", ("down", "tab"), "Next field", "Go to the field below.", _TRAIN),
    Action("up", ("up", "shift+tab"), "Previous field", "Go to the field above.", _TRAIN),
    Action("right", ("right",), "Right", "Move in the text, or choose the next value.", _TRAIN),
    Action("left", ("left",), "Left", "Move in the text, or choose the previous value.", _TRAIN),
    Action("section_next", ("pagedown",), "Next section", "Go to the next section.", _TRAIN),
    Action("section_previous", ("pageup",), "Previous section", "Go to the previous section.", _TRAIN),
    Action("reset", ("ctrl+d",), "Default", "Reset this field to its default.", _TRAIN),
    Action(
        "group",
        ("f8", "ctrl+b"),
        "Group",
        "Keep the images of a slide, patient or the like in one part, as file names tell.",
        _TRAIN,
    ),
    Action(
        "rate",
        ("f4", "ctrl+l"),
        "Find a rate",
        "Look for a learning rate by steps with a rising one, in the background; again: stop it.",
        _TRAIN,
    ),
    Action("recipe", ("ctrl+r",), "Recipe", "Load the settings of a recipe.", _TRAIN),
    Action("load", ("ctrl+o",), "Load", "Load the settings of a file.", _TRAIN),
    Action("save", ("ctrl+s",), "Save", "Write the settings to a file, for here and for --config.", _TRAIN),
    Action("copy", ("f6", "ctrl+y"), "Copy", "Copy the same training as a command line.", _TRAIN),
    Action("other_images", ("f7",), "Other images", "Show other images in the preview.", _TRAIN),
    Action("leave", ("escape",), "Leave", "Go back; what is typed here is kept for the next time.", _TRAIN),
    Action("help", ("f1",), "Keys", "Show these keys.", _TRAIN),
)

SCOPE = make_scope(
    "train",
    "on the form of a training",
    (*_ACTIONS, *shared("manual", "command_palette", "quit")),
    "start open section_next leave help copy recipe load save reset other_images quit",
    typed="text",
    all_open=True,
)
