"""Everything a key can do: one table for bindings, help, command palette and the user's keys.

Letters and digits belong to classes where images are shown, so commands there
are function keys, ctrl and punctuation. Keys are written as people write them.
The table does without Textual, which may be imported only when the terminal has
been asked for its colours; `key_bindings` makes Textual's bindings of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mia_tui.config.keys import KeyTable, Typed


@dataclass(frozen=True)
class Action:
    """One thing a key can do.

    Attributes:
        id: Name in the user's settings, and among the commands of the screen.
        keys: As a person writes them; the first is shown.
        title: For footer and palette.
        help: One sentence.
        section: Heading in help.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    help: str
    section: str


@dataclass(frozen=True)
class Scope:
    """A screen and everything that keys do there.

    Attributes:
        keys: Its commands with the keys they have by themselves.
        actions: Its commands, in the order of help.
        footer: Ids of those that the footer shows; in a narrow terminal the first ones only.
    """

    keys: KeyTable
    actions: tuple[Action, ...]
    footer: tuple[str, ...]


_LABEL, _MOVE, _MARK, _LOOK, _APP = "Labelling", "Moving", "Marks and lists", "Looking", "The app"
_GRID, _CLASSES, _HOME = "In the grid", "In the list of classes", "On the first screen"
_RUNS = "In the list of runs"
_COMPARE = "Where runs are compared"

_LABEL_ACTIONS: tuple[Action, ...] = (
    Action("assign", ("f1", "="), "Assign", "Give this image the current class.", _LABEL),
    Action("assign_next", ("f2", "space"), "Assign, next", "Give it the current class and go on.", _LABEL),
    Action("accept", ("enter",), "Accept", "Take the model's suggestion as the label and go on.", _LABEL),
    Action("clear", ("delete", "backspace"), "Clear", "Take the label away.", _LABEL),
    Action("undo", ("ctrl+z",), "Undo", "Take back my last step, wherever it was.", _LABEL),
    Action("redo", ("ctrl+y",), "Redo", "Bring back what undo took away.", _LABEL),
    Action(
        "unlink",
        (),  # seldom needed: the palette does
        "Undo the linking of moved files",
        "Labels that went along with files that were moved go back to their former names.",
        _LABEL,
    ),
    Action(
        "auto", ("f9",), "Auto mode", "A class key assigns and goes on at once; again: only picks.", _LABEL
    ),
    Action("pick", ("/",), "Find class", "Pick a class by typing some of its name.", _LABEL),
    Action("next", ("right", "down"), "Next", "Go to the next image.", _MOVE),
    Action("previous", ("left", "up"), "Previous", "Go to the image before.", _MOVE),
    Action("page_next", ("pagedown",), "Page on", "Go a page of the list on.", _MOVE),
    Action("page_previous", ("pageup",), "Page back", "Go a page of the list back.", _MOVE),
    Action("first", ("home",), "First", "Go to the first image.", _MOVE),
    Action("last", ("end",), "Last", "Go to the last image.", _MOVE),
    Action("next_unlabelled", ("f3",), "Unlabelled", "Go to the next image without a label.", _MOVE),
    Action("previous_unlabelled", ("ctrl+r",), "Unlabelled before", "Go back to one without a label.", _MOVE),
    Action(
        "skip", ("f4",), "Skip", "Mark this image as skipped and go on; again: take the mark away.", _MARK
    ),
    Action("flag", ("!",), "Flag", "Flag this image to come back to it; again: take the flag away.", _MARK),
    Action("note", ("ctrl+n",), "Note", "Write a note on this image.", _MARK),
    Action("find", ("ctrl+f",), "Find files", "Show only images whose path contains a text.", _MARK),
    Action("filter", ("f5",), "Filter", "Show only some images: unlabelled, a class, flagged, …", _MARK),
    Action("order", ("f6",), "Sort", "Sort by name, time, class or confidence.", _MARK),
    Action("folders", ("ctrl+o",), "Folders", "Show only the images of one folder.", _MARK),
    Action("grid", ("f7",), "Grid", "See many images at once, mark some and set their class.", _MARK),
    Action("classes", ("f8",), "Classes", "Add, rename, recolour, reorder, merge or archive classes.", _MARK),
    Action("zoom_in", ("+",), "Zoom in", "Enlarge the image, up to single pixels.", _LOOK),
    Action("zoom_out", ("-",), "Zoom out", "Make it smaller again.", _LOOK),
    Action("pan_left", ("shift+left", "ctrl+left"), "Pan left", "Move over the enlarged image.", _LOOK),
    Action("pan_right", ("shift+right", "ctrl+right"), "Pan right", "Move over the enlarged image.", _LOOK),
    Action("pan_up", ("shift+up", "ctrl+up"), "Pan up", "Move over the enlarged image.", _LOOK),
    Action("pan_down", ("shift+down", "ctrl+down"), "Pan down", "Move over the enlarged image.", _LOOK),
    Action("brighter", (">",), "Brighter", "Show the image brighter; the file stays as it is.", _LOOK),
    Action("darker", ("<",), "Darker", "Show the image darker.", _LOOK),
    Action("more_contrast", ("}",), "More contrast", "Show more contrast.", _LOOK),
    Action("less_contrast", ("{",), "Less contrast", "Show less contrast.", _LOOK),
    Action(
        "window",
        ("%",),
        "Percentile window",
        "Stretch the tones between two percentiles; again: wider.",
        _LOOK,
    ),
    Action("invert", ("~",), "Invert", "Show dark as bright.", _LOOK),
    Action("channel", ("|",), "Channel", "Show red, green or blue alone, then all again.", _LOOK),
    Action("frame_next", ("]",), "Frame on", "Go to the next frame of a stack.", _LOOK),
    Action("frame_previous", ("[",), "Frame back", "Go to the frame before.", _LOOK),
    Action("reset_look", ("*",), "Reset view", "Show the image as it is.", _LOOK),
    Action(
        "keep_look",
        ("&",),
        "Keep view",
        "Keep zoom and tones for the next image, or start each afresh.",
        _LOOK,
    ),
    Action("train", ("ctrl+t",), "Train", "Train a network on the labels.", _APP),
    Action(
        "runs", ("ctrl+u",), "Runs", "See the training runs: curves, confusions, start, stop, resume.", _APP
    ),
    Action("list", ("ctrl+l",), "List", "Show or hide the list of files.", _APP),
    Action("home", ("f10",), "Home", "Open another folder.", _APP),
    Action("help", ("?",), "Keys", "Show all keys.", _APP),
    Action("command_palette", ("ctrl+p",), "Commands", "Find any command by typing.", _APP),
    Action("quit", ("ctrl+q",), "Quit", "Close the app; everything is saved already.", _APP),
)

