"""Pictures by the kitty protocol: pixels are sent once under a number, then shown with a short sequence.

Outside tmux a picture is placed directly on the screen, below cells with a background colour, so that a dialog over
it hides it. (kitty before 0.28 then draws every background colour wrong,
https://github.com/kovidgoyal/kitty/issues/6061: there pictures are above text, and must be hidden for a dialog.) tmux
does not know pictures: there, cells hold a placeholder character, which kitty, from 0.28 on, replaces by a part of
the picture, and the pixels are passed through in a wrapper (tmux: set -g allow-passthrough on).

Placements have q=1: if the terminal has not kept a picture, it answers, and `missing_number` reads that. All other
commands have q=2, for no answer. In tmux there is never an answer, since tmux would handle it as key presses.

A picture is deleted with its data (d=I) only if everything that is not on the screen may be deleted: kitty before
0.38.1 frees all of that with it (https://github.com/kovidgoyal/kitty/discussions/8129).

Source: https://sw.kovidgoyal.net/kitty/graphics-protocol/
"""

import io
import re
from base64 import b64encode
from functools import cache

import numpy as np
from PIL import Image

from mia_tui.terminal.model import Terminal
from mia_tui.terminal.palette import is_grey, with_palette

TILES = 1 << 20
"""The first number of pictures that are tiles: one screen shows dozens, beside those of the labelling screen."""

_HIGH_BIT = 24  # where the byte of a number begins that a third mark says
_CHUNK = 4096  # of base64, the most that one sequence may hold
_BELOW = -(2**30) - 1  # under cells with a ground colour of their own
_FIRST_TO_DRAW_BELOW = (0, 28)  # version of kitty
_PLACEHOLDER = "\U0010eeee"
# Combining marks that number rows and columns of placeholders, as code points: kitty's rowcolumn-diacritics.txt.
_MARKS = (
    "305 30d-30e 310 312 33d-33f 346 34a-34c 350-352 357 35b 363-36f 483-487 592-595 597-599 59c-5a1 5a8-5a9 "
    "5ab-5ac 5af 5c4 610-617 657-65b 65d-65e 6d6-6dc 6df-6e2 6e4 6e7-6e8 6eb-6ec 730 732-733 735-736 73a 73d "
    "73f-741 743 745 747 749-74a 7eb-7f1 7f3 816-819 81b-823 825-827 829-82d 951 953-954 f82-f83 f86-f87 "
    "135d-135f 17dd 193a 1a17 1a75-1a7c 1b6b 1b6d-1b73 1cd0-1cd2 1cda-1cdb 1ce0 1dc0-1dc1 1dc3-1dc9 1dcb-1dcc "
    "1dd1-1de6 1dfe 20d0-20d1 20d4-20d7 20db-20dc 20e1 20e7 20e9 20f0 2cef-2cf1 2de0-2dff a66f a67c-a67d "
    "a6f0-a6f1 a8e0-a8f1 aab0 aab2-aab3 aab7-aab8 aabe-aabf aac1 fe20-fe26 10a0f 10a38 1d185-1d189 1d1aa-1d1ad "
    "1d242-1d244"
)
MAX_ROWS = 297  # that these marks number


def as_png(pixels: np.ndarray, colours: int, *, quick: bool = False) -> bytes:
    """A small PNG: grey as it is, coloured in a palette (256 colours: 32 dB, JPEG of quality 75 has 31).

    Args:
        pixels: uint8, shape (H, W, 3).
        colours: At most, 2 to 256.
        quick: For small pictures: 2 dB less, in a tenth of the time.
    """
    image = Image.fromarray(pixels[..., 0]) if is_grey(pixels) else with_palette(pixels, colours, quick=quick)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=2)  # higher levels gain nothing on photos
    return file.getvalue()


