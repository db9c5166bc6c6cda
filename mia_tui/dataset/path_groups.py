"""Groups of images by their paths, for counts: wells, slides, patients, folders.

Unlike the groups of a split (`split.assignment`), these have names, in one column or in several: those of the capture
groups of a regular expression.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.config.split import compile_pattern
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.walk import natural_key
from mia_tui.dataset.split.name_groups import find_name_groups
from mia_tui.errors import ConfigError
from mia_tui.text import printable

OUTSIDE = -1
"""The group of an image that is in none."""

BY = "--by"
"""The option that names a pattern."""

_CAPTURES = re.compile(r"(?<!\\)\((?:\?P<\w+>|(?!\?)(?:([A-Za-z]+)(?![A-Za-z|?*+{])[-_ ]?)?)")
"""The beginnings of capture groups, with the word behind them that is in all they match."""


@dataclass(frozen=True, eq=False)
class PathGroups:
    """Groups of n images.

    Attributes:
        columns: What tells the groups apart, such as `plate` and `well`.
        names: The values in these columns, of each group, in natural order.
        of_image: Position of the group of each image, shape (n,), int32; `OUTSIDE` for none.
        how: By what they were made, such as `by folder`, to stand in a sentence.
    """

    columns: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    of_image: NDArray[np.int32]
    how: str

    def name(self, group: int) -> str:
        """The values of a group in one."""
        return "/".join(self.names[group])

    @property
    def outside(self) -> int:
        """How many images are in no group."""
        return int(np.count_nonzero(self.of_image == OUTSIDE))


def groups_of(
    keys: Sequence[ImageKey], by: str | None, classes: Mapping[ImageKey, int], *, taken: Sequence[str] = ()
) -> PathGroups:
    """The groups of images that a person asks for; by themselves the slides in names of files, else the folders.

    Args:
        keys: The images.
        by: Regular expression, searched in each path; None for none.
        classes: The class of labelled images: what only repeats the class in a name is no group.
        taken: Names that no column may have.

    Raises:
        ConfigError: If the pattern is not a regular expression, matches no path, or names a column that is taken.
    """
    if by:
        return group_by_pattern(keys, by, taken=taken)
    found = find_name_groups({**dict.fromkeys(keys, OUTSIDE), **classes})
    if found is not None:
        groups = group_by_pattern(keys, found.pattern, column=found.one)
        return PathGroups(
            groups.columns, groups.names, groups.of_image, f"{groups.how} ({found.noun} in names)"
        )
    return _grouped(("folder",), [(key.path.rpartition("/")[0] or ".",) for key in keys], "by folder")


def group_by_pattern(
    keys: Sequence[ImageKey], by: str, *, column: str = "group", taken: Sequence[str] = ()
) -> PathGroups:
    """Groups of images whose paths have the same values of the capture groups, or the same match without any.

    A column has the name of its capture group, `(?P<plate>...)`, or of the word that it begins with, `(plate[0-9]+)`;
    others are `column`, numbered where there are some.

    Raises:
        ConfigError: As for `groups_of`.
    """
    pattern = compile_pattern(by, BY)
    columns = _columns(pattern, column)
    for name in columns:
        if name in taken:
            raise ConfigError(
                f"The name {printable(name)} in {BY} is that of another column.",
                "Give the capture group another name.",
            )
    of_path: dict[str, tuple[str, ...] | None] = {}
    for key in keys:
        if key.path not in of_path:
            match = pattern.search(key.path)
            values = None if match is None else tuple(value or "" for value in match.groups()) or (match[0],)
            of_path[key.path] = values if values is not None and any(values) else None
    if keys and not any(of_path.values()):
        raise ConfigError(
            f"{BY} {printable(by)!r} matches none of the images.",
            f"It is searched in paths like {printable(min(of_path))}.",
        )
    return _grouped(columns or (column,), [of_path[key.path] for key in keys], f"by '{printable(by)}'")


def _columns(pattern: re.Pattern[str], column: str) -> tuple[str, ...]:
    """The names of the columns that the capture groups of a pattern make."""
    names = {place: name for name, place in pattern.groupindex.items()}
    words = [match[1] for match in _CAPTURES.finditer(pattern.pattern)]
    if (
        len(words) != pattern.groups or "|" in pattern.pattern
    ):  # a bracket that opens no group, or other words
        words = [None] * pattern.groups
    for place, word in enumerate(words, 1):
        if word and words.count(word) == 1 and word not in pattern.groupindex:
            names.setdefault(place, word)
    single = pattern.groups == 1
    return tuple(
        names.get(place, column if single else f"{column}{place}") for place in range(1, pattern.groups + 1)
    )


def _grouped(columns: tuple[str, ...], values: Sequence[tuple[str, ...] | None], how: str) -> PathGroups:
    names = sorted(
        {value for value in values if value is not None}, key=lambda value: [*map(natural_key, value)]
    )
    number: dict[tuple[str, ...] | None, int] = {name: place for place, name in enumerate(names)}
    number[None] = OUTSIDE
    of_image = np.fromiter((number[value] for value in values), np.int32, len(values))
    return PathGroups(columns, tuple(names), of_image, how)
