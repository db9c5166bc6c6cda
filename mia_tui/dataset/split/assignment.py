"""The split of labelled images into train, val and test: made once, stored with the dataset.

It is stratified by class, and the images of one group (frames of a stack, copies, a path pattern) stay in one
part. Images with a part keep it. A newly labelled image joins the part of its group; if its group is in several,
the strictest of them (test before val before train). All others go, group by group in a random order, to the part
that is furthest below its share of their classes.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from mia_tui.config.split import check_split, compile_pattern
from mia_tui.dataset.labelled_images import META_SOURCE, LabelledSet
from mia_tui.dataset.model import PARTS, ImageKey, Part
from mia_tui.dataset.split.allocation import SplitGroup, allocate, count_parts
from mia_tui.dataset.store.errors import as_store_errors
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.decoding import Count, decode_json
from mia_tui.errors import ConfigError
from mia_tui.text import counted, name_some, printable

META_SPLIT = "split_rule"
"""Key in the store's meta table: the rule of the stored split, as JSON."""

_NEW = (
    "Make a new split with `mia-tui labels split DATASET --new` (models trained before have seen images that are "
    "used for validation then), or leave these options out."
)


class SplitRule(msgspec.Struct, frozen=True):
    """How labelled images are split.

    Attributes:
        val_fraction: Share of each class for validation.
        test_fraction: Share of each class kept for a test.
        group_by: Regular expression on the path; images with the same match stay together. An empty one, which
            would match the same in all paths, counts as none.
        seed: Of the random order.
    """

    val_fraction: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.2
    test_fraction: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    group_by: str | None = None
    seed: Count = 0

    def __post_init__(self) -> None:
        if self.group_by == "":
            msgspec.structs.force_setattr(self, "group_by", None)

    def shares(self) -> dict[Part, float]:
        """The share of each part."""
        return {
            "train": 1.0 - self.val_fraction - self.test_fraction,
            "val": self.val_fraction,
            "test": self.test_fraction,
        }


@dataclass(frozen=True)
class Split:
    """The part of each labelled image, and warnings for the user."""

    parts: dict[ImageKey, Part]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class StoredSplit:
    """What labels.db says of the split.

    Attributes:
        rule: What it was made by; None before there is one.
        parts: Those that are written down, also where there is no rule.
    """

    rule: SplitRule | None = None
    parts: Mapping[ImageKey, Part] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitPlan:
    """A split as `store_split` will store it.

    Attributes:
        before: What was stored when it was planned.
    """

    rule: SplitRule
    split: Split
    before: StoredSplit


def check_rule(rule: SplitRule, images: Collection[ImageKey]) -> None:
    """Refuse a rule that does not work for these images; checked before a store is created for the split.

    Raises:
        ConfigError: If a fraction is out of range, nothing is left to train on, or the pattern is not a regular
            expression or matches none of the images.
    """
    check_split(rule.val_fraction, rule.test_fraction, rule.group_by)
    ungrouped = _without_group(images, rule)
    if ungrouped and len(ungrouped) == len({key.path for key in images}):
        raise ConfigError(
            f"--group-by {printable(rule.group_by)!r} matches none of the images.",
            f"It is searched in paths like {printable(ungrouped[0])}.",
        )


def stored_rule(store: LabelStore) -> SplitRule | None:
    """The rule of the stored split, None if there is none yet; commands take their defaults from it."""
    text = store.meta(META_SPLIT)
    with as_store_errors(store.path):
        return None if text is None else decode_json(text, SplitRule)


def read_stored_split(store: LabelStore) -> StoredSplit:
    """The split that is stored, with all its parts."""
    return StoredSplit(stored_rule(store), store.parts())


def plan_split(
    before: StoredSplit, labelled: LabelledSet, rule: SplitRule, hashes: Mapping[str, str] | None = None
) -> SplitPlan:
    """Plan the dataset's split, or who joins the one that is stored; nothing is written.

    Args:
        before: What is stored.
        labelled: The labelled images; parts fixed by their top folders stand.
        rule: Must be the stored one, if there is one.
        hashes: Hash of the content by path, for files that may be copies.

    Raises:
        ConfigError: If the rule cannot be followed or differs from the stored one.
    """
    if before.rule is not None and before.rule != rule:
        raise _other_rule(before.rule, rule)
    check_rule(rule, labelled.labels)
    existing = {} if before.rule is None else before.parts
    return SplitPlan(rule, _split(labelled, rule, existing, hashes or {}), before)


