"""Merging what the labels.db of a copy says into that of this dataset, with its conflicts listed.

Labels are compared by class name. An image that has a label only there gets
it, with its annotator and time. Where both have one of different classes, the
histories tell who changed their mind since the copy was made: a label that the
other side had once and replaced is no conflict, the later one stays. Only what
both sides labelled on their own is a conflict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mia_tui.dataset.interchange.copies.reading import LabelCopy
from mia_tui.dataset.interchange.formats import ExistingLabels
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Label, Opinion
from mia_tui.dataset.store.review.opinions import rater_of, renamed_opinion
from mia_tui.text import counted, printable


@dataclass(frozen=True)
class Conflict:
    """An image that has labels of different classes here and in the copy; times are in Unix seconds."""

    key: ImageKey
    mine: str
    mine_by: str
    mine_at: float
    theirs: str
    theirs_by: str
    theirs_at: float


@dataclass
class Comparison:
    """How the labels of a copy differ from those here.

    Attributes:
        new: Labels of images that have none here.
        later: Labels that replaced, in the copy, the one that is still here.
        earlier: Images whose label in the copy was replaced or removed here.
        same: Images with the same class here.
        conflicts: Images that were labelled otherwise here.
    """

    new: dict[ImageKey, Label] = field(default_factory=dict)
    later: dict[ImageKey, Label] = field(default_factory=dict)
    earlier: list[ImageKey] = field(default_factory=list)
    same: list[ImageKey] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


def compare(store: LabelStore | None, copy: LabelCopy) -> Comparison:
    """Compare the labels of a copy with those here.

    Args:
        store: Those here; None before there are any.
        copy: What was read.

    Raises:
        StoreError: If those here cannot be read.
    """
    found = Comparison()
    if store is None:
        found.new = dict(copy.labels)
        return found
    names = {known.id: known.name for known in store.classes(archived=True)}
    present, former = store.labels(), store.former_labels()
    for key, theirs in copy.labels.items():
        mine, name = present.get(key), copy.names[theirs.class_id]
        if mine is not None and names[mine.class_id] == name:
            found.same.append(key)
        elif _is_among(theirs, name, former.get(key, ()), names):
            found.earlier.append(key)
        elif mine is None:
            found.new[key] = theirs
        elif _is_among(mine, names[mine.class_id], copy.former.get(key, ()), copy.names):
            found.later[key] = theirs
        else:
            found.conflicts.append(
                Conflict(
                    key,
                    names[mine.class_id],
                    rater_of(mine),
                    mine.updated_at,
                    name,
                    rater_of(theirs),
                    theirs.updated_at,
                )
            )
    found.conflicts.sort(key=lambda conflict: conflict.key)
    return found


def _is_among(label: Label, name: str, former: "set[Label] | tuple[()]", names: Mapping[int, str]) -> bool:
    """Whether a label is one of those that the other side had before."""
    return any(
        (one.annotator, one.updated_at) == (label.annotator, label.updated_at)
        and names.get(one.class_id) == name
        for one in former
    )


def merge(
    store: LabelStore, copy: LabelCopy, found: Comparison, ids: Mapping[str, int], existing: ExistingLabels
) -> tuple[int, list[str]]:
    """Take over what a copy says, within a transaction of the store.

    Args:
        store: The labels here.
        copy: What was read.
        found: How its labels differ.
        ids: Of the classes here, by name.
        existing: Which label stays where there is a conflict; "opinion" keeps mine, and theirs beside it.

    Returns:
        How many images got another label, and sentences about what else was taken over.
    """
    here = _Numbers(copy.names, ids)
    taken = {**found.new, **found.later}
    for conflict in found.conflicts:
        if existing == "replace" or (existing == "newer" and conflict.theirs_at > conflict.mine_at):
            taken[conflict.key] = copy.labels[conflict.key]
    changed = store.take_labels({key: here.label(label) for key, label in taken.items()})
    opinions = [
        (key, here.opinion(said))
        for key, of_image in copy.opinions.items()
        for said in of_image.values()
        if here.knows(said.class_id)
    ]
    if existing == "opinion":
        opinions += _labels_as_opinions(store, copy, found, here)
    counts = {
        "note, flag or skip": _take_marks(store, copy),
        "opinion": store.take_opinions(opinions),
        "decision": store.take_decisions(
            {key: here.opinion(one) for key, one in copy.decisions.items() if here.knows(one.class_id)}
        ),
        "image of a second pass": store.draw_second_pass(copy.second_pass),
        "issue that was kept": store.take_kept(
            replace(one, class_id=here.id(one.class_id), annotator=printable(one.annotator))
            for one in copy.kept
            if here.knows(one.class_id)
        ),
        "answer of an audit": store.take_audits(
            replace(
                one,
                said_class_id=here.known(one.said_class_id),
                answer=here.known(one.answer),
                annotator=None if one.annotator is None else printable(one.annotator),
                model=None if one.model is None else printable(one.model),
            )
            for one in copy.audits
            if None not in (here.known(one.answer), here.known(one.said_class_id))
        ),
    }
    words = [_words(count, what) for what, count in counts.items() if count]
    return changed, [f"Also taken over: {', '.join(words)}."] if words else []


class _Numbers:
    """What the class ids of a copy are here."""

    def __init__(self, names: Mapping[int, str], ids: Mapping[str, int]) -> None:
        self._ids = {theirs: ids[name] for theirs, name in names.items() if name in ids}

    def knows(self, class_id: int) -> bool:
        return class_id in self._ids

    def known(self, class_id: int | None) -> int | None:
        return None if class_id is None else self._ids.get(class_id)

    def id(self, class_id: int) -> int:
        return self._ids[class_id]

    def label(self, label: Label) -> Label:
        return replace(label, class_id=self._ids[label.class_id], annotator=printable(label.annotator))

    def opinion(self, said: Opinion) -> Opinion:
        return replace(said, class_id=self._ids[said.class_id], annotator=printable(said.annotator))


def _labels_as_opinions(
    store: LabelStore, copy: LabelCopy, found: Comparison, here: _Numbers
) -> list[tuple[ImageKey, Opinion]]:
    """The labels of a copy beside those here, where they are not the very same: agreeing ones, too, so that
    agreement is not only computed from conflicts."""
    present, said_here = store.labels(), store.opinions()
    opinions = []
    for key in [*found.same, *(conflict.key for conflict in found.conflicts)]:
        mine, theirs = present[key], copy.labels[key]
        if (mine.annotator, mine.updated_at) != (theirs.annotator, theirs.updated_at):
            said = Opinion(here.id(theirs.class_id), rater_of(theirs), theirs.updated_at)
            opinions.append((key, renamed_opinion(said, {rater_of(mine), *said_here.get(key, ())})))
    return opinions


def _take_marks(store: LabelStore, copy: LabelCopy) -> int:
    """Flags and skips that are not set here, and notes of images that have none."""
    present, labels = store.marks(), store.labels()
    taken = 0
    flagged, skipped, notes = [], [], []
    for key, mark in copy.marks.items():
        mine = present.get(key)
        if mark.flagged and not mark.changed and not (mine and mine.flagged):
            flagged.append(key)
        if mark.skipped and key not in labels and not (mine and mine.skipped):
            skipped.append(key)
        if mark.note and not (mine and mine.note):
            notes.append((key, mark.note))
    taken += store.set_flagged(flagged, True) if flagged else 0
    taken += store.set_skipped(skipped, True) if skipped else 0
    return taken + sum(store.set_note(key, note) for key, note in notes)


def _words(count: int, what: str) -> str:
    first, *rest = what.split(" ")
    many = "notes, flags and skips" if what.startswith("note,") else " ".join([f"{first}s", *rest])
    return counted(count, what, many.replace("that was", "that were"))
