"""The folders of a dataset, as a tree with the number of images."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a dataset.

    Attributes:
        path: Relative to the dataset; empty for the dataset itself.
        images: Number of images directly in it.
        images_below: Number of images in it and in all folders below it.
    """

    path: str
    images: int
    images_below: int

    @property
    def depth(self) -> int:
        """0 for the dataset itself."""
        return self.path.count("/") + 1 if self.path else 0


def parent_of(path: str) -> str:
    """The folder of a file or folder; empty at the top."""
    return path.rpartition("/")[0]


def is_below(folder: str, other: str) -> bool:
    """Whether a folder is another one, or is inside it at any depth."""
    return not other or folder == other or folder.startswith(f"{other}/")


def folder_tree(paths: Sequence[str], images: NDArray[np.int32]) -> list[Folder]:
    """All folders, each followed by those in it; the dataset itself comes first.

    Args:
        paths: Folders with images, in order; a folder may occur several times.
        images: Number of images for each.
    """
    own: defaultdict[str, int] = defaultdict(int)
    below: defaultdict[str, int] = defaultdict(int)
    inside: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for path, count in zip(paths, images.tolist(), strict=True):
        own[path] += count
        for folder in _upwards(path):
            below[folder] += count
            if folder:
                inside[parent_of(folder)][folder] = None
    found, waiting = [], [""]
    while waiting:
        path = waiting.pop()
        found.append(Folder(path, own[path], below[path]))
        waiting.extend(reversed(inside[path]))
    return found


def _upwards(path: str) -> Iterable[str]:
    while path:
        yield path
        path = parent_of(path)
    yield ""
