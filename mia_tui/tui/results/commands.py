"""What the keys of the results of a run do."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.runs.list.find import kind_of
from mia_tui.runs.record.decision import decision_words
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.open_dataset import OpenImages, RunPlace
from mia_tui.tui.results.images import TilesOfRows, images_of
from mia_tui.tui.results.page import RESULT_PAGES, ChosenRows, ResultPageName

if TYPE_CHECKING:
    from mia_tui.tui.results.computed import ComputedResults
    from mia_tui.tui.results.screen import ResultsScreen

_FAR = 1_000_000


class ResultsCommands:
    """The commands of the screen, by the id of the action.

    Args:
        screen: The screen.
    """

    def __init__(self, screen: "ResultsScreen") -> None:
        self._screen = screen
        self.by_name: dict[str, Command] = {
            "open": self._open,
            "images": self._open_images,
            "gallery": self._show_tiles,
            **{f"page_{name}": partial(self._turn_to, name) for name in RESULT_PAGES},
            "pane_next": partial(self._turn, 1),
            "pane_previous": partial(self._turn, -1),
            "cells": partial(self._change_matrix, lambda: screen.matrix.turn_cells()),
            "matrix": partial(self._change_matrix, lambda: screen.matrix.turn_list()),
            "class_order": partial(self._change_matrix, lambda: screen.matrix.turn_order()),
            "aim": self._aim,
            "store": self._store,
            "remove": self._remove,
            "which_epoch": self._which_epoch,
            "evaluate": self._evaluate,
            "leave": self._leave,
            "help": screen.show_help,
            "left": partial(self._move, 0, -1),
            "right": partial(self._move, 0, 1),
            "up": partial(self._move, -1, 0),
            "down": partial(self._move, 1, 0),
            "page_next": partial(self._move_page, 1),
            "page_previous": partial(self._move_page, -1),
            "first": partial(self._move, -_FAR, 0),
            "last": partial(self._move, _FAR, 0),
        }

    # Pages

    async def _turn_to(self, name: ResultPageName) -> None:
        self._screen.turn_to(name)

    async def _turn(self, by: int) -> None:
        place = RESULT_PAGES.index(self._screen.page.NAME)
        self._screen.turn_to(RESULT_PAGES[(place + by) % len(RESULT_PAGES)])

    async def _move(self, down: int, right: int) -> None:
        screen = self._screen
        if screen.found is None or not screen.can_show:
            return
        if right and screen.page is screen.threshold:
            screen.threshold.move_along(screen.found, right)
        else:
            screen.page.move(down, right)

    async def _move_page(self, pages: int) -> None:
        await self._move(pages * self._screen.page.page_lines, 0)

    async def _change_matrix(self, change: Callable[[], str | None]) -> None:
        """Show the matrix another way; from another page, show it."""
        if self._screen.page is not self._screen.matrix:
            self._screen.turn_to("matrix")
            return
        self._screen.say(change() or "")

    async def _which_epoch(self) -> None:
        screen = self._screen
        if await asyncio.to_thread(kind_of, screen.run) != TrainConfig.kind:
            screen.say("An evaluation has no epochs.")
            return
        screen.which = None if screen.which == "last" else "last"
        await screen.read()

    # Images

    def _chosen(self) -> "tuple[ComputedResults, ChosenRows] | None":
        screen = self._screen
        chosen = None if screen.found is None or not screen.can_show else screen.page.chosen(screen.found)
        if screen.found is None or chosen is None:
            screen.say("There are no images of this.")
            return None
        return screen.found, chosen

    async def _open(self) -> None:
        if self._screen.page is self._screen.threshold:
            await self._store()
        else:
            await self._open_images()

    async def _open_images(self) -> None:
        found = self._chosen()
        if found is not None:
            self._leave_for(await images_of(*found, self._screen.opened))

    async def _show_tiles(self) -> None:
        from mia_tui.tui.runs.gallery import GalleryScreen

        screen, both = self._screen, self._chosen()
        if both is None:
            return
        found, chosen = both
        tiles, title = TilesOfRows(found, chosen), f"({chosen.title})"
        gallery = GalleryScreen(
            title, tiles, screen.opened, screen.context, first=tiles.first, keys=tiles.keys
        )
        answer = await screen.ask(gallery)
        if answer is not None:
            self._leave_for(replace(answer, title=chosen.title))

    def _leave_for(self, images: OpenImages) -> None:
        place = RunPlace(self._screen.run, None, results=self._screen.place)
        self._screen.dismiss(replace(images, place=place))

    # Threshold

    def _ready_threshold(self) -> "ComputedResults | None":
        """The results, if a threshold can be chosen now; from another page, that page is shown first."""
        screen = self._screen
        if screen.page is not screen.threshold:
            screen.turn_to("threshold")
            return None
        return screen.found if screen.can_show and screen.threshold.is_ready else None

    async def _aim(self) -> None:
        from mia_tui.tui.dialogs import TextDialog

        found, screen = self._ready_threshold(), self._screen
        if found is None:
            return
        value, error = "99", ""
        while True:
            dialog = TextDialog(
                "How many percent of the answers must be right?",
                value=value,
                hint="{ok} chooses the threshold that answers most images so; {cancel} changes nothing.",
                error=error,
                replaced=True,
            )
            text = await screen.ask(dialog)
            if text is None:
                return
            value, wanted = text, _percentage(text)
            if wanted is None:
                error = "A number between 0 and 100, such as 99 or 99.5."
            elif screen.threshold.aim_at(found, wanted):
                return
            else:
                error = f"With no threshold {100 * wanted:.6g} % of the answers are right."

    async def _store(self) -> None:
        found, screen = self._ready_threshold(), self._screen
        if found is None:
            return
        decision = await asyncio.to_thread(screen.threshold.store)
        if decision is None:
            screen.say(
                f"Without a threshold every image is answered: {screen.key('left')} moves it; "
                f"{screen.key('remove')} removes the one that is stored."
            )
            return
        screen.say(f"Stored with the model. It {decision_words(decision).partition(': ')[2]}.")

    async def _remove(self) -> None:
        found, screen = self._ready_threshold(), self._screen
        if found is None:
            return
        if screen.threshold.forget_own(found):
            screen.say("This class has the threshold of all classes again.")
            return
        if screen.threshold.stored is None:
            screen.say("No threshold is stored with the model.")
            return
        if not await screen.confirm(
            "Remove the threshold of this model?",
            "Predictions with it will answer every image, and its probabilities are as the network gives them.",
            yes="Remove",
            no="Keep",
        ):
            return
        await asyncio.to_thread(screen.threshold.remove)
        screen.say("Removed: predictions with this model answer every image.")

    # The run

    async def _evaluate(self) -> None:
        from mia_tui.tui.dialogs import Choice, PickDialog
        from mia_tui.tui.results.evaluating import EVALUATED, part_to_repeat, start_evaluation

        screen, found = self._screen, self._screen.found
        weights = screen.run.best_weights if found is None else found.weights
        if found is None:
            split = None
        elif not found.has_probabilities and found.results.which != "last":
            split = part_to_repeat(found.results.split)
        else:
            choices = [Choice(words, part) for part, words in EVALUATED]
            split = await screen.ask(
                PickDialog("Evaluate on which images?", choices, screen.context.ink, searchable=False)
            )
            if split is None:
                return
        screen.say("Starting the evaluation")
        try:
            run = await asyncio.to_thread(start_evaluation, screen.opened, weights, split)
        except MiaError:
            screen.say("")  # it does not start
            raise
        screen.dismiss(run)

    async def _leave(self) -> None:
        self._screen.dismiss(None)


def _percentage(text: str) -> float | None:
    try:
        value = float(text.strip().rstrip("%").strip().replace(",", "."))
    except ValueError:
        return None
    return value / 100 if 0 < value <= 100 else None
