"""Where features are on disk, and what is written there.

    features/DATASET/NETWORK/        in the user's cache folder; DATASET is a digest of its path
        network.json                 the network, its input, and which files hold the rows
        lock                         locked while a job writes
        problems.json                images that could not be read, with their sizes and times
        rows-1.f16                   the features, little-endian float16, `dims` for each image
        names-1.bin                  the paths of the same images, each followed by a zero byte
        images-1.bin                 a record of `RECORD` for each of them; a row counts once it is there

All three files only grow, and no row that somebody may have read is ever cut off. After a power loss rows at the end
may be torn, at most `UNSYNCED`: their checksums tell, and the next job makes them again. The number is raised when a
table is written anew, without the rows of images that are gone; whoever has the files of before open keeps them.
"""

import hashlib
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from mia_tui.dataset.cache_room import folders_in
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap
from mia_tui.dataset.model import FRAME_NUMBERING
from mia_tui.decoding import BadRecord, Count, Frame, Text, decode_json
from mia_tui.files import open_to_read, read
from mia_tui.paths import user_cache

FEATURES_FOLDER = "features"
DEFAULT_NETWORK = "efficientnetlite0-96"
"""Id of the network that comes with the program, at the size of its input."""

FORMAT = 1
"""Raised when features are computed otherwise, or the files have another form: those of before are not used then."""

DIGEST_BYTES = 20

RECORD = np.dtype(
    {
        "names": ["name_end", "size", "mtime_ns", "frame", "checksum", "digest", "part"],
        "formats": ["<i8", "<i8", "<i8", "<i4", "<u4", f"V{DIGEST_BYTES}", "u1"],
        "offsets": [0, 8, 16, 24, 28, 32, 52],
        "itemsize": 56,
    }
)
"""Of an image: where its path ends in the file of names, bytes and time of its file, its frame, the CRC-32 of its
features, the digest of its file (`hashes.file_hash`; zeros where unknown), and its part, a place in `TRAINED_ON`."""

TRAINED_ON = ("", "train", "val", "test")
"""The part of an image in the training of a network; empty for none."""

UNSYNCED = 8192
"""Rows at the end that may not have reached the disk when its power fails; whoever reads them compares checksums."""

_MOST_BYTES = 1 << 24  # of a JSON file
_MOST_DIMS = 1 << 20
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class FeatureNetwork:
    """The network that features are made with.

    Attributes:
        id: What it is told from others by, with the size of its input; also the name of a folder.
        name: What people call it.
        dims: Numbers for each image.
        run: The folder of the run that trained it; empty for the network that comes with the program.
    """

    id: str
    name: str
    dims: int
    run: str = ""


class TableDescription(msgspec.Struct, frozen=True, kw_only=True):
    """network.json: what the rows of a table are, and in which files they are.

    Attributes:
        id: As in `FeatureNetwork`, and so the next three.
        input_map: From the values of the files to brightness.
        numbering: What the frames are, see `model.FRAME_NUMBERING`.
        generation: The number in the names of the files.
        format: See `FORMAT`.
    """

    id: Text
    name: Text
    dims: Annotated[int, Meta(ge=1, le=_MOST_DIMS)]
    run: Text = ""
    input_map: InputMap = AS_BEFORE
    numbering: Annotated[int, Meta(ge=1)] = FRAME_NUMBERING
    generation: Annotated[int, Meta(ge=1, le=2**31)] = 1
    format: int = FORMAT

    @property
    def network(self) -> FeatureNetwork:
        return FeatureNetwork(self.id, self.name, self.dims, self.run)

    @property
    def row_bytes(self) -> int:
        """Bytes of the features of one image."""
        return 2 * self.dims


def is_same_input(before: InputMap, now: InputMap) -> bool:
    """Whether images that were read by one map look the same by another, which may know more types of numbers."""
    known = now.limits[: len(before.limits)]
    return (before.mode, before.channels, before.limits) == (now.mode, now.channels, known)


class UnreadImage(msgspec.Struct, frozen=True):
    """An image that could not be read; `path` is as `text.encode_name` gives it."""

    path: Text
    frame: Frame
    size: Count
    mtime_ns: int
    problem: Text


