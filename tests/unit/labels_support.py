"""What the tests of labels share: scans without a disk, and small images and stacks on one."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.scan.scan import Scan


def scan_of(*paths: str, frames: dict[str, int] | None = None) -> Scan:
    """A scan of these files; `frames` names those with several."""
    frames = frames or {}
    keys = tuple(ImageKey(path, frame) for path in paths for frame in range(frames.get(path, 1)))
    return Scan(keys, tuple(ImageFile(path, 1, 1) for path in paths), ())


def draw(root: Path, *paths: str) -> None:
    """Small images, each of another content."""
    for number, path in enumerate(paths):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng([number, *os.fsencode(path)]).integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).save(target)


def draw_stack(root: Path, path: str, count: int) -> None:
    """A 16 bit TIFF of several frames; frame n is filled with 1000 * n, from 60 on again from 0."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.fromarray(np.full((5, 7), 1000 * (n % 60), np.uint16)) for n in range(count)]
    frames[0].save(target, save_all=True, append_images=frames[1:])
