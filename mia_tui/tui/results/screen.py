"""The screen of a run's results: what its network does on labelled images, a page for each figure.

`computed` reads the results and computes figures in threads, `pages` are shown as far as they are known, and from
each the images under the cursor open. The results of the last runs stay in memory.
"""

import asyncio

from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical

from mia_tui.errors import MiaError
from mia_tui.runs.actions.action import called
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import shown_key
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.results.computed import ComputedResults, read_computed
from mia_tui.tui.results.confusion_page import MatrixPage
from mia_tui.tui.results.curve_pages import ReliabilityPage, RocPage
from mia_tui.tui.results.loss_page import LossPage
from mia_tui.tui.results.metric_pages import MetricsPage, PerClassPage
from mia_tui.tui.results.page import RESULT_PAGES, PageCursor, ResultPage, ResultPageName
from mia_tui.tui.results.places import ResultsPlace
from mia_tui.tui.results.threshold_page import ThresholdPage
from mia_tui.tui.runs.figures.matrix import ConfusionMatrix
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.line_list import LineList
from mia_tui.tui.widgets.panel import Panel
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_line import Piece, TextLine

_SLOW = "One moment."
_ONLY_ON = {  # keys without effect elsewhere
    "cells": ("matrix",),
    "matrix": ("matrix",),
    "class_order": ("matrix",),
    "aim": ("threshold",),
    "store": ("threshold",),
    "remove": ("threshold",),
}


