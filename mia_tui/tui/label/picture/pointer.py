"""The mouse over the image: the wheel zooms or goes on, dragging moves an enlarged image, a double click enlarges."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import events

from mia_tui.tui.label.picture.view_settings import ViewSettings
from mia_tui.tui.pictures.image_view import ImageView
from mia_tui.tui.widgets.mouse import LEFT_BUTTON

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen


class ImagePointer:
    """What the mouse does over the image of the labelling screen.

    Args:
        view: Shows the image.
        settings: How it is shown.
        screen: The screen, whose commands the mouse runs.
        wheel_zooms: Whether the wheel zooms without Ctrl, too.
    """

    def __init__(
        self, view: ImageView, settings: ViewSettings, screen: "LabelScreen", *, wheel_zooms: bool
    ) -> None:
        self._view, self._settings, self._screen = view, settings, screen
        self._wheel_zooms = wheel_zooms
        self._at: tuple[float, float] | None = None  # where the button was when it was seen last
        self._dragged = (0.0, 0.0)  # not shown yet, in cells

    def wheel(self, event: events.MouseEvent, by: int) -> None:
        """The wheel was turned; below zero, upwards."""
        if not self._is_over(event):
            return
        event.stop()
        if event.ctrl or self._wheel_zooms:
            self._do(partial(self._settings.zoom_at, -by, self._point(event), self._view.panel.box_px))
        else:
            self._screen.queue.do(partial(self._screen.commands.moving.move, by))

    def pressed(self, event: events.MouseDown) -> None:
        if event.button == LEFT_BUTTON and self._is_over(event) and self._settings.display.zoom > 1:
            self._at = event.screen_x, event.screen_y
            self._screen.capture_mouse()

    def moved(self, event: events.MouseMove) -> None:
        """While a button is held, the image follows."""
        if self._at is None:
            return
        is_first = self._dragged == (0.0, 0.0)
        across, down = event.screen_x - self._at[0], event.screen_y - self._at[1]
        self._at = event.screen_x, event.screen_y
        self._dragged = self._dragged[0] + across, self._dragged[1] + down
        if is_first and self._dragged != (0.0, 0.0):  # else the command that waits takes this in as well
            self._do(self._drag)

    def released(self) -> None:
        if self._at is not None:
            self._at = None
            self._screen.release_mouse()

    def double_clicked(self, event: events.Click) -> None:
        """Enlarge this place, or show the whole image again."""
        if self._is_over(event):
            self._do(partial(self._settings.show_pixels_at, self._point(event), self._view.panel.box_px))

    def _drag(self) -> None:
        picture = self._view.picture
        (across, down), self._dragged = self._dragged, (0.0, 0.0)
        if picture is not None:
            self._settings.drag(-across / max(1, picture.columns), -down / max(1, picture.rows))

    def _do(self, change: Callable[[], None]) -> None:
        async def command() -> None:
            change()

        self._screen.queue.do(command)

    def _is_over(self, event: events.MouseEvent) -> bool:
        return self._view.region.contains(int(event.screen_x), int(event.screen_y))

    def _point(self, event: events.MouseEvent) -> tuple[float, float]:
        """Where the mouse is, as fractions of the panel; the middle of its cell."""
        region = self._view.region
        return (
            (int(event.screen_x) - region.x + 0.5) / max(1, region.width),
            (int(event.screen_y) - region.y + 0.5) / max(1, region.height),
        )
