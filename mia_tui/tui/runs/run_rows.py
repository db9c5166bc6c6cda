"""Which runs the table shows, in which order, and where the cursor is; no widgets."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mia_tui.catalog.metrics import metric_words
from mia_tui.config.jobs import JOB_CONFIGS
from mia_tui.config.train import TrainConfig
from mia_tui.runs.list.differences import twins_apart
from mia_tui.runs.list.summaries import RowStatus, RunSummary
from mia_tui.runs.list.words import RESUMABLE, STATUS_WORDS
from mia_tui.runs.worker.liveness import IN_PROGRESS
from mia_tui.text import counted, duration, has_words, printable, when
from mia_tui.tui.runs.table_columns import kind_word, percent_done


def _in_state(*states: str) -> Callable[[RunSummary], bool]:
    return lambda row: row.status in states


def _of_kind(kind: str) -> Callable[[RunSummary], bool]:
    return lambda row: row.kind == kind


FILTERS: dict[str, Callable[[RunSummary], bool]] = {
    "all": lambda row: True,
    "in progress": _in_state(*IN_PROGRESS),
    "finished": _in_state("finished"),
    "to resume": _in_state(*RESUMABLE),
    "lost or failed": _in_state("lost", "failed", "damaged", "unknown"),
    **{f"{config.noun}s": _of_kind(kind) for kind, config in JOB_CONFIGS.items()},
}
"""What the table may be narrowed down to, in words."""

SORTS: dict[str, Callable[[RunSummary], float | str | None]] = {
    "started": lambda row: row.created_at or None,
    "state": lambda row: _STATES.index(row.status),
    "kind": lambda row: kind_word(row) or None,
    "network": lambda row: row.network or None,
    "epochs": lambda row: row.epochs if row.kind == TrainConfig.kind else None,
    "images": lambda row: row.images,
    "accuracy": lambda row: row.figures.get("accuracy"),
    "macro F1": lambda row: row.figures.get("macro_f1"),
    "time": lambda row: row.elapsed_s,
    "tags": lambda row: " ".join(sorted(row.notes.tags)).casefold() or None,
}
"""What rows can be sorted by; None means that a row has no value."""

TAGGED = "tagged "
"""Before the name of a tag, in the name of a filter."""

_STATES: tuple[RowStatus, ...] = (
    *("running", "starting", "waiting", "unknown", "lost"),
    *("failed", "damaged", "created", "stopped", "finished"),
)
_UPWARDS = frozenset({"state", "kind", "network", "tags"})


class RunRows:
    """All runs that are known, and which of them are shown; the cursor stays on its run."""

    def __init__(self) -> None:
        self.known: tuple[RunSummary, ...] = ()
        self.shown: tuple[RunSummary, ...] = ()
        self.marked: frozenset[Path] = frozenset()
        self.line = 0
        self.apart: Mapping[Path, str] = {}  # what tells runs with the same network apart
        self.order = "started"
        self.is_turned = False  # whether the order is the other way round
        self.filter = "all"
        self.words = ""  # that the runs which are shown have in their names, tags, notes or settings
        self._wanted: Path | None = None

    @property
    def filters(self) -> tuple[str, ...]:
        """What the runs can be filtered by: their states, and the tags that any of them has."""
        tags = {tag.casefold(): tag for row in reversed(self.known) for tag in row.notes.tags}
        return (*FILTERS, *(f"{TAGGED}{printable(tags[tag])}" for tag in sorted(tags)))

    @property
    def current(self) -> RunSummary | None:
        return self.shown[self.line] if self.line < len(self.shown) else None

    @property
    def chosen(self) -> tuple[RunSummary, ...]:
        """Those that are marked; without any, the one under the cursor."""
        marked = tuple(row for row in self.known if row.run.path in self.marked)
        return marked or ((self.current,) if self.current is not None else ())

    def take(self, rows: Sequence[RunSummary]) -> None:
        """Take in the present summaries; marks of runs that do not exist any more are removed."""
        before = [(row.run.path, row.images) for row in self.known]
        self.known = tuple(rows)
        if [(row.run.path, row.images) for row in rows] != before:  # else a run at work is further, no more
            self.apart = twins_apart(rows)
        self.marked &= {row.run.path for row in rows}
        self._arrange()

    def want(self, run: Path) -> None:
        """Put the cursor on a run as soon as it is known, whatever the filter."""
        self._wanted = run
        self.filter, self.words = "all", ""
        self._arrange()

    def put(self, line: int) -> None:
        self._wanted = None
        self.line = max(0, min(line, len(self.shown) - 1))

    def mark(self) -> None:
        """Mark the run under the cursor, or remove its mark; the cursor stays, as in the grid."""
        if self.current is not None:
            self.marked ^= {self.current.run.path}

    def unmark(self) -> bool:
        """Remove all marks; whether there were any."""
        had, self.marked = bool(self.marked), frozenset()
        return had

    def sort_by(self, order: str) -> None:
        """Sort by a column; by that of before, the other way round."""
        self.is_turned = order == self.order and not self.is_turned
        self.order = order
        self._arrange()

    def narrow_to(self, *, filter: str | None = None, words: str | None = None) -> None:
        """Show only the runs of a filter, or those that have some words."""
        self.filter = self.filter if filter is None else filter
        self.words = self.words if words is None else words.strip()
        self._arrange()

    @property
    def is_upwards(self) -> bool:
        """Whether the smallest comes first."""
        return (self.order in _UPWARDS) != self.is_turned

    def count(self, filter: str) -> int:
        """How many runs a filter would show."""
        return sum(1 for _ in _passing(self.known, filter))

    def title(self, dataset: str) -> str:
        """The first line of the screen: how many runs there are, and which of them are shown."""
        words = [f"Runs of {dataset}: {len(self.known):,}"]
        states = Counter(row.status for row in self.known)
        words += [f"{states[state]:,} {state}" for state in ("running", "waiting", "lost") if states[state]]
        if self.filter != "all":
            words.append(f"shown: {self.filter}")
        if self.words:
            words.append(f"with {printable(self.words)}")
        if self.order != "started" or self.is_turned:
            words.append(f"sorted by {self.order}{', turned round' if self.is_turned else ''}")
        if self.marked:
            words.append(f"{len(self.marked):,} marked")
        return ", ".join(words)

    def _has_words(self, row: RunSummary) -> bool:
        """Whether each of the words is somewhere in what is said of a run."""
        said = (row.title, row.run.name, row.network, row.status, kind_word(row), row.notes.note)
        return has_words(" ".join([*said, *row.notes.tags, self.apart.get(row.run.path, "")]), self.words)

    def _arrange(self) -> None:
        here = self.current.run.path if self.current is not None else None
        passing = [row for row in _passing(self.known, self.filter) if self._has_words(row)]
        self.shown = ordered(passing, self.order, turned=self.is_turned)
        places = {row.run.path: line for line, row in enumerate(self.shown)}
        if self._wanted in places:
            here, self._wanted = self._wanted, None
        self.line = places[here] if here in places else max(0, min(self.line, len(self.shown) - 1))


def ordered(rows: Iterable[RunSummary], column: str, *, turned: bool = False) -> tuple[RunSummary, ...]:
    """Rows (the newest first) by a column: the newest, best, longest first; those without a value last.

    Args:
        rows: The rows.
        column: A key of `SORTS`.
        turned: Whether the order is the other way round.
    """
    value = SORTS[column]
    rated = [(value(row), row) for row in rows]
    known = [(found, row) for found, row in rated if found is not None]
    known.sort(key=lambda pair: pair[0], reverse=(column not in _UPWARDS) != turned)
    return (*(row for _, row in known), *(row for found, row in rated if found is None))


def detail(row: RunSummary) -> tuple[str, str]:
    """Two lines about a run: what it is doing, and what the user should know or what it has made."""
    words = ["damaged" if row.status == "damaged" else STATUS_WORDS[row.status]]
    if row.host:
        words.append(f"on {row.host}")
    if row.phase and row.status == "running":
        words.append(row.phase)
    if row.progress is not None:
        done, total = row.progress
        words.append(f"{done:,} of {counted(total, 'image')}, {percent_done(done, total)}".removesuffix(", "))
    if row.left_s is not None:
        words.append(f"about {duration(row.left_s)} left")
    if row.best_epoch is not None:
        value = row.figures.get(row.decides)
        shown = "" if value is None else f", {value:.4f}"
        words.append(f"best epoch {row.best_epoch} by {metric_words(row.decides)}{shown}")
    elif row.best is not None:
        words.append(f"{metric_words(row.metric)} {row.best:.4f}")
    if row.created_at:
        words.append(f"started {when(row.created_at)}")
    if row.notes.title:
        words.append(f"in {row.run.name}")
    said = [row.note or row.result, *(f"#{tag}" for tag in row.notes.tags), row.notes.note]
    return ", ".join(map(printable, words)), printable(" ".join(filter(None, said)))


def _passing(rows: Iterable[RunSummary], filter: str) -> Iterable[RunSummary]:
    if filter.startswith(TAGGED):
        wanted = filter.removeprefix(TAGGED).casefold()
        return (row for row in rows if wanted in {printable(tag).casefold() for tag in row.notes.tags})
    return (row for row in rows if FILTERS[filter](row))
