"""The steps of the tour, which of them are done, and what to press now. Free of Textual.

The screens report what has really happened (`KeyedScreen.did`); nothing here presses a key.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mia_tui.dataset.user_cache import write_cache
from mia_tui.files import read
from mia_tui.tui.keys.bindings import UserKeys, keys_of, said_key

_KEY = re.compile(r"\{(?:([a-z]+)\.)?([a-z_]+)\}")
_MOST_BYTES = 1 << 12


@dataclass(frozen=True)
class TourStep:
    """A step.

    Attributes:
        name: What the screens report when it is done.
        title: A word or two.
        words: What to press, by screen; commands in braces stand for their keys, those of another screen with
            its name before.
    """

    name: str
    title: str
    words: Mapping[str, str]


STEPS = (
    TourStep(
        "assign_next",
        "Label",
        {
            "label": "What cell is in the middle? A digit chooses its class, then {assign_next} gives it to the "
            "image and goes to the next one; {undo} takes it back."
        },
    ),
    TourStep(
        "grid",
        "Many at once",
        {
            "label": "{grid} shows many images at once.",
            "grid": "{mark} marks an image, and a digit gives its class to all that are marked. {leave} goes back.",
        },
    ),
    TourStep(
        "train",
        "Train",
        {
            "label": "{train} opens the form of a training.",
            "train": "It is filled in for a short training. {start} checks the images, then {dialog.ok} starts it.",
        },
    ),
    TourStep(
        "runs",
        "Watch",
        {
            "label": "A training goes on by itself. {runs} shows all runs.",
            "runs": "{open} opens the run under the cursor.",
            "run": "Its curves move while it learns, and {pane_confusion} shows what it confuses. {leave} goes back.",
        },
    ),
    TourStep(
        "accept",
        "Review",
        {
            "label": "{predict} lets a network suggest classes. Where the frame is dashed, {accept} accepts the "
            "suggestion, and a digit with {assign_next} corrects it.",
            "run": "When it has finished, {leave} goes back to the images and their suggestions.",
        },
    ),
    TourStep("export", "Export", {"label": "{export} writes the labels to a file for other programs."}),
)

_ELSEWHERE = "The next step begins where images are labelled: {leave} goes back."
_END = "That was the tour. {manual} opens the manual, {help} shows the keys; {leave} closes this."


class Tour:
    """How far somebody is in the tour.

    Args:
        file: Keeps what is done, for the next time.

    Attributes:
        is_left: Whether it is not shown, until it is taken up again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.is_left = False
        self._done = _read_done(file)
        self._watchers: list[Callable[[], None]] = []

    @property
    def step(self) -> int:
        """The place of the next step; the number of steps if all are done."""
        return next((place for place, step in enumerate(STEPS) if step.name not in self._done), len(STEPS))

    @property
    def is_over(self) -> bool:
        """Whether all steps are done."""
        return self.step == len(STEPS)

    def is_done(self, step: TourStep) -> bool:
        """Whether a step is done."""
        return step.name in self._done

    def did(self, what: str) -> None:
        """Something was done; it may be a step."""
        if what in self._done or what not in {step.name for step in STEPS}:
            return
        self._done.add(what)
        write_cache(self._file, "\n".join(sorted(self._done)).encode())
        self._changed()

    def leave(self) -> None:
        """Show it no more, until it is taken up again."""
        self.is_left = True
        self._changed()

    def take_up(self) -> None:
        """Show it again: where it was left, or from the beginning if all was done."""
        if self.is_over:
            self._done.clear()
        self.is_left = False
        self._changed()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call something whenever it has changed."""
        self._watchers.append(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        """The end of `watch`."""
        self._watchers.remove(changed)

    def words(self, scope: str, user_keys: UserKeys) -> str:
        """What to press now on a screen, with the keys in force there."""
        words = _END if self.is_over else STEPS[self.step].words.get(scope, _ELSEWHERE)

        def key(found: re.Match[str]) -> str:
            where = found[1] or scope
            return said_key(where, keys_of(where, user_keys), found[2])

        return _KEY.sub(key, words)

    def _changed(self) -> None:
        for changed in list(self._watchers):
            changed()


def is_shown_on(scope: str) -> bool:
    """Whether the tour is shown on a screen."""
    return any(scope in step.words for step in STEPS)


def _read_done(file: Path) -> set[str]:
    with suppress(OSError):
        return set(read(file, most_bytes=_MOST_BYTES).decode("utf-8", "replace").split())
    return set()
