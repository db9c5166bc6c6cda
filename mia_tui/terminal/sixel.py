"""Sixel pictures: pixels in strips of six rows, a pass over each strip for every colour in it.

The whole stream is made at once in numpy, 20 times as fast as pixel by pixel.
The palette is defined before the first pixel: where colours are defined as they
come, xterm shows the first strips in the wrong ones.

Source: DEC STD 070, "Video Systems Reference Manual", chapter 9.
"""

import numpy as np

STRIP = 6  # rows of pixels
_DIGITS = np.array([1] * 10 + [2] * 90 + [3] * 900 + [4] * 9000, np.int64)
_REPEAT, _COLOUR, _RETURN, _NEXT, _ZERO = b"!#$-?"


def sixel_stream(places: np.ndarray, palette: np.ndarray) -> str:
    """The sequence that paints a picture at the cursor.

    Args:
        places: Places in the palette, uint8, shape (H, W), W below 10,000.
        palette: uint8, shape (K, 3).
    """
    height, width = places.shape
    percent = (palette.astype(np.int64) * 100 + 127) // 255
    colours = "".join(f"#{i};2;{r};{g};{b}" for i, (r, g, b) in enumerate(percent.tolist()))
    # P2 = 1: pixels that are not set stay as they are. The raster attributes keep pixels square.
    return f'\x1bP0;1;0q"1;1;{width};{height}{colours}{_body(places, len(palette))}\x1b\\'


def _body(places: np.ndarray, colours: int) -> str:
    column, row, sixel, length = _runs(places, colours)  # row: strip * colours + colour
    first = np.flatnonzero(np.diff(row, prepend=-1))  # of each row
    strip, colour = np.divmod(row[first], colours)
    gap = column.copy()
    gap[1:] -= column[:-1] + length[:-1]
    gap[first] = column[first]

    # Every run becomes: [$ or -][# colour][! gap ?][! length sixel], each part only where there is something to say.
    gap_bytes = np.where(gap > 3, 2 + _DIGITS[gap], gap)
    run_bytes = np.where(length > 3, 2 + _DIGITS[length], length)
    lead_bytes = gap_bytes.copy()
    lead_bytes[first] += 2 + _DIGITS[colour]
    lead_bytes[0] -= 1  # nothing to separate

    # A gap of up to 3 is as many blanks, a run of up to 3 as many sixels: both are there when each is repeated as
    # often as its part has bytes. The rest is written over that.
    parts = np.empty((len(sixel), 2), np.uint8)
    parts[:, 0], parts[:, 1] = _ZERO, sixel
    stream = np.repeat(parts.ravel(), np.stack([lead_bytes, run_bytes], axis=1).ravel())
    run_place = np.cumsum(lead_bytes + run_bytes) - run_bytes
    place = (run_place - lead_bytes)[first]
    stream[place[1:]] = np.where(np.diff(strip), _NEXT, _RETURN)
    place[1:] += 1
    _put_number(stream, place, _COLOUR, colour)
    wide = gap > 3
    _put_number(stream, (run_place - gap_bytes)[wide], _REPEAT, gap[wide])
    wide = length > 3
    _put_number(stream, run_place[wide], _REPEAT, length[wide])
    return stream.tobytes().decode("ascii")


def _runs(places: np.ndarray, colours: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Runs of equal sixels, in the order in which they are sent.

    Returns:
        First column, row (strip * colours + colour), character and length of each, shape (N,).
    """
    height, width = places.shape
    strips = -(-height // STRIP)
    # A cell for every strip, colour and column, in the order in which they are sent; a bit for each row in it.
    rows = np.zeros(strips * colours * width, np.uint8)
    corner = np.arange(strips)[:, None] * (colours * width) + np.arange(width)
    for bit in range(STRIP):
        cells = places[bit::STRIP].astype(np.intp)
        cells *= width
        cells += corner[: len(cells)]
        rows[cells] |= np.uint8(1 << bit)  # a column has one pixel in a row: no cell twice
    cell = np.flatnonzero(rows != 0)  # of truths, four times as fast as of numbers
    sixel = rows[cell] + np.uint8(_ZERO)
    begins = _starts(sixel)
    begins[1:] |= np.diff(cell) != 1
    begins |= cell % width == 0
    start = np.flatnonzero(begins)
    row, column = np.divmod(cell[start], width)
    return column, row, sixel[start], np.diff(start, append=len(cell))


def _starts(values: np.ndarray) -> np.ndarray:
    starts = np.empty(len(values), bool)
    starts[0] = True
    np.not_equal(values[1:], values[:-1], out=starts[1:])
    return starts


def _put_number(stream: np.ndarray, place: np.ndarray, mark: int, number: np.ndarray) -> None:
    """Write a mark and a decimal number at each place."""
    stream[place] = mark
    digits = _DIGITS[number]
    for power in range(4):
        here = digits > power
        stream[place[here] + digits[here] - power] = 48 + number[here] // 10**power % 10
