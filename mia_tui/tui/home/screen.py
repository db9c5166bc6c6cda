"""The first screen without a dataset: the last datasets, any other folder, and the runs at work.

One line to type a folder in, a list below it. Whoever types completes with Tab;
whoever browses needs the arrows only. Folders are looked into in threads, so a
slow disk delays a number and never a key.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input

from mia_tui.dataset.recent import Recent, recent_datasets
from mia_tui.tui.context import Context
from mia_tui.tui.home.folders import FolderLooker
from mia_tui.tui.home.path_typing import PathTyping, common_beginning, matching
from mia_tui.tui.home.words import Line, content_words, lines_for, recent_words, run_words
from mia_tui.tui.keys.bindings import key_hints
from mia_tui.tui.labelling import garbage
from mia_tui.tui.runs.watch import LiveRun, RunWatch
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.entry_list import Entry, EntryList
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_field import TextField

_RECENT_SHOWN = 8
_RUNS_SHOWN = 5
_PAGE = 10
_WELCOME = "Type the folder of the images or choose it with the arrows; Enter opens it."


class HomeScreen(KeyedScreen[None]):
    """Ends in a message `Opened`, which the app answers with the labelling screen.

    Args:
        context: What screens share.
    """

    SCOPE = "home"

    class Opened(Message):
        """A dataset is to be opened; `state` is what was named with --state the last time."""

        def __init__(self, dataset: Path, state: Path | None) -> None:
            super().__init__()
            self.dataset, self.state = dataset, state

    class Looked(Message):
        """A folder was looked into."""

        def __init__(self, folder: Path) -> None:
            super().__init__()
            self.folder = folder

    class RunsSeen(Message):
        """Other runs are at work, or they have got on."""

        def __init__(self, runs: tuple[LiveRun, ...]) -> None:
            super().__init__()
            self.runs = runs

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._key_line = KeyLine(context.ink, key_hints(self.SCOPE, context.user.keys))
        self._at_once: dict[str, Callable[[], None]] = {
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
        self._typing = PathTyping(Path.cwd())
        self._recent: list[Recent] = []
        self._lines: list[Line] = []
        self._cursor: int | None = None
        self._refused = False  # whether it is said why what is typed cannot be opened
        self._put = ""  # what this screen put into the line last
        self._wanted: tuple[Path, Path | None] | None = None  # to be opened once it was looked into
        self._input = TextField(
            placeholder="a folder, such as ~/images",
            id="folder",
            select_on_focus=False,
            before=self.obey_key,
        )
        self._list = EntryList(context.ink, id="entries")
        self._message = TextBlock(_WELCOME, id="home-message")
        self._runs = TextBlock(id="runs")
        self._looker = FolderLooker(lambda folder: self.post_from_thread(self.Looked(folder)))
        self._watch: RunWatch | None = None

    def compose(self) -> ComposeResult:
        yield TextBlock("mia-tui: sort images into classes, train a network on them", id="home-title")
        yield self._input
        yield self._message
        yield self._list
        yield self._runs
        yield self._key_line

    def on_mount(self) -> None:
        self._input.focus()

    def on_screen_resume(self) -> None:
        """Shown, for the first time or again: what was done meanwhile counts."""
        self.call_after_refresh(garbage.begin_afresh)
        self._recent = recent_datasets()[:_RECENT_SHOWN]
        for recent in self._recent:
            self._looker.forget(recent.path)
        self._watch = RunWatch(
            [(recent.path, recent.state) for recent in self._recent],
            lambda runs: self.post_from_thread(self.RunsSeen(runs)),
        )
        self._watch.start()
        self._build(keep=None)
        self._cursor = next((n for n, line in enumerate(self._lines) if line.recent is not None), None)
        self._show()

    def on_screen_suspend(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    def on_unmount(self) -> None:
        self.on_screen_suspend()
        self._looker.close()

    @property
    def idle(self) -> bool:
        """Whether all folders that are seen were looked into."""
        return self._looker.idle and self._wanted is None

    # Keys

    @on(Input.Changed)
    def _take_typed(self) -> None:
        if self._input.value == self._put:
            return
        self._put = self._input.value
        self._cursor = None
        self._refused = False
        self._say(_WELCOME)
        self._build(keep=None)

    def do_command(self, command: str) -> None:
        self._take_typed()  # of one burst, text before the key may not have been told yet
        self._at_once[command]()

    def _open(self) -> None:
        line = self._lines[self._cursor] if self._cursor is not None else None
        if line is not None and line.folder is not None:
            self._look_and_open(line.folder, line.recent.state if line.recent else None)
        elif self._input.value.strip():
            self._look_and_open(self._typing.folder_of(self._input.value.strip()), None)
        else:
            self._say(_WELCOME)

    @on(EntryList.Picked)
    def _picked(self, event: EntryList.Picked) -> None:
        """The first click chooses, the second opens."""
        if event.line == self._cursor:
            self._open()
        else:
            self._cursor = event.line
            self._show()

    def _move(self, by: int) -> None:
        places = [number for number, line in enumerate(self._lines) if line.folder is not None]
        if not places:
            return
        if self._cursor is None or self._cursor not in places:
            self._cursor = places[0 if by > 0 else -1]
        else:
            at = places.index(self._cursor) + by
            self._cursor = None if at < 0 else places[min(at, len(places) - 1)]
        self._show()

    def _go_in(self) -> None:
        """Into the folder under the cursor; without a cursor the key moves in the line."""
        folder = self._lines[self._cursor].folder if self._cursor is not None else None
        if folder is None:
            self._input.action_cursor_right()
        else:
            self._fill(self._typing.text_of(folder))
            self._cursor = 1 if len(self._lines) > 1 else None
            self._show()

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
        content = self._looker.get(base)
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
        self._say(_WELCOME)

    # Opening

    def _look_and_open(self, folder: Path, state: Path | None) -> None:
        self._wanted = (folder, state)
        self._looker.forget(folder)
        self._looker.want([folder, *self._seen_folders()])
        self.set_timer(0.2, self._say_looking)

    def _say_looking(self) -> None:
        if self._wanted is not None:
            self._say(f"Looking into {self._wanted[0]}")

    @on(Looked)
    def _take_folder(self, event: Looked) -> None:
        if self._wanted is not None and self._wanted[0] == event.folder:
            (folder, state), self._wanted = self._wanted, None
            content = self._looker.get(folder)
            if content is not None and content.problem is None:
                self.post_message(self.Opened(folder, state))
            elif content is not None:
                self._say(content.problem or "")
                self._refused = True
        line = self._lines[self._cursor] if self._cursor is not None else None
        self._build(keep=line.folder if line else None)

    @on(RunsSeen)
    def _take_runs(self, event: RunsSeen) -> None:
        self._runs.display = bool(event.runs)
        words = [self._run_line(run) for run in event.runs[:_RUNS_SHOWN]]
        if len(event.runs) > _RUNS_SHOWN:
            words.append(f"and {len(event.runs) - _RUNS_SHOWN:,} more")
        self._runs.update("\n".join(["Runs at work", *words]))

    def _run_line(self, run: LiveRun) -> str:
        """A run in one line; of the folder the end is seen."""
        width = max(10, self.size.width - 2)
        words = self._ink.fit(f"{run_words(run)}, in ", width)
        return words + self._ink.fit_left(str(run.dataset), width - self._ink.width(words))

    # The list

    def _fill(self, text: str) -> None:
        """Put a text into the line."""
        self._put = text
        self._refused = False
        self._input.value = text
        self._input.cursor_position = len(text)
        self._cursor = None
        self._build(keep=None)

    def _build(self, *, keep: Path | None) -> None:
        """The lines for what is typed; the cursor stays on a folder that is still there."""
        base, rest = self._typing.parts(self._input.value)
        recent = [] if self._input.value else self._recent
        lines = lines_for(base, rest, self._looker.get(base), recent, refused=self._refused)
        self._lines = lines
        if keep is not None:
            self._cursor = next((n for n, line in enumerate(lines) if line.folder == keep), None)
        if self._cursor is not None and self._cursor >= len(lines):
            self._cursor = None
        self._show()
        wanted = [base, *self._seen_folders()]
        self._looker.want([self._wanted[0], *wanted] if self._wanted else wanted)

    def _show(self) -> None:
        entries = [
            Entry(line.text, "", is_heading=True)
            if line.folder is None
            else Entry(line.text, self._right(line.folder, line.recent))
            for line in self._lines
        ]
        self._list.show(entries, self._cursor)
        self._looker.want([self._typing.parts(self._input.value)[0], *self._seen_folders()])

    def _right(self, folder: Path, recent: Recent | None) -> str:
        content = self._looker.get(folder)
        if recent is None:
            return content_words(content)
        if content is not None and content.problem is not None:
            return "not there now"
        return recent_words(recent, time.time())

    def _seen_folders(self) -> list[Path]:
        seen: Sequence[int] = self._list.seen or range(min(len(self._lines), self.size.height))
        return [folder for line in seen if line < len(self._lines) and (folder := self._lines[line].folder)]

    def _say(self, text: str) -> None:
        self._message.update(self._ink.shown(text))
