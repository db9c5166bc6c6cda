"""The labelling screen: an image, its frame, and one key for each image.

Layout and handlers. Keys become commands, obeyed one after the other; after
each, `show` paints what is different.
"""

import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.lister import Found
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import recent_datasets
from mia_tui.dataset.wording import counted
from mia_tui.errors import DataError, MiaError
from mia_tui.tui.context import Context
from mia_tui.tui.key_bindings import bind_keys, key_hints, keys_of, obey_key, said_key
from mia_tui.tui.quick_paint import paint_quickly
from mia_tui.tui.screens.label_commands import LabelCommands
from mia_tui.tui.screens.label_pictures import Pictures, later
from mia_tui.tui.screens.label_words import facts, first_hint, framing, status
from mia_tui.tui.screens.side_screens import side_screens
from mia_tui.tui.services.arrival import Arrival, take_suggestions
from mia_tui.tui.services.bookmark import Bookmark
from mia_tui.tui.services.desk import Desk
from mia_tui.tui.services.glance import Glance
from mia_tui.tui.services.head_start import HeadStart
from mia_tui.tui.services.obeying import Command, CommandQueue
from mia_tui.tui.services.opening import Opening
from mia_tui.tui.services.prefetch import Ready
from mia_tui.tui.services.presenter import Scene
from mia_tui.tui.services.upkeep import IDLE_S, follow_news, use_idle_time
from mia_tui.tui.widgets.class_bar import ClassBar
from mia_tui.tui.widgets.class_frame import ClassFrame
from mia_tui.tui.widgets.image_list import ImageList
from mia_tui.tui.widgets.image_view import ImageView
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from mia_tui.tui.app import MiaApp
    from mia_tui.tui.services.run_news import RunNews, RunNewsWatch

Answer = TypeVar("Answer")

NARROW_COLUMNS = 100
"""In a narrower terminal the list gives its room to the image."""

_CLASS_LINES = 3
_LOW_ROWS = 30  # in a lower terminal classes have one line
_AHEAD, _BEHIND = 3, 1
_STILL_SAVING_S = 0.3
_SCAN_BY_S = 0.5  # the scan begins by then, even where no picture comes
_RUNS_AFTER_S = 2.0  # runs are looked at when the first pictures have come


class _Middle(Horizontal):
    BLANK = True  # nothing of its own to paint: Textual need not make lines for it


