"""What can be done with a run, from the table of runs and from the screen of a run alike."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.runs.list.lifecycle import changed_config, delete_run, rerun_config, resume_run
from mia_tui.runs.list.words import stop_sentence
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.control import KILL_AFTER_S, kill_worker, request_stop
from mia_tui.runs.worker.detach_risk import detach_risk
from mia_tui.runs.worker.liveness import LIVE, lives, run_status
from mia_tui.text import counted, name_some, printable
from mia_tui.tui.context import Context
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.words import size_words
from mia_tui.tui.screen import KeyedScreen

if TYPE_CHECKING:
    from mia_tui.tui.runs.run_screen import RunScreen
    from mia_tui.tui.runs.table_screen import RunsScreen


class RunActions:
    """Stops, resumes, repeats, deletes runs and lets them predict; asks before what cannot be undone.

    Args:
        screen: Asks, and shows what is said.
        opened: The dataset.
        context: What screens share.
    """

    def __init__(self, screen: "RunScreen | RunsScreen", opened: OpenDataset, context: Context) -> None:
        self._screen, self._opened, self._context = screen, opened, context

    # Stopping and resuming

    async def stop(self, run: RunDir, *, saved: str = "its last checkpoint") -> None:
        """Ask the worker to stop; if it was asked long ago, offer to kill it.

        Args:
            run: The run.
            saved: Since when its work would be lost by a kill, in words.
        """
        result = await asyncio.to_thread(request_stop, run)
        self._screen.poll_now()
        if not result.may_kill:
            later = f" If it does not, {self._screen.key('stop')} again after {KILL_AFTER_S:.0f} s offers to kill it."
            self._screen.say(stop_sentence(run, result) + (later if result.signalled else ""))
            return
        kill = await self._screen.confirm(
            f"Kill the worker of {printable(run.name)}?",
            f"It was asked to stop and has not ended. What it did since {saved} is then lost.",
            yes="Kill it",
            no="Wait for it",
        )
        if kill:
            await asyncio.to_thread(kill_worker, run)
            self._screen.say(f"Killed. {self._screen.key('resume')} resumes it from its last checkpoint.")
        else:
            self._screen.say("It is still saving and stopping.")
        self._screen.poll_now()

    async def resume(self, run: RunDir, *, after: RunDir | None = None) -> None:
        """Start a worker that continues a run, now or when another run has ended."""
        status = await asyncio.to_thread(run_status, run)
        if status == "finished":
            self._screen.say(
                f"The run {run.name} is finished; {self._screen.key('change')} trains on from its weights."
            )
            return
        if status in LIVE:
            self._screen.say(f"The run {run.name} is {status} already.")
            return
        risk = await asyncio.to_thread(detach_risk)
        if risk is not None:
            self._screen.show_message(f"{risk.message} {risk.hint}", warning=True, long=True)
        self._screen.say(f"Starting {run.name}")
        await asyncio.to_thread(resume_run, run, after=after, dataset=self._opened.dataset)
        when = "" if after is None else f" when {after.name} has ended"
        self._screen.say(f"{run.name} continues with its settings{when}.")
        self._screen.poll_now()

    # Training with a run's settings

    async def train(self, base: TrainConfig | None = None, title: str = "") -> RunDir | None:
        """Show the form; the run that was started, if any."""
        from mia_tui.tui.training.screen import TrainScreen

        return await self._screen.ask(TrainScreen(self._opened, self._context, base=base, title=title))

    async def train_again(self, run: RunDir) -> RunDir | None:
        """Train with the settings of a run on the labels of today."""
        config = await asyncio.to_thread(rerun_config, run)
        return await self.train(config, f"Run {printable(run.name)} again")

    async def train_on(self, run: RunDir) -> RunDir | None:
        """Train on from the best weights of a run, with other settings."""
        config = await asyncio.to_thread(changed_config, run)
        return await self.train(config, f"Train on from {printable(run.name)}")

    # Predicting

    async def predict(self, run: RunDir) -> None:
        """Let the network of a run suggest classes for images, and show that while it works."""
        from mia_tui.tui.predict.flow import predict_images, watch_prediction

        started = await predict_images(self._screen, self._opened, run)
        if started is not None:
            images = await watch_prediction(self._screen, started, self._opened)
            if images is not None:
                self._screen.dismiss(images)

    # Deleting

    async def delete(self, runs: Sequence[RunDir], then: Callable[[], None] = lambda: None) -> None:
        """Ask, then delete runs in the background.

        Args:
            runs: One run or more.
            then: Called at the end if all of them were deleted.
        """
        size, live = await asyncio.to_thread(_size_and_live, runs)
        if await self._screen.confirm(
            _delete_title(runs), _delete_text(runs, size, live), yes="Delete", no="Keep"
        ):
            self._screen.run_in_background(lambda: self._delete_all(runs, live, then))

    async def _delete_all(
        self, runs: Sequence[RunDir], live: Sequence[RunDir], then: Callable[[], None]
    ) -> None:
        failed = False
        for run in runs:
            self._screen.say(f"Stopping and deleting {run.name}" if run in live else f"Deleting {run.name}")
            try:
                await asyncio.to_thread(delete_run, run)
            except MiaError as error:
                failed = True
                self._screen.show_error(error)
            else:
                self._screen.say(f"{run.name} is deleted.")
            self._screen.poll_now()
        if not failed:
            then()


async def watch_started(screen: KeyedScreen[Any], run: RunDir, opened: OpenDataset) -> OpenImages | None:
    """Show a run that was just started, then the table of runs; the table at once if the run waits for another one.

    Args:
        screen: The screen that it was started from.
        run: The run.
        opened: The dataset.

    Returns:
        Images that the person wants to see, or None.
    """
    from mia_tui.tui.runs.run_screen import RunScreen

    if (await asyncio.to_thread(run.job)).after is None:
        images = await screen.ask(RunScreen(run, opened, screen.context))
        if images is not None:
            return images
    from mia_tui.tui.runs.table_screen import RunsScreen

    return await screen.ask(RunsScreen(opened, screen.context, started=run))


def _delete_title(runs: Sequence[RunDir]) -> str:
    return f"Delete {printable(runs[0].name)}?" if len(runs) == 1 else f"Delete {len(runs):,} runs?"


def _delete_text(runs: Sequence[RunDir], size: int, live: Sequence[RunDir]) -> str:
    whose = "Its" if len(runs) == 1 else "Their"
    much = f" {size_words(size)} of" if size else ""
    text = f"{whose}{much} checkpoints, metrics and logs cannot be brought back; labels and images stay."
    if live:
        names = name_some(run.name for run in live)
        at_work = "It is" if len(runs) == 1 else f"{names} {'is' if len(live) == 1 else 'are'}"
        text = f"{at_work} in progress and will be stopped first. {text}"
    if len(runs) > 1:
        text = f"{counted(len(runs), 'run')}: {name_some(run.name for run in runs)}. {text}"
    return text


def _size_and_live(runs: Sequence[RunDir]) -> tuple[int, list[RunDir]]:
    """Bytes in the folders of runs, and which of the runs have a worker, or may have one."""
    return sum(_bytes_in(run.path) for run in runs), [run for run in runs if lives(run)]


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # it was deleted meanwhile
            continue
    return total
