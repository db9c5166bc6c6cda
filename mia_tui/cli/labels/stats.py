"""How many images each class and part of a dataset has, and what its split follows."""

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from mia_tui.cli.report import Report
from mia_tui.dataset.model import PARTS
from mia_tui.paths import StateFolder
from mia_tui.text import counted, name_some, printable

if TYPE_CHECKING:
    from mia_tui.dataset.dataset import Dataset
    from mia_tui.dataset.model import ImageKey, Part
    from mia_tui.dataset.split.assignment import SplitRule


def parts_of(found: "Dataset") -> "dict[ImageKey, Part]":
    """The part of each image that has one; looking makes none."""
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(found.state.labels_db)
    if store is None:
        return found.labelled.parts
    with store:
        stored = {found.labelled.here(key): part for key, part in store.parts().items()}
        return {**found.labelled.parts, **stored}


def flagged_of(found: "Dataset") -> list[str]:
    """Labelled images that are flagged: another content than the one that was labelled."""
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(found.state.labels_db)
    if store is None:
        return []
    with store:
        flagged = {found.labelled.here(key) for key in store.flagged()}
    return [key.path for key in found.labelled.labels if key in flagged]


def rule_of(place: StateFolder) -> "SplitRule | None":
    """The rule of the stored split; None before there is one."""
    from mia_tui.dataset.split.assignment import stored_rule
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(place.labels_db)
    if store is None:
        return None
    with store:
        return stored_rule(store)


def without_fixed(report: Report, found: "Dataset", given: dict[str, Any]) -> dict[str, Any]:
    """What is asked of the rule, by its fields, but for fractions of parts that a top folder fixes: warned of."""
    fixed = [part for part in _folders(found) if f"{part}_fraction" in given]
    for part in fixed:
        fixing = " and ".join(_tops(found, part))
        report.warn(f"--{part}-fraction has no effect: the folder {fixing} fixes which images {part} has.")
    return {
        name: value for name, value in given.items() if name not in [f"{part}_fraction" for part in fixed]
    }


def tell_rule(report: Report, found: "Dataset", rule: "SplitRule | None") -> None:
    """What the split follows, for whoever only looks; nothing before there is one."""
    folders = _folders(found)
    if rule is not None:
        report.say(f"The split follows: {_sentence(rule, folders)}.")
    elif folders:
        tops = [top for part in folders for top in _tops(found, part)]
        report.say(f"The parts are those of the top folders {' and '.join(tops)}.")


def tell_split(
    report: Report,
    found: "Dataset",
    rule: "SplitRule",
    *,
    old: "SplitRule | None",
    given: Collection[str],
    new: bool,
) -> None:
    """Whether the split was there, was made or was made anew, and by which rule.

    Args:
        report: Where it is told.
        found: The dataset.
        rule: What the split follows.
        old: What it followed before; None if there was no split.
        given: Fields of the rule that the user asked for.
        new: Whether --new was given.
    """
    how = "was made just now" if old is None else "was made anew" if new else "was there already"
    folders = _folders(found)
    report.say(f"The split {how}: {_sentence(rule, folders)}.")
    told = {f"{part}_fraction" for part in folders}.union(given)
    kept = [words for name, words in _words(rule, folders).items() if name not in told]
    if new and old is not None and kept:
        report.say(f"Kept from the old split's rule: {', '.join(kept)}.")


def _sentence(rule: "SplitRule", folders: "Collection[Part]") -> str:
    """The rule, such as `val fraction 0.2, test fraction 0, no groups, seed 0`."""
    return ", ".join(_words(rule, folders).values())


def _words(rule: "SplitRule", folders: "Collection[Part]") -> dict[str, str]:
    """What the split follows, by the rule's fields; a fraction is not followed where a folder fixes the part."""
    shares = {"val": rule.val_fraction, "test": rule.test_fraction}
    words = {
        f"{part}_fraction": f"{part} as its folder" if part in folders else f"{part} fraction {share:g}"
        for part, share in shares.items()
    }
    groups = "no groups" if rule.group_by is None else f"grouped by {printable(rule.group_by)!r}"
    return {**words, "group_by": groups, "seed": f"seed {rule.seed}"}


def _folders(found: "Dataset") -> "list[Part]":
    """Parts that a top folder of that name fixes."""
    parts = set(found.labelled.parts.values())
    return [part for part in PARTS if part in parts]


def _tops(found: "Dataset", part: "Part") -> list[str]:
    """The top folders that are a part by their names, as they are written."""
    parts = found.labelled.parts.items()
    return sorted({printable(key.path.split("/")[0]) for key, of in parts if of == part})


def tell_counts(
    report: Report, found: "Dataset", parts: "dict[ImageKey, Part]", rule: "SplitRule | None"
) -> None:
    """Images of each class and part, and labels that may not fit any more; `rule` is for --json."""
    labelled = found.labelled
    counts = Counter((index, parts.get(key)) for key, index in labelled.labels.items())
    rows = [
        {
            "class": named.name,
            "images": sum(counts[index, part] for part in (*PARTS, None)),
            **{part: counts[index, part] for part in PARTS},
        }
        for index, named in enumerate(labelled.classes)
    ]
    shown = [part for part in PARTS if any(row[part] for row in rows)]
    report.table(
        ["class", "images", *shown], [[row[name] for name in ("class", "images", *shown)] for row in rows]
    )
    without = len(found.scan.keys) - len(labelled.labels)
    report.say()
    report.say(f"{counted(len(found.scan.keys), 'image')}, {without:,} without a label.")
    flagged = flagged_of(found)
    if flagged:
        changed = f"{counted(len(flagged), 'image')} changed since labelled, so the label may be wrong"
        report.say(f"{changed}: {name_some(flagged)}.")
    if not shown:
        report.say("There is no split yet; the first training makes one, or `mia-tui labels split`.")
    report.record(
        {
            "images": len(found.scan.keys),
            "labelled": len(labelled.labels),
            "unlabelled": without,
            "missing": labelled.missing,
            "flagged": len(flagged),
            "other_kinds": found.scan.other_kinds.kinds,
            "source": labelled.source,
            "rule": rule,
            "classes": rows,
        }
    )
