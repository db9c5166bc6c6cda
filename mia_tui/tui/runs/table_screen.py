"""The run room: all runs of a dataset, kept current; opens, starts, stops, resumes, compares and deletes them."""

from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.message import Message

from mia_tui.errors import RunError
from mia_tui.runs.list.table import RunSummaries, RunSummary
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import key_hints
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.run_table import RunLine, RunTable
from mia_tui.tui.runs.table_commands import RunsCommands
from mia_tui.tui.runs.table_view import RunTableView, detail
from mia_tui.tui.runs.watch import RunTableWatch
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.text_block import TextBlock

_LEAST_NAME = 8  # of the dataset


class RunsScreen(KeyedScreen[OpenImages | None]):
    """The runs of a dataset; ends with images that the person wants to see, or None.

    Args:
        place: The dataset, and who is there.
        context: What screens share.
        started: A run that was just started, to be watched first; back from it is here.
    """

    SCOPE = "runs"
    commands: RunsCommands

    class Seen(Message):
        """The runs are other than before."""

        def __init__(self, rows: tuple[RunSummary, ...]) -> None:
            super().__init__()
            self.rows = rows

    class Unseen(Message):
        """The folder of runs cannot be read."""

        def __init__(self, error: RunError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, place: OpenDataset, context: Context, *, started: RunDir | None = None) -> None:
        super().__init__(context)
        self._key_line = KeyLine(context.ink, key_hints(self.SCOPE, context.user.keys))
        self._place, self._ink = place, context.ink
        self.view = RunTableView()
        self.commands = RunsCommands(place, self.view, self, context)
        self._started, self._looked = started, False
        self._title = TextBlock(id="room-title")
        self._heading = TextBlock(id="room-heading")
        self._table = RunTable(context.ink, id="room-table")
        self._detail = TextBlock(id="room-detail")
        self._message = TextBlock(id="room-message")
        self._watch = RunTableWatch(
            RunSummaries.of_dataset(place.dataset, place.state),
            lambda rows: self.post_from_thread(self.Seen(rows)),
            lambda error: self.post_from_thread(self.Unseen(error)),
        )

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._heading
        yield self._table
        yield self._detail
        yield self._message
        yield self._key_line

    def on_mount(self) -> None:
        self._watch.thread.start()
        if self._started is not None:
            self.queue.do(partial(self.commands.take_started, self._started))

    def on_unmount(self) -> None:
        self._watch.thread.stop()

    def on_screen_suspend(self) -> None:
        self._watch.thread.pause()

    def on_screen_resume(self) -> None:
        self._watch.thread.go_on()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    @property
    def idle(self) -> bool:
        """Whether the runs have been looked at."""
        return self._looked

    # For the commands

    def say(self, message: str) -> None:
        if self.is_running:  # what goes on beside may have something to say when the room was left
            self._message.update(self._ink.shown(message))

    def say_failed(self, message: str) -> None:
        self.say(message)

    def look_now(self) -> None:
        self._watch.thread.look_now()

    def close(self, answer: OpenImages | None) -> None:
        self.dismiss(answer)

    @property
    def page(self) -> int:
        return self._table.page

    # What comes from outside

    def do_command(self, command: str) -> None:
        moves = self.commands.moves()
        if command in moves:
            self.view.put(self.view.line + moves[command])
            self.show()
        else:
            super().do_command(command)

    @on(RunTable.LineClicked)
    def _pick(self, event: RunTable.LineClicked) -> None:
        self.view.put(event.line)
        self.show()

    @on(Seen)
    def _take(self, event: Seen) -> None:
        self._looked = True
        self.view.take(event.rows)
        self.show()

    @on(Unseen)
    def _take_trouble(self, event: Unseen) -> None:
        self._looked = True
        self.view.take(())
        self.say(str(event.error))
        self.show()

    # What is shown

    def show(self) -> None:
        if not (self.is_attached and self._table.size.width):
            return
        columns, view, ink = self.size.width, self.view, self._ink
        name = ink.shown(self._place.dataset.name or str(self._place.dataset))
        too_much = ink.width(view.title(name)) - columns  # the name gives way to what is said of the runs
        name = ink.fit(name, max(_LEAST_NAME, ink.width(name) - max(0, too_much)))
        self._title.update(ink.fit(view.title(name), columns))
        self._heading.update(self._table.heading(self._table.size.width))
        lines = [RunLine(row, row.run.path in view.marked) for row in view.shown]
        self._table.show(lines, view.line if lines else None)
        self._detail.update(self._words())

    def _words(self) -> str:
        """What is to be said of the run under the cursor."""
        row = self.view.current
        if row is not None:
            return "\n".join(self._ink.shown(line) for line in detail(row))
        if not self._looked:
            return "Looking for runs"
        if self.view.known:
            return "No run is in this state."
        return f"There are no runs yet. {self.key('new')} trains one."
