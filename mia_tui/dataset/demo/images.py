"""A small dataset to try the program on: rendered images of a stained blood smear.

Each image is a field of red cells with one cell near the middle that gives it its class. Cells of a class
differ in size, shape, stain and place, some overlap, and similar classes run into each other as on a real
slide.
"""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image

from mia_tui.dataset.demo.drawing import Array, SmearDrawing, density_of, edge
from mia_tui.dataset.interchange.csv import write_labels
from mia_tui.dataset.interchange.output import FILE_MODE, FOLDER_MODE, cannot_write
from mia_tui.dataset.model import ImageKey
from mia_tui.files import add_folder, new_content, read

IMAGES = "images"
LABELS = "labels.csv"
SHARES = {
    "neutrophil": 0.28,
    "erythrocyte": 0.22,
    "lymphocyte": 0.18,
    "platelet": 0.13,
    "eosinophil": 0.10,
    "monocyte": 0.09,
}
"""Classes and their shares: uneven, as in blood."""

_OVERSAMPLING = 2

# Colours of a May-Grünwald-Giemsa stain on clean glass.
_RED_CELL = density_of(226, 172, 160)
_NUCLEUS = density_of(104, 56, 142)
_NUCLEUS_DENSE = density_of(84, 44, 130)
_NUCLEUS_LACY = density_of(128, 84, 162)
_PINK_PLASMA = density_of(232, 202, 214)
_BLUE_PLASMA = density_of(158, 186, 224)
_GREY_PLASMA = density_of(178, 178, 206)
_LILAC_GRANULE = density_of(196, 150, 200)
_ORANGE_GRANULE = density_of(224, 112, 86)
_AZURE_GRANULE = density_of(160, 80, 160)
_PLATELET = density_of(186, 158, 206)


def render_demo(folder: Path, *, count: int = 320, seed: int = 0, size_px: int = 96) -> list[tuple[str, str]]:
    """Render images into `folder`/images and write `folder`/labels.csv.

    The same arguments give the same files. Names say nothing about the class.

    Args:
        folder: Made if it is not there; files of the same names are replaced.
        count: Number of images.
        seed: Varies all of it.
        size_px: Width and height of each image.

    Returns:
        Path relative to `folder`, and class, of each image.

    Raises:
        DataError: If the folder cannot be written.
    """
    images = _named_classes(count, seed)
    try:
        add_folder(folder, root=folder, parents=True, mode=FOLDER_MODE)
        _write_labels(folder / LABELS, images)  # first: by it `holds_demo` knows a demo that was broken off
        add_folder(folder / IMAGES, root=folder, mode=FOLDER_MODE)
        for number, (name, class_name) in enumerate(images):
            image = render_cell(class_name, seed=seed, number=number, size_px=size_px)
            with new_content(folder / name, root=folder, sync=False, mode=FILE_MODE) as file:
                image.save(file, format="PNG")
    except OSError as error:
        raise cannot_write(folder, error) from error
    return images


def holds_demo(folder: Path, *, count: int = 320, seed: int = 0) -> bool:
    """Whether `render_demo` with these arguments began in this folder, so that it may write there again."""
    expected = io.StringIO()
    _write_labels(expected, _named_classes(count, seed))
    try:
        return read(folder / LABELS) == expected.getvalue().encode()
    except OSError:
        return False


def render_cell(class_name: str, *, seed: int, number: int, size_px: int) -> Image.Image:
    """One image of a class."""
    rng = np.random.default_rng([seed, number])
    scene = SmearDrawing(size_px * _OVERSAMPLING, rng)
    _background_cells(scene, crowded=class_name == "erythrocyte")
    _CELLS[class_name](scene)
    return scene.photograph(size_px)


def _named_classes(count: int, seed: int) -> list[tuple[str, str]]:
    """Path and class of each image."""
    classes = _shuffled_classes(count, seed)
    return [(f"{IMAGES}/cell_{number:04d}.png", name) for number, name in enumerate(classes, start=1)]


def _write_labels(target: Path | TextIO, images: list[tuple[str, str]]) -> None:
    order = list(SHARES)
    write_labels(target, {ImageKey(path): order.index(name) for path, name in images}, order)


def _shuffled_classes(count: int, seed: int) -> list[str]:
    ends = np.round(np.cumsum(list(SHARES.values())) * count).astype(int)
    numbers = np.searchsorted(ends, np.arange(count), side="right")
    names = list(SHARES)
    return [names[number] for number in np.random.default_rng([seed, 1 << 20]).permutation(numbers)]


