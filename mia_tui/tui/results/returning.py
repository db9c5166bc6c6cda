"""The way back from images to the results that they were opened from."""

from dataclasses import replace
from typing import Any

from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.open_dataset import OpenDataset, OpenImages, RunPlace
from mia_tui.tui.results.places import PairPlace, ResultsPlace
from mia_tui.tui.screen import KeyedScreen


async def return_to_results(
    screen: KeyedScreen[Any], place: RunPlace, opened: OpenDataset
) -> tuple[OpenImages | None, RunPlace]:
    """Show results as they were left.

    Args:
        screen: Asks.
        place: Where they are.
        opened: The dataset.

    Returns:
        Images that the person wants to see, or None; and where to go back to then.
    """
    if isinstance(place.results, PairPlace):
        from mia_tui.tui.results.pair_screen import PairScreen

        pair = PairScreen(place.run, place.results.other, opened, screen.context, at=place.results)
        return await screen.ask(pair), place
    from mia_tui.tui.results.screen import ResultsScreen

    at = place.results if isinstance(place.results, ResultsPlace) else None
    answer = await screen.ask(ResultsScreen(place.run, opened, screen.context, at=at))
    if isinstance(answer, RunDir):
        from mia_tui.tui.runs.run_screen import RunScreen

        return await screen.ask(RunScreen(answer, opened, screen.context)), place
    if answer is not None and answer.place is not None:
        answer = replace(answer, place=replace(answer.place, page=place.page))
    return answer, place
