"""The labelling screen: an image, its frame, and one key for each image.

Layout and handlers. Keys become commands, which run one after the
other; after each, `show` paints what is different.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from mia_tui.config.user.kept import keep, kept_settings
from mia_tui.dataset.recent import recent_datasets
from mia_tui.dataset.session.session import RowState
from mia_tui.errors import MiaError
from mia_tui.tui.classes.class_frame import ClassFrame, Framing
from mia_tui.tui.context import Context
from mia_tui.tui.controller.bookmark import Bookmark
from mia_tui.tui.controller.idle_tasks import IDLE_S, finish_fingerprints, use_idle_time
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.background_tasks import BackgroundTasks
from mia_tui.tui.label.commands import LabelCommands, begins_in_auto
from mia_tui.tui.label.dataset_sync import DatasetSync
from mia_tui.tui.label.image_list import ImageList
from mia_tui.tui.label.left_column import LOW_ROWS, LeftColumn
from mia_tui.tui.label.picture.current_picture import CurrentPicture
from mia_tui.tui.label.picture.pointer import ImagePointer
from mia_tui.tui.label.picture.scale_bar import scale_bar
from mia_tui.tui.label.picture.view_settings import ViewSettings
from mia_tui.tui.label.session_screen import SessionScreen, saving_words
from mia_tui.tui.label.stacks import choose_stacks
from mia_tui.tui.label.suggestions.asked_network import AskedNetwork
from mia_tui.tui.label.suggestions.probabilities import ProbabilityReader
from mia_tui.tui.label.words import (
    class_key_hint,
    dispute_hint,
    facts,
    first_hint,
    framing,
    status,
    why_empty,
)
from mia_tui.tui.later import later
from mia_tui.tui.pictures.cache import PictureResult
from mia_tui.tui.pictures.image_view import ImageView
from mia_tui.tui.pictures.preload import Preload
from mia_tui.tui.widgets.mouse import RIGHT_BUTTON

if TYPE_CHECKING:
    from mia_tui.tui.app import MiaApp
    from mia_tui.tui.mosaic.tile_pictures import TilePictures

_CLASS_LINES = 3

_STILL_SAVING_S = 0.3


class _Middle(Horizontal):
    BLANK = True  # nothing of its own to paint: Textual need not make lines for it


class LabelScreen(SessionScreen[None]):
    """One dataset being labelled.

    Args:
        controller: The dataset.
        context: What screens share.
        preload: What was read of the dataset already.
    """

    SCOPE_NAME = "label"
    MANUAL_PAGE = "labelling"
    BLANK = True
    commands: LabelCommands

    class HandedOver(Message):
        """From a thread: something to do in the app's thread."""

        def __init__(self, act: Callable[[], None]) -> None:
            super().__init__()
            self.act = act

    def __init__(self, controller: LabelController, context: Context, preload: Preload | None = None) -> None:
        super().__init__(controller, context)
        kept = kept_settings()
        self._view_settings = ViewSettings(keep=context.user.keep_look, centre_mark=bool(kept.centre_mark))
        ink = context.ink
        self.asked_network = AskedNetwork(
            controller, context.state, ink, hand_over=self.hand_over, show=self.show, fail=self.show_error
        )
        self.commands = LabelCommands(
            controller, self._view_settings, self, ink, auto=begins_in_auto(context.user)
        )
        self.commands.by_name |= {
            "list": self._toggle_list,
            "probabilities": self._next_probability_order,
            "scale_bar": self._toggle_scale_bar,
            "home": self._go_home,
            "import": self._import_labels,
            "export": self._export_labels,
        }
        self._review, self._was_blind = self.commands.reviewing.review, False
        self._framing = Framing("", "none")
        self._classes_shown = self.session.classes
        self._covered = False  # by another screen or a dialog
        self._busy_at = time.monotonic()  # when the last command began
        self._has_scale_bar = kept.scale_bar is not False
        self._scale_bar = ""  # of the picture that is painted
        self._had_probabilities = False
        self._image = ImageView(context.terminal, context.flow_control, self.write_terminal, id="image")
        self._pointer = ImagePointer(
            self._image, self._view_settings, self, wheel_zooms=context.user.wheel == "zoom"
        )
        self._frame = ClassFrame(self._image, ink, id="frame")
        self._probabilities = ProbabilityReader(
            controller, self.asked_network, hand_over=self.hand_over, show=self.show
        )
        self._left = LeftColumn(self.session, self._probabilities, ink, columns=context.user.list_width)
        self._bookmark = Bookmark(controller.dataset, self.session, context.state)
        self._dataset_sync = DatasetSync(controller, self._bookmark, self)
        self._background_tasks = BackgroundTasks(controller, context.state, self._dataset_sync, self)
        rescan = self._background_tasks.rescan
        self.commands.by_name["rescan"] = rescan
        self.commands.by_name["stacks"] = lambda: choose_stacks(self.controller, self, rescan)
        self._message = "" if recent_datasets() else first_hint(self.keys)
        self._saving = ""  # that a command takes long; shown while there is no message
        self._work = ""  # how far the runs at work are
        self._lines_are_due = True
        self._scan_is_due = True
        self._accept_key = self.key("accept")
        self._tile_pictures: TilePictures | None = None
        self._picture = CurrentPicture(
            controller,
            context,
            self._view_settings,
            self._image,
            self,
            heat=self.asked_network.heat_on,
            upcoming=self.commands.moving.upcoming,
            painted=self._take_picture,
            preload=preload,
        )

    def compose(self) -> ComposeResult:
        with _Middle(id="middle"):
            yield self._left
            yield self._frame
        yield self._facts
        yield self._class_bar
        yield self._messages
        yield self._status
        yield self.key_line

    def on_mount(self) -> None:
        self._background_tasks.start()
        self.controller.live.listeners.append(self.show)
        self.app.app_resume_signal.subscribe(self, lambda _: self._picture.terminal_forgot())
        idle_work = use_idle_time(self.controller, is_idle=self._is_idle, remember=self.remember)
        self.run_worker(idle_work, name="idle tasks")

    def on_unmount(self) -> None:
        self._background_tasks.stop()
        self.controller.live.stop()
        self.asked_network.close()
        self._probabilities.close()
        self._picture.close()
        if self._tile_pictures is not None:
            self._tile_pictures.close()
        self.controller.store_thread.end()

    def opens(self, command: str) -> bool:
        """As every screen says; without a class, the first one is asked for."""
        return super().opens(command) or (command in ("assign", "assign_next") and not self.session.classes)

    def seen(self, row: int) -> RowState:
        """The state of an image as it is shown: what a network that is asked says of it, and a review asks about."""
        key = self.session.listing.key(row)
        return self._review.seen(key, self.asked_network.seen(key, self.session.state_of(row)))

    # For the commands and the background tasks

    @property
    def tile_pictures(self) -> "TilePictures":
        """The pictures of the grid's tiles, which are kept while the dataset is open."""
        if self._tile_pictures is None:
            from mia_tui.tui.mosaic.tile_pictures import TilePictures

            context, dataset = self.context, self.controller.dataset
            self._tile_pictures = TilePictures(dataset, context.terminal, context.flow_control)
        view = self._view_settings.view
        if view is not None:
            self._tile_pictures.expect(view.image_width, view.image_height)
        return self._tile_pictures

    def say(self, message: str) -> None:
        """A sentence in the status line, until the next command; painted by the next `show`."""
        self._message = message

    def say_work(self, words: str) -> None:
        """How far the runs of this dataset are that are at work; empty if none is."""
        self._work = words
        if not self._covered:
            self._show_lines()

    @property
    def page(self) -> int:
        """Images on a page of the list."""
        return self._left.page

    # What comes from threads

    def hand_over(self, act: Callable[[], None]) -> None:
        """For threads: do something in the app's thread, unless the screen was closed."""
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

    @on(ImageList.ImageClicked)
    def _image_clicked(self, event: ImageList.ImageClicked) -> None:
        if event.position < len(self.session.view):
            row = int(self.session.view[event.position])
            key = self.session.listing.key(row)  # rows may change until the command runs
            commands = self.commands
            self.queue.do(
                partial(commands.ask_about if event.asks else commands.go_to, key), opens=event.asks
            )

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._pointer.wheel(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._pointer.wheel(event, -1)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._pointer.pressed(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._pointer.moved(event)

    def on_mouse_up(self) -> None:
        self._pointer.released()

    def on_click(self, event: events.Click) -> None:
        """On the image; a click on something else stops there."""
        if not self._image.region.contains(int(event.screen_x), int(event.screen_y)):
            return
        if event.button == RIGHT_BUTTON and self.session.current is not None:
            self.queue.do(partial(self.commands.ask_about, self.session.current), opens=True)
        elif event.chain == 2:
            self._pointer.double_clicked(event)

    def on_screen_suspend(self) -> None:
        self._covered = True
        self.controller.live.look_at(None)
        self._picture.withdraw()

    def on_screen_resume(self) -> None:
        self._covered = False
        self.show()

    def write_terminal(self, data: str) -> None:
        """Send bytes to the terminal without painting."""
        cast("MiaApp", self.app).write_terminal(data)

    # Workers

    @property
    def idle(self) -> bool:
        """Whether the scan is over, and everything that follows from it is done."""
        return self._dataset_sync.idle

    def _is_idle(self) -> bool:
        return time.monotonic() - self._busy_at > IDLE_S

    def command_begins(self) -> None:
        super().command_begins()
        self._busy_at = time.monotonic()

    def command_ended(self) -> None:
        if self._saving and self.queue.idle:  # not at once, since the next key may follow soon
            later(_STILL_SAVING_S, self._stop_saying)
        for warning in self.controller.warnings():
            self.show_message(warning, warning=True)
        self.show()
        if self.queue.idle:  # the keys of a burst are painted together
            self.paint_now()
            self.controller.live.painted()

    def command_is_slow(self, waiting: int) -> None:
        if not self._covered and (waiting or self.is_saving):
            self._saving = saving_words(waiting)
            self._show_lines()

    def _stop_saying(self) -> None:
        if self._saving and self.queue.idle:
            self._saving = ""
            self._show_lines()

    async def load(self) -> None:
        try:
            await self.controller.load()
        except MiaError as error:
            self.show_error(error)
        if len(self.session.listing):
            self._bookmark.go_back()
        self.lay_out()
        self.show()

    async def _go_home(self) -> None:
        self.leave()
        await finish_fingerprints(self.controller)
        self.dismiss()

    def leave(self) -> None:
        """Before it is closed: save where the person is, and leave no picture in the terminal."""
        self.remember()
        self._picture.put_away()
        if self._tile_pictures is not None:
            self.write_terminal(self._tile_pictures.held.deleting_all())

    def remember(self) -> None:
        """Save where the person is, for the next time."""
        self._bookmark.remember()

    async def _import_labels(self) -> None:
        from mia_tui.tui.interchange.import_flow import LabelImport

        if not self.idle:
            self.say("The search for images is not over yet; labels can be imported then.")
            return
        await LabelImport(self.controller, self).ask()

    async def _export_labels(self) -> None:
        from mia_tui.tui.interchange.export_flow import LabelExport

        await LabelExport(self.controller, self).ask()

    async def _toggle_list(self) -> None:
        self._left.toggle_list()
        self.lay_out()

    async def _next_probability_order(self) -> None:
        """Show the probabilities in another order, or hide them."""
        if not self._probabilities.has_some:
            predict, ask = self.key("predict"), self.key("ask")
            self.say(f"No model has said anything yet: {predict} makes suggestions, {ask} asks a network.")
            return
        self.say(self._left.next_probability_order())
        self.lay_out()

    async def _toggle_scale_bar(self) -> None:
        self._has_scale_bar = not self._has_scale_bar
        keep(scale_bar=self._has_scale_bar)
        self._show_scale_bar()
        view = self._view_settings.view
        if view is not None and view.scene.pixel_um is None:
            self.say("This file does not say how large a pixel is.")
        else:
            self.say("The scale bar is shown." if self._has_scale_bar else "The scale bar is hidden.")

    # Painting

    def lay_out(self) -> None:
        """Make room for the list, the probabilities, and the lines of classes."""
        new = self.asked_network.new_classes if self.asked_network.is_on else self.session.new_classes
        self._left.lay_out(self.size, len(new), is_hidden=self._review.is_blind)
        self._show_classes()
        most = 1 if self.size.height < LOW_ROWS else _CLASS_LINES
        self._class_bar.styles.height = self._class_bar.wanted_lines(self.size.width, most)

    def show(self) -> None:
        """Paint what is different now."""
        if self._covered:
            return
        session, row = self.session, self.session.current_row
        self.controller.live.look_at(row)
        if session.classes != self._classes_shown:  # others may have added some: they may need more lines
            self._classes_shown = session.classes
            self._left.list.forget()
            self.lay_out()
        else:
            self._show_classes()
        network = self.asked_network
        if self._review.is_blind != self._was_blind:
            self._was_blind = self._review.is_blind
            self.lay_out()
        if network.is_on and not self._was_blind:
            network.look_at(session.current)
        state = None if row is None else self.seen(row)
        compared = session.compared_model if session.filter.state == "models_differ" else ""
        if self._probabilities.has_some != self._had_probabilities:  # the list gives or gets its lines
            self._had_probabilities = self._probabilities.has_some
            self.lay_out()
        found = self._review.probabilities(session.current)
        self._left.show(self.controller.changed_rows(), row, state, found)
        model = self._review.model(session.current) or network.model or session.model
        has_others = not (self._left.shows_probabilities or self._was_blind or found)
        others = self._probabilities.after_best(row, state) if has_others else ()
        framed = framing(state, self.context.ink, self._accept_key, model, compared, others)
        framed = Framing("audit", "none") if self._was_blind else framed
        self._framing = replace(framed, below=self._scale_bar)
        self._frame.show(self._framing)
        self._lines_are_due = True
        if row is None:
            growing = self._dataset_sync.growing
            self._picture.show_card(why_empty(session, self.key("filter"), growing=growing))
        else:
            self._picture.show(row)
        if self._lines_are_due:  # they were not shown with the picture
            self._show_lines()

    def _show_scale_bar(self) -> None:
        """Of the picture that is painted now."""
        view, picture = self._view_settings.view, self._image.picture
        size = None if view is None else view.scene.pixel_um
        self._scale_bar = ""
        if self._has_scale_bar and view is not None and picture is not None and size is not None:
            um_per_cell = view.width * size[0] / max(1, picture.columns)
            self._scale_bar = scale_bar(um_per_cell, picture.columns, self.context.ink)
        self._framing = replace(self._framing, below=self._scale_bar)
        self._frame.show(self._framing)

    def _show_classes(self) -> None:
        session = self.session
        self._class_bar.show(
            session.classes, session.counts.by_class, session.current_class, auto=self.commands.labels_at_once
        )

    def _show_lines(self) -> None:
        """What the image is, and how the work stands, with a sentence about the last command."""
        self._lines_are_due = False
        controller, settings, ink = self.controller, self._view_settings, self.context.ink
        box_px, columns = self._image.panel.box_px, self._facts.size.width
        blind = self._review.is_blind
        self._facts.show(
            *facts(self.session, settings.view, box_px, settings.words(), ink, columns, is_named=not blind)
        )
        line = status(
            self.session,
            controller.saved,
            controller.annotator,
            self._message or self._saving or ("" if blind else self.asked_network.words),
            time.monotonic(),
            ink,
            scanned=self._dataset_sync.scanned,
            useful_first=self.commands.useful.is_on,
        )
        self._status.show(*line)
        room = columns - ink.width(self._work)
        of_disputes = dispute_hint(self.session, self._accept_key, ink)
        hint = (
            self._review.hint(self.key, room)
            or of_disputes
            or class_key_hint(
                self.session.classes,
                auto=self.commands.auto,
                keys=(self.key("assign"), self.key("assign_next")),
                auto_key=self.key("auto"),
                columns=room,
                ink=ink,
            )
        )
        self._messages.show(hint, [(self._work, ink.dim())] if self._work else [])

    def _take_picture(self, result: PictureResult) -> None:
        """A picture is painted now, or a card that says why there is none."""
        self._view_settings.view = result.view
        self._show_scale_bar()
        if self._scan_is_due:
            self._scan_is_due = False
            self.call_after_refresh(self._background_tasks.scan)
        key, session = result.request.key, self.session
        row = session.current_row if key == session.current else session.listing.row(key)
        if row is not None and self.session.state_of(row).problem != result.problem:
            self.session.set_problem(row, result.problem, missing=result.missing)
            self._left.list.update([row])
        self._show_lines()
