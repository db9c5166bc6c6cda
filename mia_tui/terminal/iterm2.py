"""Pictures by iTerm2's protocol: a JPEG file in a sequence. Without name=, so that no file name reaches the terminal.

Source: https://iterm2.com/documentation-images.html
"""

import io
from base64 import b64encode

import numpy as np
from PIL import Image

from mia_tui.terminal.palette import is_grey


def as_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """A JPEG file, of one channel where the picture is grey.

    Args:
        pixels: uint8, shape (H, W, 3).
        quality: 1 to 95, Pillow's scale.
    """
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if is_grey(pixels) else pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def inline_file(data: bytes, columns: int, rows: int) -> str:
    """The sequence that shows a file at the cursor, stretched to these cells."""
    return (
        f"\x1b]1337;File=inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=0;"
        f"doNotMoveCursor=1:{b64encode(data).decode('ascii')}\x07"
    )
