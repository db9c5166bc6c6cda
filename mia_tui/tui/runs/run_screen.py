"""The screen of one run: what its worker is doing, its curves and metrics, and the commands of its keys.

`follow` reads the run in a thread. The sentences are in `words`, what the pages show is in `pages`, and what can be
done with a run from here and from the table of runs is in `run_actions`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.message import Message

from mia_tui.config.train import TrainConfig
from mia_tui.runs.evaluation.confusion import ConfusionReport
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.context import Context
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.open_dataset import OpenDataset, OpenImages, RunPlace
from mia_tui.tui.runs.figures.matrix import ConfusionMatrix
from mia_tui.tui.runs.follow import RunFollower, RunSnapshot
from mia_tui.tui.runs.pages import PAGES, TITLES, PageName, PagePlace, RunPages
from mia_tui.tui.runs.run_actions import RunActions
from mia_tui.tui.runs.words import bars, doing, figures_line, is_bad, status_words, without_effect
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.line_list import LineList
from mia_tui.tui.widgets.panel import Panel
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_line import TextLine

_SLOW = "One moment."
_REPORT_S, _REPORT_TRIES = 0.1, 30  # how often it is looked for


class RunScreen(KeyedScreen[OpenImages | None]):
    """A run; the result is images that the person wants to see, or None.

    Args:
        run: Its folder.
        opened: The dataset.
        context: What screens share.
        at: The page to return to; None begins with the first.

    Attributes:
        run: Its folder.
        snapshot: The run as it was read last; None before that.
        pages: What is shown of it.
    """

    LEAST = 50, 14
    SCOPE_NAME = "run"
    MANUAL_PAGE = "training"
    commands: "RunCommands"

    class RunChanged(Message):
        """Something about the run is different."""

        def __init__(self, run: RunDir, snapshot: RunSnapshot) -> None:
            super().__init__()
            self.run, self.snapshot = run, snapshot

    def __init__(
        self, run: RunDir, opened: OpenDataset, context: Context, *, at: PagePlace | None = None
    ) -> None:
        super().__init__(context)
        ink = context.ink
        self.run = run
        self._runs_before: list[RunDir] = []
        self.pages = RunPages(ink, self.keys, id="run-pages")
        self._panel = Panel(self.pages, id="run-panel", is_active=True)
        if at is not None:
            self.pages.return_to(at)
        self.commands = RunCommands(self, opened, context)
        self._head, self._doing = TextLine(ink, id="run-title"), TextBlock(id="run-doing")
        self._epoch_bar, self._run_bar = TextLine(ink, id="run-epoch-bar"), TextLine(ink, id="run-bar")
        self._figures, self._tabs = TextLine(ink, id="run-figures"), TextLine(ink, id="run-tabs")
        self._said = TextBlock(id="run-message")
        self.snapshot: RunSnapshot | None = None
        self._message = self._message_shown = ""
        self._doing_text = ""
        self._follow = RunFollower(run, partial(self._post_snapshot, run))

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._doing
        yield self._epoch_bar
        yield self._run_bar
        yield self._figures
        yield self._tabs
        yield self._panel
        yield self._said
        yield self.key_line

    def on_mount(self) -> None:
        self._follow.start()

    def on_unmount(self) -> None:
        self._follow.stop()

    # For the commands

    @property
    def idle(self) -> bool:
        """Whether the run has been read once."""
        return self.snapshot is not None

    def say(self, message: str) -> None:
        if not self.is_running:  # the screen was left while a prediction or a deletion was still running
            return
        self._message = message
        self._show_message()

    def poll_now(self) -> None:
        self._follow.poll_now()

    def show_started(self, run: RunDir) -> None:
        """Show a run that was started here; going back leads to this one."""
        self._runs_before.append(self.run)
        self.follow(run)

    def go_back(self, *, gone: Sequence[RunDir] = ()) -> None:
        """Go back to the run that was shown before, or else to the screen below; not to runs that are gone."""
        while self._runs_before:
            run = self._runs_before.pop()
            if run not in gone:
                self.follow(run)
                return
        self.leave(None)

    def follow(self, run: RunDir) -> None:
        self._follow.stop()
        self.run, self.snapshot = run, None
        self._follow = RunFollower(run, partial(self._post_snapshot, run))
        self._follow.start()

    def leave(self, images: OpenImages | None) -> None:
        self._follow.stop()
        self.did("runs")
        self.dismiss(images)

    async def report(self) -> ConfusionReport | None:
        """The confusion matrix of the page in view, once it is read; None if there is none yet."""
        self.show()
        for _ in range(_REPORT_TRIES):
            if self.snapshot is not None and self.snapshot.report is not None:
                return self.snapshot.report
            await asyncio.sleep(_REPORT_S)
        return None

    # Messages

    def tells_of(self, run: Path) -> bool:
        return run == self.run.path

    @on(RunChanged)
    def _take(self, event: RunChanged) -> None:
        if event.run == self.run:
            if self.snapshot is not None and event.snapshot.status != self.snapshot.status:
                self._message = ""  # it was about the state before
            self.snapshot = event.snapshot
            self.show()

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
        if event.widget is self._tabs:
            page = self.pages.tab_at(event.x)
            if page is not None:
                self.run_command(f"pane_{page}")

    def on_screen_suspend(self) -> None:
        self._follow.pause()  # nobody sees it
        if self._message == _SLOW:  # what is waited for now is an answer
            self.say("")

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    def on_screen_resume(self) -> None:
        self._follow.resume()
        self.show()

    def _post_snapshot(self, run: RunDir, snapshot: RunSnapshot) -> None:
        self.post_from_thread(self.RunChanged(run, snapshot))

    # Painting

    def command_begins(self) -> None:
        self._message = ""  # painted when it has ended

    def say_failed(self, message: str) -> None:
        self._message = ""
        super().say_failed(message)

    def command_is_slow(self, waiting: int) -> None:
        if self.is_current and not self._message:  # a command that asks something is not slow
            self.say(_SLOW)

    def command_ended(self) -> None:
        if self._message == _SLOW:
            self._message = ""
        self.show()

    def show(self) -> None:
        """Paint what is different now."""
        if not self.is_current or not self.size.width:
            return
        snapshot, ink = self.snapshot, self.context.ink
        self._show_message()
        self._show_tabs()
        if snapshot is None:
            self._head.show([(self.run.name, Style(bold=True))])
            self._say_doing("Reading the run.")
            return
        self.pages.show(snapshot)
        self._follow.want(self.pages.wants)
        self._show_tabs()
        self._show_head(snapshot)
        self.key_line.leave_out(without_effect(snapshot.status))
        self._say_doing(doing(snapshot, self.key("resume")))
        for line, pieces in zip(
            (self._epoch_bar, self._run_bar), bars(snapshot, self.size.width, ink), strict=True
        ):
            line.display = bool(pieces)
            line.show(pieces)
        self._figures.show([(figures_line(snapshot, self.size.width, ink), ink.dim())])

    def _show_tabs(self) -> None:
        self._tabs.show([piece for _, piece in self.pages.tabs()])
        self._panel.show_title(self.context.ink.fit(self.pages.title, max(1, self.size.width - 6)))

    def _show_head(self, snapshot: RunSnapshot) -> None:
        """Title, network, tags and state; if too wide, without tags, then the network, then with the title cut."""
        ink, state, notes = self.context.ink, status_words(snapshot), snapshot.notes
        room = self.size.width - ink.width(state) - 2
        title = ink.shown(notes.title or self.run.name)
        network = ""
        if snapshot.job is not None:
            config = snapshot.job.config
            whose = "" if config.kind == TrainConfig.kind else f"{config.noun} by "
            network = f"  {whose}{config.network}"
        tags = "".join(f"  #{ink.shown(tag)}" for tag in notes.tags)
        more = next((words for words in (network + tags, network) if ink.width(title + words) <= room), "")
        self._head.show(
            [(ink.fit(title, room), Style(bold=True)), (more, ink.dim())],
            [(state, self._status_style(snapshot))],
        )

    def _show_message(self) -> None:
        if self._message != self._message_shown:
            self._message_shown = self._message
            self._said.update(self.context.ink.shown(self._message))

    def _say_doing(self, text: str) -> None:
        if text != self._doing_text:
            self._doing_text = text
            self._doing.update(self.context.ink.shown(text))

    def _status_style(self, snapshot: RunSnapshot) -> Style:
        if not is_bad(snapshot):
            return Style(bold=True)
        return self.context.ink.fault() if self.context.ink.colours else Style(reverse=True, bold=True)


class RunCommands:
    """What the keys of the screen do, by the id of the action.

    Args:
        screen: The screen.
        opened: The dataset.
        context: What screens share.
    """

    def __init__(self, screen: RunScreen, opened: OpenDataset, context: Context) -> None:
        self._screen, self._opened = screen, opened
        self.actions = RunActions(
            screen,
            opened,
            context,
            chosen=lambda: [screen.run],
            current=lambda: screen.run,
            started=self._show_started,
            deleted=self._leave_deleted,
        )
        pages = screen.pages
        self.by_name: dict[str, Command] = {
            **self.actions.by_name,
            "open": self._open,
            "gallery": self._show_wrong_images,
            "live_network": self._look_at_images,
            "results": self._show_results,
            "log_scale": self._log_scale,
            "other_curves": self._other_curves,
            "which_epoch": self._which_epoch,
            "matrix": self._matrix,
            "class_order": self._class_order,
            "leave": self._leave,
            "help": screen.show_help,
            **{f"pane_{name}": partial(self._turn_to, name) for name in PAGES},
            "pane_next": self._soon(partial(pages.turn, 1)),
            "pane_previous": self._soon(partial(pages.turn, -1)),
            "left": self._soon(partial(pages.move, 0, -1)),
            "right": self._soon(partial(pages.move, 0, 1)),
            "up": self._soon(partial(pages.move, -1, 0)),
            "down": self._soon(partial(pages.move, 1, 0)),
            "page_next": self._soon(partial(pages.move_page, 1)),
            "page_previous": self._soon(partial(pages.move_page, -1)),
            "first": self._soon(partial(pages.move_far, -1)),
            "last": self._soon(partial(pages.move_far, 1)),
        }

    @staticmethod
    def _soon(do: Callable[[], None]) -> Command:
        async def command() -> None:
            do()

        return command

    # The run

    async def _show_started(self, run: RunDir) -> None:
        self._screen.show_started(run)

    def _leave_deleted(self, runs: Sequence[RunDir]) -> None:
        if self._screen.is_current and self._screen.run in runs:
            self._screen.go_back(gone=runs)

    # What is seen

    async def _open(self) -> None:
        from mia_tui.tui.runs.images import images_behind, images_predicted_as

        run, opened, pages = self._screen.run, self._opened, self._screen.pages
        if pages.chosen_class is not None:
            images = await asyncio.to_thread(images_predicted_as, run, opened, pages.chosen_class)
            self._leave_for(images)
            return
        if "confusion" not in pages.names:
            self._screen.say(f"{self._screen.key('open')} opens the images of a class under the cursor.")
            return
        chosen = pages.chosen
        if chosen is None:
            classes, confusion = map(self._screen.key, ("pane_by_class", "pane_confusion"))
            self._screen.say(
                f"{self._screen.key('open')} opens images of a class (page {classes}) or of a confusion "
                f"(page {confusion})."
            )
            return
        images = await asyncio.to_thread(
            images_behind,
            run,
            opened,
            chosen.report,
            truth=chosen.truth,
            predicted=chosen.predicted,
        )
        self._leave_for(images)

    def _leave_for(self, images: OpenImages) -> None:
        self._screen.leave(replace(images, place=RunPlace(self._screen.run, self._screen.pages.place)))

    async def _show_results(self) -> None:
        from mia_tui.tui.results.screen import ResultsScreen

        screen = self._screen
        if not self._has("confusion"):
            return
        answer = await screen.ask(ResultsScreen(screen.run, self._opened, screen.context))
        if isinstance(answer, RunDir):
            screen.show_started(answer)
        elif answer is not None:
            place = answer.place
            screen.leave(
                answer if place is None else replace(answer, place=replace(place, page=screen.pages.place))
            )

    async def _show_wrong_images(self) -> None:
        from mia_tui.tui.runs.gallery import GalleryScreen
        from mia_tui.tui.runs.images import wrong_predictions

        screen, pages = self._screen, self._screen.pages
        report = None if screen.snapshot is None else screen.snapshot.report
        if report is None and self._has("confusion"):
            pages.turn_to("confusion")  # whose figures are read then
            report = await screen.report()
        if report is None:
            screen.say("There is no confusion matrix yet.")
            return
        images = await asyncio.to_thread(wrong_predictions, screen.run, self._opened, report)
        title = f"predicted wrongly by {screen.run.name}"
        chosen = await screen.ask(GalleryScreen(title, images, self._opened, screen.context))
        if chosen is not None:
            self._leave_for(chosen)

    async def _look_at_images(self) -> None:
        from mia_tui.tui.live.feature_job import begin_looking

        run, most_gb = self._screen.run, self._screen.context.user.features_gb
        self._screen.say(await asyncio.to_thread(begin_looking, run, self._opened, most_gb))

    async def _turn_to(self, page: PageName) -> None:
        if self._has(page):
            self._screen.pages.turn_to(page)

    async def _log_scale(self) -> None:
        if self._has("curves"):
            self._screen.say(self._screen.pages.toggle_log())

    async def _other_curves(self) -> None:
        if self._has("curves"):
            self._screen.pages.turn_to("curves")
            if not self._screen.pages.curves.turn():
                self._screen.say("All curves are shown.")

    async def _which_epoch(self) -> None:
        if self._has("epochs"):
            self._screen.pages.toggle_which()

    async def _matrix(self) -> None:
        if self._has("confusion"):
            self._screen.pages.toggle_list()

    async def _class_order(self) -> None:
        if self._has("confusion"):
            self._screen.say(self._screen.pages.toggle_order())

    def _has(self, page: PageName) -> bool:
        """Whether runs of this kind have a page; says so where they have not."""
        snapshot, has = self._screen.snapshot, page in self._screen.pages.names
        if not has and snapshot is not None and snapshot.job is not None:
            noun = snapshot.job.config.noun
            article = "An" if noun[:1] in "aeiou" else "A"
            self._screen.say(f"{article} {noun} has no page {TITLES[page]}.")
        return has

    async def _leave(self) -> None:
        self._screen.go_back()
