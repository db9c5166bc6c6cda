"""Augmented images beside the fields of the augmentation: as training would see them, never in the way of typing."""

import random
import textwrap
import threading
from dataclasses import replace

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from mia_tui.config.train import TrainConfig
from mia_tui.runs.record.job import Sample
from mia_tui.terminal.model import Picture, Terminal
from mia_tui.terminal.pictures import draw_picture
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.pictures.image_view import NO_IMAGES, ImageView
from mia_tui.tui.training.outlook import StartEstimate
from mia_tui.tui.training.previewer import COLUMNS, Previewer
from mia_tui.tui.widgets.text_block import TextBlock

_MOST_LINES = 6
_MOST_TILE_PX = 160
_CAPTION = "First as it is, then augmented."


class PreviewPane(Vertical):
    """A sheet of augmented images.

    Args:
        place: The dataset.
        context: What screens share.
    """

    class Ready(Message):
        """The helper has imported torch."""

    class Made(Message):
        """A sheet, or why there is none."""

        def __init__(self, sheet: np.ndarray | str) -> None:
            super().__init__()
            self.sheet = sheet

    class Drawn(Message):
        """A picture of the sheet, for the pane as it was then."""

        def __init__(self, picture: Picture) -> None:
            super().__init__()
            self.picture = picture

    def __init__(self, place: OpenDataset, context: Context, *, id: str) -> None:
        super().__init__(id=id)
        self._place, self._ink = place, context.ink
        self._terminal = _for_sheets(context.terminal)
        self._caption = TextBlock(_CAPTION, classes="caption")
        self._image = ImageView(self._terminal, context.link, self._write)
        self._previewer = Previewer(
            lambda sheet: self._tell(self.Made(sheet)), lambda: self._tell(self.Ready())
        )
        self._wanted: object = None
        self._first = 0
        self._words = ""
        self._sheet: np.ndarray | None = None
        self._samples: tuple[Sample, ...] = ()
        self._rows: list[tuple[int, Sample]] = []
        self._config: TrainConfig | None = None

    def compose(self) -> ComposeResult:
        yield self._caption
        yield self._image

    def on_unmount(self) -> None:
        self._previewer.close()

    @property
    def idle(self) -> bool:
        """Whether what was asked for is there."""
        return self._previewer.idle

    @property
    def has_picture(self) -> bool:
        """Whether images are shown."""
        return self._image.picture is not None

    def want(self, config: TrainConfig, outlook: StartEstimate | None) -> None:
        """Show images augmented by these settings, as soon as the helper can."""
        if self._terminal.graphics == "none":
            self._say(f"{NO_IMAGES}.")
            return
        if outlook is None or outlook.problem or not outlook.samples:
            self._say(outlook.problem if outlook is not None else "Looking for images")
            return
        if outlook.samples is not self._samples:
            self._samples = outlook.samples
            self._rows = [(row, each) for row, each in enumerate(self._samples) if each.split == "train"]
            random.Random(0).shuffle(self._rows)  # images beside each other are often alike
        self._config = config
        self._ask()

    def other_images(self) -> None:
        """Take the next images of the training part."""
        self._first += self._lines
        self._ask()

    def _ask(self) -> None:
        panel = self._image.panel
        rows = self._rows
        if self._config is None or not rows or panel.columns < COLUMNS or self._image.size.height < 2:
            return
        lines = self._lines
        chosen = [rows[(self._first + number) % len(rows)] for number in range(min(lines, len(rows)))]
        wanted = (self._config, tuple(row for row, _ in chosen), panel)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if not self._previewer.is_ready:
            self._say("Loading torch: some seconds")
        width, _ = panel.box_px
        self._previewer.want(self._config, self._place.dataset, chosen, min(_MOST_TILE_PX, width // COLUMNS))

    @property
    def _lines(self) -> int:
        """Lines of images that fit the pane."""
        width, height = self._image.panel.box_px
        config = self._config
        if config is None:
            return 1
        return max(1, min(_MOST_LINES, int(height * config.width / (width / COLUMNS * config.height))))

    @on(Ready)
    def _is_ready(self) -> None:
        self._say("Augmenting")

    @on(Made)
    def _take(self, event: Made) -> None:
        if isinstance(event.sheet, str):
            self._say(event.sheet)
            return
        self._sheet = event.sheet
        self._caption.update(_CAPTION)
        self._draw()

    @on(ImageView.Resized)
    def _resized(self, event: ImageView.Resized) -> None:
        event.stop()
        self._ask()
        if self._sheet is not None:
            self._draw()
        elif self._words:
            self._say(self._words)  # what was said before there was room went nowhere

    def _draw(self) -> None:
        sheet, panel = self._sheet, self._image.panel
        if sheet is None:
            return

        def work() -> None:
            self._tell(self.Drawn(draw_picture(sheet, panel, self._terminal)))

        threading.Thread(target=work, name="preview-draw", daemon=True).start()

    @on(Drawn)
    def _show(self, event: Drawn) -> None:
        if event.picture.panel == self._image.panel:
            self._image.show(event.picture)

    def _say(self, text: str) -> None:
        """Words instead of images; what is seen already stays while others are made."""
        self._words = text
        if self._image.picture is None:
            waiting = "" if text.endswith(".") else f" {self._ink.more}"
            width = max(10, self._image.size.width)
            self._image.show_card(*textwrap.wrap(f"{printable(text)}{waiting}", width))
        else:
            self._caption.update(self._ink.shown(text))

    def _tell(self, message: Message) -> None:
        """From a thread; after the pane has gone there is nobody to tell."""
        if self.is_running:
            self.post_message(message)

    def _write(self, data: str) -> None:
        write = getattr(self.app, "write_terminal", None)
        if write is not None:
            write(data)


def _for_sheets(terminal: Terminal) -> Terminal:
    """kitty keeps pictures by number, which is the labelling screen's affair; half blocks need none."""
    return replace(terminal, graphics="half") if terminal.graphics == "kitty" else terminal
