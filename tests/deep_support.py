"""Images of more than 8 bits, as microscopes write them."""

from pathlib import Path

import numpy as np
import tifffile


def write_deep(path: Path, pixels: np.ndarray, *, pixel_um: float | None = None) -> None:
    """A TIFF of one image: shape (H, W), or (C, H, W) for channels that are measurements of their own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixel_um is not None:
        scale = {"PhysicalSizeX": pixel_um, "PhysicalSizeY": pixel_um}
        tifffile.imwrite(path, pixels, photometric="minisblack", ome=True, metadata=scale)
    elif pixels.ndim == 2:
        tifffile.imwrite(path, pixels, photometric="minisblack")
    else:
        tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig="separate")


def make_brightness_set(root: Path, *, count: int = 100, side: int = 64) -> Path:
    """uint16 noise around a blob, in class folders; images of class b are four times as bright as those of a."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    for name, gain in (("a", 1), ("b", 4)):
        for index in range(count):
            down, across = random.uniform(0.3, 0.7, 2) * side
            distance = np.hypot(y - down, x - across)
            blob = 500 * np.exp(-((distance / (random.uniform(0.08, 0.16) * side)) ** 2))
            values = gain * (random.normal(60, 12, (side, side)) + blob)
            write_deep(root / name / f"cell-{index}.tif", values.clip(0, 65535).astype(np.uint16))
    return root


def make_texture_set(root: Path, *, count: int = 100, side: int = 64) -> Path:
    """uint16 images whose classes differ by a texture of values 0 to 255, beside a half at 40,000."""
    random = np.random.default_rng(0)
    stripes = (np.arange(side) // 2 % 2)[:, None] * np.ones((1, side // 2))
    for name, weight in (("a", 0), ("b", 1)):
        for index in range(count):
            pixels = np.full((side, side), 40_000, np.uint16)
            noise = random.uniform(0, 255, (side, side // 2))
            pixels[:, : side // 2] = ((1 - weight) * noise + weight * (noise * 0.5 + stripes * 127.5)).astype(
                np.uint16
            )
            write_deep(root / name / f"cell-{index}.tif", pixels)
    return root
