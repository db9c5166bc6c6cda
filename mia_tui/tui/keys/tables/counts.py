"""The keys of the counts per group."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import moves_in_lines, shared

_COUNTS = "In the counts"

_ACTIONS: tuple[Action, ...] = (
    Action(
        "figure",
        ("space", "tab"),
        "Next figure",
        "Show fractions, images, corrected fractions, or enrichment scores.",
        _COUNTS,
    ),
    Action("open", ("enter",), "Images", "See the images of this group and class.", _COUNTS, opens=True),
    Action("open_group", ("o",), "Whole group", "See all images of this group.", _COUNTS, opens=True),
    Action(
        "by", ("g", "f5"), "Group by", "Say what tells groups apart: wells, slides, …", _COUNTS, opens=True
    ),
    Action("use", ("u",), "Labels or predictions", "Count labels instead of predictions, or back.", _COUNTS),
    Action(
        "predictions", ("p",), "Predictions", "Choose whose predictions are counted.", _COUNTS, opens=True
    ),
    Action(
        "correct",
        ("c",),
        "Correct",
        "Correct fractions for the confusions that the network showed on labelled images; again: as predicted.",
        _COUNTS,
    ),
    Action(
        "against",
        ("a",),
        "Controls",
        "Choose the groups that others are compared with.",
        _COUNTS,
        opens=True,
    ),
    Action("order", ("s", "f6"), "Sort", "Sort groups by this class; again: by name.", _COUNTS),
    Action("export", ("e", ")"), "Export", "Write all figures as a CSV file.", _COUNTS, opens=True),
    Action("up", ("up",), "Up", "Go to the group above.", _COUNTS),
    Action("down", ("down",), "Down", "Go to the group below.", _COUNTS),
    Action("left", ("left",), "Left", "Go to the class before.", _COUNTS),
    Action("right", ("right",), "Right", "Go to the next class.", _COUNTS),
    Action("leave", ("escape",), "Back", "Go back to where you came from.", _COUNTS, opens=True),
)

SCOPE = make_scope(
    "counts",
    "in the counts",
    (
        *_ACTIONS,
        *moves_in_lines(),
        *shared("help", "manual", "command_palette", "quit"),
    ),
    "figure open by leave help use correct against order export quit",
)
