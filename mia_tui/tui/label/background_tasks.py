"""What comes to an open dataset from outside: files that a scan finds, labels of others, runs that end.

Threads look for it. What they find is handed over to the app's thread, which
alone touches the session and the screen.
"""

from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.lister import Found
from mia_tui.dataset.listing.listing import Listing
from mia_tui.errors import DataError
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.labelling.dataset_sync import DatasetSync, DatasetSyncFace, take_suggestions
from mia_tui.tui.labelling.idle_tasks import follow_news
from mia_tui.tui.labelling.scan_thread import ScanThread
from mia_tui.tui.later import later

if TYPE_CHECKING:
    from mia_tui.tui.runs.watch import RunNews, RunNewsWatch

_SCAN_BY_S = 0.5  # the scan begins by then, even where no picture comes
_RUNS_AFTER_S = 2.0  # runs are looked at when the first pictures have come


class BackgroundTasksFace(DatasetSyncFace, Protocol):
    """What is needed of the screen."""

    def hand_over(self, act: Callable[[], None]) -> None:
        """For threads: have something done in the app's thread, as long as the screen is there."""

    def run_worker(self, work: Coroutine[Any, Any, None], name: str) -> object:
        """Have something done beside the keys, as long as the screen is there."""


class BackgroundTasks:
    """Looks for what is new, from `start` until `stop`.

    Args:
        desk: The dataset.
        state: What was named with --state.
        arrival: Takes the images that are found.
        face: The screen.

    Attributes:
        runs: Looks at the runs; None until that has begun.
    """

    def __init__(
        self, desk: LabelController, state: Path | None, arrival: DatasetSync, face: BackgroundTasksFace
    ) -> None:
        self._desk, self._state, self._arrival, self._face = desk, state, arrival, face
        self.runs: RunNewsWatch | None = None
        self._stopped = False
        listing = desk.session.listing
        self._opening = self._make_opening(listing if len(listing) else None)

    def start(self) -> None:
        """Begin to look; what can wait comes behind the first picture."""
        if self._arrival.growing:
            self.scan()
        else:  # the images are known: looking what is new would hold up the first picture
            later(_SCAN_BY_S, self.scan)
        later(_RUNS_AFTER_S, self._watch_runs)
        self._face.run_worker(
            follow_news(self._desk, came=self._face.show, failed=self._face.say_error), name="news"
        )

    def stop(self) -> None:
        """End soon; nothing is told any more."""
        self._stopped = True
        if self.runs is not None:
            self.runs.stop()
        self._opening.stop()

    def scan(self) -> None:
        """Begin to look for files, unless that has begun already."""
        self._opening.start()

    async def rescan(self) -> None:
        """Look for files anew, beside the keys; what came of it is said at the end."""
        if self._arrival.look_again():
            self._opening = self._make_opening(self._desk.session.listing)
            self._opening.start()
        else:
            self._face.say("The images are being looked for already.")

    def _make_opening(self, known: Listing | None) -> ScanThread:
        face = self._face
        return ScanThread(
            self._desk.dataset,
            known=known,
            frames="first",
            on_batch=lambda part: face.hand_over(partial(self._take_part, part)),
            on_found=lambda found: face.hand_over(partial(self._take_scan, found)),
            on_failed=lambda error: face.hand_over(partial(self._take_scan, error)),
        )

    def _take_part(self, part: ListingArrays) -> None:
        self._arrival.take_part(part)
        self._opening.taken()

    def _take_scan(self, outcome: Found | DataError) -> None:
        self._face.run_worker(self._arrival.take(outcome), name="arrival")

    def _watch_runs(self) -> None:
        # After the first picture, which need not wait for it.
        from mia_tui.tui.runs.watch import RunNewsWatch

        if not self._stopped:
            self.runs = RunNewsWatch(
                self._desk.dataset,
                self._state,
                lambda news: self._face.hand_over(partial(self._take_run_news, news)),
            )
            self.runs.start()

    def _take_run_news(self, news: "RunNews") -> None:
        for sentence in news.ended:
            self._face.tell(f"{sentence} {self._face.key('runs')} shows it.")
        if news.suggested and self._arrival.opened:
            self._face.do(self._take_suggestions)

    async def _take_suggestions(self) -> None:
        suggested = await take_suggestions(self._desk)
        if suggested:
            self._face.show(anew=True)
            self._face.tell(suggested)
