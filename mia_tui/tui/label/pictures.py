"""The picture of the labelling screen: made in threads, shown when its turn comes, or a card that says why not."""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from mia_tui.dataset.images.reading import MAX_MEGAPIXELS
from mia_tui.dataset.model import ImageKey
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.tui.context import Context
from mia_tui.tui.label.view_settings import Glance
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.later import later
from mia_tui.tui.pictures.cache import PictureCache, Ready
from mia_tui.tui.pictures.image_view import NO_IMAGES, ImageView
from mia_tui.tui.pictures.preload import Preload
from mia_tui.tui.pictures.scheduler import PictureScheduler, Scene

_AHEAD, _BEHIND = 3, 1
_REFUSED = "This terminal did not keep the picture", "--graphics half shows images in another way"


class PicturesFace(Protocol):
    """What is needed of the screen."""

    def key(self, command: str) -> str:
        """The key of a command, as people read it."""

    def hand_over(self, act: Callable[[], None]) -> None:
        """For threads: have something done in the app's thread, as long as the screen is there."""

    def write_terminal(self, data: str) -> None:
        """Send bytes to the terminal without painting."""


class Pictures:
    """Brings one image after the other into a view.

    Args:
        desk: The dataset.
        context: What screens share.
        glance: How images are looked at.
        view: Where pictures are shown.
        face: The screen.
        painted: Called when an image is shown, or why it cannot be.
        head_start: What was read already.
    """

    def __init__(
        self,
        desk: LabelController,
        context: Context,
        glance: Glance,
        view: ImageView,
        face: PicturesFace,
        *,
        painted: Callable[[Ready], None],
        head_start: Preload | None = None,
    ) -> None:
        terminal = context.terminal
        self._session, self._glance, self._view = desk.session, glance, view
        self._terminal, self._face, self._painted = terminal, face, painted
        self._looked_at: ImageKey | None = None
        self._changed: deque[ImageKey] = deque()  # images whose files are found to be others
        self._missed: dict[ImageKey, str] = {}  # images whose files are gone, and when that was noticed
        self._prefetch = PictureCache(
            desk.dataset,
            terminal,
            threads=2 if usable_cores() >= 4 else 1,
            on_ready=lambda ready: face.hand_over(self._ready),
            max_megapixels=MAX_MEGAPIXELS,
            on_changed=self._note_change,
            head_start=head_start,
        )
        self._presenter = PictureScheduler(
            self._prefetch,
            context.link,
            terminal,
            paint=self._paint,
            more=view.more,
            card=lambda key: view.show_card(f"Loading {key.path}"),
            refused=lambda key: view.show_card(key.path, *_REFUSED),
            write=face.write_terminal,
            later=later,
        )
        self.terminal_forgot = self._presenter.terminal_forgot

    def _note_change(self, key: ImageKey) -> None:  # in a thread
        self._changed.append(key)
        self._face.hand_over(self._ready)

    def _ready(self) -> None:
        """Pictures were made, or are out of date."""
        while self._changed:
            self._presenter.renew(self._changed.popleft())
        self._presenter.ready()

    def show(self, row: int) -> None:
        """Bring an image of the session to the screen as soon as that can be."""
        session = self._session
        key = session.listing.key(row)
        if key != self._looked_at:
            self._looked_at = key
            self._glance.next_image()
        if not self._view.size:  # not laid out yet: a picture for no room would only be in the way
            return
        ahead = tuple(session.listing.key(other) for other in session.neighbours(_AHEAD, _BEHIND))
        self._presenter.show(Scene(key, self._glance.look, self._view.panel, ahead))

    def show_card(self, *lines: str) -> None:
        """Say something instead of an image."""
        self._presenter.hide()
        self._view.show_card(*lines)

    def withdraw(self) -> None:
        """Another screen lies over the view."""
        self._presenter.hide()
        self._view.withdraw()

    def close(self) -> None:
        """Make no more pictures."""
        self._prefetch.close()
        self._presenter.stop()

    def put_away(self) -> None:
        """Leave none in the terminal, and show no more."""
        self._presenter.put_away()

    def _paint(self, ready: Ready, part_bytes: int | None, is_refined: bool) -> None:
        view, key = ready.view, ready.wish.key
        if not ready.missing:
            self._missed.pop(key, None)
        if view is not None and self._terminal.graphics == "none":
            size = f"{view.image_width:,} x {view.image_height:,} pixels"
            self._view.show_card(key.path, size, NO_IMAGES)
        elif ready.picture is not None:
            self._view.show(ready.picture, part_bytes=part_bytes, is_refined=is_refined)
        elif ready.missing:
            self._view.show_card(*self._gone(key))
        else:
            self._view.show_card("This image cannot be shown", ready.problem or "", self._way_out())
        self._painted(ready)

    def _way_out(self) -> str:
        skip, assign, assign_next = map(self._face.key, ("skip", "assign", "assign_next"))
        return f"{skip} skips it; {assign} and {assign_next} label it all the same"

    def _gone(self, key: ImageKey) -> tuple[str, ...]:
        noticed = self._missed.setdefault(key, time.strftime("%H:%M"))
        return (
            "This file is gone",
            f"{key.path}: not there any more at {noticed}",
            "A label it has is kept, and is there again when the file is",
        )
