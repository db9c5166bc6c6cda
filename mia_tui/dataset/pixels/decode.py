"""From an image file to 8-bit pixels: the one path for training, prediction, export and screen.

Colour is always red, green, blue. Transparent pixels lie on white, as viewers
show them. Exif orientation is applied, colour profiles are not. Images of more
than 8 bits are shown through a window of their own, see `tonal_window`. Every
fault of a file is a DecodeError with a sentence; nothing here keeps state, so
any number of threads may decode at once. For the screen see `upright`.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from mia_tui.config.train import Frames, Geometry, Resize
from mia_tui.dataset.pixels import deep
from mia_tui.errors import DecodeError
from mia_tui.paths import printable

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
STACK_SUFFIXES = frozenset({".tif", ".tiff"})
ANIMATED_SUFFIXES = frozenset({".gif", ".webp"})

MAX_MEGAPIXELS = 120.0

# A wrong suffix on one of these is no fault. Formats that start other programs (EPS) stay out.
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000")

# What Pillow's readers raise on damaged bytes; 55,000 randomly changed files of ten formats raised no other.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXIF_ORIENTATION = 0x0112

# Pillow widens each of these by the scale when it makes an image smaller, which is the anti-aliasing;
# its own NEAREST picks single pixels, so nearest is the box, which equals it where an image grows.
_FILTERS: dict[Resize, Image.Resampling] = {
    "nearest": Image.Resampling.BOX,
    "linear": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

# Pillow's own limit is one number for the whole process; ours is a setting and a sentence.
Image.MAX_IMAGE_PIXELS = None
# What Pillow warns of (odd tags, odd palettes) is none of the user's business; what it cannot read is raised.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def count_frames(path: Path, *, animated: Frames = "first") -> int:
    """How many images a file holds: the pages of a TIFF, the frames of a GIF or WebP if asked for.

    Args:
        path: Image file.
        animated: Whether an animated GIF or WebP counts as its first frame or as all of them.

    Raises:
        DecodeError: If the file is not an image or cannot be opened.
    """
    with _reading(path), Image.open(path, formats=_FORMATS) as image:
        if image.format == "TIFF" or (image.format in ("GIF", "WEBP") and animated == "all"):
            return int(getattr(image, "n_frames", 1))
        return 1


def decode(
    path: Path, frame: int = 0, *, color: bool = True, max_megapixels: float = MAX_MEGAPIXELS
) -> np.ndarray:
    """Pixels of one image at full resolution.

    Args:
        path: Image file.
        frame: Page or frame, from 0.
        color: Three channels (red, green, blue), or one (ITU-R 601 luma of a coloured image).
        max_megapixels: Larger images are refused.

    Returns:
        uint8, shape (H, W, 3) or (H, W, 1), writable.

    Raises:
        DecodeError: If the file is missing, damaged, not an image, too large, or has no such frame.
    """
    return _pixels(_load(path, frame, color, max_megapixels, None))


def fit(image: np.ndarray, width: int, height: int, *, geometry: Geometry, resize: Resize) -> np.ndarray:
    """An image at a network's input size.

    Args:
        image: uint8, shape (H, W, C), C is 1 or 3.
        width: Pixels.
        height: Pixels.
        geometry: squash ignores the proportions, letterbox keeps them and fills up with black,
            crop keeps them and takes the middle.
        resize: Filter; always anti-aliased.

    Returns:
        uint8, shape (height, width, C), writable.
    """
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    return _pixels(_fit(picture, width, height, geometry, resize))


def decode_fitted(
    path: Path,
    frame: int = 0,
    *,
    width: int,
    height: int,
    color: bool = True,
    geometry: Geometry = "squash",
    resize: Resize = "cubic",
    max_megapixels: float = MAX_MEGAPIXELS,
) -> np.ndarray:
    """`decode` and `fit` in one, faster for large JPEG files.

    A JPEG that stays at least twice as large as wanted is scaled by 1/2, 1/4 or 1/8 while it is decoded
    (that is a mean over blocks), so 100 megapixels take 0.1 s instead of 1 s; the filter does the rest.

    Returns:
        uint8, shape (height, width, 3 or 1), writable.

    Raises:
        DecodeError: As for `decode`.
    """
    picture = _load(path, frame, color, max_megapixels, (width, height, geometry))
    return _pixels(_fit(picture, width, height, geometry, resize))


def _load(
    path: Path, frame: int, color: bool, max_megapixels: float, wanted: tuple[int, int, Geometry] | None
) -> Image.Image:
    """One upright image in mode RGB or L."""
    with _reading(path), Image.open(path, formats=_FORMATS) as image:
        _seek(image, frame, path)
        _refuse_too_large(image, max_megapixels, path)
        if wanted is not None and isinstance(image, JpegImageFile):
            _draft(image, *wanted)
        return _open_upright(image, path, frame, deep.OUTSIDE).convert("RGB" if color else "L")


def _open_upright(
    image: ImageFile.ImageFile, path: Path, frame: int, outside: tuple[float, float]
) -> Image.Image:
    """The pixels of an opened image, upright, mode RGB or L."""
    if deep.has_deep_colour(image):
        with Image.open(path, formats=_FORMATS) as again:
            _seek(again, frame, path)
            picture = deep.show_deep_colour(image, again, outside)
    else:
        picture = _to_8_bit(image, outside)
    orientation = _orientation(image)  # last: PNG may keep it behind the pixels
    return picture.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else picture


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    name = printable(path.name)
    try:
        yield
    except FileNotFoundError as error:
        raise DecodeError(f"{name} is not there any more.") from error
    except PermissionError as error:
        raise DecodeError(f"{name} may not be read by you.") from error
    except UnidentifiedImageError as error:
        if _is_empty(path):
            raise DecodeError(f"{name} is empty (0 bytes).") from error
        raise DecodeError(f"{name} is not an image, or of a kind that cannot be read.") from error
    except MemoryError as error:
        raise DecodeError(f"{name} needs more memory than there is.") from error
    except _DAMAGED as error:
        raise DecodeError(f"{name} is cut short or damaged.") from error


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _seek(image: Image.Image, frame: int, path: Path) -> None:
    if frame == 0:
        return
    try:
        image.seek(frame)
    except EOFError as error:
        raise DecodeError(f"{printable(path.name)} has no frame {frame} (frames count from 0).") from error


def _refuse_too_large(image: Image.Image, max_megapixels: float, path: Path) -> None:
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise DecodeError(
            f"{printable(path.name)} has {image.width:,} × {image.height:,} pixels "
            f"({megapixels:,.1f} megapixels), the limit is {max_megapixels:g}.",
            "Raise it with --max-megapixels (max_megapixels in a settings file).",
        )


def _orientation(image: Image.Image) -> int:
    """Exif orientation, 1 where there is none. Pillow turns TIFF pages by itself."""
    if image.format == "TIFF":
        return 1
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except _DAMAGED:  # the pixels may be whole where the Exif block is not
        return 1


def _draft(image: JpegImageFile, width: int, height: int, geometry: Geometry) -> None:
    turned = _orientation(image) >= 5
    size = (image.height, image.width) if turned else image.size
    scaled = _scaled(size, width, height, geometry)
    doubled = (2 * scaled[0], 2 * scaled[1])
    image.draft(None, doubled[::-1] if turned else doubled)


def _to_8_bit(image: ImageFile.ImageFile, outside: tuple[float, float]) -> Image.Image:
    image.load()
    if image.mode in deep.GREY_MODES:
        return deep.show_deep_grey(image, outside)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _scaled(size: tuple[int, int], width: int, height: int, geometry: Geometry) -> tuple[int, int]:
    """Size that the whole image gets, of which a crop then keeps the middle."""
    if geometry == "squash":
        return width, height
    across, down = width / size[0], height / size[1]
    scale = min(across, down) if geometry == "letterbox" else max(across, down)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _fit(image: Image.Image, width: int, height: int, geometry: Geometry, resize: Resize) -> Image.Image:
    if geometry == "crop":
        return image.resize((width, height), _FILTERS[resize], _middle(image.size, width, height))
    scaled = _scaled(image.size, width, height, geometry)
    inner = image if image.size == scaled else image.resize(scaled, _FILTERS[resize])
    if scaled == (width, height):
        return inner
    canvas = Image.new(image.mode, (width, height))
    canvas.paste(inner, ((width - scaled[0]) // 2, (height - scaled[1]) // 2))
    return canvas


def _middle(size: tuple[int, int], width: int, height: int) -> tuple[float, float, float, float]:
    """The largest box of width:height in the middle of an image."""
    scale = min(size[0] / width, size[1] / height)
    left, top = (size[0] - width * scale) / 2, (size[1] - height * scale) / 2
    return left, top, size[0] - left, size[1] - top


def _pixels(image: Image.Image) -> np.ndarray:
    pixels = np.array(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
