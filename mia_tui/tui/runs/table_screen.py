"""The run room: all runs of a dataset, kept current; opens, starts, stops, resumes, compares and deletes them."""

from functools import partial
from typing import TypeVar

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen

from mia_tui.errors import MiaError, RunError
from mia_tui.runs.list.table import RunSummaries, RunSummary
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import bind_keys, key_hints, keys_of, shown_key
from mia_tui.tui.keys.command_queue import Command, CommandQueue
from mia_tui.tui.places import OpenImages, Place
from mia_tui.tui.runs.run_table import RunLine, RunTable
from mia_tui.tui.runs.table_commands import RunsCommands
from mia_tui.tui.runs.table_view import RunTableView, detail
from mia_tui.tui.runs.watch import RunTableWatch
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.text_block import TextBlock

Answer = TypeVar("Answer")

_LEAST_NAME = 8  # of the dataset


class RunsScreen(Screen[OpenImages | None]):
    """The runs of a dataset; ends with images that the person wants to see, or None.

    Args:
        place: The dataset, and who is there.
        context: What screens share.
        started: A run that was just started, to be watched first; back from it is here.
    """

    SCOPE = "runs"
    AUTO_FOCUS = ""

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

    def __init__(self, place: Place, context: Context, *, started: RunDir | None = None) -> None:
        super().__init__()
        bind_keys(self, self.SCOPE, context.user.keys)
        self._key_line = KeyLine(context.ink, key_hints(self.SCOPE, context.user.keys))
        self._place, self._shared, self._ink = place, context, context.ink
        self.view = RunTableView()
        self.commands = RunsCommands(place, self.view, self, context)
        self.queue = CommandQueue(begin=self._begin, done=self._show, failed=self._fail, slow=lambda _: None)
        self._started, self._looked = started, False
        self._title = TextBlock(id="room-title")
        self._heading = TextBlock(id="room-heading")
        self._table = RunTable(context.ink, id="room-table")
        self._detail = TextBlock(id="room-detail")
        self._message = TextBlock(id="room-message")
        self._watch = RunTableWatch(
            RunSummaries.of_dataset(place.dataset, place.state),
            lambda rows: self._tell(self.Seen(rows)),
            lambda error: self._tell(self.Unseen(error)),
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
        self.run_worker(self.queue.run(), group="commands", name="commands")
        if self._started is not None:
            self.queue.do(partial(self.commands.take_started, self._started))

    def on_unmount(self) -> None:
        self._watch.thread.stop()

    def on_screen_suspend(self) -> None:
        self._watch.thread.pause()

    def on_screen_resume(self) -> None:
        self._watch.thread.go_on()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    @property
    def idle(self) -> bool:
        """Whether the runs have been looked at."""
        return self._looked

    # For the commands

    def say(self, message: str) -> None:
        if self.is_running:  # what goes on beside may have something to say when the room was left
            self._message.update(self._ink.shown(message))

    def warn(self, message: str) -> None:
        self.app.notify(
            self._ink.shown(message), severity="warning", timeout=2 * self._shared.user.toast_s, markup=False
        )

    async def ask(self, dialog: Screen[Answer]) -> Answer | None:
        self.queue.forget_waiting()
        return await self.app.push_screen_wait(dialog)

    def beside(self, work: Command) -> None:
        self.app.run_worker(work(), group="beside")

    def look_now(self) -> None:
        self._watch.thread.look_now()

    def close(self, answer: OpenImages | None) -> None:
        self.dismiss(answer)

    async def show_help(self) -> None:
        from mia_tui.tui.help import HelpScreen

        await self.ask(HelpScreen(self._shared, self.SCOPE))

    @property
    def page(self) -> int:
        return self._table.page

    # What comes from outside

    def action_obey(self, name: str) -> None:
        moves = self.commands.moves()
        if name in moves:
            self.view.put(self.view.line + moves[name])
            self._show()
        else:
            self.queue.do(self.commands.by_name[name], opens=True)

    @on(RunTable.LineClicked)
    def _pick(self, event: RunTable.LineClicked) -> None:
        self.view.put(event.line)
        self._show()

    @on(Seen)
    def _take(self, event: Seen) -> None:
        self._looked = True
        self.view.take(event.rows)
        self._show()

    @on(Unseen)
    def _take_trouble(self, event: Unseen) -> None:
        self._looked = True
        self.view.take(())
        self.say(str(event.error))
        self._show()

    def _tell(self, message: Message) -> None:
        """From the thread; after the screen has gone there is nobody to tell."""
        if self.is_running:
            self.post_message(message)

    # What is shown

    def _begin(self) -> None:
        self.say("")

    def _fail(self, error: MiaError, dropped: int) -> None:
        self.say(str(error))
        self._show()

    def _show(self) -> None:
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
        new = keys_of(self.SCOPE, self._shared.user.keys)["new"]
        return (
            f"There are no runs yet. {shown_key(new[0]).upper()} trains one."
            if new
            else "There are no runs yet."
        )
