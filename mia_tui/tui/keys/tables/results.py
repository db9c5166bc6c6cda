"""The keys of the screen of a run's results."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import moves_in_lines, shared

_RESULTS = "In the results of a run"
_PAGES = (
    ("metrics", "1", "Metrics", "Accuracy, F1 and the others over all classes, with intervals."),
    ("per_class", "2", "Per class", "Precision, recall, F1 and MCC of each class, with intervals."),
    ("matrix", "3", "Confusion matrix", "Which classes are confused with which."),
    ("roc", "4", "ROC and PR curves", "How well each class is separated from all others."),
    ("reliability", "5", "Reliability", "How often the network is right where it is so sure."),
    ("losses", "6", "Top losses", "The images that the network is most wrong about."),
    ("threshold", "7", "Threshold", "Choose how sure the network must be; below that it answers unsure."),
)

_ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter",), "Open", "See the images under the cursor; on Threshold: store it.", _RESULTS),
    Action("gallery", ("g",), "Tiles", "See the images under the cursor as tiles.", _RESULTS),
    Action("images", ("i",), "Images", "See the images under the cursor one by one.", _RESULTS),
    *(Action(f"page_{name}", (key,), title, help, _RESULTS) for name, key, title, help in _PAGES),
    Action("pane_next", ("tab",), "Next page", "Go to the next of these pages.", _RESULTS),
    Action("pane_previous", ("shift+tab",), "Previous page", "Go to the previous page.", _RESULTS),
    Action(
        "cells",
        ("c",),
        "Counts or shares",
        "Write counts, shares or both in the cells of the matrix.",
        _RESULTS,
    ),
    Action(
        "matrix", ("m",), "Matrix or list", "Show confusions as a matrix, or the largest as a list.", _RESULTS
    ),
    Action(
        "class_order",
        ("o",),
        "Class order",
        "Sort the classes of the matrix by likeness, those that are confused beside each other, or as they are.",
        _RESULTS,
    ),
    Action(
        "aim",
        ("t",),
        "Right at least",
        "Choose the threshold with which so many of the answers are right.",
        _RESULTS,
    ),
    Action("store", ("s",), "Store threshold", "Store the threshold with the model.", _RESULTS),
    Action(
        "remove",
        ("x", "delete"),
        "Remove threshold",
        "Remove the threshold of the class under the cursor, or the one that is stored.",
        _RESULTS,
    ),
    Action(
        "which_epoch",
        ("b",),
        "Best or last",
        "Show the results of the best epoch, or of the last one.",
        _RESULTS,
    ),
    Action("evaluate", ("e",), "Evaluate", "Evaluate the network anew, as a run of its own.", _RESULTS),
    Action("leave", ("escape", "f"), "Back", "Go back to the run.", _RESULTS),
    Action("left", ("left",), "Left", "Go left; on Threshold: answer fewer images.", _RESULTS),
    Action("right", ("right",), "Right", "Go right; on Threshold: answer more images.", _RESULTS),
    Action("up", ("up",), "Up", "Go up a line.", _RESULTS),
    Action("down", ("down",), "Down", "Go down a line.", _RESULTS),
)

SCOPE = make_scope(
    "results",
    "in the results of a run",
    (
        *_ACTIONS,
        *moves_in_lines(),
        *shared("help", "manual", "command_palette", "quit"),
    ),
    "leave open gallery pane_next help aim evaluate images store remove cells matrix class_order which_epoch quit",
    all_open=True,
)
