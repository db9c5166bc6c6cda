"""Trainings that repeat each other with other random numbers: finding them, mean and spread of their figures."""

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from mia_tui.errors import RunError
from mia_tui.runs.list.find import find_run, runs_of
from mia_tui.runs.list.summaries import RunSummary, SummaryReader
from mia_tui.runs.record.job import Repeat
from mia_tui.runs.record.layout import RunDir

SHOWN_FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "loss")

_GROUP = re.compile(r"-x[0-9]{1,3}(\.[0-9]+)?$")


@dataclass(frozen=True)
class Spread:
    """A figure of several runs.

    Attributes:
        mean: Of the runs.
        sd: Standard deviation between them; None of a single run.
        low: Lower end of the 95 % interval of the mean, by Student's t; None of a single run.
        high: Upper end.
        count: How many runs.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class RepeatedRuns:
    """A group of repetitions, in their order.

    Attributes:
        name: What they are called together.
        of: How many there were to be.
        rows: Those that are there.
        figures: Of those that are finished, by metric.
    """

    name: str
    of: int
    rows: tuple[RunSummary, ...]
    figures: Mapping[str, Spread]

    @property
    def finished(self) -> int:
        """How many have finished."""
        return sum(row.status == "finished" for row in self.rows)


def spread(values: Sequence[float], *, least: float = -math.inf, most: float = math.inf) -> Spread:
    """Mean and spread of figures.

    Args:
        values: At least one.
        least: The figure is never smaller.
        most: The figure is never larger.
    """
    from mia_tui.analysis.intervals import t_quantile  # imports numpy, which `runs list` does without

    mean, count = fmean(values), len(values)
    if count < 2:
        return Spread(mean, None, None, None, count)
    sd = stdev(values)
    half = t_quantile(count - 1) * sd / math.sqrt(count)
    return Spread(mean, sd, max(least, mean - half), min(most, mean + half), count)


def repeat_of(row: RunSummary) -> Repeat | None:
    """The group that a run belongs to."""
    return None if row.job is None else row.job.repeat


def repeated_groups(rows: Sequence[RunSummary]) -> list[RepeatedRuns]:
    """The groups among runs, in the order of their first runs."""
    groups: dict[str, list[tuple[Repeat, RunSummary]]] = {}
    for row in rows:
        repeat = repeat_of(row)
        if repeat is not None:
            groups.setdefault(repeat.group, []).append((repeat, row))
    found = []
    for name, members in groups.items():
        ordered = tuple(row for _, row in sorted(members, key=lambda member: member[0].number))
        found.append(RepeatedRuns(name, members[0][0].of, ordered, _figures(ordered)))
    return found


def _figures(rows: Sequence[RunSummary]) -> dict[str, Spread]:
    done = [row.figures for row in rows if row.status == "finished" and row.figures]
    limits = {"mcc": (-1.0, 1.0), "loss": (0.0, math.inf)}
    found = {}
    for name in SHOWN_FIGURES:
        if done and all(name in figures for figures in done):
            least, most = limits.get(name, (0.0, 1.0))
            found[name] = spread([figures[name] for figures in done], least=least, most=most)
    return found


def group_members(text: str, dataset: Path | None = None, state: Path | None = None) -> list[RunDir]:
    """The runs of the group that a user named, in their order; none if no group is called so."""
    if not _GROUP.search(text):
        return []
    found: list[tuple[int, RunDir]] = []
    for run in runs_of(dataset, state):
        if not run.name.startswith(text):
            continue
        with suppress(RunError):
            repeat = run.written_job().repeat
            if repeat is not None and repeat.group == text:
                found.append((repeat.number, run))
    return [run for _, run in sorted(found, key=lambda member: member[0])]


def read_group(members: Sequence[RunDir]) -> RepeatedRuns:
    """The group that some runs are, as they are now.

    Raises:
        RunError: If they were deleted meanwhile.
    """
    rows = [row for run in members if (row := SummaryReader(run).refresh()) is not None]
    groups = repeated_groups(rows)
    if not groups:
        raise RunError("These runs were deleted.")
    return groups[0]


def find_runs(
    text: str, *, dataset: Path | None = None, state: Path | None = None, kind: str | None = "train"
) -> list[RunDir]:
    """The runs of a group of repetitions that a user named, else the one run; the rest is as for `find_run`.

    Raises:
        ConfigError: As `find_run`.
        RunError: As `find_run`.
    """
    return group_members(text, dataset, state) or [find_run(text, dataset=dataset, state=state, kind=kind)]


def spread_words(figure: Spread) -> str:
    """A figure of several runs for people: `mean 0.9713, sd 0.0042, 95 % interval of the mean 0.9609 to 0.9817`."""
    if figure.sd is None or figure.low is None or figure.high is None:
        return f"{figure.mean:.4f}"
    interval = f"95 % interval of the mean {figure.low:.4f} to {figure.high:.4f}"
    return f"mean {figure.mean:.4f}, sd {figure.sd:.4f}, {interval}"