def store_split(store: LabelStore, labelled: LabelledSet, plan: SplitPlan) -> None:
    """Store a split as it was planned.

    Raises:
        StoreError: If it cannot be written.
    """
    is_new = plan.before.rule is None
    before = {} if is_new else plan.before.parts
    with store.transaction():
        if is_new:
            _store_rule(store, plan.rule)
        new = {key: part for key, part in plan.split.parts.items() if before.get(key) != part}
        if new:
            store.set_parts(new, replace=is_new)
        if store.meta(META_SOURCE) != labelled.source:
            store.set_meta(META_SOURCE, labelled.source)


def stored_split(
    store: LabelStore, labelled: LabelledSet, rule: SplitRule, hashes: Mapping[str, str] | None = None
) -> Split:
    """The dataset's split: made and stored at first use, later extended by newly labelled images.

    Args:
        store: Keeps parts and rule.
        labelled: As for `plan_split`, like the others.

    Raises:
        ConfigError: If the rule does not work or differs from the stored one.
        StoreError: If the split cannot be written.
    """
    plan = plan_split(read_stored_split(store), labelled, rule, hashes)
    store_split(store, labelled, plan)
    return plan.split


def new_split(
    store: LabelStore, labelled: LabelledSet, rule: SplitRule, hashes: Mapping[str, str] | None = None
) -> Split:
    """Make a new split and store it in place of the old one.

    Raises:
        ConfigError: If the rule does not work.
        StoreError: If the split cannot be written.
    """
    check_rule(rule, labelled.labels)
    split = _split(labelled, rule, {}, hashes or {})
    with store.transaction():
        _store_rule(store, rule)
        store.set_parts(split.parts, replace=True)
        store.set_meta(META_SOURCE, labelled.source)
    return split


def strictest(parts: Iterable[Part]) -> Part:
    """Of several parts the one furthest from training: test, then val, then train."""
    return max(parts, key=PARTS.index)


def _extend(
    labels: Mapping[ImageKey, int],
    groups: Mapping[ImageKey, str],
    rule: SplitRule,
    existing: Mapping[ImageKey, Part],
) -> tuple[dict[ImageKey, Part], list[str]]:
    """A part for each labelled image, and warnings about images that connect two parts."""
    parts = {key: existing[key] for key in labels if key in existing}
    parts_of_group: dict[str, set[Part]] = defaultdict(set)
    for key, part in existing.items():
        parts_of_group[groups.get(key, key.path)].add(part)
    without_part: dict[str, list[ImageKey]] = defaultdict(list)
    linking = []
    for key in sorted(labels.keys() - parts.keys()):
        group = groups.get(key, key.path)
        if group not in parts_of_group:
            without_part[group].append(key)
            continue
        parts[key] = strictest(parts_of_group[group])
        if len(parts_of_group[group]) > 1:
            linking.append(key)
    new_groups = [
        SplitGroup(name, tuple(keys), Counter(labels[key] for key in keys))
        for name, keys in without_part.items()
    ]
    parts.update(allocate(new_groups, count_parts(labels, groups, parts), rule.shares(), rule.seed))
    linked = {part: [key.path for key in linking if parts[key] == part] for part in PARTS}
    warnings = [
        f"{counted(len(paths), 'image was', 'images were')} put into {part}, being linked to images in several "
        f"parts: {name_some(paths)}."
        for part, paths in linked.items()
        if paths
    ]
    return {key: parts[key] for key in labels}, warnings


