"""What keys do on the screen of a run."""

import asyncio
from functools import partial
from typing import Protocol, TypeVar

from textual.screen import Screen

from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.runs.list.words import LIVE, RESUMABLE, stop_sentence
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.control import kill_worker, request_stop
from mia_tui.runs.worker.liveness import run_status
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.dialogs import Question
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.follow import RunSnapshot
from mia_tui.tui.runs.pages import PAGES, RunPages

Answer = TypeVar("Answer")


class RunFace(Protocol):
    """What the commands need of the screen."""

    run: RunDir
    pages: RunPages

    @property
    def snapshot(self) -> RunSnapshot | None:
        """The newest one."""

    def say(self, message: str) -> None:
        """Show a sentence."""

    async def ask(self, dialog: Screen[Answer]) -> Answer | None:
        """Show another screen until the person leaves it; what came of it."""

    def say_error(self, error: MiaError) -> None:
        """Show what went wrong, wherever the person is."""

    async def show_help(self) -> None:
        """Show the keys until they are closed."""

    def beside(self, work: Command) -> None:
        """Do something that takes long beside the commands that follow, also when the screen is left."""

    def look_now(self) -> None:
        """See at once what became of the run."""

    def follow(self, run: RunDir) -> None:
        """Show another run from now on."""

    def leave(self, images: OpenImages | None) -> None:
        """Go back, with images to open or none."""


class RunCommands:
    """The commands by the id of their action.

    Args:
        screen: The screen.
        place: The dataset.
        context: What screens share.
    """

    def __init__(self, face: RunFace, place: OpenDataset, context: Context) -> None:
        self._face, self._place, self._context = face, place, context
        self.by_name: dict[str, Command] = {
            "stop": self._stop,
            "resume": self._resume,
            "change": self._change,
            "again": self._again,
            "predict": self._predict,
            "delete": self._delete,
            "open": self._open,
            "log_scale": self._log_scale,
            "other_curves": self._other_curves,
            "which_epoch": self._which_epoch,
            "matrix": self._matrix,
            "leave": self._leave,
            "help": face.show_help,
            **{f"pane_{name}": self._soon(partial(face.pages.turn_to, name)) for name in PAGES},
            "pane_next": self._soon(partial(face.pages.turn, 1)),
            "pane_previous": self._soon(partial(face.pages.turn, -1)),
            "left": self._soon(partial(face.pages.move, 0, -1)),
            "right": self._soon(partial(face.pages.move, 0, 1)),
            "up": self._soon(partial(face.pages.move, -1, 0)),
            "down": self._soon(partial(face.pages.move, 1, 0)),
            "page_next": self._soon(partial(face.pages.move_page, 1)),
            "page_previous": self._soon(partial(face.pages.move_page, -1)),
            "first": self._soon(partial(face.pages.move_far, -1)),
            "last": self._soon(partial(face.pages.move_far, 1)),
        }

    @staticmethod
    def _soon(do: "partial[None]") -> Command:
        async def command() -> None:
            do()

        return command

    # The run

    async def _stop(self) -> None:
        run = self._face.run
        result = await asyncio.to_thread(request_stop, run)
        self._face.look_now()
        if result.may_kill:
            await self._offer_kill()
        elif result.asked_at is None or result.doubt is not None:
            self._face.say(stop_sentence(run, result))
        else:
            self._face.say(
                "Asked to stop: it ends its step and saves. If it does not, S again after 10 s offers to kill it."
            )

    async def _offer_kill(self) -> None:
        run, snapshot = self._face.run, self._face.snapshot
        saved = None if snapshot is None else snapshot.state.checkpoint
        since = "the beginning" if saved is None else f"its last checkpoint, of epoch {saved.epoch},"
        kill = await self._face.ask(
            Question(
                f"Kill the worker of {printable(run.name)}?",
                f"It was asked to stop and has not ended. What it did since {since} is then lost.",
                [("Wait for it", False), ("Kill it", True)],
            )
        )
        if not kill:
            self._face.say("It goes on saving and stopping.")
        else:
            await asyncio.to_thread(kill_worker, run)
            self._face.say("Killed. R goes on from its last checkpoint.")
        self._face.look_now()

    async def _resume(self) -> None:
        from mia_tui.runs.list.housekeeping import resume_run

        status = await asyncio.to_thread(run_status, self._face.run)
        if status not in RESUMABLE:
            self._face.say(
                "It is finished; C trains on from its weights."
                if status == "finished"
                else "It is being worked on."
            )
            return
        self._face.say("Starting a worker.")
        await asyncio.to_thread(resume_run, self._face.run, dataset=self._place.dataset)
        self._face.say("Going on.")
        self._face.look_now()

    async def _change(self) -> None:
        from mia_tui.runs.list.housekeeping import changed_config

        config = await asyncio.to_thread(changed_config, self._face.run)
        await self._train(config, f"Train on from {printable(self._face.run.name)}")

    async def _again(self) -> None:
        from mia_tui.runs.list.housekeeping import rerun_config

        config = await asyncio.to_thread(rerun_config, self._face.run)
        await self._train(config, f"Run {printable(self._face.run.name)} again")

    async def _train(self, config: TrainConfig, title: str) -> None:
        from mia_tui.tui.training.screen import TrainScreen

        started = await self._face.ask(TrainScreen(self._place, self._context, base=config, title=title))
        if started is not None:
            self._face.follow(started)

    async def _delete(self) -> None:
        from mia_tui.runs.list.housekeeping import delete_run

        run, snapshot = self._face.run, self._face.snapshot
        lives = snapshot is not None and snapshot.status in LIVE
        first = " It is being worked on: it is stopped first." if lives else ""
        delete = await self._face.ask(
            Question(
                f"Delete {printable(run.name)}?",
                f"Its figures, weights and checkpoints go for good; labels and images stay.{first}",
                [("Keep it", False), ("Delete it", True)],
            )
        )
        if delete:
            self._face.say("Deleting.")
            await asyncio.to_thread(delete_run, run)
            self._face.leave(None)

    async def _predict(self) -> None:
        from mia_tui.tui.labelling.suggest import start_suggesting, tell_suggesting

        face = self._face
        work = await asyncio.to_thread(start_suggesting, face.run, self._place)
        face.beside(lambda: tell_suggesting(work, say=face.say, failed=face.say_error))

    # What is seen

    async def _open(self) -> None:
        from mia_tui.tui.runs.images import images_behind

        chosen = self._face.pages.chosen
        if chosen is None:
            self._face.say("Enter opens images of a class (page 3) or of a confusion (page 4).")
            return
        images = await asyncio.to_thread(
            images_behind,
            self._face.run,
            self._place,
            chosen.verdict,
            truth=chosen.truth,
            predicted=chosen.predicted,
        )
        self._face.leave(images)

    async def _log_scale(self) -> None:
        self._face.say(self._face.pages.toggle_log())

    async def _other_curves(self) -> None:
        self._face.pages.turn_to("curves")
        if not self._face.pages.curves.turn():
            self._face.say("All curves are shown.")

    async def _which_epoch(self) -> None:
        self._face.pages.toggle_which()

    async def _matrix(self) -> None:
        self._face.pages.toggle_list()

    async def _leave(self) -> None:
        self._face.leave(None)