class ResultsScreen(KeyedScreen[OpenImages | RunDir | None]):
    """Results of a run; the answer is images that the person wants to see, an evaluation that was started, or None.

    Args:
        run: A training or an evaluation.
        opened: The dataset.
        context: What screens share.
        at: Where to return to; None begins with the first page.

    Attributes:
        run: The run.
        found: Its results; None before they are read, or if there are none.
        pages: By their names.
        page: The one in view.
        which: The epoch; None for the best of a training.
    """

    LEAST = 50, 14
    SCOPE_NAME = "results"
    MANUAL_PAGE = "results"

    def __init__(
        self, run: RunDir, opened: OpenDataset, context: Context, *, at: ResultsPlace | None = None
    ) -> None:
        from mia_tui.tui.results.commands import ResultsCommands

        super().__init__(context)
        ink, place = context.ink, at or ResultsPlace()
        self.run, self.opened, self.which = run, opened, place.which
        self.found: ComputedResults | None = None
        self._title, self._trouble, self._message = run.name, "", ""
        self._is_computing = False
        self._cursors: dict[ResultPageName, PageCursor] = dict(place.cursors)
        self.threshold = ThresholdPage(ink)
        self.matrix = MatrixPage(ink)
        made: tuple[ResultPage, ...] = (
            MetricsPage(ink),
            PerClassPage(ink),
            self.matrix,
            RocPage(ink),
            ReliabilityPage(ink),
            LossPage(ink),
            self.threshold,
        )
        self.pages = {page.NAME: page for page in made}
        self.page = self.pages[place.page]
        self._returned: set[ResultPageName] = set()  # pages whose cursor is where it was
        self._head, self._tabs = TextLine(ink, id="results-title"), TextLine(ink, id="results-tabs")
        self._none = TextBlock(id="results-none")
        self._area = Vertical(self._none, self.page.widget, id="results-pages")
        self._panel = Panel(self._area, id="results-panel", is_active=True)
        self._words, self._said = TextLine(ink, id="results-words"), TextBlock(id="results-message")
        self._said_shown = ""
        self.commands = ResultsCommands(self)
        self.at_once = {"leave": lambda: self.dismiss(None)}

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._tabs
        yield self._panel
        yield self._words
        yield self._said
        yield self.key_line

    async def load(self) -> None:
        await self.read()

    async def read(self) -> None:
        """Read the results of the epoch that is wanted."""
        self.found, self._trouble = None, ""
        try:
            self._title = await asyncio.to_thread(called, self.run)
            self.found = await asyncio.to_thread(read_computed, self.run, self.opened, self.which)
        except MiaError as error:
            self._trouble = str(error)
        self.show()
        if self.found is not None and self.opened.session is not None:
            self.run_worker(self.found.inside.find_rows(self.opened.session.listing), name="rows")

    # For the commands

    @property
    def place(self) -> ResultsPlace:
        """Where this is, to return to."""
        if self.can_show:
            self._cursors[self.page.NAME] = self.page.cursor
        return ResultsPlace(self.page.NAME, self.which, dict(self._cursors))

    def turn_to(self, name: ResultPageName) -> None:
        """Show another page."""
        if self.can_show:
            self._cursors[self.page.NAME] = self.page.cursor
        self.page.widget.display = False
        self.page = self.pages[name]
        self.page.widget.display = True
        if not self.page.widget.is_attached:  # each widget takes a millisecond, so only once it is wanted
            self._area.mount(self.page.widget)

    @property
    def can_show(self) -> bool:
        """Whether the page in view has something to show."""
        if self.found is None or self.page.trouble:
            return False
        return self.found.has_probabilities or not self.page.NEEDS_PROBABILITIES

    @property
    def idle(self) -> bool:
        """Whether everything on the page in view is known."""
        return self._has_loaded and not self._is_computing

    def say(self, message: str) -> None:
        self._message = message
        if self.is_running:
            self._show_message()

    # Messages

    @on(LineList.LineClicked)
    def _cursor_moved(self) -> None:
        self.show()

    @on(ConfusionMatrix.CellClicked)
    def _cell_clicked(self, event: ConfusionMatrix.CellClicked) -> None:
        self.show()
        if event.opens:
            self.run_command("open")

    def on_click(self, event: events.Click) -> None:
        """A click on the name of a page turns to it."""
        if event.widget is not self._tabs:
            return
        column = event.x
        for name, (text, _) in self._tab_pieces():
            column -= self.context.ink.width(text)
            if column < 0:
                self.run_command(f"page_{name}")
                return

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    def on_screen_resume(self) -> None:
        self.show()

    def command_is_slow(self, waiting: int) -> None:
        if self.is_current and not self._message:
            self.say(_SLOW)

    def command_ended(self) -> None:
        if self._message == _SLOW:
            self._message = ""
        self.show()

    # Painting

    def show(self) -> None:
        if not self.is_current or not self.size.width:
            return
        self._show_message()
        self._tabs.show([piece for _, piece in self._tab_pieces()])
        self._show_head()
        found, page = self.found, self.page
        self.key_line.leave_out(frozenset(name for name, pages in _ONLY_ON.items() if page.NAME not in pages))
        page.widget.display, self._none.display = self.can_show, not self.can_show
        if found is None or not self.can_show:
            self._panel.show_title(page.TITLE)
            self._none.update(self.context.ink.shown_lines(self._why_none()))
            self._words.show([])
            return
        self._show_page(found, page)
        self._compute_what_is_missing()

    def _show_page(self, found: ComputedResults, page: ResultPage) -> None:
        cursor = self._cursors.get(page.NAME) if page.NAME not in self._returned else None
        if cursor is not None and cursor.view is not None:
            page.set_view(cursor)
        page.show(found)
        if cursor is not None and page.missing(found) is None:
            page.put_cursor(cursor)
            page.show(found)
        if page.missing(found) is None:
            self._returned.add(page.NAME)
        ink = self.context.ink
        self._panel.show_title(ink.fit(page.heading(found), max(1, self.size.width - 6)))
        self._words.show([(page.words(found), None)], [(self._hint(found), ink.dim())])

    def _hint(self, found: ComputedResults) -> str:
        """What the keys do here."""
        if self.page is self.threshold:
            if self.threshold.is_stored:
                return ""
            return f"{self.key('open')} stores it"
        return f"{self.key('open')} opens them" if self.page.chosen(found) is not None else ""

    def _compute_what_is_missing(self) -> None:
        if not self._is_computing and self.found is not None and self.page.missing(self.found) is not None:
            self._is_computing = True
            self.run_worker(self._compute(self.found), name="figures")

    async def _compute(self, found: ComputedResults) -> None:
        """In a thread, one after the other, until the page in view has all."""
        try:
            while self.found is found and self.can_show and (work := self.page.missing(found)) is not None:
                await asyncio.to_thread(work)
                self.show()
        except MiaError as error:
            self._trouble, self.found = str(error), None
        finally:
            self._is_computing = False
        self.show()

    def _why_none(self) -> str:
        evaluate = self.key("evaluate")
        if self.page.trouble and self.found is not None:
            return f"{self.page.trouble}\n{evaluate} evaluates the network anew."
        if self.found is not None:
            if self.found.results.which == "last":
                return (
                    "Only the probabilities of the best epoch are kept, not those of the last one.\n"
                    f"{self.key('which_epoch')} shows the best epoch."
                )
            return (
                "This run does not hold the probabilities of its images: an earlier version made it, or it had no "
                f"validation part.\n{evaluate} evaluates its network anew on the same images; the results of that "
                "show everything."
            )
        if not self._trouble:
            return "Reading the results."
        return f"{self._trouble}\n{evaluate} evaluates its network anew."

    def _show_head(self) -> None:
        """Title, and on which images; what is said last is left out first."""
        ink, found = self.context.ink, self.found
        facts = ""
        if found is not None:
            results = found.results
            epoch = "" if results.which == "evaluation" else f"{results.which} epoch {results.epoch:,} on "
            groups = found.group_count
            apart = f" in {counted(groups, 'group')}" if groups < found.count else ""
            facts = f"{epoch}{ink.shown(results.split)}: {counted(found.count, 'image')}{apart}"
            if found.trained_on:
                facts += f", {found.trained_on:,} of them trained on"
        room = self.size.width - ink.width(facts) - 2
        title = ink.fit(ink.shown(self._title), max(10, room))
        self._head.show([(title, Style(bold=True))], [(facts, ink.dim())])

    def _tab_pieces(self) -> list[tuple[ResultPageName, Piece]]:
        """The names of the pages, the one in view marked; shorter ones in little room."""
        ink, width = self.context.ink, self.size.width
        for style in ("long", "short", "numbers"):
            texts = [self._tab_text(self.pages[name], style) for name in RESULT_PAGES]
            if sum(map(ink.width, texts)) <= width or style == "numbers":
                break
        shown = ink.cursor() + Style(bold=True)
        return [
            (name, (text, shown if self.pages[name] is self.page else Style()))
            for name, text in zip(RESULT_PAGES, texts, strict=True)
        ]

    def _tab_text(self, page: ResultPage, style: str) -> str:
        key = "".join(f"{shown_key(key)} " for key in self.keys[f"page_{page.NAME}"][:1])
        title = page.TITLE if style == "long" else page.SHORT
        is_shown = page is self.page
        if style == "numbers" and not is_shown:
            title, key = "", key.strip() or page.SHORT
        if is_shown:
            return f"[{key}{title}]"
        return f" {key}{title} " if style == "long" else f" {key}{title}"

    def _show_message(self) -> None:
        if self._message != self._said_shown:
            self._said_shown = self._message
            self._said.update(self.context.ink.shown(self._message))
