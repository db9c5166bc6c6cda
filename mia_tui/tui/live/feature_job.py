"""The job that makes features, started in the background where labels are there to learn from, and stopped."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.config.features import BYTES_PER_GB
from mia_tui.dataset.listing.listing import Listing

if TYPE_CHECKING:
    from mia_tui.runs.record.layout import RunDir


class FeatureJob:
    """Starts and stops the job for one dataset.

    Args:
        dataset: The folder of images.
        state: The folder given with --state.
        most_gb: That the features of all datasets may take.
    """

    def __init__(self, dataset: Path, state: Path | None, most_gb: float) -> None:
        self._dataset, self._state, self._most_bytes = dataset, state, int(most_gb * BYTES_PER_GB)
        self._tried_for: Listing | None = None  # for these images it was started, or could not be

    async def start(self, listing: Listing, *, again: bool = False) -> int:
        """Start it if images have no features; returns how many these are, and 0 if nothing had to be started.

        Args:
            listing: The images. For the same ones it is started once: a job that failed would fail again.
            again: Start it nevertheless.

        Raises:
            MiaError: If there is no room, no folder that can be written, or no worker comes up.
        """
        if self._tried_for is listing and not again:
            return 0
        self._tried_for = listing
        return await asyncio.to_thread(self._start, listing)

    async def stop(self) -> bool:
        """Ask it to stop; what is made is kept. Returns whether one was at work.

        Raises:
            MiaError: If it cannot be reached.
        """
        return await asyncio.to_thread(self._stop)

    def _start(self, listing: Listing) -> int:
        from mia_tui.features.table import FeatureTable
        from mia_tui.runs.features.create import start_features

        table = FeatureTable.open(self._dataset)
        missing = len(listing) if table is None else len(table.missing(listing))
        if not missing or self._running() is not None:
            return 0
        start_features(self._dataset, state=self._state, most_bytes=self._most_bytes)
        return missing

    def _stop(self) -> bool:
        from mia_tui.runs.worker.control import request_stop

        run = self._running()
        if run is not None:
            request_stop(run)
        return run is not None

    def _running(self) -> "RunDir | None":
        from mia_tui.runs.features.create import running_features

        return running_features(self._dataset, state=self._state)


def why_none(reason: str) -> str:
    """That there are no live suggestions, and why."""
    return f"No suggestions are learned while you label: {reason}"
