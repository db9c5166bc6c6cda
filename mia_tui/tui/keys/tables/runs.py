"""The keys of the list of runs."""

from mia_tui.tui.keys.action import Action, make_scope
from mia_tui.tui.keys.tables.label import moves_in_lines, shared

_RUNS = "In the list of runs"


def run_actions(section: str) -> tuple[Action, ...]:
    """What can be done with a run, from the list and from the screen of a run alike."""
    return (
        Action(
            "stop",
            ("s",),
            "Stop",
            "End it after the current step, with a checkpoint; a waiting run ends at once.",
            section,
        ),
        Action("resume", ("r",), "Resume", "Continue where it ended, with its settings.", section),
        Action(
            "change",
            ("c",),
            "Train on",
            "Train on from its best weights with other settings, as a new run.",
            section,
        ),
        Action(
            "again",
            ("a",),
            "Run again",
            "Do it again with its settings, as a new run; a training takes the current labels.",
            section,
        ),
        Action(
            "queue",
            ("u",),
            "Queue",
            "Resume it, or run it again, when those in progress have ended.",
            section,
        ),
        Action(
            "predict",
            ("p",),
            "Predict",
            "Let its network suggest classes for images of this dataset.",
            section,
        ),
        Action(
            "export",
            (")",),
            "Export network",
            "Write its network as a file that other programs open: ONNX, torch, timm.",
            section,
        ),
        Action(
            "delete",
            ("x", "delete"),
            "Delete",
            "Delete it, or the marked ones, with everything that was saved.",
            section,
        ),
        Action(
            "rename",
            ("e", "f2"),
            "Title",
            "Give it a title, which is shown in place of the name of its folder.",
            section,
        ),
        Action(
            "tag", ("t",), "Tags", "Change its tags, or those of the marked ones, to find it by.", section
        ),
        Action("note", ("w", "ctrl+n"), "Note", "Write a note on it.", section),
        Action(
            "report",
            ("d",),
            "Report",
            "Make a report of it for a paper: one HTML file, or an archive with everything.",
            section,
        ),
    )


_ACTIONS: tuple[Action, ...] = (
    Action(
        "open", ("enter",), "Open", "Open the run under the cursor: progress, curves, metrics, result.", _RUNS
    ),
    Action("new", ("n",), "New", "Choose settings and train.", _RUNS),
    *run_actions(_RUNS),
    Action(
        "mark", ("space",), "Mark", "Mark this run to compare, tag or delete it; again: unmark it.", _RUNS
    ),
    Action(
        "compare", ("v", "="), "Compare", "Compare curves, metrics and settings of the marked runs.", _RUNS
    ),
    Action(
        "order",
        ("o", "f6"),
        "Sort",
        "Sort by one of the columns; by the same again: the other way round.",
        _RUNS,
    ),
    Action(
        "filter", ("f", "f5"), "Filter", "Show only the runs in one state, of one kind or with a tag.", _RUNS
    ),
    Action("find", ("/", "ctrl+f"), "Find", "Show only the runs with some words.", _RUNS),
    Action("leave", ("escape",), "Back", "Remove all marks, then the filter; without them, go back.", _RUNS),
    Action("up", ("up",), "Up", "Go to the run above.", _RUNS),
    Action("down", ("down",), "Down", "Go to the run below.", _RUNS),
)

SCOPE = make_scope(
    "runs",
    "in the list of runs",
    (
        *_ACTIONS,
        *moves_in_lines(),
        *shared("help", "manual", "command_palette", "quit"),
    ),
    "open new stop resume leave help predict delete compare again queue change mark order filter find rename tag "
    "note report export quit",
    all_open=True,
)
