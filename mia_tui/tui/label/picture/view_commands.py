"""What the keys of the labelling screen do that change how images are shown."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mia_tui.config.user.kept import keep
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.picture.view_settings import ViewSettings
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.ink import Ink


class ViewCommands:
    """The commands about zoom, tones, channels and marks.

    Args:
        settings: How images are shown.
        screen: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Every command, by the id of its action.
    """

    def __init__(self, settings: ViewSettings, screen: KeyedScreen[Any], ink: Ink) -> None:
        self._settings, self._screen, self._ink = settings, screen, ink
        self.by_name: dict[str, Command] = {
            "channels": self._choose_channels,
            "fix_window": self._fix_window,
            **{name: partial(self._change_view, change) for name, change in self._changes().items()},
        }

    def _changes(self) -> dict[str, Callable[[], Any]]:
        settings = self._settings
        return {
            "zoom_in": lambda: settings.zoom(1),
            "zoom_out": lambda: settings.zoom(-1),
            "pan_left": lambda: settings.pan(-1, 0),
            "pan_right": lambda: settings.pan(1, 0),
            "pan_up": lambda: settings.pan(0, -1),
            "pan_down": lambda: settings.pan(0, 1),
            "brighter": lambda: settings.brighten(1),
            "darker": lambda: settings.brighten(-1),
            "more_contrast": lambda: settings.contrast(1),
            "less_contrast": lambda: settings.contrast(-1),
            "window": settings.next_window,
            "invert": settings.invert,
            "channel": self._next_channel,
            "reset_look": settings.reset,
            "keep_look": self._toggle_keep,
            "centre_mark": self._mark_centre,
        }

    async def _change_view(self, change: Callable[[], Any]) -> None:
        change()

    def _mark_centre(self) -> None:
        is_marked = self._settings.mark_centre()
        keep(centre_mark=is_marked)
        self._screen.say("The middle of images is marked." if is_marked else "The middle is not marked.")

    def _next_channel(self) -> None:
        if not self._settings.next_channel():
            self._screen.say("This image has one channel.")

    async def _choose_channels(self) -> None:
        from mia_tui.tui.label import pickers

        settings = self._settings
        if not settings.channels:
            self._screen.say("This image has one channel.")
            return
        dialog = pickers.channels(settings.channels, settings.display.channels, self._ink)
        chosen = await self._screen.ask(dialog)
        if chosen is not None:
            settings.choose_channels(chosen)

    async def _fix_window(self) -> None:
        from mia_tui.tui.label.picture import window_dialog

        view = self._settings.view
        if view is None:
            self._screen.say("There is no image to take a window from.")
            return
        chosen = await window_dialog.ask_window(self._screen, view)
        if chosen is not None:
            self._settings.fix_window(chosen or None)

    def _toggle_keep(self) -> None:
        self._settings.keep = not self._settings.keep
        kept = (
            "The next image is shown with the same settings."
            if self._settings.keep
            else "Each image is shown with the default settings."
        )
        self._screen.say(kept)
