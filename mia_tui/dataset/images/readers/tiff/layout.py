"""What the pages of a TIFF file are: images, planes of one over time, depth and channels, or smaller copies."""

import logging
import struct
from collections.abc import Callable, Sequence

import numpy as np
import tifffile

from mia_tui.dataset.images.readers.tiff.chain import PageChain
from mia_tui.dataset.images.readers.tiff.imagej import imagej_series
from mia_tui.dataset.images.readers.tiff.microscopes import (
    fluoview_series,
    lsm_series,
    micromanager_series,
    scanimage_series,
    sis_series,
    stk_series,
    volume_series,
)
from mia_tui.dataset.images.readers.tiff.ome import ome_series
from mia_tui.dataset.images.readers.tiff.series import PlainPages, Series, page_at
from mia_tui.dataset.images.readers.tiff.shaped import shaped_series
from mia_tui.dataset.images.readers.tiff.slides import (
    bif_series,
    ndpi_series,
    philips_series,
    qpi_series,
    scn_series,
    svs_series,
    unnamed_series,
)

Finder = Callable[[tifffile.TiffFile, PageChain], "list[Series] | Series | None"]
_CANNOT_BE = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    SyntaxError,
    RuntimeError,
    struct.error,
)
_LOG = logging.getLogger(__name__)
# By what tifffile says of the first page; the first that fits.
_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("is_shaped", shaped_series),
    ("is_svs", svs_series),
    ("is_scn", scn_series),
    ("is_qpi", qpi_series),
    ("is_ndpi", ndpi_series),
    ("is_bif", bif_series),
    ("is_philips", philips_series),
    ("is_lsm", lsm_series),
    ("is_micromanager", micromanager_series),
    ("is_ome", ome_series),
    ("is_imagej", imagej_series),
    ("is_fluoview", fluoview_series),
    ("is_stk", stk_series),
    ("is_sis", sis_series),
    ("is_scanimage", scanimage_series),
    ("is_volumetric", volume_series),
    ("is_tiled", unnamed_series),
)


def find_series(tiff: tifffile.TiffFile, chain: PageChain) -> Sequence[Series]:
    """The images of a file. What its metadata say is passed over where it cannot be: its pages are images then."""
    first = page_at(tiff, chain, 0)
    for flag, finder in _FINDERS:
        if not getattr(first, flag):
            continue
        try:
            found = finder(tiff, chain)
        except _CANNOT_BE:
            _LOG.info("%s: %s", tiff.filehandle.name, flag, exc_info=True)
            found = None
        if found:
            return [found] if isinstance(found, Series) else found
    chain.check_end()
    return PlainPages(chain, single=tiff.is_svs)


def pages_as_frames(tiff: tifffile.TiffFile, chain: PageChain) -> Sequence[Series]:
    """The images of a file as they were numbered first: pages, or planes of an ImageJ stack of a single one."""
    if tiff.is_imagej and not chain.has(1):
        stack = imagej_series(tiff, chain)
        if stack is not None and stack.is_contiguous:
            return [stack]
    return PlainPages(chain, every=True, single=tiff.is_svs)


def new_numbers(tiff: tifffile.TiffFile, chain: PageChain) -> list[int] | None:
    """For each frame as numbered first, its number now; see `reading.new_frame_numbers`."""
    new, old = find_series(tiff, chain), pages_as_frames(tiff, chain)
    if not isinstance(old, PlainPages):
        return None
    numbers = np.full(len(old), -1)
    if isinstance(new, PlainPages):
        pages = new.pages()
        numbers[pages[pages < len(numbers)]] = np.flatnonzero(pages < len(numbers))
    else:
        frame = sum(series.frames for series in new)
        for series in reversed(new):  # so that of several frames in a page the first one is found
            for planes in reversed(series.pages.reshape(-1, series.pages.shape[-1])):
                frame -= 1
                held = planes[planes >= 0] // series.split
                numbers[held[held < len(numbers)]] = frame
    return None if np.array_equal(numbers, np.arange(len(numbers))) else numbers.tolist()