_BY_ID = {action.id: action for action in _LABEL_ACTIONS}


def _shared(*ids: str) -> tuple[Action, ...]:
    """Commands that the labelling screen has, too, with the same keys."""
    return tuple(_BY_ID[name] for name in ids)


_MARK_ON, _GIVE_BACK = "Mark from here", "; going back takes marks away again."
_MARKED_WAYS = (
    ("left", "left", "to the left"),
    ("right", "right", "to the right"),
    ("up", "up", "upwards"),
    ("down", "down", "downwards"),
    ("page_previous", "pageup", "a page back"),
    ("page_next", "pagedown", "a page on"),
    ("first", "home", "to the first"),
    ("last", "end", "to the last"),
)

_GRID_ACTIONS: tuple[Action, ...] = (
    Action("mark", ("space",), "Mark", "Mark this image, or take its mark away.", _GRID),
    Action("mark_all", ("ctrl+a",), "Mark all", "Mark all images that are shown.", _GRID),
    Action("open", ("enter",), "Open", "Go to this image on the labelling screen.", _GRID),
    Action("leave", ("escape",), "Back", "Take all marks away; without any, go back.", _GRID),
    Action("left", ("left",), "Left", "Go to the image on the left.", _GRID),
    Action("right", ("right",), "Right", "Go to the image on the right.", _GRID),
    Action("up", ("up",), "Up", "Go up a line.", _GRID),
    Action("down", ("down",), "Down", "Go down a line.", _GRID),
    *(
        Action(f"mark_{where}", (f"shift+{key}",), f"Mark {words}", f"{_MARK_ON} {words}{_GIVE_BACK}", _GRID)
        for where, key, words in _MARKED_WAYS
    ),
)

_CLASS_ACTIONS: tuple[Action, ...] = (
    Action("add", ("a", "insert"), "Add", "Add one or many: names with commas between them.", _CLASSES),
    Action("rename", ("r", "f2"), "Rename", "Give it another name; its labels stay.", _CLASSES),
    Action("recolour", ("c",), "Colour", "Give it another colour, from a list or as #rrggbb.", _CLASSES),
    Action("set_key", ("k",), "Key", "Give it another key, or none.", _CLASSES),
    Action("move_up", ("shift+up", "ctrl+up"), "Move up", "Move it up among the classes.", _CLASSES),
    Action("move_down", ("shift+down", "ctrl+down"), "Move down", "Move it down.", _CLASSES),
    Action("merge", ("m",), "Merge", "Move all its labels to another class and archive it.", _CLASSES),
    Action(
        "archive", ("x", "delete"), "Archive", "Put it away with its labels; again: bring it back.", _CLASSES
    ),
    Action("use", ("enter",), "Use", "Make it the current class and close the list.", _CLASSES),
    Action("close", ("escape", "f8"), "Close", "Close the list.", _CLASSES),
    Action("up", ("up",), "Up", "Go to the class above.", _CLASSES),
    Action("down", ("down",), "Down", "Go to the class below.", _CLASSES),
)

