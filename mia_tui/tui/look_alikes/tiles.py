"""A page of look-alikes as tiles: what the frame of each says, and a layout in which all of them are seen at once."""

from rich.style import Style

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession, RowState
from mia_tui.text import percent
from mia_tui.tui.classes.class_frame import FrameKind
from mia_tui.tui.look_alikes.page import MOST, LookAlikePage, tile_letters
from mia_tui.tui.look_alikes.pages import Pages
from mia_tui.tui.mosaic.frame import TileFace
from mia_tui.tui.mosaic.layout import TileLayout, lay_out_at_once
from mia_tui.tui.mosaic.mosaic import Mosaic
from mia_tui.tui.mosaic.tile_pictures import TilePictures
from mia_tui.tui.pictures.flow_control import FlowControl
from mia_tui.tui.widgets.ink import Ink

_LETTER = Style(bold=True, reverse=True)
_COUNTS = (1, 2, 4, 6, 8, 12, 18, MOST)
"""Tiles on a page, to choose from."""

_LEAST_PX, _LEAST_HALF_BLOCKS = 64, 13  # of a picture's smaller side: else a page has fewer tiles


class PageTiles:
    """The images of the page that is shown.

    Args:
        pages: What is shown.
        session: What is known of the images.
        ink: Characters and styles.

    Attributes:
        pages: What is shown.
    """

    def __init__(self, pages: Pages, session: LabelSession, ink: Ink) -> None:
        self.pages, self._session, self._ink = pages, session, ink

    def __len__(self) -> int:
        return 0 if self.pages.page is None else len(self.pages.page)

    @property
    def generation(self) -> object:
        return self.pages.page

    @property
    def position(self) -> int | None:
        return None if self.pages.page is None else self.pages.page.position

    @property
    def letters(self) -> str:
        """The letters of the tiles."""
        keys = {image_class.key for image_class in self._session.classes if image_class.key}
        return tile_letters(len(self), keys)

    def key(self, position: int) -> ImageKey:
        assert self.pages.page is not None
        return self.pages.page.images[position].key

    def face(self, position: int) -> TileFace:
        page = self.pages.page
        assert page is not None
        letters = self.letters
        letter = letters[position] if position < len(letters) else " "
        state = self.pages.state_of(page.images[position].key)
        kind, name, colour, sure = self._words(page, position, state)
        return TileFace(
            kind,
            name,
            colour,
            f" {letter} ",
            _LETTER,
            sure=sure,
            is_current=position == page.position,
            is_marked=position in page.marked,
        )

    def _words(
        self, page: LookAlikePage, position: int, state: RowState | None
    ) -> tuple[FrameKind, str, str | None, str]:
        """The kind of the frame, the name in it, its colour, and how sure the model is."""
        if state is not None and state.image_class is not None:
            return "label", state.image_class.name, state.image_class.colour, ""
        why, class_id = self.pages.why_left_out(page.images[position].key), page.class_of(position)
        image_class = None if class_id is None or why else self._session.class_of(class_id)
        if image_class is None:
            return "none", why or "none", None, ""
        if class_id != page.class_id:
            return "label", image_class.name, image_class.colour, ""
        probability = page.probability_of(position)
        return "suggestion", "", image_class.colour, "" if probability is None else percent(probability)


class PageMosaic(Mosaic):
    """Shows a page; all of it is in view.

    Args:
        tiles: The page.
        pictures: Makes the pictures.
        flow_control: Told about all that goes out.
        ink: Characters and styles.
    """

    def __init__(
        self, tiles: PageTiles, pictures: TilePictures, flow_control: FlowControl, ink: Ink, *, id: str
    ) -> None:
        super().__init__(tiles, pictures, flow_control, ink, id=id)
        self._pages = tiles.pages

    @property
    def tile_layout(self) -> TileLayout:
        return self._layout_for(self._pages.most)

    @property
    def per_page(self) -> int:
        return min(MOST, self.tile_layout.count)

    def keys_beside(self) -> tuple[ImageKey, ...]:
        return self._pages.ahead

    def want_again(self) -> None:
        """Other images are likely on the next page than before."""
        if self.size.width and self.is_seen:
            self._want()

    def resize_tiles(self, by: int) -> bool:
        layout = self.tile_layout
        others = [count for count in _COUNTS if (count < self.per_page if by > 0 else count > self.per_page)]
        for count in reversed(others) if by > 0 else others:
            if self._layout_for(count) != layout:
                self._pages.most = count
                return True
        return False

    def _layout_for(self, most: int) -> TileLayout:
        cell_px = self._cells.size_px
        least_px = _LEAST_PX if self._painter.has_pixels else _LEAST_HALF_BLOCKS * cell_px[0]
        width, height = max(1, self.size.width), max(1, self.size.height)
        return lay_out_at_once(width, height, most, least_px, cell_px, self._pictures.shape)
