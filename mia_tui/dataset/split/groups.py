"""Images that belong together, so that a split never parts them."""

import re
from collections.abc import Iterable, Mapping

from mia_tui.config.split import compile_pattern
from mia_tui.dataset.model import ImageKey


def group_images(
    keys: Iterable[ImageKey], *, group_by: str | None = None, hashes: Mapping[str, str] | None = None
) -> dict[ImageKey, str]:
    """The group of each image: frames of one file, byte-identical copies, and a pattern's images, joined.

    Args:
        keys: Images.
        group_by: Regular expression, searched in each path; images whose groups (or, without groups in
            it, the whole match) agree belong together. An image it does not match stands alone.
        hashes: Hash of the content by path, for files that may be copies.

    Returns:
        For each image the name of its group: the first path in it, whatever the order of `keys`.

    Raises:
        ConfigError: If the pattern is not a regular expression.
    """
    keys = list(keys)
    pattern = None if group_by is None else compile_pattern(group_by)
    paths = sorted({key.path for key in keys})
    parent = {path: path for path in paths}
    first: dict[object, str] = {}
    for path in paths:
        for mark in _marks(path, pattern, hashes or {}):
            _join(parent, first.setdefault(mark, path), path)
    return {key: _root(parent, key.path) for key in keys}


def _marks(path: str, pattern: re.Pattern[str] | None, hashes: Mapping[str, str]) -> list[object]:
    """What an image shares with the others of its group."""
    marks: list[object] = []
    if path in hashes:
        marks.append(("copy", hashes[path]))
    match = pattern.search(path) if pattern is not None else None
    if match is not None:
        marks.append(("pattern", match.groups() or match.group()))
    return marks


def _root(parent: dict[str, str], path: str) -> str:
    while parent[path] != path:
        parent[path] = parent[parent[path]]
        path = parent[path]
    return path


def _join(parent: dict[str, str], one: str, other: str) -> None:
    first, second = sorted((_root(parent, one), _root(parent, other)))
    parent[second] = first
