"""Dealing groups of images out to the parts, so that each part gets its share of each class."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from mia_tui.dataset.model import PARTS, ImageKey, Part

_TRIES = 8  # orders tried where groups differ in size; the best keeps shares within an image or two


@dataclass(frozen=True)
class Unit:
    """A group that goes to one part as a whole.

    Attributes:
        name: Tells it from the others, and places it in the random order.
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
    """What each part holds of each class.

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
        """Put a group into a part, or take it out with sign -1."""
        for class_index, count in classes.items():
            self.images[part][class_index] += sign * count
            self.groups[part][class_index] += sign


def tally_of(
    labels: Mapping[ImageKey, int], groups: Mapping[ImageKey, str], parts: Mapping[ImageKey, Part]
) -> PartCounts:
    """What the parts hold already."""
    units: dict[tuple[Part, str], Counter[int]] = defaultdict(Counter)
    for key, part in parts.items():
        units[part, groups.get(key, key.path)][labels[key]] += 1
    tally = PartCounts()
    for (part, _), classes in units.items():
        tally.add(part, classes)
    return tally


def allot(
    units: Sequence[Unit], tally: PartCounts, shares: Mapping[Part, float], seed: int
) -> dict[ImageKey, Part]:
    """A part for each unit.

    In an order drawn from the seed, each goes to the part that is furthest below its share of the unit's
    classes. Every class reaches train first, then val, then test, as far as it has groups. Where units differ
    in size several orders are tried; the one whose parts come closest to their shares is taken.

    Args:
        units: Groups without a part, in any order.
        tally: What the parts hold already; not changed.
        shares: Share of each part; they sum to 1.
        seed: Draws the order.

    Returns:
        The part of each image of the units.
    """
    targets = _targets(units, tally, shares)
    tries = 1 if all(len(unit.keys) == 1 for unit in units) else _TRIES
    best: dict[str, Part] = {}
    best_error = float("inf")
    for number in range(tries):
        deal = _Deal(_shuffled(units, seed, number), tally.copy(), targets)
        deal.fill()
        deal.spread([part for part in PARTS if shares[part] > 0])
        error = deal.error()
        if error < best_error:
            best, best_error = deal.places, error
        if deal.within_one():
            break
    return {key: best[unit.name] for unit in units for key in unit.keys}


Targets = dict[Part, dict[int, float]]


def _targets(units: Sequence[Unit], tally: PartCounts, shares: Mapping[Part, float]) -> Targets:
    """Images wanted in each part of each class; a class of one image is wanted in train."""
    totals: Counter[int] = Counter()
    for counts in (*tally.images.values(), *(unit.classes for unit in units)):
        totals.update(counts)
    ordered = sorted(totals)
    return {
        part: {c: float(part == "train") if totals[c] == 1 else shares[part] * totals[c] for c in ordered}
        for part in PARTS
    }


def _shuffled(units: Sequence[Unit], seed: int, number: int) -> list[Unit]:
    """The units in an order that depends on the seed and their names only."""

    def place(unit: Unit) -> bytes:
        text = f"{seed}\n{number}\n{unit.name}"
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()

    return sorted(units, key=place)


class _Deal:
    """One way of dealing the units out."""

    def __init__(self, units: Sequence[Unit], tally: PartCounts, targets: Targets) -> None:
        self.units = units
        self.tally = tally
        self.targets = targets
        self.places: dict[str, Part] = {}
        self._totals = {c: max(1.0, sum(targets[part][c] for part in PARTS)) for c in targets["train"]}

    def fill(self) -> None:
        """Give each unit to the part furthest below its share."""
        for unit in self.units:
            self._put(unit, max(PARTS, key=lambda part: self._need(part, unit)))

    def _need(self, part: Part, unit: Unit) -> float:
        """How much the squared relative error of the shares falls if the part gets the unit.

        The unit's own size adds the same to each part and is left out.
        """
        targets, images = self.targets[part], self.tally.images[part]
        return sum(
            n * (targets[c] - images[c]) / self._totals[c] ** 2 for c, n in sorted(unit.classes.items())
        )

    def spread(self, wanted: Sequence[Part]) -> None:
        """See that no class is left out of a wanted part while another part has several groups of it."""
        for part in wanted:
            for class_index in self.targets[part]:
                if self.tally.groups[part][class_index] == 0:
                    self._fetch(class_index, part)

    def _fetch(self, class_index: int, part: Part) -> None:
        """Move the smallest unit that its part can spare; train takes one in any case."""
        holding = [unit for unit in self.units if class_index in unit.classes]
        spare = [unit for unit in holding if self._can_spare(unit)]
        candidates = spare or (holding if part == "train" else [])
        if candidates:
            unit = min(candidates, key=lambda candidate: len(candidate.keys))
            self.tally.add(self.places[unit.name], unit.classes, -1)
            self._put(unit, part)

    def _can_spare(self, unit: Unit) -> bool:
        groups = self.tally.groups[self.places[unit.name]]
        return all(groups[class_index] > 1 for class_index in unit.classes)

    def _put(self, unit: Unit, part: Part) -> None:
        self.tally.add(part, unit.classes)
        self.places[unit.name] = part

    def error(self) -> float:
        """Sum of the squared relative distances from the shares."""
        return sum(
            ((self.tally.images[part][c] - target) / self._totals[c]) ** 2
            for part in PARTS
            for c, target in self.targets[part].items()
        )

    def within_one(self) -> bool:
        """Whether every part is less than one image from its share of every class."""
        return all(
            abs(self.tally.images[part][c] - target) < 1
            for part in PARTS
            for c, target in self.targets[part].items()
        )
