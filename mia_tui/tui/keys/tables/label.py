"""The keys of the labelling screen; other screens share some of them.

Letters and digits belong to classes where images are shown, so commands there
are function keys, ctrl and punctuation.
"""

from dataclasses import replace

from mia_tui.tui.keys.action import Action, make_scope

_LABEL, _MOVE, _MARK, _VIEW, _APP = "Labelling", "Moving", "Marks and lists", "View", "The app"
_REVIEW = "Review"

_ACTIONS: tuple[Action, ...] = (
    Action("assign", ("f1", "="), "Assign", "Give this image the current class.", _LABEL),
    Action(
        "assign_next",
        ("f2", "space"),
        "Assign, next",
        "Give it the current class and go to the next image.",
        _LABEL,
    ),
    Action(
        "accept",
        ("enter",),
        "Accept",
        "Accept the model's suggestion as the label and go to the next image; a class that is new is asked for.",
        _LABEL,
    ),
    Action(
        "ask",
        ("ctrl+k",),
        "Ask the network",
        "Let a trained network say at once what it sees in this image and in each you go to; again: stop that.",
        _LABEL,
    ),
    Action(
        "why",
        ("$",),
        "Why?",
        "Show where a trained network looks in this image when it decides for a class; again: for its label, if that "
        "is another; again: stop.",
        _LABEL,
    ),
    Action(
        "suggestions",
        ("ctrl+s",),
        "Suggestions",
        "Choose whose suggestions are shown: each prediction of a model has its own.",
        _LABEL,
        opens=True,
    ),
    Action(
        "live",
        (),
        "Live suggestions",
        "Learn suggestions from your labels, anew after each, with what a network sees in the images; again: stop.",
        _LABEL,
    ),
    Action(
        "live_network",
        (),  # after a training: the palette is enough
        "Network of live suggestions",
        "Choose what looks at the images: the network of a run, or the one that comes with the program.",
        _LABEL,
        opens=True,
    ),
    Action(
        "add_new_classes",
        (),
        "Add the model's classes",
        "Add all classes that the model suggests and that you do not have yet.",
        _LABEL,
    ),
    Action(
        "second_pass",
        (),  # begun once a day: the palette is enough
        "Second pass",
        "Label images again that others labelled, without seeing what they said; their labels stay.",
        _LABEL,
        opens=True,
    ),
    Action(
        "disputes",
        (),
        "Disputes",
        "Show the images on which people differ; the key of a class decides.",
        _LABEL,
    ),
    Action("clear", ("delete", "backspace"), "Clear", "Remove the label.", _LABEL),
    Action("undo", ("ctrl+z",), "Undo", "Undo my last step, on whichever image it was.", _LABEL),
    Action("redo", ("ctrl+y",), "Redo", "Redo what was undone.", _LABEL),
    Action(
        "unlink",
        (),  # seldom needed: the palette is enough
        "Undo the linking of moved files",
        "Labels that followed moved files return to the former file names.",
        _LABEL,
        opens=True,
    ),
    Action(
        "auto",
        ("f9",),
        "Auto mode",
        "A class key assigns its class and goes to the next image; again: it only chooses it.",
        _LABEL,
    ),
    Action("pick", ("/",), "Find class", "Choose a class by typing a part of its name.", _LABEL, opens=True),
    Action("next", ("right", "down"), "Next", "Go to the next image.", _MOVE),
    Action("previous", ("left", "up"), "Previous", "Go to the previous image.", _MOVE),
    Action("page_next", ("pagedown",), "Page down", "Go one page down the list.", _MOVE),
    Action("page_previous", ("pageup",), "Page up", "Go one page up the list.", _MOVE),
    Action("first", ("home",), "First", "Go to the beginning.", _MOVE),
    Action("last", ("end",), "Last", "Go to the end.", _MOVE),
    Action(
        "leave",
        ("escape",),
        "Back",
        "Go back: from a search or filter, to the grid, to the run whose images these are.",
        _MOVE,
        opens=True,
    ),
    Action("next_unlabelled", ("f3",), "Unlabelled", "Go to the next image without a label.", _MOVE),
    Action(
        "previous_unlabelled",
        ("ctrl+r",),
        "Previous unlabelled",
        "Go to the previous image without a label.",
        _MOVE,
    ),
    Action(
        "useful",
        ("tab",),
        "Most useful",
        "Go to the image whose label helps the suggestions most, wherever it is in the list.",
        _MOVE,
    ),
    Action(
        "useful_next",
        ("shift+tab",),
        "Most useful first",
        "Go on to the most useful image after each label, instead of the next in the list; again: as before.",
        _MOVE,
    ),
    Action(
        "skip", ("f4",), "Skip", "Mark this image as skipped and go to the next; again: unmark it.", _MARK
    ),
    Action("flag", ("!",), "Flag", "Flag this image to return to it; again: remove the flag.", _MARK),
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
        "Find new images, and notice those that are gone.",
        _MARK,
    ),
    Action(
        "stacks",
        (),  # chosen once for a dataset: the palette is enough
        "Stacks",
        "Choose whether each frame of a stack is labelled, or the stack as a whole.",
        _MARK,
        opens=True,
    ),
    Action(
        "grid", ("f7",), "Grid", "See many images at once, mark some and set their class.", _MARK, opens=True
    ),
    Action(
        "look_alikes",
        ('"',),
        "Look-alikes",
        "See pages of images that are suggested to be of one class: take a page by one key.",
        _MARK,
        opens=True,
    ),
    Action(
        "find_like",
        ("@",),
        "Find the like",
        "See the images that are most like this one, nearest first, to give all of them its class.",
        _MARK,
        opens=True,
    ),
    Action(
        "classes",
        ("f8",),
        "Classes",
        "Add, rename, recolour, reorder, merge or archive classes.",
        _MARK,
        opens=True,
    ),
    Action(
        "review",
        ("ctrl+d",),
        "Review",
        "Review suggestions and doubtful labels: the least sure, labels that look wrong, an audit, how far you are.",
        _REVIEW,
        opens=True,
    ),
    Action(
        "keep",
        ("'",),
        "Keep",
        "In a review: keep the label, which is not asked about again; so does the key that assigns, next.",
        _REVIEW,
    ),
    Action(
        "twin",
        (",",),
        "The other image",
        "In a review: show the image that looks the same; again: back.",
        _REVIEW,
    ),
    Action(
        "progress",
        (),  # also in the review: the palette is enough
        "How far are we?",
        "See how many labels and suggestions are right, from the audit, and what more labels would bring.",
        _REVIEW,
        opens=True,
    ),
    Action("zoom_in", ("+",), "Zoom in", "Enlarge the image, up to single pixels.", _VIEW),
    Action("zoom_out", ("-",), "Zoom out", "Show it smaller again.", _VIEW),
    Action("pan_left", ("shift+left", "ctrl+left"), "Pan left", "Move over the enlarged image.", _VIEW),
    Action("pan_right", ("shift+right", "ctrl+right"), "Pan right", "Move over the enlarged image.", _VIEW),
    Action("pan_up", ("shift+up", "ctrl+up"), "Pan up", "Move over the enlarged image.", _VIEW),
    Action("pan_down", ("shift+down", "ctrl+down"), "Pan down", "Move over the enlarged image.", _VIEW),
    Action("brighter", (">",), "Brighter", "Show the image brighter; the file stays as it is.", _VIEW),
    Action("darker", ("<",), "Darker", "Show the image darker.", _VIEW),
    Action("more_contrast", ("}",), "More contrast", "Show more contrast.", _VIEW),
    Action("less_contrast", ("{",), "Less contrast", "Show less contrast.", _VIEW),
    Action(
        "window",
        ("%",),
        "Percentile window",
        "Stretch the tones between two percentiles of the image; again: wider; of deep images also the whole range.",
        _VIEW,
    ),
    Action(
        "fix_window",
        ("#",),
        "Fixed window",
        "Show this and the next images between the same values; those of this image are there to change.",
        _VIEW,
        opens=True,
    ),
    Action("invert", ("~",), "Invert", "Show dark as bright.", _VIEW),
    Action(
        "channel",
        ("|",),
        "Channel",
        "Show the next channel alone in grey, in the next images too; after the last, all again.",
        _VIEW,
    ),
    Action(
        "channels",
        (";",),
        "Channels",
        "Show or hide channels of a composite, or one alone.",
        _VIEW,
        opens=True,
    ),
    Action("frame_next", ("]",), "Next frame", "Go to, or show, the next frame of a stack.", _VIEW),
    Action(
        "frame_previous", ("[",), "Previous frame", "Go to, or show, the previous frame of a stack.", _VIEW
    ),
    Action(
        "centre_mark",
        (".",),
        "Centre mark",
        "Mark the middle of the image with a cross; again: no cross.",
        _VIEW,
    ),
    Action(
        "scale_bar",
        ("_",),
        "Scale bar",
        "Show or hide the scale bar, where the file says how large a pixel is.",
        _VIEW,
    ),
    Action("reset_look", ("*",), "Reset view", "Show the image as it is.", _VIEW),
    Action(
        "keep_look",
        ("&",),
        "Keep view",
        "Keep zoom and tones for the next image, or reset them for each.",
        _VIEW,
    ),
    Action(
        "import",
        ("(",),
        "Import labels",
        "Import labels or predictions of another program; what would change is said before anything is written.",
        _APP,
        opens=True,
    ),
    Action(
        "export",
        (")",),
        "Export labels",
        "Write the labels as CSV, as class folders or for MIA and other programs.",
        _APP,
        opens=True,
    ),
    Action("train", ("ctrl+t",), "Train", "Train a network on the labels.", _APP, opens=True),
    Action(
        "predict",
        ("ctrl+e",),
        "Predict",
        "Let a trained network, also of another dataset, suggest classes for images.",
        _APP,
        opens=True,
    ),
    Action(
        "runs",
        ("ctrl+u",),
        "Runs",
        "See trainings, predictions and evaluations: progress, results; start, stop, resume.",
        _APP,
        opens=True,
    ),
    Action(
        "counts",
        ("\\",),
        "Counts",
        "See how many images of each class each group has: wells, slides, patients; fractions and enrichment.",
        _APP,
        opens=True,
    ),
    Action(
        "probabilities",
        (":",),
        "Probabilities",
        "Show how probable each class is, the most probable first; again: in the order of classes; again: hide them.",
        _VIEW,
    ),
    Action("list", ("ctrl+l",), "List", "Show or hide the list of files.", _APP),
    Action("home", ("f10",), "Home", "Open another folder.", _APP, opens=True),
    Action("help", ("?",), "Keys", "Show all keys.", _APP, opens=True),
    Action("manual", ("f12",), "Manual", "Read the manual.", _APP, opens=True),
    Action("command_palette", ("ctrl+p",), "Commands", "Find any command by typing.", _APP),
    Action("quit", ("ctrl+q",), "Quit", "Close the app; everything is saved already.", _APP),
)

_BY_ID = {action.id: action for action in _ACTIONS}

SCOPE = make_scope(
    "label",
    "on the labelling screen",
    _ACTIONS,
    "assign assign_next help quit undo classes train list next_unlabelled skip filter grid look_alikes runs review",
    typed="classes",
)


def moves_in_lines() -> tuple[Action, ...]:
    """The commands that move in a list of anything but images, with the same keys."""
    ends = {"first": "Go to the first line.", "last": "Go to the last line."}
    moves = shared("page_next", "page_previous", *ends)
    return tuple(replace(action, help=ends.get(action.id, action.help)) for action in moves)


def shared(*ids: str) -> tuple[Action, ...]:
    """Commands that another screen has, too, with the same keys."""
    return tuple(_BY_ID[name] for name in ids)
