"""The grid: many images at once; mark some and label all of them in one step.

Layout and handlers; what the keys do is in `commands`. The cursor is the
session's current image, which this screen shares with the labelling screen.
"""

import time
from functools import partial

from rich.style import Style
from textual import on
from textual.app import ComposeResult

from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.grid.commands import GridCommands
from mia_tui.tui.grid.view import SessionTiles
from mia_tui.tui.label.words import filter_words, framing, tile_key_hint
from mia_tui.tui.mosaic.mosaic import Mosaic
from mia_tui.tui.mosaic.tile_pictures import TilePictures
from mia_tui.tui.mosaic.tile_screen import TileScreen
from mia_tui.tui.widgets.text_line import Piece

_NAME, _LEAST_NAME = 60, 20  # columns of a file's name below the tiles


class GridScreen(TileScreen):
    """The images of a dataset as tiles. Ends with True if an image was opened, else False.

    Args:
        controller: The dataset.
        context: What screens share.
        pictures: Those of the tiles; they are kept when the grid is left. None makes some for this screen alone.
    """

    SCOPE_NAME = "grid"
    MANUAL_PAGE = "labelling"
    commands: GridCommands

    def __init__(
        self, controller: LabelController, context: Context, pictures: TilePictures | None = None
    ) -> None:
        self._own_pictures: TilePictures | None = None
        if pictures is None:
            pictures = TilePictures(controller.dataset, context.terminal, context.flow_control)
            self._own_pictures = pictures
        super().__init__(controller, context, pictures)
        self.commands = GridCommands(controller, self, context.ink)
        self._came_from = self.session.current
        tiles = SessionTiles(self.session, context.ink)
        self.tiles = Mosaic(tiles, pictures, context.flow_control, context.ink, id="grid")

    def compose(self) -> ComposeResult:
        yield self.tiles
        yield self._facts
        yield self._class_bar
        yield self._messages
        yield self._status
        yield self.key_line

    def on_mount(self) -> None:
        marked = self.session.selected_count
        if marked:
            keys = f"a class key labels them, {self.key('leave')} removes the marks"
            self.say(f"{counted(marked, 'image')} still marked: {keys}.")

    def on_unmount(self) -> None:
        if self._own_pictures is not None:
            self._own_pictures.close()

    # For the commands

    def leave(self, *, opened: bool) -> None:
        row = None if opened or self._came_from is None else self.session.listing.row(self._came_from)
        if row is not None:
            self.session.go_to(row)
        super().leave(opened=opened)

    def note_seen(self) -> None:
        """Note which images are on the screen now, with what is suggested for them."""
        session, shown = self.session, {}
        for key in self.tiles.keys_painted if self.is_current else ():
            row = session.listing.row(key)
            suggestion = None if row is None else session.state_of(row).suggestion
            shown[key] = 0 if suggestion is None else suggestion.id
        self.controller.seen.look(shown, time.monotonic())

    # Messages

    @on(Mosaic.TileClicked)
    def _tile_clicked(self, event: Mosaic.TileClicked) -> None:
        if event.position >= len(self.session.view):
            return
        # Until the command runs, positions may change.
        key = self.session.listing.key(int(self.session.view[event.position]))
        if event.asks:
            self.queue.do(partial(self.commands.ask_about, key), opens=True)
            return
        self.queue.do(partial(self.commands.go_to, key, mark=event.mark, through=event.through))
        if event.opened:
            self.run_command("open")

    def on_screen_suspend(self) -> None:
        """Textual calls the method of the superclass, too, after this one."""
        self.note_seen()

    # Painting

    def paint(self) -> None:
        self.note_seen()
        self.tiles.update()
        self.note_seen()
        self._class_bar.show(
            self.session.classes, self.session.counts.by_class, self.session.current_class, auto=False
        )

    def show_lines(self) -> None:
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
            name = ink.fit_left(session.name_of(row, session.position), min(_NAME, room))
            left = [(place, Style(bold=True)), (name, None)]
            right = [(label, None)]
        if shown:
            right.append((f"  {shown}", ink.dim()))
        self._facts.show(left, right)
        marks = f"{self.key('mark')} marks"
        if session.filter.state == "suggested":
            marks += f" what is wrong; {self.key('take_seen')} takes the other suggestions that you have seen"
        marked = f"{counted(count, 'image')} marked: a class key labels them" if count else marks
        self._messages.show(tile_key_hint(session.classes, count, ink))
        words = f"{session.counts.labelled:,} labelled{ink.separator}{session.counts.left:,} left"
        self._status.show([(self.said or marked, Style(bold=bool(self.said or count)))], [(words, ink.dim())])
