"""Comparing trainings: curves of their metrics, the metrics of their best epochs, and all that differs."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from mia_tui.catalog.metrics import METRICS, MetricName, higher_is_better, metric_words
from mia_tui.runs.list.comparison import ComparedRun, Difference, differences, read_compared
from mia_tui.runs.list.summaries import RunSummary
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.compare_tables import LETTERS, MOST, best_text, differences_text, run_colour
from mia_tui.tui.runs.figures.curves import Curves
from mia_tui.tui.runs.figures.run_plots import points_of
from mia_tui.tui.runs.figures.text_plots import Curve, Plot
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.panel import Panel
from mia_tui.tui.widgets.text_block import TextBlock

_USUAL: tuple[MetricName, ...] = ("accuracy", "macro_f1", "loss", "balanced_accuracy", "mcc")
_MOST_PLOTS = 6
_SCROLL = {"up": -1, "down": 1, "page_previous": -10, "page_next": 10, "first": -100_000, "last": 100_000}


class CompareScreen(KeyedScreen[OpenImages | None]):
    """Compares two trainings or more; of more than eight, the first ones. The answer is images to see, or None.

    Args:
        rows: The runs, readable ones.
        opened: The dataset.
        context: What screens share.
    """

    LEAST = 50, 15
    SCOPE_NAME = "compare"
    MANUAL_PAGE = "training"

    def __init__(self, rows: Sequence[RunSummary], opened: OpenDataset, context: Context) -> None:
        super().__init__(context)
        self.at_once = {
            **{name: partial(self._scroll, lines) for name, lines in _SCROLL.items()},
            "figure": self._turn,
            "leave": lambda: self.dismiss(None),
            "pair": lambda: self.queue.do(self._compare_images, opens=True),
            "help": lambda: self.queue.do(self.show_help, opens=True),
        }
        self._opened = opened
        self._rows, self._more = tuple(rows[:MOST]), len(rows) - MOST
        self._ink = context.ink
        # Without colours, the dots of all runs look alike; letters do not.
        curve_ink = context.ink if context.ink.colours else Ink(replace(context.terminal, unicode=False))
        self._runs: list[ComparedRun] = []
        self._found: list[Difference] = []
        self._metric: MetricName = self._rows[0].decides
        self._curves = Curves(curve_ink, id="compare-curves")
        self._best, self._differences = TextBlock(id="compare-best"), TextBlock(id="compare-differences")
        self._ready = False

    def compose(self) -> ComposeResult:
        yield Panel(self._curves, id="compare-curves-panel", title="Curves of the validation images")
        scroll = VerticalScroll(self._best, self._differences, id="compare-scroll", can_focus=False)
        yield Panel(scroll, id="compare-tables", is_active=True, title="Best epochs, and what differs")
        yield self.key_line

    def on_mount(self) -> None:
        self.run_worker(self._load(), name="compare")

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    def show(self) -> None:
        if self._ready:
            self._show_tables()
            self._draw()

    @property
    def idle(self) -> bool:
        """Whether everything is shown."""
        return self._ready

    def _scroll(self, lines: int) -> None:
        self.query_one("#compare-scroll").scroll_relative(y=lines, animate=False)

    async def _compare_images(self) -> None:
        """Compare two of the runs image by image."""
        from mia_tui.tui.dialogs import Choice, PickDialog
        from mia_tui.tui.results.pair_screen import PairScreen

        pairs = list(combinations(range(len(self._rows)), 2))
        pair: tuple[int, int] | None = pairs[0]
        if len(pairs) > 1:
            choices = [
                Choice(
                    f"{LETTERS[one]} {self._rows[one].title}, {LETTERS[two]} {self._rows[two].title}",
                    (one, two),
                )
                for one, two in pairs
            ]
            pair = await self.ask(PickDialog("Compare which two image by image?", choices, self.context.ink))
        if pair is not None:
            one, other = (self._rows[place].run for place in pair)
            images = await self.ask(PairScreen(one, other, self._opened, self.context))
            if images is not None:
                self.dismiss(images)

    async def _load(self) -> None:
        self._runs = await asyncio.to_thread(read_compared, self._rows)
        self._found = await asyncio.to_thread(differences, self._runs)
        self._ready = True
        self.show()

    def _show_tables(self) -> None:
        room = self.size.width - 5  # without the panel's line and the scrollbar
        self._best.update(best_text(self._runs, room, self._ink))
        text = differences_text(self._found, room, self._ink)
        if self._more > 0:
            text.append(f"{counted(self._more, 'more marked run')} not shown.")
        self._differences.update(text)

    def _turn(self) -> None:
        """The next metric that any of the runs has comes first."""
        known = self._known()
        if known:
            place = known.index(self._metric) if self._metric in known else -1
            self._metric = known[(place + 1) % len(known)]
            self._draw()

    def _known(self) -> list[MetricName]:
        """The metrics that any of the runs has, the usual ones first."""
        has = {name for run in self._runs for row in run.state.epochs for name in row.figures}
        return [name for name in dict.fromkeys((*_USUAL, *METRICS)) if name in has]

    def _draw(self) -> None:
        known = self._known()
        first = known.index(self._metric) if self._metric in known else 0
        names = (*known[first:], *known[:first])[:_MOST_PLOTS] or ("loss",)
        self._curves.show([self._plot(name) for name in names])

    def _plot(self, metric: MetricName) -> Plot:
        """The curves of all runs, the best at last named first."""
        curves = []
        for number, run in enumerate(self._runs):
            x, y = points_of(run.state.epochs, metric, "either")
            letter = LETTERS[number]
            curves.append(Curve(letter, x, y, "line", colour=run_colour(number, self._ink), sign=letter))
        sign = -1 if higher_is_better(metric) else 1
        curves.sort(key=lambda curve: sign * float(curve.y[-1]) if len(curve.y) else float("inf"))
        return Plot(metric_words(metric), "epoch", tuple(curves))
