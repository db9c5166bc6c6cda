"""Pages of look-alikes: images of one suggested class as tiles; mark what is wrong, one key takes the others.

Layout and handlers; what the keys do is in `commands`, which page is shown in `pages`.
"""

from contextlib import suppress
from functools import partial

from rich.style import Style
from textual import on
from textual.app import ComposeResult

from mia_tui.errors import StoreError
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.bindings import keys_of, said_key
from mia_tui.tui.label.words import class_keys, filter_words
from mia_tui.tui.look_alikes import words
from mia_tui.tui.look_alikes.commands import LookAlikesCommands
from mia_tui.tui.look_alikes.page import LookAlikePage
from mia_tui.tui.look_alikes.pages import Pages
from mia_tui.tui.look_alikes.tiles import PageMosaic, PageTiles
from mia_tui.tui.mosaic.mosaic import Mosaic
from mia_tui.tui.mosaic.tile_pictures import TilePictures
from mia_tui.tui.mosaic.tile_screen import TileScreen
from mia_tui.tui.widgets.text_line import Piece

_NAME = 48  # columns of a file's name


class LookAlikesScreen(TileScreen):
    """The pages of a dataset. Ends with True if an image was opened, else False.

    Args:
        controller: The dataset.
        context: What screens share.
        pages: What is shown; its first page is there already.
        pictures: Those of the tiles.

    Attributes:
        pages: What is shown.
    """

    SCOPE_NAME = "look_alikes"
    MANUAL_PAGE = "lookalikes"
    commands: LookAlikesCommands
    tiles: PageMosaic

    def __init__(
        self, controller: LabelController, context: Context, pages: Pages, pictures: TilePictures
    ) -> None:
        super().__init__(controller, context, pictures)
        self.pages = pages
        self.commands = LookAlikesCommands(controller, self, context.ink)
        self._prepared_for: LookAlikePage | None = None
        self._page_tiles = PageTiles(pages, self.session, context.ink)
        self.tiles = PageMosaic(self._page_tiles, pictures, context.flow_control, context.ink, id="grid")

    def compose(self) -> ComposeResult:
        yield self._facts
        yield self.tiles
        yield self._class_bar
        yield self._messages
        yield self._status
        yield self.key_line

    def on_unmount(self) -> None:
        self.pages.release()

    # For the commands

    @property
    def letters(self) -> str:
        """The letters of the tiles."""
        return self._page_tiles.letters

    def command_begins(self) -> None:
        super().command_begins()
        self.pages.keys += 1

    # Messages

    @on(Mosaic.TileClicked)
    def _tile_clicked(self, event: Mosaic.TileClicked) -> None:
        if event.position >= len(self._page_tiles):
            return
        page, position = self.pages.page, event.position
        if event.opened:
            self.queue.do(partial(self.commands.open_clicked, page, position), opens=True)
        elif event.mark or event.through:
            self.queue.do(partial(self.commands.mark_clicked, page, position, through=event.through))
        else:
            self.queue.do(partial(self.commands.click, page, position, leaves_out=event.asks))

    # Painting

    def _prepare(self) -> None:
        """Do what is due for another page."""
        if self._prepared_for is not self.pages.page:
            self._prepared_for = self.pages.page
            self.pages.of_class = 0
            self.run_worker(self._look_ahead(), group="look ahead", exclusive=True)

    async def _look_ahead(self) -> None:
        """Once the pictures of this page are on the screen: count what is left, and prepare the next page."""
        await self.pages.hold()
        self.pages.count_left()
        self.show()
        await self.pages.look_ahead(self.tiles.per_page)
        self.tiles.want_again()

    def paint(self) -> None:
        page = self.pages.page
        if page is not None:
            page.cut(self.tiles.per_page)
        self._prepare()
        self.tiles.update()
        chosen = self.pages.class_id if page is None else page.class_id
        self._class_bar.show(self.session.classes, self.session.counts.by_class, chosen, auto=False)

    def show_lines(self) -> None:
        session, ink, page, columns = self.session, self.context.ink, self.pages.page, self._facts.size.width
        counts = words.progress(
            session.counts.labelled, len(session.listing), self.pages.keys, self.pages.labelled
        )
        said = self.said
        shown = filter_words(session, columns, ink)
        if page is None:
            sentences = self._why_nothing()
            self._facts.show([(sentences[0], Style(bold=True))], [(shown, ink.dim())])
            self._messages.show([(" ".join(sentences[1:]), None)])
            self._status.show([(said, Style(bold=True))], [(counts, ink.dim())])
            return
        out = self.pages.left_out(page)
        taken, corrected = page.labels(leave_out=out)
        labelled = len(taken) + len(corrected)
        changes = words.changes(len(corrected), len(page) - labelled)
        right: list[Piece] = [(changes, Style(bold=True))] if changes else []
        rare = words.rare_classes(session.classes, session.counts.by_class, ink)
        right += [(f"  {rare}", ink.warning())] if rare and page.like is None else []
        right += [(f"  {shown}", ink.dim())] if shown else []
        self._facts.show(words.title(page, session.class_of(page.class_id), self.pages.of_class, ink), right)
        hint = words.hint(
            self.letters,
            class_keys(session.classes),
            len(page.marked),
            self.key("take"),
            labelled,
            columns,
            ink,
        )
        self._messages.show(hint)
        name = ink.fit_left(page.images[page.position].key.path, _NAME)
        self._status.show([(said, Style(bold=True)) if said else (name, ink.dim())], [(counts, ink.dim())])

    async def offer_audit(self, labelled: int) -> None:
        """Say after many labels by pages that an audit is due."""
        with suppress(StoreError):  # whoever labels on learns of it
            unaudited = await self.pages.audit_offer.taken(labelled)
            if unaudited and self.is_attached:
                how = f"{self.key('leave')}, then {self._label_key('review')}"
                self.show_message(words.audit_is_due(unaudited, how))

    def _why_nothing(self) -> list[str]:
        image_class = None if self.pages.class_id is None else self.session.class_of(self.pages.class_id)
        review, train = self._label_key("review"), self._label_key("train")
        return words.why_nothing(
            waiting=self.pages.waiting,
            chosen="" if image_class is None else image_class.name,
            again=self.key("look_alikes"),
            other=self.key("choose"),
            taken=self.pages.labelled,
            left=self.session.counts.left,
            next_steps=f"{self.key('leave')} goes back; then {review} checks and audits the labels, {train} trains.",
        )

    def _label_key(self, command: str) -> str:
        """The key of a command of the screen behind this one."""
        return said_key("label", keys_of("label", self.context.user.keys), command)
