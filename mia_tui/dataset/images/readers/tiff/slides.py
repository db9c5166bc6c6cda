"""Slides in TIFF files: an image in several sizes. Pictures of the glass, its label and the whole are no images.

The pages of a slide are few, and each is looked at.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import tifffile

from mia_tui.dataset.images.readers.tiff.chain import PageChain
from mia_tui.dataset.images.readers.tiff.limits import MOST_COPIES
from mia_tui.dataset.images.readers.tiff.ome import children
from mia_tui.dataset.images.readers.tiff.series import Series, page_at
from mia_tui.dataset.images.readers.tiff.units import both, micrometres
from mia_tui.dataset.images.source import Channel, Colour, Size

_MOST_PAGES = 1024
_MAGNIFICATION = 65421  # tag of NDPI; it is negative for the pictures that are none


def svs_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """An Aperio slide: a thumbnail comes second, then smaller copies in tiles, then label and macro in strips."""
    pages = _pages(tiff, chain)
    if not pages[0].is_tiled:
        return None
    tiled = [page for page in pages if page.is_tiled and not page.is_reduced]
    said = dict(part.partition("=")[::2] for part in pages[0].description.replace(" ", "").split("|"))
    side = micrometres(said.get("MPP"), "um")
    return [_slide(tiled, "Z", pixel_um=both([side, side]))]


def ndpi_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """A Hamamatsu slide: pages of one size are planes of other depths."""
    pages = [page for page in _pages(tiff, chain) if float(page.tags.valueof(_MAGNIFICATION) or 1) > 0]
    return [_slide(pages, "Z")] if pages else None


def bif_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """A Ventana slide: its copies say their level, the label and the thumbnail do not."""
    pages = [page for page in _pages(tiff, chain) if "level" in page.description]
    return [_slide(pages, "Z")] if pages else None


def philips_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """A Philips slide: label and macro say so, or are not in tiles; smaller copies are filled up to whole tiles."""
    pages = [
        page
        for page in _pages(tiff, chain)
        if page.is_tiled and not page.description.startswith(("Macro", "Label"))
    ]
    if not pages:
        return None
    sizes = []
    for number, page in enumerate(pages[1:], 1):
        width, height = pages[0].imagewidth >> number, pages[0].imagelength >> number
        is_filled = 0 <= page.imagewidth - width < page.tilewidth
        is_filled = is_filled and 0 <= page.imagelength - height < page.tilelength
        sizes.append((width, height) if is_filled else (page.imagewidth, page.imagelength))
    return [replace(_slide(pages, "I"), level_sizes=tuple(sizes))]


def qpi_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """A slide of PerkinElmer or Akoya: each channel is a page, and each page says what it is."""
    pages, channels, found = _pages(tiff, chain), [], []
    for page in pages:
        said = _xml(page.description)
        usual = (
            "FullResolution" if page.shape == pages[0].shape else "ReducedResolution" if page.is_tiled else ""
        )
        kind = said.get("ImageType", usual)
        if kind in ("FullResolution", "ReducedResolution"):
            found.append(page)
        if kind == "FullResolution":
            channels.append(Channel(said.get("Name") or said.get("Biomarker"), _colour(said.get("Color"))))
    if not found:
        return None
    return [_slide(found, "C", channels=_known(channels))]


def scn_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """A Leica slide: fields of view, and one image of the whole glass, which is as large as the collection."""
    root = ElementTree.fromstring(page_at(tiff, chain, 0).description)
    found: list[Series] = []
    glass: list[Series] = []
    for collection in children(root, "collection"):
        size = collection.get("sizeX"), collection.get("sizeY")
        for image in children(collection, "image"):
            series = _scn_image(image, chain)
            view = next(iter(children(image, "view")), None)
            is_glass = view is not None and (view.get("sizeX"), view.get("sizeY")) == size
            if series is not None:
                (glass if is_glass else found).append(series)
                if not chain.has(len(glass) + len(found) - 1):
                    raise ValueError("more images than pages")
    return found or glass


def _scn_image(image: ElementTree.Element, chain: PageChain) -> Series | None:
    levels: dict[int, dict[tuple[int, int], int]] = {}
    for pixels in children(image, "pixels"):
        for one in children(pixels, "dimension"):
            depth, channel, level = (int(one.get(name, 0)) for name in "zcr")
            page = int(one.attrib["ifd"])
            if chain.has(page):
                levels.setdefault(level, {})[depth, channel] = page
    tables = []
    for pages in levels.values():
        shape = tuple(max(place[at] for place in pages) + 1 for at in (0, 1))
        if shape[0] * shape[1] != len(pages):
            raise ValueError("planes of a slide are absent")
        table = np.full(shape, -1)
        for place, page in pages.items():
            table[place] = page
        tables.append(table)
    if not tables:
        return None
    is_deep = tables[0].shape[0] > 1
    tables = [table if is_deep else table[0] for table in tables]
    views = children(image, "view")
    sides = [micrometres(views[0].get(f"size{axis}"), "nm") if views else None for axis in "XY"]
    counts = [int(pixels.get(f"size{axis}", 0)) for pixels in children(image, "pixels") for axis in "XY"][:2]
    return Series(
        tables[0],
        "Z" if is_deep else "",
        levels=tuple(table for table in tables[1:] if table.shape == tables[0].shape),
        has_sub_pages=False,
        pixel_um=_divided(sides, counts),
        name=image.get("name", ""),
    )


def _divided(sides: list[float | None], counts: list[int]) -> tuple[float, float] | None:
    size = both(sides)
    if size is None or len(counts) != 2 or min(counts) < 1:
        return None
    return size[0] / counts[0], size[1] / counts[1]


def unnamed_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """Pages that say nothing, of which the second is a smaller copy of the first, and so on; None if they are not.

    Pages behind them that are not in tiles are label, macro and thumbnail.
    """
    if not chain.has(1) or chain.has(MOST_COPIES) or not page_at(tiff, chain, 0).is_tiled:
        return None
    if not _follows(page_at(tiff, chain, 1), page_at(tiff, chain, 0)):
        return None
    tiled = [page for page in _pages(tiff, chain) if page.is_tiled]
    if not all(_follows(after, before) for before, after in pairwise(tiled)):
        return None
    return [_slide(tiled, "I")]


def _follows(page: tifffile.TiffPage, larger: tifffile.TiffPage) -> bool:
    is_same_kind = page.dtype == larger.dtype and page.samplesperpixel == larger.samplesperpixel
    sizes = [(one.imagewidth, one.imagelength) for one in (page, larger)]
    return page.is_tiled and is_same_kind and is_copy(*sizes)


def is_copy(size: Size, larger: Size) -> bool:
    """Whether a page may show the same as another one, smaller: thumbnails and labels have other proportions."""
    if not 0 < size[0] < larger[0] or not size[1]:
        return False
    across, down = larger[0] / size[0], larger[1] / size[1]
    return abs(across - down) <= 0.02 * across + across / size[1]


def _slide(
    pages: Iterable[tifffile.TiffPage],
    axis: str,
    *,
    pixel_um: tuple[float, float] | None = None,
    channels: tuple[Channel, ...] = (),
) -> Series:
    """A series of pages in several sizes, the first one first; pages of one size lie along an axis."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for page in pages:
        sizes.setdefault(page.shape, []).append(page.index)
    tables = [np.array(numbers) for numbers in sizes.values()]
    if axis != "C":
        tables = [table[:, None] if len(tables[0]) > 1 else table[:1] for table in tables]
    first = tables[0]
    return Series(
        first,
        axis if first.ndim == 2 else "",
        levels=tuple(table for table in tables[1:] if table.shape == first.shape),
        has_sub_pages=False,
        channels=channels,
        pixel_um=pixel_um,
    )


def _pages(tiff: tifffile.TiffFile, chain: PageChain) -> list[tifffile.TiffPage]:
    if chain.has(_MOST_PAGES):
        raise ValueError("a slide of more than a thousand pages")
    return [page_at(tiff, chain, number) for number in range(len(chain))]


def _xml(text: str) -> dict[str, str]:
    """The texts of the elements of an XML of one level."""
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return {}
    return {child.tag: child.text.strip() for child in root if child.text}


def _colour(said: str | None) -> Colour | None:
    parts = (said or "").split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
        return None
    red, green, blue = (min(255, int(part)) for part in parts)
    return red, green, blue


def _known(channels: list[Channel]) -> tuple[Channel, ...]:
    return tuple(channels) if any(channel != Channel() for channel in channels) else ()
