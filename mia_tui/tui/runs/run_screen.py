"""One run: what its worker is at, its curves and figures, and what can be done with it.

Layout and handlers. `run_follow` reads the run in a thread; what is said stands
in `run_words`, what the pages show in `run_pages`, what keys do in `run_commands`.
"""

from functools import partial

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.message import Message

from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import key_hints
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.confusion import ConfusionMatrix
from mia_tui.tui.runs.follow import RunFollow, RunSnapshot
from mia_tui.tui.runs.pages import RunPages
from mia_tui.tui.runs.run_commands import RunCommands
from mia_tui.tui.runs.words import bars, doing, figures_line, is_bad, status_words
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.ink import style
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.line_list import LineList
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_line import TextLine

_BAD = "#d55e00"


class RunScreen(KeyedScreen[OpenImages | None]):
    """A run; ends with images that the person wants to see, or None.

    Args:
        run: Its folder.
        place: The dataset.
        context: What screens share.
    """

    SCOPE = "run"
    commands: RunCommands

    class News(Message):
        """Something is different about the run."""

        def __init__(self, run: RunDir, snapshot: RunSnapshot) -> None:
            super().__init__()
            self.run, self.snapshot = run, snapshot

    def __init__(self, run: RunDir, place: OpenDataset, context: Context) -> None:
        super().__init__(context)
        self._key_line = KeyLine(context.ink, key_hints(self.SCOPE, context.user.keys))
        ink = context.ink
        self.run = run
        self.pages = RunPages(ink, self.keys, id="run-pages")
        self.commands = RunCommands(self, place, context)
        self._head, self._doing = TextLine(ink, id="run-title"), TextBlock(id="run-doing")
        self._epoch_bar, self._run_bar = TextLine(ink, id="run-epoch-bar"), TextLine(ink, id="run-bar")
        self._figures, self._tabs = TextLine(ink, id="run-figures"), TextLine(ink, id="run-tabs")
        self._said = TextBlock(id="run-message")
        self._snapshot: RunSnapshot | None = None
        self._message = self._message_shown = ""
        self._doing_text = ""
        self._follow = RunFollow(run, partial(self._post_news, run))

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._doing
        yield self._epoch_bar
        yield self._run_bar
        yield self._figures
        yield self._tabs
        yield self.pages
        yield self._said
        yield self._key_line

    def on_mount(self) -> None:
        self._follow.start()

    def on_unmount(self) -> None:
        self._follow.close()

    # For the commands

    @property
    def snapshot(self) -> RunSnapshot | None:
        return self._snapshot

    @property
    def idle(self) -> bool:
        """Whether the run has been read."""
        return self._snapshot is not None

    def say(self, message: str) -> None:
        if not self.is_running:  # what goes on beside has something to say, and the screen was left
            return
        self._message = message
        self._show_message()

    def look_now(self) -> None:
        self._follow.ask_now()

    def follow(self, run: RunDir) -> None:
        self._follow.close()
        self.run, self._snapshot = run, None
        self._follow = RunFollow(run, partial(self._post_news, run))
        self._follow.start()

    def leave(self, images: OpenImages | None) -> None:
        self._follow.close()
        self.dismiss(images)

    # What comes from outside

    @on(News)
    def _take(self, event: News) -> None:
        if event.run == self.run:
            if self._snapshot is not None and event.snapshot.status != self._snapshot.status:
                self._message = ""  # what was said of it is over
            self._snapshot = event.snapshot
            self.show()

    @on(LineList.LineClicked)
    @on(ConfusionMatrix.Picked)
    def _pick(self) -> None:
        self.show()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    def on_screen_resume(self) -> None:
        self.show()

    def _post_news(self, run: RunDir, snapshot: RunSnapshot) -> None:
        self.post_from_thread(self.News(run, snapshot))

    # Painting

    def command_begins(self) -> None:
        self._message = ""  # painted when it has ended

    def say_failed(self, message: str) -> None:
        self._message = ""
        super().say_failed(message)

    def command_is_slow(self, waiting: int) -> None:
        if not self._message:
            self.say("One moment.")

    def show(self) -> None:
        """Paint what is different now."""
        if not self.is_current or not self.size.width:
            return
        snapshot, ink = self._snapshot, self.context.ink
        self._show_message()
        self._tabs.show(self.pages.tabs())
        if snapshot is None:
            self._head.show([(self.run.name, Style(bold=True))])
            self._say_doing("Reading the run.")
            return
        self.pages.show(snapshot)
        self._follow.want(self.pages.wants)
        self._tabs.show(self.pages.tabs())
        self._show_head(snapshot)
        self._say_doing(doing(snapshot, self.key("resume")))
        for line, pieces in zip(
            (self._epoch_bar, self._run_bar), bars(snapshot, self.size.width, ink), strict=True
        ):
            line.display = bool(pieces)
            line.show(pieces)
        self._figures.show([(figures_line(snapshot, self.size.width, ink), ink.dim())])

    def _show_head(self, snapshot: RunSnapshot) -> None:
        """Name, network and state; a long name leaves out the network, which is in it, then gives way itself."""
        ink, state = self.context.ink, status_words(snapshot)
        room = self.size.width - ink.width(state) - 2
        network = "" if snapshot.job is None else f"  {snapshot.job.config.backbone}"
        if ink.width(self.run.name + network) > room:
            network = ""
        self._head.show(
            [(ink.fit(self.run.name, room), Style(bold=True)), (network, ink.dim())],
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
        return style(fg=_BAD, bold=True) if self.context.ink.colours else Style(reverse=True, bold=True)
