"""An image as text for the terminal, by the renderables of textual-image, or by our own encoders.

textual-image queries the terminal when it is imported, and its cell size when it draws; late answers would appear
in the shell as typed text. So it gets a stream that is no terminal in place of stdout, and the cell size in
variables that it reads for terminals in a browser. The stream also catches what it writes without rich, so that all
output goes through `SafeStream`.
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from mia_tui.terminal.model import Terminal

_KITTY = re.compile(r"kitty\((\d+)\.(\d+)", re.IGNORECASE)
_COLOUR_SYSTEMS = {"true": "truecolor", "256": "256", "16": "standard"}


def draw(pixels: np.ndarray, size: tuple[int, int], terminal: "Terminal") -> str:
    """The text that draws an image at the cursor, and leaves the cursor below it.

    Args:
        pixels: uint8, shape (H, W, 3).
        size: Columns and rows of the image.
        terminal: How to draw; its graphics are not "none".
    """
    if _is_for_textual_image(terminal):
        return _by_textual_image(Image.fromarray(pixels), size, terminal)
    return draw_as_app(pixels, size, terminal)


def _is_for_textual_image(terminal: "Terminal") -> bool:
    """Whether it has an encoder for this terminal: none for iTerm2, for ASCII, or through a multiplexer."""
    if not terminal.unicode:
        return False
    if terminal.graphics == "half":
        return True
    if terminal.multiplexer:  # 0.12 wraps nothing for tmux
        return False
    return terminal.graphics == "sixel" or (
        terminal.graphics == "kitty" and _has_placeholders(terminal.brand)
    )


def _has_placeholders(brand: str) -> bool:
    """Whether pictures may be made of text cells, as textual-image does; kitty before 0.28 shows bare signs."""
    match = _KITTY.match(brand)
    return (match is not None and (int(match[1]), int(match[2])) >= (0, 28)) or brand.lower().startswith(
        "ghostty"
    )


def _by_textual_image(image: Image.Image, size: tuple[int, int], terminal: "Terminal") -> str:
    with _no_terminal(terminal.cell_width_px, terminal.cell_height_px) as drawn:
        from rich.console import Console
        from textual_image.renderable import HalfcellImage, SixelImage, TGPImage, UnicodeImage

        half = UnicodeImage if terminal.colours == "none" else HalfcellImage
        renderable = {"kitty": TGPImage, "sixel": SixelImage, "half": half}[terminal.graphics]
        columns, rows = size
        console = Console(
            file=drawn,
            force_terminal=True,
            # kitty's numbers of images are colours of text, which must not be changed
            color_system="truecolor"
            if terminal.graphics == "kitty"
            else _COLOUR_SYSTEMS.get(terminal.colours),  # type: ignore[arg-type]
            no_color=False,
            width=columns,
            height=rows,
        )
        console.print(renderable(image, width=columns, height=rows), end="")
    return drawn.getvalue()


@contextmanager
def _no_terminal(cell_width_px: int, cell_height_px: int) -> Iterator[io.StringIO]:
    """A stream that textual-image uses as stdout."""
    variables = {"TEXTUAL_CELL_WIDTH": str(cell_width_px), "TEXTUAL_CELL_HEIGHT": str(cell_height_px)}
    before = {name: os.environ.get(name) for name in variables}
    stdout, drawn = sys.__stdout__, io.StringIO()
    os.environ.update(variables)
    vars(sys)["__stdout__"] = drawn
    try:
        yield drawn
    finally:
        vars(sys)["__stdout__"] = stdout
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def draw_as_app(pixels: np.ndarray, size: tuple[int, int], terminal: "Terminal") -> str:
    """As `draw`, by the encoders of the app."""
    from mia_tui.terminal.model import Panel
    from mia_tui.terminal.pictures import draw_picture

    columns, rows = size
    panel = Panel(columns, rows, terminal.cell_width_px, terminal.cell_height_px)
    picture = draw_picture(
        pixels, panel, terminal, image_id=_image_id() if terminal.graphics == "kitty" else 0
    )
    lines = "".join(f"{line}\n" for line in picture.lines)
    if not picture.graphics:
        return lines
    back = f"\x1b[{rows - picture.y}A" + (f"\x1b[{picture.x}C" if picture.x else "")
    return f"{picture.ahead}{lines}\x1b7{back}{picture.graphics}\x1b8"


def _image_id() -> int:
    """A random number: an image printed before with the same number would be replaced."""
    return int.from_bytes(os.urandom(3)) | 1