def transmission(png: bytes, image_id: int, terminal: Terminal) -> str:
    """The sequence that stores a PNG in the terminal under a number, and shows nothing."""
    data = b64encode(png).decode("ascii")
    stored = number(image_id, terminal)
    sequences = []
    for start in range(0, len(data), _CHUNK):
        control = f"a=t,t=d,f=100,i={stored}," if start == 0 else ""
        more = int(start + _CHUNK < len(data))
        sequences.append(_command(f"{control}q=2,m={more}", terminal, data[start : start + _CHUNK]))
    return "".join(sequences)


def placement(image_id: int, columns: int, rows: int, terminal: Terminal) -> str:
    """The sequence that shows a stored picture at the cursor, in these cells; in tmux, in its placeholders."""
    if terminal.multiplexer == "tmux":
        where = "U=1"
    else:
        where = f"p=1,C=1,z={_BELOW}" if _draws_below(terminal) else "p=1,C=1"
    quiet = 1 if answers_placements(terminal) else 2
    return _command(f"a=p,i={number(image_id, terminal)},{where},c={columns},r={rows},q={quiet}", terminal)


def answers_placements(terminal: Terminal) -> bool:
    """Whether the terminal reports that it has no picture to place."""
    return terminal.graphics == "kitty" and not terminal.multiplexer


def missing_number(answer: str) -> int | None:
    """The number in an answer to a placement, if the terminal does not have that picture; else None."""
    match = re.fullmatch(r"\x1b_G(?:[^;]*,)?i=(\d{1,10})\b[^;]*;(.*)\x1b\\", answer)
    return int(match[1]) if match and match[2] != "OK" else None


def placeholders(image_id: int, columns: int, row: int, terminal: Terminal) -> str:
    """The cells of one row of a picture in tmux. The first says where it belongs, the others follow it."""
    marks = _marks()
    high, low = divmod(number(image_id, terminal), 1 << _HIGH_BIT)
    start = f"\x1b[38;5;{low}m{_PLACEHOLDER}{marks[row]}{marks[0]}{marks[high] if high else ''}"
    return f"{start}{_PLACEHOLDER * (columns - 1)}\x1b[39m"


@cache
def placeholder_pattern() -> re.Pattern[str]:
    """Finds a cell of a picture in tmux."""
    return re.compile(f"{_PLACEHOLDER}[{''.join(_marks())}]*")


def deletion(image_id: int, terminal: Terminal, *, stored: bool) -> str:
    """The sequence that removes a picture from the screen, and from the terminal's memory if `stored`."""
    if terminal.multiplexer == "tmux" and not stored:
        return ""  # it is gone with its cells
    return _command(f"a=d,d={'I' if stored else 'i'},i={number(image_id, terminal)},q=2", terminal)


def number(image_id: int, terminal: Terminal) -> int:
    """In tmux the number is a colour of the placeholders, and only 256 of those reach every terminal unchanged.

    Pictures of tiles, from `TILES` on, have a third mark as well, which is the highest byte of the number.
    """
    if terminal.multiplexer != "tmux":
        return max(1, image_id)
    if image_id < TILES:
        return (image_id - 1) % 255 + 1
    high, low = divmod(image_id - TILES, 255)
    return (1 + high % 255 << _HIGH_BIT) | (low + 1)


def _draws_below(terminal: Terminal) -> bool:
    version = re.match(r"kitty\((\d+)\.(\d+)", terminal.brand)
    return version is None or (int(version[1]), int(version[2])) >= _FIRST_TO_DRAW_BELOW


def _command(control: str, terminal: Terminal, data: str = "") -> str:
    sequence = f"\x1b_G{control};{data}\x1b\\" if data else f"\x1b_G{control}\x1b\\"
    if terminal.multiplexer != "tmux":
        return sequence
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


@cache
def _marks() -> tuple[str, ...]:
    marks: list[str] = []
    for part in _MARKS.split():
        first, _, last = part.partition("-")
        marks += map(chr, range(int(first, 16), int(last or first, 16) + 1))
    return tuple(marks)
