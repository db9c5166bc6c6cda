"""What lies over a screen and leaves it visible around itself: dialogs."""

from typing import TypeVar

from textual.geometry import Region
from textual.strip import Strip

from mia_tui.tui.context import Context
from mia_tui.tui.keyed_modal import KeyedModal
from mia_tui.tui.pictures.strips import JoinedStrip

Answer = TypeVar("Answer")


class Overlay(KeyedModal[Answer]):
    """A dialog over a screen.

    Textual would paint the screen below segment by segment, to dim it: over a picture of half blocks each dialog
    then holds up keys for 100-200 ms. Here its lines are taken as they are, and only what the dialog cuts
    becomes segments. Where pictures are graphics, which would cover the dialog, Textual's way is cheap. The
    compositor and what it renders are private parts of Textual's.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        stack = self.app.screen_stack
        place = stack.index(self) if self in stack else 0
        context = getattr(self.app, "context", None)
        if not place or not isinstance(context, Context) or context.terminal.graphics != "half":
            return super().render_lines(crop)
        below = stack[place - 1]._compositor
        if (
            below.size != self.size
        ):  # this one hears of a new size first; the way of Textual fills what is missing
            return super().render_lines(crop)
        chops = below._render_chops(below.size.region, lambda y: crop.y <= y < crop.bottom)
        lines = [JoinedStrip([strip for strip in chop.values() if strip is not None]) for chop in chops]
        return [line.crop(crop.x, crop.right) for line in lines[crop.y : crop.bottom]]
