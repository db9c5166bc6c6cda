"""The labelling screen: an image, its frame, and one key for each image.

Layout and handlers. Keys become commands, obeyed one after the other; after
each, `_show` paints what is different.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer

from mia_tui.dataset.listing.lister import Found
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.pixels.reading import MAX_MEGAPIXELS
from mia_tui.dataset.recent import last_position, recent_datasets, remember_dataset
from mia_tui.dataset.wording import counted, name_some
from mia_tui.errors import DataError, MiaError
from mia_tui.tui.actions import bindings
from mia_tui.tui.context import Context
from mia_tui.tui.screens.label_commands import LabelCommands
from mia_tui.tui.screens.label_words import facts, framing, status
from mia_tui.tui.services.arrival import follow_files, take_suggestions
from mia_tui.tui.services.desk import Desk
from mia_tui.tui.services.fingerprints import take_fingerprints
from mia_tui.tui.services.glance import Glance
from mia_tui.tui.services.obeying import Command, CommandQueue
from mia_tui.tui.services.opening import Opening
from mia_tui.tui.services.prefetch import Prefetch, Ready
from mia_tui.tui.services.presenter import Presenter, Scene
from mia_tui.tui.widgets.class_bar import ClassBar
from mia_tui.tui.widgets.class_frame import ClassFrame
from mia_tui.tui.widgets.image_list import ImageList
from mia_tui.tui.widgets.image_view import ImageView
from mia_tui.tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from mia_tui.tui.app import MiaApp

Answer = TypeVar("Answer")

NARROW_COLUMNS = 100
"""In a narrower terminal the list gives its room to the image."""

_NEWS_S = 1.0
_CLASS_LINES = 3
_LOW_ROWS = 30  # in a lower terminal classes have one line
_AHEAD, _BEHIND = 3, 1
_IDLE_S = 2.0
_STILL_SAVING_S = 0.3

_ABOUT_FOLDERS = (
    "The folders look like classes: {}.\n\nTaken as classes, every image gets the label of its folder; you can "
    "correct them, and undo it all."
)
_FIRST_HINT = (
    "F1 assigns, F2 assigns and goes on; where F1 opens the terminal's help: = and Space. ? shows all keys."
)
_FOLDER_ANSWERS = (("No, I label by hand", False), ("Yes, take them", True))


class _Middle(Horizontal):
    BLANK = True  # nothing of its own to paint: Textual need not make lines for it


class LabelScreen(Screen[None]):
    """One dataset being labelled.

    Args:
        desk: The dataset.
        context: What screens share.
    """

    BINDINGS: ClassVar[list[BindingType]] = list(bindings())
    AUTO_FOCUS = ""
    BLANK = True

    class Made(Message):
        """A picture is ready."""

    class Listed(Message):
        """The scan found more images."""

        def __init__(self, paths: list[str]) -> None:
            super().__init__()
            self.paths = paths

    class Scanned(Message):
        """The scan is over."""

        def __init__(self, outcome: Found | DataError) -> None:
            super().__init__()
            self.outcome = outcome

    def __init__(self, desk: Desk, context: Context) -> None:
        super().__init__()
        self.desk, self.session, self.context = desk, desk.session, context
        self.glance = Glance(keep=context.user.keep_look)
        ink = context.ink
        self.commands = LabelCommands(desk, self.glance, self, ink, auto=context.user.auto_advance)
        self.commands.by_name |= {
            "list": self._toggle_list,
            "grid": self._open_grid,
            "classes": self._open_classes,
            "help": self._open_help,
            "home": self._go_home,
        }
        self.queue = CommandQueue(
            begin=self._begin, done=self._done, failed=self._say_failed, slow=self._say_slow
        )
        self._message = "" if recent_datasets() else _FIRST_HINT
        self._saving = ""
        self._visit: object = None  # what was noted last
        self._looked_at: ImageKey | None = None
        self._return_to = last_position(desk.dataset)
        self._scanned = False  # whether all files are known
        self.idle = False  # whether what comes of that is done, too
        self._covered = False  # by another screen or a dialog
        self._busy_at = time.monotonic()  # when the last command began
        self._list_wanted: bool | None = None  # None: by the width of the terminal
        self._growing = not len(self.session.listing)  # nothing known from the last time: take what is found
        self._image = ImageView(context.terminal, context.link, self._write, id="image")
        self._frame = ClassFrame(self._image, ink, id="frame")
        self._list = ImageList(self.session, ink, id="list")
        self._class_bar = ClassBar(ink, id="classes")
        self._facts, self._status = TextLine(ink, id="facts"), TextLine(ink, id="status")
        self._opening = Opening(
            desk.dataset,
            known=self.session.listing if len(self.session.listing) else None,
            frames="first",
            on_batch=lambda paths: self._tell(self.Listed(paths)),
            on_found=lambda found: self._tell(self.Scanned(found)),
            on_failed=lambda error: self._tell(self.Scanned(error)),
        )
        self._prefetch = Prefetch(
            desk.dataset,
            context.terminal,
            threads=2 if (os.cpu_count() or 1) >= 4 else 1,
            on_ready=lambda ready: self._tell(self.Made()),
            max_megapixels=MAX_MEGAPIXELS,
        )
        self._presenter = Presenter(
            self._prefetch,
            context.link,
            context.terminal,
            paint=self._paint,
            more=self._image.more,
            card=self._say_loading,
            write=self._write,
            later=_later,
        )

    def compose(self) -> ComposeResult:
        with _Middle(id="middle"):
            yield self._list
            yield self._frame
        yield self._facts
        yield self._class_bar
        yield self._status
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._list.styles.width = self.context.user.list_width
        self._opening.start()
        self.app.app_resume_signal.subscribe(self, lambda _: self._presenter.terminal_forgot())
        self.run_worker(self._obey(), group="commands", name="commands")
        self.run_worker(self._follow_news(), group="news", name="news")
        self.run_worker(self._use_idle_time(), group="idle", name="idle")

    def on_unmount(self) -> None:
        self._opening.stop()
        self._prefetch.close()
        self.desk.keeper.end()

    # For the commands

    def say(self, message: str) -> None:
        self._message = message

    async def ask(self, dialog: ModalScreen[Answer]) -> Answer | None:
        return await self.app.push_screen_wait(dialog)

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
        character = event.character
        if character is not None and len(character) == 1 and character.isalnum():
            event.stop()
            self.do(partial(self.commands.use_key, character))

    @on(Made)
    def _take_picture(self) -> None:
        self._presenter.ready()

    @on(Listed)
    def _take_paths(self, event: Listed) -> None:
        if self._growing:
            self.session.extend(event.paths)
            self._show()

    @on(Scanned)
    def _take_scan(self, event: Scanned) -> None:
        self._growing, self._scanned = False, True
        if isinstance(event.outcome, Found):
            self.run_worker(self._arrive(event.outcome), group="arrival", name="arrival")
        else:
            self.idle = True
            self._say_error(event.outcome)
            self._show()

    @on(ImageView.Resized)
    def _fit_panel(self) -> None:
        self._lay_out()
        self._show()

    @on(ImageList.Picked)
    def _pick_image(self, event: ImageList.Picked) -> None:
        self.do(partial(self.commands.go_to, int(self.session.view[event.position])))

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
        self._presenter.hide()
        self._image.withdraw()

    def on_screen_resume(self) -> None:
        self._covered = False
        self._show()

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

    def _begin(self) -> None:
        self._message = ""
        self._busy_at = time.monotonic()

    def _done(self) -> None:
        if self.queue.idle and self._saving:  # not at once: the next key may be on its way
            _later(_STILL_SAVING_S, self._stop_saying)
        self._show()

    def _stop_saying(self) -> None:
        if self.queue.idle and self._saving:
            self._saving = ""
            self._show_lines()

    def _say_failed(self, error: MiaError, dropped: int) -> None:
        self._say_error(error)
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
            self._say_error(error)
        if len(self.session.listing):
            self._return()
        self._lay_out()
        self._show()

    async def _follow_news(self) -> None:
        """What others label appears within a second or two."""
        failing = False
        while True:
            await asyncio.sleep(_NEWS_S)
            try:
                news = await self.desk.news()
            except MiaError as error:
                if not failing:
                    self._say_error(error)
                failing = True
                continue
            failing = False
            if news is not None:
                self._show()

    async def _use_idle_time(self) -> None:
        """Fingerprints of what was labelled, while nobody presses a key."""
        while True:
            await asyncio.sleep(_IDLE_S)
            self.remember()
            while time.monotonic() - self._busy_at > _IDLE_S:
                try:
                    if not await take_fingerprints(self.desk):
                        break
                except (
                    MiaError
                ):  # they spare somebody a search one day; the next label will say what is wrong
                    break

    async def _arrive(self, found: Found) -> None:
        """The scan is over: what it found is the dataset now. Keys are answered meanwhile."""
        try:
            await self._take_found(found)
            gc.freeze()  # what is loaded stays; see `start`
            gc.enable()
        except MiaError as error:
            self._say_error(error)
        self.idle = True
        if not self.session.classes and not self.desk.source and self.desk.class_folders() is not None:
            self.do(self._ask_about_folders)  # in its turn: never over a dialog that somebody is typing into
        self._show()

    async def _take_found(self, found: Found) -> None:
        listing = self.session.listing
        same = listing.same_images(found.listing)
        placed = None if same else await asyncio.to_thread(found.listing.rows_from, listing)
        self.session.replace_listing(found.listing, placed)
        self._return()
        self._show()
        try:
            notes = await follow_files(self.desk, found)
        except MiaError as error:  # labels that cannot be written can be looked at, and suggestions too
            self._say_error(error)
            notes = []
        for note in [*found.notes, *notes]:
            self.notify(note, severity="warning", markup=False)
        new = await self.desk.take_new_files()
        if new:
            self.notify(f"{counted(new, 'new image')} took the class of their folder.", markup=False)
        suggested = await take_suggestions(self.desk)
        if suggested:
            self._list.forget()
            self.notify(suggested, markup=False)

    def _return(self) -> None:
        """Go where the person was the last time, unless they have gone somewhere already."""
        row = None if self._return_to is None else self.session.listing.row(self._return_to)
        if row is not None and self.session.position == 0:
            self.session.go_to(row)
        self._return_to = None

    async def _ask_about_folders(self) -> None:
        """Folders that look like classes are taken for them only if the person says so."""
        folders = None if self.session.classes or self.desk.source else self.desk.class_folders()
        if folders is None:
            return
        from mia_tui.tui.screens.dialogs import Question

        named = name_some(f"{name} ({count:,})" for name, count in folders.items())
        if await self.ask(
            Question(
                "Are these folders classes?", _ABOUT_FOLDERS.format(named), _FOLDER_ANSWERS, letters=False
            )
        ):
            report = await self.desk.take_folders()
            self.say(f"{counted(report.changed, 'image')} labelled by their folders; ctrl+z undoes it.")

    async def _open_grid(self) -> None:
        from mia_tui.tui.screens.grid import (
            GridScreen,  # this and others below: 60 ms that the start need not take
        )

        if await self.app.push_screen_wait(GridScreen(self.desk, self.context)):
            self.glance.next_image()

    async def _open_classes(self) -> None:
        from mia_tui.tui.screens.classes import ClassesScreen

        chosen = await self.ask(ClassesScreen(self.desk, self.context))
        if chosen is not None:
            self.session.choose_class(chosen)
        self._lay_out()

    async def _open_help(self) -> None:
        from mia_tui.tui.screens.help import HelpScreen

        await self.ask(HelpScreen(self.context))

    async def _go_home(self) -> None:
        self.remember()
        self.dismiss()

    def remember(self) -> None:
        """Note where the person was, for the next time."""
        session = self.session
        images, labels = len(session.listing), session.labelled
        visit = (session.current, images, labels)
        if visit != self._visit:
            self._visit = visit
            path, state = self.desk.dataset, self.context.state
            remember_dataset(path, state, session.current, images=images, labels=labels)

    async def _toggle_list(self) -> None:
        self._list_wanted = not self._list.display
        self._lay_out()

    # Painting

    def _lay_out(self) -> None:
        """Room for the list, lines for the classes."""
        narrow = self.size.width < NARROW_COLUMNS
        self._list.display = not narrow if self._list_wanted is None else self._list_wanted
        self._show_classes()
        most = 1 if self.size.height < _LOW_ROWS else _CLASS_LINES
        self._class_bar.styles.height = self._class_bar.wanted_lines(self.size.width, most)

    def _show(self) -> None:
        """Paint what is different now."""
        if self._covered:
            return
        session, row = self.session, self.session.current_row
        self._list.update(self.desk.touched())
        self._frame.show(framing(None if row is None else session.state_of(row), self.context.ink))
        self._show_classes()
        self._show_lines()
        if row is None:
            self._presenter.hide()
            self._image.show_card(self._why_empty())
            return
        key = session.listing.key(row)
        if key != self._looked_at:
            self._looked_at = key
            self.glance.next_image()
        ahead = tuple(session.listing.key(other) for other in session.neighbours(_AHEAD, _BEHIND))
        self._presenter.show(Scene(key, self.glance.look, self._image.panel, ahead))

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
            scanned=self._scanned,
        )
        self._status.show(*line)

    def _why_empty(self) -> str:
        if self._growing:
            return "Looking for images"
        return "No image is like that: F5 shows others" if len(self.session.listing) else "No images"

    def _paint(self, ready: Ready, part_bytes: int | None) -> None:
        self.glance.view = view = ready.view
        if view is not None and self.context.terminal.graphics == "none":
            size = f"{view.image_width:,} x {view.image_height:,} pixels"
            self._image.show_card(ready.wish.key.path, size, "This terminal shows no images")
        elif ready.picture is not None:
            self._image.show(ready.picture, part_bytes=part_bytes)
        else:
            self._image.show_card(
                "This image cannot be shown",
                ready.problem or "",
                "F4 skips it; F1 and F2 label it all the same",
            )
        row = self.session.listing.row(ready.wish.key)
        if row is not None and self.session.state_of(row).problem != ready.problem:
            self.session.set_problem(row, ready.problem)
            self._list.update([row])
        self._show_lines()

    def _say_loading(self, key: ImageKey) -> None:
        self._image.show_card(f"Loading {key.path}")

    def _say_error(self, error: MiaError) -> None:
        self.notify(str(error), severity="error", timeout=2 * self.context.user.toast_s, markup=False)


def _later(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
    return asyncio.get_running_loop().call_later(seconds, action).cancel
