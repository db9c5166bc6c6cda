"""Few colours for a whole picture, for the protocols that have a palette."""

import numpy as np
from PIL import Image

SAMPLED_PX, FEW_SAMPLED_PX = 48, 32
"""Colours are looked for in a grid of so many pixels each way. 64 gain 0.1 dB and take 6 ms longer, as k-means
does with colours; 32 lose 0.2 dB and save 6 ms."""

# So few miss a small stain in a field of grey, which is what a person looks for: pixels of the strongest hues get an
# entry of their own where they are further than this from all others.
_FAR = 48
_LEAST_COLOURS = 12  # with fewer, no entry can be spared
# Of so few pixels, the octree's colours are as good where there are many, and fewer pixels tell as much about few
# colours (0.3 dB less); both take a tenth to a quarter of the time.
_SMALL_PX, _SAMPLED_OF_SMALL_PX = 40_000, 24
_MEANS_UP_TO = 64  # colours; beyond, k-means takes longer (15 ms) than its 1.3 dB are worth


def is_grey(pixels: np.ndarray) -> bool:
    """Whether a picture (H, W, 3) has no colour, as most of a microscope's have."""
    green = pixels[..., 1]
    return bool(np.array_equal(pixels[..., 0], green) and np.array_equal(pixels[..., 2], green))


def with_palette(
    pixels: np.ndarray, colours: int, *, quick: bool = False, sampled_px: int = SAMPLED_PX
) -> Image.Image:
    """A picture in a few colours.

    Args:
        pixels: uint8, shape (H, W, 3).
        colours: At most, 2 to 256.
        quick: 1 ms instead of 10, by Pillow's octree, which is 2 to 4 dB worse and no smaller in any protocol.
        sampled_px: Colours are looked for in a grid of so many pixels each way.

    Returns:
        Mode P.
    """
    if is_grey(pixels):
        places = (np.arange(256) * (colours - 1) / 255).round().astype(np.uint8)
        levels = np.linspace(0, 255, colours).round().astype(np.uint8)
        image = Image.fromarray(places[pixels[..., 0]])
        image.putpalette(np.repeat(levels, 3).tobytes())
        return image
    is_small = pixels.shape[0] * pixels.shape[1] <= _SMALL_PX
    if quick or (is_small and colours > _MEANS_UP_TO):
        return Image.fromarray(pixels).quantize(
            colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
    sampled_px = min(sampled_px, _SAMPLED_OF_SMALL_PX) if is_small else sampled_px
    palette = _frequent(pixels, colours, sampled_px)
    missed = _missed(pixels, palette) if colours >= _LEAST_COLOURS else palette[:0]
    if len(missed):
        palette = np.concatenate([_frequent(pixels, colours - len(missed), sampled_px), missed])
    table = Image.new("P", (1, 1))
    table.putpalette(palette.tobytes())
    # Dithering would double the bytes of every protocol.
    return Image.fromarray(pixels).quantize(palette=table, dither=Image.Dither.NONE)


def palette_of(image: Image.Image) -> np.ndarray:
    """Colours of an image of mode P, uint8, shape (colours, 3)."""
    return np.array(image.getpalette(), np.uint8).reshape(-1, 3)


def _frequent(pixels: np.ndarray, colours: int, sampled_px: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    sample = np.ascontiguousarray(pixels[:: -(-height // sampled_px), :: -(-width // sampled_px)])
    found = Image.fromarray(sample).quantize(
        colours,
        method=Image.Quantize.MEDIANCUT,
        kmeans=1 if colours <= _MEANS_UP_TO else 0,
        dither=Image.Dither.NONE,
    )
    return palette_of(found)[:colours]


def _missed(pixels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Of the strongest reds, greens, blues, cyans, magentas, yellows those that a palette lacks, shape (0..6, 3)."""
    near = pixels[::2, ::2].reshape(-1, 3)  # what is two pixels wide is not missed
    red, green, blue = near.astype(np.int16).T
    hues = (red + green - blue, red + blue - green, green + blue - red)
    strongest = near[[place for hue in hues for place in (hue.argmin(), hue.argmax())]]
    distance = np.abs(strongest[:, None].astype(np.int16) - palette).max(axis=2).min(axis=1)
    missed: np.ndarray = strongest[distance > _FAR]
    return missed
