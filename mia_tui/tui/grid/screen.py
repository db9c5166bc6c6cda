"""The grid: many images at once; mark some and label all of them in one step.

Layout and handlers; what the keys do is in `commands`. The cursor is the
session's current image, which this screen shares with the labelling screen.
"""

import time
from dataclasses import replace
from functools import partial

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.message import Message

from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.rendering import DisplaySettings
from mia_tui.dataset.model import ImageKey
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.terminal.model import Terminal
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.grid.commands import GridCommands
from mia_tui.tui.grid.view import GridView
from mia_tui.tui.label.session_screen import SessionScreen, saving_words
from mia_tui.tui.label.words import filter_words, framing
from mia_tui.tui.pictures.cache import PictureCache, PictureRequest, PictureResult
from mia_tui.tui.widgets.text_line import Piece

_NEWS_S = 0.5
_LINE_S = 0.2  # after this time, a line of tiles is painted though some of its pictures are missing
_BUSY_S = 0.03
_PAGE_S = 0.5  # time to send the pictures of a page over a slow connection
_STEP_BYTES = 256
_NAME, _LEAST_NAME = 60, 20  # columns of a file's name below the tiles


class GridScreen(SessionScreen[bool]):
    """The images of a dataset as tiles. Ends with True if an image was opened, else False.

    Args:
        controller: The dataset.
        context: What screens share.

    Attributes:
        tiles: Shows the images.
    """

    SCOPE_NAME = "grid"
    MANUAL_PAGE = "labelling"
    commands: GridCommands

    class PictureMade(Message):
        """A picture is ready."""

        def __init__(self, ready: PictureResult) -> None:
            super().__init__()
            self.ready = ready

    def __init__(self, controller: LabelController, context: Context) -> None:
        super().__init__(controller, context)
        self.commands = GridCommands(controller, self, context.ink)
        self._message = ""
        self._came_from = self.session.current
        self._late: set[int] = set()  # positions whose picture is made but not painted
        self._painting = False  # whether a timer is set to paint them
        self._max_bytes: int | None = None
        terminal = _for_tiles(context.terminal)
        self.tiles = GridView(
            self.session, self._picture, terminal, context.flow_control, context.ink, id="grid"
        )
        self._picture_cache = PictureCache(
            controller.dataset,
            terminal,
            threads=2 if usable_cores() >= 4 else 1,
            on_ready=lambda ready: self.post_from_thread(self.PictureMade(ready)),
            max_megapixels=MAX_MEGAPIXELS,
        )

    def compose(self) -> ComposeResult:
        yield self.tiles
        yield self._facts
        yield self._class_bar
        yield self._messages
        yield self._status
        yield self.key_line

    def on_mount(self) -> None:
        self.set_interval(_NEWS_S, self.show)
        marked = self.session.selected_count
        if marked:
            keys = f"a class key labels them, {self.key('leave')} removes the marks"
            self.say(f"{counted(marked, 'image')} still marked: {keys}.")
        self.call_after_refresh(self.show)

    def on_resize(self) -> None:
        self.tiles.window_changed()

    def on_unmount(self) -> None:
        self._picture_cache.close()

    # For the commands

    def say(self, message: str) -> None:
        self._message = message

    def leave(self, *, opened: bool) -> None:
        row = None if opened or self._came_from is None else self.session.listing.row(self._came_from)
        if row is not None:
            self.session.go_to(row)
        self.dismiss(opened)

    # Messages

    @on(GridView.TileClicked)
    def _tile_clicked(self, event: GridView.TileClicked) -> None:
        if event.position >= len(self.session.view):
            return
        # Until the command runs, positions may change.
        key = self.session.listing.key(int(self.session.view[event.position]))
        self.queue.do(partial(self.commands.go_to, key, mark=event.mark, through=event.through))
        if event.opened:
            self.run_command("open")

    @on(GridView.Moved)
    def _see_others(self) -> None:
        self._order()
        self.tiles.update()

    @on(PictureMade)
    def _take_picture(self, event: PictureMade) -> None:
        """Paint lines of tiles when they are complete, or after `_LINE_S`."""
        ready = event.ready
        row = self.session.listing.row(ready.request.key)
        if row is not None and self.session.state_of(row).problem != ready.problem:
            self.session.set_problem(row, ready.problem, missing=ready.missing)
        places = [place for place in self.tiles.seen if int(self.session.view[place]) == row]
        if not places:
            return
        self._late.update(places)
        if not self._painting:
            self._paint_lines(time.monotonic() + _LINE_S)

    def on_screen_resume(self) -> None:
        self.show()

    # Painting

    def command_is_slow(self, waiting: int) -> None:
        if self.is_saving:
            self.say(saving_words(waiting))
            self._show_lines()

    def show(self) -> None:
        """Paint what has changed, by a key or by other people."""
        if not self.is_current or not self.tiles.size.width:
            return
        for warning in self.controller.warnings():
            self.show_message(warning, warning=True)
        self.tiles.update()
        self._class_bar.show(
            self.session.classes, self.session.counts.by_class, self.session.current_class, auto=False
        )
        self._show_lines()

    def _show_lines(self) -> None:
        session, ink = self.session, self.context.ink
        row, count = session.current_row, session.selected_count
        left: list[Piece] = [("No images", None)]
        right: list[Piece] = []
        shown = filter_words(session, self._facts.size.width, ink)
        if row is not None and session.position is not None:
            place = f"{session.position + 1:,}/{len(session.view):,}  "
            label = framing(session.state_of(row), ink, accept="").text
            room = self._facts.size.width - ink.width(ink.shown(f"{place}  {label}  {shown}"))
            label = label if room >= _LEAST_NAME else ""  # the filter is always shown
            room = self._facts.size.width - ink.width(ink.shown(f"{place}  {label}  {shown}"))
            name = ink.fit_left(session.listing.path(row), min(_NAME, room))
            left = [(place, Style(bold=True)), (name, None)]
            right = [(label, None)]
        if shown:
            right.append((f"  {shown}", ink.dim()))
        self._facts.show(left, right)
        marks = f"{self.key('mark')} marks"
        marked = f"{counted(count, 'image')} marked: a class key labels them" if count else marks
        words = f"{session.counts.labelled:,} labelled{ink.separator}{session.counts.left:,} left"
        self._status.show(
            [(self._message or marked, Style(bold=bool(self._message or count)))], [(words, ink.dim())]
        )

    # Pictures

    def _picture(self, key: ImageKey) -> PictureResult | None:
        return self._picture_cache.get(self._request(key))

    def _request(self, key: ImageKey) -> PictureRequest:
        return PictureRequest(key, DisplaySettings(), self.tiles.tile_layout.panel, self._max_bytes)

    def _order(self) -> None:
        """Request the pictures in view, then those of the next page, then of the page before."""
        seen, view = self.tiles.seen, self.session.view
        budget = self.context.flow_control.budget(_PAGE_S)
        self._max_bytes = (
            None
            if budget is None or not seen
            else max(_STEP_BYTES, budget // len(seen) // _STEP_BYTES * _STEP_BYTES)
        )
        more = len(seen)
        places = [*seen, *range(seen.stop, min(len(view), seen.stop + more))]
        places += range(max(0, seen.start - more), seen.start)
        self._late.intersection_update(seen)  # made already but not painted yet
        self._picture_cache.want(
            [self._request(self.session.listing.key(int(view[place]))) for place in places]
        )

    def _paint_lines(self, late_at: float) -> None:
        """Paint complete lines of tiles, after `late_at` all of them; none while pictures are being sent."""
        self._painting = False
        if not self.context.flow_control.busy:
            per_line, is_late = self.tiles.tile_layout.per_line, time.monotonic() >= late_at
            for line in {place // per_line for place in self._late}:
                places = [place for place in self.tiles.seen if place // per_line == line]
                if is_late or all(self._has_picture(place) for place in places):
                    self._late.difference_update(range(line * per_line, (line + 1) * per_line))
                    self.tiles.paint_line_of(line * per_line)
            self.tiles.update()
        if self._late:
            self._painting = True
            self.set_timer(_BUSY_S, partial(self._paint_lines, late_at))

    def _has_picture(self, place: int) -> bool:
        return self._picture(self.session.listing.key(int(self.session.view[place]))) is not None


def _for_tiles(terminal: Terminal) -> Terminal:
    """Tiles are half blocks on every terminal: dozens of pictures would fill its memory and the connection."""
    return replace(terminal, graphics="none" if terminal.graphics == "none" else "half")
