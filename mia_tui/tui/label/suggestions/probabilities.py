"""The probabilities of all classes for the image on screen: from the network that is asked, from what was learned
live, else from the disk.

What lies around the image seen last is in memory; other images are looked for in a thread, of which only the newest
matters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.session.session import RowState
from mia_tui.dataset.session.suggested import NEW_COLOUR
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.suggestions.asked_network import AskedNetwork

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from mia_tui.runs.prediction.probabilities import ClassProbabilities, ProbabilityFile

_MOST_CLASSES = 3
_LEAST_SHOWN = 0.005  # rounds to 1 %

ONLY_BEST = "only the best is known"


@dataclass(frozen=True)
class ShownProbabilities:
    """What is to be shown of one image.

    Attributes:
        model: Whose they are; empty for nobody's.
        lines: Classes with their probabilities, the most probable first; None where that is not known.
        note: What else is to be said; empty for nothing.
    """

    model: str = ""
    lines: tuple[tuple[ImageClass, float | None], ...] = ()
    note: str = ""


class ProbabilityReader:
    """Finds the probabilities for one image after the other.

    Args:
        controller: The dataset.
        asked: The network that is asked about each image.
        hand_over: For threads: do something in the app's thread.
        show: Paints what has changed.
    """

    def __init__(
        self,
        controller: LabelController,
        asked: AskedNetwork,
        *,
        hand_over: Callable[[Callable[[], None]], None],
        show: Callable[[], None],
    ) -> None:
        self._controller, self._asked = controller, asked
        self._hand_over, self._show = hand_over, show
        self._thread: ThreadPoolExecutor | None = None
        self._file: ProbabilityFile | None = None
        self._key: ImageKey | None = None  # of the image that is looked for, or was found last
        self._found: ClassProbabilities | None = None
        self._is_looking = False

    @property
    def has_some(self) -> bool:
        """Whether there are suggestions, or a network is asked."""
        return self._asked.is_on or bool(self._controller.session.model)

    def of(self, row: int | None, state: RowState | None) -> ShownProbabilities:
        """What is known now of an image; if more is found later, it is painted."""
        session = self._controller.session
        if row is None or state is None:
            return ShownProbabilities(self._asked.model or session.model)
        key = session.listing.key(row)
        answer = self._asked.answer_for(key)
        if answer is not None:
            pairs = answer.best(len(answer.classes))
            return ShownProbabilities(self._asked.model, tuple((self._class(name), p) for name, p in pairs))
        if self._asked.is_on:
            return ShownProbabilities(self._asked.name, note="asking the network")
        if state.suggestion is None:
            return ShownProbabilities(session.model, note="no suggestion for this image")
        if self._controller.suggestions.is_live:
            return ShownProbabilities(session.model, self._learned(row))
        found = self._find(key, row)
        if found is not None:
            pairs = list(zip(found.classes, found.probabilities, strict=True))
            return ShownProbabilities(session.model, tuple((self._class(name), p) for name, p in pairs))
        best = ((state.suggestion, state.confidence),)
        return ShownProbabilities(session.model, best, "" if self._is_looking else ONLY_BEST)

    def _learned(self, row: int) -> tuple[tuple[ImageClass, float | None], ...]:
        learning, class_of = self._controller.live.learning, self._controller.session.class_of
        pairs = [] if learning is None else learning.probabilities(row)
        return tuple((known, share) for class_id, share in pairs if (known := class_of(class_id)) is not None)

    def after_best(self, row: int | None, state: RowState | None) -> tuple[tuple[str, float], ...]:
        """The classes after the suggested one that were learned live, for an image without a label."""
        if row is None or state is None or state.image_class is not None or self._asked.is_on:
            return ()
        if self._controller.session.is_second_look:
            return ()
        lines = self._learned(row)[1:_MOST_CLASSES] if self._controller.suggestions.is_live else ()
        return tuple(
            (known.name, share) for known, share in lines if share is not None and share >= _LEAST_SHOWN
        )

    def close(self) -> None:
        """Look for nothing more."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _find(self, key: ImageKey, row: int) -> "ClassProbabilities | None":
        from mia_tui.runs.prediction.probabilities import ProbabilityFile  # not needed for the first picture

        shown = self._controller.suggestions.shown
        if shown is None:
            return None
        if self._file is None or self._file.run != shown.run:
            self._file, self._key = ProbabilityFile(shown.run), None
        if key == self._key:
            return self._found
        self._key, self._found = key, self._file.known(key)
        self._is_looking = self._found is None
        if self._is_looking:
            if self._thread is None:
                from concurrent.futures import ThreadPoolExecutor

                self._thread = ThreadPoolExecutor(1, "probabilities")
            near = row / max(1, len(self._controller.session.listing))
            self._thread.submit(self._look, self._file, key, near)
        return self._found

    def _look(self, file: "ProbabilityFile", key: ImageKey, near: float) -> None:  # in the thread
        if key == self._key and file is self._file:  # the person has not gone on
            self._hand_over(partial(self._take, file, key, file.find(key, near)))

    def _take(self, file: "ProbabilityFile", key: ImageKey, found: "ClassProbabilities | None") -> None:
        if key == self._key and file is self._file:
            self._found, self._is_looking = found, False
            self._show()

    def _class(self, name: str) -> ImageClass:
        """The class of the dataset with this name, else a new one."""
        known = self._controller.session.class_named(class_name(name))
        return ImageClass(0, class_name(name), NEW_COLOUR, None, 0) if known is None else known
