"""Pictures of pixels within a limit in bytes: sixel uses fewer colours, kitty and iTerm2 send fewer pixels."""

import io
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from mia_tui.terminal import kitty
from mia_tui.terminal.layout import centred, make_picture, no_larger, no_picture, place_in, resized, scaled
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.terminal.palette import FEW_SAMPLED_PX, SAMPLED_PX, is_grey, palette_of, with_palette
from mia_tui.terminal.sixel import STRIP, sixel_stream

# The limit of a sixel picture where none is given: small ones need not save, others have 600 KiB for 120 x 40 cells.
# tmux refuses one of more than 1 MB.
_SIXEL_SMALL_BYTES, _SIXEL_BYTES_PER_PX, _SIXEL_BYTES = 400_000, 0.6, 900_000
_SIXEL_FINE_CELLS, _SIXEL_MANY_COLOURS = 60 * 20, 64  # in more cells, 256 colours would be 1.5 MB
_SIXEL_LEAST_COLOURS = 8
_SIXEL_LEAST_BYTES_PER_PX = 0.08  # with less, a photo keeps too few colours to be worth the time
_SAMPLED = 8  # one strip in so many is used to estimate the size
_GROWTH = 0.4  # bytes grow with colours to about this power, measured on photos from 16 to 256 colours
_SAFE, _AIMED, _CLOSE = 0.96, 0.92, 0.82  # of a limit, for estimates, which are wrong by 4 %
_HOPELESS = 1.1
_ESTIMATES = 4  # of 5 ms each, while a stream that turns out too large has taken 50 ms

# Without a limit, 0.2 megapixels may take 150 KiB by kitty and 60 KiB by iTerm2, with base64; pictures with more
# detail get fewer colours or a lower quality. 64 colours are 30 dB, JPEG quality 50 is 29 dB.
_PNG_COLOURS, _PNG_BYTES_PER_PX = (256, 64, 24), 0.68
_JPEG_QUALITIES, _JPEG_QUALITY_QUICK, _JPEG_BYTES_PER_PX = (85, 75, 60, 50), 70, 0.27
_USUAL_BYTES = 5_000  # headers, palettes, and what is left of small pictures
_TRIES = 4

_Encode = Callable[[np.ndarray], str]


def draw_sixel(pixels: np.ndarray, panel: Panel, terminal: Terminal, max_bytes: int | None) -> Picture | None:
    """A sixel picture of at most `max_bytes`; None if half blocks of that size look better."""
    width, height = _sixel_size(pixels, panel, terminal)
    usual = min(_SIXEL_BYTES, max(_SIXEL_SMALL_BYTES, round(width * height * _SIXEL_BYTES_PER_PX)))
    limit = usual if max_bytes is None else min(usual, max_bytes - no_picture(panel).size_bytes)
    if limit < usual and limit < width * height * _SIXEL_LEAST_BYTES_PER_PX:
        return None
    place = centred(panel, -(-width // panel.cell_width_px), -(-height // panel.cell_height_px))
    fine = place.columns * place.rows <= _SIXEL_FINE_CELLS
    most = min(terminal.sixel_colours, 256 if fine else _SIXEL_MANY_COLOURS)
    stream, colours = _sixel_within(resized(pixels, width, height), most, limit)
    if stream is None:
        return None
    return make_picture(panel, place, graphics=stream, is_coarse=limit < usual and colours < most)


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
        return lambda few: _iterm2_file(_as_jpeg(few, quality), place.columns, place.rows)

    graphics, is_coarse = _fitting(
        no_larger(pixels, *place.size_px(panel)),
        None if max_bytes is None else max_bytes - make_picture(panel, place, graphics="-").size_bytes,
        [sender(quality) for quality in _JPEG_QUALITIES],
        sender(_JPEG_QUALITY_QUICK),
        _JPEG_BYTES_PER_PX,
    )
    return None if graphics is None else make_picture(panel, place, graphics=graphics, is_coarse=is_coarse)


def _as_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """A JPEG file, of one channel where the picture is grey.

    Args:
        pixels: uint8, shape (H, W, 3).
        quality: 1 to 95, Pillow's scale.
    """
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if is_grey(pixels) else pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _iterm2_file(data: bytes, columns: int, rows: int) -> str:
    """The sequence of iTerm2's protocol that shows a file at the cursor, stretched to these cells.

    Without name=, so that no file name reaches the terminal.
    Source: https://iterm2.com/documentation-images.html
    """
    return (
        f"\x1b]1337;File=inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=0;"
        f"doNotMoveCursor=1:{b64encode(data).decode('ascii')}\x07"
    )


def _sixel_size(pixels: np.ndarray, panel: Panel, terminal: Terminal) -> tuple[int, int]:
    """Width and height in pixels: as large as the panel and the terminal allow."""
    box_width, box_height = panel.box_px
    if terminal.sixel_max_px is not None:
        box_width = min(box_width, terminal.sixel_max_px[0])
        box_height = min(box_height, terminal.sixel_max_px[1])
    height, width = pixels.shape[:2]
    scale = min(box_width / width, box_height / height)
    return max(1, min(box_width, round(width * scale))), max(1, min(box_height, round(height * scale)))


def _sixel_within(pixels: np.ndarray, most: int, limit: int) -> tuple[str | None, int]:
    """A sixel stream within a limit, and its colours; None where even the fewest are too many."""
    colours = _promising_colours(pixels, most, limit)
    while colours:
        stream = _sixel(pixels, colours)
        if len(stream) <= limit:
            return stream, colours
        few = max(_SIXEL_LEAST_COLOURS, colours * 3 // 4)
        colours = few if few < colours else 0
    return None, 0


def _promising_colours(pixels: np.ndarray, most: int, limit: int) -> int:
    """The number of colours that probably fits a limit, estimated from some strips; 0 if none does."""
    strips = pixels.shape[0] // STRIP
    if strips < 2 * _SAMPLED:
        return most  # so few strips that trying costs no more
    whole = pixels[: strips * STRIP].reshape(strips, STRIP, *pixels.shape[1:])
    some = np.ascontiguousarray(whole[_SAMPLED // 2 :: _SAMPLED])
    sample, share = some.reshape(-1, *pixels.shape[1:]), len(some) / strips
    fitting, too_many, colours = _SIXEL_LEAST_COLOURS, most + 1, most
    growth, before = _GROWTH, (0, 0.0)
    for _ in range(_ESTIMATES):
        filled = len(_sixel(sample, colours, sampled_px=FEW_SAMPLED_PX)) / share / limit
        if filled <= _SAFE:
            fitting = colours
        else:
            too_many = colours
        if too_many <= _SIXEL_LEAST_COLOURS:
            return 0 if filled > _HOPELESS else _SIXEL_LEAST_COLOURS
        if _CLOSE <= filled <= _SAFE or too_many - fitting <= 1:
            break
        if before[0] not in (0, colours):  # grey pictures grow twice as fast as those with colours
            growth = max(0.1, float(np.log(filled / before[1]) / np.log(colours / before[0])))
        before = colours, filled
        colours = max(fitting, min(too_many - 1, round(colours * (_AIMED / filled) ** (1 / growth))))
    return fitting


def _sixel(pixels: np.ndarray, colours: int, *, sampled_px: int = SAMPLED_PX) -> str:
    image = with_palette(pixels, colours, sampled_px=sampled_px)
    return sixel_stream(np.asarray(image), palette_of(image))


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
