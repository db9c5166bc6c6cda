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
    starts_row = np.diff(row, prepend=-1) != 0
    strip, colour = row // colours, row % colours
    starts_strip = np.diff(strip, prepend=0) != 0
    end = column + length
    gap = np.where(starts_row, column, column - np.concatenate([end[:1] * 0, end[:-1]]))

    # Every run becomes: [$ or -][# colour][! gap ?][! length sixel], each part only where there is something to say.
    separator_bytes = starts_row.copy()
    separator_bytes[0] = False
    colour_bytes = np.where(starts_row, 1 + _DIGITS[colour], 0)
    gap_bytes = np.where(gap > 3, 2 + _DIGITS[gap], gap)
    run_bytes = np.where(length > 3, 2 + _DIGITS[length], length)
    total = separator_bytes + colour_bytes + gap_bytes + run_bytes
    ends = np.cumsum(total)
    stream = np.full(int(ends[-1]), _ZERO, np.uint8)  # so gaps of 1 to 3 are there already

    place = ends - total
    stream[place[separator_bytes]] = np.where(starts_strip[separator_bytes], _NEXT, _RETURN)
    place = place + separator_bytes
    _put_number(stream, place[starts_row], _COLOUR, colour[starts_row])
    place = place + colour_bytes
    wide = gap > 3
    _put_number(stream, place[wide], _REPEAT, gap[wide])
    place = place + gap_bytes
    wide = length > 3
    after = _put_number(stream, place[wide], _REPEAT, length[wide])
    stream[after] = sixel[wide]
    for count in (1, 2, 3):
        short = length == count
        for offset in range(count):
            stream[place[short] + offset] = sixel[short]
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
    columns = np.arange(width)
    for bit in range(STRIP):
        cells = places[bit::STRIP].astype(np.intp)
        cells += np.arange(len(cells))[:, None] * colours
        cells *= width
        cells += columns
        rows[cells] |= np.uint8(1 << bit)  # a column has one pixel in a row: no cell twice
    cell = np.flatnonzero(rows)
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


def _put_number(stream: np.ndarray, place: np.ndarray, mark: int, number: np.ndarray) -> np.ndarray:
    """Write a mark and a decimal number at each place. Returns the places after them."""
    stream[place] = mark
    digits = _DIGITS[number]
    for power in range(4):
        here = digits > power
        stream[place[here] + digits[here] - power] = 48 + number[here] // 10**power % 10
    after: np.ndarray = place + 1 + digits
    return after
