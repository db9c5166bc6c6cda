"""The images of a prediction as one attempt found them, listed in a file of the run.

The folder is looked through once, at the start. Listing it bit by bit, over the hours of a prediction, would leave
out the images of a folder that could not be opened for a moment.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import msgspec

from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import BadRecord, Frame, JsonReader, Text
from mia_tui.errors import RunError
from mia_tui.files import open_to_read, remove_leftovers
from mia_tui.runs.disk import make_folder, replacing
from mia_tui.runs.prediction.shards import Shard, is_in_shard
from mia_tui.runs.record.layout import unreadable
from mia_tui.text import decode_name, encode_name, printable

_LONGEST_LINE_BYTES = 1 << 20
_AT_ONCE = 1 << 14
_IMAGE: JsonReader[tuple[Text, Frame]] = JsonReader(tuple[Text, Frame])


@dataclass(frozen=True)
class PredictionListing:
    """The images of a prediction, or of a part of it.

    Attributes:
        path: The file.
        root: As for `files.open_to_read`.
        count: How many images it lists.
        total: How many there are with those of other parts.
        digest: Of all of these, in order; parts with the same are parts of the same images.
    """

    path: Path
    root: Path
    count: int
    total: int
    digest: str

    def __iter__(self) -> Iterator[ImageKey]:
        """The images in order, bit by bit.

        Raises:
            RunError: As for `read`.
        """
        images, place = self.read(0, _AT_ONCE)
        while images:
            yield from images
            images, place = self.read(place, _AT_ONCE)

    def read(self, place: int, count: int) -> tuple[list[ImageKey], int]:
        """Some images, and the place of the next one.

        Args:
            place: Of the first one in the file, in bytes; see `skip`.
            count: How many; at the end there are fewer.

        Raises:
            RunError: If the file is missing or damaged.
        """
        with self._opened() as file:
            file.seek(place)
            found = [_IMAGE.decode(line) for line in _lines(file, count)]
            return [ImageKey(decode_name(path), frame) for path, frame in found], file.tell()

    def skip(self, count: int) -> int:
        """The place of the image behind so many others.

        Raises:
            RunError: As for `read`.
        """
        with self._opened() as file:
            for _ in _lines(file, count):
                pass
            return file.tell()

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with open_to_read(self.path, root=self.root) as file:
                yield file
        except OSError as error:
            raise unreadable(self.path, error) from error
        except BadRecord as error:
            raise RunError(
                f"{printable(self.path)} is damaged: {error}.", "Resume the prediction."
            ) from error


def _lines(file: BinaryIO, count: int) -> Iterator[bytes]:
    for _ in range(count):
        line = file.readline(_LONGEST_LINE_BYTES)
        if not line:
            return
        yield line


def write_listing(
    path: Path, images: Iterable[ImageKey], *, batch_size: int, shard: Shard | None, root: Path
) -> PredictionListing:
    """Write down the images of a prediction, or of a part of it.

    Args:
        path: The file.
        images: All of them, in order.
        batch_size: Images per batch.
        shard: The part; None for all.
        root: As for `files.new_content`.

    Raises:
        RunError: If the disk does not take it.
    """
    encoder, digest, count, total = msgspec.json.Encoder(), blake2b(digest_size=16), 0, 0
    make_folder(path.parent, root=root)
    remove_leftovers(path.parent, root=root, of=path.name.__eq__)
    with replacing(path, root=root, sync=False) as file:
        for image in images:
            line = encoder.encode((encode_name(image.path), image.frame)) + b"\n"
            digest.update(line)
            if shard is None or is_in_shard(total, batch_size, shard):
                file.write(line)
                count += 1
            total += 1
    return PredictionListing(path, root, count, total, digest.hexdigest())
