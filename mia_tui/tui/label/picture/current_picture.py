"""The picture of the labelling screen: made in threads and painted when the terminal can take it, or a card that says
why there is none."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.screen.heat import HeatMap
from mia_tui.dataset.model import ImageKey
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.picture.view_settings import ViewSettings
from mia_tui.tui.later import later
from mia_tui.tui.pictures.cache import PictureCache, PictureResult
from mia_tui.tui.pictures.image_view import NO_IMAGES, ImageView
from mia_tui.tui.pictures.preload import Preload
from mia_tui.tui.pictures.scheduler import DisplayTarget, PictureScheduler

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen

_AHEAD, _BEHIND = 3, 1
_REFUSED = "This terminal did not keep the picture", "--graphics half shows images in another way"


class CurrentPicture:
    """Shows one image after the other.

    Args:
        controller: The dataset.
        context: What screens share.
        view_settings: How images are shown.
        view: Where pictures are shown.
        screen: The screen.
        heat: Where a network looks in an image; None if that is not shown.
        upcoming: Rows that are likely next, where those are not the next ones in the list; empty if they are.
        painted: Called when a picture is painted, or a card that says why there is none.
        preload: What was read already.
    """

    def __init__(
        self,
        controller: LabelController,
        context: Context,
        view_settings: ViewSettings,
        view: ImageView,
        screen: "LabelScreen",
        *,
        heat: Callable[[ImageKey], HeatMap | None],
        upcoming: Callable[[], list[int]],
        painted: Callable[[PictureResult], None],
        preload: Preload | None = None,
    ) -> None:
        terminal = context.terminal
        self._session, self._view_settings, self._view = controller.session, view_settings, view
        self._terminal, self._screen = terminal, screen
        self._heat, self._upcoming, self._painted = heat, upcoming, painted
        self._changed: deque[ImageKey] = deque()  # images whose files changed
        self._missed: dict[ImageKey, str] = {}  # images whose files are gone, and when that was noticed
        self._picture_cache = PictureCache(
            controller.dataset,
            terminal,
            threads=2 if usable_cores() >= 4 else 1,
            on_ready=lambda result: screen.hand_over(self._ready),
            max_megapixels=MAX_MEGAPIXELS,
            on_changed=self._note_change,
            preload=preload,
        )
        self._scheduler = PictureScheduler(
            self._picture_cache,
            context.flow_control,
            terminal,
            paint=self._paint,
            paint_next_part=view.paint_next_part,
            card=lambda key: view.show_card(f"Loading {key.path}"),
            refused=lambda key: view.show_card(key.path, *_REFUSED),
            write=screen.write_terminal,
            later=later,
        )
        self.terminal_forgot = self._scheduler.terminal_forgot

    def _note_change(self, key: ImageKey) -> None:  # in a thread
        self._changed.append(key)
        self._screen.hand_over(self._ready)

    def _ready(self) -> None:
        """Pictures were made, or files changed."""
        while self._changed:
            self._scheduler.renew(self._changed.popleft())
        self._scheduler.ready()

    def show(self, row: int) -> None:
        """Show an image of the session as soon as possible."""
        session = self._session
        key = session.listing.key(row)
        self._view_settings.show_image(key)
        if self._view_settings.frame is not None:
            key = replace(key, frame=self._view_settings.frame)
        if not self._view.size:  # not laid out yet
            return
        likely = self._upcoming() or session.neighbours(_AHEAD, _BEHIND)
        ahead = tuple(map(session.listing.key, likely))
        display, heat = self._view_settings.display, self._heat(key)
        if heat is not None:
            display = replace(display, heat=heat)
        self._scheduler.show(DisplayTarget(key, display, self._view.panel, ahead))

    def show_card(self, *lines: str) -> None:
        """Say something instead of an image."""
        self._scheduler.hide()
        self._view.show_card(*lines)

    def withdraw(self) -> None:
        """Another screen lies over the view."""
        self._scheduler.hide()
        self._view.withdraw()

    def close(self) -> None:
        """Make no more pictures."""
        self._picture_cache.close()
        self._scheduler.stop()

    def put_away(self) -> None:
        """Delete all pictures from the terminal, and show no more."""
        self._scheduler.put_away()

    def _paint(self, result: PictureResult, part_bytes: int | None, is_refined: bool) -> None:
        view, key = result.view, result.request.key
        if not result.missing:
            self._missed.pop(key, None)
        if view is not None and self._terminal.graphics == "none":
            size = f"{view.image_width:,} x {view.image_height:,} pixels"
            self._view.show_card(key.path, size, NO_IMAGES)
        elif result.picture is not None:
            self._view.show(result.picture, part_bytes=part_bytes, is_refined=is_refined)
        elif result.missing:
            self._view.show_card(*self._gone(key))
        else:
            self._view.show_card("This image cannot be shown", result.problem or "", self._way_out())
        self._painted(result)

    def _way_out(self) -> str:
        skip, assign, assign_next = map(self._screen.key, ("skip", "assign", "assign_next"))
        return f"{skip} skips it; {assign} and {assign_next} label it anyway"

    def _gone(self, key: ImageKey) -> tuple[str, ...]:
        noticed = self._missed.setdefault(key, time.strftime("%H:%M"))
        return (
            "This file is gone",
            f"{key.path}: missing since {noticed}",
            "Its label is kept, and is shown again when the file is back",
        )
