"""What the values of a page of a TIFF file mean, and why they may not be read."""

import numpy as np
import tifffile

from mia_tui.dataset.images.limits import MOST_CHANNELS
from mia_tui.dataset.images.readers.tiff.pixels import upright_size
from mia_tui.dataset.images.readers.tiff.streams import JPEG
from mia_tui.dataset.images.source import Channel, Scene

_GREY_INVERTED, _PALETTE, _CMYK, _YCBCR = 0, 3, 5, 6
_COLOUR = frozenset({2, _YCBCR})  # red, green, blue once it is decoded
_LAB = frozenset({8, 9, 10})
_ASSOCIATED, _UNASSOCIATED = 1, 2  # alpha, with which the other samples were multiplied, or not
_NUMBERS = frozenset("buif")
_UNPREDICTED = 1
_OLD_JPEG, _JPEG_START = 6, b"\xff\xd8"
_CODECS = {
    "JPEGXL": "JPEG XL",
    "JPEGXL_DNG": "JPEG XL",
    "JPEGXR": "JPEG XR",
    "JPEGXR_NDPI": "JPEG XR",
    "JPEG2000": "JPEG 2000",
    "APERIO_JP2000_YCBC": "JPEG 2000",
    "JPEG_2000_LOSSY": "JPEG 2000",
    "APERIO_JP2000_RGB": "JPEG 2000",
    "OJPEG": "old JPEG",
    "WEBP": "WebP",
}


def scene_of(page: tifffile.TiffPage, name: str) -> Scene:
    """A page as a scene of a single plane.

    Args:
        page: The page.
        name: Of the file, for the sentence that tells why it cannot be read.
    """
    size, dtype = upright_size(page), page.dtype
    fault = _fault(page)
    if fault or dtype is None:
        return Scene(size, np.dtype(np.uint8), problem=f"{name} is a TIFF with {fault}.")
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    return Scene(
        size,
        dtype.newbyteorder("="),
        (Channel(),) * page.samplesperpixel,
        bits=bits if bits < 8 * dtype.itemsize else None,
        **_meaning(page),  # type: ignore[arg-type]
    )


def is_only_for_pillow(page: tifffile.TiffPage) -> bool:
    """Whether tifffile does not read a page: fewer pixels of colour than of brightness, or old JPEG in parts."""
    compression = int(page.compression)
    if compression == _OLD_JPEG and page.dataoffsets:
        page.parent.filehandle.seek(page.dataoffsets[0])
        return bool(page.parent.filehandle.read(2) != _JPEG_START)
    return int(page.photometric or 1) == _YCBCR and compression not in JPEG


def _fault(page: tifffile.TiffPage) -> str:
    """Why a page cannot be read, to complete "It is a TIFF with"; empty if it can."""
    dtype, pieces = page.dtype, "tiles" if page.is_tiled else "strips"
    if not page.imagewidth or not page.imagelength:
        return "no pixels"
    if not 1 <= page.samplesperpixel <= MOST_CHANNELS:
        return f"{page.samplesperpixel:,} channels, the limit is {MOST_CHANNELS:,}"
    if dtype is None:
        return f"values of {page.bitspersample} bits of a kind that is not known, which cannot be shown"
    if dtype.kind not in _NUMBERS:
        return f"values of the kind {dtype.name}, which cannot be shown"
    formats = page.tags.valueof(339)
    if isinstance(formats, tuple) and len(set(formats[: page.samplesperpixel])) > 1:
        return "channels of different kinds of numbers, which cannot be read"
    if page.compression != 1 and not _has(tifffile.TIFF.DECOMPRESSORS, int(page.compression)):
        return f"{_codec(int(page.compression))} {pieces}, which cannot be read"
    is_picture = int(page.compression) in tifffile.TIFF.IMAGE_COMPRESSIONS
    predictor = int(page.predictor)
    if predictor != _UNPREDICTED and not is_picture and not _has(tifffile.TIFF.UNPREDICTORS, predictor):
        return f"{pieces} of the predictor {predictor}, which cannot be read"
    if is_only_for_pillow(page) and page.is_subsampled:
        return "colours of fewer pixels than its brightness, which can only be read on its first page"
    return ""


def _has(codecs: object, number: int) -> bool:
    try:
        codecs[number]  # type: ignore[index]  # imports it
    except (KeyError, ImportError):
        return False
    return True


def _codec(number: int) -> str:
    try:
        name = tifffile.COMPRESSION(number).name
    except ValueError:
        return f"compressed (kind {number})"
    return _CODECS.get(name, name.replace("_", " "))


def _meaning(page: tifffile.TiffPage) -> dict[str, object]:
    """What the channels of a page are, as arguments of `Scene`."""
    kind = int(page.photometric if page.photometric is not None else 1)
    opacity = [
        number for number, extra in enumerate(page.extrasamples) if int(extra) in (_ASSOCIATED, _UNASSOCIATED)
    ]
    first_extra = page.samplesperpixel - len(page.extrasamples)
    meaning: dict[str, object] = {}
    if opacity:
        meaning["opacity"] = first_extra + opacity[0]
        meaning["is_multiplied"] = int(page.extrasamples[opacity[0]]) == _ASSOCIATED
    if kind in _COLOUR and page.samplesperpixel >= 3:
        meaning["colour"] = "rgb"
    elif kind in _LAB and page.samplesperpixel >= 3:
        meaning["colour"] = "lab"
    elif kind == _CMYK and page.samplesperpixel >= 4:
        meaning["colour"] = "cmyk"
    elif kind == _PALETTE and page.colormap is not None:
        meaning["palette"] = np.asarray(page.colormap).T
    elif kind == _GREY_INVERTED:
        meaning["is_inverted"] = True
    return meaning
