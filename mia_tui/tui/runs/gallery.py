"""Images of a run as tiles: what a network took for another class, seen at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rich.style import Style
from textual import on
from textual.app import ComposeResult

from mia_tui.dataset.listing.image_list import ImageList
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.mosaic.frame import TileFace
from mia_tui.tui.mosaic.mosaic import Mosaic
from mia_tui.tui.mosaic.tile_pictures import TilePictures
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_line import TextLine


@dataclass(frozen=True)
class GalleryImage:
    """An image, its class, and the class that was predicted, by their names; its probability, if known."""

    key: ImageKey
    truth: str
    predicted: str
    probability: float | None = None


class GalleryTiles:
    """Images of a run in frames of their class; below, what was predicted where that is wrong.

    Args:
        images: In the order to see them in.
        classes: Those of the dataset, by name.
        ink: Characters and styles.
        first: Position of the one under the cursor.

    Attributes:
        position: Of the cursor.
    """

    generation: object = None

    def __init__(
        self, images: Sequence[GalleryImage], classes: Mapping[str, ImageClass], ink: Ink, first: int = 0
    ) -> None:
        self._images, self._classes, self._ink = images, classes, ink
        self.position: int | None = first if len(images) else None

    def __len__(self) -> int:
        return len(self._images)

    def key(self, position: int) -> ImageKey:
        return self._images[position].key

    def face(self, position: int) -> TileFace:
        image = self._images[position]
        of_dataset = self._classes.get(image.truth)
        colour = None if of_dataset is None else of_dataset.colour
        letter = image.truth[:1] if of_dataset is None or not of_dataset.key else of_dataset.key
        wrong = "" if image.truth == image.predicted else f"{self._ink.broken} {image.predicted}"
        return TileFace(
            "label",
            image.truth,
            colour,
            f" {self._ink.pad(letter, 1)} ",
            self._ink.chip(colour) if colour else self._ink.dim(),
            signs=wrong,
            is_current=position == self.position,
        )

    def move(self, by: int) -> bool:
        """Move the cursor, at most to the end; returns whether it moved."""
        before = self.position
        if before is not None:
            self.position = max(0, min(len(self) - 1, before + by))
        return self.position != before


class GalleryScreen(KeyedScreen[OpenImages | None]):
    """Tiles of a run; the result is images that the person wants to see closely, or None.

    Args:
        title: What they are, behind their number.
        images: In the order to see them in.
        opened: The dataset.
        context: What screens share.
        first: Position of the one under the cursor.
        keys: The images once more, where they are known already.

    Attributes:
        tiles: Shows them.
    """

    SCOPE_NAME = "gallery"
    MANUAL_PAGE = "results"
    BARE = True
    commands: "GalleryCommands"

    def __init__(
        self,
        title: str,
        images: Sequence[GalleryImage],
        opened: OpenDataset,
        context: Context,
        *,
        first: int = 0,
        keys: tuple[ImageKey, ...] | ImageList | None = None,
    ) -> None:
        super().__init__(context)
        ink, session = context.ink, opened.session
        classes = {} if session is None else {each.name: each for each in session.classes}
        self._title, self._images, self._keys = title, images, keys
        self.shown = GalleryTiles(images, classes, ink, first)
        self._pictures = TilePictures(opened.dataset, context.terminal, context.flow_control)
        self.tiles = Mosaic(self.shown, self._pictures, context.flow_control, ink, id="grid")
        self._facts, self._status = (TextLine(ink, id=name, bare=True) for name in ("facts", "status"))
        self._message = ""
        self.commands = GalleryCommands(self)

    def compose(self) -> ComposeResult:
        yield self.tiles
        yield self._facts
        yield self._status
        yield self.key_line

    def on_mount(self) -> None:
        self.app.app_resume_signal.subscribe(self, lambda _: self.tiles.terminal_forgot())
        self.call_after_refresh(self.show)

    def on_unmount(self) -> None:
        self._pictures.close()

    def on_resize(self) -> None:
        self.tiles.window_changed()

    def on_screen_suspend(self) -> None:
        self.tiles.withdraw()

    def on_screen_resume(self) -> None:
        self.tiles.come_back()
        self.show()

    def say(self, message: str) -> None:
        self._message = message

    def leave(self, *, opened: bool) -> None:
        """Go back, or on to the labelling screen with these images, the one under the cursor first."""
        self.tiles.withdraw()
        self.tiles.write(self._pictures.held.deleting_all())
        position = self.shown.position
        if not opened or position is None:
            self.dismiss(None)
            return
        keys = self._keys or tuple(image.key for image in self._images)
        self.dismiss(OpenImages(self._title, keys, keys[position]))

    @on(Mosaic.TileClicked)
    def _tile_clicked(self, event: Mosaic.TileClicked) -> None:
        self.shown.move(event.position - (self.shown.position or 0))
        self.show()
        if event.opened:
            self.run_command("open")

    def show(self) -> None:
        if not self.is_current or not self.tiles.size.width:
            return
        self.tiles.update()
        ink, position = self.context.ink, self.shown.position
        if position is not None:
            image = self._images[position]
            place = f"{position + 1:,}/{len(self._images):,}  "
            words = f"{ink.shown(image.truth)}, predicted as {ink.shown(image.predicted)}"
            if image.probability is not None:
                words += f" ({image.probability:.3f})"
            room = self._facts.size.width - ink.width(place) - ink.width(words) - 2
            name = ink.fit_left(image.key.path, room)
            self._facts.show([(place, Style(bold=True)), (name, None)], [(words, None)])
        words = f"{counted(len(self._images), 'image')} {self._title}"
        title = ink.fit(words, self._status.size.width)
        self._status.show([(self._message or title, Style(bold=True))], [])


class GalleryCommands:
    """What the keys of the gallery do, by the id of the action.

    Args:
        screen: The screen.
    """

    def __init__(self, screen: GalleryScreen) -> None:
        self._screen = screen
        ways = ("left", "right", "up", "down", "page_previous", "page_next", "first", "last")
        self.by_name: dict[str, Command] = {
            **{way: partial(self._move, way) for way in ways},
            "open": self._open,
            "leave": self._leave,
            "help": screen.show_help,
            "zoom_in": partial(self._resize, 1),
            "zoom_out": partial(self._resize, -1),
        }

    async def _move(self, way: str) -> None:
        tiles, shown = self._screen.tiles, self._screen.shown
        line, page, count = tiles.tile_layout.per_line, tiles.per_page, len(shown)
        by = {"left": -1, "right": 1, "up": -line, "down": line, "page_previous": -page, "page_next": page}
        if not shown.move(by.get(way, count if way == "last" else -count)):
            self._screen.say("There are no more of them.")

    async def _open(self) -> None:
        self._screen.leave(opened=True)

    async def _leave(self) -> None:
        self._screen.leave(opened=False)

    async def _resize(self, by: int) -> None:
        if not self._screen.tiles.resize_tiles(by):
            self._screen.say("These are the largest tiles." if by > 0 else "These are the smallest tiles.")
