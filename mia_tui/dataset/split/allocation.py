"""Assigning groups of images to the parts, so that each part gets its share of each class."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from mia_tui.dataset.model import PARTS, ImageKey, Part

_TRIES = 8  # random orders tried if groups differ in size; the best is within an image or two of the shares


@dataclass(frozen=True)
class SplitGroup:
    """A group that goes to one part as a whole.

    Attributes:
        name: Unique; determines its place in the random order.
        keys: Its images, sorted.
        classes: Number of its images by class.
    """

    name: str
    keys: tuple[ImageKey, ...]
    classes: Counter[int]


def _by_part() -> dict[Part, Counter[int]]:
    return {part: Counter() for part in PARTS}


@dataclass
class PartCounts:
    """How many images of each class the parts contain.

    Attributes:
        images: Images by part and class.
        groups: Groups with at least one image of the class, by part and class.
    """

    images: dict[Part, Counter[int]] = field(default_factory=_by_part)
    groups: dict[Part, Counter[int]] = field(default_factory=_by_part)

    def copy(self) -> "PartCounts":
        return PartCounts(
            {part: Counter(counts) for part, counts in self.images.items()},
            {part: Counter(counts) for part, counts in self.groups.items()},
        )

    def add(self, part: Part, classes: Mapping[int, int], sign: int = 1) -> None:
        """Count a group for a part, or no longer, with sign -1."""
        for class_index, count in classes.items():
            self.images[part][class_index] += sign * count
            self.groups[part][class_index] += sign


def count_parts(
    labels: Mapping[ImageKey, int], groups: Mapping[ImageKey, str], parts: Mapping[ImageKey, Part]
) -> PartCounts:
    """What the parts contain already."""
    units: dict[tuple[Part, str], Counter[int]] = defaultdict(Counter)
    for key, part in parts.items():
        units[part, groups.get(key, key.path)][labels[key]] += 1
    counts = PartCounts()
    for (part, _), classes in units.items():
        counts.add(part, classes)
    return counts


def allocate(
    groups: Sequence[SplitGroup], counts: PartCounts, shares: Mapping[Part, float], seed: int
) -> dict[ImageKey, Part]:
    """A part for each group.

    In a random order that depends on the seed, each group goes to the part that is furthest below its share of
    the group's classes. Every class reaches train first, then val, then test, as far as it has groups. If groups
    differ in size, several orders are tried and the one closest to the shares is used.

    Args:
        groups: Those without a part, in any order.
        counts: What the parts contain already; not changed.
        shares: Share of each part; they sum to 1.
        seed: Of the random order.

    Returns:
        The part of each image of the groups.
    """
    targets = _targets(groups, counts, shares)
    tries = 1 if all(len(group.keys) == 1 for group in groups) else _TRIES
    best: dict[str, Part] = {}
    best_error = float("inf")
    for number in range(tries):
        allocation = _Allocation(_shuffled(groups, seed, number), counts.copy(), targets)
        allocation.fill()
        allocation.spread([part for part in PARTS if shares[part] > 0])
        error = allocation.error()
        if error < best_error:
            best, best_error = allocation.part_of, error
        if allocation.within_one():
            break
    return {key: best[group.name] for group in groups for key in group.keys}


Targets = dict[Part, dict[int, float]]


def _targets(groups: Sequence[SplitGroup], counts: PartCounts, shares: Mapping[Part, float]) -> Targets:
    """How many images of each class each part should get; a class with one image goes to train."""
    totals: Counter[int] = Counter()
    for by_class in (*counts.images.values(), *(group.classes for group in groups)):
        totals.update(by_class)
    ordered = sorted(totals)
    return {
        part: {c: float(part == "train") if totals[c] == 1 else shares[part] * totals[c] for c in ordered}
        for part in PARTS
    }


def _shuffled(groups: Sequence[SplitGroup], seed: int, number: int) -> list[SplitGroup]:
    """The groups in an order that depends only on the seed and their names."""

    def digest(group: SplitGroup) -> bytes:
        text = f"{seed}\n{number}\n{group.name}"
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()

    return sorted(groups, key=digest)


class _Allocation:
    """One way to assign the groups to the parts."""

    def __init__(self, groups: Sequence[SplitGroup], counts: PartCounts, targets: Targets) -> None:
        self.groups = groups
        self.counts = counts
        self.targets = targets
        self.part_of: dict[str, Part] = {}
        self._totals = {c: max(1.0, sum(targets[part][c] for part in PARTS)) for c in targets["train"]}

    def fill(self) -> None:
        """Give each group to the part furthest below its share."""
        for group in self.groups:
            self._put(group, max(PARTS, key=lambda part: self._need(part, group)))

    def _need(self, part: Part, group: SplitGroup) -> float:
        """How much the squared relative error of the shares falls if the part gets the group.

        The group's own size adds the same to each part and is left out.
        """
        targets, images = self.targets[part], self.counts.images[part]
        return sum(
            n * (targets[c] - images[c]) / self._totals[c] ** 2 for c, n in sorted(group.classes.items())
        )

    def spread(self, wanted: Sequence[Part]) -> None:
        """Make sure that no class is absent from a wanted part while another part has several groups of it."""
        for part in wanted:
            for class_index in self.targets[part]:
                if self.counts.groups[part][class_index] == 0:
                    self._fetch(class_index, part)

    def _fetch(self, class_index: int, part: Part) -> None:
        """Move the smallest group that its part can spare; train takes one in any case."""
        holding = [group for group in self.groups if class_index in group.classes]
        spare = [group for group in holding if self._can_spare(group)]
        candidates = spare or (holding if part == "train" else [])
        if candidates:
            group = min(candidates, key=lambda candidate: len(candidate.keys))
            self.counts.add(self.part_of[group.name], group.classes, -1)
            self._put(group, part)

    def _can_spare(self, group: SplitGroup) -> bool:
        groups = self.counts.groups[self.part_of[group.name]]
        return all(groups[class_index] > 1 for class_index in group.classes)

    def _put(self, group: SplitGroup, part: Part) -> None:
        self.counts.add(part, group.classes)
        self.part_of[group.name] = part

    def error(self) -> float:
        """Sum of the squared relative deviations from the shares."""
        return sum(
            ((self.counts.images[part][c] - target) / self._totals[c]) ** 2
            for part in PARTS
            for c, target in self.targets[part].items()
        )

    def within_one(self) -> bool:
        """Whether every part is less than one image away from its share of every class."""
        return all(
            abs(self.counts.images[part][c] - target) < 1
            for part in PARTS
            for c, target in self.targets[part].items()
        )
