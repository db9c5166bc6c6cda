"""The audit: images that are drawn at random are asked about without showing what was said of them.

What a person chose to label, or a model to be labelled, says nothing about the other images, so only such a sample
tells how many labels or suggestions are right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mia_tui.active.audit import Estimate, draw_sample, estimate, is_current, percent, percents
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.store.review.records import AuditKind, AuditRow, Draw
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.review.queue import Doubt, ReviewQueue
from mia_tui.tui.widgets.ink import Ink

KINDS: tuple[AuditKind, ...] = ("suggestion", "label")
_STATES = {"suggestion": Filter("suggested"), "label": Filter("labelled")}
_SIZES = (40, 80, 160)
_SUPPOSED = 0.95  # share of right ones, to say how exact an audit will be


@dataclass(frozen=True)
class Audit:
    """One sample that was drawn.

    Attributes:
        kind: Whether of labels or of suggestions.
        rows: Its images, in the order in which they are asked.
        drawn_at: Unix seconds.
        drawn_from: How many images there were to be drawn.
    """

    kind: AuditKind
    rows: tuple[AuditRow, ...]
    drawn_at: float
    drawn_from: int

    @property
    def answered(self) -> list[AuditRow]:
        """Images that were answered."""
        return [row for row in self.rows if row.answer is not None]

    @property
    def open(self) -> list[AuditRow]:
        """Images that are still to be answered."""
        return [row for row in self.rows if row.answer is None]

    @property
    def estimate(self) -> Estimate:
        """How many labels or suggestions were right when it was drawn."""
        right = sum(row.is_right is True for row in self.rows)
        return estimate(right, len(self.answered), max(self.drawn_from, len(self.answered)))

    @property
    def percents(self) -> str:
        """The estimate with its interval, such as `95 % (84-99)`."""
        found = self.estimate
        return f"{percents(found.share, found.low, found.high)})"

    def is_current(self, session: LabelSession) -> bool:
        """Whether it still says something of the images of now."""
        now = len(session.rows_of(_STATES[self.kind]))
        own = len(self.answered) if self.kind == "suggestion" else 0  # they are labels now
        return is_current(self.drawn_from, now + own)


def audits_of(rows: Sequence[AuditRow]) -> list[Audit]:
    """The samples that these images were drawn in, the newest first."""
    drawn: dict[tuple[float, AuditKind], list[AuditRow]] = {}
    for row in rows:
        drawn.setdefault((row.drawn_at, row.kind), []).append(row)
    return [
        Audit(kind, tuple(its), drawn_at, its[0].drawn_from)
        for (drawn_at, kind), its in sorted(drawn.items(), reverse=True)
    ]


def newest(audits: Sequence[Audit]) -> Mapping[AuditKind, Audit]:
    """Of labels and of suggestions, the newest one with an answer."""
    return {audit.kind: audit for audit in reversed(audits) if audit.answered}


def open_audit(audits: Sequence[Audit], session: LabelSession) -> Audit | None:
    """The newest one that can be continued; None if there is none."""
    listed = session.listing
    return next(
        (audit for audit in audits if any(listed.row(row.image) is not None for row in audit.open)), None
    )


async def read_audits(controller: LabelController) -> list[Audit]:
    """All of a dataset, the newest first.

    Raises:
        StoreError: If labels.db cannot be read.
    """
    return audits_of(await controller.store_thread.read(lambda store: store.audits()) or [])


def queue_of(audit: Audit) -> ReviewQueue:
    """The images of an audit that are to be answered."""
    doubts = [Doubt(row.image, row.said_class_id or 0) for row in audit.open]
    return ReviewQueue("audit", doubts, answered=len(audit.answered))


def size_dialog(session: LabelSession, ink: Ink) -> PickDialog[tuple[AuditKind, int]] | None:
    """Asks what to draw, and how many; None if there is nothing to draw."""
    choices: list[Choice[tuple[AuditKind, int]]] = []
    for kind in KINDS:
        drawn_from = len(session.rows_of(_STATES[kind])) if kind == "label" or session.model else 0
        sizes = [size for size in _SIZES if size < drawn_from] or ([drawn_from] if drawn_from else [])
        for size in sizes:
            supposed = estimate(round(_SUPPOSED * size), size, drawn_from)
            sure = f"95 % right would be {percent(supposed.low)}-{percent(supposed.high)}"
            choices.append(Choice(f"{size} of {counted(drawn_from, kind)} ({sure})", (kind, size)))
    if not choices:
        return None
    hint = "{ok} draws them at random and asks: a key each. {cancel} changes nothing."
    return PickDialog("Audit what, and how many?", choices, ink, hint=hint, searchable=False)


async def draw(controller: LabelController, kind: AuditKind, count: int) -> Audit:
    """Draw images at random, and store them with what is said of them now.

    Raises:
        StoreError: If that cannot be written.
    """
    session = controller.session
    among = np.zeros(len(session.listing), np.bool_)
    among[session.rows_of(_STATES[kind])] = True
    draws = [_drawn(session, row) for row in draw_sample(among, count, np.random.default_rng()).tolist()]
    drawn_from = int(among.sum())
    await controller.write(
        lambda store: store.draw_audit(draws, kind=kind, drawn_from=drawn_from),
        f"{counted(len(draws), 'image')} drawn for an audit",
    )
    return (await read_audits(controller))[0]


async def answer(controller: LabelController, key: ImageKey, class_id: int) -> AuditRow | None:
    """Answer about an image, which labels it; returns what was said of it, None if it was not asked about.

    Raises:
        StoreError: If it cannot be written; nothing changed.
    """
    await controller.write(lambda store: store.answer_audit([(key, class_id)]), f"audit of {key.path}")
    rows = [row for audit in await read_audits(controller) for row in audit.rows if row.image == key]
    return rows[0] if rows else None


def _drawn(session: LabelSession, row: int) -> Draw:
    state, key = session.state_of(row), session.listing.key(row)
    if state.image_class is not None:
        return Draw(key, state.image_class.id)
    assert state.suggestion is not None
    return Draw(key, state.suggestion.id, state.confidence)
