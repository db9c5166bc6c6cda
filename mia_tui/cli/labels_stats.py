"""How many images each class and part of a dataset has."""

from collections import Counter
from typing import TYPE_CHECKING

from mia_tui.cli.report import Report
from mia_tui.dataset.model import PARTS
from mia_tui.dataset.wording import counted, name_some

if TYPE_CHECKING:
    from mia_tui.dataset.model import ImageKey, Part
    from mia_tui.runs.prepare import Dataset


def parts_of(found: "Dataset") -> "dict[ImageKey, Part]":
    """The part of each image that has one; looking makes none."""
    from mia_tui.dataset.store import LabelStore

    store = LabelStore.open_existing(found.state.labels_db)
    if store is None:
        return found.labelled.parts
    with store:
        return {**found.labelled.parts, **store.parts()}


def flagged_of(found: "Dataset") -> list[str]:
    """Labelled images that are flagged: another content than the one that was labelled."""
    from mia_tui.dataset.store import LabelStore

    store = LabelStore.open_existing(found.state.labels_db)
    if store is None:
        return []
    with store:
        flagged = store.flagged()
    return [key.path for key in found.labelled.labels if key in flagged]


def tell_counts(report: Report, found: "Dataset", parts: "dict[ImageKey, Part]") -> None:
    """Images of each class and part, and labels that may not fit any more."""
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
            "source": labelled.source,
            "classes": rows,
        }
    )