def _split(
    labelled: LabelledSet, rule: SplitRule, stored: Mapping[ImageKey, Part], hashes: Mapping[str, str]
) -> Split:
    labels = labelled.labels
    groups = group_images(
        labels.keys() | stored.keys() | labelled.parts.keys(), group_by=rule.group_by, hashes=hashes
    )
    folders = set(labelled.parts.values())
    remaining = SplitRule(
        val_fraction=0.0 if "val" in folders else rule.val_fraction,
        test_fraction=0.0 if "test" in folders else rule.test_fraction,
        seed=rule.seed,
    )
    # Images of the folder train are allocated, too, as long as a wanted part has no folder.
    fixed, moved = _fixed(
        labelled.parts, groups, train=remaining.val_fraction == remaining.test_fraction == 0.0
    )
    # A folder overrides an older split, except that nothing held out then is used for training now.
    existing = {
        **stored,
        **{key: part for key, part in fixed.items() if part != "train" or key not in stored},
    }
    others = {key: index for key, index in labels.items() if key not in fixed}
    allocated, linking = _extend(others, groups, remaining, existing)
    parts = {key: allocated[key] if key in allocated else existing[key] for key in labels}
    names = [named.name for named in labelled.classes]
    return Split(
        parts,
        (
            *_pattern_warnings(labels, rule),
            *moved,
            *linking,
            *class_warnings(labels, parts, groups, rule.shares(), names),
            *copies_of_two_classes(labels, hashes, names),
        ),
    )


def _fixed(
    folders: Mapping[ImageKey, Part], groups: Mapping[ImageKey, str], *, train: bool
) -> tuple[dict[ImageKey, Part], list[str]]:
    """Parts given by top folders; a group in several folders goes to the strictest of their parts."""
    folders_of_group: dict[str, set[Part]] = defaultdict(set)
    for key, part in folders.items():
        folders_of_group[groups[key]].add(part)
    fixed: dict[ImageKey, Part] = {}
    moved: dict[Part, list[str]] = {part: [] for part in PARTS}
    for key in sorted(folders):
        part = strictest(folders_of_group[groups[key]])
        if part != folders[key]:
            moved[part].append(key.path)
        if part != "train" or train:
            fixed[key] = part
    warnings = [
        f"{counted(len(paths), 'image was', 'images were')} put into {part}, since a copy or the group is in that "
        f"folder: {name_some(paths)}."
        for part, paths in moved.items()
        if paths
    ]
    return fixed, warnings


def _store_rule(store: LabelStore, rule: SplitRule) -> None:
    store.set_meta(META_SPLIT, msgspec.json.encode(rule).decode())


def _other_rule(stored: SplitRule, rule: SplitRule) -> ConfigError:
    flags = {
        "--val-fraction": (stored.val_fraction, rule.val_fraction),
        "--test-fraction": (stored.test_fraction, rule.test_fraction),
        "--group-by": (stored.group_by, rule.group_by),
        "--split-seed": (stored.seed, rule.seed),
    }
    differing = [
        f"{flag} {'none' if old is None else printable(old)}, not {'none' if new is None else printable(new)}"
        for flag, (old, new) in flags.items()
        if old != new
    ]
    return ConfigError(f"This dataset was split with {' and '.join(differing)}.", _NEW)


def _without_group(images: Iterable[ImageKey], rule: SplitRule) -> list[str]:
    """Paths that the pattern does not match, sorted; empty if there is no pattern."""
    if rule.group_by is None:
        return []
    pattern = compile_pattern(rule.group_by)
    return sorted({key.path for key in images if not pattern.search(key.path)})


def _pattern_warnings(labels: Mapping[ImageKey, int], rule: SplitRule) -> list[str]:
    ungrouped = _without_group(labels, rule)
    if not ungrouped:
        return []
    return [
        f"{counted(len(ungrouped), 'image')} not matched by --group-by, each a group of its own: "
        f"{name_some(ungrouped)}."
    ]


def group_images(
    keys: Iterable[ImageKey], *, group_by: str | None = None, hashes: Mapping[str, str] | None = None
) -> dict[ImageKey, str]:
    """The group of each image: frames of one file, byte-identical copies, images with the same match.

    Args:
        keys: Images.
        group_by: Regular expression, searched in each path; images whose capture groups (or, without capture
            groups, the whole match) are equal belong together. An image it does not match is a group of its own.
        hashes: Hash of the content by path, for files that may be copies.

    Returns:
        The name of each image's group: the first path in it, in whatever order `keys` are.

    Raises:
        ConfigError: If the pattern is not a regular expression.
    """
    keys = list(keys)
    pattern = None if group_by is None else compile_pattern(group_by)
    paths = sorted({key.path for key in keys})
    parent = {path: path for path in paths}
    first: dict[object, str] = {}
    for path in paths:
        for shared in _shared(path, pattern, hashes or {}):
            _join(parent, first.setdefault(shared, path), path)
    return {key: _root(parent, key.path) for key in keys}


