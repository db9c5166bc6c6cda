"""The keys of the screen of a run."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import moves_in_lines, shared
from mia_tui.tui.keys.tables.runs import run_actions

_RUN = "On the screen of a run"
_PAGES = (
    ("result", "0", "Result", "What a prediction or an evaluation has made."),
    ("curves", "1", "Curves", "The curves of loss and metrics."),
    ("epochs", "2", "Epochs", "The table of epochs, the best one marked."),
    ("by_class", "3", "Per class", "Precision, recall and F1 of each class, as the training goes on."),
    ("confusion", "4", "Confusion matrix", "Which classes are confused with which."),
    ("settings", "5", "Settings", "The settings, and the same as a command line."),
    ("messages", "6", "Messages", "Warnings, and why it failed."),
)

_ACTIONS: tuple[Action, ...] = (
    *run_actions(_RUN),
    Action("open", ("enter",), "Open images", "See the images of the class or cell under the cursor.", _RUN),
    Action(
        "results",
        ("f",),
        "Results",
        "Metrics with intervals, confusion matrix, curves, reliability, top losses, threshold.",
        _RUN,
    ),
    Action("gallery", ("g",), "Wrong images", "See all images that were predicted wrongly, as tiles.", _RUN),
    Action(
        "live_network",
        ("n",),
        "Live suggestions",
        "Let its network look at all images in the background, for the suggestions that are learned while you label.",
        _RUN,
    ),
    *(Action(f"pane_{name}", (key,), title, help, _RUN) for name, key, title, help in _PAGES),
    Action("pane_next", ("tab",), "Next page", "Go to the next of these pages.", _RUN),
    Action("pane_previous", ("shift+tab",), "Previous page", "Go to the previous page.", _RUN),
    Action(
        "log_scale", ("l",), "Log scale", "Show losses on a logarithmic scale; again: a linear one.", _RUN
    ),
    Action("other_curves", ("v",), "Other curves", "Show the curves that did not fit.", _RUN),
    Action(
        "which_epoch",
        ("b",),
        "Best or last",
        "Show the metrics of the best epoch, or of the last one.",
        _RUN,
    ),
    Action(
        "matrix", ("m",), "Matrix or list", "Show confusions as a matrix, or the largest as a list.", _RUN
    ),
    Action(
        "class_order",
        ("o",),
        "Class order",
        "Sort the classes of the matrix by likeness, those that are confused beside each other, or as they are.",
        _RUN,
    ),
    Action("leave", ("escape",), "Back", "Go back; the run continues.", _RUN),
    Action("left", ("left",), "Left", "Go left.", _RUN),
    Action("right", ("right",), "Right", "Go right.", _RUN),
    Action("up", ("up",), "Up", "Go up a line.", _RUN),
    Action("down", ("down",), "Down", "Go down a line.", _RUN),
)

SCOPE = make_scope(
    "run",
    "on the screen of a run",
    (
        *_ACTIONS,
        *moves_in_lines(),
        *shared("help", "manual", "command_palette", "quit"),
    ),
    "leave stop resume results open gallery pane_next help predict live_network which_epoch matrix again change "
    "delete rename tag note report export queue log_scale quit",
    all_open=True,
)
