"""Stacks that ImageJ wrote: over time, depth and channels, with a page for each plane or a single one for all."""

from math import prod
from typing import Any

import numpy as np
import tifffile

from mia_tui.dataset.images.readers.tiff.chain import MOST_PAGES, PageChain
from mia_tui.dataset.images.readers.tiff.pixels import contiguous_start
from mia_tui.dataset.images.readers.tiff.series import Series, declared_pages, series_of
from mia_tui.dataset.images.readers.tiff.units import resolution_um
from mia_tui.dataset.images.source import Channel, Colour

# Fastest first, as ImageJ names them; where it names none, channels come first, then depth.
_ORDERS = {"".join(order) for order in ("czt", "ctz", "zct", "ztc", "tcz", "tzc")}
_SIZES = {"t": "frames", "z": "slices", "c": "channels"}


def imagej_series(tiff: tifffile.TiffFile, chain: PageChain) -> Series | None:
    """The planes of an ImageJ stack; None if what it says cannot be."""
    said = tiff.imagej_metadata
    page = tiff.pages[0]
    if said is None or not isinstance(page, tifffile.TiffPage) or page.imagedepth != 1:
        return None
    order = str(said.get("order", "czt")).lower()
    order = order if order in _ORDERS else "czt"
    sizes = {axis: _count(said.get(_SIZES[axis], 1)) for axis in order}
    if 0 in sizes.values():
        return None
    if sizes["c"] in (page.samplesperpixel, 1) and page.samplesperpixel > 1:
        sizes["c"] = 1  # Bio-Formats calls the samples of a page channels
    axes, shape = order[::-1].upper(), [sizes[axis] for axis in order[::-1]]
    planes = prod(shape)
    if planes == 1:  # only their number is said
        planes = _count(said.get("images", 1)) or 1
        axes, shape = "I", [planes]
    is_contiguous = planes_are_contiguous(page, chain, planes)
    if not is_contiguous and planes == 1 and chain.has(1):
        axes, shape = "I", [len(chain)]
    pages = np.arange(planes).reshape(shape) if is_contiguous else declared_pages(chain, shape)
    if pages is None:
        return None
    return series_of(
        pages,
        axes,
        is_contiguous=is_contiguous,
        channels=_channels(said, sizes["c"]),
        pixel_um=_pixel_um(page, said),
    )


def planes_are_contiguous(page: tifffile.TiffPage, chain: PageChain, planes: int) -> bool:
    """Whether so many planes lie one after the other behind the first page, before the second."""
    start = contiguous_start(page)
    if start is None or not 1 < planes <= MOST_PAGES:
        return False
    end = start + planes * page.nbytes
    if end > page.parent.filehandle.size:
        return False
    return not chain.has(1) or chain.offset(1) >= end or chain.offset(1) < start


def _count(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 < value < 1 << 31 else 0


def _pixel_um(page: tifffile.TiffPage, said: dict[str, Any]) -> tuple[float, float] | None:
    unit = said.get("unit")
    return resolution_um(page, unit if isinstance(unit, str) and unit != "pixel" else None)


def _channels(said: dict[str, Any], count: int) -> tuple[Channel, ...]:
    tables = said.get("LUTs")
    if count < 2 or not isinstance(tables, list) or len(tables) != count:
        return ()
    return tuple(Channel(colour=_brightest(table)) for table in tables)


def _brightest(table: object) -> Colour | None:
    """The colour that a lookup table has for the largest value; black is the end of a table that is turned over."""
    colours = np.asarray(table)
    if colours.shape != (3, 256) or not colours[:, 255].any():
        return None
    red, green, blue = (int(value) for value in colours[:, 255])
    return red, green, blue
