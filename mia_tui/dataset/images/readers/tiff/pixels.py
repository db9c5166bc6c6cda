"""The pixels of one page of a TIFF file."""

import numpy as np
import tifffile
from numpy.typing import NDArray


def contiguous_start(page: tifffile.TiffPage) -> int | None:
    """Where the values of a page lie as they are, one after the other; None if they do not."""
    if page.dtype is None or page.compression != 1 or page.fillorder != 1 or page.predictor != 1:
        return None
    if page.bitspersample != 8 * page.dtype.itemsize or page.is_tiled or page.is_subsampled:
        return None
    starts, sizes = page.dataoffsets, page.databytecounts
    if not starts or len(starts) != len(sizes) or not starts[0]:
        return None
    at = starts[0]
    for start, size in zip(starts, sizes, strict=True):
        if start != at:
            return None
        at += size
    return int(starts[0]) if at - starts[0] >= page.nbytes else None


def read_contiguous(page: tifffile.TiffPage, number: int, start: int) -> NDArray[np.generic]:
    """The plane of this number of those that lie behind a page, shape (H, W, C)."""
    assert page.dtype is not None
    file = page.parent.filehandle
    file.seek(start + number * page.nbytes)
    values = np.frombuffer(file.read(page.nbytes), page.dtype.newbyteorder(page.parent.byteorder))
    return channels_last(values.reshape(page.shape), page.axes)


def read_page(page: tifffile.TiffPage) -> NDArray[np.generic]:
    """A whole page, shape (H, W, C)."""
    return channels_last(np.asarray(page.asarray()), page.axes)


def channels_last(values: NDArray[np.generic], axes: str) -> NDArray[np.generic]:
    """Values of one image as (H, W, C); of a volume its first plane."""
    for axis in [axis for axis in axes if axis not in "SYXC"]:
        values = np.take(values, [0], axes.index(axis)).squeeze(axes.index(axis))
        axes = axes.replace(axis, "")
    channel = next((axis for axis in axes if axis in "SC"), None)
    if channel is None:
        return values[:, :, None]
    return np.moveaxis(values, axes.index(channel), 2)
