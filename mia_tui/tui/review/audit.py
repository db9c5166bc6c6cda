"""The audit: images that are drawn at random are asked about without showing what was said of them.

What a person chose to label, or a model to be labelled, says nothing about the other images, so only such a sample
tells how many labels or suggestions are right.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mia_tui.active.audit import AuditEstimate, draw_sample, estimate, is_current, percent, percents
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.store.review.audits import AuditDraw, by_model, draws_of, together
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


def estimate_of(audit: AuditDraw) -> AuditEstimate:
    """How many labels or suggestions were right when it was drawn."""
    audited = len(audit.answered)
    return estimate(audit.right, audited, max(audit.drawn_from, audited))


def percents_of(audit: AuditDraw) -> str:
    """The estimate with its interval, such as `95 % (84-99)`."""
    found = estimate_of(audit)
    return f"{percents(found.share, found.low, found.high)})"


def says_something(audit: AuditDraw, session: LabelSession) -> bool:
    """Whether it still says something of the images of now."""
    if audit.kind == "label":
        return is_current(audit.drawn_from, session.counts.labelled)
    left = len(session.rows_of(_STATES["suggestion"])) if session.model else session.counts.unlabelled
    return is_current(audit.drawn_from, left + len(audit.answered))  # these are labels now


def counting(
    rows: Sequence[AuditRow], session: LabelSession, whose: str
) -> tuple[Mapping[AuditKind, AuditDraw], Sequence[AuditDraw]]:
    """The newest draws with an answer, and those that count with them.

    Args:
        rows: All images that were drawn.
        session: The images.
        whose: The model whose suggestions are shown, as `ShownSuggestions` has it.

    Returns:
        Those of labels and of the suggestions shown, and then those of suggestions of other models.
    """
    known: dict[AuditKind, AuditDraw] = {}
    others: list[AuditDraw] = []
    for kind in KINDS:
        for model, draws in by_model(draws_of(rows, kind)).items():
            found = together(draws, lambda draw: says_something(draw, session))
            if found is None:
                continue
            if kind == "label" or model == whose:
                known[kind] = found
            else:
                others.append(found)
    return known, others


def open_audit(rows: Sequence[AuditRow], session: LabelSession) -> AuditDraw | None:
    """The newest draw that can be continued; None if there is none."""
    draws = [draw for kind in KINDS for draw in draws_of(rows, kind)]
    draws.sort(key=lambda draw: draw.drawn_at, reverse=True)
    listed = session.listing
    return next((draw for draw in draws if any(listed.row(row.image) is not None for row in draw.open)), None)


async def read_audits(controller: LabelController) -> list[AuditRow]:
    """All images of a dataset that were ever drawn.

    Raises:
        StoreError: If labels.db cannot be read.
    """
    return await controller.store_thread.read(lambda store: store.audits()) or []


def queue_of(audit: AuditDraw, session: LabelSession) -> ReviewQueue:
    """The images of an audit that are to be answered; those that were skipped before are asked about again, last."""
    listed = {row.image: session.listing.row(row.image) for row in audit.open}
    skipped = {key for key, row in listed.items() if row is not None and session.state_of(row).skipped}
    rows = sorted(audit.open, key=lambda row: row.image in skipped)
    doubts = [Doubt(row.image, row.said_class_id or 0) for row in rows]
    return ReviewQueue("audit", doubts, answered=len(audit.answered), asked_again=skipped)


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


async def draw(controller: LabelController, kind: AuditKind, count: int) -> AuditDraw | None:
    """Draw images at random, and store them with what is said of them now.

    Raises:
        StoreError: If that cannot be written.
    """
    session = controller.session
    among = np.zeros(len(session.listing), np.bool_)
    among[session.rows_of(_STATES[kind])] = True
    draws = [_drawn(session, row) for row in draw_sample(among, count, np.random.default_rng()).tolist()]
    drawn_from = int(among.sum())
    model = controller.suggestions.whose if kind == "suggestion" else None
    await controller.write(
        lambda store: store.draw_audit(draws, kind=kind, drawn_from=drawn_from, model=model),
        f"{counted(len(draws), 'image')} drawn for an audit",
    )
    return next(iter(draws_of(await read_audits(controller), kind)), None)


async def answer(controller: LabelController, key: ImageKey, class_id: int) -> AuditRow | None:
    """Answer about an image, which labels it; returns what was said of it, None if it was not asked about.

    Raises:
        StoreError: If it cannot be written; nothing changed.
    """
    await controller.write(lambda store: store.answer_audit([(key, class_id)]), f"audit of {key.path}")
    rows = [row for row in await read_audits(controller) if row.image == key]
    return rows[-1] if rows else None


def _drawn(session: LabelSession, row: int) -> Draw:
    state, key = session.state_of(row), session.listing.key(row)
    if state.image_class is not None:
        return Draw(key, state.image_class.id)
    assert state.suggestion is not None
    return Draw(key, state.suggestion.id, state.confidence)
