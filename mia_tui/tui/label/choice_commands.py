"""Commands that choose which images are shown and in which order, and the way back from there.

The screens of trainings, runs and predictions choose images, too: those behind a class or a cell of a matrix.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mia_tui.dataset.listing.image_list import ImageList
from mia_tui.dataset.session.filters import Filter, Order
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.controller.ways_back import Taken
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.words import shown_filter
from mia_tui.tui.open_dataset import CountsPlace, OpenDataset, OpenImages, RunPlace
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.label.session_screen import SessionScreen


class ChoiceCommands:
    """The commands about which images are shown, of one screen.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.
        compare: Chooses what the suggestions shown are compared with; False if nothing.
        open_grid: Goes to the grid.
        return_to_pages: Shows the page of look-alikes again that was left to see one of its images.
        leave_screen: Goes back where there is no way back among the images.

    Attributes:
        by_name: Every one of them, by the id of its action.
    """

    def __init__(
        self,
        controller: LabelController,
        screen: "SessionScreen[Any]",
        ink: Ink,
        *,
        compare: Callable[[], Awaitable[bool]],
        open_grid: Command,
        return_to_pages: Command,
        leave_screen: Command,
    ) -> None:
        self._controller, self._session, self._screen, self._ink = controller, controller.session, screen, ink
        self._compare, self._open_grid, self._leave_screen = compare, open_grid, leave_screen
        self._return_to_pages = return_to_pages
        self.by_name: dict[str, Command] = {
            "leave": self.leave,
            "find": self._find,
            "filter": self._choose_filter,
            "order": self._choose_order,
            "folders": self._choose_folder,
            "train": self._train,
            "runs": self._open_runs,
            "predict": self._predict,
            "counts": self._open_counts,
        }

    # Which images are shown, and in which order

    def _show_only(self, by: Taken, wanted: Filter | None) -> None:
        if wanted is not None:
            self._controller.ways_back.show(by, self._screen.SCOPE_NAME, wanted)
            if not len(self._session.view):
                leave, other = self._screen.key("leave"), self._screen.key("filter")
                self._screen.say(f"No image matches; {leave} goes back, {other} shows others.")

    async def leave(self) -> None:
        """Go back to where the images that are shown were chosen."""
        way = self._controller.ways_back.take(self._screen.SCOPE_NAME)
        if way is None:
            await self._leave_screen()
        elif way.by == "grid":
            await self._open_grid()
        elif way.by == "look_alikes":
            await self._return_to_pages()
        elif isinstance(way.place, CountsPlace):
            await self._open_counts(way.place)
        elif way.place is not None:
            await self._return_to_run(way.place)
        else:
            shown = shown_filter(self._session.filter, self._session, self._ink)
            self._screen.say(f"Shown again: {shown}." if shown else "All images are shown again.")

    async def _return_to_run(self, place: RunPlace) -> None:
        """Show the cell or class of a run whose images these were, and what lies below that."""
        from mia_tui.tui.results.returning import return_to_results
        from mia_tui.tui.runs.run_screen import RunScreen
        from mia_tui.tui.runs.table_screen import RunsScreen

        screen, opened, context = self._screen, self._opened, self._screen.context
        images = None
        if place.results is not None:
            images, place = await return_to_results(screen, place, opened)
        if images is None and place.page is not None:
            images = await screen.ask(RunScreen(place.run, opened, context, at=place.page))
        if images is not None and images.place is not None and place.from_table:
            images = replace(images, place=replace(images.place, from_table=True))
        if images is None and place.from_table:
            images = await screen.ask(RunsScreen(opened, context, started=place.run))
        self._show_images(images)

    async def _find(self) -> None:
        from mia_tui.tui.dialogs import TextDialog

        present = self._session.filter
        hint = "{ok} shows the images with this in their path; empty shows all."
        text = await self._screen.ask(TextDialog("Find files", value=present.text, hint=hint, replaced=True))
        if text is not None:
            self._show_only("find", replace(present, text=text.strip()))

    async def _choose_filter(self) -> None:
        from mia_tui.tui.label import pickers

        wanted = await self._screen.ask(pickers.filters(self._session, self._ink))
        if wanted is None or wanted.state != "models_differ" or await self._compare():
            self._show_only("filter", wanted)

    async def _choose_folder(self) -> None:
        from mia_tui.tui.label import pickers

        found = await asyncio.to_thread(self._session.listing.folders_later())
        self._show_only("folders", await self._screen.ask(pickers.folders(self._session, found, self._ink)))

    async def _choose_order(self) -> None:
        from mia_tui.tui.label import pickers

        wanted = await self._screen.ask(pickers.orders(self._ink))
        if wanted is not None:
            self._session.set_order(wanted[0], reverse=wanted[1])

    # Training and its runs

    async def _train(self) -> None:
        from mia_tui.tui.training.screen import TrainScreen

        run = await self._screen.ask(TrainScreen(self._opened, self._screen.context))
        if run is not None:
            from mia_tui.tui.runs.run_actions import watch_started

            self._screen.did("train")

            self._show_images(await watch_started(self._screen, run, self._opened))

    async def _open_runs(self) -> None:
        from mia_tui.tui.runs.table_screen import RunsScreen

        self._show_images(await self._screen.ask(RunsScreen(self._opened, self._screen.context)))

    async def _open_counts(self, at: CountsPlace | None = None) -> None:
        if self._session.is_blind:
            self._screen.say("In a blind second pass labels are hidden, so they are not counted.")
            return
        from mia_tui.tui.counts.screen import CountsScreen

        self._show_images(await self._screen.ask(CountsScreen(self._opened, self._screen.context, at=at)))

    async def _predict(self) -> None:
        from mia_tui.tui.predict.flow import predict_images, watch_prediction

        run = await predict_images(self._screen, self._opened)
        if run is not None:
            self._show_images(await watch_prediction(self._screen, run, self._opened))

    def _show_images(self, wanted: OpenImages | None) -> None:
        if wanted is None:
            return
        filter = Filter(among=ImageList.of(wanted.keys), among_words=wanted.title)
        place = wanted.place
        is_result = place is not None and place.results is not None
        order: tuple[Order, bool] | None = (
            ("given", False) if is_result else None
        )  # such as the largest loss first
        self._controller.ways_back.show("run", self._screen.SCOPE_NAME, filter, place or wanted.counts, order)
        first = None if wanted.first is None else self._session.listing.row(wanted.first)
        if first is not None:
            self._session.go_to(first)
        shown = len(self._session.view)
        words = (
            f"{counted(shown, 'image')}: {wanted.title}." if shown else "These images do not exist any more."
        )
        leave, other = self._screen.key("leave"), self._screen.key("filter")
        back = "counts" if wanted.counts is not None else "results" if is_result else "run"
        self._screen.say(f"{words} {leave} goes back to the {back}, {other} shows others.")

    @property
    def _opened(self) -> OpenDataset:
        controller, state = self._controller, self._screen.context.state
        return OpenDataset(controller.dataset, state, controller.annotator, controller.session)
