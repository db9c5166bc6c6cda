"""How many images each class and part of a dataset has, and the rule of its split."""

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from mia_tui.cli.output.report import Report
from mia_tui.dataset.model import PARTS
from mia_tui.paths import StateFolder
from mia_tui.text import counted, name_some, printable

if TYPE_CHECKING:
    from mia_tui.dataset.dataset import Dataset
    from mia_tui.dataset.model import ImageKey, Part
    from mia_tui.dataset.split.assignment import SplitRule


def flagged_of(found: "Dataset") -> list[str]:
    """Labelled images that are flagged because their content changed since."""
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(found.state.labels_db)
    if store is None:
        return []
    with store:
        flagged = {found.labelled.here(key) for key in store.flagged()}
    return [key.path for key in found.labelled.labels if key in flagged]


def rule_of(place: StateFolder) -> "SplitRule | None":
    """The rule of the stored split; None if there is no split."""
    from mia_tui.dataset.split.assignment import stored_rule
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(place.labels_db)
    if store is None:
        return None
    with store:
        return stored_rule(store)


def without_fixed(report: Report, found: "Dataset", given: dict[str, Any]) -> dict[str, Any]:
    """The given fields of the rule, without fractions of parts that a top folder fixes; warns of those."""
    fixed = [part for part in _folders(found) if f"{part}_fraction" in given]
    for part in fixed:
        fixing = " and ".join(_tops(found, part))
        report.warn(f"--{part}-fraction has no effect: the folder {fixing} fixes which images {part} has.")
    return {
        name: value for name, value in given.items() if name not in [f"{part}_fraction" for part in fixed]
    }


def show_rule(report: Report, found: "Dataset", rule: "SplitRule | None") -> None:
    """Print the rule of the split; nothing if there is none."""
    folders = _folders(found)
    if rule is not None:
        report.say(f"The split follows: {_rule_sentence(rule, folders)}.")
    elif folders:
        tops = [top for part in folders for top in _tops(found, part)]
        report.say(f"The parts are those of the top folders {' and '.join(tops)}.")


def show_split(
    report: Report,
    found: "Dataset",
    rule: "SplitRule",
    *,
    old: "SplitRule | None",
    given: Collection[str],
    new: bool,
) -> None:
    """Print whether the split existed, was made or was replaced, and its rule.

    Args:
        report: Prints it.
        found: The dataset.
        rule: Rule of the split.
        old: Its rule before; None if there was no split.
        given: Fields of the rule that the user set.
        new: Whether --new was given.
    """
    how = "was made just now" if old is None else "was made again" if new else "exists already"
    folders = _folders(found)
    report.say(f"The split {how}: {_rule_sentence(rule, folders)}.")
    shown = {f"{part}_fraction" for part in folders}.union(given)
    kept = [words for name, words in _rule_words(rule, folders).items() if name not in shown]
    if new and old is not None and kept:
        report.say(f"Kept from the old split's rule: {', '.join(kept)}.")


def _rule_sentence(rule: "SplitRule", folders: "Collection[Part]") -> str:
    """The rule, such as `val fraction 0.2, test fraction 0, no groups, seed 0`."""
    return ", ".join(_rule_words(rule, folders).values())


def _rule_words(rule: "SplitRule", folders: "Collection[Part]") -> dict[str, str]:
    """The rule in words, by its fields; the fraction of a part that a folder fixes is not used."""
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
    """The top folders whose names make them a part, as they are spelt."""
    parts = found.labelled.parts.items()
    return sorted({printable(key.path.split("/")[0]) for key, of in parts if of == part})


def show_counts(
    report: Report, found: "Dataset", parts: "dict[ImageKey, Part]", rule: "SplitRule | None"
) -> None:
    """Print the images of each class and part, and labels that may be out of date; `rule` is for --json."""
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