class LabelScreen(Screen[None]):
    """One dataset being labelled.

    Args:
        desk: The dataset.
        context: What screens share.
        head_start: What was read of it already.
    """

    SCOPE = "label"
    AUTO_FOCUS = ""
    BLANK = True

    class Made(Message):
        """A picture is ready."""

    class Listed(Message):
        """The scan found more images."""

        def __init__(self, part: ListingArrays) -> None:
            super().__init__()
            self.part = part

    class RunsTold(Message):
        """Something became of the dataset's runs."""

        def __init__(self, news: "RunNews") -> None:
            super().__init__()
            self.news = news

    class Scanned(Message):
        """The scan is over."""

        def __init__(self, outcome: Found | DataError) -> None:
            super().__init__()
            self.outcome = outcome

    def __init__(self, desk: Desk, context: Context, head_start: HeadStart | None = None) -> None:
        super().__init__()
        bind_keys(self, self.SCOPE, context.user.keys)
        self._key_line = KeyLine(context.ink, key_hints(self.SCOPE, context.user.keys), bare=True)
        self._keys = keys_of(self.SCOPE, context.user.keys)
        paint_quickly(self)
        self.desk, self.session, self.context = desk, desk.session, context
        self.glance = Glance(keep=context.user.keep_look)
        ink = context.ink
        self.commands = LabelCommands(desk, self.glance, self, ink, auto=context.user.auto_advance)
        self.commands.by_name |= {
            "list": self._toggle_list,
            "home": self._go_home,
            **side_screens(desk, context, self.glance, self),
        }
        self.queue = CommandQueue(
            begin=self._begin, done=self._done, failed=self._say_failed, slow=self._say_slow
        )
        self._message = "" if recent_datasets() else first_hint(self._keys)
        self._saving = ""
        self._looked_at: ImageKey | None = None
        self._classes_shown = self.session.classes
        self._covered = False  # by another screen or a dialog
        self._busy_at = time.monotonic()  # when the last command began
        self._runs: RunNewsWatch | None = None
        self._list_wanted: bool | None = None  # None: by the width of the terminal
        self._image = ImageView(context.terminal, context.link, self._write, id="image")
        self._frame = ClassFrame(self._image, ink, id="frame")
        self._list = ImageList(self.session, ink, id="list")
        self._class_bar = ClassBar(ink, adds=self.key("classes"), finds=self.key("pick"), id="classes")
        self._facts, self._status = (TextLine(ink, id=name, bare=True) for name in ("facts", "status"))
        self._bookmark = Bookmark(desk.dataset, self.session, context.state)
        self._arrival = Arrival(desk, self._bookmark, self)
        self._opening = Opening(
            desk.dataset,
            known=self.session.listing if len(self.session.listing) else None,
            frames="first",
            on_batch=lambda part: self._tell(self.Listed(part)),
            on_found=lambda found: self._tell(self.Scanned(found)),
            on_failed=lambda error: self._tell(self.Scanned(error)),
        )
        self._pictures = Pictures(
            desk.dataset,
            context.terminal,
            context.link,
            self._image,
            made=lambda: self._tell(self.Made()),
            painted=self._take_view,
            write=self._write,
            unreadable=(
                f"{self.key('skip')} skips it; {self.key('assign')} and {self.key('assign_next')} label it "
                "all the same"
            ),
            head_start=head_start,
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
        if self._arrival.growing:
            self._opening.start()
        else:  # the images are known: looking what is new would hold up the first picture
            later(_SCAN_BY_S, self._opening.start)
        self.app.app_resume_signal.subscribe(self, lambda _: self._pictures.terminal_forgot())
        self.run_worker(self._obey(), name="commands")
        later(_RUNS_AFTER_S, self._watch_runs)
        self.run_worker(follow_news(self.desk, came=self.show, failed=self.say_error), name="news")
        upkeep = use_idle_time(self.desk, is_idle=self._is_idle, remember=self.remember)
        self.run_worker(upkeep, name="upkeep")

    def on_unmount(self) -> None:
        if self._runs is not None:
            self._runs.stop()
        self._opening.stop()
        self._pictures.close()
        self.desk.keeper.end()

    # For the commands and the arrival

    def say(self, message: str) -> None:
        self._message = message

    async def ask(self, dialog: Screen[Answer]) -> Answer | None:
        from mia_tui.tui.screens.overlay import Overlay  # a dialog has imported it

        answer = self.app.push_screen_wait(dialog)
        return await (self.desk.answered(answer) if isinstance(dialog, Overlay) else answer)

    def key(self, command: str) -> str:
        """The key of a command, as people read it."""
        return said_key(self.SCOPE, self._keys, command)

    async def confirm(self, title: str, text: str, *, no: str, yes: str) -> bool:
        from mia_tui.tui.screens.dialogs import Question

        return bool(await self.ask(Question(title, text, ((no, False), (yes, True)), letters=False)))

    def tell(self, message: str, *, warning: bool = False) -> None:
        self.notify(message, severity="warning" if warning else "information", markup=False)

    def say_error(self, error: MiaError) -> None:
        self.notify(str(error), severity="error", timeout=2 * self.context.user.toast_s, markup=False)

    @property
    def page(self) -> int:
        return max(1, self._list.size.height - 1) if self._list.display else 10

    # What comes from outside

    def action_obey(self, name: str) -> None:
        """A key, the palette or the footer asks for a command."""
        self.do(self.commands.by_name[name])

    def do(self, command: Command) -> None:
        """Obey a command when those before it are done."""
        self.queue.do(command)

    def on_key(self, event: events.Key) -> None:
        """Letters and digits belong to classes."""
        if obey_key(self, event):
            return
        character = event.character
        if character is not None and len(character) == 1 and character.isalnum():
            event.stop()
            self.do(partial(self.commands.use_key, character))

    @on(Made)
    def _take_picture(self) -> None:
        self._pictures.ready()

    @on(Listed)
    def _take_part(self, event: Listed) -> None:
        self._arrival.take_part(event.part)
        self._opening.taken()

    @on(Scanned)
    def _take_scan(self, event: Scanned) -> None:
        self.run_worker(self._arrival.take(event.outcome), name="arrival")

    def _watch_runs(self) -> None:
        # After the first picture, which need not wait for it.
        from mia_tui.tui.services.run_news import RunNewsWatch

        if self.is_running:
            self._runs = RunNewsWatch(
                self.desk.dataset, self.context.state, lambda news: self._tell(self.RunsTold(news))
            )
            self._runs.start()

    @on(RunsTold)
    async def _take_run_news(self, event: RunsTold) -> None:
        for sentence in event.news.ended:
            self.tell(f"{sentence} {self.key('runs')} shows it.")
        if event.news.suggested and self._arrival.idle:
            self.do(self._take_suggestions)

    async def _take_suggestions(self) -> None:
        suggested = await take_suggestions(self.desk)
        if suggested:
            self.show(anew=True)
            self.tell(suggested)

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
            )  # rows may be others till then
            self.do(partial(self.commands.go_to, key))

    @on(ClassBar.Picked)
    def _pick_class(self, event: ClassBar.Picked) -> None:
        self.do(partial(self.commands.use_class, event.class_id))

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

    def _tell(self, message: Message) -> None:
        """From a thread; after the screen has gone there is nobody to tell."""
        if self.is_running:
            self.post_message(message)

    def _write(self, data: str) -> None:
        cast("MiaApp", self.app).write_terminal(data)

    # Workers

    async def _obey(self) -> None:
        await self._load()
        await self.queue.run()

    @property
    def idle(self) -> bool:
        """Whether the scan is over, and all that comes of it is done."""
        return self._arrival.idle

    def _is_idle(self) -> bool:
        return time.monotonic() - self._busy_at > IDLE_S

    def _begin(self) -> None:
        self._message = ""
        self._busy_at = time.monotonic()

    def _done(self) -> None:
        if self.queue.idle and self._saving:  # not at once: the next key may be on its way
            later(_STILL_SAVING_S, self._stop_saying)
        for warning in self.desk.warnings():
            self.tell(warning, warning=True)
        self.show()

    def _stop_saying(self) -> None:
        if self.queue.idle and self._saving:
            self._saving = ""
            self._show_lines()

    def _say_failed(self, error: MiaError, dropped: int) -> None:
        self.say_error(error)
        if dropped:
            text = f"{counted(dropped, 'key')} pressed meanwhile had no effect."
            self.notify(text, severity="warning", markup=False)

    def _say_slow(self, waiting: int) -> None:
        if not self._covered and (waiting or self.desk.keeper.busy_since is not None):
            self._saving = "Saving" + (f", {counted(waiting, 'key')} waiting" if waiting else "")
            self._show_lines()

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
        self.remember()
        self.dismiss()

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
        most = 1 if self.size.height < _LOW_ROWS else _CLASS_LINES
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
        self._show_lines()
        if row is None:
            self._pictures.show_card(self._why_empty())
            return
        key = session.listing.key(row)
        if key != self._looked_at:
            self._looked_at = key
            self.glance.next_image()
        if not self._image.size:  # not laid out yet: a picture for no room would only be in the way
            return
        ahead = tuple(session.listing.key(other) for other in session.neighbours(_AHEAD, _BEHIND))
        self._pictures.show(Scene(key, self.glance.look, self._image.panel, ahead))

    def _show_classes(self) -> None:
        session = self.session
        self._class_bar.show(
            session.classes, session.counts(), session.current_class, auto=self.commands.auto
        )

    def _show_lines(self) -> None:
        ink, now = self.context.ink, time.monotonic()
        box_px = self._image.panel.box_px
        self._facts.show(*facts(self.session, self.glance.view, box_px, self.glance.words(), ink))
        line = status(
            self.session,
            self.desk.saved,
            self.desk.annotator,
            self._saving or self._message,
            now,
            ink,
            scanned=self._arrival.scanned,
        )
        self._status.show(*line)

    def _why_empty(self) -> str:
        if self._arrival.growing:
            return "Looking for images"
        if not len(self.session.listing):
            return "No images"
        return f"No image is like that: {self.key('filter')} shows others"

    def _take_view(self, ready: Ready) -> None:
        """An image is shown now, or it is said why it cannot be."""
        self.glance.view = ready.view
        self.call_after_refresh(self._opening.start)
        row = self.session.listing.row(ready.wish.key)
        if row is not None and self.session.state_of(row).problem != ready.problem:
            self.session.set_problem(row, ready.problem, missing=ready.missing)
            self._list.update([row])
        self._show_lines()
