"""The job that makes features, started in the background where labels are there to learn from, and stopped."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.config.features import BYTES_PER_GB
from mia_tui.dataset.listing.listing import Listing
from mia_tui.errors import DataError, RunError
from mia_tui.text import counted, printable

if TYPE_CHECKING:
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.tui.open_dataset import OpenDataset


class FeatureJob:
    """Starts and stops the job for one dataset.

    Args:
        dataset: The folder of images.
        state: The folder given with --state.
        most_gb: That the features of all datasets may take.
    """

    def __init__(self, dataset: Path, state: Path | None, most_gb: float) -> None:
        self._dataset, self._state, self._most_bytes = dataset, state, int(most_gb * BYTES_PER_GB)
        self._tried_for: dict[Path | None, Listing] = {}  # for these images it was started, or could not be

    async def start(self, listing: Listing, weights: Path | None = None, *, again: bool = False) -> int:
        """Start it if images have no features; returns how many these are, and 0 if nothing had to be started.

        Args:
            listing: The images. For the same ones it is started once: a job that failed would fail again.
            weights: The weights file of a run's network; None for the network that comes with the program.
            again: Start it nevertheless.

        Raises:
            MiaError: If there is no room, no folder that can be written, or no worker comes up.
        """
        if self._tried_for.get(weights) is listing and not again:
            return 0
        self._tried_for[weights] = listing
        return await asyncio.to_thread(self.begin, listing, weights)

    def forget(self) -> None:
        """The features are gone: start it again when it is asked to."""
        self._tried_for.clear()

    async def stop(self) -> bool:
        """Ask those that it started to stop, and one for the network that comes with the program; what is made is
        kept. Returns whether one was at work.

        Raises:
            MiaError: If it cannot be reached.
        """
        return await asyncio.to_thread(self._stop)

    def begin(self, listing: Listing, weights: Path | None) -> int:
        """As `start`, which calls it in a thread."""
        from mia_tui.features.table import FeatureTable
        from mia_tui.runs.features.create import network_id, running_features, start_features

        wanted = network_id(weights)
        table = FeatureTable.open(self._dataset, wanted)
        missing = len(listing) if table is None else len(table.missing(listing))
        if not missing or running_features(self._dataset, wanted, state=self._state) is not None:
            return 0
        start_features(self._dataset, weights, state=self._state, most_bytes=self._most_bytes)
        return missing

    def _stop(self) -> bool:
        from mia_tui.runs.features.create import network_id, running_features
        from mia_tui.runs.worker.control import request_stop

        networks = {network_id(weights) for weights in (None, *self._tried_for)}
        known = [running_features(self._dataset, wanted, state=self._state) for wanted in networks]
        running = [run for run in known if run is not None]
        for run in running:
            request_stop(run)
        return bool(running)


def why_none(reason: str) -> str:
    """That there are no live suggestions, and why."""
    return f"No suggestions are learned while you label: {reason}"


def looks_sentence(images: int, run: str) -> str:
    """That the network of a run looks at images, and what comes of it.

    Args:
        images: How many it looks at; 0 where it is at work already, or has nothing to do.
        run: What people call the run.
    """
    if not images:
        return f"The network of {printable(run)} has looked at all images, or is at work."
    return (
        f"The network of {printable(run)} looks at {counted(images, 'image')} in the background; then the better one "
        "is used."
    )


def begin_looking(run: "RunDir", opened: "OpenDataset", most_gb: float) -> str:
    """Let the network of a run look at the images of an open dataset in the background; returns a sentence about it.

    Args:
        run: The run.
        opened: The dataset.
        most_gb: As for `FeatureJob`.

    Raises:
        MiaError: If the run has no network, or is in progress, or the job cannot be started.
    """
    from mia_tui.runs.actions.using import no_network
    from mia_tui.runs.worker.liveness import lives

    refusal = no_network(run, lambda _: "choose the training that has one.")
    if refusal is not None:
        raise refusal
    if lives(run):
        raise RunError("Its weights may be others in a minute.", "Wait until it has ended, or stop it.")
    if opened.session is None:
        raise DataError("The images of this dataset are not open.", "Open it, then choose this again.")
    images = FeatureJob(opened.dataset, opened.state, most_gb).begin(opened.session.listing, run.best_weights)
    return looks_sentence(images, run.notes().title or run.name)
