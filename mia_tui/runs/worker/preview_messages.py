"""Messages between the form and its helper about augmented images: one JSON object a line."""

from typing import Annotated

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


class PreviewRequest(msgspec.Struct, frozen=True):
    """Images wanted: of each row the image as it is, then as the first epochs would see it.

    Attributes:
        config: Its augmentation, input and seed are used.
        root: Folder that the paths are relative to.
        rows: One line of the sheet each.
        columns: Images of a line, the unchanged one among them.
        tile_px: Side of the square that each may take.
    """

    config: TrainConfig
    root: str
    rows: tuple[PreviewImage, ...]
    columns: Positive
    tile_px: Positive


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
    """A request as a line; names of files keep their bytes."""
    rows = tuple(msgspec.structs.replace(row, path=encode_name(row.path)) for row in request.rows)
    return encode_line(msgspec.structs.replace(request, rows=rows, root=encode_name(request.root)))


def decode_request(line: bytes) -> PreviewRequest:
    """The request in a line."""
    message = msgspec.json.decode(line, type=PreviewRequest)
    rows = tuple(msgspec.structs.replace(row, path=decode_name(row.path)) for row in message.rows)
    return msgspec.structs.replace(message, rows=rows, root=decode_name(message.root))


def decode_answer(line: bytes) -> PreviewAnswer:
    """The answer in a line."""
    return msgspec.json.decode(line, type=PreviewAnswer)
