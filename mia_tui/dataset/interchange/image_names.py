"""Finding the image that a row of a label file means, in whatever form the path was written."""

import os
import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Literal

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import Scan
from mia_tui.text import decode_name

Miss = Literal["unmatched", "outside", "ambiguous"]

# /a, \\server\a, C:\a, C:/a, ~/a, s3://a: from the root of some disk
_ROOTED = re.compile(r"[\\/~]|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The image found for a name.

    Attributes:
        path: The image's file; None if there is none, or more than one.
        ending: How many parts at the end of the name match the image, if the parts before them were ignored; 0 if
            none were.
        miss: Why there is no image, if there is none.
    """

    path: str | None
    ending: int = 0
    miss: Miss = "unmatched"


class ImageNames:
    """Finds images of a dataset by the names in a label file.

    A name is looked up as it is, then as a path relative to the dataset's folder, to the folder of the label file,
    or to any folder above a dataset of this name. A bare name, or a path, is enough if only one image's path ends
    with it. For an absolute path, or one with backslashes, the longest end that matches an image is used.

    Args:
        scan: The images.
        dataset: Their folder, if it is known.
        beside: The label file.
    """

    def __init__(self, scan: Scan, dataset: Path | None, beside: Path) -> None:
        self.frames: dict[str, list[ImageKey]] = defaultdict(list)
        for key in scan.keys:
            self.frames[key.path].append(key)
        self._roots = [] if dataset is None else [os.path.abspath(dataset), os.path.realpath(dataset)]  # noqa: PTH100
        self._folders = [os.path.abspath(beside.parent), os.path.realpath(beside.parent)]  # noqa: PTH100
        self._composed: dict[str, list[str]] = defaultdict(list)
        for path in self.frames:
            self._composed[_composed(path)].append(path)

    def find(self, cell: str) -> NameMatch:
        """The image that a cell means."""
        texts = list(dict.fromkeys((decode_name(cell), cell, decode_name(cell.strip()), cell.strip())))
        for text in texts:
            if text in self.frames:
                return NameMatch(text)
        for text in texts:
            if (path := self._placed(text)) is not None:
                return NameMatch(path)
        outcomes = [self._by_ending(text) for text in texts]
        return next((found for found in outcomes if found.path is not None), outcomes[0])

    def _placed(self, text: str) -> str | None:
        """The image that a path means, relative to one of the folders it may be relative to."""
        for slashed in dict.fromkeys((text, text.replace("\\", "/"))):  # Windows writes a\b
            for path in self._places(slashed, elsewhere="\\" in text or _ROOTED.match(text) is not None):
                if path in self.frames:
                    return path
                # macOS writes é as e and an accent, most tables as one character
                same = self._composed.get(_composed(path), [])
                if len(same) == 1:
                    return same[0]
        return None

    def _places(self, text: str, *, elsewhere: bool) -> Iterable[str]:
        """Paths in the dataset that a path may mean, without . and ..; `elsewhere` if it is of another computer."""
        if not text.startswith("/"):
            yield os.path.normpath(text)
        for folder in self._folders:
            whole = os.path.normpath(os.path.join(folder, text))  # noqa: PTH118
            for root in self._roots:
                if whole.startswith(f"{root.rstrip('/')}/"):
                    yield whole[len(root.rstrip("/")) + 1 :]
        if self._roots and not elsewhere:
            name, parts = os.path.basename(self._roots[0]), os.path.normpath(text).split("/")  # noqa: PTH119
            yield from ("/".join(parts[at:]) for at in range(1, len(parts)) if parts[at - 1] == name)

    def _by_ending(self, text: str) -> NameMatch:
        slashed = os.path.normpath(text.replace("\\", "/"))
        parts = [part for part in slashed.split("/") if part]
        is_rooted = _ROOTED.match(text) is not None
        miss: Miss = "outside" if is_rooted or parts[:1] == [".."] else "unmatched"
        matching, paths = self._endings.longest(parts)
        is_shortened = matching < len(parts)
        if not matching or (is_shortened and not is_rooted and "\\" not in text):
            return NameMatch(None, miss=miss)
        if len(paths) > 1:
            return NameMatch(None, miss="ambiguous")
        return NameMatch(paths[0], ending=matching if is_shortened else 0, miss=miss)

    @cached_property
    def _endings(self) -> "_Endings":
        return _Endings(self.frames)


class _Endings:
    """Paths sorted by their ends, to find the longest common end with another path."""

    def __init__(self, paths: Iterable[str]) -> None:
        pairs = sorted((_from_the_end(path.split("/")), path) for path in paths)
        self._keys, self._paths = [key for key, _ in pairs], [path for _, path in pairs]

    def longest(self, parts: list[str]) -> tuple[int, list[str]]:
        """How many parts at the end match, and at most two of the paths that end with those."""
        wanted = _from_the_end(parts)
        at = bisect_left(self._keys, wanted)
        # The best match is right before or after the position of the wanted path.
        matching = max((_common(key, wanted) for key in self._keys[max(at - 1, 0) : at + 1]), default=0)
        if not matching:
            return 0, []
        start = _from_the_end(parts[-matching:])
        first = bisect_left(self._keys, start)
        ends = zip(self._keys[first : first + 2], self._paths[first : first + 2], strict=True)
        return matching, [path for key, path in ends if key.startswith(start)]


def _from_the_end(parts: list[str]) -> str:
    """c/b/a/ of a/b/c."""
    return _composed("/".join(reversed(parts))) + "/"


def _common(one: str, other: str) -> int:
    """How many parts at their beginning are equal."""
    pairs = zip(one[:-1].split("/"), other[:-1].split("/"), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)
