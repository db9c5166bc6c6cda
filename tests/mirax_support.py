"""A MIRAX slide written by hand: its tiles are PNG, so that nothing of the pixels is lost."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

_LEVEL = """
[LAYER_0_LEVEL_{level}_SECTION]
OVERLAP_X = 0
OVERLAP_Y = 0
MICROMETER_PER_PIXEL_X = {width}
MICROMETER_PER_PIXEL_Y = {height}
IMAGE_FORMAT = PNG
IMAGE_FILL_COLOR_BGR = 16777215
DIGITIZER_WIDTH = {tile}
DIGITIZER_HEIGHT = {tile}
IMAGE_CONCAT_FACTOR = {more}
"""


def write_mirax(path: Path, pixels: np.ndarray, *, tile: int, levels: int = 2) -> Path:
    """A slide of whole tiles; each further level has every second pixel of the one before.

    Tiles of 0 everywhere are left out, as what was not scanned. Its pixels are 0.25 µm wide and 0.5 µm high.
    """
    folder = path.with_suffix("")
    folder.mkdir(parents=True)
    across, down = pixels.shape[1] // tile, pixels.shape[0] // tile
    lines = [
        *("[GENERAL]", "SLIDE_ID = A", "SLIDE_VERSION = 01.02", "OBJECTIVE_MAGNIFICATION = 20"),
        *(f"IMAGENUMBER_X = {across}", f"IMAGENUMBER_Y = {down}"),
        *("[HIERARCHICAL]", "HIER_COUNT = 1", "NONHIER_COUNT = 0", "INDEXFILE = Index.dat"),
        *("HIER_0_NAME = Slide zoom level", f"HIER_0_COUNT = {levels}"),
        *(f"HIER_0_VAL_{level}_SECTION = LAYER_0_LEVEL_{level}_SECTION" for level in range(levels)),
        *("[DATAFILE]", "FILE_COUNT = 1", "FILE_0 = Data0000.dat"),
    ]
    text, data, pages = "\n".join(lines) + "\n", bytearray(b"data"), []
    for level in range(levels):
        step = 2**level
        text += _LEVEL.format(
            level=level, width=0.25 * step, height=0.5 * step, tile=tile, more=int(level > 0)
        )
        pages.append(_add_tiles(data, pixels[::step, ::step], tile, step, across))
    (folder / "Slidedat.ini").write_text(text)
    (folder / "Data0000.dat").write_bytes(data)
    (folder / "Index.dat").write_bytes(_index(pages))
    Image.new("RGB", (8, 8)).save(path, "JPEG")
    return path


def _add_tiles(data: bytearray, pixels: np.ndarray, tile: int, step: int, across: int) -> bytes:
    """Add the tiles of a level to the data; returns their list."""
    entries = b""
    for row in range(pixels.shape[0] // tile):
        for column in range(pixels.shape[1] // tile):
            part = pixels[row * tile : (row + 1) * tile, column * tile : (column + 1) * tile]
            if part.any():
                file = io.BytesIO()
                Image.fromarray(np.ascontiguousarray(part)).save(file, "PNG")
                number = row * step * across + column * step
                entries += struct.pack("<4i", number, len(data), len(file.getvalue()), 0)
                data += file.getvalue()
    return entries


def _index(pages: list[bytes]) -> bytes:
    head = b"01.02A"
    table = len(head) + 8
    index = bytearray(head + struct.pack("<2i", table, 0) + bytes(4 * len(pages)))
    for level, page in enumerate(pages):
        struct.pack_into("<i", index, table + 4 * level, len(index))
        index += struct.pack("<4i", 0, len(index) + 8, len(page) // 16, 0) + page
    return bytes(index)
