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
from textual.message import Message
from textual.widgets import Input

from mia_tui.dataset.recent import Recent, recent_datasets
from mia_tui.tui.context import Context
from mia_tui.tui.controller import garbage
from mia_tui.tui.home.folders import FolderReader, PathTyping, common_beginning, matching
from mia_tui.tui.home.words import HomeLine, content_words, lines_for, recent_words, run_words
from mia_tui.tui.runs.watch import LiveRun, RunWatch
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.line_list import Entry, EntryList
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_field import TextField

_RECENT_SHOWN = 8
_RUNS_SHOWN = 5
_PAGE = 10


class HomeScreen(KeyedScreen[None]):
    """Ends with the message `Opened`; the app then shows the labelling screen.

    Args:
        context: What screens share.
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

    def __init__(self, context: Context) -> None:
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
        opens = f"{self.key('open')} opens it."
        self._welcome = f"Type the folder of your images or choose it in the list; {opens}"
        self._typing = PathTyping(Path.cwd())
        self._recent: list[Recent] = []
        self._lines: list[HomeLine] = []
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
        self._list = EntryList(context.ink, id="entries")
        self._message = TextBlock(self._welcome, id="home-message")
        self._runs = TextBlock(id="runs")
        self._reader = FolderReader(lambda folder: self.post_from_thread(self.FolderRead(folder)))
        self._watch: RunWatch | None = None

    def compose(self) -> ComposeResult:
        yield TextBlock("mia-tui: sort images into classes, train a network on them", id="home-title")
        yield self._input
        yield self._message
        yield self._list
        yield self._runs
        yield self.key_line

    def on_mount(self) -> None:
        self._input.focus()

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
        self._cursor = next((n for n, line in enumerate(self._lines) if line.recent is not None), None)
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
        self._cursor = None
        self._refused = False
        self.say(self._welcome)
        self._build(keep=None)

    def do_command(self, command: str) -> None:
        self._take_typed()  # if text and key came together, the text may not have been handled yet
        super().do_command(command)

    def _open(self) -> None:
        line = self._lines[self._cursor] if self._cursor is not None else None
        if line is not None and line.folder is not None:
            self._read_and_open(line.folder, line.recent.state if line.recent else None)
        elif self._input.value.strip():
            self._read_and_open(self._typing.folder_of(self._input.value.strip()), None)
        else:
            self.say(self._welcome)

    @on(EntryList.LineClicked)
    def _line_clicked(self, event: EntryList.LineClicked) -> None:
        """The first click on a line chooses it, the second opens it."""
        if event.line == self._cursor:
            self._open()
        else:
            self._cursor = event.line
            self.show()

    def _move(self, by: int) -> None:
        places = [number for number, line in enumerate(self._lines) if line.folder is not None]
        if not places:
            return
        if self._cursor is None or self._cursor not in places:
            self._cursor = places[0 if by > 0 else -1]
        else:
            at = places.index(self._cursor) + by
            self._cursor = None if at < 0 else places[min(at, len(places) - 1)]
        self.show()

    def _go_in(self) -> None:
        """Go into the folder under the cursor; without one, move the caret in the line."""
        folder = self._lines[self._cursor].folder if self._cursor is not None else None
        if folder is None:
            self._input.action_cursor_right()
        else:
            self._fill(self._typing.text_of(folder))
            self._cursor = 1 if len(self._lines) > 1 else None
            self.show()

    def _go_out(self) -> None:
        if self._cursor is None:
            self._input.action_cursor_left()
            return
        base, _ = self._typing.parts(self._input.value)
        if base.parent != base:
            self._fill(self._typing.text_of(base.parent))
            self._build(keep=base)

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

    def _start_anew(self) -> None:
        self._fill("")
        self.say(self._welcome)

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
                self.post_message(self.Opened(folder, state))
            elif content is not None:
                self.say(content.problem or "")
                self._refused = True
        line = self._lines[self._cursor] if self._cursor is not None else None
        self._build(keep=line.folder if line else None)

    @on(RunsSeen)
    def _take_runs(self, event: RunsSeen) -> None:
        self._runs.display = bool(event.runs)
        words = [self._run_line(run) for run in event.runs[:_RUNS_SHOWN]]
        if len(event.runs) > _RUNS_SHOWN:
            words.append(f"and {len(event.runs) - _RUNS_SHOWN:,} more")
        self._runs.update("\n".join(["Runs in progress", *words]))

    def _run_line(self, run: LiveRun) -> str:
        """A run in one line; if its folder is too long, the end of it is shown."""
        width = max(10, self.size.width - 2)
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

    def _build(self, *, keep: Path | None) -> None:
        """Make the lines for the typed text; the cursor stays on the folder `keep` if it is still listed."""
        base, rest = self._typing.parts(self._input.value)
        recent = [] if self._input.value else self._recent
        lines = lines_for(base, rest, self._reader.get(base), recent, refused=self._refused)
        self._lines = lines
        if keep is not None:
            self._cursor = next((n for n, line in enumerate(lines) if line.folder == keep), None)
        if self._cursor is not None and self._cursor >= len(lines):
            self._cursor = None
        self.show()
        wanted = [base, *self._folders_in_view()]
        self._reader.want([self._wanted[0], *wanted] if self._wanted else wanted)

    def show(self) -> None:
        entries = [
            Entry(line.text, "", is_heading=True)
            if line.folder is None
            else Entry(line.text, self._right(line.folder, line.recent))
            for line in self._lines
        ]
        self._list.show(entries, self._cursor)
        self._reader.want([self._typing.parts(self._input.value)[0], *self._folders_in_view()])

    def _right(self, folder: Path, recent: Recent | None) -> str:
        content = self._reader.get(folder)
        if recent is None:
            return content_words(content)
        if content is not None and content.problem is not None:
            return "not found"
        return recent_words(recent, time.time())

    def _folders_in_view(self) -> list[Path]:
        seen: Sequence[int] = self._list.seen or range(min(len(self._lines), self.size.height))
        return [folder for line in seen if line < len(self._lines) and (folder := self._lines[line].folder)]

    def say(self, message: str) -> None:
        self._message.update(self._ink.shown(message))
