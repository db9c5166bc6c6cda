"""A page of look-alikes while somebody looks at it: what each image would get, and what was changed.

An image gets the class of the page, unless its letter was pressed: then its next best class, and behind the last one
none. The key of a class gives it that one.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from mia_tui.dataset.model import ImageKey

MOST = 24
"""Images on a page: each can be seen at a glance, and has a letter."""

_MOST_GUESSES = 10
"""Classes that a letter leads through; the others have keys."""


class Guess(NamedTuple):
    """A class that an image may have.

    Attributes:
        class_id: The class.
        probability: How probable it is, 0 to 1; None if that is not known.
    """

    class_id: int
    probability: float | None


@dataclass(frozen=True)
class LookAlike:
    """An image of a page.

    Attributes:
        key: The image.
        guesses: Its classes, that of the page first, then the others, the most probable first.
    """

    key: ImageKey
    guesses: tuple[Guess, ...]


class LookAlikePage:
    """Images that are suggested to be of one class, and what the person says of them.

    Args:
        class_id: The class.
        images: The surest, or the nearest, first.
        like: The image that they are like; None for a page of a class.

    Attributes:
        position: Of the cursor.
        marked: Positions of the marked images, which wait for a class.
    """

    def __init__(self, class_id: int, images: Sequence[LookAlike], like: ImageKey | None = None) -> None:
        self.class_id, self.like = class_id, like
        self.images = tuple(images)
        self.position = 0
        self.marked: set[int] = set()
        self._at = [0] * len(images)  # in the guesses of each; behind the last one: none
        self._given: dict[int, int] = {}  # by the key of a class
        self._before: tuple[int, int | None] = (0, None)  # the last one that a letter changed

    def __len__(self) -> int:
        return len(self.images)

    @property
    def keys(self) -> tuple[ImageKey, ...]:
        """The images."""
        return tuple(image.key for image in self.images)

    def cut(self, count: int) -> None:
        """Keep only so many images: a smaller window has no room for more, and they come with a later page."""
        if count < len(self):
            self.images = self.images[:count]
            self.marked = {position for position in self.marked if position < count}
            self.move_to(self.position)

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was changed on it."""
        return not (any(self._at) or self._given or self.marked)

    def class_of(self, position: int) -> int | None:
        """The class that an image gets; None for none."""
        if position in self._given:
            return self._given[position]
        guesses = self.images[position].guesses
        at = self._at[position]
        return guesses[at].class_id if at < len(guesses) else None

    def probability_of(self, position: int) -> float | None:
        """How probable that class is; None if that is not known."""
        wanted = self.class_of(position)
        guesses = self.images[position].guesses
        return next((guess.probability for guess in guesses if guess.class_id == wanted), None)

    def move_to(self, position: int) -> bool:
        """Move the cursor, at most to the end; returns whether it moved."""
        before, self.position = self.position, max(0, min(len(self) - 1, position))
        return self.position != before

    def next_class(self, position: int) -> int | None:
        """Give an image its next best class, behind the last one none, and then that of the page again."""
        self._before = self._at[position], self._given.get(position)
        guesses = self.images[position].guesses
        self._given.pop(position, None)
        self.marked.discard(position)
        self._at[position] = (self._at[position] + 1) % (len(guesses) + 1)
        return self.class_of(position)

    def take_back(self, position: int) -> None:
        """Take back what `next_class` did last: the click was the first of a double one."""
        at, given = self._before
        self._at[position] = at
        if given is not None:
            self._given[position] = given

    def give(self, positions: Sequence[int], class_id: int) -> None:
        """Give images a class, and remove their marks."""
        for position in positions:
            self._given[position] = class_id
            self.marked.discard(position)

    def leave_out(self, position: int) -> bool:
        """Leave an image without a class; again: it gets that of the page. Returns whether it is left out now."""
        is_out = self.class_of(position) is None
        self._given.pop(position, None)
        self.marked.discard(position)
        self._at[position] = 0 if is_out else len(self.images[position].guesses)
        return not is_out

    def toggle_mark(self, position: int) -> None:
        """Mark an image, or remove its mark."""
        self.marked ^= {position}

    def labels(self, leave_out: Set[int] = frozenset()) -> tuple[list[ImageKey], list[tuple[ImageKey, int]]]:
        """What is to be written: images that get the class of the page, and others with the class that each gets.

        Args:
            leave_out: Positions of images that get nothing, as marked ones do not.
        """
        taken: list[ImageKey] = []
        corrected: list[tuple[ImageKey, int]] = []
        for position, image in enumerate(self.images):
            class_id = self.class_of(position)
            if class_id is None or position in self.marked or position in leave_out:
                continue
            if class_id == self.class_id:
                taken.append(image.key)
            else:
                corrected.append((image.key, class_id))
        return taken, corrected


def ranked(class_id: int, known: Sequence[Guess], others: Sequence[int] = ()) -> tuple[Guess, ...]:
    """The guesses for an image of a page: its class first.

    Args:
        class_id: Of the page.
        known: Classes with probabilities, in any order.
        others: Classes that nothing is known of, in their order; they come last.
    """
    by_class = {guess.class_id: guess for guess in known}
    rest = sorted(
        (guess for guess in known if guess.class_id != class_id),
        key=lambda guess: -(guess.probability or 0.0),
    )
    unknown = [Guess(other, None) for other in others if other not in by_class and other != class_id]
    return (by_class.get(class_id, Guess(class_id, None)), *rest, *unknown)[:_MOST_GUESSES]


def tile_letters(count: int, class_keys: Set[str]) -> str:
    """A letter for each tile that is no key of a class: small ones if there are enough, else capital ones.

    Args:
        count: Tiles.
        class_keys: Keys of classes; where most letters are among them, some tiles have none.
    """
    small, large = (
        "".join(letter for letter in letters if letter not in class_keys)
        for letters in (ascii_lowercase, ascii_uppercase)
    )
    if len(small) >= count:
        return small[:count]
    return (large if len(large) >= count else small + large)[:count]
