"""An order of classes in which those that are confused are neighbours, for the confusion matrix."""

import numpy as np
import numpy.typing as npt

_Counts = npt.NDArray[np.int64]
_Numbers = npt.NDArray[np.float64]

MOST_ORDERED = 1000
"""More classes stay in their own order: the time grows with the square of their number."""


def likeness_order(counts: _Counts) -> tuple[int, ...]:
    """Positions of the classes so that those that are confused most stand beside each other.

    Groups of classes are joined two at a time, those first of which most is confused (average linkage), each turned
    round so that the classes that meet are the ones confused most. Groups with nothing in common stay in the order of
    their first classes, so without a confusion this is the order of the classes.

    Args:
        counts: Shape (C, C), integers; rows are the truth, columns the predictions.

    Source: hierarchical clustering with its leaves ordered at each join, as in Gruvaeus and Wainer, "Two additions to
        hierarchical cluster analysis", 1972.
    """
    size = len(counts)
    if size > MOST_ORDERED:
        return tuple(range(size))
    likeness = _likeness(counts)
    groups: dict[int, list[int]] = {place: [place] for place in range(size)}
    between = likeness.copy()  # mean likeness of the classes of two groups
    highest = between.max(axis=1, initial=0.0)
    while len(groups) > 1:
        one = int(highest.argmax())
        if highest[one] <= 0:
            break
        other = int(between[one].argmax())
        sizes = len(groups[one]), len(groups[other])
        groups[one] = _joined(groups[one], groups.pop(other), likeness)
        merged = (between[one] * sizes[0] + between[other] * sizes[1]) / sum(sizes)
        merged[[one, other]] = 0.0
        between[one], between[:, one] = merged, merged
        between[other], between[:, other] = 0.0, 0.0
        highest = between.max(axis=1)
    ordered = [group if group[0] <= group[-1] else group[::-1] for group in groups.values()]
    return tuple(place for group in sorted(ordered, key=min) for place in group)


def _likeness(counts: _Counts) -> _Numbers:
    """How much each two classes are confused, as shares of their images, added up; shape (C, C), float64."""
    truth = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, truth, out=np.zeros(counts.shape), where=truth > 0)
    likeness: _Numbers = shares + shares.T
    np.fill_diagonal(likeness, 0.0)
    return likeness


def _joined(one: list[int], other: list[int], likeness: _Numbers) -> list[int]:
    """Two groups as one, each as it is or turned round, so that the two classes that meet are the most alike."""
    ways = [(left, right) for left in (one, one[::-1]) for right in (other, other[::-1])]
    left, right = max(ways, key=lambda way: likeness[way[0][-1], way[1][0]])
    return [*left, *right]
