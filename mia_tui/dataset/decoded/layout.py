"""Where decoded images are on disk, and what is written there.

    decoded/DATASET/INPUT/           in the user's cache folder; DATASET is a digest of its path, INPUT one of all
                                     that decides the pixels
        input.json                   what that is, in words; its time is that of the last use
        lock                         locked, shared, by every process that reads or writes
        pixels-0123456789abcdef.bin  pixels of images, each in `row_bytes`
        images-0123456789abcdef.bin  a record of `RECORD` for each of them; an image counts once it is there

A process that adds images has a pair of files to itself: one that was left by a process before it, or a new one. So
any number of processes fill a folder at once. Pixels are written before their record, and both only at the end: a
process that is killed leaves complete images and perhaps a torn end, which is written over. Every run compares the
checksum of an image when it first reads it, so what a power loss or a damaged disk left is never taken for an image.
"""

import hashlib
import os
import platform
import struct
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mia_tui import __version__
from mia_tui.dataset.cache_room import folders_in
from mia_tui.dataset.images.network.measuring import READER_PACKAGES
from mia_tui.paths import user_cache

if TYPE_CHECKING:
    from mia_tui.dataset.images.decode import NetworkInput

DECODED_FOLDER = "decoded"

FORMAT = 2
"""Raised when images are decoded to other pixels, or the files have another form: those of before are then unused."""

KEY_BYTES = 16

RECORD = np.dtype(
    {
        "names": ["key", "added_ns", "size", "mtime_ns", "ctime_ns", "other_type", "checksum"],
        "formats": [f"V{KEY_BYTES}", "<i8", "<i8", "<i8", "<i8", "S12", "<u4"],
        "offsets": [0, 16, 24, 32, 40, 48, 60],
        "itemsize": 64,
    }
)
"""Of an image: `image_key`; when it was added; bytes and times of its file; the dtype of its values if that was not
measured (empty if it was); and the CRC-32 of its pixels, see `checksum_start`."""

_PIXELS, _IMAGES = "pixels-", "images-"
_ENDING = ".bin"


@dataclass(frozen=True)
class DecodedFolder:
    """The folder of the images of a dataset, decoded for one input. Making the object touches no disk."""

    path: Path

    @property
    def description_file(self) -> Path:
        return self.path / "input.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def pixels(self, segment: str) -> Path:
        return self.path / f"{_PIXELS}{segment}{_ENDING}"

    def images(self, segment: str) -> Path:
        return self.path / f"{_IMAGES}{segment}{_ENDING}"

    def segments(self) -> list[str]:
        """The pairs of files that are there, by the part of their names that differs; none if it cannot be read."""
        try:
            names = os.listdir(self.path)  # noqa: PTH208
        except OSError:
            return []
        return sorted(
            name.removeprefix(_IMAGES).removesuffix(_ENDING)
            for name in names
            if name.startswith(_IMAGES) and name.endswith(_ENDING)
        )


def decoded_place() -> Path:
    """Where the decoded images of all datasets are.

    Raises:
        OSError: If the user's cache folder cannot be made.
    """
    return user_cache() / DECODED_FOLDER


def decoded_folder(root: Path, description: bytes) -> DecodedFolder:
    """The folder of the images of a dataset for an input; it need not exist.

    Args:
        root: The dataset's folder.
        description: From `describe_input`.

    Raises:
        OSError: If the user's cache folder cannot be made.
    """
    dataset = hashlib.blake2b(os.fsencode(os.path.realpath(root)), digest_size=16).hexdigest()
    return DecodedFolder(decoded_place() / dataset / hashlib.blake2b(description, digest_size=16).hexdigest())


def all_decoded() -> list[DecodedFolder]:
    """The folders of all datasets and inputs.

    Raises:
        OSError: If they cannot be listed.
    """
    return [DecodedFolder(path) for path in folders_in(decoded_place())]


def describe_input(wanted: "NetworkInput", numbering: int) -> bytes:
    """Everything that decides the pixels of an image besides its file, as JSON.

    Args:
        wanted: How images become pixels.
        numbering: What frames are, see `model.FRAME_NUMBERING`.
    """
    about: dict[str, Any] = {
        "format": FORMAT,
        "width": wanted.width,
        "height": wanted.height,
        "channels": wanted.channel_count,
        "color": wanted.color,
        "geometry": wanted.geometry,
        "resize": wanted.resize,
        "pixel_size": wanted.pixel_size,
        "stack": wanted.stack,
        "max_megapixels": wanted.max_megapixels,
        "input_map": wanted.input_map,
        "numbering": numbering,
        "decoders": _decoders(),
    }
    return msgspec.json.format(msgspec.json.encode(about, order="sorted"), indent=2)


def image_key(path: str, frame: int) -> bytes:
    """What an image is found by, `KEY_BYTES` long: a digest of its path and frame."""
    return hashlib.blake2b(struct.pack("<q", frame) + os.fsencode(path), digest_size=KEY_BYTES).digest()


def checksum_start(key: bytes, size: int, mtime_ns: int, ctime_ns: int) -> bytes:
    """What the checksum of an image is taken of before its pixels, so that it holds for this image alone."""
    return key + struct.pack("<qqq", size, mtime_ns, ctime_ns)


@cache
def _decoders() -> dict[str, str]:
    """Versions of all that reads and resizes images on this machine."""
    from PIL import features

    found = {"mia-tui": __version__, "machine": platform.machine()}
    found["libjpeg-turbo"] = str(
        features.version_feature("libjpeg_turbo")
    )  # scales JPEGs while it decodes them
    found["openjpeg"] = str(features.version_codec("jpg_2000")) if features.check_codec("jpg_2000") else ""
    for package in (*READER_PACKAGES.values(), "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
