"""The progress of a run for the user: moving bars on a terminal, plain lines elsewhere.

The figures come from RunState, which reads the events; this module only chooses the words and the layout. A row
appears when its epoch ends, so the rows together are the table of epochs.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import IO, TYPE_CHECKING, cast

from mia_tui.catalog.metrics import MetricName, shown_metric
from mia_tui.cli.output.report import Bar, Report
from mia_tui.cli.output.safe_stream import SafeStream
from mia_tui.runs.list.words import evaluated_images
from mia_tui.runs.record.events import (
    EpochEnded,
    EpochPlace,
    Event,
    KnownEvent,
    Phase,
    PhaseName,
    ProgressMade,
    RunStarted,
    SettingsChosen,
    StepEnded,
    UnknownEvent,
    Warned,
)
from mia_tui.runs.record.state import RunState
from mia_tui.text import counted, duration, printable

if TYPE_CHECKING:
    import rich.progress
    from rich.console import RenderableType


# A plain line at most this often while something counts up, in seconds.
_LINE_EVERY_S = 20.0

PHASES: dict[PhaseName, str] = {
    "waiting": "Waiting",
    "importing": "Starting",
    "loading": "Reading images",
    "trials": "Trying settings",
    "training": "Training",
    "working": "Working",
}


@contextmanager
def open_progress(
    stream: SafeStream, above: "Callable[[int, int], Sequence[RenderableType]] | None" = None
) -> "Iterator[rich.progress.Progress]":
    """A rich Progress on a terminal; tasks carry a field `words`.

    Args:
        stream: Where to.
        above: What stands above the bars, from the columns and rows of the terminal.
    """
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as PlainBars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[words]}", markup=False),
        TimeRemainingColumn(),
    )
    console = Console(file=cast(IO[str], stream))

    class Bars(PlainBars):
        def get_renderables(self) -> Iterable[RenderableType]:
            if above is not None:
                yield from above(*console.size)
            yield from super().get_renderables()

    # Without redirection: everything that prints goes through Report, which puts lines above the bars.
    with Bars(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        yield bars


class EpochProgress(AbstractContextManager["EpochProgress"]):
    """Shows a run from its events; call it with each of them.

    Args:
        report: Prints it.
        metric: The metric that decides which epoch is best.
        state: The run up to now; its epochs are shown first. New events are applied to it.
        curves: Whether a terminal shows the curves, too.
    """

    def __init__(
        self, report: Report, *, metric: MetricName, state: RunState | None = None, curves: bool = False
    ) -> None:
        self._shows_curves = curves
        self.state = state if state is not None else RunState(metric=metric)
        self._report = report
        self._metric = metric
        self._open = ExitStack()
        self._bars: _Bars | None = None
        self._counting: Bar | None = None
        self._headed = False

    def __enter__(self) -> "EpochProgress":
        if self._report.shows_bars:
            above = self._curves_above() if self._shows_curves else None
            self._bars = _Bars(self._open.enter_context(self._report.moving(above)))
            self._catch_up(self._bars)
        for row in self.state.epochs:
            self._show_epoch(row)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def __call__(self, event: Event | UnknownEvent) -> None:
        """Apply the next event and show what it changes."""
        known = self.state.warning_count
        self.state.apply(cast("KnownEvent | UnknownEvent", event))
        match event:
            case RunStarted():
                self._start(event)
            case Phase():
                self._enter_phase(event)
            case ProgressMade() if self._counting is not None:
                self._counting.update(event.done, event.total)
            case StepEnded() if self._bars is not None:
                self._bars.show_step(event)
            case SettingsChosen():
                self._show_trials(event)
            case EpochEnded():
                self._show_epoch(event)
            case Warned() if self.state.warning_count > known:
                self._report.warn(event.message, event.hint)

    def _curves_above(self) -> "Callable[[int, int], Sequence[RenderableType]]":
        """What draws the curves above the bars."""
        from mia_tui.cli.output.curves import LiveCurves

        unicode = (getattr(sys.stderr, "encoding", None) or "").lower().startswith("utf")
        return LiveCurves(self.state, unicode=unicode).lines

    def _catch_up(self, bars: "_Bars") -> None:
        """Set the bars to the current position of the run."""
        if self.state.started is None:
            return
        step = self.state.last_step
        bars.begin(
            self.state.started, EpochPlace(step.epoch, step.step) if step else self.state.started.resumed_at
        )
        if self.state.phase is not None:
            self._counting = bars.enter_phase(phase_title(self.state.phase, self.state.phase_message))

    def _start(self, event: RunStarted) -> None:
        place = event.resumed_at
        if not event.total_epochs:  # another kind of job
            self._report.say(f"Computing on {event.device}.")
        elif place is None:
            count = f"{counted(event.total_epochs, 'epoch')} of {counted(event.steps_per_epoch, 'step')}"
            self._report.say(f"Training on {event.device}: {count}.")
        else:
            self._report.say(f"Resuming epoch {place.epoch} after step {place.step:,}, on {event.device}.")
        if self._bars is not None:
            self._bars.begin(event, event.resumed_at)

    def _enter_phase(self, event: Phase) -> None:
        title = phase_title(event.name, event.message)
        if self._bars is not None:
            more = title.partition("; ")[2]
            if more:
                self._report.note(f"{more[:1].upper()}{more[1:]}.")
            self._counting = self._bars.enter_phase(title)
        elif event.name != "training":  # its epochs are shown instead
            self._report.say(f"{title}.")
            self._counting = PlainBar(self._report, title)

    def _show_trials(self, event: SettingsChosen) -> None:
        """The table of all trials, and what the run is trained with."""
        from mia_tui.cli.output.trials import print_trials

        print_trials(self._report, self.state.trials, event.choice)
        if self._bars is not None and self.state.started is not None:
            self._bars.begin(self.state.started, None)

    def _show_epoch(self, row: EpochEnded) -> None:
        if not self._headed:
            self._headed = True
            self._report.row(epoch_heading(self._metric))
        total = self.state.started.total_epochs if self.state.started else row.epoch
        self._report.row(epoch_line(row, self._metric, total=total, is_best=row is self.state.best))


class _Bars:
    """The bars of a run: one for the current epoch or phase, one for the whole run."""

    def __init__(self, bars: "rich.progress.Progress") -> None:
        self._bars = bars
        self._now = bars.add_task(PHASES["waiting"], total=None, words="")
        self._run: rich.progress.TaskID | None = None
        self._total_epochs = self._steps = self._epoch = 0

    def begin(self, event: RunStarted, place: EpochPlace | None) -> None:
        """A worker started the run at a place; None is the beginning."""
        self._total_epochs, self._steps, self._epoch = event.total_epochs, event.steps_per_epoch, 0
        done = (place.epoch - 1) * self._steps + place.step if place else 0
        if self._run is not None:
            self._bars.remove_task(self._run)
        self._run = None
        if not self._total_epochs:
            return
        # A new task, so that the remaining time is estimated from the steps of this attempt only.
        total = self._total_epochs * self._steps
        self._run = self._bars.add_task("run", total=total, completed=done, words="")

    def enter_phase(self, title: str) -> "MovingBar":
        """Begin another phase; returns the bar that counts in it."""
        self._epoch = 0
        short = title.partition("; ")[0]  # there is no room for more beside the bar and the time left
        return MovingBar(self._bars, short, task=self._now)

    def show_step(self, event: StepEnded) -> None:
        """A step ended."""
        if event.epoch != self._epoch:
            self._epoch = event.epoch
            title = f"epoch {event.epoch}/{self._total_epochs}"
            self._bars.reset(self._now, description=title, total=self._steps, words="")
        words = (
            f"{_count(event.step, self._steps)}  loss {event.loss:.4f}  {event.images_per_s:,.0f} images/s"
        )
        self._bars.update(self._now, completed=event.step, words=words)
        if self._run is not None:
            self._bars.update(self._run, completed=(event.epoch - 1) * self._steps + event.step)


class MovingBar:
    """A bar that counts something; a given task is used instead of a new one."""

    def __init__(
        self,
        bars: "rich.progress.Progress",
        title: str,
        unit: str = "images",
        total: int | None = None,
        task: "rich.progress.TaskID | None" = None,
    ) -> None:
        self._bars, self._unit, self._total = bars, unit, total
        if task is None:
            self._task = bars.add_task(title, total=total, words="")
        else:
            self._task = task
            bars.reset(task, description=title, total=total, words="")

    def update(self, done: int, total: int | None = None) -> None:
        """Set how many are done."""
        self._total = total or self._total
        words = f"{_count(done, self._total)} {self._unit}"
        self._bars.update(self._task, completed=done, total=self._total, words=words)


class PlainBar:
    """Prints the progress as a line from time to time."""

    def __init__(self, report: Report, title: str, unit: str = "images", total: int | None = None) -> None:
        self._report, self._title, self._unit, self._total = report, title, unit, total
        self._next = time.monotonic() + _LINE_EVERY_S

    def update(self, done: int, total: int | None = None) -> None:
        """Set how many are done."""
        self._total = total or self._total
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LINE_EVERY_S
        of = f" of {self._total:,}" if self._total else ""
        self._report.note(f"{self._title}: {done:,}{of} {self._unit}")


def epoch_heading(metric: MetricName) -> str:
    """The headings above `epoch_line`."""
    figure = f"{shown_metric(metric):>20}"
    return f"{'epoch':>9}{'train loss':>13}{'val loss':>11}{figure}{'elapsed':>10}"


def epoch_line(row: EpochEnded, metric: MetricName, *, total: int, is_best: bool) -> str:
    """One epoch: losses, the watched metric on the validation part, hours:minutes:seconds.

    Then from how many images the metrics are, if some could not be read.
    """
    val = row.val or {}
    figure = f"{_figure(val.get(shown_metric(metric))):>20}"
    losses = f"{_figure(row.train.get('loss')):>13}{_figure(val.get('loss')):>11}"
    mark = "  best" if is_best else ""
    if row.left_out is not None:
        mark += f"  {evaluated_images(row)}"
    return f"{f'{row.epoch}/{total}':>9}{losses}{figure}{duration(row.elapsed_s):>10}{mark}"


def epoch_table(
    rows: Sequence[EpochEnded], metric: MetricName, *, total: int, best: EpochEnded | None
) -> list[str]:
    """Heading and a line for each epoch."""
    lines = [epoch_line(row, metric, total=total, is_best=row is best) for row in rows]
    return [epoch_heading(metric), *lines] if lines else []


def phase_title(name: PhaseName, message: str) -> str:
    """What a worker is doing: its own message, or the name of the phase."""
    words = printable(message).rstrip(".") or PHASES[name]
    return words[:1].upper() + words[1:]


def _count(done: int, total: int | None) -> str:
    return f"{done:,}" if total is None else f"{done:,}/{total:,}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
