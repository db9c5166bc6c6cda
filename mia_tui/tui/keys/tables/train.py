"""The keys of the form of a training."""

from mia_tui.tui.keys.tables.label import shared
from mia_tui.tui.keys.tables.model import Action, make_scope

_TRAIN = "On the form of a training"

_ACTIONS: tuple[Action, ...] = (
    Action(
        "start",
        ("f5", "ctrl+g"),
        "Start",
        "Check what would hurt, then train; or queue behind a run.",
        _TRAIN,
    ),
    Action("open", ("enter",), "Choose", "Open the list of a field, or turn a switch; else go on.", _TRAIN),
    Action("down", ("down", "tab"), "Next field", "Go to the field below.", _TRAIN),
    Action("up", ("up", "shift+tab"), "Field before", "Go to the field above.", _TRAIN),
    Action("right", ("right",), "On", "Move in the text, or take the next choice.", _TRAIN),
    Action("left", ("left",), "Back", "Move in the text, or take the choice before.", _TRAIN),
    Action("section_next", ("pagedown",), "Next section", "Go to the next section.", _TRAIN),
    Action("section_previous", ("pageup",), "Section before", "Go to the section before.", _TRAIN),
    Action("reset", ("ctrl+d",), "Default", "Put the default of this field back.", _TRAIN),
    Action("recipe", ("ctrl+r",), "Recipe", "Take all settings from a recipe.", _TRAIN),
    Action("load", ("ctrl+o",), "Load", "Take the settings of a file.", _TRAIN),
    Action("save", ("ctrl+s",), "Save", "Write the settings to a file, for here and for --config.", _TRAIN),
    Action("copy", ("f6", "ctrl+y"), "Copy", "Copy the command line that does the same.", _TRAIN),
    Action("other_images", ("f7",), "Other images", "Augment other images in the preview.", _TRAIN),
    Action("leave", ("escape",), "Leave", "Go back; what is typed here stays for the next time.", _TRAIN),
    Action("help", ("f1",), "Keys", "Show these keys.", _TRAIN),
)

SCOPE = make_scope(
    "train",
    "on the form of a training",
    (*_ACTIONS, *shared("command_palette", "quit")),
    "start open section_next leave help copy recipe load save reset other_images quit",
    typed="text",
    all_open=True,
)
