"""A photo nobody took, and small readers of what is sent to terminals, written from the protocols alone."""

import re

import numpy as np

from mia_tui.terminal.model import Terminal

_SYSTEM = {30 + n: n for n in range(8)} | {90 + n: 8 + n for n in range(8)}


def a_terminal(**changes: object) -> Terminal:
    """A terminal of half blocks in true colour, cells of 10 x 20 pixels, with changes."""
    usual: dict[str, object] = {
        "graphics": "half",
        "colours": "true",
        "cell_width_px": 10,
        "cell_height_px": 20,
        "cell_known": True,
    }
    return Terminal(**(usual | changes))  # type: ignore[arg-type]


def a_photo(width: int = 500, height: int = 375, seed: int = 0, noise: float = 2.0) -> np.ndarray:
    """Shades as nature has them (amplitude falls with frequency), a few round things, noise of a camera."""
    random = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1

    def clouds() -> np.ndarray:
        shape = frequency.shape
        waves = (random.standard_normal(shape) + 1j * random.standard_normal(shape)) / frequency**1.3
        found = np.fft.irfft2(waves, s=(height, width))
        return found / found.std()

    light, red, blue = clouds() * 50, clouds() * 18, clouds() * 18
    pixels = np.stack([120 + light + red, 115 + light, 105 + light + blue], axis=-1)
    y, x = np.mgrid[:height, :width]
    for _ in range(12):
        radius = random.uniform(0.03, 0.15) * width
        inside = np.hypot(x - random.uniform(0, width), y - random.uniform(0, height)) < radius
        pixels[inside] = 0.6 * pixels[inside] + 0.4 * random.uniform(0, 255, 3)
    return (pixels + random.standard_normal(pixels.shape) * noise).clip(0, 255).astype(np.uint8)


Cell = tuple[object, object]  # upper and lower colour: a number, a triple, or None for the terminal's own


def read_line(line: str) -> list[Cell]:
    """The cells that a line of spaces and half blocks paints. Fails on anything else."""
    cells: list[Cell] = []
    front: object = None
    back: object = None
    for code, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b])", line):
        if text:
            cells.append({" ": (back, back), "▀": (front, back), "▄": (back, front)}[text])
            continue
        numbers = [int(number) for number in code.split(";")]
        while numbers:
            first = numbers.pop(0)
            if first == 0:
                front = back = None
                continue
            is_back = first == 48 or 40 <= first <= 47 or 100 <= first <= 107
            colour: object
            if first in (38, 48):
                kind = numbers.pop(0)
                colour = tuple(numbers[:3]) if kind == 2 else numbers[0]
                del numbers[: 3 if kind == 2 else 1]
            else:
                colour = _SYSTEM[first - 10 if is_back else first]
            front, back = (front, colour) if is_back else (colour, back)
    assert line.endswith("\x1b[0m")
    return cells


def read_sixel(stream: str) -> np.ndarray:
    """The picture that a sixel stream paints, uint8, shape (H, W, 3). Every pixel must be painted once."""
    head = re.match(r'\x1bP0;1;0q"1;1;(\d+);(\d+)', stream)
    assert head is not None
    assert stream.endswith("\x1b\\")
    width, height = int(head[1]), int(head[2])
    picture = np.zeros((height + 6, width, 3), np.uint8)
    painted = np.zeros((height + 6, width), np.uint8)
    palette: dict[int, tuple[int, ...]] = {}
    x = y = 0
    colour: tuple[int, ...] = ()
    for token in re.findall(r"#\d+;2;\d+;\d+;\d+|#\d+|!\d+[?-~]|[?-~]|\$|-", stream[head.end() : -2]):
        if token[0] == "#":
            number, *rest = (int(part) for part in token[1:].split(";"))
            if rest:
                assert x == y == 0, "a colour defined after the first pixel"
                palette[number] = tuple(round(percent * 255 / 100) for percent in rest[1:])
            else:
                colour = palette[number]
        elif token == "$":
            x = 0
        elif token == "-":
            x, y = 0, y + 6
        else:
            count = int(token[1:-1]) if token[0] == "!" else 1
            bits = ord(token[-1]) - 63
            for row in range(6):
                if bits >> row & 1:
                    picture[y + row, x : x + count] = colour
                    painted[y + row, x : x + count] += 1
            x += count
            assert x <= width
    assert (painted[:height] == 1).all()
    assert not painted[height:].any()
    return picture[:height]


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """How alike two pictures are, in dB."""
    error = np.mean((first.astype(float) - second) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
