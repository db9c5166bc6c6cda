"""Pictures of discs: the smallest thing a network can learn to tell apart."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw_disc(folder: Path, name: str, *, size_px: int, red: bool, seed: int) -> None:
    """A noisy picture of one disc, red or blue, with a size and place of its own."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size_px, :size_px]
    centre = random.uniform(0.35, 0.65, 2) * size_px
    inside = np.hypot(x - centre[0], y - centre[1]) < random.uniform(0.15, 0.3) * size_px
    pixels = random.normal(200, 12, (size_px, size_px, 3))
    pixels[inside] = (190, 60, 70) if red else (70, 60, 190)
    pixels += random.normal(0, 12, pixels.shape)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
