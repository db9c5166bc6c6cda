"""The formats of image files: by which endings and first bytes they are known, and which reader reads them.

A new format is a module in `readers` with a function `open_file(path, file) -> Source`, and a record here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Frames = Literal["one", "pages", "animation"]
EXTRA = "microscopy"
"""Of the packages that readers of microscopes' own formats need."""
INSTALL = f"Install it: pip install 'mia-tui[{EXTRA}]'"
"""Ends the sentence about a file whose reader is missing, which is no fault of the file."""

_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"


@dataclass(frozen=True)
class Format:
    """A format, or a family of formats that one reader reads.

    Attributes:
        name: What people call it.
        suffixes: Endings of its files, in lower case.
        module: Its reader in `readers`; empty where Pillow reads it, under `name`.
        starts: Bytes that its files begin with, each with the place where they are.
        holds: How many images a file may have.
        package: What its reader imports and is only there with `mia-tui[microscopy]`; empty where nothing is missing.
        is_folder: Whether an image is a folder with such a name.
        had_pages: Whether its frames were pages by the first frame numbering; its reader has `open_pages` and
            `new_frame_numbers` for them.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str = ""
    starts: tuple[tuple[int, bytes], ...] = ()
    holds: Frames = "one"
    package: str = ""
    is_folder: bool = False
    had_pages: bool = False


FORMATS = (
    Format("PNG", (".png", ".apng")),
    # The last two are what browsers save JPEG files as.
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp")),
    Format("BMP", (".bmp",)),
    Format("DIB", (".dib",)),
    Format("GIF", (".gif",), holds="animation"),
    Format("WEBP", (".webp",), holds="animation"),
    Format(
        "PPM",
        (".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm"),
        "netpbm",
        tuple((0, b"P" + kind) for kind in (b"2", b"3", b"5", b"6", b"7", b"f", b"F")),
    ),
    Format(
        "JPEG2000",
        (".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"),
        "deep_codecs",
        ((0, _JP2), (0, b"\xffO\xffQ")),
    ),
    Format("AVIF", (".avif",), "deep_codecs", ((4, b"ftypavif"), (4, b"ftypavis")), "animation"),
    Format(
        "TIFF",
        (
            *(".tif", ".tiff", ".btf", ".tf2", ".tf8"),  # TIFF and BigTIFF, as OME-TIFF or not
            *(".lsm", ".stk", ".flex", ".gel", ".pcoraw"),  # microscopes, gel scanners, cameras
            *(".svs", ".ndpi", ".qptiff", ".qpi", ".scn", ".bif", ".ptif", ".ptiff", ".zif"),  # slides
        ),
        "tiff.reader",
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),  # each byte order, TIFF and BigTIFF
        "pages",
        had_pages=True,
    ),
    Format("DICOM", (".dcm", ".dicom"), "dicom", ((128, b"DICM"),), "pages", "pydicom"),
    Format("OME-Zarr", (".zarr",), "zarr_folders.ome_zarr", holds="pages", is_folder=True),
    Format("a slide", (".mrxs", ".vms", ".vmu", ".svslide"), "slide", package="openslide"),
    Format("CZI (Zeiss)", (".czi",), "czi", ((0, b"ZISRAWFILE"),), "pages", "pylibCZIrw"),
    Format(
        "ND2 (Nikon)",
        (".nd2",),
        "nd2",
        ((0, b"\xda\xce\xbe\n"), (0, _JP2)),  # the second of before 2010
        "pages",
        "nd2",
    ),
    Format("LIF (Leica)", (".lif", ".lof", ".xlif"), "lif", ((0, b"p\0\0\0"),), "pages", "liffile"),
    Format("OIB (Olympus)", (".oib",), "oif", ((0, b"\xd0\xcf\x11\xe0"),), "pages", "oiffile"),
    Format("OIF (Olympus)", (".oif",), "oif", holds="pages", package="oiffile"),
)

_LEFT_TO_PILLOW = ("PPM", "JPEG2000", "AVIF", "TIFF")  # where their own reader does not read them better
PILLOW_FORMATS = (*(one.name for one in FORMATS if not one.module), *_LEFT_TO_PILLOW)
"""A wrong ending for one of these is no problem. Formats that start other programs (EPS) are excluded."""

_BY_SUFFIX = {suffix: one for one in FORMATS for suffix in one.suffixes}
IMAGE_SUFFIXES = frozenset(_BY_SUFFIX)
STACK_SUFFIXES = frozenset(suffix for suffix, one in _BY_SUFFIX.items() if one.holds == "pages")
ANIMATED_SUFFIXES = frozenset(suffix for suffix, one in _BY_SUFFIX.items() if one.holds == "animation")
FOLDER_SUFFIXES = frozenset(suffix for suffix, one in _BY_SUFFIX.items() if one.is_folder)
PARTS_ENDING = ".files"
"""An Olympus image `cell.oif` keeps its pages in a folder `cell.oif.files` beside it."""
_BESIDE_A_SLIDE = (".mrxs", ".MRXS")  # a MIRAX slide `cell.mrxs` in a folder `cell`
WITH_PARTS = (".oif", ".OIF", *_BESIDE_A_SLIDE)
"""Endings of images that may have such a folder."""
START_BYTES = max(place + len(start) for one in FORMATS for place, start in one.starts)


def is_image_name(name: str) -> bool:
    """Whether a file is an image by its ending, in upper or lower case; a name that is only an ending has none."""
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and f"{dot}{suffix.lower()}" in IMAGE_SUFFIXES


def is_folder_of_parts(name: str, images: Collection[str]) -> bool:
    """Whether a folder holds the pages of one of the images beside it, and no images of its own."""
    if name.lower().endswith(f".oif{PARTS_ENDING}"):
        return name[: -len(PARTS_ENDING)] in images
    return any(f"{name}{ending}" in images for ending in _BESIDE_A_SLIDE)


def is_folder_image_name(name: str) -> bool:
    """Whether a folder of this name is an image, and not a folder with images."""
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and f"{dot}{suffix.lower()}" in FOLDER_SUFFIXES


def format_of_name(name: str) -> Format | None:
    """The likely format of a file, by its ending."""
    _, dot, suffix = name.rpartition(".")
    return _BY_SUFFIX.get(f"{dot}{suffix.lower()}")


def format_of_start(start: bytes, likely: Format | None = None) -> Format | None:
    """The format whose files begin like this, of those with a reader of their own.

    Args:
        start: The first bytes, `START_BYTES` of them.
        likely: The format by the file's ending, which decides where several fit: a DICOM file may be a TIFF as well.
    """
    for one in (likely, *FORMATS) if likely is not None else FORMATS:
        if any(start[place : place + len(begin)] == begin for place, begin in one.starts):
            return one
    return None
