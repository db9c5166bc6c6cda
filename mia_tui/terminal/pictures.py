"""Pixels to a Picture: in the terminal's protocol, at a panel's size, within a limit in bytes.

Over a slow connection the number of bytes decides how fast the next image appears, so every encoder can trade quality
for bytes; `half` and `draw_pixels` say how.
"""

from dataclasses import replace

import numpy as np

from mia_tui.terminal import kitty
from mia_tui.terminal.draw_pixels import draw_iterm2, draw_kitty, draw_sixel
from mia_tui.terminal.half import draw_half
from mia_tui.terminal.layout import no_picture
from mia_tui.terminal.model import Panel, Picture, Terminal


def draw_picture(
    pixels: np.ndarray,
    panel: Panel,
    terminal: Terminal,
    *,
    max_bytes: int | None = None,
    image_id: int = 0,
) -> Picture:
    """A picture as large as a panel allows, its proportions kept, in the middle.

    Args:
        pixels: uint8, shape (H, W, 3).
        panel: For sixel, the last row of the screen must not belong to it: the screen would scroll.
        terminal: What it can do.
        max_bytes: Limit of size_bytes and `ahead` together; the best picture that fits is drawn. The smallest
            is an empty panel.
        image_id: For kitty, a number from 1 that no other picture in the terminal has. In tmux 255 differ.
    """
    if terminal.graphics == "none" or panel.columns < 1 or panel.rows < 1 or not pixels.size:
        return no_picture(panel)
    drawn: Picture | None = None
    if terminal.graphics == "kitty":
        drawn = draw_kitty(pixels, panel, terminal, max_bytes, max(1, image_id))
    elif terminal.graphics == "iterm2":
        drawn = draw_iterm2(pixels, panel, max_bytes)
    elif terminal.graphics == "sixel":
        drawn = draw_sixel(pixels, panel, terminal, max_bytes)
    if drawn is not None:
        return drawn
    blocks = draw_half(pixels, panel, terminal, max_bytes)
    return blocks if terminal.graphics == "half" else replace(blocks, is_coarse=True)


def useful_px(panel: Panel, terminal: Terminal) -> tuple[int, int]:
    """The size in pixels worth loading for a panel: its own, or for half blocks a smaller one of that shape."""
    width, height = panel.box_px
    if terminal.graphics not in ("half", "none"):
        return width, height
    scale = min(1.0, max(2 / panel.cell_width_px, 4 / panel.cell_height_px))  # two pixels for each half cell
    return max(1, round(width * scale)), max(1, round(height * scale))


def hide_picture(image_id: int, terminal: Terminal) -> str:
    """The sequence that hides a kitty picture, which can be shown again with its `graphics`.

    Empty for the other protocols, whose pictures vanish when something is written over them.
    """
    return kitty.deletion(image_id, terminal, stored=False) if terminal.graphics == "kitty" else ""


def forget_picture(image_id: int, terminal: Terminal) -> str:
    """The sequence that removes a kitty picture from the screen and the terminal's memory; else empty."""
    return kitty.deletion(image_id, terminal, stored=True) if terminal.graphics == "kitty" else ""


def stored_number(image_id: int, terminal: Terminal) -> int:
    """The number that kitty keeps a picture under; one sent later under the same number takes its place."""
    return kitty.number(image_id, terminal)
