"""Files of tifffile's own format, which tell their shape and perhaps the names of their axes."""

import json
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import tifffile

from mia_tui.dataset.images.readers.tiff.chain import PageChain
from mia_tui.dataset.images.readers.tiff.imagej import planes_are_contiguous
from mia_tui.dataset.images.readers.tiff.series import Series, declared_pages, page_at, series_of, split_pages

_MOST_ARRAYS = 64
"""More are pages of a single array each, as a rule, and reading what each says takes long."""


def shaped_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """The planes of each array that tifffile wrote, one after the other; smaller copies follow theirs."""
    found: list[Series] = []
    number = 0
    while chain.has(number):
        page = page_at(tiff, chain, number)
        said = _said(page)
        if said is None or page.imagedepth != 1 or len(found) == _MOST_ARRAYS:
            return None
        if said["shape"] == list(page.shape) and len(page.shape) == 2 and not chain.has(1):
            return None  # a single plane, as most files are
        series = _series(page, chain, number, said)
        if series is None:
            return None
        if page.is_reduced and found:
            if series.pages.shape == found[-1].pages.shape:
                found[-1] = replace(found[-1], levels=(*found[-1].levels, series.pages))
        else:
            found.append(series)
        number += series.pages.size // series.split
    return found


def _said(page: tifffile.TiffPage) -> dict[str, Any] | None:
    text = next((text for text in (page.description, page.description1) if text.startswith("{")), None)
    said = json.loads(text) if text else None
    return said if isinstance(said, dict) and isinstance(said.get("shape"), list) else None


def _series(page: tifffile.TiffPage, chain: PageChain, number: int, said: dict[str, Any]) -> Series | None:
    shape, axes = [int(size) for size in said["shape"]], str(said.get("axes") or "")
    axes = axes if len(axes) == len(shape) else "Q" * len(shape)
    long = [at for at, size in enumerate(shape) if size != 1]
    inner = [size for size in page.shape if size != 1]
    outer = long[: len(long) - len(inner)]
    if [shape[at] for at in long[len(outer) :]] != inner:
        return None
    sizes = [shape[at] for at in outer]
    planes = prod(sizes)
    is_contiguous = number == 0 and planes_are_contiguous(page, chain, planes)
    pages = np.arange(planes).reshape(sizes) if is_contiguous else declared_pages(chain, sizes, first=number)
    if pages is None:
        return None
    names, split = "".join(axes[at] for at in outer), 1
    samples = page.axes.find("S")
    if samples >= 0 and page.samplesperpixel > 1 and axes[len(shape) - len(page.axes) + samples] in "TZ":
        split = page.samplesperpixel  # old versions of tifffile take three or four planes for colours
        pages, names = split_pages(pages, split), names + axes[len(shape) - len(page.axes) + samples]
    return series_of(pages, names, is_contiguous=is_contiguous, split=split)
