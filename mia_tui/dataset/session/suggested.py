"""What models suggest: the suggestions of one network, and its classes matched by name with those of the dataset."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.session.class_list import ClassList

NEW_COLOUR = "#808080"
"""Of classes that the dataset does not have: no class has a grey by itself."""


@dataclass(frozen=True, eq=False)
class ModelSuggestions:
    """What one model suggests for images of a dataset.

    Attributes:
        model: What people call it.
        classes: Names, in the order of the network; the dataset may have other classes.
        keys: The images.
        best: Position in `classes` of the most likely class of each, int32, shape (N,).
        confidences: Its probability, float32, shape (N,); NaN where that is not known.
        unfamiliar: How far each is from all classes, float32, shape (N,): above 1 it is unlike all of them; NaN where
            that is not known. None if it is known of none.
        unsure: Whether the probability of each is below the threshold of its class, bool, shape (N,); None for none.
        left_out: How many images of stacks had suggestions that cannot be shown: an earlier version made them for
            pages, whose frames are not known, or which are one image now and were suggested to be different.
    """

    model: str
    classes: tuple[str, ...]
    keys: list[ImageKey]
    best: NDArray[np.int32]
    confidences: NDArray[np.float32]
    unfamiliar: NDArray[np.float32] | None = None
    unsure: NDArray[np.bool_] | None = None
    left_out: int = 0


class SuggestedClasses:
    """The classes of a model. In tables, a suggestion is a number: 0 for none, else its class's position from 1.

    Names are matched with those of the dataset's classes, archived ones too. Where the person renames a class that
    was matched, it stays matched.

    Args:
        model: What people call the model; empty for none.
        names: Of its classes.
    """

    def __init__(self, model: str = "", names: Sequence[str] = ()) -> None:
        self.model = model
        self._names = tuple(map(class_name, names))
        self._ids = np.zeros(len(self._names) + 1, np.int32)
        self._matched = -1  # version of the classes

    def ids(self, classes: ClassList) -> NDArray[np.int32]:
        """By number, the id of the dataset's class; 0 for none and for classes that the dataset does not have."""
        if self._matched != classes.version:
            self._matched = classes.version
            for number, name in enumerate(self._names, 1):
                before = int(self._ids[number])
                same_name = classes.named(name)
                still = before if classes.of(before) is not None else 0
                self._ids[number] = still if same_name is None else same_name.id
        return self._ids

    def match_anew(self, classes: ClassList) -> None:
        """Match names only: other classes may have the same ids now."""
        self._ids[:], self._matched = 0, -1
        self.ids(classes)

    def new(self, classes: ClassList) -> tuple[str, ...]:
        """The classes that the dataset does not have."""
        return tuple(
            name for name, known in zip(self._names, self.ids(classes)[1:].tolist(), strict=True) if not known
        )

    def shown(self, number: int, classes: ClassList) -> ImageClass | None:
        """The class of a suggestion, one with the id 0 if the dataset does not have it; None if it is archived."""
        if not number:
            return None
        known = int(self.ids(classes)[number])
        return (
            classes.active_of(known) if known else ImageClass(0, self._names[number - 1], NEW_COLOUR, None, 0)
        )

    def are_shown(self, classes: ClassList) -> NDArray[np.bool_]:
        """By number, whether there is a suggestion and its class is not archived."""
        shown = np.array([known == 0 or classes.is_active(known) for known in self.ids(classes).tolist()])
        shown[0] = False
        return shown

    def meanings(self, other: "SuggestedClasses", classes: ClassList) -> tuple[NDArray[np.int32], ...]:
        """By number of this model and of another, a number for each class: the same for the same class."""
        new: dict[str, int] = {}

        def of(model: SuggestedClasses) -> NDArray[np.int32]:
            found = model.ids(classes).copy()
            for number in np.flatnonzero(found[1:] == 0) + 1:
                found[number] = -1 - new.setdefault(model._names[number - 1], len(new))
            return found

        return of(self), of(other)
