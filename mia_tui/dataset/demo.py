"""A small dataset for trying out the program: rendered images of a stained blood smear.

Each image shows red cells and, near the middle, one cell that determines its class. Cells of a class differ in
size, shape, stain and position, some overlap, and similar classes are hard to tell apart, as on a real slide.

Stains absorb light, so an image is rendered as a microscope forms it: the optical densities of everything in the
beam add up (Beer-Lambert), then come blur, uneven illumination and camera noise.
"""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image, ImageFilter

from mia_tui.dataset.interchange.csv_labels import write_labels
from mia_tui.dataset.interchange.export_file import FILE_MODE, FOLDER_MODE, cannot_write
from mia_tui.dataset.model import ImageKey
from mia_tui.files import add_folder, new_content, read

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

FIELD_UM = 21.0  # width of an image in micrometres; a red cell is 7.5 across


def density_of(red: int, green: int, blue: int) -> Array:
    """Optical density that turns white light into this colour."""
    return np.asarray(-np.log(np.array([red, green, blue]) / 255.0), dtype=np.float32)


class CellDrawing:
    """A square field of view of a slide, drawn cell by cell; lengths in micrometres, (0, 0) in the middle."""

    def __init__(self, side_px: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.um_per_px = FIELD_UM / side_px
        axis = ((np.arange(side_px) + 0.5) * self.um_per_px - FIELD_UM / 2).astype(np.float32)
        self.y, self.x = np.meshgrid(axis, axis, indexing="ij")  # (side, side)
        self.density = np.zeros((side_px, side_px, 3), np.float32)
        self._stain = rng.normal(1.0, 0.14) * rng.normal(1.0, 0.06, size=3).astype(np.float32)

    def blob(
        self,
        x: float,
        y: float,
        radius: float,
        *,
        uneven: float = 0.05,
        stretch: float = 1.0,
        soft: float = 0.18,
    ) -> Array:
        """Mask, 0 to 1, of a roundish outline.

        Args:
            x: Of its centre.
            y: Of its centre.
            radius: Mean radius.
            uneven: Deviation of the outline from an ellipse, as a fraction of the radius.
            stretch: Ratio of length to width, in a random direction.
            soft: Width of the edge.
        """
        turn = self.rng.uniform(0, np.pi)
        waves = np.arange(2, 6)
        heights = self.rng.normal(0, uneven * radius / waves**0.5).tolist()
        phases = self.rng.uniform(0, 2 * np.pi, len(waves)).tolist()
        mask = np.zeros_like(self.x)
        # Computed only near the outline, which never reaches far beyond its radius: a tenth of the time.
        window = self._window(x, y, 1.2 * (radius + sum(map(abs, heights))) * stretch**0.5 + 2 * soft)
        dx, dy = self.x[window] - x, self.y[window] - y
        along = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch**0.5
        across = (dy * np.cos(turn) - dx * np.sin(turn)) * stretch**0.5
        angle = np.arctan2(across, along)
        outline = radius + sum(
            h * np.cos(w * angle + p) for h, w, p in zip(heights, waves.tolist(), phases, strict=True)
        )
        mask[window] = edge((outline - np.hypot(along, across)) / soft)
        return mask

    def _window(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """Rows and columns of a square around a point."""
        side = len(self.x)
        ends = [
            (
                int((place - reach + FIELD_UM / 2) / self.um_per_px),
                int((place + reach + FIELD_UM / 2) / self.um_per_px),
            )
            for place in (y, x)
        ]
        rows, columns = (slice(max(0, low), min(side, max(0, high + 1))) for low, high in ends)
        return rows, columns

    def texture(self, grain_um: float) -> Array:
        """Smooth noise with mean 0 and standard deviation 1, with spots of about this size."""
        side = len(self.x)
        cells = max(2, round(FIELD_UM / grain_um))
        coarse = Image.fromarray(self.rng.normal(0, 1, (cells, cells)).astype(np.float32))
        noise = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
        return np.asarray((noise - noise.mean()) / (noise.std() + 1e-6), dtype=np.float32)

    def dots(self, inside: Array, count: int, radius: float) -> Array:
        """Mask of `count` granules within a mask."""
        chance = (inside > 0.6).ravel()
        if not chance.any() or count < 1:
            return np.zeros_like(inside)
        places = self.rng.choice(np.flatnonzero(chance), size=count)
        dots = np.zeros_like(inside)
        for place in places:
            row, column = divmod(int(place), len(self.x))
            x, y = self.x[row, column], self.y[row, column]
            window = self._window(float(x), float(y), 2.2 * radius)
            distance = np.hypot(self.x[window] - x, self.y[window] - y)
            size = radius * self.rng.uniform(0.7, 1.25)
            np.maximum(dots[window], edge((size - distance) / 0.07), out=dots[window])
        return dots

    def stain(self, mask: Array, density: Array, strength: float | Array = 1.0) -> None:
        """Add what a mask absorbs."""
        self.density += (mask * strength)[..., None] * (density * self._stain)

    def cover(self, mask: Array, share: float = 0.9) -> None:
        """Make what is already drawn under a cell fainter: cells lie beside each other rather than on top."""
        self.density *= 1 - share * mask[..., None]

    def photograph(self, size_px: int) -> Image.Image:
        """The drawing as a camera records it."""
        rng = self.rng
        glass = np.array([244, 240, 238], np.float32) + rng.normal(0, 3, 3)
        slope = rng.normal(0, 0.035, 2)
        light = 1 + (slope[0] * self.x + slope[1] * self.y) / (FIELD_UM / 2)
        light = light * rng.normal(1, 0.03)
        pixels = glass * np.exp(-self.density) * light[..., None]
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        focus = abs(rng.normal(0, 0.11)) / self.um_per_px
        image = image.filter(ImageFilter.GaussianBlur(focus)).resize((size_px, size_px), Image.Resampling.BOX)
        noisy = np.asarray(image, np.float32) + rng.normal(0, rng.uniform(2.5, 6.5), (size_px, size_px, 3))
        return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def edge(value: Array) -> Array:
    """Step from 0 to 1 with a soft edge."""
    return np.asarray(1 / (1 + np.exp(np.clip(-4 * value, -30, 30))), dtype=np.float32)


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
"""Classes and their proportions: unequal, as in blood."""

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

_DEFAULT_COUNT, _DEFAULT_SEED = 320, 0


def render_demo(
    folder: Path, *, count: int = _DEFAULT_COUNT, seed: int = _DEFAULT_SEED, size_px: int = 96
) -> list[tuple[str, str]]:
    """Render images into `folder`/images and write `folder`/labels.csv.

    The same arguments give the same files. File names do not reveal the class.

    Args:
        folder: Created if it does not exist; files of the same names are replaced.
        count: Number of images.
        seed: Of the random numbers for everything.
        size_px: Width and height of each image.

    Returns:
        Path relative to `folder`, and class, of each image.

    Raises:
        DataError: If the folder cannot be written.
    """
    images = _named_classes(count, seed)
    try:
        add_folder(folder, root=folder, parents=True, mode=FOLDER_MODE)
        _write_labels(folder / LABELS, images)  # first, so that `holds_demo` recognises an interrupted demo
        add_folder(folder / IMAGES, root=folder, mode=FOLDER_MODE)
        for number, (name, class_name) in enumerate(images):
            image = render_cell(class_name, seed=seed, number=number, size_px=size_px)
            with new_content(folder / name, root=folder, sync=False, mode=FILE_MODE) as file:
                image.save(file, format="PNG")
    except OSError as error:
        raise cannot_write(folder, error) from error
    return images


def holds_demo(folder: Path) -> bool:
    """Whether `render_demo` was started in this folder with its defaults, so that it may write there again."""
    expected = io.StringIO()
    _write_labels(expected, _named_classes(_DEFAULT_COUNT, _DEFAULT_SEED))
    try:
        return read(folder / LABELS) == expected.getvalue().encode()
    except OSError:
        return False


def render_cell(class_name: str, *, seed: int, number: int, size_px: int) -> Image.Image:
    """One image of a class."""
    rng = np.random.default_rng([seed, number])
    drawing = CellDrawing(size_px * _OVERSAMPLING, rng)
    _background_cells(drawing, crowded=class_name == "erythrocyte")
    _CELLS[class_name](drawing)
    return drawing.photograph(size_px)


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


def _red_cell(drawing: CellDrawing, x: float, y: float) -> None:
    rng = drawing.rng
    radius = rng.normal(3.6, 0.28)
    mask = drawing.blob(x, y, radius, uneven=0.02, stretch=rng.uniform(1.0, 1.16), soft=0.22)
    pallor = drawing.blob(x + rng.normal(0, 0.2), y + rng.normal(0, 0.2), radius * 0.42, soft=1.0)
    drawing.stain(mask, _RED_CELL, rng.normal(1.0, 0.1) * (1 - rng.uniform(0.35, 0.75) * pallor))


def _background_cells(drawing: CellDrawing, *, crowded: bool) -> None:
    """Red cells around the middle, and sometimes a platelet between them."""
    rng = drawing.rng
    places: list[tuple[float, float]] = []
    for _ in range(rng.integers(3, 8) if crowded else rng.integers(4, 12)):
        tries = [
            _around(rng, 5.5, 13.5) for _ in range(3)
        ]  # the emptiest of three places: some cells overlap, none pile up
        places.append(
            max(tries, key=lambda place: min((math.dist(place, other) for other in places), default=0))
        )
        _red_cell(drawing, *places[-1])
    if rng.random() < 0.22:
        _one_platelet(drawing, *_around(rng, 7.5, 11))


def _around(rng: np.random.Generator, nearest: float, farthest: float) -> tuple[float, float]:
    """A random point within a range of distances from the middle."""
    turn, distance = rng.uniform(0, 2 * np.pi), rng.uniform(nearest, farthest)
    return distance * math.cos(turn), distance * math.sin(turn)


def _middle(drawing: CellDrawing, spread: float = 1.3) -> tuple[float, float]:
    x, y = np.clip(drawing.rng.normal(0, spread, 2), -3.5, 3.5)
    return float(x), float(y)


def _erythrocyte(drawing: CellDrawing) -> None:
    x, y = _middle(drawing)
    _red_cell(drawing, x, y)
    if drawing.rng.random() < 0.3:
        turn = drawing.rng.uniform(0, 2 * np.pi)
        _red_cell(drawing, x + 5 * np.cos(turn), y + 5 * np.sin(turn))


def _one_platelet(drawing: CellDrawing, x: float, y: float) -> None:
    rng = drawing.rng
    body = drawing.blob(x, y, rng.uniform(0.9, 1.7), uneven=0.14, stretch=rng.uniform(1, 1.5), soft=0.22)
    drawing.cover(body, 0.5)
    drawing.stain(body, _PLATELET, rng.uniform(0.8, 1.2))
    drawing.stain(drawing.dots(body, int(rng.integers(5, 13)), 0.2) * body, _AZURE_GRANULE, 0.75)


def _platelet(drawing: CellDrawing) -> None:
    x, y = _middle(drawing)
    _one_platelet(drawing, x, y)
    for _ in range(drawing.rng.choice([0, 0, 0, 1, 1, 2])):
        _one_platelet(drawing, x + drawing.rng.normal(0, 2.6), y + drawing.rng.normal(0, 2.6))


def _neutrophil(drawing: CellDrawing) -> None:
    rng = drawing.rng
    x, y = _middle(drawing)
    radius = rng.normal(6.1, 0.5)
    body = _cytoplasm(drawing, x, y, radius, _PINK_PLASMA, rng.uniform(0.7, 1.25))
    drawing.stain(
        drawing.dots(body, int(rng.integers(90, 200)), 0.14) * body, _LILAC_GRANULE, rng.uniform(0.2, 0.6)
    )
    lobes = int(rng.choice([2, 3, 3, 4, 4, 5]))
    _lobed_nucleus(drawing, (x, y), radius, lobes, _NUCLEUS_DENSE)


def _eosinophil(drawing: CellDrawing) -> None:
    rng = drawing.rng
    x, y = _middle(drawing)
    radius = rng.normal(6.3, 0.5)
    body = _cytoplasm(drawing, x, y, radius, _PINK_PLASMA, rng.uniform(0.8, 1.3))
    granules = drawing.dots(body, int(rng.integers(110, 210)), rng.uniform(0.3, 0.4)) * body
    drawing.stain(granules, _ORANGE_GRANULE, rng.uniform(0.35, 0.95))
    _lobed_nucleus(drawing, (x, y), radius, int(rng.choice([2, 2, 2, 3])), _NUCLEUS)


def _lymphocyte(drawing: CellDrawing) -> None:
    rng = drawing.rng
    x, y = _middle(drawing)
    large = rng.random() < 0.25  # large ones have more cytoplasm and a paler nucleus, as monocytes do
    radius = rng.normal(6.3, 0.4) if large else rng.normal(4.7, 0.45)
    body = _cytoplasm(drawing, x, y, radius, _BLUE_PLASMA, rng.uniform(0.7, 1.2))
    inner = radius * (rng.uniform(0.64, 0.78) if large else rng.uniform(0.78, 0.9))
    shift = rng.normal(0, 0.35 * (radius - inner), 2)
    nucleus = drawing.blob(x + shift[0], y + shift[1], inner, uneven=0.045, stretch=rng.uniform(1, 1.2))
    _chromatin(drawing, nucleus, _NUCLEUS if large else _NUCLEUS_DENSE, grain_um=1.5, contrast=0.14)
    if large:
        drawing.stain(drawing.dots(body * (1 - nucleus), int(rng.integers(0, 8)), 0.22), _AZURE_GRANULE, 0.5)


def _monocyte(drawing: CellDrawing) -> None:
    rng = drawing.rng
    x, y = _middle(drawing)
    radius = rng.normal(7.3, 0.6)
    body = _cytoplasm(drawing, x, y, radius, _GREY_PLASMA, rng.uniform(0.8, 1.2), uneven=0.07)
    holes = drawing.dots(body, int(rng.integers(0, 14)), 0.4)
    drawing.cover(holes, 0.5)
    inner = radius * rng.uniform(0.6, 0.72)
    nucleus = drawing.blob(x, y, inner, uneven=0.07, stretch=rng.uniform(1.05, 1.4))
    turn = rng.uniform(0, 2 * np.pi)
    depth = rng.uniform(0.75, 1.15) * inner  # from a shallow dent to a horseshoe
    dent = drawing.blob(
        x + depth * np.cos(turn), y + depth * np.sin(turn), inner * rng.uniform(0.35, 0.6), soft=0.4
    )
    _chromatin(drawing, nucleus * (1 - dent), _NUCLEUS_LACY, grain_um=0.9, contrast=0.22)


def _cytoplasm(
    drawing: CellDrawing,
    x: float,
    y: float,
    radius: float,
    density: Array,
    strength: float,
    *,
    uneven: float = 0.045,
) -> Array:
    body = drawing.blob(x, y, radius, uneven=uneven, stretch=drawing.rng.uniform(1, 1.18), soft=0.28)
    drawing.cover(body)
    drawing.stain(body, density, strength * (1 + 0.1 * drawing.texture(1.6)))
    return body


def _lobed_nucleus(
    drawing: CellDrawing, middle: tuple[float, float], radius: float, lobes: int, density: Array
) -> None:
    """Lobes along an arc, connected by strands."""
    rng = drawing.rng
    arc = radius * rng.uniform(0.4, 0.5)
    start = rng.uniform(0, 2 * np.pi)
    step = rng.uniform(0.8, 1.1) * (np.pi if lobes == 2 else 1.45)
    size = radius * {2: 0.42, 3: 0.36, 4: 0.31, 5: 0.27}[lobes]
    nucleus = np.zeros_like(drawing.x)
    last: tuple[float, float] | None = None
    for lobe in range(lobes):
        turn = start + lobe * step * rng.uniform(0.85, 1.15)
        place = (middle[0] + arc * float(np.cos(turn)), middle[1] + arc * float(np.sin(turn)))
        mask = drawing.blob(*place, size * rng.uniform(0.85, 1.15), uneven=0.08, stretch=rng.uniform(1, 1.5))
        np.maximum(nucleus, mask, out=nucleus)
        if last is not None:
            np.maximum(nucleus, _strand(drawing, last, place, rng.uniform(0.25, 0.7)), out=nucleus)
        last = place
    _chromatin(drawing, nucleus, density, grain_um=1.1, contrast=0.13)


def _strand(
    drawing: CellDrawing, start: tuple[float, float], end: tuple[float, float], width: float
) -> Array:
    """Mask of a line between two points."""
    along = np.array(end) - np.array(start)
    length = float(along @ along) + 1e-6
    share = np.clip(((drawing.x - start[0]) * along[0] + (drawing.y - start[1]) * along[1]) / length, 0, 1)
    distance = np.hypot(drawing.x - start[0] - share * along[0], drawing.y - start[1] - share * along[1])
    return edge((width - distance) / 0.18)


def _chromatin(
    drawing: CellDrawing, nucleus: Array, density: Array, *, grain_um: float, contrast: float
) -> None:
    drawing.cover(nucleus, 0.85)
    clumps = 1 + contrast * drawing.texture(grain_um) + 0.5 * contrast * drawing.texture(grain_um / 2)
    drawing.stain(nucleus, density, np.float32(drawing.rng.normal(1.0, 0.1)) * clumps)


_CELLS: dict[str, Callable[[CellDrawing], None]] = {
    "neutrophil": _neutrophil,
    "erythrocyte": _erythrocyte,
    "lymphocyte": _lymphocyte,
    "platelet": _platelet,
    "eosinophil": _eosinophil,
    "monocyte": _monocyte,
}
