"""How far a dataset is: how many labels and suggestions are right, from audits, and what more labels would bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.audit import percents
from mia_tui.active.outlook import (
    LearningCurve,
    Outlook,
    learning_curve,
    outlook,
    progress_sentence,
    since_sentence,
)
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.store.review.audits import AuditDraw, model_words
from mia_tui.dataset.store.review.records import AuditKind
from mia_tui.errors import DataError
from mia_tui.text import counted, when
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.review.audit import KINDS, counting, estimate_of, open_audit, read_audits, says_something
from mia_tui.tui.review.finder import ask_for_features
from mia_tui.tui.runs.figures.text_plots import Curve, Plot

if TYPE_CHECKING:
    from mia_tui.tui.live.learner import LiveLearner

Rows = NDArray[np.int32]

MORE_LABELS = 40
_MOST_TIMES = 3.0  # the curve goes on to so many times the labels
_POINTS = 24


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a dataset is.

    Attributes:
        labelled: How many images have a label.
        left: How many have none, and were not skipped.
        audits: The newest of labels and of the suggestions shown that has an answer.
        others: Those of suggestions of other models.
        whose: The model whose suggestions are shown, as `ShownSuggestions` has it.
        open: One that can be continued; None if there is none.
        curve: How often heads are wrong that learn from fewer labels; None where that is not known.
        more: What `MORE_LABELS` more labels would bring; None without an audit of suggestions.
        curve_why_not: Why there is no curve, a sentence; empty if there is one.
        labels_since: Labels that were given or changed after those of the audit of labels were drawn.
    """

    labelled: int
    left: int
    audits: Mapping[AuditKind, AuditDraw]
    others: Sequence[AuditDraw]
    whose: str
    open: AuditDraw | None
    curve: LearningCurve | None
    more: Outlook | None
    curve_why_not: str
    labels_since: int = 0

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        found = {kind: estimate_of(audit) for kind, audit in self.audits.items()}
        more = self.more if self.more is not None and self.more.share is not None else None
        return progress_sentence(self.labelled, found.get("suggestion"), found.get("label"), more)


async def read_progress(controller: LabelController) -> Progress:
    """How far a dataset is now. The curve is computed in the thread of the live suggestions.

    Raises:
        StoreError: If labels.db cannot be read.
    """
    session = controller.session
    audits = await read_audits(controller)
    class_ids, _, active = session.label_arrays()
    why_not = ""
    try:
        curve = await controller.live.ask(
            lambda learner: _curve(learner, np.where(active[class_ids], class_ids, 0).astype(np.int32)),
            untrained=True,
        )
    except DataError:
        curve, why_not = None, ask_for_features(controller)
    whose = controller.suggestions.whose
    labelled, (known, others) = session.counts.labelled, counting(audits, session, whose)
    more, left = None, session.counts.left
    if "suggestion" in known and left:
        more = outlook(estimate_of(known["suggestion"]), curve, min(MORE_LABELS, left), max(1, labelled))
    if curve is None and not why_not:
        why_not = "A curve needs more labels, of two classes."
    since, audit = 0, known.get("label")
    if audit is not None:
        drawn_at = audit.drawn_at
        since = await controller.store_thread.read(lambda store: store.labels_since(drawn_at)) or 0
    waiting = open_audit(audits, session)
    return Progress(labelled, left, known, others, whose, waiting, curve, more, why_not, since)


def lines_of(progress: Progress, session: LabelSession) -> list[str]:
    """What stands above the curve, line by line."""
    lines = []
    for kind in KINDS:
        audit = progress.audits.get(kind)
        if audit is None and kind == "suggestion" and not progress.left:
            continue  # there are none
        words = "Labels" if kind == "label" else model_words(progress.whose)
        if audit is None:
            lines.append(f"{words}: none was audited, so how many are right is not known.")
            continue
        lines.append(_audit_line(words, audit))
        if not says_something(audit, session):
            lines.append("The images are others now than those it was drawn from: audit again.")
        elif kind == "label" and progress.labels_since:
            lines.append(since_sentence(progress.labels_since))
    lines += [_audit_line(model_words(audit.model), audit) for audit in progress.others]
    if progress.open is not None and progress.open.answered:
        left = counted(len(progress.open.open), "image of the audit has", "images of the audit have")
        lines.append(f"{left} no answer: these may be the hard ones.")
    more = progress.more
    if more is not None and more.share is not None:
        lines.append(f"With {more.more:,} more labels {percents(more.share, more.low, more.high)}).")
    elif more is not None:
        lines.append(f"What more labels bring cannot be told: {more.why_not}.")
    if progress.audits or progress.others:
        lines.append("In brackets: what is likely for all images (95 %).")
    lines.append(
        "Only a random sample tells how many are right: images that you or the program chose do not."
    )
    return lines


def _audit_line(words: str, audit: AuditDraw) -> str:
    found, at = estimate_of(audit), when(audit.drawn_at)
    return f"{words}: {found.right:,} of {found.audited:,} right, drawn from {found.population:,} on {at}."


def plot_of(progress: Progress) -> Plot | None:
    """The learning curve, and how it goes on from the audit; None without one."""
    curve = progress.curve
    if curve is None:
        return None
    known = Curve("labels held out", curve.labels.astype(np.float64), 100 * (1 - curve.errors), "line")
    curves, audit = [known], progress.audits.get("suggestion")
    if audit is not None and progress.labelled:
        labels = np.linspace(progress.labelled, _MOST_TIMES * progress.labelled, _POINTS)
        found = [
            outlook(estimate_of(audit), curve, round(count) - progress.labelled, progress.labelled)
            for count in labels
        ]
        shares = np.array([np.nan if each.share is None else 100 * each.share for each in found])
        if np.isfinite(shares).any():
            curves.append(Curve("suggestions, expected", labels, shares, "dashes"))
    return Plot("% right", "labels", tuple(curves))


def _curve(learner: "LiveLearner", class_ids: Rows) -> LearningCurve | None:
    suggester, places = learner.suggester, learner.places
    rows = np.flatnonzero((class_ids[: len(places)] > 0) & (places >= 0))
    groups = None if suggester.groups is None else suggester.groups[places[rows]]
    return learning_curve(suggester.points[places[rows]], class_ids[rows], groups)
