"""The rows of a run room in the order a person wants."""

from collections.abc import Callable, Iterable

from mia_tui.runs.list.table import RowStatus, RunSummary

SORTS: dict[str, Callable[[RunSummary], float | str | None]] = {
    "started": lambda row: row.created_at or None,
    "state": lambda row: _STATES.index(row.status),
    "network": lambda row: row.backbone or None,
    "epochs": lambda row: row.epochs,
    "best": lambda row: row.best,
    "time": lambda row: row.elapsed_s,
}
"""What rows can be sorted by; None has no value."""

_STATES: tuple[RowStatus, ...] = (
    *("running", "starting", "waiting", "unknown", "lost"),
    *("failed", "damaged", "created", "stopped", "finished"),
)
_UPWARDS = frozenset({"state", "network"})


def ordered(rows: Iterable[RunSummary], column: str) -> tuple[RunSummary, ...]:
    """Rows (the newest first) by a column: the newest, best, longest first; those without a value last."""
    value = SORTS[column]
    rated = [(value(row), row) for row in rows]
    known = [(found, row) for found, row in rated if found is not None]
    known.sort(key=lambda pair: pair[0], reverse=column not in _UPWARDS)
    return (*(row for _, row in known), *(row for found, row in rated if found is None))
