"""Means over boxes of pixels, for images that are too large to be read at once and have no smaller copy.

They are read block by block, so that a plane of any size takes little memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.channels import Planes, in_whole_range, show
from mia_tui.dataset.images.reading import OpenedFrame
from mia_tui.dataset.images.source import Channel, Region

AT_ONCE_BYTES = 48 << 20
"""What costs more is read in blocks, where that helps."""

_BLOCK_PX = 1024  # a multiple of the usual tiles, and of all powers of two that are averaged over
_ROWS = 1024  # averaged at once
_MOST_IN_32_BITS = 128  # x 128 values of 16 bits


def comes_in_parts(image: OpenedFrame, level: int = 0) -> bool:
    """Whether a level is large, and reading a part of it takes much less memory than reading it all."""
    whole = image.cost_bytes(level)
    return whole > AT_ONCE_BYTES and 4 * image.cost_bytes(level, _probe(image, level)) < whole


def averaged(values: NDArray[np.generic], by: int) -> NDArray[np.generic]:
    """The means of boxes of `by` x `by` pixels; those at the right and lower edge may be smaller.

    Args:
        values: Shape (H, W, C), any dtype.
        by: Pixels on a side of a box.

    Returns:
        Shape (ceil(H / by), ceil(W / by), C), same dtype; integers are rounded.
    """
    if by == 1:
        return values
    step = max(1, _ROWS // by) * by
    exact: np.dtype = np.dtype(np.float64)
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2 and by <= _MOST_IN_32_BITS:
        exact = np.dtype(np.int32 if values.dtype.kind == "i" else np.uint32)
    found = []
    for start in range(0, len(values), step):
        means = _averaged(values[start : start + step], by, exact)
        if values.dtype.kind in "iu":
            means = np.rint(means)
        found.append(means.astype(values.dtype))
    return np.concatenate(found)


def read_averaged(
    image: OpenedFrame, level: int, region: Region, by: int, see: Callable[[Planes], None] = lambda _: None
) -> Planes:
    """A part of a level, averaged over boxes of `by` x `by` pixels.

    Args:
        image: An open file.
        level: One of its levels.
        region: Begins at a multiple of `by`, and ends at one or at the edge.
        by: A power of two.
        see: Is shown every block as it is in the file.
    """
    found: NDArray[np.generic] | None = None
    for block in _blocks(image, level, region):
        raw = image.planes(level, block)
        see(raw)
        planes = raw if by == 1 else _without_palette(in_whole_range(raw))
        part = averaged(planes.values, by)
        if found is None:
            shape = (-(-region.height // by), -(-region.width // by), part.shape[2])
            if part.shape == shape:
                return Planes(part, planes.scene)
            found = np.empty(shape, part.dtype)
        top, left = (block.top - region.top) // by, (block.left - region.left) // by
        found[top : top + part.shape[0], left : left + part.shape[1]] = part
    assert found is not None
    return Planes(found, planes.scene)


def _averaged(values: NDArray[np.generic], by: int, exact: np.dtype) -> NDArray[np.float64]:
    """Sums of slices, which takes half the time of numpy's means."""
    height, width = values.shape[:2]
    with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs
        sums = _summed(_summed(values, by, exact).swapaxes(0, 1), by, exact).swapaxes(0, 1)
        rows = np.diff(np.append(np.arange(0, height, by), height))
        columns = np.diff(np.append(np.arange(0, width, by), width))
        means: NDArray[np.float64] = sums / (rows[:, None] * columns)[:, :, None]
    return means


def _summed(values: NDArray[np.generic], by: int, exact: np.dtype) -> NDArray[np.generic]:
    """The sums of `by` values each along the first axis; the last may be of fewer."""
    sums = values[::by].astype(exact)
    for place in range(1, min(by, len(values))):
        slice_of = values[place::by]
        sums[: len(slice_of)] += slice_of
    return sums


def _blocks(image: OpenedFrame, level: int, region: Region) -> Iterator[Region]:
    """A region in blocks whose borders are those of tiles, each as wide as memory allows."""
    if image.cost_bytes(level, region) <= AT_ONCE_BYTES or not comes_in_parts(image, level):
        yield region
        return
    width = max(1, AT_ONCE_BYTES // max(1, image.cost_bytes(level, _probe(image, level)))) * _BLOCK_PX
    bottom, right = region.top + region.height, region.left + region.width
    for top in _starts(region.top, bottom, _BLOCK_PX):
        for left in _starts(region.left, right, width):
            lower = min(bottom, top - top % _BLOCK_PX + _BLOCK_PX)
            yield Region(left, top, min(right, left - left % width + width) - left, lower - top)


def _probe(image: OpenedFrame, level: int) -> Region:
    width, height = image.scene.levels[level]
    return Region(0, 0, min(width, _BLOCK_PX), min(height, _BLOCK_PX))


def _starts(first: int, end: int, step: int) -> Iterator[int]:
    yield first
    yield from range(first - first % step + step, end, step)


def _without_palette(planes: Planes) -> Planes:
    """Values whose means are colours between theirs; those of a palette, or of ink, are numbers of colours."""
    scene = planes.scene
    if scene.palette is None and scene.dtype == np.bool_:
        return Planes(
            planes.values.astype(np.uint8) * np.uint8(255), replace(scene, dtype=np.dtype(np.uint8))
        )
    is_opaque_rgb = scene.colour == "rgb" and scene.opacity is None
    is_intensity = scene.colour is None or is_opaque_rgb or (scene.is_deep and scene.colour != "lab")
    if scene.palette is None and is_intensity:
        return planes
    shown = show(planes)
    plain = replace(
        scene,
        dtype=np.dtype(np.uint8),
        channels=(Channel(),) * 3,
        colour="rgb",
        opacity=None,
        palette=None,
        bits=None,
    )
    return Planes(shown, plain)
