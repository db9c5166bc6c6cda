"""Reading a file of another program as a whole."""

from pathlib import Path
from typing import TypeVar

from mia_tui.decoding import BadRecord, JsonReader
from mia_tui.errors import LabelFileError
from mia_tui.files import open_to_read, read
from mia_tui.text import printable

MOST_BYTES = 1 << 31
"""Of a file: a million images of a hundred bytes each, with room for what programs add to them."""

T = TypeVar("T")


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        LabelFileError: If it cannot be read.
    """
    try:
        return read(path, follow=True, most_bytes=MOST_BYTES)
    except FileNotFoundError:
        raise LabelFileError(f"There is no file {printable(path)}.", "Check the path.") from None
    except OSError as error:
        raise LabelFileError(f"{printable(path)} cannot be read: {error.strerror}.") from error


def begins_with(path: Path, sign: bytes) -> bool:
    """Whether the first character of a file is this one, spaces aside; False for one that cannot be read."""
    try:
        with open_to_read(path, follow=True) as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(sign)
    except OSError:
        return False


def read_json(path: Path, kind: type[T], what: str) -> T:
    """The content of a JSON file.

    Args:
        path: The file.
        kind: What it must be.
        what: The same in words, for the error.

    Raises:
        LabelFileError: If it cannot be read, or is something else.
    """
    try:
        return JsonReader(kind).decode(read_bytes(path).removeprefix(b"\xef\xbb\xbf"))
    except BadRecord as error:
        raise LabelFileError(
            f"{printable(path.name)} does not hold {what}: {printable(error)}.",
            "--format says which program wrote it.",
        ) from error
