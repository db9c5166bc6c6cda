"""What is reviewed on the labelling screen: images one after the other, each with what is doubtful about it.

A queue is a filter with an order of its own. It is on for as long as the session shows that filter, so Esc, another
filter and a way back need not know of it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession, RowState
from mia_tui.text import percent, printable
from mia_tui.tui.label.suggestions.probabilities import ShownProbabilities
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_line import Piece

Doubted = Literal["label", "duplicate", "outlier", "unfamiliar"]

TITLES: dict[Doubted, str] = {
    "label": "labels that look wrong",
    "duplicate": "near-duplicates with different labels",
    "outlier": "outliers",
    "unfamiliar": "unfamiliar images",
}
AUDIT_TITLE = "audit"


@dataclass(frozen=True)
class Doubt:
    """What is doubtful about one image.

    Attributes:
        key: The image.
        said: Id of the class of its label; 0 without one.
        suggested: Id of the class that is likelier; 0 for none.
        probability: Of that class; None if it has none.
        said_probability: Of the class of the label; None if it has none.
        twin: The image that looks the same; None if it is not about one.
    """

    key: ImageKey
    said: int
    suggested: int = 0
    probability: float | None = None
    said_probability: float | None = None
    twin: ImageKey | None = None


class ReviewQueue:
    """Images to review.

    Args:
        kind: What about them; `audit` is a random sample whose labels are hidden.
        doubts: In order, each image once.
        answered: How many images of an audit were answered before.
        asked_again: Images that were skipped before, and are to be decided nevertheless.

    Attributes:
        filter: That shows them, while the queue is on.
        settled: Images that were kept, or answered in an audit.
    """

    def __init__(
        self,
        kind: Doubted | Literal["audit"],
        doubts: Sequence[Doubt],
        answered: int = 0,
        asked_again: Collection[ImageKey] = (),
    ) -> None:
        self.kind = kind
        self._asked_again = asked_again
        self.doubts = {doubt.key: doubt for doubt in doubts}
        self._answered_before = answered
        words = AUDIT_TITLE if kind == "audit" else TITLES[kind]
        self.filter = Filter(among=tuple(self.doubts), among_words=words)
        self.settled: set[ImageKey] = set()

    @property
    def is_blind(self) -> bool:
        """Whether labels and suggestions are hidden."""
        return self.kind == "audit"

    @property
    def answered(self) -> int:
        """How many images of an audit are answered."""
        return self._answered_before + len(self.settled)

    @property
    def asked(self) -> int:
        """How many images an audit has."""
        return self._answered_before + len(self.doubts)

    def is_open(self, key: ImageKey, session: LabelSession) -> bool:
        """Whether an image is still to be decided."""
        doubt, row = self.doubts.get(key), session.listing.row(key)
        if doubt is None or row is None or key in self.settled:
            return False
        state = session.state_of(row)
        if self.kind == "audit":
            return key in self._asked_again or not state.skipped
        if self.kind == "unfamiliar" and (state.skipped or state.flagged):
            return False
        return _class_id(state) == doubt.said and (doubt.twin is None or self._differs(doubt, session))

    def _differs(self, doubt: Doubt, session: LabelSession) -> bool:
        """Whether the twin has another label still, and was not kept."""
        assert doubt.twin is not None
        row = session.listing.row(doubt.twin)
        return (
            row is not None
            and doubt.twin not in self.settled
            and _class_id(session.state_of(row)) not in (0, doubt.said)
        )


class Review:
    """Which queue is on.

    Args:
        session: The images.
        ink: Characters and styles.
    """

    def __init__(self, session: LabelSession, ink: Ink) -> None:
        self._session, self._ink = session, ink
        self._queues: list[ReviewQueue] = []

    @property
    def queue(self) -> ReviewQueue | None:
        """The queue whose images are shown; None if others are."""
        shown = self._session.filter
        return next((queue for queue in self._queues if queue.filter is shown), None)

    @property
    def is_blind(self) -> bool:
        """Whether labels and suggestions are hidden now."""
        queue = self.queue
        return queue is not None and queue.is_blind

    def begin(self, queue: ReviewQueue) -> None:
        """Remember a queue that is about to be shown; an earlier one of the same kind is forgotten."""
        self._queues = [other for other in self._queues if other.kind != queue.kind] + [queue]

    def doubt_about(self, key: ImageKey | None) -> Doubt | None:
        """What is doubtful about an image; None if no queue is on."""
        queue = self.queue
        return None if queue is None or key is None else queue.doubts.get(key)

    def seen(self, key: ImageKey | None, state: RowState) -> RowState:
        """The state of an image as it may be seen: hidden in an audit, else with the class that is likelier."""
        queue, doubt = self.queue, self.doubt_about(key)
        if queue is None or doubt is None:
            return state
        if queue.is_blind:
            return RowState(None, None, None, None, None, False, False, None, state.problem, state.missing)
        suggested = self._session.class_of(doubt.suggested)
        return (
            state if suggested is None else replace(state, suggestion=suggested, confidence=doubt.probability)
        )

    def model(self, key: ImageKey | None) -> str:
        """What suggests another class for an image, for its frame; empty where no queue says so."""
        queue, doubt = self.queue, self.doubt_about(key)
        if queue is None or doubt is None or not doubt.suggested or queue.is_blind:
            return ""
        return "the model" if doubt.twin is None else "the other"

    def probabilities(self, key: ImageKey | None) -> ShownProbabilities | None:
        """Those that doubt a label, which was not learned from for them; None where no queue has any."""
        doubt = self.doubt_about(key)
        if doubt is None or doubt.probability is None or self.is_blind:
            return None
        shares = ((doubt.suggested, doubt.probability), (doubt.said, doubt.said_probability))
        known = [(self._session.class_of(class_id), share) for class_id, share in shares]
        lines = tuple((image_class, share) for image_class, share in known if image_class is not None)
        return ShownProbabilities("without this label", lines)

    def next_open(self) -> int | None:
        """The position of the next image that is to be decided, from the end back to the first; None if all are."""
        queue, session, here = self.queue, self._session, self._session.position
        if queue is None or here is None:
            return None
        rows, key = session.view, session.listing.key
        places = chain(range(here + 1, len(rows)), range(here + 1))
        return next((place for place in places if queue.is_open(key(int(rows[place])), session)), None)

    def hint(self, key_of: Callable[[str], str], columns: int) -> list[Piece]:
        """What is asked about the image on screen, and by which keys it is answered; empty if no queue is on.

        Args:
            key_of: The key of a command.
            columns: The room there is; keys that do not fit are left out.
        """
        queue, key = self.queue, self._session.current
        doubt = self.doubt_about(key)
        if queue is None or doubt is None or key is None:
            return []
        ink, keys = self._ink, _keys_of(queue, doubt, key_of)
        questions = _questions(queue, doubt, self._session)
        if queue.kind != "audit" and not queue.is_open(key, self._session):
            questions = [f"{words.rstrip('.?')}: decided." for words in questions]
        room = columns - sum(ink.width(f"  {name} {does}") for name, does in keys)
        question = next((words for words in questions if ink.width(words) <= room), questions[-1])
        pieces: list[Piece] = [(question, None)]
        for name, does in keys:
            room = columns - ink.width("".join(text for text, _ in pieces))
            if ink.width(f"  {name} {does}") <= room:
                pieces += [("  ", None), (name, ink.accent()), (f" {does}", ink.dim())]
        return pieces


def _keys_of(queue: ReviewQueue, doubt: Doubt, key_of: Callable[[str], str]) -> list[tuple[str, str]]:
    if queue.kind == "audit":
        return [(key_of("leave"), "stops")]
    keys = [(key_of("assign_next"), "keeps")] if doubt.said else []
    if doubt.suggested:
        keys.insert(0, (key_of("accept"), "changes"))
    if doubt.twin is not None:
        keys += [(key_of("twin"), "the other"), (key_of("grid"), "both")]
    if queue.kind == "unfamiliar":
        keys += [(key_of("flag"), "flags"), (key_of("skip"), "skips"), (key_of("keep"), "leaves it")]
        keys += [(key_of("grid"), "all")]
    return keys


def _questions(queue: ReviewQueue, doubt: Doubt, session: LabelSession) -> list[str]:
    """The question about an image, in full and shorter."""
    said, suggested = _name(doubt.said, session), _name(doubt.suggested, session)
    if queue.kind == "audit":
        done = f"Audit, {queue.answered:,} of {queue.asked:,} done"
        return [f"{done}: which class is it? Its key answers.", f"{done}: which class is it?"]
    if queue.kind == "duplicate" and doubt.twin is not None:
        twin = printable(doubt.twin.path)
        return [
            f"You said {said}; {twin}, which looks the same, is {suggested}.",
            f"You said {said}; one that looks the same is {suggested}.",
            f"{said}; the other: {suggested}.",
        ]
    if queue.kind == "label":
        sure = "" if doubt.probability is None else f" {percent(doubt.probability)}"
        return [f"You said {said}, the model says {suggested}{sure}.", f"{said}? Model: {suggested}{sure}."]
    if queue.kind == "outlier":
        return [f"You said {said}; no other labelled image looks like it."]
    return ["Unfamiliar: which class is it, or none of these?", "Unfamiliar: none of these?"]


def _name(class_id: int, session: LabelSession) -> str:
    image_class = session.class_of(class_id)
    return "no class" if image_class is None else printable(image_class.name)


def _class_id(state: RowState) -> int:
    return 0 if state.image_class is None else state.image_class.id
