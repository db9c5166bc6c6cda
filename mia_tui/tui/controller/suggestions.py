"""Whose suggestions an open dataset shows: those predicted last, those learned live, or those that the person chose.

The suggestions of each run are a set of their own, and so are the live ones; one set is shown at a time: they are
never mixed. Sets are read in a thread. Only the one that is shown is kept, and the one it is compared with.

What the person chose stays, also at the next start. Where they did not choose, the newest prediction is shown until
they give a label, and the live suggestions from then on.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mia_tui.config.user.kept import SuggestionSource, keep, kept_settings
from mia_tui.dataset.listing.listing import Rows
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.stacks import unshown_words, unused_labels
from mia_tui.dataset.store.edits import free_in_steps
from mia_tui.text import counted, name_some, printable, when

if TYPE_CHECKING:
    from mia_tui.runs.prediction.suggestions import SuggestionSet
    from mia_tui.tui.controller.label_controller import LabelController
    from mia_tui.tui.live.learner import Learning


@dataclass(frozen=True)
class LiveSet:
    """The live suggestions, as they are now.

    Attributes:
        model: What people call them.
        predicted_at: When they were learned, in Unix seconds.
        images: For how many images there are some.
    """

    model: str = field(compare=False)
    predicted_at: float = field(compare=False)
    images: int = field(compare=False)


class ShownSuggestions:
    """Which sets of suggestions an open dataset shows and compares.

    Args:
        controller: The dataset.
        state: What was named with --state.

    Attributes:
        shown: The set of a run that is shown; None if there is none.
        is_live: Whether the live suggestions are shown.
        unfamiliar: Images that the network of the set shown finds unfamiliar, farthest first; None if it does not
            say that.
        compared: The set that it is compared with; None if it never was.
    """

    def __init__(self, controller: "LabelController", state: Path | None) -> None:
        self._controller, self._state = controller, state
        self.shown: SuggestionSet | None = None
        self.unfamiliar: list[ImageKey] | None = None
        self.compared: SuggestionSet | LiveSet | None = None
        self._newest: SuggestionSet | None = None
        self.is_live = False
        self._chosen: SuggestionSource | None = kept_settings().suggestions
        self._labels = False  # whether the person has given labels since the dataset was opened

    @property
    def wants_live(self) -> bool:
        """Whether live suggestions are to be shown as soon as there are some."""
        if not self._controller.live.is_on or self._chosen == "runs":
            return False
        return self._chosen == "live" or self._labels or self.shown is None

    @property
    def whose(self) -> str:
        """Whose suggestions are shown, as an audit notes it; empty for none."""
        from mia_tui.dataset.store.review.audits import live_model

        return (
            live_model(self._controller.live.network.run) if self.is_live else self._controller.session.model
        )

    @property
    def live_set(self) -> LiveSet | None:
        """The live suggestions; None while there are none."""
        live = self._controller.live
        return (
            LiveSet(live.model, time.time(), live.learning.features) if live.learning and live.model else None
        )

    def labels_given(self) -> None:
        """The person has given labels."""
        self._labels = True

    def show_live(self, learning: "Learning", model: str) -> None:
        """Show what was learned last, in place of what is shown.

        Args:
            learning: Of the images that are listed.
            model: What people call it.
        """
        assert learning.learned is not None
        changed = self._controller.session.update_suggestions(
            model,
            learning.learned.classes.tolist(),
            learning.suggestions,
            learning.confidences,
            is_other=not self.is_live,
        )
        self._mark_unfamiliar(None, None)
        self._controller.repaint(changed)
        self.shown, self.is_live = None, True

    def choose_live(self) -> str:
        """Show the live suggestions from now on; returns a sentence about it."""
        self._choose("live")
        live = self._controller.live
        live.start()
        if live.learning is not None and live.learning.learned is not None:
            self.show_live(live.learning, live.model)
        live.relearn()
        return "The live suggestions are shown."

    def _choose(self, source: SuggestionSource) -> None:
        self._chosen = source
        keep(suggestions=source)

    async def known(self) -> "list[SuggestionSet]":
        """All sets for this dataset, those that were predicted last first."""
        from mia_tui.runs.list.find import places_of_runs
        from mia_tui.runs.prediction.suggestions import suggestion_sets

        dataset = self._controller.dataset
        return await asyncio.to_thread(lambda: suggestion_sets(places_of_runs(dataset, self._state), dataset))

    async def refresh(self) -> str | None:
        """Show the newest set if it is new, or if the one that is shown is gone; returns a sentence about it."""
        from mia_tui.runs.prediction.suggestions import read_newest

        known = await self.known()
        newest = known[0] if known else None
        if newest == self._newest and (self.shown is None or self.shown in known):
            return None
        self._newest = newest
        if self.is_live:
            return None if newest is None else _announced(newest)
        found = await asyncio.to_thread(read_newest, known)
        if found is not None:
            return None if found[0] == self.shown else await self._show(*found, known)
        if self.shown is None:
            return None
        gone, self.shown = self.shown, None
        self._mark_unfamiliar(None, None)
        self._controller.suggest(_nothing(), np.empty(0, np.int32))
        return f"The suggestions of {printable(gone.model)} do not exist any more."

    async def show(self, chosen: "SuggestionSet") -> str:
        """Show another set; returns a sentence about it.

        Raises:
            RunError: If it cannot be read.
        """
        from mia_tui.runs.prediction.suggestions import read_suggestions

        found = await asyncio.to_thread(read_suggestions, chosen)
        self._choose("runs")
        return await self._show(chosen, found, await self.known())

    async def compare(self, other: "SuggestionSet | LiveSet") -> None:
        """Compare the set that is shown with another one; with the live suggestions, as they are now.

        Raises:
            RunError: If it cannot be read.
        """
        from mia_tui.runs.prediction.suggestions import read_suggestions

        if isinstance(other, LiveSet):
            found = await self._live_now(other.model)
        else:
            found = await asyncio.to_thread(read_suggestions, other)
        if other.model == self._controller.session.model:
            found = replace(found, model=f"{other.model} of {when(other.predicted_at)}")
        rows = await self._rows(found)
        self._controller.session.compare_with(found, rows)
        self.compared = other
        await _free(found)

    async def _live_now(self, model: str) -> ModelSuggestions:
        """The live suggestions in the form of those of a run."""
        learning, session = self._controller.live.learning, self._controller.session
        if learning is None or learning.learned is None:
            return _nothing()
        known = [session.class_of(class_id) for class_id in learning.learned.classes.tolist()]
        rows = np.flatnonzero(learning.suggestions).astype(np.int32)
        keys = await asyncio.to_thread(session.keys_later(rows))
        names = tuple("" if each is None else each.name for each in known)
        return ModelSuggestions(
            model, names, keys, learning.suggestions[rows] - 1, learning.confidences[rows]
        )

    async def _show(
        self, chosen: "SuggestionSet", found: ModelSuggestions, known: "list[SuggestionSet]"
    ) -> str:
        rows = await self._rows(found)
        self._mark_unfamiliar(found, rows)
        self._controller.suggest(found, rows)
        self.shown, self.is_live = chosen, False
        session = self._controller.session
        images = len(session.listing)
        words = f"{counted(chosen.images, 'suggestion')} of {printable(chosen.model)}."
        if chosen.images < images:
            words = f"{words[:-1]}, which predicted {chosen.images:,} of {images:,} images."
            if len(known) > 1:
                words += " Those of other predictions are not shown with it."
        unsure = 0 if found.unsure is None else int(np.count_nonzero(found.unsure))
        if unsure:
            words += f" The network is unsure of {counted(unsure, 'image')}."
        if found.left_out:
            words += f" Those of {counted(found.left_out, 'image')} of stacks are left out; predict again for them."
        if unshown := await self._of_the_other_choice(found):
            words += f" {unshown} The command Stacks changes that."
        await _free(found)
        new = session.new_classes
        return f"{words} Classes you do not have yet: {name_some(new)}." if new else words

    def _mark_unfamiliar(self, found: ModelSuggestions | None, rows: Rows | None) -> None:
        """Mark the images that a network finds unfamiliar; where it does not say that, none are.

        Args:
            found: What it suggests; None for the live suggestions, which mark theirs when they are reviewed.
            rows: The rows of its images; None if they are not known.
        """
        session = self._controller.session
        if found is None or found.unfamiliar is None:
            if self.unfamiliar is not None:
                session.set_unfamiliar(np.empty(0, np.int32))
            self.unfamiliar = None
            return
        far = np.flatnonzero(found.unfamiliar > 1)
        far = far[np.argsort(-found.unfamiliar[far], kind="stable")]
        self.unfamiliar = [found.keys[place] for place in far.tolist()]
        known = session.listing.rows(self.unfamiliar) if rows is None else rows[far]
        session.set_unfamiliar(known[known >= 0])

    async def _of_the_other_choice(self, found: ModelSuggestions) -> str:
        """A sentence about suggestions of single frames where stacks are labelled as a whole, or the reverse."""
        listing = self._controller.session.listing
        mode = listing.stack_mode
        if mode is None:
            return ""
        unshown = await asyncio.to_thread(lambda: unused_labels(found.keys, listing.stacks(), mode))
        return unshown_words(unshown, mode)

    async def _rows(self, found: ModelSuggestions) -> Rows | None:
        """The rows of its images; None if the list of images was replaced meanwhile."""
        listing = self._controller.session.listing
        rows = await asyncio.to_thread(listing.rows, found.keys)
        return rows if self._controller.session.listing is listing else None


def _announced(newest: "SuggestionSet") -> str:
    images = counted(newest.images, "image")
    return f"{printable(newest.model)} suggests classes for {images}; the command Suggestions shows them."


def _nothing() -> ModelSuggestions:
    return ModelSuggestions("", (), [], np.empty(0, np.int32), np.empty(0, np.float32))


async def _free(found: ModelSuggestions) -> None:
    """Free the keys in a thread: a million at once would hold up the screen."""
    await asyncio.to_thread(free_in_steps, found.keys)