def _red_cell(scene: SmearDrawing, x: float, y: float) -> None:
    rng = scene.rng
    radius = rng.normal(3.6, 0.28)
    mask = scene.blob(x, y, radius, uneven=0.02, stretch=rng.uniform(1.0, 1.16), soft=0.22)
    pallor = scene.blob(x + rng.normal(0, 0.2), y + rng.normal(0, 0.2), radius * 0.42, soft=1.0)
    scene.stain(mask, _RED_CELL, rng.normal(1.0, 0.1) * (1 - rng.uniform(0.35, 0.75) * pallor))


def _background_cells(scene: SmearDrawing, *, crowded: bool) -> None:
    """Red cells around the middle, and now and then a platelet between them."""
    rng = scene.rng
    places: list[tuple[float, float]] = []
    for _ in range(rng.integers(3, 8) if crowded else rng.integers(4, 12)):
        tries = [_around(rng, 5.5, 13.5) for _ in range(3)]  # the freest place: some overlap, no heaps
        places.append(
            max(tries, key=lambda place: min((math.dist(place, other) for other in places), default=0))
        )
        _red_cell(scene, *places[-1])
    if rng.random() < 0.22:
        _one_platelet(scene, *_around(rng, 7.5, 11))


def _around(rng: np.random.Generator, nearest: float, farthest: float) -> tuple[float, float]:
    """A place at such a distance from the middle."""
    turn, distance = rng.uniform(0, 2 * np.pi), rng.uniform(nearest, farthest)
    return distance * math.cos(turn), distance * math.sin(turn)


def _middle(scene: SmearDrawing, spread: float = 1.3) -> tuple[float, float]:
    x, y = np.clip(scene.rng.normal(0, spread, 2), -3.5, 3.5)
    return float(x), float(y)


def _erythrocyte(scene: SmearDrawing) -> None:
    x, y = _middle(scene)
    _red_cell(scene, x, y)
    if scene.rng.random() < 0.3:
        turn = scene.rng.uniform(0, 2 * np.pi)
        _red_cell(scene, x + 5 * np.cos(turn), y + 5 * np.sin(turn))


def _one_platelet(scene: SmearDrawing, x: float, y: float) -> None:
    rng = scene.rng
    body = scene.blob(x, y, rng.uniform(0.9, 1.7), uneven=0.14, stretch=rng.uniform(1, 1.5), soft=0.22)
    scene.cover(body, 0.5)
    scene.stain(body, _PLATELET, rng.uniform(0.8, 1.2))
    scene.stain(scene.dots(body, int(rng.integers(5, 13)), 0.2) * body, _AZURE_GRANULE, 0.75)


def _platelet(scene: SmearDrawing) -> None:
    x, y = _middle(scene)
    _one_platelet(scene, x, y)
    for _ in range(scene.rng.choice([0, 0, 0, 1, 1, 2])):
        _one_platelet(scene, x + scene.rng.normal(0, 2.6), y + scene.rng.normal(0, 2.6))


def _neutrophil(scene: SmearDrawing) -> None:
    rng = scene.rng
    x, y = _middle(scene)
    radius = rng.normal(6.1, 0.5)
    body = _cytoplasm(scene, x, y, radius, _PINK_PLASMA, rng.uniform(0.7, 1.25))
    scene.stain(
        scene.dots(body, int(rng.integers(90, 200)), 0.14) * body, _LILAC_GRANULE, rng.uniform(0.2, 0.6)
    )
    lobes = int(rng.choice([2, 3, 3, 4, 4, 5]))
    _lobed_nucleus(scene, (x, y), radius, lobes, _NUCLEUS_DENSE)


def _eosinophil(scene: SmearDrawing) -> None:
    rng = scene.rng
    x, y = _middle(scene)
    radius = rng.normal(6.3, 0.5)
    body = _cytoplasm(scene, x, y, radius, _PINK_PLASMA, rng.uniform(0.8, 1.3))
    granules = scene.dots(body, int(rng.integers(110, 210)), rng.uniform(0.3, 0.4)) * body
    scene.stain(granules, _ORANGE_GRANULE, rng.uniform(0.35, 0.95))
    _lobed_nucleus(scene, (x, y), radius, int(rng.choice([2, 2, 2, 3])), _NUCLEUS)


