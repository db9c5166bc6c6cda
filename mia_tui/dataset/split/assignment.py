"""The split of labelled images into train, val and test: made once, kept with the dataset.

Images of one group (frames of a stack, copies, a path pattern) stay in one part. New labels join without
moving the images that have a part already.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from mia_tui.config.split import check_split, compile_pattern
from mia_tui.dataset.labelled import META_SOURCE, LabelledSet
from mia_tui.dataset.model import PARTS, ImageKey, Part
from mia_tui.dataset.split.allocation import Unit, allot, tally_of
from mia_tui.dataset.split.groups import group_images
from mia_tui.dataset.split.warnings import class_warnings, copies_of_two_classes
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.sqlite_errors import telling
from mia_tui.errors import ConfigError
from mia_tui.records import Count, decode_json
from mia_tui.text import counted, name_some, printable

META_SPLIT = "split_rule"
"""Key in the store's meta table: the rule the stored split was made by, as JSON."""

_NEW = (
    "Make a new split with `mia-tui labels split DATASET --new` (models trained before have seen images that "
    "validate then), or leave these options out."
)


class SplitRule(msgspec.Struct, frozen=True):
    """How labelled images are split.

    Attributes:
        val_fraction: Share of each class for validation.
        test_fraction: Share of each class kept for a test.
        group_by: Regular expression on the path; images that agree in it stay together. An empty one,
            in which all would agree, is none.
        seed: Varies the split.
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
    """The part of each labelled image, and sentences about what the user should know."""

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
    """Refuse a rule that these images cannot be split by; asked before a store is made for the split.

    Raises:
        ConfigError: If a fraction is not a share, nothing is left to train on, or the pattern is not a
            regular expression or fits none of the images.
    """
    check_split(rule.val_fraction, rule.test_fraction, rule.group_by)
    alone = _without_group(images, rule)
    if alone and len(alone) == len({key.path for key in images}):
        raise ConfigError(
            f"--group-by {printable(rule.group_by)!r} fits none of the images.",
            f"It is searched in paths like {printable(alone[0])}.",
        )


def make_split(
    labels: Mapping[ImageKey, int],
    groups: Mapping[ImageKey, str],
    rule: SplitRule,
    existing: Mapping[ImageKey, Part] | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Split:
    """Split labelled images: stratified, grouped, seeded, whatever the order they come in.

    Images that have a part keep it. An image whose group has a part joins it; where its group has several,
    the strictest (test before val before train). The others go, group by group in an order drawn from the
    seed, to the part furthest below its share in their classes.

    Args:
        labels: Class position of each labelled image.
        groups: Group of each image (`group_images`); one that is not in it stands alone.
        rule: Shares and seed; its pattern is not looked at, it is in `groups`.
        existing: Parts that stand already, also of images that are not labelled now.
        names: Class names, for the warnings.
    """
    parts, warnings = _extend(labels, groups, rule, existing or {})
    return Split(parts, (*warnings, *class_warnings(labels, parts, groups, rule.shares(), names)))


def stored_rule(store: LabelStore) -> SplitRule | None:
    """The rule of the stored split, None before there is one; a command takes its defaults from it."""
    text = store.meta(META_SPLIT)
    with telling(store.path):
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
            _keep_rule(store, plan.rule)
        new = {key: part for key, part in plan.split.parts.items() if before.get(key) != part}
        if new:
            store.set_parts(new, replace=is_new)
        if store.meta(META_SOURCE) != labelled.source:
            store.set_meta(META_SOURCE, labelled.source)


def stored_split(
    store: LabelStore, labelled: LabelledSet, rule: SplitRule, hashes: Mapping[str, str] | None = None
) -> Split:
    """The dataset's split: made and stored at first use, later joined by what is newly labelled.

    Args:
        store: Keeps parts and rule.
        labelled: As for `plan_split`, like the others.

    Raises:
        ConfigError: If the rule cannot be followed or differs from the stored one.
        StoreError: If the split cannot be written.
    """
    plan = plan_split(read_stored_split(store), labelled, rule, hashes)
    store_split(store, labelled, plan)
    return plan.split


def new_split(
    store: LabelStore, labelled: LabelledSet, rule: SplitRule, hashes: Mapping[str, str] | None = None
) -> Split:
    """Make the split anew and store it in place of the old one.

    Raises:
        ConfigError: If the rule cannot be followed.
        StoreError: If the split cannot be written.
    """
    check_rule(rule, labelled.labels)
    split = _split(labelled, rule, {}, hashes or {})
    with store.transaction():
        _keep_rule(store, rule)
        store.set_parts(split.parts, replace=True)
        store.set_meta(META_SOURCE, labelled.source)
    return split


def strictest(parts: Iterable[Part]) -> Part:
    """Of several parts the one that keeps most away from training: test, then val, then train."""
    return max(parts, key=PARTS.index)


def _extend(
    labels: Mapping[ImageKey, int],
    groups: Mapping[ImageKey, str],
    rule: SplitRule,
    existing: Mapping[ImageKey, Part],
) -> tuple[dict[ImageKey, Part], list[str]]:
    """A part for each labelled image, and warnings about images that link two parts."""
    parts = {key: existing[key] for key in labels if key in existing}
    anchors: dict[str, set[Part]] = defaultdict(set)
    for key, part in existing.items():
        anchors[groups.get(key, key.path)].add(part)
    free: dict[str, list[ImageKey]] = defaultdict(list)
    torn = []
    for key in sorted(labels.keys() - parts.keys()):
        group = groups.get(key, key.path)
        if group not in anchors:
            free[group].append(key)
            continue
        parts[key] = strictest(anchors[group])
        if len(anchors[group]) > 1:
            torn.append(key)
    units = [Unit(name, tuple(keys), Counter(labels[key] for key in keys)) for name, keys in free.items()]
    parts.update(allot(units, tally_of(labels, groups, parts), rule.shares(), rule.seed))
    linked = {part: [key.path for key in torn if parts[key] == part] for part in PARTS}
    warnings = [
        f"{counted(len(paths), 'image')} linked to images in several parts went to {part}: "
        f"{name_some(paths)}."
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
    left = SplitRule(
        val_fraction=0.0 if "val" in folders else rule.val_fraction,
        test_fraction=0.0 if "test" in folders else rule.test_fraction,
        seed=rule.seed,
    )
    # Images of the folder train are dealt out, too, while a part that is wanted has no folder.
    fixed, moved = _fixed(labelled.parts, groups, train=left.val_fraction == left.test_fraction == 0.0)
    # A folder wins over an older split, except that nothing held out then is trained on now.
    existing = {
        **stored,
        **{key: part for key, part in fixed.items() if part != "train" or key not in stored},
    }
    rest = {key: index for key, index in labels.items() if key not in fixed}
    dealt, torn = _extend(rest, groups, left, existing)
    parts = {key: dealt[key] if key in dealt else existing[key] for key in labels}
    names = [named.name for named in labelled.classes]
    return Split(
        parts,
        (
            *_pattern_warnings(labels, rule),
            *moved,
            *torn,
            *class_warnings(labels, parts, groups, rule.shares(), names),
            *copies_of_two_classes(labels, hashes, names),
        ),
    )


def _fixed(
    folders: Mapping[ImageKey, Part], groups: Mapping[ImageKey, str], *, train: bool
) -> tuple[dict[ImageKey, Part], list[str]]:
    """Parts that top folders fix; a group in several folders goes to the strictest of their parts."""
    reached: dict[str, set[Part]] = defaultdict(set)
    for key, part in folders.items():
        reached[groups[key]].add(part)
    fixed: dict[ImageKey, Part] = {}
    moved: dict[Part, list[str]] = {part: [] for part in PARTS}
    for key in sorted(folders):
        part = strictest(reached[groups[key]])
        if part != folders[key]:
            moved[part].append(key.path)
        if part != "train" or train:
            fixed[key] = part
    warnings = [
        f"{counted(len(paths), 'image')} whose copy or group lies in the folder {part} went there: "
        f"{name_some(paths)}."
        for part, paths in moved.items()
        if paths
    ]
    return fixed, warnings


def _keep_rule(store: LabelStore, rule: SplitRule) -> None:
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
    """Paths that the pattern does not fit, sorted; none where there is no pattern."""
    if rule.group_by is None:
        return []
    pattern = compile_pattern(rule.group_by)
    return sorted({key.path for key in images if not pattern.search(key.path)})


def _pattern_warnings(labels: Mapping[ImageKey, int], rule: SplitRule) -> list[str]:
    alone = _without_group(labels, rule)
    if not alone:
        return []
    return [
        f"{counted(len(alone), 'image')} without a group by --group-by, each on its own: {name_some(alone)}."
    ]
