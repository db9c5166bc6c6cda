"""Asks between which values this image and the next ones are shown."""

from typing import TYPE_CHECKING, Any, Literal

from mia_tui.dataset.images.rendering import RenderedImage
from mia_tui.dataset.images.screen.windows import FixedWindow
from mia_tui.text import printable
from mia_tui.tui.dialogs import TextDialog
from mia_tui.tui.label.picture.window_words import typed_window, window_of

if TYPE_CHECKING:
    from mia_tui.tui.screen import KeyedScreen

_HINT = "{ok} shows this and the next images between these values; empty: each between its own."


async def ask_window(screen: "KeyedScreen[Any]", view: RenderedImage) -> FixedWindow | Literal[False] | None:
    """The window that was chosen; False for none, None if that was cancelled.

    Args:
        screen: The screen that asks.
        view: The image, whose values are there at first.
    """
    title = "Which values are black and white?"
    if len(view.ranges) > 1:
        names = ", ".join(printable(name) for name in view.channels.values())
        title += f" One pair for each of {names}, or one for all."
    text, error = typed_window(view), ""
    while True:
        typed = await screen.ask(TextDialog(title, value=text, hint=_HINT, error=error))
        if typed is None:
            return None
        if not typed.strip():
            return False
        try:
            return window_of(typed, view)
        except ValueError as fault:
            text, error = typed, str(fault)