_HOME_ACTIONS: tuple[Action, ...] = (
    Action(
        "open", ("enter",), "Open", "Open the dataset or folder under the cursor, or what is typed.", _HOME
    ),
    Action("up", ("up",), "Up", "Go up in the list.", _HOME),
    Action("down", ("down",), "Down", "Go down in the list.", _HOME),
    Action("page_next", ("pagedown",), "Page on", "Go a page of the list on.", _HOME),
    Action("page_previous", ("pageup",), "Page back", "Go a page of the list back.", _HOME),
    Action("go_in", ("right",), "In", "Look into the folder under the cursor.", _HOME),
    Action("go_out", ("left",), "Out", "Go back to the folder that it lies in.", _HOME),
    Action(
        "complete", ("tab",), "Complete", "Complete the name that is typed, as far as it is clear.", _HOME
    ),
    Action(
        "start_anew", ("escape",), "Start anew", "Empty the line; recent datasets are shown again.", _HOME
    ),
    Action("help", ("f1",), "Keys", "Show these keys.", _HOME),
)

_RUNS_ACTIONS: tuple[Action, ...] = (
    Action(
        "open", ("enter",), "Open", "Look at the run under the cursor: curves, figures, confusions.", _RUNS
    ),
    Action("new", ("n",), "New", "Choose settings and train.", _RUNS),
    Action(
        "stop",
        ("s",),
        "Stop",
        "End it after its present step, with a checkpoint; a waiting one at once.",
        _RUNS,
    ),
    Action("resume", ("r",), "Resume", "Go on from its last checkpoint, with the settings it has.", _RUNS),
    Action(
        "change",
        ("c",),
        "Change, go on",
        "Train on from its best weights with other settings, as a new run.",
        _RUNS,
    ),
    Action(
        "again", ("a",), "Run again", "Train with its settings on the labels of today, as a new run.", _RUNS
    ),
    Action("queue", ("u",), "Queue", "Go on, or run again, when the runs at work have ended.", _RUNS),
    Action("predict", ("p",), "Predict", "Let its best weights suggest a class for every image.", _RUNS),
    Action(
        "delete", ("x", "delete"), "Delete", "Delete it, or those marked, with all that was saved.", _RUNS
    ),
    Action(
        "mark", ("space",), "Mark", "Mark this run to compare or delete it; again: take the mark away.", _RUNS
    ),
    Action(
        "compare", ("v", "="), "Compare", "Curves, figures and differing settings of the marked runs.", _RUNS
    ),
    Action(
        "order", ("o", "f6"), "Sort", "Sort by start, state, network, epochs, best figure or time.", _RUNS
    ),
    Action("filter", ("f", "f5"), "Filter", "Show only the runs in some state.", _RUNS),
    Action("leave", ("escape",), "Back", "Take all marks away; without any, go back.", _RUNS),
    Action("up", ("up",), "Up", "Go to the run above.", _RUNS),
    Action("down", ("down",), "Down", "Go to the run below.", _RUNS),
)

_RUN = "On the screen of a run"
_PANES = (
    ("curves", "1", "Curves", "The curves of loss and figures."),
    ("epochs", "2", "Epochs", "The table of epochs, the best one marked."),
    ("by_class", "3", "Classes", "Precision, recall and F1 of each class."),
    ("confusion", "4", "Confusion", "Which classes are taken for which."),
    ("settings", "5", "Settings", "The settings and the command line that does the same."),
    ("messages", "6", "Messages", "Warnings, and why it failed."),
)

