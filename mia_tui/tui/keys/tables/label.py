"""The keys of the labelling screen; other screens share some of them.

Letters and digits belong to classes where images are shown, so commands there
are function keys, ctrl and punctuation.
"""

from mia_tui.tui.keys.tables.model import Action, make_scope

_LABEL, _MOVE, _MARK, _LOOK, _APP = "Labelling", "Moving", "Marks and lists", "Looking", "The app"

_ACTIONS: tuple[Action, ...] = (
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
        opens=True,
    ),
    Action(
        "auto", ("f9",), "Auto mode", "A class key assigns and goes on at once; again: only picks.", _LABEL
    ),
    Action("pick", ("/",), "Find class", "Pick a class by typing some of its name.", _LABEL, opens=True),
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
    Action("note", ("ctrl+n",), "Note", "Write a note on this image.", _MARK, opens=True),
    Action(
        "find", ("ctrl+f",), "Find files", "Show only images whose path contains a text.", _MARK, opens=True
    ),
    Action(
        "filter",
        ("f5",),
        "Filter",
        "Show only some images: unlabelled, a class, flagged, …",
        _MARK,
        opens=True,
    ),
    Action("order", ("f6",), "Sort", "Sort by name, time, class or confidence.", _MARK, opens=True),
    Action("folders", ("ctrl+o",), "Folders", "Show only the images of one folder.", _MARK, opens=True),
    Action(
        "rescan",
        ("ctrl+g",),
        "Look for new images",
        "Find images that came since, and miss gone ones.",
        _MARK,
    ),
    Action(
        "grid", ("f7",), "Grid", "See many images at once, mark some and set their class.", _MARK, opens=True
    ),
    Action(
        "classes",
        ("f8",),
        "Classes",
        "Add, rename, recolour, reorder, merge or archive classes.",
        _MARK,
        opens=True,
    ),
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
    Action("train", ("ctrl+t",), "Train", "Train a network on the labels.", _APP, opens=True),
    Action(
        "runs",
        ("ctrl+u",),
        "Runs",
        "See the training runs: curves, confusions, start, stop, resume.",
        _APP,
        opens=True,
    ),
    Action("list", ("ctrl+l",), "List", "Show or hide the list of files.", _APP),
    Action("home", ("f10",), "Home", "Open another folder.", _APP, opens=True),
    Action("help", ("?",), "Keys", "Show all keys.", _APP, opens=True),
    Action("command_palette", ("ctrl+p",), "Commands", "Find any command by typing.", _APP),
    Action("quit", ("ctrl+q",), "Quit", "Close the app; everything is saved already.", _APP),
)

_BY_ID = {action.id: action for action in _ACTIONS}

SCOPE = make_scope(
    "label",
    "on the labelling screen",
    _ACTIONS,
    "assign assign_next help quit undo classes train list next_unlabelled skip filter grid runs",
    typed="classes",
)


def shared(*ids: str) -> tuple[Action, ...]:
    """Commands that another screen has, too, with the same keys."""
    return tuple(_BY_ID[name] for name in ids)