@dataclass(frozen=True)
class TableFolder:
    """The folder of a table. Making the object touches no disk."""

    path: Path

    @property
    def description_file(self) -> Path:
        return self.path / "network.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def problems(self) -> Path:
        return self.path / "problems.json"

    def rows(self, generation: int) -> Path:
        return self.path / f"rows-{generation}.f16"

    def names(self, generation: int) -> Path:
        return self.path / f"names-{generation}.bin"

    def images(self, generation: int) -> Path:
        return self.path / f"images-{generation}.bin"

    def description(self) -> TableDescription | None:
        """What is there; None if nothing that this version can use."""
        try:
            found = decode_json(read(self.description_file, most_bytes=_MOST_BYTES), TableDescription)
        except (OSError, BadRecord):
            return None
        is_usable = (
            found.format == FORMAT and found.numbering == FRAME_NUMBERING and found.id == self.path.name
        )
        return found if is_usable else None

    def read_records(self, description: TableDescription, start: int = 0) -> NDArray[Any]:
        """The records of images from one on, as far as their features are there; an incomplete one is not.

        Raises:
            OSError: If they cannot be read.
        """
        rows = self.rows(description.generation).stat().st_size // description.row_bytes
        with open_to_read(self.images(description.generation)) as file:
            count = max(0, min(rows, os.fstat(file.fileno()).st_size // RECORD.itemsize) - start)
            file.seek(start * RECORD.itemsize)
            data = file.read(count * RECORD.itemsize)
        return np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)

    def whole(self, description: TableDescription, records: NDArray[Any], start: int) -> int:
        """How many of some records, from the first one on, have the features they were written for.

        Only the last `UNSYNCED` are compared; the others were on the disk.

        Args:
            description: Of the table.
            records: They reach to the end of the file.
            start: The number of the first of them.

        Raises:
            OSError: If the features cannot be read.
        """
        first = max(0, len(records) - UNSYNCED)
        size = description.row_bytes
        with open_to_read(self.rows(description.generation)) as file:
            file.seek((start + first) * size)
            data = memoryview(file.read((len(records) - first) * size))
        for place, checksum in enumerate(records["checksum"][first:].tolist()):
            row = data[place * size : (place + 1) * size]
            if len(row) < size or zlib.crc32(row) != checksum:
                return first + place
        return len(records)

    def map_rows(self, description: TableDescription, count: int) -> NDArray[np.float16]:
        """The features of the first images, shape (count, dims), memory mapped.

        Raises:
            OSError: If they cannot be read.
            ValueError: If there are fewer.
        """
        with open_to_read(self.rows(description.generation)) as file:
            return np.memmap(file, "<f2", "r", shape=(count, description.dims))

    def unread_images(self) -> list[UnreadImage]:
        """The images that the last job could not read; none if the file is damaged."""
        try:
            return decode_json(read(self.problems, most_bytes=_MOST_BYTES), list[UnreadImage])
        except (OSError, BadRecord):
            return []


def features_folder() -> Path:
    """Where the features of all datasets are.

    Raises:
        OSError: If the user's cache folder cannot be made.
    """
    return user_cache() / FEATURES_FOLDER


def table_folder(root: Path, network_id: str = DEFAULT_NETWORK) -> TableFolder:
    """The folder of the features of a dataset by one network; it need not exist.

    Raises:
        OSError: If the user's cache folder cannot be made.
        ValueError: If no network has such an id.
    """
    if not _ID.fullmatch(network_id):
        raise ValueError(f"{network_id!r} is no id of a network")
    return TableFolder(features_folder() / features_name(root) / network_id)


def features_name(root: Path) -> str:
    """The name of the folder of a dataset's features: a digest of its path."""
    return hashlib.blake2b(os.fsencode(os.path.realpath(root)), digest_size=16).hexdigest()


def tables_of(root: Path) -> list[TableFolder]:
    """The folders of the features of one dataset, by all networks; none if they cannot be read."""
    try:
        return [TableFolder(path) for path in sorted(table_folder(root).path.parent.iterdir())]
    except OSError:
        return []


def all_tables() -> list[TableFolder]:
    """The folders of the features of all datasets, by all networks.

    Raises:
        OSError: If the user's cache folder cannot be made.
    """
    return [TableFolder(path) for path in folders_in(features_folder())]
