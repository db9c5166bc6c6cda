"""OME-TIFF: what the XML in the first page says of times, depths, channels, fields of view and colours."""

from collections.abc import Mapping
from math import prod
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from mia_tui.dataset.images.limits import MOST_CHANNELS, MOST_XML_BYTES
from mia_tui.dataset.images.readers.tiff.chain import MOST_PAGES, PageChain
from mia_tui.dataset.images.readers.tiff.series import Series, page_at, series_of
from mia_tui.dataset.images.readers.tiff.units import both, micrometres
from mia_tui.dataset.images.source import Channel, Colour

_NO_IMAGES = frozenset(
    {"label", "label image", "macro", "macro image", "thumbnail", "thumbnail image", "overview"}
)
_WHITE = (255, 255, 255)
_MOST_ABSENT = 0.5
_MOST_IMAGES = 20_000  # reading of each takes 0.1 ms
_MOST_USES = 4  # of a page


def ome_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """A series for each image that the XML describes; None if it is broken or does not fit the pages."""
    text = tiff.ome_metadata
    if not isinstance(text, str) or len(text) > MOST_XML_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    root = ElementTree.fromstring(text)
    images = [(image, pixels) for image in children(root, "Image") for pixels in children(image, "Pixels")]
    named = [one for one in images if one[0].get("Name", "").strip().lower() not in _NO_IMAGES]
    if len(images) > _MOST_IMAGES:
        raise ValueError(f"{len(images)} images")
    own = _OwnPlanes(root, tiff.filename)
    samples = page_at(tiff, chain, 0).samplesperpixel
    found: list[Series] = []
    told = held = 0
    for image, pixels in named or images:
        axes, table = _table(pixels, own, chain, samples)
        told += table.size
        held += int((table >= 0).sum())
        if told > MOST_PAGES or not chain.has(max(0, held // _MOST_USES - 1)):
            raise ValueError("more planes than there are pages")
        if not (table >= 0).any():
            continue
        there, used = _present(table)
        if not found and not _fits(there, pixels, tiff, chain):
            return None
        found.append(
            series_of(
                there,
                axes,
                channels=_channels(pixels, used[axes.index("C")]),
                pixel_um=_pixel_um(pixels),
                name=image.get("Name", ""),
            )
        )
    return found


def children(element: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """Children of a tag, in the name space of their parent."""
    space, end, _ = element.tag.rpartition("}")
    return element.findall(f"{space}{end}{tag}")


class _OwnPlanes:
    """Which planes of the XML are in this file: an image may be spread over several.

    Args:
        root: Of the XML.
        name: Of this file.
    """

    def __init__(self, root: ElementTree.Element, name: str) -> None:
        self._id, self._name = root.get("UUID"), name.lower()
        held = {
            (uuid.text, uuid.get("FileName"))
            for image in children(root, "Image")
            for pixels in children(image, "Pixels")
            for data in children(pixels, "TiffData")
            for uuid in data
        }
        self._is_alone = len(held) == 1  # under another name, as a rule

    def has(self, data: ElementTree.Element) -> bool:
        for uuid in data:
            named = uuid.get("FileName", "").lower() == self._name
            return self._is_alone or named or (self._id is not None and uuid.text == self._id)
        return True


def _table(
    pixels: ElementTree.Element, own: _OwnPlanes, chain: PageChain, samples: int
) -> tuple[str, NDArray[np.int64]]:
    """The page of each plane over axes such as TZC, slowest first; -1 where this file has none."""
    axes = pixels.attrib["DimensionOrder"][:1:-1]
    if sorted(axes) != ["C", "T", "Z"]:
        raise ValueError(f"axes {axes}")
    sizes = {axis: int(pixels.attrib["Size" + axis]) for axis in axes}
    told = [channel.get("SamplesPerPixel") for channel in children(pixels, "Channel")]
    samples = int(told[0]) if told and told[0] else samples
    if len({one or "1" for one in told}) > 1:
        raise ValueError("channels of different samples")
    if samples > 1:
        sizes["C"] = max(1, sizes["C"] // samples)
    shape = [sizes[axis] for axis in axes]
    if sizes["C"] > MOST_CHANNELS:
        raise ValueError(f"{sizes['C']} channels")
    if min(shape) < 1 or prod(shape) > MOST_PAGES:
        raise ValueError(f"sizes {shape}")
    numbers = [-1] * prod(shape)
    firsts = [("First" + axis, size) for axis, size in zip(axes, shape, strict=True)]
    parts = children(pixels, "TiffData")
    for data in parts:
        if own.has(data):
            _enter(data.attrib, firsts, numbers)
    if not parts:
        numbers = list(range(len(numbers)))
    table = np.array(numbers)
    if not chain.has(int(table.max())):
        table[table >= len(chain)] = -1
    return axes, table.reshape(shape)


def _enter(said: Mapping[str, str], firsts: list[tuple[str, int]], numbers: list[int]) -> None:
    """Note the pages of which a TiffData element tells; what cannot be is passed over, since ImageJ writes such."""
    page = int(said.get("IFD", 0))
    planes = int(said.get("PlaneCount", said.get("NumPlanes", 1 if "IFD" in said else 0)))
    at = 0
    for name, size in firsts:
        first = int(said.get(name, 0))
        if not 0 <= first < size:
            return
        at = at * size + first
    if page < 0 or planes < 0:
        return
    end = min(at + planes, len(numbers)) if planes else len(numbers)
    numbers[at:end] = range(page, page + end - at)


def _present(table: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """The smallest part of the table that has all planes of this file, and its positions along each axis.

    Raises:
        ValueError: If most planes in between are absent, so that the axes cannot be right.
    """
    there = table >= 0
    used = [
        np.flatnonzero(there.any(axis=tuple(other for other in range(3) if other != at))) for at in range(3)
    ]
    part = table[np.ix_(*used)]
    if (part < 0).mean() > _MOST_ABSENT:
        raise ValueError("most planes are absent")
    return part, used


def _fits(
    pages: NDArray[np.int64], pixels: ElementTree.Element, tiff: tifffile.TiffFile, chain: PageChain
) -> bool:
    page = page_at(tiff, chain, int(pages[pages >= 0][0]))
    said = int(pixels.attrib["SizeX"]), int(pixels.attrib["SizeY"])
    return page.imagedepth == 1 and said == (page.imagewidth, page.imagelength)


def _channels(pixels: ElementTree.Element, used: NDArray[np.int64]) -> tuple[Channel, ...]:
    """Of those that are used; none if the XML does not tell of all."""
    found = [
        Channel(channel.get("Name") or channel.get("Fluor") or None, _colour(channel.get("Color")))
        for channel in children(pixels, "Channel")
    ]
    if len(found) <= used.max():
        return ()
    found = [found[number] for number in used]
    if len(found) > 1 and all(channel.colour in (None, _WHITE) for channel in found):
        return tuple(Channel(channel.name) for channel in found)  # white is what OME takes if none is said
    return tuple(found)


def _colour(said: str | None) -> Colour | None:
    """Red, green, blue and opacity in one number of 32 bits, which may be negative."""
    if said is None or not said.lstrip("+-").isdigit():
        return None
    red, green, blue, _ = (int(said) & 0xFFFFFFFF).to_bytes(4, "big")
    return red, green, blue


def _pixel_um(pixels: ElementTree.Element) -> tuple[float, float] | None:
    return both(
        micrometres(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        for axis in "XY"
    )
