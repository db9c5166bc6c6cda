"""What the keys of the run room do; all of it but the moves off the event loop."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from textual.screen import Screen

from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.runs.list.housekeeping import changed_config, delete_run, rerun_config, resume_run
from mia_tui.runs.list.order import SORTS
from mia_tui.runs.list.table import RunSummary
from mia_tui.runs.list.words import RESUMABLE, stop_sentence
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.control import kill_worker, request_stop
from mia_tui.runs.worker.detach_risk import detach_risk
from mia_tui.runs.worker.queue import last_in_line
from mia_tui.text import counted, name_some, printable
from mia_tui.tui.context import Context
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.table_view import FILTERS, RunTableView

Answer = TypeVar("Answer")

_MB = 1_000_000


class RunTableFace(Protocol):
    """What the commands need of the screen."""

    def say(self, message: str) -> None:
        """Show a sentence until the next command."""

    def warn(self, message: str) -> None:
        """Show a sentence that stays for a while."""

    async def ask(self, dialog: Screen[Answer]) -> Answer | None:
        """Show another screen until the person leaves it; what came of it."""

    async def confirm(self, title: str, text: str, *, no: str, yes: str) -> bool:
        """Ask a question with two answers."""

    def beside(self, work: Command) -> None:
        """Do something that takes long beside the commands that follow, also when the room is left."""

    def look_now(self) -> None:
        """Look at the runs at once."""

    def close(self, answer: OpenImages | None) -> None:
        """Leave the room."""

    async def show_help(self) -> None: ...

    @property
    def page(self) -> int: ...


class RunsCommands:
    """The commands by the id of their action.

    Args:
        place: The dataset, and who is there.
        view: What is shown.
        screen: The screen.
        context: What screens share.
    """

    def __init__(self, place: OpenDataset, view: RunTableView, face: RunTableFace, context: Context) -> None:
        self._place, self._view, self._face, self._context = place, view, face, context
        self.by_name: dict[str, Command] = {
            "open": self._open,
            "new": self._new,
            "stop": self._stop,
            "resume": self._resume,
            "change": self._change,
            "again": self._again,
            "queue": self._queue,
            "predict": self._predict,
            "delete": self._delete,
            "mark": self._mark,
            "compare": self._compare,
            "order": self._order,
            "filter": self._filter,
            "leave": self._leave,
            "help": face.show_help,
        }

    def moves(self) -> dict[str, int]:
        """The lines that the moving commands go, by their id."""
        far, page = len(self._view.shown), self._face.page
        return {
            "up": -1, "down": 1, "page_previous": -page, "page_next": page, "first": -far, "last": far,
        }  # fmt: skip

    # Looking

    async def _open(self) -> None:
        row = self._view.current
        if row is not None and row.status == "damaged":
            self._face.say(f"{row.run.name} is damaged. {row.note}")
        elif row is not None:
            await self._watch(row.run)

    async def _watch(self, run: RunDir) -> None:
        from mia_tui.tui.runs.run_screen import RunScreen

        wanted = await self._face.ask(RunScreen(run, self._place, self._context))
        if wanted is not None:
            self._face.close(wanted)

    async def _compare(self) -> None:
        from mia_tui.tui.runs.compare import CompareScreen

        rows = [row for row in self._view.chosen if row.job is not None]
        if len(rows) < 2:
            self._face.say("Mark two runs or more with Space, then compare them.")
            return
        await self._face.ask(CompareScreen(rows, self._context))

    async def _mark(self) -> None:
        self._view.mark()

    async def _order(self) -> None:
        order = await self._pick("Sort by", [(name, name) for name in SORTS])
        self._view.arrange_by(order=order)

    async def _filter(self) -> None:
        choices = [(f"{name} ({self._view.count(name):,})", name) for name in FILTERS]
        self._view.arrange_by(filter=await self._pick("Show", choices))

    async def _leave(self) -> None:
        if not self._view.unmark():
            self._face.close(None)

    # Starting

    async def _new(self) -> None:
        await self._train(None, "")

    async def _again(self) -> None:
        if (row := self._view.current) is not None:
            config = await asyncio.to_thread(rerun_config, row.run)
            await self._train(config, f"Run {printable(row.run.name)} again")

    async def _change(self) -> None:
        if (row := self._view.current) is not None:
            config = await asyncio.to_thread(changed_config, row.run)
            await self._train(config, f"Train on from {printable(row.run.name)}")

    async def _queue(self) -> None:
        row = self._view.current
        if row is None:
            return
        oldest_first = [other.run for other in reversed(self._view.known) if other.run != row.run]
        ahead = await asyncio.to_thread(last_in_line, oldest_first)
        if row.lives:
            self._face.say(f"{row.run.name} is {row.status} already.")
        elif row.status not in RESUMABLE:
            await self._again()  # the form asks whether it is to wait
        elif ahead is None:
            self._face.say("No other run is at work: resume it instead.")
        else:
            await self._go_on(row.run, ahead)

    async def _train(self, base: TrainConfig | None, title: str) -> None:
        from mia_tui.tui.training.screen import TrainScreen

        run = await self._face.ask(TrainScreen(self._place, self._context, base=base, title=title))
        if run is not None:
            await self.take_started(run)

    async def take_started(self, run: RunDir) -> None:
        """Go to a run that was just started, and watch it, unless it waits for another one."""
        self._view.want(run.path)
        self._face.look_now()
        if (await asyncio.to_thread(run.job)).after is None:
            await self._watch(run)

    async def _resume(self) -> None:
        if (row := self._view.current) is not None:
            await self._go_on(row.run, None)

    async def _go_on(self, run: RunDir, ahead: RunDir | None) -> None:
        risk = await asyncio.to_thread(detach_risk)
        if risk is not None:
            self._face.warn(f"{risk.message} {risk.hint or ''}".rstrip())
        self._face.say(f"Starting {run.name}")
        await asyncio.to_thread(resume_run, run, after=ahead, dataset=self._place.dataset)
        when = "" if ahead is None else f" when {ahead.name} has ended"
        self._face.say(f"{run.name} goes on with its settings{when}.")
        self._face.look_now()

    async def _predict(self) -> None:
        from mia_tui.tui.labelling.suggest import start_suggesting, tell_suggesting

        if (row := self._view.current) is not None:
            face = self._face
            work = await asyncio.to_thread(start_suggesting, row.run, self._place)
            face.beside(
                lambda: tell_suggesting(work, say=face.say, failed=lambda error: face.warn(str(error)))
            )

    # Ending

    async def _stop(self) -> None:
        row = self._view.current
        if row is None:
            return
        result = await asyncio.to_thread(request_stop, row.run)
        if result.may_kill and await self._face.confirm(
            f"End {printable(row.run.name)} at once?",
            "It was asked to stop and has not yet. What it did since its last checkpoint would be lost.",
            yes="End it",
            no="Wait",
        ):
            await asyncio.to_thread(kill_worker, row.run)
        else:
            self._face.say(stop_sentence(row.run, result))
        self._face.look_now()

    async def _delete(self) -> None:
        rows = self._view.chosen
        if not rows:
            return
        size = await asyncio.to_thread(lambda: sum(_bytes_in(row.run.path) for row in rows))
        if await self._face.confirm(_delete_title(rows), _delete_text(rows, size), yes="Delete", no="Keep"):
            self._face.beside(lambda: self._delete_all(rows))

    async def _delete_all(self, rows: Sequence[RunSummary]) -> None:
        for row in rows:
            name = printable(row.run.name)
            self._face.say(f"Stopping and deleting {name}" if row.lives else f"Deleting {name}")
            try:
                await asyncio.to_thread(delete_run, row.run)
            except MiaError as error:
                self._face.warn(str(error))
            else:
                self._face.say(f"{name} is deleted.")
            self._face.look_now()

    # Asking

    async def _pick(self, title: str, choices: Sequence[tuple[str, str]]) -> str | None:
        from mia_tui.tui.dialogs import Choice, PickDialog

        listed = [Choice(text, value) for text, value in choices]
        return await self._face.ask(PickDialog(title, listed, self._context.ink, searchable=False))


def _delete_title(rows: Sequence[RunSummary]) -> str:
    return f"Delete {printable(rows[0].run.name)}?" if len(rows) == 1 else f"Delete {len(rows):,} runs?"


def _delete_text(rows: Sequence[RunSummary], size: int) -> str:
    whose = "Its" if len(rows) == 1 else "Their"
    much = f" {size / _MB:,.1f} MB of" if size >= _MB / 10 else ""
    text = f"{whose}{much} checkpoints, figures and logs cannot be brought back."
    live = [row.run.name for row in rows if row.lives]
    if live:
        at_work = "It is" if len(rows) == 1 else f"{name_some(live)} {'is' if len(live) == 1 else 'are'}"
        text = f"{at_work} at work and will be stopped first. {text}"
    if len(rows) > 1:
        text = f"{counted(len(rows), 'run')}: {name_some(row.run.name for row in rows)}. {text}"
    return text


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # it went away meanwhile
            continue
    return total
