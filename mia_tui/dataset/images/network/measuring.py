"""Measuring how bright the images of a training are, once, at its start; the result is an `InputMap`.

Of a sample of images some pixels each are taken. With P(q) the value below which a share q of all these pixels lies,
and d = P(0.999) - P(0.001), a channel's limits are

    low  = P(0.001) - d/4        high = P(0.999) + d/4

and further out, by up to 3 d, where single images have such values, so that a rare class of bright images is not
cut off; whole numbers stay within the range of their type. Red, green and blue have limits in common, so that colours
stay. Values of 8 bits without a sign have 0 and 255.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.intensity import InputMap, IntensityMode, ValueLimits
from mia_tui.dataset.images.network.brightness import type_range
from mia_tui.dataset.images.network.selection import (
    channel_names,
    channel_values,
    find_channels,
    is_picture,
    value_type,
)
from mia_tui.dataset.images.reading import OpenedFrame, opened
from mia_tui.dataset.images.source import FRAME_NUMBERING, Region, Scene, Size, Source
from mia_tui.dataset.images.stack import StackSource
from mia_tui.errors import DecodeError

if TYPE_CHECKING:
    from mia_tui.config.train import StackPick

_SAMPLE = 256  # images
_PIXELS = 4096  # of an image
_SIDE = 1024  # a smaller copy of an image is enough if it is so large
_LARGEST_SIDE = 2048  # of more only the middle is read, to save time and memory
_MOST_THREADS = 8
_LIMIT_S = 30.0
_OUTSIDE = 0.001
_BEYOND = 0.25
_FURTHEST = 3.0
READER_PACKAGES = {
    "pillow": "pillow",
    "tiff": "tifffile",
    "deep_codecs": "imagecodecs",
    "czi": "pylibCZIrw",
    "nd2": "nd2",
    "lif": "liffile",
    "oif": "oiffile",
    "dicom": "pydicom",
    "slide": "openslide-python",
}
"""What reads a file, by the module of its reader in `readers`; others are readers of our own."""


class MeasuredImage(Protocol):
    """An image of the training part, by its path in the dataset and its frame."""

    @property
    def path(self) -> str: ...
    @property
    def frame(self) -> int: ...


class InputChoice(Protocol):
    """What a person chose of the input: part of the settings of a training."""

    @property
    def intensity(self) -> IntensityMode: ...
    @property
    def channels(self) -> str | None: ...
    @property
    def stack(self) -> "StackPick": ...
    @property
    def max_megapixels(self) -> float: ...


def measure_input(
    root: Path,
    samples: Sequence[MeasuredImage],
    wanted: InputChoice,
    *,
    numbering: int = FRAME_NUMBERING,
    threads: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> InputMap:
    """Measure the images of a training.

    Args:
        root: Folder that paths are relative to.
        samples: The images of the training part; up to 256 of them, spread over all, are read.
        wanted: `intensity`, `channels` (names or numbers with commas between; None or "" for grey and coloured
            pictures, and for all channels of others), `stack` and `max_megapixels`.
        numbering: What the frames are, see `source.FRAME_NUMBERING`.
        threads: How many read at a time; None for one a core.
        should_stop: Asked often; then what was read so far decides.

    Returns:
        The map, for `NetworkInput.input_map`.

    Raises:
        DecodeError: If none of them can be read, or none has the channels that were asked for.
    """
    names = [name.strip() for name in (wanted.channels or "").split(",") if name.strip()]
    if wanted.intensity == "image" and not names:
        return InputMap(mode="image", numbering=numbering)
    see = partial(_see, root, wanted, numbering)
    seen = _look(_spread(samples), see, threads or _cores(), should_stop)
    names = _asked_for(seen, names) if names else _all_channels(seen)
    limits = [] if wanted.intensity == "image" else list(_limits(seen, names, wanted.intensity))
    is_wide = wanted.intensity != "image" and any(image.dtype.itemsize > 1 for image in seen)
    return InputMap(
        mode=wanted.intensity,
        channels=names,
        limits=limits,
        bits=16 if is_wide else 8,
        numbering=numbering,
        readers=dict(sorted(image.reader for image in seen if image.reader is not None)),
    )


@dataclass(frozen=True, eq=False)
class _SeenImage:
    """What was seen of an image.

    Attributes:
        name: Of the file.
        scene: What it is.
        dtype: Of the values that the map has limits for.
        values: Some pixels, shape (N, C); empty where the limits are known without them.
        reader: Package that read it, and its version.
    """

    name: str
    scene: Scene
    dtype: np.dtype
    values: NDArray[np.generic]
    reader: tuple[str, str] | None


def _spread(samples: Sequence[MeasuredImage]) -> list[MeasuredImage]:
    """The sample: one image, by chance, of each of so many equal stretches; always the same ones, in mixed order."""
    chance = random.Random(0)
    count = min(_SAMPLE, len(samples))
    ends = [len(samples) * number // count for number in range(count + 1)] if count else [0]
    chosen = [samples[chance.randrange(start, end)] for start, end in pairwise(ends)]
    chance.shuffle(chosen)
    return chosen


def _cores() -> int:
    return min(_MOST_THREADS, os.cpu_count() or 1)


def _look(
    images: Sequence[MeasuredImage],
    see: Callable[[MeasuredImage], _SeenImage],
    threads: int,
    should_stop: Callable[[], bool],
) -> list[_SeenImage]:
    """See the images, as far as time allows; those that cannot be read are left out."""
    end = time.monotonic() + _LIMIT_S
    seen: list[_SeenImage] = []
    fault: DecodeError | None = None

    def look(image: MeasuredImage) -> _SeenImage | DecodeError | None:
        if should_stop() or time.monotonic() > end:
            return None
        try:
            return see(image)
        except DecodeError as error:
            return error

    with ThreadPoolExecutor(min(threads, _MOST_THREADS), thread_name_prefix="measure") as pool:
        for result in pool.map(look, images):
            if isinstance(result, _SeenImage):
                seen.append(result)
            else:
                fault = fault or result
    if not seen and fault is not None:
        raise fault
    return seen


def _see(root: Path, wanted: InputChoice, numbering: int, which: MeasuredImage) -> _SeenImage:
    path = root / which.path
    with opened(path, which.frame, wanted.max_megapixels, numbering=numbering, stack=wanted.stack) as image:
        scene = image.scene
        if scene.problem is not None:
            raise DecodeError(scene.problem)
        kind = value_type(scene)
        is_measured = wanted.intensity == "dataset" and kind != np.uint8
        values = _some_pixels(image) if is_measured else np.empty((0, len(channel_names(scene))), kind)
        return _SeenImage(path.name, scene, kind, values, _reader(image.source))


def _some_pixels(image: OpenedFrame) -> NDArray[np.generic]:
    """Pixels at equal distances, shape (N, C), without transparent ones."""
    level = image.level_for(lambda size: (min(size[0], _SIDE), min(size[1], _SIDE)))
    found = channel_values(image.planes(level, _middle(image.scene.levels[level])))
    height, width, count = found.values.shape
    step = max(1, round((height * width / _PIXELS) ** 0.5))
    place = slice(step // 2 % height, None, step), slice(step // 2 % width, None, step)
    values: NDArray[np.generic] = found.values[place].reshape(-1, count)
    if found.opacity is not None:
        values = values[found.opacity[place].reshape(-1) > 0]
    return values.copy()  # not a view that keeps the whole image


def _middle(size: Size) -> Region | None:
    width, height = min(size[0], _LARGEST_SIDE), min(size[1], _LARGEST_SIDE)
    if (width, height) == size:
        return None
    return Region((size[0] - width) // 2, (size[1] - height) // 2, width, height)


def _reader(source: Source) -> tuple[str, str] | None:
    source = source.source if isinstance(source, StackSource) else source
    module = type(source).__module__.partition(".readers.")[2]
    package = READER_PACKAGES.get(module.partition(".")[0])
    try:
        return None if package is None else (package, version(package))
    except PackageNotFoundError:
        return None


def _asked_for(seen: Sequence[_SeenImage], names: list[str]) -> list[str]:
    """The names, once it is certain that an image has them."""
    fault: DecodeError | None = None
    for image in seen:
        try:
            find_channels(image.scene, names, image.name)
            return names
        except DecodeError as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return names


def _all_channels(seen: Sequence[_SeenImage]) -> list[str]:
    """All channels if most images are several measurements of one place; none for grey and coloured pictures.

    Where images call the same number of channels by other names, numbers are taken.
    """
    measured = [channel_names(image.scene) for image in seen if not is_picture(image.scene)]
    if 2 * len(measured) <= len(seen):
        return []
    (count, _), *_ = Counter(map(len, measured)).most_common(1)
    alike = {names for names in measured if len(names) == count}
    return list(alike.pop()) if len(alike) == 1 else [str(number) for number in range(count)]


def _limits(seen: Sequence[_SeenImage], names: list[str], mode: IntensityMode) -> Iterator[ValueLimits]:
    """The limits of each dtype of the sample."""
    for kind, images in groupby(sorted(seen, key=_type_name), _type_name):
        of_type = list(images)
        dtype = of_type[0].dtype
        known = [image.scene.bits or 8 * dtype.itemsize for image in of_type]
        ends = type_range(dtype, None if dtype == np.uint8 else max(known))
        if mode == "type" or dtype == np.uint8:
            pairs = [ends] * max(1, len(names))
        else:
            pairs = [_measured(pool, dtype, ends) for pool in _pools(of_type, names)]
        yield ValueLimits(dtype=kind, low=[low for low, _ in pairs], high=[high for _, high in pairs])


def _type_name(image: _SeenImage) -> str:
    return image.dtype.name


def _pools(images: Iterable[_SeenImage], names: list[str]) -> list[list[NDArray[np.generic]]]:
    """For each channel the values of each image that has it; of a coloured image all values for each channel."""
    pools: list[list[NDArray[np.generic]]] = [[] for _ in names or [""]]
    for image in images:
        if not names:
            if is_picture(image.scene):
                pools[0].append(image.values.reshape(-1))
            continue
        try:
            numbers = find_channels(image.scene, names, image.name)
        except DecodeError:
            continue
        for pool, number in zip(pools, numbers, strict=True):
            is_coloured = image.scene.colour is not None
            pool.append(image.values.reshape(-1) if is_coloured else image.values[:, number])
    return pools


def _measured(
    pool: Sequence[NDArray[np.generic]], dtype: np.dtype, ends: tuple[float, float]
) -> tuple[float, float]:
    """The limits of a channel, by the formula above.

    Args:
        pool: Values of each image.
        dtype: Of the values.
        ends: Range of the dtype.
    """
    images = [values for one in pool if (values := _finite(one)).size]
    if not images:
        return ends
    low, high = _percentiles(np.concatenate(images))
    if low == high:  # hardly any pixel has another value: show the few that have
        low, high = min(map(np.min, images)), max(map(np.max, images))
    if low == high:
        return ends if dtype.kind != "f" else (low - max(1.0, abs(low)), low + max(1.0, abs(low)))
    distance = high - low
    of_images = [_percentiles(values) for values in images]
    darkest, brightest = min(low for low, _ in of_images), max(high for _, high in of_images)
    bottom = min(low - _BEYOND * distance, max(darkest, low - _FURTHEST * distance))
    top = max(high + _BEYOND * distance, min(brightest, high + _FURTHEST * distance))
    if dtype.kind == "f":
        return bottom, top
    return max(ends[0], float(np.floor(bottom))), min(ends[1], float(np.ceil(top)))


def _finite(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Finite values; those near the end of float64, whose differences it does not have, count as infinite."""
    with np.errstate(invalid="ignore"):
        exact = values.astype(np.float64)
    return exact[np.abs(exact) < 1e300]


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, (_OUTSIDE, 1 - _OUTSIDE))
    return float(low), float(high)
