"""The classes of a dataset as the labelling screen needs them: in order, by id, by key."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.model import ImageClass

_SORTED_FAST = 2**16 - 1  # numpy sorts 16 bits ten times as fast as 32


class ClassList:
    """All classes, archived ones too, and which is the current one.

    Attributes:
        active: Those that are not archived, in order.
        current: Id of the class that F1 assigns; None while there is no class.
        version: Another number after each change.
    """

    def __init__(self) -> None:
        self._classes: dict[int, ImageClass] = {}
        self.active: tuple[ImageClass, ...] = ()
        self.current: int | None = None
        self.version = 0
        self._by_name: dict[str, ImageClass] = {}

    def replace(self, classes: Iterable[ImageClass]) -> None:
        """Replace all classes."""
        self._classes = {image_class.id: image_class for image_class in classes}
        self._update({})

    def change(self, changes: Iterable[tuple[int, ImageClass | None]], merged: dict[int, int]) -> None:
        """Apply changes.

        Args:
            changes: Id and new state of each class; None if it was removed.
            merged: For a merged class, the id of the class that its labels went to.
        """
        for class_id, image_class in changes:
            if image_class is None:
                self._classes.pop(class_id, None)
            else:
                self._classes[class_id] = image_class
        self._update(merged)

    def choose(self, class_id: int) -> None:
        """Make a class the current one; nothing happens if it is not active."""
        if self.is_active(class_id):
            self.current = class_id

    def of(self, class_id: int) -> ImageClass | None:
        """A class, archived or not."""
        return self._classes.get(class_id)

    def named(self, name: str) -> ImageClass | None:
        """The class with this name, archived or not."""
        return self._by_name.get(name)

    def active_of(self, class_id: int) -> ImageClass | None:
        image_class = self._classes.get(class_id)
        return None if image_class is None or image_class.archived else image_class

    def is_active(self, class_id: int) -> bool:
        return self.active_of(class_id) is not None

    def of_key(self, char: str) -> ImageClass | None:
        """The active class with a key. An upper-case letter means the lower-case one if no class has it as key."""
        by_key = {image_class.key: image_class for image_class in self.active}
        return by_key.get(char) or by_key.get(char.lower())

    def are_active(self, ids: int) -> NDArray[np.bool_]:
        """For each id below a number, whether it is an active class; never for 0."""
        active = np.zeros(max(ids, 1), np.bool_)
        active[[image_class.id for image_class in self.active if image_class.id < ids]] = True
        return active

    def places(self, ids: int) -> NDArray[Any]:
        """For each id below a number, its position in the order; after all others if it is not active."""
        last = len(self.active)
        places = np.full(max(ids, 1), last, np.uint16 if last <= _SORTED_FAST else np.uint32)
        for place, image_class in enumerate(self.active):
            if image_class.id < ids:
                places[image_class.id] = place
        return places

    def _update(self, merged: dict[int, int]) -> None:
        """Sort again. If the current class is gone, the one it was merged into is current, else its neighbour."""
        place = next((n for n, image_class in enumerate(self.active) if image_class.id == self.current), 0)
        self.version += 1
        self._by_name = {found.name: found for found in self._classes.values()}
        by_position = sorted(self._classes.values(), key=lambda found: (found.position, found.id))
        self.active = tuple(found for found in by_position if not found.archived)
        if self.current is not None and self.is_active(self.current):
            return
        merged_into = None if self.current is None else merged.get(self.current)
        if merged_into is not None and self.is_active(merged_into):
            self.current = merged_into
        else:
            self.current = self.active[min(place, len(self.active) - 1)].id if self.active else None


def class_of_dict(fields: object) -> ImageClass | None:
    """A class from its form in the history; None is none."""
    return ImageClass(**fields) if isinstance(fields, dict) else None
