"""The records of this package: a terminal, a panel of cells on it, a picture for that panel."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

Graphics = Literal["kitty", "iterm2", "sixel", "half", "none"]
Colours = Literal["true", "256", "16", "none"]
Background = Literal["dark", "light", ""]
Multiplexer = Literal["", "tmux", "screen"]

_COLOURS: dict[Colours, str] = {
    "true": "16 million colours",
    "256": "256 colours",
    "16": "16 colours",
    "none": "no colours",
}

# A sequence of the kitty protocol, alone or wrapped for tmux, which adds its own terminator. There are no backslashes
# in base64; searching for them is 20 times faster than trying each character, and keys have to wait meanwhile.
_SEQUENCE = re.compile(r"[^\\]*\\(?:\x1b\\)?")


@dataclass(frozen=True)
class Terminal:
    """What a terminal can do, as `ask.ask_terminal` found out."""

    graphics: Graphics
    """How pictures are shown: as pixels by one of three protocols, as coloured half blocks, or not at all."""
    colours: Colours
    """Colours it can show. Pictures always use them; the interface only if `colourless` is False."""
    cell_width_px: int
    cell_height_px: int
    cell_known: bool
    """Whether the terminal reported the size of its cells; otherwise it is a guess, good for proportions only."""
    brand: str = ""
    """Name and version that it reported, printable; empty if it reported none."""
    multiplexer: Multiplexer = ""
    around: str = ""
    """In tmux, name and version of the terminals around it, printable; empty if unknown."""
    unicode: bool = True
    """Whether characters beyond ASCII can be shown."""
    colourless: bool = False
    """Whether everything but pictures is without colours: NO_COLOR is set, or there are none."""
    note: str | None = None
    """Why pictures are not shown as requested, a sentence for the user; None if they are."""
    hint: str | None = None
    """How the user would see images in full, a sentence; None if they are shown so, or were not wanted so."""
    answered: bool = True
    """Whether all answers were read. If not, late ones arrive as key presses."""
    background: Background = ""
    """What text stands on; empty if it is not known."""
    background_rgb: tuple[int, int, int] | None = None
    """The colour that text stands on, each part from 0 to 255; None if the terminal did not say."""
    sixel_colours: int = 256
    """Colour registers."""
    sixel_max_px: tuple[int, int] | None = None
    """Largest width and height of a sixel image; None if it reported no limit."""

    @property
    def colours_in_words(self) -> str:
        """The number of colours in words, and what they are used for."""
        shown = _COLOURS[self.colours]
        return f"{shown} in pictures, none elsewhere" if self.colourless and self.colours != "none" else shown


@dataclass(frozen=True)
class Panel:
    """The cells a picture may cover."""

    columns: int
    rows: int
    cell_width_px: int
    cell_height_px: int

    @property
    def box_px(self) -> tuple[int, int]:
        """Width and height in pixels of the terminal."""
        return self.columns * self.cell_width_px, self.rows * self.cell_height_px


@dataclass(frozen=True)
class Picture:
    """A picture, encoded for one panel of one terminal."""

    panel: Panel
    lines: tuple[str, ...]
    """One for each row of the panel: fills exactly panel.columns cells, with its colours, and leaves none set.
    Blank where pixels lie."""
    cells: np.ndarray | None
    """Half blocks: the upper and the lower colour of every cell covered, uint8, shape (rows, columns, 2, 3),
    to draw rows that something else covers in part. None where pixels are shown."""
    graphics: str
    """What paints the pixels, to be written with the cursor at (x, y); empty for half blocks."""
    x: int
    """First column covered, from 0."""
    y: int
    columns: int
    """Columns covered; 0 where nothing is shown."""
    rows: int
    ahead: str
    """kitty: the pixels. To be sent once before `graphics`, earlier if the line is idle. Else empty."""
    image_id: int
    """kitty: the number that `ahead` stores the pixels under; else 0."""
    size_bytes: int
    """What `lines` and `graphics` take as UTF-8, without `ahead`."""
    is_coarse: bool
    """Whether less is shown than the panel could show, because of a limit in bytes."""

    @property
    def ahead_chunks(self) -> tuple[str, ...]:
        """`ahead` in pieces of about 4 KiB. All must be sent, in order and with no other picture between."""
        return tuple(_SEQUENCE.findall(self.ahead))
