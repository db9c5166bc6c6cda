"""The position of a picture in its panel, and what all protocols share."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mia_tui.terminal.model import Panel, Picture

RESET = "\x1b[0m"


@dataclass(frozen=True)
class CellBox:
    """The cells a picture covers in its panel."""

    x: int
    y: int
    columns: int
    rows: int

    def size_px(self, panel: Panel) -> tuple[int, int]:
        """Width and height."""
        return self.columns * panel.cell_width_px, self.rows * panel.cell_height_px


def place_in(panel: Panel, size_px: tuple[int, int]) -> CellBox:
    """The cells for a picture of these proportions: as many as possible, at least one, in the middle."""
    (box_width, box_height), (width, height) = panel.box_px, size_px
    scale = min(box_width / width, box_height / height)
    return centred(
        panel, round(width * scale / panel.cell_width_px), round(height * scale / panel.cell_height_px)
    )


def centred(panel: Panel, columns: int, rows: int) -> CellBox:
    """So many cells, within the panel, in the middle of it."""
    columns, rows = min(max(1, columns), panel.columns), min(max(1, rows), panel.rows)
    return CellBox((panel.columns - columns) // 2, (panel.rows - rows) // 2, columns, rows)


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Pixels in another size, uint8, shape (height, width, 3)."""
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels)
    if width <= image.width and height <= image.height:  # the mean of what a pixel covers
        return np.asarray(image.resize((width, height), Image.Resampling.BOX))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def no_larger(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Pixels within a box; as they are where they fit."""
    scale = min(1.0, width / pixels.shape[1], height / pixels.shape[0])
    return scaled(pixels, scale) if scale < 1 else pixels


def scaled(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Pixels by a factor, at least one of them left in either direction."""
    height, width = pixels.shape[:2]
    return resized(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def make_picture(
    panel: Panel,
    place: CellBox,
    rows: list[str] | None = None,
    *,
    cells: np.ndarray | None = None,
    graphics: str = "",
    ahead: str = "",
    image_id: int = 0,
    is_coarse: bool = False,
) -> Picture:
    """A picture for a panel.

    Args:
        panel: It lies there.
        place: The cells covered.
        rows: Text of the covered cells, one for each row of `place`; None is blank.
        cells: See `Picture`, as all below.
    """
    blank = " " * panel.columns + RESET if _wiped_by_text(graphics) else _erased(panel.columns)
    lines = [blank] * max(0, panel.rows)
    if rows is not None:
        left, right = " " * place.x, " " * (panel.columns - place.x - place.columns)
        lines[place.y : place.y + place.rows] = [f"{left}{row}{right}{RESET}" for row in rows]
    size_bytes = len(graphics) + sum(len(line.encode()) for line in lines)
    return Picture(
        panel=panel,
        lines=tuple(lines),
        cells=cells,
        graphics=graphics,
        x=place.x,
        y=place.y,
        columns=place.columns,
        rows=place.rows,
        ahead=ahead,
        image_id=image_id,
        size_bytes=size_bytes,
        is_coarse=is_coarse,
    )


def _wiped_by_text(graphics: str) -> bool:
    """Half blocks have blanks as text, and sixel pixels may outlive an erased cell."""
    return not graphics or graphics.startswith("\x1bP")


def _erased(columns: int) -> str:
    """Blanks without writing them (ECH, CUF): 5 KB less for 40 lines, 20 ms on a line of 2 Mbit/s."""
    return f"{RESET}\x1b[{columns}X\x1b[{columns}C"


def no_picture(panel: Panel, *, is_coarse: bool = False) -> Picture:
    """Nothing but the panel."""
    return make_picture(panel, CellBox(0, 0, 0, 0), is_coarse=is_coarse)
