"""The frame of a tile: its class in colour, in a pattern and in words; cursor, mark and signs.

Solid is a person's label, dashed a model's suggestion, none no label. The sides take half a cell each, so that they
lie close to the picture; the other half is the cursor's. Each side is a line of its own that is painted without the
picture.
"""

from dataclasses import dataclass
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from mia_tui.tui.classes.class_frame import FrameKind
from mia_tui.tui.classes.class_mark import MARK_COLUMNS
from mia_tui.tui.widgets.ink import Ink

_LEAD, _NARROW = 2, 14  # columns for cursor and mark; one in tiles narrower than this


@dataclass(frozen=True)
class TileFace:
    """What the frame of a tile shows.

    Attributes:
        kind: Whether there is a person's label, a model's suggestion or neither.
        name: Of the class, or other words.
        colour: #rrggbb of the class; None without one.
        chip: Three cells: the key of the class, or a sign.
        chip_style: Their style.
        sure: How sure the model is, such as `90%`; empty if that is not known.
        signs: Of a flag, a note and the like.
        is_current: Whether the cursor is here.
        is_marked: Whether the person has marked it.
    """

    kind: FrameKind
    name: str
    colour: str | None
    chip: str
    chip_style: Style
    sure: str = ""
    signs: str = ""
    is_current: bool = False
    is_marked: bool = False


def caption(face: TileFace, columns: int, ink: Ink) -> Strip:
    """The line above a picture: cursor, mark, key of the class, its name, how sure the model is."""
    is_narrow = columns < _NARROW
    room = max(0, columns - _LEAD + is_narrow - MARK_COLUMNS - 1)
    sure = f" {face.sure}" if face.sure and room > len(face.sure) + 2 else ""
    text = ink.fit(face.name, room - len(sure)) + sure
    pattern = " " if face.kind == "label" else ink.pattern(face.kind)
    if text and face.kind != "label" and ink.width(text) < room:
        text += " "
    rest = room - ink.width(text)
    line = text + (pattern * (rest + 1))[:rest]
    band = ink.cursor() if face.is_current else _band(face, ink)
    is_band = face.is_current or face.kind == "label"
    ends = ("▐", "▌") if is_band and ink.unicode and ink.colours else (" ", " ")
    end_style = _cursor(ink) if face.is_current else ink.frame("suggestion", face.colour)
    mark_style = Style(bold=True, reverse=face.is_marked) if not is_band else band
    pieces = [Segment(ink.pointer, band) if face.is_current else Segment(ends[0], end_style)]
    mark = Segment(ink.mark if face.is_marked else " ", mark_style)
    if not is_narrow:
        pieces.append(mark)
    elif face.is_marked:
        pieces = [mark]
    chip_style = band if face.is_current and face.kind != "label" else face.chip_style
    pieces += [Segment(face.chip, chip_style), Segment(line, band), Segment(ends[1], end_style)]
    return _grounded(Strip(pieces).crop(0, columns), ink)


def side(face: TileFace, ink: Ink, *, is_left: bool, row: int) -> Strip:
    """One cell beside the picture."""
    is_gap = face.kind == "none" or (face.kind == "suggestion" and row % 2 == 1)
    cursor = _cursor(ink) if face.is_current else None
    return _side(face.colour, face.kind == "label", ink, cursor, is_left, is_gap)


def bottom(face: TileFace, columns: int, ink: Ink) -> Strip:
    """The line below a picture, with signs at its right end."""
    signs = f" {face.signs} " if face.signs else ""
    room = max(0, columns - 2 - ink.width(signs))
    corners, line, style = _bottom(face, ink)
    middle = (line * (room // len(line) + 1))[:room] if room else ""
    pieces = [Segment(corners[0] + middle, style)]
    if signs:
        pieces.append(Segment(ink.fit(signs, columns - 2 - room), Style(bold=True)))
    return _grounded(Strip([*pieces, Segment(corners[1], style)]).adjust_cell_length(columns), ink)


def _grounded(strip: Strip, ink: Ink) -> Strip:
    """Words on the theme's background where the terminal's is of the other kind."""
    return strip if ink.beside_images is None else strip.apply_style(ink.beside_images)


def _band(face: TileFace, ink: Ink) -> Style:
    if face.kind == "none":
        return ink.dim()
    if face.kind == "label" and not ink.colours:
        return Style(reverse=True)
    return ink.words(face.kind, face.colour)


@lru_cache(maxsize=256)  # a strip that is kept keeps its text as well
def _side(
    colour: str | None, is_label: bool, ink: Ink, cursor: Style | None, is_left: bool, is_gap: bool
) -> Strip:
    frame = ink.frame("suggestion", colour) if ink.colours else Style(bold=is_label)
    if not ink.unicode or not ink.colours:
        sign = " " if is_gap else _plain_side(is_label, ink)
        return Strip([Segment("|" if cursor is not None and is_gap else sign, frame)], 1)
    inner, outer = ("▐", "▌") if is_left else ("▌", "▐")
    if is_gap:
        return Strip([Segment(" ") if cursor is None else Segment(outer, cursor)], 1)
    return Strip([Segment(inner, frame if cursor is None else _on_cursor(frame, cursor))], 1)


def _bottom(face: TileFace, ink: Ink) -> tuple[str, str, Style]:
    """Its two corners, what lies between them, and the style."""
    is_label, is_gap = face.kind == "label", face.kind == "none"
    frame = ink.frame("suggestion", face.colour) if ink.colours else Style(bold=is_label)
    if not ink.unicode or not ink.colours:
        sign = " " if is_gap else _plain_side(is_label, ink)
        line = "-" if _is_cursor_only(face) else sign if is_label or is_gap else f"{sign}{sign} "
        return sign * 2, line, frame
    if is_gap:
        return ("▙▟", "▄", _cursor(ink)) if face.is_current else ("  ", " ", Style())
    return "▝▘", "▀" if is_label else "▀▀ ", _on_cursor(frame, _cursor(ink)) if face.is_current else frame


def _is_cursor_only(face: TileFace) -> bool:
    """Whether only the cursor is drawn around it."""
    return face.is_current and face.kind == "none"


def _plain_side(is_label: bool, ink: Ink) -> str:
    if is_label:
        return "█" if ink.unicode else "#"
    return "┃" if ink.unicode else ":"


def _on_cursor(frame: Style, accent: Style) -> Style:
    """Half of the cell in the colour of the class, half in that of the cursor."""
    return frame + Style(bgcolor=accent.color)


def _cursor(ink: Ink) -> Style:
    """The colour of the cursor, as a text colour."""
    under = ink.cursor().bgcolor
    return ink.accent() if under is None else Style(color=under)
