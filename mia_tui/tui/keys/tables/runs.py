"""The keys of the list of runs."""

from mia_tui.tui.keys.tables.label import shared
from mia_tui.tui.keys.tables.model import Action, make_scope

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
        Action("resume", ("r",), "Resume", "Continue from its last checkpoint with its settings.", section),
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
            "Train with its settings on the current labels, as a new run.",
            section,
        ),
        Action(
            "predict", ("p",), "Predict", "Let its best weights suggest a class for every image.", section
        ),
    )


_ACTIONS: tuple[Action, ...] = (
    Action(
        "open", ("enter",), "Open", "Open the run under the cursor: curves, metrics, confusion matrix.", _RUNS
    ),
    Action("new", ("n",), "New", "Choose settings and train.", _RUNS),
    *run_actions(_RUNS),
    Action("queue", ("u",), "Queue", "Resume it, or run it again, when those in progress have ended.", _RUNS),
    Action(
        "delete",
        ("x", "delete"),
        "Delete",
        "Delete it, or the marked ones, with everything that was saved.",
        _RUNS,
    ),
    Action("mark", ("space",), "Mark", "Mark this run to compare or delete it; again: unmark it.", _RUNS),
    Action(
        "compare", ("v", "="), "Compare", "Compare curves, metrics and settings of the marked runs.", _RUNS
    ),
    Action(
        "order", ("o", "f6"), "Sort", "Sort by start, state, network, epochs, best metric or time.", _RUNS
    ),
    Action("filter", ("f", "f5"), "Filter", "Show only the runs in one state.", _RUNS),
    Action("leave", ("escape",), "Back", "Remove all marks; without marks, go back.", _RUNS),
    Action("up", ("up",), "Up", "Go to the run above.", _RUNS),
    Action("down", ("down",), "Down", "Go to the run below.", _RUNS),
)

SCOPE = make_scope(
    "runs",
    "in the list of runs",
    (
        *_ACTIONS,
        *shared("page_next", "page_previous", "first", "last", "help", "command_palette", "quit"),
    ),
    "open new stop resume leave help predict delete compare again queue change mark order filter quit",
    all_open=True,
)
