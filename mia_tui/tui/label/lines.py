"""The two lines below the image: what it is, and how the work stands, with a word about the last command."""

import time
from collections.abc import Callable

from mia_tui.text import counted
from mia_tui.tui.label.view_settings import Glance
from mia_tui.tui.label.words import facts, status
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.labelling.dataset_sync import DatasetSync
from mia_tui.tui.later import later
from mia_tui.tui.pictures.image_view import ImageView
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_line import TextLine

_STILL_SAVING_S = 0.3


class LabelLines:
    """Says what is known of the image and of the work.

    Args:
        facts: The upper line.
        status: The lower one.
        ink: Characters and styles.
        desk: The dataset.
        arrival: Knows whether all files are found.
        glance: How the image is looked at.
        image: Where it is shown.
        is_idle: Whether all commands are done.
    """

    def __init__(
        self,
        facts: TextLine,
        status: TextLine,
        ink: Ink,
        *,
        desk: LabelController,
        arrival: DatasetSync,
        glance: Glance,
        image: ImageView,
        is_idle: Callable[[], bool],
    ) -> None:
        self._facts, self._status, self._ink = facts, status, ink
        self._desk, self._arrival, self._glance, self._image = desk, arrival, glance, image
        self._is_idle = is_idle
        self._message = ""
        self._saving = ""

    def say(self, message: str) -> None:
        """A word, until the next command; shown with the rest."""
        self._message = message

    def say_slow(self, waiting: int) -> None:
        """A command takes its time, and so many wait behind it."""
        if waiting or self._desk.keeper.busy_since is not None:
            self._saving = "Saving" + (f", {counted(waiting, 'key')} waiting" if waiting else "")
            self.show()

    def command_done(self) -> None:
        """Nothing is being saved, if this was the last one; not at once, the next key may be on its way."""
        if self._is_idle() and self._saving:
            later(_STILL_SAVING_S, self._stop_saying)

    def _stop_saying(self) -> None:
        if self._is_idle() and self._saving:
            self._saving = ""
            self.show()

    def show(self) -> None:
        """Paint what is different now."""
        desk, glance, ink = self._desk, self._glance, self._ink
        box_px = self._image.panel.box_px
        columns = self._facts.size.width
        self._facts.show(*facts(desk.session, glance.view, box_px, glance.words(), ink, columns))
        line = status(
            desk.session,
            desk.saved,
            desk.annotator,
            self._saving or self._message,
            time.monotonic(),
            ink,
            scanned=self._arrival.scanned,
        )
        self._status.show(*line)
