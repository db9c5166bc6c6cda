"""Photographs made up: with the spectrum and the edges of natural images, so that encoders find them as hard."""

import io
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Pixels = NDArray[np.float32]

PHOTO_SIZE = 500, 375  # the median of ImageNet, as is the size of the file
PHOTO_BYTES = 105 * 1024


def make_photos(folder: Path, count: int) -> list[Path]:
    """Photos of 0.2 megapixels, each a JPEG of about 105 KiB; the same ones at each call."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"photo-{number:04}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(_photo(number))
    return paths


@cache
def _photo(number: int) -> bytes:
    return jpeg_of_size(make_photo(*PHOTO_SIZE, seed=number), PHOTO_BYTES)


def make_large_photos(folder: Path, count: int, *, width: int = 4000, height: int = 3000) -> list[Path]:
    """Photos of 12 megapixels: one small photo enlarged and turned about, with the grain of a sensor."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"large-{number:02}.jpg" for number in range(count)]
    grain = np.random.default_rng(0).normal(0, 6, (height, width, 1)).astype(np.float32)
    for number, path in enumerate(paths):
        large = make_photo(*PHOTO_SIZE, seed=1000 + number).resize((width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(large, np.float32) + np.roll(grain, number * 97, axis=1)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=88)
    return paths


def make_huge_photo(path: Path) -> Path:
    """One photo of 100 megapixels."""
    make_photo(1000, 1000, seed=5000).resize((10_000, 10_000), Image.Resampling.BICUBIC).save(
        path, quality=88
    )
    return path


def make_photo(width: int, height: int, *, seed: int) -> Image.Image:
    """One photo, partly sharp and partly out of focus.

    Leaves of all sizes that hide each other give edges and flat parts (Lee, Mumford and Huang, "Occlusion
    models for natural images", 2001), noise with a spectrum of 1/f gives texture. Amounts are such that the
    sizes as JPEG, palette PNG, sixels and half blocks are near the medians of 1,000 photos of ImageNet.
    """
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(random.integers(60, 190, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for radius in np.sort(4 / random.uniform(0.015, 1, 900))[::-1]:
        x, y = random.uniform(0, width), random.uniform(0, height)
        colour = (random.uniform(20, 235) + random.normal(0, 18, 3)).clip(0, 255).astype(int)
        box = x - radius, y - radius * 0.7, x + radius, y + radius * 0.7
        draw.ellipse(box, fill=tuple(colour.tolist()))
    sharp = np.asarray(image, np.float32)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(25)), np.float32)
    focus = (noise(width, height, 2.0, random) * 0.8 + 0.4).clip(0, 1)[:, :, None]
    texture = noise(width, height, 0.9, random)[:, :, None] * 30
    tint = np.stack([noise(width, height, 0.9, random) for _ in range(3)], axis=2) * 4
    pixels = soft + (sharp - soft + texture + tint) * focus  # (H, W, 3)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def noise(width: int, height: int, exponent: float, random: np.random.Generator) -> Pixels:
    """Noise whose amplitude falls with a power of the frequency; mean 0, deviation 1, shape (height, width)."""
    spectrum = np.fft.rfft2(random.standard_normal((height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    made = np.fft.irfft2(spectrum / frequency**exponent, s=(height, width))
    scaled: Pixels = (made / made.std()).astype(np.float32)
    return scaled


def jpeg_of_size(image: Image.Image, size_bytes: int) -> bytes:
    """The JPEG of the highest quality that is not larger."""
    low, high = 30, 96
    best = data = b""
    while low <= high:
        quality = (low + high) // 2
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if len(data := buffer.getvalue()) <= size_bytes:
            low, best = quality + 1, data
        else:
            high = quality - 1
    return best or data
