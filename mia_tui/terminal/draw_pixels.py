"""Pixels within a limit in bytes: sixel drops colours, kitty and iTerm2 send fewer pixels for the same cells."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mia_tui.terminal import iterm2, kitty
from mia_tui.terminal.layout import centred, make_picture, no_larger, no_picture, place_in, resized, scaled
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.terminal.palette import palette_of, with_palette
from mia_tui.terminal.sixel import STRIP, sixel_stream

# What a sixel picture may take where nobody sets a limit: small ones all they need, others 600 KiB for 120 x 40
# cells. tmux refuses one of more than 1 MB.
_SIXEL_SMALL_BYTES, _SIXEL_BYTES_PER_PX, _SIXEL_BYTES = 400_000, 0.6, 900_000
_SIXEL_COLOURS = (256, 128, 64, 48, 32, 24, 16, 8)
_SIXEL_FINE_CELLS, _SIXEL_MANY_COLOURS = 60 * 20, 64  # in more cells, 256 colours would be 1.5 MB
_SIXEL_LEAST_BYTES_PER_PX = 0.05  # with less, a photo keeps too few colours to be worth the time
_SAMPLED = 8  # one strip in so many tells the size of all

# Where nobody sets a limit, 0.2 megapixels may take 150 KiB by kitty and 60 KiB by iTerm2, with base64; what is
# fuller of detail gets fewer colours or a lower quality. 64 colours are 30 dB, JPEG quality 50 is 29 dB.
_PNG_COLOURS, _PNG_BYTES_PER_PX = (256, 64, 24), 0.68
_JPEG_QUALITIES, _JPEG_QUALITY_QUICK, _JPEG_BYTES_PER_PX = (85, 75, 60, 50), 70, 0.27
_USUAL_BYTES = 5_000  # headers, palettes, and what is left of small pictures
_TRIES = 4

_Encode = Callable[[np.ndarray], str]


def draw_sixel(pixels: np.ndarray, panel: Panel, terminal: Terminal, max_bytes: int | None) -> Picture | None:
    """A sixel picture of at most `max_bytes`; None where half blocks are the better ones of that size."""
    width, height = _sixel_size(pixels, panel, terminal)
    usual = min(_SIXEL_BYTES, max(_SIXEL_SMALL_BYTES, round(width * height * _SIXEL_BYTES_PER_PX)))
    limit = usual if max_bytes is None else min(usual, max_bytes - no_picture(panel).size_bytes)
    if limit < usual and limit < width * height * _SIXEL_LEAST_BYTES_PER_PX:
        return None
    enlarged = resized(pixels, width, height)
    place = centred(panel, -(-width // panel.cell_width_px), -(-height // panel.cell_height_px))
    fine = place.columns * place.rows <= _SIXEL_FINE_CELLS
    most = min(terminal.sixel_colours, 256 if fine else _SIXEL_MANY_COLOURS)
    choices = [colours for colours in _SIXEL_COLOURS if colours <= most]
    for colours in _hopeful(choices, _sixel_bytes(enlarged, choices[0]), limit):
        stream = _sixel(enlarged, colours)
        if len(stream) <= limit:
            is_coarse = limit < usual and colours < choices[0]
            return make_picture(panel, place, graphics=stream, is_coarse=is_coarse)
    return None


def draw_kitty(
    pixels: np.ndarray, panel: Panel, terminal: Terminal, max_bytes: int | None, image_id: int
) -> Picture | None:
    """A kitty picture that takes at most `max_bytes`, pixels included; None where none is so small."""
    place = place_in(panel, (pixels.shape[1], pixels.shape[0]))
    rows = None
    if terminal.multiplexer == "tmux":
        place = centred(panel, place.columns, min(place.rows, kitty.MAX_ROWS))
        rows = [kitty.placeholders(image_id, place.columns, row, terminal) for row in range(place.rows)]
    graphics = kitty.placement(image_id, place.columns, place.rows, terminal)

    def sender(colours: int, *, quick: bool = False) -> _Encode:
        return lambda few: kitty.transmission(kitty.as_png(few, colours, quick=quick), image_id, terminal)

    picture = make_picture(panel, place, rows, graphics=graphics, image_id=image_id)
    ahead, is_coarse = _fitting(
        no_larger(pixels, *place.size_px(panel)),
        None if max_bytes is None else max_bytes - picture.size_bytes,
        [sender(colours) for colours in _PNG_COLOURS],
        sender(_PNG_COLOURS[0], quick=True),
        _PNG_BYTES_PER_PX,
    )
    return None if ahead is None else replace(picture, ahead=ahead, is_coarse=is_coarse)


def draw_iterm2(pixels: np.ndarray, panel: Panel, max_bytes: int | None) -> Picture | None:
    """An iTerm2 picture of at most `max_bytes`; None where none is so small."""
    place = place_in(panel, (pixels.shape[1], pixels.shape[0]))

    def sender(quality: int) -> _Encode:
        return lambda few: iterm2.inline_file(iterm2.as_jpeg(few, quality), place.columns, place.rows)

    graphics, is_coarse = _fitting(
        no_larger(pixels, *place.size_px(panel)),
        None if max_bytes is None else max_bytes - make_picture(panel, place, graphics="-").size_bytes,
        [sender(quality) for quality in _JPEG_QUALITIES],
        sender(_JPEG_QUALITY_QUICK),
        _JPEG_BYTES_PER_PX,
    )
    return None if graphics is None else make_picture(panel, place, graphics=graphics, is_coarse=is_coarse)


def _sixel_size(pixels: np.ndarray, panel: Panel, terminal: Terminal) -> tuple[int, int]:
    """Width and height in pixels: as large as the panel and the terminal allow."""
    box_width, box_height = panel.box_px
    if terminal.sixel_max_px is not None:
        box_width = min(box_width, terminal.sixel_max_px[0])
        box_height = min(box_height, terminal.sixel_max_px[1])
    height, width = pixels.shape[:2]
    scale = min(box_width / width, box_height / height)
    return max(1, min(box_width, round(width * scale))), max(1, min(box_height, round(height * scale)))


def _sixel(pixels: np.ndarray, colours: int) -> str:
    image = with_palette(pixels, colours)
    return sixel_stream(np.asarray(image), palette_of(image))


def _hopeful(choices: list[int], size_bytes: int, limit: int) -> list[int]:
    """The numbers of colours that may fit a limit, given the size in the first of them."""
    if size_bytes <= limit:
        return choices
    # Bytes grow with colours to the power of 0.45, measured on photos from 24 to 256 colours; 1.1 is for doubt.
    most = choices[0] * (1.1 * limit / size_bytes) ** (1 / 0.45)
    return [colours for colours in choices if colours <= most]


def _sixel_bytes(pixels: np.ndarray, colours: int) -> int:
    """About the bytes that a picture takes."""
    strips = pixels.shape[0] // STRIP
    if strips < 2 * _SAMPLED:
        return 0  # so few that it is as well tried
    whole = pixels[: strips * STRIP].reshape(strips, STRIP, *pixels.shape[1:])
    sample = np.ascontiguousarray(whole[_SAMPLED // 2 :: _SAMPLED])
    return int(len(_sixel(sample.reshape(-1, *pixels.shape[1:]), colours)) * strips / len(sample))


def _fitting(
    pixels: np.ndarray,
    limit: int | None,
    encoders: list[_Encode],
    quick: _Encode,
    bytes_per_px: float,
) -> tuple[str | None, bool]:
    """The best sequence within a limit, and whether the limit made it worse.

    Args:
        pixels: uint8, shape (H, W, 3).
        limit: In bytes; None is the usual, which pictures full of noise may exceed.
        encoders: From the best to the smallest, for all of the pixels.
        quick: For fewer pixels, where the limit asks for that.
        bytes_per_px: What is usual.
    """
    usual = round(pixels.shape[0] * pixels.shape[1] * bytes_per_px) + _USUAL_BYTES
    if limit is None or limit >= usual:
        sent = ""
        for encode in encoders:
            sent = encode(pixels)
            if len(sent) <= usual:
                return sent, False
        if limit is None or len(sent) <= limit:
            return sent, False
    return _fewer_pixels(pixels, limit, quick, bytes_per_px), True


def _fewer_pixels(pixels: np.ndarray, limit: int, encode: _Encode, bytes_per_px: float) -> str | None:
    """A sequence for as many of the pixels as fit a limit; None where none fit."""
    best: str | None = None
    scale = (max(1, limit) / (bytes_per_px * pixels.shape[0] * pixels.shape[1])) ** 0.5
    for _ in range(_TRIES):
        sent = encode(scaled(pixels, scale) if scale < 1 else pixels)
        if len(sent) <= limit:
            best = sent
            if scale >= 1 or len(sent) > 0.7 * limit:
                break
        elif best is not None or limit <= 0:
            break
        scale *= 0.95 * (limit / len(sent)) ** 0.5
    return best
