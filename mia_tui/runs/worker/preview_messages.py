"""Messages between the form and its helper about augmented images: one JSON object a line."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from mia_tui.config.train import TrainConfig
from mia_tui.runs.worker.helper import encode_line
from mia_tui.text import decode_name, encode_name

PREVIEWER_MODULE = "mia_tui.previewer"

Positive = Annotated[int, msgspec.Meta(gt=0)]


class PreviewImage(msgspec.Struct, frozen=True):
    """An image: its row in the run's samples, which seeds its random changes, and its file."""

    row: int
    path: str
    frame: int


class ImagesRequest(msgspec.Struct, frozen=True):
    """What a helper of the form is to do with some images.

    Attributes:
        config: The settings that it is about.
        root: Folder that the paths are relative to.
        rows: The images.
    """

    config: TrainConfig
    root: str
    rows: tuple[PreviewImage, ...]


Request = TypeVar("Request", bound=ImagesRequest)


def with_names(request: Request, convert: Callable[[str], str]) -> Request:
    """A request with all its paths encoded for a message, or decoded again: names of files keep their bytes."""
    rows = tuple(msgspec.structs.replace(row, path=convert(row.path)) for row in request.rows)
    return msgspec.structs.replace(request, rows=rows, root=convert(request.root))


class PreviewRequest(ImagesRequest, frozen=True):
    """Images wanted: of each row the image as it is, then as the first epochs would see it.

    Of the settings augmentation, input and seed are used; each image is a line of the sheet.

    Attributes:
        columns: Images of a line, the unchanged one among them.
        tile_px: Side of the square that each may take.
        lines: How many of the images are shown; further ones are there to be mixed in. None for all of them.
    """

    columns: Positive
    tile_px: Positive
    lines: Positive | None = None


class PreviewAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sheet of images, or why there is none.

    Attributes:
        pixels: uint8, red, green, blue, row by row.
        width: Of the sheet.
        height: Of the sheet.
        error: A sentence; "" if there is no error.
    """

    pixels: bytes = b""
    width: int = 0
    height: int = 0
    error: str = ""


def encode_request(request: PreviewRequest) -> bytes:
    """A request as a line."""
    return encode_line(with_names(request, encode_name))


def decode_request(line: bytes) -> PreviewRequest:
    """The request in a line."""
    return with_names(msgspec.json.decode(line, type=PreviewRequest), decode_name)


def decode_answer(line: bytes) -> PreviewAnswer:
    """The answer in a line."""
    return msgspec.json.decode(line, type=PreviewAnswer)
