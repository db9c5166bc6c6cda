"""The table of runs of a dataset, kept current, and the commands of its keys."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.message import Message

from mia_tui.catalog.metrics import metric_words
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.train import TrainConfig
from mia_tui.errors import RunError
from mia_tui.runs.list.summaries import RunSummaries, RunSummary
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.context import Context
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.figures.curves import Curves
from mia_tui.tui.runs.figures.text_plots import Curve, Plot
from mia_tui.tui.runs.run_actions import RunActions
from mia_tui.tui.runs.run_rows import SORTS, RunRows, detail
from mia_tui.tui.runs.run_table import RunLine, RunTable
from mia_tui.tui.runs.watch import RunTableWatch
from mia_tui.tui.runs.words import without_effect
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.panel import Panel
from mia_tui.tui.widgets.text_block import TextBlock

_LEAST_NAME = 8  # of the dataset
_WITH_RESULTS = (TrainConfig.kind, EvaluateConfig.kind)


class RunsScreen(KeyedScreen[OpenImages | None]):
    """The runs of a dataset; the result is images that the person wants to see, or None.

    Args:
        opened: The dataset, and who is labelling.
        context: What screens share.
        started: A run that was just started; the cursor is on it as soon as it is read.
    """

    LEAST = 40, 12
    SCOPE_NAME = "runs"
    MANUAL_PAGE = "training"
    commands: "RunTableCommands"

    class RunsRead(Message):
        """Something about the runs is different."""

        def __init__(self, rows: tuple[RunSummary, ...]) -> None:
            super().__init__()
            self.rows = rows

    class RunsUnreadable(Message):
        """The folder of runs cannot be read."""

        def __init__(self, error: RunError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, opened: OpenDataset, context: Context, *, started: RunDir | None = None) -> None:
        super().__init__(context)
        self._opened, self._ink = opened, context.ink
        self.rows = RunRows()
        if started is not None:
            self.rows.want(started.path)
        self.commands = RunTableCommands(self, opened, context)
        self.at_once = {
            "up": lambda: self._move(-1),
            "down": lambda: self._move(1),
            "page_previous": lambda: self._move(-self._table.page),
            "page_next": lambda: self._move(self._table.page),
            "first": lambda: self._go_to(0),
            "last": lambda: self._go_to(len(self.rows.shown)),
        }
        self._has_read = False
        self._trouble = ""
        self._table = RunTable(context.ink, id="runs-table")
        self._detail = TextBlock(id="runs-detail")
        self._panel = Panel(self._table, id="runs-panel", is_active=True)
        self._curve = Curves(context.ink, id="runs-curve")
        self._curve.visible = False
        self._curve_of: RunSummary | None = None  # what it shows, or will when words are painted
        self._detail_panel = Panel(self._detail, self._curve, id="runs-detail-panel")
        self._message = TextBlock(id="runs-message")
        self._watch = RunTableWatch(
            RunSummaries.of_dataset(opened.dataset, opened.state),
            lambda rows: self.post_from_thread(self.RunsRead(rows)),
            lambda error: self.post_from_thread(self.RunsUnreadable(error)),
        )

    def compose(self) -> ComposeResult:
        yield self._panel
        yield self._detail_panel
        yield self._message
        yield self.key_line

    def on_mount(self) -> None:
        self._watch.start()

    def on_unmount(self) -> None:
        self._watch.stop()

    def on_screen_suspend(self) -> None:
        self._watch.pause()

    def on_screen_resume(self) -> None:
        self._watch.resume()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    @property
    def idle(self) -> bool:
        """Whether the runs have been read."""
        return self._has_read

    # For the commands

    def say(self, message: str) -> None:
        if self.is_running:  # it may have been left while a prediction or a deletion was still running
            self._message.update(self._ink.shown(message))

    def say_failed(self, message: str) -> None:
        self.say(message)

    def poll_now(self) -> None:
        self._watch.poll_now()

    # Messages

    @on(RunTable.LineClicked)
    def _line_clicked(self, event: RunTable.LineClicked) -> None:
        self._go_to(event.line)

    @on(RunTable.HeadingClicked)
    def _heading_clicked(self, event: RunTable.HeadingClicked) -> None:
        if event.column in SORTS and self.queue.idle:
            self.rows.sort_by(event.column)
            self.show()

    def _move(self, lines: int) -> None:
        self._go_to(self.rows.line + lines)

    def _go_to(self, line: int) -> None:
        if self.queue.idle:
            self.say("")  # it was about the run above or below
        self.rows.put(line)
        self.show()

    @on(RunsRead)
    def _take(self, event: RunsRead) -> None:
        self._has_read, self._trouble = True, ""
        before = self.rows.current
        self.rows.take(event.rows)
        now = self.rows.current
        if before and now and before.run == now.run and before.status != now.status and self.queue.idle:
            self.say("")  # it was about the state before
        self.show()

    @on(RunsUnreadable)
    def _take_trouble(self, event: RunsUnreadable) -> None:
        self._has_read, self._trouble = True, str(event.error)
        self.rows.take(())
        self.show()

    def fills(self) -> bool:
        return super().fills() or not self._has_read

    # What is shown

    def show(self) -> None:
        if not (self.is_attached and self._table.size.width):
            return
        columns, rows, ink = self.size.width - 6, self.rows, self._ink  # the corners of the panel
        name = ink.shown(self._opened.dataset.name or str(self._opened.dataset))
        too_much = ink.width(rows.title(name)) - columns  # the name is cut, not what is said of the runs
        name = ink.fit(name, max(_LEAST_NAME, ink.width(name) - max(0, too_much)))
        self._panel.show_title(ink.fit(rows.title(name), columns))
        lines = [
            RunLine(row, row.run.path in rows.marked, rows.apart.get(row.run.path, "")) for row in rows.shown
        ]
        self._table.show_runs(
            rows.known,
            lines,
            rows.line if lines else None,
            apart=rows.apart,
            sorted_by=(rows.order, rows.is_upwards),
        )
        current = rows.current
        one = None if rows.marked else current
        self.key_line.leave_out(frozenset() if one is None else without_effect(one.status))
        self._detail_panel.show_title("" if current is None else ink.fit(current.title, columns))
        self._detail.update(self._words())
        if current != self._curve_of:
            self._curve_of = current
            self.call_after_refresh(self._show_curve)  # words first

    def _show_curve(self) -> None:
        """The metric that decides, of the run under the cursor; of a run without two epochs there is no curve."""
        row = self._curve_of
        values = np.array(() if row is None else row.curve)
        self._curve.visible = len(values) > 1
        if row is None or len(values) < 2:
            return
        best = None if row.best_epoch is None else (float(row.best_epoch), f"best, epoch {row.best_epoch}")
        curve = Curve("each epoch", np.arange(1.0, len(values) + 1), values, "line")
        self._curve.show([Plot(metric_words(row.decides), "epoch", (curve,), mark=best)])

    def _words(self) -> str:
        """The lines about the run under the cursor."""
        row = self.rows.current
        if row is not None:
            return "\n".join(self._ink.shown(line) for line in detail(row))
        if self._trouble:
            return self._ink.shown(self._trouble)
        if not self._has_read:
            return "Reading the runs"
        if self.rows.known:
            if self.rows.words:
                return f"No run has these words: {self.key('find')} looks for others."
            return f"There are no runs to show: {self.key('filter')} shows others."
        return f"There are no runs yet. {self.key('new')} trains one."


class RunTableCommands:
    """What the keys of the table do but move, by the id of the action.

    Args:
        screen: The screen.
        opened: The dataset, and who is labelling.
        context: What screens share.
    """

    def __init__(self, screen: RunsScreen, opened: OpenDataset, context: Context) -> None:
        self._screen, self._rows, self._opened, self._context = screen, screen.rows, opened, context
        self.actions = RunActions(
            screen,
            opened,
            context,
            chosen=lambda: [row.run for row in self._rows.chosen],
            current=lambda: None if self._rows.current is None else self._rows.current.run,
            started=self._show_started,
        )
        self.by_name: dict[str, Command] = {
            **self.actions.by_name,
            "open": self._open,
            "new": self.actions.train,
            "mark": self._mark,
            "compare": self._compare,
            "order": self._order,
            "filter": self._filter,
            "find": self._find,
            "leave": self._leave,
            "help": screen.show_help,
        }

    # Looking

    async def _open(self) -> None:
        row = self._rows.current
        if row is not None and row.status == "damaged":
            self._screen.say(f"{row.title} is damaged. {row.note}")
        elif row is not None:
            await self._watch(row.run)

    async def _watch(self, run: RunDir) -> None:
        from mia_tui.tui.runs.run_screen import RunScreen

        wanted = await self._screen.ask(RunScreen(run, self._opened, self._context))
        if wanted is not None:
            place = None if wanted.place is None else replace(wanted.place, from_table=True)
            self._screen.dismiss(replace(wanted, place=place))

    async def _compare(self) -> None:
        from mia_tui.tui.results.pair_screen import PairScreen
        from mia_tui.tui.runs.compare_screen import CompareScreen

        chosen = self._rows.chosen
        rows = [row for row in chosen if row.kind == TrainConfig.kind]
        screen: CompareScreen | PairScreen
        if len(rows) >= 2:
            screen = CompareScreen(rows, self._opened, self._context)
        elif len(chosen) == 2 and all(row.kind in _WITH_RESULTS for row in chosen):
            screen = PairScreen(chosen[0].run, chosen[1].run, self._opened, self._context)
        else:
            others = "Only trainings and evaluations can be compared. " if len(rows) < len(chosen) else ""
            key = self._screen.key("mark")
            self._screen.say(f"{others}Mark two of them or more with {key}, then compare them.")
            return
        images = await self._screen.ask(screen)
        if images is not None:
            self._screen.dismiss(images)

    async def _mark(self) -> None:
        self._rows.mark()

    async def _order(self) -> None:
        order = await self._pick(
            "Sort by (by the same again: the other way round)", [(name, name) for name in SORTS]
        )
        if order is not None:
            self._rows.sort_by(order)

    async def _filter(self) -> None:
        choices = [(f"{name} ({self._rows.count(name):,})", name) for name in self._rows.filters]
        self._rows.narrow_to(filter=await self._pick("Show", choices))

    async def _find(self) -> None:
        from mia_tui.tui.dialogs import TextDialog

        hint = (
            "In titles, tags, notes and what differs; empty: all. {ok} shows them, {cancel} changes nothing."
        )
        dialog = TextDialog("Show runs with which words?", value=self._rows.words, hint=hint)
        words = await self._screen.ask(dialog)
        if words is not None:
            self._rows.narrow_to(words=words)

    async def _pick(self, title: str, choices: Sequence[tuple[str, str]]) -> str | None:
        from mia_tui.tui.dialogs import Choice, PickDialog

        listed = [Choice(text, value) for text, value in choices]
        return await self._screen.ask(PickDialog(title, listed, self._context.ink, searchable=False))

    async def _leave(self) -> None:
        if self._rows.unmark():
            return
        if self._rows.filter != "all" or self._rows.words:
            self._rows.narrow_to(filter="all", words="")
            self._screen.say("All runs are shown again.")
        else:
            self._screen.dismiss(None)

    async def _show_started(self, run: RunDir) -> None:
        """Put the cursor on a run that was just started, and show it, unless it waits for another one."""
        self._rows.want(run.path)
        self._screen.poll_now()
        if (await asyncio.to_thread(run.job)).after is None:
            await self._watch(run)
