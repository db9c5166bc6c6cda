"""The keys of the list of runs."""

from mia_tui.tui.keys.tables.label import shared
from mia_tui.tui.keys.tables.model import Action, make_scope
from mia_tui.tui.keys.tables.on_runs import on_runs

_RUNS = "In the list of runs"

_ACTIONS: tuple[Action, ...] = (
    Action(
        "open", ("enter",), "Open", "Open the run under the cursor: curves, metrics, confusion matrix.", _RUNS
    ),
    Action("new", ("n",), "New", "Choose settings and train.", _RUNS),
    *on_runs(_RUNS),
    Action(
        "mark", ("space",), "Mark", "Mark this run to compare, tag or delete it; again: unmark it.", _RUNS
    ),
    Action(
        "compare", ("v", "="), "Compare", "Compare curves, metrics and settings of the marked runs.", _RUNS
    ),
    Action(
        "order", ("o", "f6"), "Sort", "Sort by start, state, network, epochs, best metric or time.", _RUNS
    ),
    Action("filter", ("f", "f5"), "Filter", "Show only the runs in one state, or with a tag.", _RUNS),
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
    "open new stop resume leave help predict delete compare again queue change mark order filter rename tag "
    "note quit",
    all_open=True,
)
