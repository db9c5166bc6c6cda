"""The queries that are sent to a terminal, and how its answers are read.

Every terminal answers the last query, DA1, and answers come in the order of the queries: after this answer nothing
more will come.
"""

import re
from dataclasses import dataclass

from mia_tui.text import printable

_SAVE, _RESTORE_AND_WIPE = b"\x1b7", b"\x1b8\x1b[K"
_KITTY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_TRUE_COLOUR = b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[0m"  # set one, query which is set (DECRQSS)
_CELL_PX, _SCREEN_PX = b"\x1b[16t", b"\x1b[14t"
_SIXEL_COLOURS, _SIXEL_PX = b"\x1b[?1;1;0S", b"\x1b[?2;1;0S"  # XTSMGRAPHICS
_BRAND = b"\x1b[>q"  # XTVERSION
_BACKGROUND = b"\x1b]11;?\x1b\\"  # OSC 11: the colour behind text
_LAST = b"\x1b[c"  # DA1

# Terminals that print these strings of the kitty protocol on the screen print them where they are erased again.
QUERIES = (
    _SAVE + _KITTY + _TRUE_COLOUR + _BACKGROUND + _RESTORE_AND_WIPE
    + _BRAND + _CELL_PX + _SCREEN_PX + _SIXEL_COLOURS + _SIXEL_PX + _LAST
)  # fmt: skip
# GNU screen passes strings on to the terminal around it, whose answers come after screen's own; old Linux consoles
# print them.
QUERIES_WITHOUT_STRINGS = _BRAND + _CELL_PX + _SCREEN_PX + _LAST
# tmux uses the kitty string as a window title; for the background it answers itself.
QUERIES_IN_TMUX = _BACKGROUND + QUERIES_WITHOUT_STRINGS

_LAST_ANSWER = re.compile(rb"\x1b\[\?([\d;]*)c")


@dataclass(frozen=True)
class Answers:
    """What a terminal answered. The defaults are for a terminal that does not answer."""

    complete: bool = False
    """Whether the last query was answered, so that nothing more will come."""
    kitty: bool = False
    """Whether it supports the kitty protocol."""
    sixel: bool = False
    true_colour: bool = False
    """Whether it supports 24-bit colours."""
    brand: str = ""
    cell_px: tuple[int, int] | None = None
    """Width and height of a cell."""
    screen_px: tuple[int, int] | None = None
    sixel_colours: int | None = None
    sixel_max_px: tuple[int, int] | None = None
    background: tuple[int, int, int] | None = None
    """The colour behind text: red, green and blue, 0 to 255."""


def is_complete(data: bytes) -> bool:
    """Whether the last answer is among these bytes."""
    return _LAST_ANSWER.search(data) is not None


def read_answers(data: bytes) -> Answers:
    """Read the bytes that came from a terminal; key presses between the answers are skipped."""
    last = _LAST_ANSWER.search(data)
    brand = re.search(rb"\x1bP>\|([^\x1b]{0,200})\x1b\\", data)
    colours = _numbers(rb"\x1b\[\?1;0;(\d{1,5})S", data)
    return Answers(
        complete=last is not None,
        kitty=b"\x1b_Gi=31;OK\x1b\\" in data,
        sixel=last is not None and b"4" in last.group(1).split(b";")[1:],
        true_colour=re.search(rb"\x1bP1\$r[\d:;]*48[:;]2[:;]{1,2}1[:;]2[:;]3", data) is not None,
        brand=printable(brand.group(1).decode("utf-8", "replace")) if brand else "",
        cell_px=_size(rb"\x1b\[6;(\d{1,5});(\d{1,5})t", data),
        screen_px=_size(rb"\x1b\[4;(\d{1,5});(\d{1,5})t", data),
        sixel_colours=colours[0] if colours else None,
        sixel_max_px=_numbers_pair(rb"\x1b\[\?2;0;(\d{1,6});(\d{1,6})S", data),
        background=_colour(rb"\x1b\]11;rgba?:([\da-fA-F]{1,4})/([\da-fA-F]{1,4})/([\da-fA-F]{1,4})", data),
    )


def _colour(pattern: bytes, data: bytes) -> tuple[int, int, int] | None:
    """A colour of three parts, each of one to four hexadecimal digits: f, ff and ffff are full."""
    match = re.search(pattern, data)
    if match is None:
        return None
    red, green, blue = (round(255 * int(part, 16) / (16 ** len(part) - 1)) for part in match.groups())
    return red, green, blue


def _numbers(pattern: bytes, data: bytes) -> tuple[int, ...]:
    match = re.search(pattern, data)
    return tuple(map(int, match.groups())) if match else ()


def _numbers_pair(pattern: bytes, data: bytes) -> tuple[int, int] | None:
    found = _numbers(pattern, data)
    return (found[0], found[1]) if len(found) == 2 and min(found) > 0 else None


def _size(pattern: bytes, data: bytes) -> tuple[int, int] | None:
    """Width and height from an answer that has the height first."""
    found = _numbers_pair(pattern, data)
    return (found[1], found[0]) if found else None
