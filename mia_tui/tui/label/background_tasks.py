"""What runs in the background while a dataset is open: the scan for files, news of others' labels and of runs.

Threads do the work. What they find is handed over to the app's thread, which
alone changes the session and the screen.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.scan.incremental import ListedImages
from mia_tui.errors import DataError
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.controller.news import follow_news
from mia_tui.tui.label.dataset_sync import DatasetSync, ScanThread
from mia_tui.tui.label.session_screen import SessionScreen
from mia_tui.tui.later import later
from mia_tui.tui.screen import KeyedScreen

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen
    from mia_tui.tui.runs.watch import RunNews, RunNewsWatch

_SCAN_BY_S = 0.5  # the scan starts then at the latest, even if no picture was painted
_RUNS_AFTER_S = 2.0  # when the first pictures have been painted


class BackgroundTasks:
    """Watches for news from `start` until `stop`.

    Args:
        controller: The dataset.
        state: What was named with --state.
        dataset_sync: Takes over the images that are found.
        screen: The screen.

    Attributes:
        runs: Watches the runs; None until that has started.
    """

    def __init__(
        self,
        controller: LabelController,
        state: Path | None,
        dataset_sync: DatasetSync,
        screen: "LabelScreen",
    ) -> None:
        self._controller, self._state = controller, state
        self._dataset_sync, self._screen = dataset_sync, screen
        self.runs: RunNewsWatch | None = None
        self._stopped = False
        listing = controller.session.listing
        self._scan_thread = self._make_scan_thread(listing if len(listing) else None)

    def start(self) -> None:
        """Start; what can wait comes after the first picture."""
        if self._dataset_sync.growing:
            self.scan()
        else:  # the images are known: a scan would delay the first picture
            later(_SCAN_BY_S, self.scan)
        later(_RUNS_AFTER_S, self._watch_runs)
        self._screen.run_worker(
            follow_news(
                self._controller,
                came=self._screen.show,
                failed=self._screen.show_error,
                tell=self._screen.show_message,
            ),
            name="news",
        )

    def stop(self) -> None:
        """End soon; nothing is shown any more."""
        self._stopped = True
        if self.runs is not None:
            self.runs.stop()
        self._scan_thread.stop()

    def scan(self) -> None:
        """Start the scan for files, unless it has started already."""
        self._scan_thread.start()

    async def rescan(self) -> None:
        """Scan for files again in the background; a message at the end says what was found."""
        if self._dataset_sync.begin_rescan():
            self._scan_thread = self._make_scan_thread(self._controller.session.listing)
            self._scan_thread.start()
        else:
            self._screen.say("A search for images was running already.")

    def _make_scan_thread(self, known: Listing | None) -> ScanThread:
        screen = self._screen
        return ScanThread(
            self._controller.dataset,
            known=known,
            frames="first",
            stacks=self._controller.stack_mode,
            on_batch=lambda part: screen.hand_over(partial(self._take_part, part)),
            on_found=lambda found: screen.hand_over(partial(self._take_scan, found)),
            on_failed=lambda error: screen.hand_over(partial(self._take_scan, error)),
        )

    def _take_part(self, part: ListingArrays) -> None:
        self._dataset_sync.take_part(part)
        self._scan_thread.take_next()

    def _take_scan(self, outcome: ListedImages | DataError) -> None:
        self._screen.run_worker(self._dataset_sync.take(outcome), name="dataset sync")

    def _watch_runs(self) -> None:
        # Imported after the first picture, so that it does not delay it.
        from mia_tui.tui.runs.watch import RunNewsWatch

        if not self._stopped:
            self._controller.live.open_again()
            self.runs = RunNewsWatch(
                self._controller.dataset,
                self._state,
                lambda news: self._screen.hand_over(partial(self._take_run_news, news)),
                lambda words: self._screen.hand_over(partial(self._screen.say_work, words)),
            )
            self.runs.start()

    def _take_run_news(self, news: "RunNews") -> None:
        stack = self._screen.app.screen_stack[::-1]
        shown = next((each for each in stack if isinstance(each, KeyedScreen)), self._screen)  # below dialogs
        how = f" {self._screen.key('runs')} shows it." if "runs" in shown.keys else ""
        for run, sentence in news.ended:
            if not shown.tells_of(run):
                self._screen.show_message(f"{sentence}{how}")
        if news.suggested and self._dataset_sync.opened:
            # The grid is opened by a command of the labelling screen, whose queue waits until the grid is left.
            images = next((each for each in stack if isinstance(each, SessionScreen)), self._screen)
            images.queue.do(self._take_suggestions, keep=True)

    async def _take_suggestions(self) -> None:
        suggested = await self._controller.suggestions.refresh()
        if suggested:
            self._screen.show()
            self._screen.show_message(suggested)