_RUN_ACTIONS: tuple[Action, ...] = (
    Action("stop", ("s",), "Stop", "End it after its present step, with a checkpoint.", _RUN),
    Action("resume", ("r",), "Resume", "Go on from its last checkpoint, with the settings it has.", _RUN),
    Action(
        "change",
        ("c",),
        "Change, go on",
        "Train on from its best weights with other settings, as a new run.",
        _RUN,
    ),
    Action(
        "again", ("a",), "Run again", "Train with its settings on the labels of today, as a new run.", _RUN
    ),
    Action("predict", ("p",), "Predict", "Let its best weights suggest a class for every image.", _RUN),
    Action("delete", ("x", "delete"), "Delete", "Delete it with all that was saved.", _RUN),
    Action("open", ("enter",), "Open images", "See the images of the class or cell under the cursor.", _RUN),
    *(Action(f"pane_{name}", (key,), title, help, _RUN) for name, key, title, help in _PANES),
    Action("pane_next", ("tab",), "Next page", "Go to the next of these six pages.", _RUN),
    Action("pane_previous", ("shift+tab",), "Page before", "Go to the one before.", _RUN),
    Action("log_scale", ("l",), "Log scale", "Show losses on a logarithmic scale; again: a plain one.", _RUN),
    Action("other_curves", ("v",), "Other curves", "Show the curves for which there was no room.", _RUN),
    Action("which_epoch", ("b",), "Best or last", "Judge the best epoch, or the last one.", _RUN),
    Action(
        "matrix", ("m",), "Matrix or list", "Show confusions as a matrix, or the largest as a list.", _RUN
    ),
    Action("leave", ("escape",), "Back", "Go back; the run goes on.", _RUN),
    Action("left", ("left",), "Left", "Go left.", _RUN),
    Action("right", ("right",), "Right", "Go right.", _RUN),
    Action("up", ("up",), "Up", "Go up a line.", _RUN),
    Action("down", ("down",), "Down", "Go down a line.", _RUN),
)

_COMPARE_ACTIONS: tuple[Action, ...] = (
    Action("figure", ("space", "tab"), "Next figure", "Show the curves of another figure.", _COMPARE),
    Action("up", ("up",), "Up", "Scroll the tables up.", _COMPARE),
    Action("down", ("down",), "Down", "Scroll the tables down.", _COMPARE),
    Action("leave", ("escape", "enter"), "Back", "Go back to the list of runs.", _COMPARE),
)

_TRAIN = "On the form of a training"

_TRAIN_ACTIONS: tuple[Action, ...] = (
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

_ANYWHERE = _shared("command_palette", "quit")


def _scope(
    name: str, where: str, actions: Iterable[Action], footer: str, *, typed: Typed = "nothing"
) -> Scope:
    actions = tuple(actions)
    keys = {action.id: action.keys for action in actions}
    return Scope(KeyTable(name, where, keys, typed), actions, tuple(footer.split()))


SCOPES: dict[str, Scope] = {
    scope.keys.name: scope
    for scope in (
        _scope(
            "label",
            "on the labelling screen",
            _LABEL_ACTIONS,
            "assign assign_next help quit undo classes list train next_unlabelled skip filter grid",
            typed="classes",
        ),
        _scope(
            "grid",
            "in the grid",
            (
                *_GRID_ACTIONS,
                *_shared("page_next", "page_previous", "first", "last"),
                *_shared("assign", "clear", "undo", "redo", "pick", "next_unlabelled", "previous_unlabelled"),
                *_shared("skip", "flag", "note", "find", "filter", "order", "folders", "grid", "classes"),
                *_shared("zoom_in", "zoom_out", "help"),
                *_ANYWHERE,
            ),
            "mark assign open leave help undo skip quit mark_all filter classes next_unlabelled grid",
            typed="classes",
        ),
        _scope(
            "classes",
            "in the list of classes",
            (
                *_CLASS_ACTIONS,
                *_shared("page_next", "page_previous", "first", "last", "undo", "redo", "help"),
                *_ANYWHERE,
            ),
            "",
        ),
        _scope(
            "runs",
            "in the list of runs",
            (
                *_RUNS_ACTIONS,
                *_shared("page_next", "page_previous", "first", "last", "help"),
                *_ANYWHERE,
            ),
            "open new stop resume leave help predict delete compare again queue change mark order filter quit",
        ),
        _scope(
            "run",
            "on the screen of a run",
            (
                *_RUN_ACTIONS,
                *_shared("page_next", "page_previous", "first", "last", "help"),
                *_ANYWHERE,
            ),
            "leave stop resume open pane_next help predict which_epoch matrix again change delete log_scale quit",
        ),
        _scope(
            "compare",
            "where runs are compared",
            (
                *_COMPARE_ACTIONS,
                *_shared("page_next", "page_previous", "first", "last", "help"),
                *_ANYWHERE,
            ),
            "figure leave help quit",
        ),
        _scope(
            "train",
            "on the form of a training",
            (*_TRAIN_ACTIONS, *_ANYWHERE),
            "start open section_next leave help copy recipe load save reset other_images quit",
            typed="text",
        ),
        _scope(
            "home",
            "on the first screen",
            (*_HOME_ACTIONS, *_ANYWHERE),
            "open complete go_in go_out start_anew help quit",
            typed="text",
        ),
    )
}
"""The screens by name; what the user's keys may name."""

ACTIONS = SCOPES["label"].actions
