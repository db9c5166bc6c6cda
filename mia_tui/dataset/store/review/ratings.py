"""Who said what of which image: disputes, and the table of ratings that agreement is computed from."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.records import Label, Opinion
from mia_tui.dataset.store.review.opinions import Opinions, is_independent, rater_of


@dataclass(frozen=True)
class Dispute:
    """An image whose label and opinions name different classes.

    Attributes:
        key: The image.
        label: Its label; None if it has none.
        said: What each rater says, the one who gave the label among them: class ids.
        decided: The class that was decided for; None while the dispute is open.
    """

    key: ImageKey
    label: Label | None
    said: Mapping[str, int]
    decided: int | None = None


def is_disputed(label: int, opinions: Iterable[int], decided: int | None) -> bool:
    """Whether a dispute about an image is open.

    Args:
        label: Class of its label; 0 without one.
        opinions: Classes that annotators named.
        decided: The class that was decided for; None without a decision.
    """
    named = set(opinions)
    if not named or (decided is not None and decided == label):
        return False
    return len(named | {label} if label else named) > 1


def find_disputes(
    labels: Mapping[ImageKey, Label],
    opinions: Opinions,
    decisions: Mapping[ImageKey, Opinion],
    active: Collection[int],
    *,
    closed: bool = False,
) -> list[Dispute]:
    """The open disputes, in order of the images; with `closed` also those that were decided.

    Args:
        labels: Of all images.
        opinions: Of all images.
        decisions: About disputes.
        active: Ids of the classes that are not archived; others do not count.
        closed: Whether to return decided disputes, too.
    """
    found = []
    for key in sorted(opinions):
        label = labels.get(key)
        if label is not None and label.class_id not in active:
            label = None
        named = {who: said.class_id for who, said in opinions[key].items() if said.class_id in active}
        decided = decisions[key].class_id if key in decisions else None
        class_id = label.class_id if label else 0
        is_open = is_disputed(class_id, named.values(), decided)
        if is_open or (closed and is_disputed(class_id, named.values(), None)):
            who_said = dict(named)
            if label is not None and is_independent(label, decisions.get(key)):
                who_said = {rater_of(label): label.class_id, **named}
            found.append(Dispute(key, label, who_said, None if is_open else decided))
    return found


def ratings_of(
    labels: Mapping[ImageKey, Label],
    opinions: Opinions,
    decisions: Mapping[ImageKey, Opinion],
    active: Collection[int],
) -> dict[ImageKey, dict[str, int]]:
    """The independent judgements of images that at least two people judged: class id by rater.

    A label that was decided with the opinions in view is no independent judgement and does not count; that of
    before was kept as an opinion. What somebody said without seeing the label counts before a label of theirs.
    """
    table = {}
    for key in sorted(opinions):
        said = {who: one.class_id for who, one in opinions[key].items() if one.class_id in active}
        label = labels.get(key)
        if label is not None and label.class_id in active and is_independent(label, decisions.get(key)):
            said.setdefault(rater_of(label), label.class_id)
        if len(said) > 1:
            table[key] = said
    return table
