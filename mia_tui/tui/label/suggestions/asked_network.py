"""A trained network that is asked about every image on screen, as soon as it is shown.

Its answer takes the place of a stored suggestion: it is shown in the frame and accepted by the same key. A helper
process computes it; nothing here waits for that.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.session.session import RowState
from mia_tui.dataset.session.suggested import NEW_COLOUR
from mia_tui.text import percent, printable
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.words import short_model
from mia_tui.tui.later import later
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.dataset.images.screen.heat import HeatMap
    from mia_tui.runs.prediction.one_image import ImageAnswer, ImageQuestion
    from mia_tui.runs.worker.helper import Helper

IDLE_S = 600.0
"""After so long without a question the process ends; the next one starts another."""

_PAUSE_S = 0.03  # images that are passed sooner, with a key held down, are not asked about
_MOST_CLASSES = 3
_LEAST_SHOWN = 0.005  # rounds to 1 %
_CLASS_COLUMNS = 20


class AskedNetwork:
    """Asks a network about the current image, while it is on.

    Args:
        controller: The dataset.
        state: The folder given with --state.
        ink: Characters and styles.
        hand_over: For threads: do something in the app's thread.
        show: Paints what has changed.
        fail: Shows why there is no answer.
    """

    def __init__(
        self,
        controller: LabelController,
        state: Path | None,
        ink: Ink,
        *,
        hand_over: Callable[[Callable[[], None]], None],
        show: Callable[[], None],
        fail: Callable[[str], None],
    ) -> None:
        self._controller, self._state, self._ink = controller, state, ink
        self._hand_over, self._show, self._fail = hand_over, show, fail
        self._helper: Helper[ImageQuestion, ImageAnswer] | None = None
        self._weights: Path | None = None
        self._name = ""
        self._is_loading = True  # the process has not answered yet
        self._has_ended = False  # by itself, before it answered
        self._key: ImageKey | None = None  # of the image that is asked about
        self._answer: ImageAnswer | None = None
        self._why: str | None = (
            None  # the class about which is asked where the network looks; "" for the best
        )
        self._dont_ask: Callable[[], None] = lambda: None
        self._root = os.fspath(controller.dataset.resolve())

    @property
    def is_on(self) -> bool:
        return self._weights is not None and not self._controller.session.is_blind

    @property
    def words(self) -> str:
        """What the network says of the current image, for the status line; empty while it is off, or thinks."""
        if not self.is_on:
            return ""
        if self._answer is None:
            is_ready = self._helper is not None and self._helper.is_ready and not self._is_loading
            if is_ready or self._has_ended:
                return ""
            return f"Loading torch and {short_model(self._name)}, which takes some seconds"
        if self._answer.problem:
            return self._answer.problem
        best = self._answer.best(_MOST_CLASSES)
        shown = [
            f"{self._ink.fit(printable(name), _CLASS_COLUMNS)} {percent(probability)}"
            for number, (name, probability) in enumerate(best)
            if not number or probability >= _LEAST_SHOWN
        ]
        remarks = (*(["unsure"] if self._answer.unsure else []), printable(self._answer.remark))
        remark = "".join(f" ({each})" for each in remarks if each)
        return f"{short_model(self._name)}{self._looks}: {', '.join(shown)}{remark}"

    @property
    def _looks(self) -> str:
        """For which class the heat map shows where the network looks, in a sentence."""
        answer = self._answer
        if answer is None or self._why is None:
            return ""
        if answer.activation is None:
            return f" ({printable(answer.no_activation)})" if answer.no_activation else ""
        name = self._ink.fit(printable(answer.activation.name), _CLASS_COLUMNS)
        return f" looks here for {name}"

    async def turn_on(self) -> bool:
        """Choose a network and ask it from now on; False if there is none.

        It is that of the run from which the images that are shown were opened, else that of the suggestions
        shown, else the newest.

        Raises:
            MiaError: If the folder of runs cannot be read.
        """
        chosen = await asyncio.to_thread(self._choose)
        if chosen is not None:
            if chosen[0] != self._weights:
                self._key = self._answer = None
            self._weights, self._name = chosen
        return chosen is not None

    def turn_off(self) -> None:
        """Ask no more; the process ends when it was idle for long."""
        self._dont_ask()
        self._weights = self._key = self._answer = self._why = None

    def close(self) -> None:
        """End the process."""
        self.turn_off()
        if self._helper is not None:
            self._helper.close()

    def look_at(self, key: ImageKey | None) -> None:
        """While it is on: this is the current image now; if it is another one, the network is asked about it."""
        if key != self._key:
            self._dont_ask()
            self._key, self._answer, self._has_ended = key, None, False
            self._dont_ask = later(_PAUSE_S, self._ask)

    @property
    def explains(self) -> str | None:
        """The class for which it is shown where the network looks, "" for the most probable one; None for none."""
        return self._why if self.is_on else None

    def explain(self, name: str | None) -> None:
        """From now on show where the network looks when it decides for a class.

        Args:
            name: Of the class; empty for the one that it finds most probable; None shows no more.
        """
        self._why = name
        self._dont_ask()
        if name is not None:  # the answer of now stays until the next one is there
            self._ask()

    def heat_on(self, key: ImageKey) -> "HeatMap | None":
        """Where the network looks in an image; None if that is not asked, or not known yet."""
        answer = self.answer_for(key)
        if answer is None or answer.activation is None or self._why not in ("", answer.activation.name):
            return None
        return answer.activation.heat

    def seen(self, key: ImageKey | None, state: RowState) -> RowState:
        """The state of an image, with the network's answer as the suggestion if there is one for it."""
        answer = self.answer_for(key)
        if answer is None:
            return state
        [(name, probability)] = answer.best(1)
        known = self._controller.session.class_named(class_name(name))
        if known is None:
            known = ImageClass(0, class_name(name), NEW_COLOUR, None, 0)
        shown = None if known.archived else known
        return replace(
            state,
            suggestion=shown,
            confidence=probability,
            unsure=answer.unsure and shown is not None,
        )

    def answer_for(self, key: ImageKey | None) -> "ImageAnswer | None":
        """What the network says of an image; None if it has not said it."""
        answer = self._answer if key == self._key and self.is_on else None
        return answer if answer is not None and answer.classes else None

    @property
    def name(self) -> str:
        """What people call the network that is asked; empty while none is."""
        return self._name if self.is_on else ""

    @property
    def model(self) -> str:
        """What people call the network, if `seen` shows its answer; empty otherwise."""
        return self._name if self.is_on and self._answer is not None and self._answer.classes else ""

    @property
    def new_classes(self) -> tuple[str, ...]:
        """The classes in its answer that the dataset does not have."""
        names = map(class_name, self._answer.classes if self._answer is not None else ())
        return tuple(name for name in names if self._controller.session.class_named(name) is None)

    def _choose(self) -> tuple[Path, str] | None:
        """For a thread: the weights of the network to ask, and its name."""
        # Not needed for the first image, and importing them would hold up keys.
        from mia_tui.runs.prediction.one_image import network_to_ask
        from mia_tui.runs.record.model_card import network_name

        shown, opened_from = self._controller.suggestions.shown, self._controller.ways_back.run
        runs = [run for run in (opened_from, shown.run if shown else None) if run is not None]
        weights = network_to_ask(self._controller.dataset, self._state, runs)
        # The helper works in a folder of its own.
        return None if weights is None else (weights.absolute(), network_name(weights))

    def _ask(self) -> None:
        from mia_tui.runs.prediction.one_image import ImageQuestion

        if self._key is None or self._weights is None:
            return
        if self._helper is None:
            self._helper = self._make_helper()
        weights, key = os.fspath(self._weights), self._key
        self._helper.ask(ImageQuestion(weights, self._root, key.path, key.frame, self._why))

    def _make_helper(self) -> "Helper[ImageQuestion, ImageAnswer]":
        from mia_tui.runs.prediction import one_image
        from mia_tui.runs.worker.helper import Helper

        return Helper(
            one_image.IMAGE_PREDICTOR_MODULE,
            one_image.encode_question,
            one_image.decode_answer,
            on_answer=lambda question, answer: self._hand_over(partial(self._take, question, answer)),
            on_ready=lambda: self._hand_over(self._take_ready),
            on_end=lambda was_ready: self._hand_over(partial(self._take_end, was_ready)),
            idle_s=IDLE_S,
        )

    def _take_ready(self) -> None:
        self._is_loading = True

    def _take(self, question: "ImageQuestion", answer: "ImageAnswer") -> None:
        self._is_loading = False
        if question.key != self._key or question.weights != str(self._weights) or question.why != self._why:
            return
        if answer.failure:
            self._give_up(answer.failure)
        else:
            self._answer = answer
            self._show()

    def _take_end(self, was_ready: bool) -> None:
        if not self.is_on:
            return
        if was_ready:
            self._has_ended = True
            self._fail(
                f"The process that asks {printable(self._name)} has ended; the next image starts it again."
            )
            self._show()
        else:
            self._give_up("No network can be asked: torch cannot be used, or memory is short.")

    def _give_up(self, why: str) -> None:
        self.turn_off()
        self._fail(why)
        self._show()
