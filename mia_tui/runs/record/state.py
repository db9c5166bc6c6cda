"""The state of a run, computed from its events.

`RunState.apply` is the only place that interprets events; the command line,
the app and the tests read `RunState`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import cast

import msgspec

from mia_tui.catalog.metrics import MetricName, higher_is_better, shown_metric
from mia_tui.config.train import TrainConfig
from mia_tui.runs.record.events import (
    CheckpointSaved,
    ConfusionSaved,
    EpochEnded,
    EpochPlace,
    Failure,
    KnownEvent,
    LeftOut,
    Outcome,
    Phase,
    PhaseName,
    ProgressMade,
    ResultSaved,
    RunEnded,
    RunStarted,
    SettingsChosen,
    StartTimed,
    StepEnded,
    TimeUsed,
    TrialEnded,
    UnknownEvent,
    Warned,
)
from mia_tui.runs.record.job import AnyJob
from mia_tui.runs.record.layout import RunDir, unreadable
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.trials import Trial, TrialsChoice

MOST_POINTS = 2000
PROGRESS_S = 40.0
"""The time left of a job that counts images is computed from its progress in so many seconds."""

WORK: frozenset[PhaseName | None] = frozenset({"working", "waiting"})
"""Phases whose progress is that of a job other than a training."""

_PROGRESS_EVERY_S = 1.0
_LEAST_REPORTS = 6  # of progress, which stay however old they are
MOST_WARNINGS = 200


class StepCurve:
    """Steps of a run for a curve, in bounded memory: at `MOST_POINTS` every second one is dropped.

    Attributes:
        points: Steps in order, evenly thinned; the newest step is not always among them.
    """

    def __init__(self) -> None:
        self.points: list[StepEnded] = []
        self._stride = 1
        self._count = 0

    def add(self, steps: Sequence[StepEnded]) -> None:
        """Take in the next steps."""
        begin = 0
        while begin < len(steps):
            first = begin + -self._count % self._stride
            free = MOST_POINTS - len(self.points)
            end = min(len(steps), first + (free - 1) * self._stride + 1)
            self.points += steps[first : end : self._stride]
            self._count += end - begin
            begin = end
            if len(self.points) >= MOST_POINTS:
                self.points = self.points[::2]
                self._stride *= 2

    def copy(self) -> "StepCurve":
        """The curve as it is now."""
        other = StepCurve()
        other.points, other._stride, other._count = list(self.points), self._stride, self._count
        return other

    def cut(self, place: EpochPlace) -> None:
        """Drop what came later than a place."""
        self.points = [s for s in self.points if (s.epoch, s.step) <= (place.epoch, place.step)]
        self._count = len(self.points) * self._stride


@dataclass(frozen=True)
class LeftOutEpochs:
    """Epochs in a row from which the same images were left out.

    Attributes:
        first: Number of the first epoch.
        last: Number of the last one.
        images: The images that were left out.
    """

    first: int
    last: int
    images: LeftOut


@dataclass
class RunState:
    """The state of a run by its events. Times are Unix seconds; None means that it has not happened.

    Attributes:
        metric: Metric of the validation part that decides which epoch is best.
        started: The newest attempt's start.
        first_started_at: Start of the first attempt.
        updated_at: Time of the last event.
        phase: What the worker did last.
        progress: (done, total) images of that phase; waiting for a disk is part of the work.
        reached: (done, total) images of the work, also after the attempt that did it; None before.
        recent_progress: Of that phase the first report, then about one a second of the last `PROGRESS_S`, and the
            newest.
        epochs: One row an epoch, in order, also after resuming.
        steps: A thinned curve of the steps.
        last_step: The newest step.
        trials: Those that are done, in order; `trials_at_most` is how many there can be.
        choice: The settings that they have chosen.
        checkpoint: The newest one that can be resumed from.
        start: How long the newest attempt took to its first step.
        time_used: What the time of all attempts went into.
        confusions: The newest event of each file of a confusion matrix.
        result: What a job other than a training has made.
        warnings: Each warning once, the first `MOST_WARNINGS` of them.
        warning_count: How many different warnings there were.
        outcome: How the newest attempt ended; None while it has not.
        error: Why it failed.
        unknown_events: Number of events of other versions, which are ignored.
        bad_lines: Lines of the log that could not be read.
    """

    metric: MetricName = "macro_f1"
    started: RunStarted | None = None
    first_started_at: float | None = None
    updated_at: float | None = None
    phase: PhaseName | None = None
    phase_message: str = ""
    progress: tuple[int, int] | None = None
    reached: tuple[int, int] | None = None
    recent_progress: list[ProgressMade] = field(default_factory=list)
    epochs: list[EpochEnded] = field(default_factory=list)
    steps: StepCurve = field(default_factory=StepCurve)
    last_step: StepEnded | None = None
    trials: list[Trial] = field(default_factory=list)
    trials_at_most: int = 0
    choice: TrialsChoice | None = None
    checkpoint: CheckpointSaved | None = None
    start: StartTimed | None = None
    time_used: TimeUsed | None = None
    confusions: dict[str, ConfusionSaved] = field(default_factory=dict)
    result: ResultSaved | None = None
    warnings: list[Warned] = field(default_factory=list)
    warning_count: int = 0
    outcome: Outcome | None = None
    ended_at: float | None = None
    error: Failure | None = None
    unknown_events: int = 0
    bad_lines: int = 0
    _warned: set[tuple[str, str | None]] = field(default_factory=set)
    _best_of: tuple[object, EpochEnded | None] | None = None

    @classmethod
    def of(cls, job: AnyJob) -> "RunState":
        """The state of a run before its first event."""
        return cls(metric=job.config.metric) if isinstance(job.config, TrainConfig) else cls()

    def apply_all(self, events: Iterable[KnownEvent | UnknownEvent]) -> None:
        """Take in the next events; steps, of which there are most, all at once."""
        for kind, group in groupby(events, type):
            if kind is StepEnded:
                self._take_steps(cast("list[StepEnded]", list(group)))
            else:
                for event in group:
                    self.apply(event)

    def apply(self, event: KnownEvent | UnknownEvent) -> None:
        """Take in the next event."""
        if isinstance(event, UnknownEvent):
            self.unknown_events += 1
            return
        self.updated_at = event.t
        self.outcome = self.error = self.ended_at = None  # an event after an end belongs to a new attempt
        match event:
            case RunStarted():
                self._start(event)
            case Phase():
                if not {event.name, self.phase} <= WORK:
                    self.progress, self.recent_progress = None, []
                self.phase, self.phase_message = event.name, event.message
            case ProgressMade():
                self.progress = (event.done, event.total)
                if self.phase in WORK:
                    self.reached = self.progress
                _keep_recent(self.recent_progress, event)
            case StepEnded():
                self._take_steps([event])
            case TrialEnded():
                self._add_trial(event)
            case SettingsChosen():
                self._take_choice(event)
            case StartTimed():
                self.start = event
            case TimeUsed():
                self.time_used = event
            case EpochEnded():
                _append_in_order(self.epochs, event)
            case CheckpointSaved():
                # The best weights are reported after the checkpoint, and a run cannot be resumed from them.
                self.checkpoint = self.checkpoint if event.is_best else event
            case ConfusionSaved():
                self.confusions[event.file] = event
            case ResultSaved():
                self.result = event
            case Warned():
                self._warn(event)
            case RunEnded():
                self.outcome, self.error, self.ended_at = event.outcome, event.error, event.t

    @property
    def attempt(self) -> int:
        """Number of the newest attempt, from 1; 0 before the first."""
        return self.started.attempt if self.started else 0

    @property
    def elapsed_s(self) -> float:
        """Seconds of work up to the end of the last epoch, without pauses between attempts."""
        return self.epochs[-1].elapsed_s if self.epochs else 0.0

    @property
    def best(self) -> EpochEnded | None:
        """The best epoch by `metric`; see `best_epoch`."""
        rows = self.epochs
        known = (self.metric, len(rows), rows[-1] if rows else None)
        if self._best_of is None or self._best_of[0] != known:
            self._best_of = known, best_epoch(rows, self.metric)  # a screen asks for it several times a paint
        return self._best_of[1]

    @property
    def best_value(self) -> float | None:
        """The value to show of the best epoch: of `metric`, or of macro F1 if that is the loss."""
        if self.best is None:
            return None
        value = _value(self.best, shown_metric(self.metric))
        return None if math.isnan(value) else value

    @property
    def best_figures(self) -> dict[str, float]:
        """The metrics of the best epoch that are numbers; empty before there is one."""
        return {} if self.best is None else {k: v for k, v in self.best.figures.items() if math.isfinite(v)}

    @property
    def left_out(self) -> list[LeftOutEpochs]:
        """Which images were left out of which epochs, in order."""
        found: list[LeftOutEpochs] = []
        for row in self.epochs:
            last = found[-1] if found else None
            if row.left_out is None:
                continue
            if last is not None and last.last == row.epoch - 1 and last.images == row.left_out:
                found[-1] = replace(last, last=row.epoch)
            else:
                found.append(LeftOutEpochs(row.epoch, row.epoch, row.left_out))
        return found

    def copy(self) -> "RunState":
        """A copy for another thread, while this one takes in more events."""
        return replace(
            self,
            recent_progress=list(self.recent_progress),
            epochs=list(self.epochs),
            trials=list(self.trials),
            steps=self.steps.copy(),
            confusions=dict(self.confusions),
            warnings=list(self.warnings),
            _warned=set(),  # a copy is only read
        )

    def _take_steps(self, steps: list[StepEnded]) -> None:
        self.last_step = steps[-1]
        self.updated_at = self.last_step.t
        self.outcome = self.error = self.ended_at = None
        self.steps.add(steps)

    def _start(self, event: RunStarted) -> None:
        self.started, self.start = event, None
        self.first_started_at = event.t if self.first_started_at is None else self.first_started_at
        self.phase, self.phase_message, self.progress, self.result = None, "", None, None
        self.recent_progress = []
        if event.resumed_at is None:
            self.time_used = None
        self._cut(event.resumed_at or EpochPlace(epoch=0, step=0), event.steps_per_epoch)

    def _add_trial(self, event: TrialEnded) -> None:
        """A trial in place of one of the same number in an earlier attempt, and of those after it."""
        self.trials = [*(one for one in self.trials if one.number < event.trial.number), event.trial]
        self.trials_at_most = event.of

    def _take_choice(self, event: SettingsChosen) -> None:
        self.choice = event.choice
        if self.started is not None:
            self.started = msgspec.structs.replace(self.started, total_epochs=event.total_epochs)

    def _cut(self, place: EpochPlace, steps_per_epoch: int) -> None:
        """Drop what came after the place at which a new attempt begins."""
        done = place.epoch if place.step >= steps_per_epoch else place.epoch - 1
        self.epochs = [row for row in self.epochs if row.epoch <= done]
        self.steps.cut(place)
        self.last_step = self.steps.points[-1] if self.steps.points else None
        self.confusions = {file: event for file, event in self.confusions.items() if event.epoch <= done}
        if self.checkpoint and self.checkpoint.epoch > place.epoch:
            self.checkpoint = (
                msgspec.structs.replace(self.checkpoint, epoch=place.epoch) if place.epoch else None
            )

    def _warn(self, event: Warned) -> None:
        said = (event.message, event.hint)
        if said in self._warned or self.warning_count >= MOST_WARNINGS * 100:
            return  # a resumed attempt warns of the same again; and the set must not grow without end
        self._warned.add(said)
        self.warning_count += 1
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(event)


def best_epoch(rows: Iterable[EpochEnded], metric: MetricName) -> EpochEnded | None:
    """The best epoch by a metric of the validation part (without one: the training part), the first of equals.

    Returns:
        None if no epoch has that metric, or it is always NaN.
    """
    sign = 1 if higher_is_better(metric) else -1
    rated = [(sign * value, row) for row in rows if not math.isnan(value := _value(row, metric))]
    return max(rated, key=lambda pair: pair[0], default=(0.0, None))[1]


def _value(row: EpochEnded, metric: MetricName) -> float:
    return row.figures.get(metric, math.nan)


def _append_in_order(rows: list[EpochEnded], row: EpochEnded) -> None:
    """Add a row in place of that of the same epoch in an earlier attempt."""
    while rows and rows[-1].epoch >= row.epoch:
        rows.pop()
    rows.append(row)


def _keep_recent(reports: list[ProgressMade], report: ProgressMade) -> None:
    """Add a report in place of one that came less than a second before it, and drop those that are old.

    The first one stays: what comes after it is not representative, see `time_left`.
    """
    if len(reports) > 2 and 0 <= reports[-1].t - reports[-2].t < _PROGRESS_EVERY_S:
        reports.pop()
    reports.append(report)
    while len(reports) > _LEAST_REPORTS and not 0 <= report.t - reports[1].t <= PROGRESS_S:
        del reports[1]


def read_state(run: RunDir) -> RunState:
    """The state of a run from its whole log.

    Raises:
        RunError: If the folder is not a run, or its log cannot be read.
    """
    state = RunState.of(run.job())
    reader = EventReader(run.events)
    try:
        for events in reader.iter_batches():
            state.apply_all(events)
    except OSError as error:
        raise unreadable(run.events, error) from error
    state.bad_lines = reader.bad_lines
    return state
