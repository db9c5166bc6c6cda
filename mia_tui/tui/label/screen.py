"""The labelling screen: an image, its frame, and one key for each image.

Layout and handlers. Keys become commands, obeyed one after the other; after
each, `show` paints what is different.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from mia_tui.dataset.recent import recent_datasets
from mia_tui.errors import MiaError
from mia_tui.tui.classes.class_frame import ClassFrame
from mia_tui.tui.context import Context
from mia_tui.tui.label.background_tasks import BackgroundTasks
from mia_tui.tui.label.commands import LabelCommands
from mia_tui.tui.label.image_list import ImageList
from mia_tui.tui.label.lines import LabelLines
from mia_tui.tui.label.pictures import Pictures
from mia_tui.tui.label.session_screen import SessionScreen
from mia_tui.tui.label.side_screens import side_screens
from mia_tui.tui.label.view_settings import Glance
from mia_tui.tui.label.words import first_hint, framing, why_empty
from mia_tui.tui.labelling.bookmark import Bookmark
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.labelling.dataset_sync import DatasetSync
from mia_tui.tui.labelling.fingerprints import finish_fingerprints
from mia_tui.tui.labelling.idle_tasks import IDLE_S, use_idle_time
from mia_tui.tui.pictures.cache import Ready
from mia_tui.tui.pictures.image_view import ImageView
from mia_tui.tui.pictures.preload import Preload
from mia_tui.tui.quick_paint import paint_quickly

if TYPE_CHECKING:
    from mia_tui.tui.app import MiaApp

NARROW_COLUMNS = 100
"""In a narrower terminal the list gives its room to the image."""

_CLASS_LINES = 3
LOW_ROWS = 30
"""In a lower terminal classes have one line."""


class _Middle(Horizontal):
    BLANK = True  # nothing of its own to paint: Textual need not make lines for it


class LabelScreen(SessionScreen[None]):
    """One dataset being labelled.

    Args:
        desk: The dataset.
        context: What screens share.
        head_start: What was read of it already.
    """

    SCOPE = "label"
    BLANK = True
    commands: LabelCommands

    class HandedOver(Message):
        """From a thread: something that is to be done in the app's thread."""

        def __init__(self, act: Callable[[], None]) -> None:
            super().__init__()
            self.act = act

    def __init__(self, desk: LabelController, context: Context, head_start: Preload | None = None) -> None:
        super().__init__(desk, context)
        paint_quickly(self)
        self.glance = Glance(keep=context.user.keep_look)
        ink = context.ink
        self.commands = LabelCommands(desk, self.glance, self, ink, auto=context.user.auto_advance)
        self.commands.by_name |= {
            "list": self._toggle_list,
            "home": self._go_home,
            **side_screens(desk, context, self.glance, self),
        }
        self._classes_shown = self.session.classes
        self._covered = False  # by another screen or a dialog
        self._busy_at = time.monotonic()  # when the last command began
        self._list_wanted: bool | None = None  # None: by the width of the terminal
        self._image = ImageView(context.terminal, context.link, self.write_terminal, id="image")
        self._frame = ClassFrame(self._image, ink, id="frame")
        self._list = ImageList(self.session, ink, id="list")
        self._bookmark = Bookmark(desk.dataset, self.session, context.state)
        self._arrival = DatasetSync(desk, self._bookmark, self)
        self._outside = BackgroundTasks(desk, context.state, self._arrival, self)
        self.commands.by_name["rescan"] = self._outside.rescan
        self._lines = LabelLines(
            self._facts,
            self._status,
            ink,
            desk=desk,
            arrival=self._arrival,
            glance=self.glance,
            image=self._image,
            is_idle=lambda: self.queue.idle,
        )
        self.say("" if recent_datasets() else first_hint(self.keys))
        self._pictures = Pictures(
            desk, context, self.glance, self._image, self, painted=self._take_view, head_start=head_start
        )

    def compose(self) -> ComposeResult:
        with _Middle(id="middle"):
            yield self._list
            yield self._frame
        yield self._facts
        yield self._class_bar
        yield self._status
        yield self._key_line

    def on_mount(self) -> None:
        self._list.styles.width = self.context.user.list_width
        self._outside.start()
        self.app.app_resume_signal.subscribe(self, lambda _: self._pictures.terminal_forgot())
        upkeep = use_idle_time(self.desk, is_idle=self._is_idle, remember=self.remember)
        self.run_worker(upkeep, name="upkeep")

    def on_unmount(self) -> None:
        self._outside.stop()
        self._pictures.close()
        self.desk.keeper.end()

    # For the commands and the arrival

    def say(self, message: str) -> None:
        self._lines.say(message)

    @property
    def page(self) -> int:
        return max(1, self._list.size.height - 1) if self._list.display else 10

    # What comes from threads

    def hand_over(self, act: Callable[[], None]) -> None:
        """For threads: have something done in the app's thread; after the screen has gone, nothing is."""
        self.post_from_thread(self.HandedOver(act))

    @on(HandedOver)
    def _do_handed_over(self, event: HandedOver) -> None:
        event.act()

    # What comes from the terminal

    def on_resize(self) -> None:
        self._image.window_changed()

    @on(ImageView.Resized)
    def _fit_panel(self) -> None:
        self.lay_out()
        self.show()

    @on(ImageList.Picked)
    def _pick_image(self, event: ImageList.Picked) -> None:
        if event.position < len(self.session.view):
            key = self.session.listing.key(
                int(self.session.view[event.position])
            )  # rows may change till then
            self.do(partial(self.commands.go_to, key))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        if self._image.region.contains(int(event.screen_x), int(event.screen_y)):
            self.do(partial(self.commands.move, by))

    def on_screen_suspend(self) -> None:
        self._covered = True
        self._pictures.withdraw()

    def on_screen_resume(self) -> None:
        self._covered = False
        self.show()

    def write_terminal(self, data: str) -> None:
        """Send bytes to the terminal without painting."""
        cast("MiaApp", self.app).write_terminal(data)

    # Workers

    async def obey_commands(self) -> None:
        await self._load()
        await super().obey_commands()

    @property
    def idle(self) -> bool:
        """Whether the scan is over, and all that comes of it is done."""
        return self._arrival.idle

    def _is_idle(self) -> bool:
        return time.monotonic() - self._busy_at > IDLE_S

    def command_begins(self) -> None:
        super().command_begins()
        self._busy_at = time.monotonic()

    def command_ended(self) -> None:
        self._lines.command_done()
        for warning in self.desk.warnings():
            self.tell(warning, warning=True)
        self.show()

    def command_is_slow(self, waiting: int) -> None:
        if not self._covered:
            self._lines.say_slow(waiting)

    async def _load(self) -> None:
        try:
            await self.desk.load()
        except MiaError as error:
            self.say_error(error)
        if len(self.session.listing):
            self._bookmark.go_back()
        self.lay_out()
        self.show()

    async def _go_home(self) -> None:
        self.leave()
        await finish_fingerprints(self.desk)
        self.dismiss()

    def leave(self) -> None:
        """Before it is closed: note where the person is, and leave no picture in the terminal."""
        self.remember()
        self._pictures.put_away()

    def remember(self) -> None:
        """Note where the person is, for the next time."""
        self._bookmark.remember()

    async def _toggle_list(self) -> None:
        self._list_wanted = not self._list.display
        self.lay_out()

    # Painting

    def lay_out(self) -> None:
        """Room for the list, lines for the classes."""
        narrow = self.size.width < NARROW_COLUMNS
        self._list.display = not narrow if self._list_wanted is None else self._list_wanted
        self._show_classes()
        most = 1 if self.size.height < LOW_ROWS else _CLASS_LINES
        self._class_bar.styles.height = self._class_bar.wanted_lines(self.size.width, most)

    def show(self, *, anew: bool = False) -> None:
        if anew:
            self._list.forget()
        if self._covered:
            return
        session, row = self.session, self.session.current_row
        self._list.update(self.desk.touched())
        state = None if row is None else session.state_of(row)
        self._frame.show(framing(state, self.context.ink, self.key("accept")))
        if session.classes != self._classes_shown:  # others may have added some: they may need more lines
            self._classes_shown = session.classes
            self.lay_out()
        else:
            self._show_classes()
        self._lines.show()
        if row is None:
            self._pictures.show_card(why_empty(session, self.key("filter"), growing=self._arrival.growing))
        else:
            self._pictures.show(row)

    def _show_classes(self) -> None:
        session = self.session
        self._class_bar.show(
            session.classes, session.tally.by_class, session.current_class, auto=self.commands.auto
        )

    def _take_view(self, ready: Ready) -> None:
        """An image is shown now, or it is said why it cannot be."""
        self.glance.view = ready.view
        self.call_after_refresh(self._outside.scan)
        row = self.session.listing.row(ready.wish.key)
        if row is not None and self.session.state_of(row).problem != ready.problem:
            self.session.set_problem(row, ready.problem, missing=ready.missing)
            self._list.update([row])
        self._lines.show()
