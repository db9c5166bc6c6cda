"""Pictures of discs: the smallest thing a network can learn to tell apart."""

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image


def make_discs(root: Path) -> Path:
    """A dataset of 24 red and 12 blue discs in class folders, 40 pixels wide."""
    for index in range(24):
        draw_disc(root / "red", f"cell-{index}.png", size_px=40, red=True, seed=index)
    for index in range(12):
        draw_disc(root / "blue", f"cell-{index}.png", size_px=40, red=False, seed=100 + index)
    return root


def draw_disc(folder: Path, name: str, *, size_px: int, red: bool, seed: int) -> None:
    """A noisy picture of one disc, red or blue, with a size and place of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(_disc(size_px, red, seed, Path(name).suffix))


@cache
def _disc(size_px: int, red: bool, seed: int, suffix: str) -> bytes:
    """Kept, since hundreds of tests want the same 36."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size_px, :size_px]
    centre = random.uniform(0.35, 0.65, 2) * size_px
    inside = np.hypot(x - centre[0], y - centre[1]) < random.uniform(0.15, 0.3) * size_px
    pixels = random.normal(200, 12, (size_px, size_px, 3))
    pixels[inside] = (190, 60, 70) if red else (70, 60, 190)
    pixels += random.normal(0, 12, pixels.shape)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, Image.registered_extensions()[suffix])
    return file.getvalue()