def group_numbers(keys: Iterable[ImageKey], *, group_by: str | None = None) -> list[int]:
    """The number of each image's group, from 0 in the order of the images; the groups are those of `group_images`.

    Args:
        keys: Images, whose files are no copies of each other.
        group_by: As for `group_images`.

    Raises:
        ConfigError: If the pattern is not a regular expression.
    """
    numbers: dict[object, int] = {}
    if group_by is None:
        return [numbers.setdefault(key.path, len(numbers)) for key in keys]
    pattern, found = compile_pattern(group_by), []
    for key in keys:
        shared = _shared(key.path, pattern, {})
        found.append(numbers.setdefault(shared[0] if shared else key.path, len(numbers)))
    return found


def _shared(path: str, pattern: re.Pattern[str] | None, hashes: Mapping[str, str]) -> list[object]:
    """What an image shares with the others of its group."""
    shared: list[object] = []
    if path in hashes:
        shared.append(("copy", hashes[path]))
    match = pattern.search(path) if pattern is not None else None
    if match is not None:
        shared.append(("pattern", match.groups() or match.group()))
    return shared


def _root(parent: dict[str, str], path: str) -> str:
    while parent[path] != path:
        parent[path] = parent[parent[path]]
        path = parent[path]
    return path


def _join(parent: dict[str, str], one: str, other: str) -> None:
    first, second = sorted((_root(parent, one), _root(parent, other)))
    parent[second] = first


def class_warnings(
    labels: Mapping[ImageKey, int],
    parts: Mapping[ImageKey, Part],
    groups: Mapping[ImageKey, str],
    shares: Mapping[Part, float],
    names: Sequence[str],
) -> list[str]:
    """What classes are too small for: one sentence for each kind of problem.

    Args:
        labels: Class position of each labelled image.
        parts: Its part.
        groups: Its group.
        shares: The share each part should have had.
        names: Class names.
    """
    images = Counter(labels.values())
    held = {part: {labels[key] for key in labels if parts[key] == part} for part in PARTS}
    groups_of_class: dict[int, set[str]] = defaultdict(set)
    for key, index in labels.items():
        groups_of_class[index].add(groups.get(key, key.path))
    by_problem: dict[str, list[int]] = defaultdict(list)
    for index in sorted(images):
        if index not in held["train"]:
            by_problem["No images to train on"].append(index)
        elif shares["val"] > 0 and index not in held["val"]:
            if images[index] == 1:
                by_problem["Only one image, used for training, so the class cannot be validated"].append(
                    index
                )
            elif len(groups_of_class[index]) == 1:
                by_problem[
                    "All images in one group, used for training, so the class cannot be validated"
                ].append(index)
            else:
                by_problem["No images for validation"].append(index)
        elif shares["test"] > 0 and index not in held["test"]:
            by_problem["No images for the test"].append(index)
    return [
        f"{problem}: {name_some(names[index] for index in indices)}."
        for problem, indices in by_problem.items()
    ]


def copies_of_two_classes(
    labels: Mapping[ImageKey, int], hashes: Mapping[str, str], names: Sequence[str]
) -> list[str]:
    """Byte-identical images with different labels: one of the labels must be wrong."""
    first: dict[tuple[str, int], ImageKey] = {}
    pairs = []
    for key, index in labels.items():
        if key.path not in hashes:
            continue
        other = first.setdefault((hashes[key.path], key.frame), key)
        if labels[other] != index:
            pairs.append(f"{other.path} ({names[labels[other]]}) and {key.path} ({names[index]})")
    if not pairs:
        return []
    return [f"{counted(len(pairs), 'pair')} of identical images with different labels: {name_some(pairs)}."]
