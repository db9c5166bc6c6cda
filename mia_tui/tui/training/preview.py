"""Augmented images beside the fields of the augmentation, as training would see them.

A helper process makes them: it is started when it is first needed, and ends with the form. Typing never waits for it.
"""

import os
import random
import textwrap
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from mia_tui.config.train import TrainConfig
from mia_tui.runs.record.job import Sample
from mia_tui.runs.worker.helper import Helper
from mia_tui.runs.worker.preview_messages import (
    PREVIEWER_MODULE,
    PreviewAnswer,
    PreviewImage,
    PreviewRequest,
    decode_answer,
    encode_request,
)
from mia_tui.terminal.model import Picture
from mia_tui.terminal.pictures import draw_picture
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.mosaic.kitty_tiles import TILE_IDS, KittyTiles
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.pictures.image_view import NO_IMAGES, ImageView
from mia_tui.tui.training.estimate import StartEstimate
from mia_tui.tui.widgets.text_block import TextBlock

COLUMNS = 3
"""Images of a line: as it is, and as the first two epochs see it."""

_MOST_LINES = 6
_MOST_TILE_PX = 160
_CAPTION = "First as it is, then augmented."


class PreviewPane(Vertical):
    """A sheet of augmented images.

    Args:
        opened: The dataset.
        context: What screens share.
    """

    class HelperReady(Message):
        """The helper has imported torch."""

    class SheetMade(Message):
        """A sheet, or why there is none."""

        def __init__(self, sheet: np.ndarray | str) -> None:
            super().__init__()
            self.sheet = sheet

    class SheetDrawn(Message):
        """A picture of the sheet, for the size of the pane at that time."""

        def __init__(self, picture: Picture) -> None:
            super().__init__()
            self.picture = picture

    def __init__(self, opened: OpenDataset, context: Context, *, id: str) -> None:
        super().__init__(id=id)
        self._opened, self._ink = opened, context.ink
        self._terminal, self._held = context.terminal, KittyTiles(context.terminal)
        self._caption = TextBlock(_CAPTION, classes="caption")
        self._image = ImageView(self._terminal, context.flow_control, self._write)
        self._previewer = Previewer(
            lambda sheet: self._post_from_thread(self.SheetMade(sheet)),
            lambda: self._post_from_thread(self.HelperReady()),
        )
        self._wanted: object = None
        self._is_late = False  # a sheet was made while something else was shown
        self._first = 0
        self._words = ""
        self._sheet: np.ndarray | None = None
        self._samples: Sequence[Sample] = ()
        self._rows: list[tuple[int, Sample]] = []
        self._config: TrainConfig | None = None

    def compose(self) -> ComposeResult:
        yield self._caption
        yield self._image

    def on_unmount(self) -> None:
        self._previewer.close()
        self._write(self._held.deleting_all())

    def on_hide(self) -> None:
        self.withdraw()

    def on_show(self) -> None:
        self.come_back()

    def withdraw(self) -> None:
        """Something else is shown in its place: kitty's pictures have to be removed explicitly."""
        self._image.withdraw()

    def come_back(self) -> None:
        """It is shown again: what was made meanwhile is painted now."""
        if self._image.picture is None or self._is_late:
            self._draw()
        else:
            self._image.refresh()

    @property
    def idle(self) -> bool:
        """Whether what was asked for is there."""
        return self._previewer.idle

    def want(self, config: TrainConfig, estimate: StartEstimate | None) -> None:
        """Show images augmented by these settings, as soon as the helper can."""
        if self._terminal.graphics == "none":
            self._say(f"{NO_IMAGES}.")
            return
        if estimate is None or estimate.problem or not estimate.samples:
            self._say(estimate.problem if estimate is not None else "Looking for images")
            return
        if estimate.samples is not self._samples:
            self._samples = estimate.samples
            self._rows = [(row, each) for row, each in enumerate(self._samples) if each.split == "train"]
            random.Random(0).shuffle(self._rows)  # images beside each other are often alike
        self._config = config
        self._ask()

    def say_why_not(self, fault: str) -> None:
        """Show why there is no preview: a setting that it would be made with is wrong."""
        self._wanted = None
        self._say(f"No preview: {fault}")

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
        is_mixed = self._config.mixup or self._config.cutmix
        count = max(lines, 2) if is_mixed else lines  # one image alone cannot be mixed
        chosen = [rows[(self._first + number) % len(rows)] for number in range(min(count, len(rows)))]
        wanted = (self._config, tuple(row for row, _ in chosen), panel)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if not self._previewer.is_ready:
            self._say("Loading torch, which takes some seconds")
        width, _ = panel.box_px
        tile_px = min(_MOST_TILE_PX, width // COLUMNS)
        self._previewer.want(self._config, self._opened.dataset, chosen, tile_px, lines=lines)

    @property
    def _lines(self) -> int:
        """Lines of images that fit the pane."""
        width, height = self._image.panel.box_px
        config = self._config
        if config is None:
            return 1
        return max(1, min(_MOST_LINES, int(height * config.width / (width / COLUMNS * config.height))))

    @on(HelperReady)
    def _is_ready(self) -> None:
        self._say("Augmenting")

    @on(SheetMade)
    def _take(self, event: SheetMade) -> None:
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
            self._say(self._words)  # before this there were no columns for it

    def _draw(self) -> None:
        sheet, panel = self._sheet, self._image.panel
        if sheet is None:
            return

        def work() -> None:
            picture = draw_picture(sheet, panel, self._terminal, image_id=next(TILE_IDS))
            self._post_from_thread(self.SheetDrawn(picture))

        threading.Thread(target=work, name="preview-draw", daemon=True).start()

    @on(SheetDrawn)
    def _show(self, event: SheetDrawn) -> None:
        picture = event.picture
        self._is_late = not (self.display and self.screen.is_current)
        if picture.panel != self._image.panel or self._is_late:
            return
        self._write(self._held.sending(picture))
        self._held.placed(picture)
        self._held.hiding_others([picture])  # the view hides the one before when this one is painted
        self._image.show(picture)

    def _say(self, text: str) -> None:
        """Show words instead of images; images that are shown stay while others are made."""
        self._words = text
        if self._image.picture is None:
            waiting = "" if text.endswith(".") else f" {self._ink.more}"
            width = max(10, self._image.size.width)
            self._image.show_card(*textwrap.wrap(f"{printable(text)}{waiting}", width))
        else:
            self._caption.update(self._ink.shown(text))

    def _post_from_thread(self, message: Message) -> None:
        """Post a message from a thread, unless the pane was closed meanwhile."""
        if self.is_running:
            self.post_message(message)

    def _write(self, data: str) -> None:
        write = getattr(self.app, "write_terminal", None)
        if data and write is not None:
            write(data)


class Previewer:
    """Asks the helper for sheets of augmented images.

    Args:
        on_sheet: Called in a thread with uint8 pixels, shape (H, W, 3), or a sentence that says why there are none.
        on_ready: Called in a thread when the helper has imported torch.
    """

    def __init__(self, on_sheet: Callable[[np.ndarray | str], None], on_ready: Callable[[], None]) -> None:
        self._on_sheet = on_sheet
        self.helper = Helper(
            PREVIEWER_MODULE,
            encode_request,
            decode_answer,
            on_answer=self._take,
            on_ready=on_ready,
            on_end=lambda _: on_sheet("The preview has ended: torch cannot be used, or memory is short."),
        )

    @property
    def is_ready(self) -> bool:
        """Whether torch is imported."""
        return self.helper.is_ready

    @property
    def idle(self) -> bool:
        """Whether the latest request is answered."""
        return self.helper.idle

    def want(
        self,
        config: TrainConfig,
        root: Path,
        rows: Sequence[tuple[int, Sample]],
        tile_px: int,
        *,
        lines: int | None = None,
    ) -> None:
        """Ask for a sheet: a line for each of the first `lines` of `rows` (number in the run's samples, sample)."""
        wanted = tuple(PreviewImage(number, sample.path, sample.frame) for number, sample in rows)
        folder = os.fspath(root.resolve())
        self.helper.ask(PreviewRequest(config, folder, wanted, COLUMNS, max(1, tile_px), lines))

    def close(self) -> None:
        """End the helper."""
        self.helper.close()

    def _take(self, request: PreviewRequest, answer: PreviewAnswer) -> None:
        pixels = np.frombuffer(answer.pixels, np.uint8)
        self._on_sheet(answer.error or pixels.reshape(answer.height, answer.width, 3))
