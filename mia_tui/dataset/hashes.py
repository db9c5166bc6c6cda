"""Hashes of files: to find copies of an image, and files that were moved or changed."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from mia_tui.dataset.model import ImageFile
from mia_tui.dataset.scan.file_cache import FileCache
from mia_tui.dataset.scan.folder_images import files_in, is_image_folder
from mia_tui.dataset.threads import map_in_threads
from mia_tui.files import open_to_read

MOST_WHOLE_BYTES = 256 << 20
"""Of a larger file, only pieces are read for `content_hash`."""

_CHUNK_BYTES = 1 << 20
_PIECES = 64


def file_hash(path: Path, *, give_up: Callable[[], bool] = lambda: False) -> str:
    """BLAKE2b of a file's bytes, 40 hex digits; of an image that is a folder, of all names and bytes in it.

    Args:
        path: The file.
        give_up: Called after each MiB, True cancels: a large file on a slow disk takes minutes.

    Raises:
        OSError: If the file cannot be read.
        TimeoutError: If it was cancelled.
    """
    digest = hashlib.blake2b(digest_size=20)
    if is_image_folder(path):
        for part in files_in(path):
            name = os.fsencode(part.relative_to(path))
            with open_to_read(part, root=path) as file:
                digest.update(b"%d %d " % (len(name), os.fstat(file.fileno()).st_size) + name)
                _add(digest.update, file, give_up)
    else:
        with open_to_read(path, follow=True) as file:
            _add(digest.update, file, give_up)
    return digest.hexdigest()


def content_hash(path: Path, *, give_up: Callable[[], bool] = lambda: False) -> str:
    """`file_hash`; of a large file, `~` and the BLAKE2b of its size and of 64 pieces of 1 MiB, evenly spread.

    Args:
        path: The file.
        give_up: As for `file_hash`.

    Raises:
        OSError: If the file cannot be read.
        TimeoutError: If it was cancelled.
    """
    if is_image_folder(path):
        return file_hash(path, give_up=give_up)
    with open_to_read(path, follow=True) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= MOST_WHOLE_BYTES:
            digest = hashlib.blake2b(digest_size=20)
            _add(digest.update, file, give_up)
            return digest.hexdigest()
        digest = hashlib.blake2b(b"%d" % size, digest_size=20)
        for piece in range(_PIECES):
            file.seek(piece * (size - _CHUNK_BYTES) // (_PIECES - 1))
            digest.update(file.read(_CHUNK_BYTES))
            if give_up():
                raise TimeoutError("reading was cancelled")
        return f"~{digest.hexdigest()}"


def _add(add: Callable[[bytes], object], file: BinaryIO, give_up: Callable[[], bool]) -> None:
    while chunk := file.read(_CHUNK_BYTES):
        add(chunk)
        if give_up():
            raise TimeoutError("reading was cancelled")


def file_hashes(root: Path, files: Iterable[ImageFile]) -> dict[str, str]:
    """Hashes of files; a file is only read if its hash is not in the cache.

    Args:
        root: Folder of the dataset.
        files: With size and time.

    Returns:
        Path to hash; files that cannot be read are missing.
    """
    index = FileCache(root)
    known = {file: index.hash(file) for file in files}
    unknown = [file for file, hash in known.items() if hash is None]
    for file, hash in zip(unknown, map_in_threads(partial(_hash_or_none, root), unknown), strict=True):
        known[file] = hash
        index.remember(file, hash=hash)
    index.save()
    return {file.path: hash for file, hash in known.items() if hash is not None}


def duplicate_groups(root: Path, files: Iterable[ImageFile]) -> dict[str, str]:
    """Hashes of files that may have a copy: those whose size occurs more than once.

    Args:
        root: Folder of the dataset.
        files: With size and time, as `scan` returns them.

    Returns:
        Path to hash; equal hashes are equal bytes. Files that cannot be read are missing.
    """
    files = list(files)
    sizes = Counter(file.size for file in files)
    return file_hashes(root, (file for file in files if sizes[file.size] > 1))


def _hash_or_none(root: Path, file: ImageFile) -> str | None:
    try:
        return file_hash(root / file.path)
    except OSError:
        return None
