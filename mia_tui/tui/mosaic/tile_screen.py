"""What the grid and the pages of look-alikes have in common: a screen that shows images of a dataset as tiles."""

from textual import on

from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.session_screen import SessionScreen, saving_words
from mia_tui.tui.mosaic.mosaic import Mosaic
from mia_tui.tui.mosaic.tile_pictures import TilePictures

_NEWS_S = 0.5


class TileScreen(SessionScreen[bool]):
    """Images of a session as tiles. Ends with True if an image was opened, else False.

    A subclass makes `tiles`, lays the widgets out, and overrides `paint` and `show_lines`.

    Args:
        controller: The dataset.
        context: What screens share.
        pictures: Those of the tiles.

    Attributes:
        tiles: Shows the images.
        tile_pictures: Their pictures.
    """

    tiles: Mosaic

    def __init__(self, controller: LabelController, context: Context, pictures: TilePictures) -> None:
        super().__init__(controller, context)
        self.tile_pictures = pictures
        self._saving = ""  # that a command takes long; shown while there is no message

    def on_mount(self) -> None:
        """Textual calls the methods of sub- and superclasses, too."""
        self.set_interval(_NEWS_S, self.show)
        self.app.app_resume_signal.subscribe(self, lambda _: self.tiles.terminal_forgot())
        self.call_after_refresh(self.show)

    def on_resize(self) -> None:
        self.tiles.window_changed()

    def on_screen_suspend(self) -> None:
        self.tiles.withdraw()

    def on_screen_resume(self) -> None:
        self.tiles.come_back()
        self.show()

    @on(Mosaic.PictureMade)
    def _note_problem(self, event: Mosaic.PictureMade) -> None:
        ready = event.ready
        row = self.session.listing.row(ready.request.key)
        if row is not None and self.session.state_of(row).problem != ready.problem:
            self.session.set_problem(row, ready.problem, missing=ready.missing)
            self.show()

    # For the commands

    def say(self, message: str) -> None:
        self._message = message

    def leave(self, *, opened: bool) -> None:
        self.tiles.withdraw()  # at once: the next screen shows pictures of its own
        self.dismiss(opened)

    def command_is_slow(self, waiting: int) -> None:
        if self.is_saving:
            self._saving = saving_words(waiting)
            self.show_lines()

    def command_ended(self) -> None:
        self._saving = ""
        super().command_ended()

    # Painting

    def show(self) -> None:
        """Paint what has changed, by a key or by other people."""
        if not self.is_current or not self.tiles.size.width:
            return
        for warning in self.controller.warnings():
            self.show_message(warning, warning=True)
        self.paint()
        self.show_lines()

    def paint(self) -> None:
        """Paint the tiles, and the classes below them."""

    def show_lines(self) -> None:
        """Write the other lines."""

    @property
    def said(self) -> str:
        """The sentence of the last line: an answer to a key, or that something is being saved."""
        return self._message or self._saving
