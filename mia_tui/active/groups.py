"""Which images belong together: frames of a stack, images of a slide or patient, copies.

What the split of the dataset keeps together says which images are of a slide; without a split, the names of files do.
What is alike in stain and light must not be judged by itself: images of one group are never told apart in folds.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.config.split import compile_pattern
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.split.name_groups import find_name_groups

Rows = NDArray[np.int32]

_BLOCKS, _BLOCK = 20, 100  # names that a pattern is looked for in, in blocks, since neighbours share a slide
_AT_ONCE = 1000  # names that are searched before other threads get their turn
_PAUSE_S = 0.002


def group_numbers(images: Listing, group_by: str | None) -> Rows:
    """For each image a number that it shares with the frames of its file and the images of its slide.

    Args:
        images: All images.
        group_by: Regular expression by which the split keeps images together (`SplitRule.group_by`); None without
            one: then it is guessed from the names.

    Raises:
        ConfigError: If it is no regular expression.
    """
    first_rows = images.arrays.first_rows
    counts = np.diff(first_rows, append=np.int32(len(images)))
    files = _by_name(images, first_rows, group_by)
    grouped: Rows = np.repeat(np.arange(len(first_rows), dtype=np.int32) if files is None else files, counts)
    return grouped


def _by_name(images: Listing, first_rows: Rows, group_by: str | None) -> Rows | None:
    """For each file the number of its slide, or what else its name tells; None where names tell nothing."""
    files = len(first_rows)
    if group_by is None:
        starts = range(0, files, max(_BLOCK, files // _BLOCKS))
        some = [first_rows[file] for start in starts for file in range(start, min(start + _BLOCK, files))]
        found = find_name_groups({ImageKey(images.path(int(row))): 0 for row in some})
        if found is None:
            return None
        group_by = found.pattern
    pattern = compile_pattern(group_by)
    numbers = np.arange(files, dtype=np.int32)
    first_of: dict[object, int] = {}
    for start in range(0, files, _AT_ONCE):
        for file in range(start, min(start + _AT_ONCE, files)):
            match = pattern.search(images.path(int(first_rows[file])))
            if match is not None:
                numbers[file] = first_of.setdefault(match.groups() or match.group(), file)
        time.sleep(_PAUSE_S)
    return numbers


def content_numbers(digests: NDArray[Any]) -> NDArray[np.uint64]:
    """A number for each file that copies share; one of its own where the content is not known.

    Args:
        digests: Of the content, `V20`, zeros where unknown, shape (N,).
    """
    beginnings = np.ascontiguousarray(digests).view(np.uint8).reshape(len(digests), digests.itemsize)[:, :8]
    numbers: NDArray[np.uint64] = np.ascontiguousarray(beginnings).view(np.uint64)[:, 0]
    return np.where(numbers == 0, np.arange(len(numbers), dtype=np.uint64), numbers)


def join_copies(groups: Rows, contents: NDArray[np.uint64]) -> Rows:
    """The groups, those of copies made one.

    Args:
        groups: Of each image, shape (N,).
        contents: As `content_numbers` gives them, shape (N,).
    """
    order = np.argsort(contents, kind="stable")
    same = np.flatnonzero(contents[order][1:] == contents[order][:-1])
    if not len(same):
        return groups
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        while (above := parent.get(number, number)) != number:
            number = above
        return number

    for one, other in zip(groups[order[same]].tolist(), groups[order[same + 1]].tolist(), strict=True):
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    now = np.arange(int(groups.max()) + 1, dtype=np.int32)
    for number in parent:
        now[number] = root(number)
    joined: Rows = now[groups]
    return joined