def _lymphocyte(scene: SmearDrawing) -> None:
    rng = scene.rng
    x, y = _middle(scene)
    large = rng.random() < 0.25  # large ones have more plasma and a paler nucleus, as monocytes do
    radius = rng.normal(6.3, 0.4) if large else rng.normal(4.7, 0.45)
    body = _cytoplasm(scene, x, y, radius, _BLUE_PLASMA, rng.uniform(0.7, 1.2))
    inner = radius * (rng.uniform(0.64, 0.78) if large else rng.uniform(0.78, 0.9))
    shift = rng.normal(0, 0.35 * (radius - inner), 2)
    nucleus = scene.blob(x + shift[0], y + shift[1], inner, uneven=0.045, stretch=rng.uniform(1, 1.2))
    _chromatin(scene, nucleus, _NUCLEUS if large else _NUCLEUS_DENSE, grain_um=1.5, contrast=0.14)
    if large:
        scene.stain(scene.dots(body * (1 - nucleus), int(rng.integers(0, 8)), 0.22), _AZURE_GRANULE, 0.5)


def _monocyte(scene: SmearDrawing) -> None:
    rng = scene.rng
    x, y = _middle(scene)
    radius = rng.normal(7.3, 0.6)
    body = _cytoplasm(scene, x, y, radius, _GREY_PLASMA, rng.uniform(0.8, 1.2), uneven=0.07)
    holes = scene.dots(body, int(rng.integers(0, 14)), 0.4)
    scene.cover(holes, 0.5)
    inner = radius * rng.uniform(0.6, 0.72)
    nucleus = scene.blob(x, y, inner, uneven=0.07, stretch=rng.uniform(1.05, 1.4))
    turn = rng.uniform(0, 2 * np.pi)
    depth = rng.uniform(0.75, 1.15) * inner  # from a shallow dent to a horseshoe
    dent = scene.blob(
        x + depth * np.cos(turn), y + depth * np.sin(turn), inner * rng.uniform(0.35, 0.6), soft=0.4
    )
    _chromatin(scene, nucleus * (1 - dent), _NUCLEUS_LACY, grain_um=0.9, contrast=0.22)


def _cytoplasm(
    scene: SmearDrawing,
    x: float,
    y: float,
    radius: float,
    density: Array,
    strength: float,
    *,
    uneven: float = 0.045,
) -> Array:
    body = scene.blob(x, y, radius, uneven=uneven, stretch=scene.rng.uniform(1, 1.18), soft=0.28)
    scene.cover(body)
    scene.stain(body, density, strength * (1 + 0.1 * scene.texture(1.6)))
    return body


def _lobed_nucleus(
    scene: SmearDrawing, middle: tuple[float, float], radius: float, lobes: int, density: Array
) -> None:
    """Lobes along an arc, joined by strands."""
    rng = scene.rng
    arc = radius * rng.uniform(0.4, 0.5)
    start = rng.uniform(0, 2 * np.pi)
    step = rng.uniform(0.8, 1.1) * (np.pi if lobes == 2 else 1.45)
    size = radius * {2: 0.42, 3: 0.36, 4: 0.31, 5: 0.27}[lobes]
    nucleus = np.zeros_like(scene.x)
    last: tuple[float, float] | None = None
    for lobe in range(lobes):
        turn = start + lobe * step * rng.uniform(0.85, 1.15)
        place = (middle[0] + arc * float(np.cos(turn)), middle[1] + arc * float(np.sin(turn)))
        mask = scene.blob(*place, size * rng.uniform(0.85, 1.15), uneven=0.08, stretch=rng.uniform(1, 1.5))
        np.maximum(nucleus, mask, out=nucleus)
        if last is not None:
            np.maximum(nucleus, _strand(scene, last, place, rng.uniform(0.25, 0.7)), out=nucleus)
        last = place
    _chromatin(scene, nucleus, density, grain_um=1.1, contrast=0.13)


def _strand(scene: SmearDrawing, start: tuple[float, float], end: tuple[float, float], width: float) -> Array:
    """Mask of a line between two points."""
    along = np.array(end) - np.array(start)
    length = float(along @ along) + 1e-6
    share = np.clip(((scene.x - start[0]) * along[0] + (scene.y - start[1]) * along[1]) / length, 0, 1)
    distance = np.hypot(scene.x - start[0] - share * along[0], scene.y - start[1] - share * along[1])
    return edge((width - distance) / 0.18)


def _chromatin(
    scene: SmearDrawing, nucleus: Array, density: Array, *, grain_um: float, contrast: float
) -> None:
    scene.cover(nucleus, 0.85)
    clumps = 1 + contrast * scene.texture(grain_um) + 0.5 * contrast * scene.texture(grain_um / 2)
    scene.stain(nucleus, density, np.float32(scene.rng.normal(1.0, 0.1)) * clumps)


_CELLS: dict[str, Callable[[SmearDrawing], None]] = {
    "neutrophil": _neutrophil,
    "erythrocyte": _erythrocyte,
    "lymphocyte": _lymphocyte,
    "platelet": _platelet,
    "eosinophil": _eosinophil,
    "monocyte": _monocyte,
}
