"""Audits: the images of a draw together, and those draws that still say something."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mia_tui.dataset.store.review.records import AuditKind, AuditRow
from mia_tui.text import printable


@dataclass(frozen=True)
class AuditDraw:
    """Images that were drawn together, or in several draws that count together.

    Attributes:
        kind: Whether labels or suggestions are audited.
        rows: The images, in the order in which they are to be asked.
        drawn_at: When the first were drawn, Unix seconds.
        drawn_from: How many images could have been drawn.
    """

    kind: AuditKind
    rows: tuple[AuditRow, ...]
    drawn_at: float
    drawn_from: int

    @property
    def model(self) -> str | None:
        """Whose suggestions they are, as `AuditRow` has it."""
        return self.rows[0].model

    @property
    def answered(self) -> list[AuditRow]:
        """Images that have an answer."""
        return [row for row in self.rows if row.answer is not None]

    @property
    def open(self) -> list[AuditRow]:
        """Images that are still to be answered."""
        return [row for row in self.rows if row.answer is None]

    @property
    def right(self) -> int:
        """Of how many the answer is what was said."""
        return sum(row.is_right is True for row in self.rows)


LIVE = "live"
"""What an audit calls the suggestions that are learned from the labels; they are not told apart by how many."""


def live_model(network: str = "") -> str:
    """What an audit calls those that are learned from the features of a trained network."""
    return f"{LIVE} with {network}" if network else LIVE


def model_words(model: str | None) -> str:
    """Whose suggestions were audited, in words: `Live suggestions`, `Suggestions of RUN`."""
    if model is None:
        return "Suggestions (whose was not noted)"
    if model == LIVE or model.startswith(f"{LIVE} with "):
        return f"Live suggestions{printable(model.removeprefix(LIVE))}"
    return f"Suggestions of {printable(model)}" if model else "Suggestions"


def by_model(draws: Sequence[AuditDraw]) -> dict[str | None, list[AuditDraw]]:
    """Draws by the model whose suggestions they audit, each in their order."""
    found: dict[str | None, list[AuditDraw]] = {}
    for draw in draws:
        found.setdefault(draw.model, []).append(draw)
    return found


def draws_of(rows: Sequence[AuditRow], kind: AuditKind) -> list[AuditDraw]:
    """The draws of a kind, the newest first."""
    drawn: dict[float, list[AuditRow]] = {}
    for row in rows:
        if row.kind == kind:
            drawn.setdefault(row.drawn_at, []).append(row)
    return [
        AuditDraw(kind, tuple(its), drawn_at, its[0].drawn_from)
        for drawn_at, its in sorted(drawn.items(), reverse=True)
    ]


def together(draws: Sequence[AuditDraw], is_current: Callable[[AuditDraw], bool]) -> AuditDraw | None:
    """The newest draw that has an answer, and all current ones with it; None if nothing was answered.

    Draws that follow each other are one sample of the images of the first, as long as these are much the same.
    What was said may have become better from one to the next, so together they say rather too little.

    Args:
        draws: Of one kind and one model, the newest first.
        is_current: Whether a draw still says something of the images of now.
    """
    answered = [draw for draw in draws if draw.answered]
    if not answered:
        return None
    counted = [answered[0], *filter(is_current, answered[1:])] if is_current(answered[0]) else answered[:1]
    oldest_first = counted[::-1]
    return AuditDraw(
        answered[0].kind,
        tuple(row for draw in oldest_first for row in draw.rows),
        oldest_first[0].drawn_at,
        max(draw.drawn_from for draw in counted),
    )
