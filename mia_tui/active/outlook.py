"""What more labels would bring: a learning curve from refits on parts of the labels, and its extrapolation.

The error of a head falls about as a power of the number of labels, error = a labels^-b (Hestness 2017). The exponent
b is found from the labels: heads that learn from random parts of them say the others. How many suggestions are right
is not: labelled images were chosen, so that comes from the audit. An interval joins both uncertainties.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.audit import AuditEstimate, percent, percents
from mia_tui.active.head import RidgeHead
from mia_tui.active.suggester import Rows
from mia_tui.text import counted

_SHARES = (0.15, 0.25, 0.4, 0.6, 0.8)
_DRAWS = 12  # random parts of each size
_MOST_LABELS = 4000  # of more labels, a random part
_FEWEST_LABELS = 24
_FEWEST_GROUPS = 2 * len(_SHARES)  # of images that belong together, else parts of them are too alike
_RESAMPLES = 200
_FEWEST_AUDITED = 20
_MOST_TIMES = 3.0  # an extrapolation to more than so many times the labels is not to be trusted


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """How often heads are wrong that learned from fewer labels.

    Attributes:
        labels: Numbers of labels, ascending; the last is all of them.
        errors: Share of wrong ones among the other labelled images, float64.
        exponents: Of the power law, by resampling images and parts: float64, shape (resamples,).
    """

    labels: Rows
    errors: NDArray[np.float64]
    exponents: NDArray[np.float64]


@dataclass(frozen=True)
class Outlook:
    """The share of suggestions that would be right with more labels.

    Attributes:
        more: How many more labels.
        share: About how many would be right, 0 to 1; None if that cannot be told.
        low: Lower end of its interval.
        high: Its upper end.
        why_not: Why it cannot be told, as a phrase; empty if it can.
    """

    more: int
    share: float | None
    low: float
    high: float
    why_not: str = ""


def learning_curve(
    points: NDArray[np.float32], class_ids: Rows, groups: Rows | None = None, seed: int = 0
) -> LearningCurve | None:
    """Learn from parts of the labels; None where there are too few of them, or of groups, or no two classes.

    Args:
        points: Of the labelled images, shape (M, dims).
        class_ids: Their classes.
        groups: Equal numbers for images that belong together, shape (M,).
        seed: Of the parts.
    """
    rng = np.random.default_rng(seed)
    if len(class_ids) > _MOST_LABELS:
        some = np.sort(rng.choice(len(class_ids), _MOST_LABELS, replace=False))
        points, class_ids = points[some], class_ids[some]
        groups = None if groups is None else groups[some]
    classes, positions = np.unique(class_ids, return_inverse=True)
    together = np.arange(len(points)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(points) < _FEWEST_LABELS or len(classes) < 2 or together.max() + 1 < _FEWEST_GROUPS:
        return None
    tried, wrong = _tries(points, positions.astype(np.int32), len(classes), together.astype(np.int32), rng)
    labels = len(points) - tried.sum(axis=2).mean(axis=1)
    labels[-1] = len(points)
    # Groups are drawn anew with replacement, and so are the parts of each size.
    weights = rng.multinomial(
        together.max() + 1, np.full(together.max() + 1, 1 / (together.max() + 1)), _RESAMPLES
    )
    found = np.array([_errors(tried, wrong, each[together], rng) for each in weights])
    logs = np.log(np.maximum(found, 0.5 / len(points)))  # half an error keeps the logarithm finite
    along = np.log(labels) - np.log(labels).mean()
    exponents = -(logs * along).sum(axis=1) / np.square(along).sum()
    errors = wrong.sum(axis=(1, 2)) / tried.sum(axis=(1, 2))
    return LearningCurve(np.round(labels).astype(np.int32), errors, exponents)


def outlook(found: AuditEstimate, curve: LearningCurve | None, more: int, labelled: int) -> Outlook:
    """How many suggestions would be right with more labels.

    Args:
        found: Of the audit of suggestions.
        curve: From the labels of now; None if there is none.
        more: How many more labels.
        labelled: How many there are now.
    """
    why_not = _why_not(found, curve, more, labelled)
    if why_not or curve is None:
        return Outlook(more, None, 0.0, 1.0, why_not)
    growth = np.log((labelled + more) / labelled)
    few, middle, many = np.quantile(curve.exponents, (0.025, 0.5, 0.975))
    error = (found.audited - found.right) / found.audited
    best = 1 - (1 - found.high) * float(np.exp(-max(many, 0.0) * growth))
    worst = 1 - (1 - found.low) * float(np.exp(-max(few, 0.0) * growth))
    return Outlook(more, 1 - error * float(np.exp(-max(middle, 0.0) * growth)), worst, best)


def progress_sentence(
    labelled: int,
    suggestions: AuditEstimate | None = None,
    labels: AuditEstimate | None = None,
    more: Outlook | None = None,
) -> str:
    """How far a dataset is, in one line: `Labelled 180 · suggestions right: 95 % (84-99, from 40 audited) · …`."""
    parts = [f"Labelled {labelled:,}"]
    for what, found in (("labels right", labels), ("suggestions right", suggestions)):
        if found is not None and found.audited:
            share = percents(found.share, found.low, found.high)
            parts.append(f"{what}: {share}, from {found.audited:,} audited)")
    if more is not None:
        if more.share is None:
            parts.append(f"what more labels bring cannot be told: {more.why_not}")
        else:
            parts.append(f"{more.more:,} more labels: about {percent(more.share)} %")
    return " · ".join(parts)


def since_sentence(labels: int) -> str:
    """That an audit of labels says nothing of those that came after it."""
    be = "was" if labels == 1 else "were"
    return (
        f"{counted(labels, 'label')} {be} given or changed after that, of which it says nothing: audit again."
    )


def _why_not(found: AuditEstimate, curve: LearningCurve | None, more: int, labelled: int) -> str:
    if found.audited < _FEWEST_AUDITED:
        return f"fewer than {_FEWEST_AUDITED} suggestions are audited"
    if curve is None:
        return (
            f"there are fewer than {_FEWEST_LABELS} labels of two classes, or they are of fewer than "
            f"{_FEWEST_GROUPS} slides or files"
        )
    if labelled + more > _MOST_TIMES * labelled:
        return "that is too many more for the labels that there are"
    if np.quantile(curve.exponents, 0.025) <= 0:
        return "with fewer labels, suggestions were not surely worse than now"
    return ""


def _tries(
    points: NDArray[np.float32], positions: Rows, classes: int, together: Rows, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which images each head was tried on, and of which it said another class, shape (sizes, draws, M).

    The heads of the last size learned from all other groups.
    """
    number = int(together.max()) + 1
    tried = np.ones((len(_SHARES) + 1, _DRAWS, len(points)), np.bool_)
    said = np.empty(tried.shape, np.intp)
    for size, share in enumerate(_SHARES):
        for draw in range(_DRAWS):
            part = rng.permutation(number)[: max(2, round(share * number))]
            tried[size, draw] = left = ~np.isin(together, part)
            present, own = np.unique(positions[~left], return_inverse=True)
            head = RidgeHead.fit(points[~left], own.astype(np.int32), len(present))
            said[size, draw] = present[head.scores(points).argmax(axis=1)]
    head, everyone = RidgeHead.fit(points, positions, classes), np.arange(len(points), dtype=np.int32)
    said[-1] = head.held_out(points, positions, together, everyone).argmax(axis=1)
    return tried, tried & (said != positions)


def _errors(
    tried: NDArray[np.bool_], wrong: NDArray[np.bool_], weights: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """The share of wrong ones for each size, with images that count so many times, of some of the draws."""
    draws = rng.integers(_DRAWS, size=_DRAWS)
    shares: NDArray[np.float64] = (wrong[:, draws] @ weights).sum(axis=1) / (tried[:, draws] @ weights).sum(
        axis=1
    )
    return shares
