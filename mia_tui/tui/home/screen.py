"""The first screen if no dataset is named: recent datasets, other folders, and runs in progress.

A line to type a folder into, with completion, and below it a list to browse with
the arrow keys. Folders are read in threads, so that a slow disk delays what is
said about a folder and never a key.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input

from mia_tui.dataset.recent import Recent, recent_datasets
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.controller import garbage
from mia_tui.tui.home.folders import FolderReader, PathTyping, common_beginning, matching
from mia_tui.tui.home.words import (
    HomeLine,
    content_words,
    folder_lines,
    folders_title,
    recent_words,
    run_words,
)
from mia_tui.tui.runs.watch import LiveRun, RunWatch
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.line_list import Entry, EntryList
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_field import TextField

_RECENT_SHOWN = 20
_RUNS_SHOWN = 5
_PAGE = 10
_SIDE_BY_SIDE = 180  # columns from which the two lists are beside each other
_IN_COLUMNS = 84  # columns of a list from which counts and dates stand below each other


class RecentList(EntryList):
    """The datasets that were opened last."""

    class LineClicked(EntryList.LineClicked):
        """One of them was clicked."""


class FolderList(EntryList):
    """The folders in the one that is typed."""

    class LineClicked(EntryList.LineClicked):
        """One of them was clicked."""


class HomeScreen(KeyedScreen[None]):
    """Ends with the message `Opened`; the app then shows the labelling screen.

    Args:
        context: What screens share.
        came_from: The dataset that was left for this screen, and its state, to go back to; None if there is none.
    """

    SCOPE_NAME = "home"

    class Opened(Message):
        """A dataset was chosen; `state` is the folder named with --state the last time it was open."""

        def __init__(self, dataset: Path, state: Path | None) -> None:
            super().__init__()
            self.dataset, self.state = dataset, state

    class FolderRead(Message):
        """A folder was read."""

        def __init__(self, folder: Path) -> None:
            super().__init__()
            self.folder = folder

    class RunsSeen(Message):
        """Other runs are in progress, or they have made progress."""

        def __init__(self, runs: tuple[LiveRun, ...]) -> None:
            super().__init__()
            self.runs = runs

    def __init__(self, context: Context, came_from: tuple[Path, Path | None] | None = None) -> None:
        super().__init__(context)
        self.at_once = {
            "open": self._open,
            "up": lambda: self._move(-1),
            "down": lambda: self._move(1),
            "page_previous": lambda: self._move(-_PAGE),
            "page_next": lambda: self._move(_PAGE),
            "go_in": self._go_in,
            "go_out": self._go_out,
            "complete": self._complete,
            "start_anew": self._start_anew,
            "help": lambda: self.queue.do(self.show_help, opens=True),
        }
        self._ink = context.ink
        self._came_from = came_from
        self._typing = PathTyping(Path.cwd())
        self._recent: list[Recent] = []
        self._lines: list[HomeLine] = []  # recent datasets, then folders
        self._recent_count = 0  # of those lines
        self._cursor: int | None = None
        self._refused = False  # whether the message says why the typed folder cannot be opened
        self._put = ""  # the text that this screen last put into the line
        self._wanted: tuple[Path, Path | None] | None = None  # to open once it has been read
        self._input = TextField(
            placeholder="a folder, such as ~/images",
            id="folder",
            select_on_focus=False,
            before=self.run_key,
        )
        self._recent_list = RecentList(context.ink, id="recent")
        self._folder_list = FolderList(context.ink, id="entries")
        self._lists = Container(self._recent_list, self._folder_list, id="home-lists")
        self._message = TextBlock(self._welcome, id="home-message")
        self._runs = TextBlock(id="runs", classes="panel")
        self._recent_list.border_title, self._runs.border_title = "Recent datasets", "Runs in progress"
        self._runs.display = False
        self._reader = FolderReader(lambda folder: self.post_from_thread(self.FolderRead(folder)))
        self._watch: RunWatch | None = None

    def compose(self) -> ComposeResult:
        yield TextBlock("mia-tui: sort images into classes, train a network on them", id="home-title")
        yield self._input
        yield self._message
        yield self._lists
        yield self._runs
        yield self.key_line

    def on_mount(self) -> None:
        for each in (self._input, self._recent_list, self._folder_list):
            each.add_class("panel")
        self._input.border_title = "Open a folder"
        self._input.focus()

    def on_resize(self) -> None:
        self._lists.set_class(self.size.width >= _SIDE_BY_SIDE, "side-by-side")
        self.call_after_refresh(self.show)

    def go_back_to(self, dataset: tuple[Path, Path | None] | None) -> None:
        """Another dataset was left for this screen."""
        self._came_from = dataset
        self.say(self._welcome)

    @property
    def _welcome(self) -> str:
        words = f"Type the folder of your images or choose it in a list; {self.key('open')} opens it."
        if self._came_from is None:
            return words
        return f"{words} {self.key('start_anew')} goes back to {self._came_from[0].name}."

    def on_screen_resume(self) -> None:
        """Read again what may have changed since the screen was last in view."""
        self.call_after_refresh(garbage.begin_afresh)
        self._recent = recent_datasets()[:_RECENT_SHOWN]
        for recent in self._recent:
            self._reader.forget(recent.path)
        self._watch = RunWatch(
            [(recent.path, recent.state) for recent in self._recent],
            lambda runs: self.post_from_thread(self.RunsSeen(runs)),
        )
        self._watch.start()
        self._build(keep=None)
        self._cursor = 0 if self._recent_count else None
        self.say(self._welcome)
        self.show()

    def on_screen_suspend(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    def on_unmount(self) -> None:
        self.on_screen_suspend()
        self._reader.close()

    @property
    def idle(self) -> bool:
        """Whether all folders in view have been read."""
        return self._reader.idle and self._wanted is None

    # Keys

    @on(Input.Changed)
    def _take_typed(self) -> None:
        if self._input.value == self._put:
            return
        self._put = self._input.value
        self._cursor = self._wanted = None
        self._refused = False
        self.say(self._welcome)
        self._build(keep=None)

    def do_command(self, command: str) -> None:
        self._take_typed()  # if text and key came together, the text may not have been handled yet
        super().do_command(command)

    def _open(self) -> None:
        line = self._lines[self._cursor] if self._cursor is not None else None
        if line is not None:
            self._read_and_open(line.folder, line.recent.state if line.recent else None)
        elif self._input.value.strip():
            self._read_and_open(self._typing.folder_of(self._input.value.strip()), None)
        else:
            self.say(self._welcome)

    @on(RecentList.LineClicked)
    @on(FolderList.LineClicked)
    def _line_clicked(self, event: EntryList.LineClicked) -> None:
        """The first click on a line chooses it, the second opens it."""
        line = event.line + (self._recent_count if isinstance(event, FolderList.LineClicked) else 0)
        if line == self._cursor:
            self._open()
        else:
            self._cursor = line
            self.show()

    def _move(self, by: int) -> None:
        last = len(self._lines) - 1
        self.say(self._welcome)
        if last < 0:
            self.say("There is no folder to choose here; type one.")
        elif self._cursor is None:
            self._cursor = 0 if by > 0 else last
        else:
            at = self._cursor + by
            self._cursor = None if at < 0 else min(at, last)
        self.show()

    def _go_in(self) -> None:
        """Go into the folder under the cursor; without one, move the caret in the line."""
        if self._cursor is None:
            self._input.action_cursor_right()
        else:
            self._fill(self._typing.text_of(self._lines[self._cursor].folder))
            self._cursor = 0 if self._lines else None
            self.show()

    def _go_out(self) -> None:
        if self._cursor is None:
            self._input.action_cursor_left()
            return
        base, _ = self._typing.parts(self._input.value)
        if base.parent != base:
            self._fill(self._typing.text_of(base.parent))
            self._build(keep=HomeLine(base, base.name))

    def _complete(self) -> None:
        base, rest = self._typing.parts(self._input.value)
        content = self._reader.get(base)
        if content is None:
            return
        names = matching(content.folders, rest)
        common = common_beginning(names)
        if len(names) == 1:
            self._fill(self._typing.text_of(base / names[0]))
        elif len(common) > len(rest):
            self._fill(self._input.value[: len(self._input.value) - len(rest)] + self._ink.shown(common))
        elif names:
            self.say(f"{counted(len(names), 'folder')} begin like this: {self.key('down')} chooses one.")
        else:
            begins = f" begins with {rest}" if rest else ""
            self.say(
                f"Nothing to complete: {'no folder in' if rest else 'there is no folder in'} {base}{begins}."
            )

    def _start_anew(self) -> None:
        if self._input.value or self._wanted is not None or self._came_from is None:
            self._wanted = None
            self._fill("")
            self.say(self._welcome)
        else:
            self.post_message(self.Opened(*self._came_from))

    def command_begins(self) -> None:
        """The message stays: it is about the folder in the line."""

    # Opening

    def _read_and_open(self, folder: Path, state: Path | None) -> None:
        self._wanted = (folder, state)
        self._reader.forget(folder)
        self._reader.want([folder, *self._folders_in_view()])
        self.set_timer(0.2, self._say_opening)

    def _say_opening(self) -> None:
        if self._wanted is not None:
            self.say(f"Opening {self._wanted[0]}")

    @on(FolderRead)
    def _take_folder(self, event: FolderRead) -> None:
        if self._wanted is not None and self._wanted[0] == event.folder:
            (folder, state), self._wanted = self._wanted, None
            content = self._reader.get(folder)
            if content is not None and content.problem is None:
                self.say("")
                self.post_message(self.Opened(folder, state))
            elif content is not None:
                self.say(content.problem or "")
                self._refused = True
        line = self._lines[self._cursor] if self._cursor is not None else None
        self._build(keep=line)

    @on(RunsSeen)
    def _take_runs(self, event: RunsSeen) -> None:
        self._runs.display = bool(event.runs)
        words = [self._run_line(run) for run in event.runs[:_RUNS_SHOWN]]
        if len(event.runs) > _RUNS_SHOWN:
            words.append(f"and {len(event.runs) - _RUNS_SHOWN:,} more")
        self._runs.update("\n".join(words))

    def _run_line(self, run: LiveRun) -> str:
        """A run in one line; if its folder is too long, the end of it is shown."""
        width = max(10, self.size.width - 6)
        words = self._ink.fit(f"{run_words(run)}, in ", width)
        return words + self._ink.fit_left(str(run.dataset), width - self._ink.width(words))

    # The list

    def _fill(self, text: str) -> None:
        """Replace the text in the line."""
        self._put = text
        self._refused = False
        self._input.value = text
        self._input.cursor_position = len(text)
        self._cursor = None
        self._build(keep=None)

    def _build(self, *, keep: HomeLine | None) -> None:
        """Make the lines for the typed text; the cursor stays on a line if it is still listed."""
        base, rest = self._typing.parts(self._input.value)
        recent = [] if self._input.value else self._recent
        self._recent_count = len(recent)
        self._lines = [HomeLine(each.path, str(each.path), each) for each in recent]
        self._lines += folder_lines(base, rest, self._reader.get(base))
        if keep is not None:
            wanted = (keep.folder, keep.recent is None)
            places = (n for n, line in enumerate(self._lines) if (line.folder, line.recent is None) == wanted)
            self._cursor = next(places, None)
        if self._cursor is not None and self._cursor >= len(self._lines):
            self._cursor = None
        self.show()

    def show(self) -> None:
        at, recent, here = self._cursor, self._recent_count, self._lines[self._recent_count :]
        self._recent_list.display = recent > 0
        self._input.set_class(at is not None, "-quiet")  # Enter opens what is in a list
        in_recent = at is not None and at < recent
        self._show_list(self._recent_list, self._lines[:recent], at if in_recent else None)
        self._show_list(self._folder_list, here, None if at is None or in_recent else at - recent)
        base, rest = self._typing.parts(self._input.value)
        self._folder_list.border_title = (
            ""
            if self._refused and not here
            else folders_title(
                base,
                rest,
                self._reader.get(base),
                found=len(here),
                columns=self._folder_list.size.width,
                ink=self._ink,
            )
        )
        wanted = [base, *self._folders_in_view()]
        self._reader.want([self._wanted[0], *wanted] if self._wanted else wanted)

    def _show_list(self, shown: EntryList, lines: Sequence[HomeLine], cursor: int | None) -> None:
        in_columns = shown.size.width >= _IN_COLUMNS
        shown.show([Entry(line.text, self._right(line, in_columns=in_columns)) for line in lines], cursor)
        shown.set_class(cursor is not None, "-active")

    def _right(self, line: HomeLine, *, in_columns: bool) -> str:
        content = self._reader.get(line.folder)
        if line.recent is None:
            return content_words(content)
        if content is not None and content.problem is not None:
            return "not found"
        return recent_words(line.recent, time.time(), in_columns=in_columns)

    def _folders_in_view(self) -> list[Path]:
        recent, height = self._recent_count, self.size.height
        first, second = self._lines[:recent], self._lines[recent:]
        parts = ((self._recent_list.seen, first), (self._folder_list.seen, second))
        return [
            lines[place].folder
            for seen, lines in parts
            for place in seen or range(min(len(lines), height))
            if place < len(lines)
        ]

    def say(self, message: str) -> None:
        self._message.update(self._ink.shown(message))
