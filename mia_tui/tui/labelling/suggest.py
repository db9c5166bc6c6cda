"""Predicting all images of a dataset from the screens of runs, with messages about it until it ends."""

import asyncio
from collections.abc import Callable

from mia_tui.errors import MiaError
from mia_tui.runs.prediction.process import PredictionProcess
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.launch import trains_on_cpu
from mia_tui.tui.open_dataset import OpenDataset

_CHECK_EVERY_S = 0.5


def start_suggesting(run: RunDir, place: OpenDataset) -> PredictionProcess:
    """Start it; blocking, so for a thread.

    Raises:
        RunError: If it cannot be started.
    """
    return PredictionProcess(run, place.dataset, place.state, gives_way=trains_on_cpu("auto"))


async def tell_suggesting(
    work: PredictionProcess, *, say: Callable[[str], None], failed: Callable[[MiaError], None]
) -> None:
    """Say how far it is until it ends; the labelling screen says it when the suggestions are there."""
    say("Predicting all images; this continues when you leave. Loading torch first.")
    try:
        while not await asyncio.to_thread(work.has_ended):
            await asyncio.sleep(_CHECK_EVERY_S)
            done = await asyncio.to_thread(work.done)
            if done:
                say(f"Predicting all images; this continues when you leave. {done:,} are done.")
    except MiaError as error:
        failed(error)
    else:
        say("All images are predicted; the suggestions are shown where you label.")
