"""What can be done with a run in the app: asks and shows what the actions of `runs.actions` say."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.paths import typed_path
from mia_tui.runs.actions.action import RunAction, RunQuestion, called
from mia_tui.runs.actions.ending import DeleteRun, KillWorker, StopRun, delete_question
from mia_tui.runs.actions.noting import NoteRun, RenameRun, TagRuns, common_tags, one_line, read_tags
from mia_tui.runs.actions.starting import QueueRun, ResumeRun, RunAgain
from mia_tui.runs.actions.using import no_network
from mia_tui.runs.list.find import kind_of
from mia_tui.runs.list.lifecycle import again_config, changed_config
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.screen import KeyedScreen

if TYPE_CHECKING:
    from mia_tui.runs.actions.reporting import MakeReport
    from mia_tui.tui.runs.run_screen import RunScreen
    from mia_tui.tui.runs.table_screen import RunsScreen


class RunActions:
    """The commands on runs of a screen.

    Args:
        screen: Asks, and shows what is said.
        opened: The dataset.
        context: What screens share.
        chosen: The runs that are meant: one, or several that are marked; none if there is no run.
        current: The one run that is meant where several cannot be.
        started: Called with a run that was started by one of the commands.
        deleted: Called when all runs that were to be deleted are.
    """

    def __init__(
        self,
        screen: "RunScreen | RunsScreen",
        opened: OpenDataset,
        context: Context,
        *,
        chosen: Callable[[], Sequence[RunDir]],
        current: Callable[[], RunDir | None],
        started: Callable[[RunDir], Awaitable[None]],
        deleted: Callable[[Sequence[RunDir]], None] = lambda _: None,
    ) -> None:
        self._screen, self._opened, self._context = screen, opened, context
        self._chosen, self._current = chosen, current
        self._started, self._deleted = started, deleted
        self.by_name: dict[str, Command] = {
            **{
                name: self._on_current(do)
                for name, do in (
                    ("stop", self.stop),
                    ("resume", self.resume),
                    ("change", self.train_on),
                    ("again", self.again),
                    ("queue", self.queue),
                    ("predict", self.predict),
                    ("export", self.export),
                    ("rename", self.rename),
                    ("note", self.note),
                    ("report", self.report),
                )
            },
            "delete": self._on_chosen(self.delete),
            "tag": self._on_chosen(self.tag),
        }

    def _on_current(self, do: Callable[[RunDir], Awaitable[None]]) -> Command:
        async def command() -> None:
            run = self._current()
            if run is not None:
                await do(run)

        return command

    def _on_chosen(self, do: Callable[[Sequence[RunDir]], Awaitable[None]]) -> Command:
        async def command() -> None:
            runs = self._chosen()
            if runs:
                await do(runs)

        return command

    def _how_to(self, action: str, run: RunDir) -> str:
        """The key of another action, for a sentence."""
        return self._screen.key("stop" if action == "kill" else action)

    def _instead(self, network: str) -> str:
        """What to do where a run has no network of its own."""
        key = self._screen.key
        return f"{key('predict')} and {key('change')} work on that run; {key('again')} does this one again."

    # Doing one

    async def _perform(self, action: RunAction) -> bool:
        """Do an action if it is possible and wanted, and say what happened; whether it was done."""
        refusal = await asyncio.to_thread(action.refusal)
        if refusal is not None:
            self._screen.say(str(refusal))
            return False
        question = await asyncio.to_thread(action.question)
        if question is not None and not await self._confirm(question):
            return False
        risk = await asyncio.to_thread(action.risk)
        if risk is not None:
            self._screen.show_message(f"{risk.message} {risk.hint}", warning=True, long=True)
        self._screen.say(await asyncio.to_thread(action.doing))
        self._screen.say(await asyncio.to_thread(action.do))
        self._screen.poll_now()
        return True

    async def _confirm(self, question: RunQuestion) -> bool:
        return await self._screen.confirm(question.title, question.text, yes=question.yes, no=question.no)

    # Stopping and resuming

    async def stop(self, run: RunDir) -> None:
        """Ask the worker to stop; if it was asked long ago, offer to kill it."""
        stop = StopRun(run, self._how_to)
        sentence = await asyncio.to_thread(stop.do)
        self._screen.poll_now()
        if not stop.may_kill:
            self._screen.say(sentence)
        elif not await self._perform(KillWorker(run, self._how_to)):
            self._screen.say("It is still saving and stopping.")

    async def resume(self, run: RunDir) -> None:
        """Start a worker that continues a run."""
        await self._perform(ResumeRun(run, self._how_to, dataset=self._opened.dataset))

    async def queue(self, run: RunDir) -> None:
        """Resume a run, or do it again, when those in progress have ended."""
        action = QueueRun(run, self._how_to, dataset=self._opened.dataset, state=self._opened.state)
        if await asyncio.to_thread(lambda: action.trains_again):
            await self.again(run)  # the form asks whether it is to wait
        elif await self._perform(action) and action.started is not None:
            await self._started(action.started)

    # Running again

    async def train(self, base: TrainConfig | None = None, title: str = "") -> None:
        """Show the form, and the run that was started, if any."""
        from mia_tui.tui.training.screen import TrainScreen

        run = await self._screen.ask(TrainScreen(self._opened, self._context, base=base, title=title))
        if run is not None:
            self._screen.did("train")
            await self._started(run)

    async def again(self, run: RunDir) -> None:
        """Train with the settings of a run on the labels of today; do another job with its settings once more."""
        if await asyncio.to_thread(kind_of, run) == TrainConfig.kind:
            config = await asyncio.to_thread(again_config, run)
            await self.train(config, f"Run {await asyncio.to_thread(called, run)} again")
            return
        action = RunAgain(run, self._how_to, dataset=self._opened.dataset)
        if await self._perform(action) and action.started is not None:
            await self._started(action.started)

    async def train_on(self, run: RunDir) -> None:
        """Train on from the best weights of a run, with other settings."""
        refusal = await asyncio.to_thread(no_network, run, self._instead)
        if refusal is not None:
            raise refusal
        config = await asyncio.to_thread(changed_config, run)
        await self.train(config, f"Train on from {await asyncio.to_thread(called, run)}")

    # Predicting

    async def predict(self, run: RunDir) -> None:
        """Let the network of a run suggest classes for images, and show that while it works."""
        from mia_tui.tui.predict.flow import predict_images, watch_prediction

        refusal = await asyncio.to_thread(no_network, run, self._instead)
        if refusal is not None:
            raise refusal
        started = await predict_images(self._screen, self._opened, run)
        if started is not None:
            images = await watch_prediction(self._screen, started, self._opened)
            if images is not None:
                self._screen.dismiss(images)

    async def export(self, run: RunDir) -> None:
        """Write the network of a run as a file for other programs."""
        from mia_tui.tui.interchange.network_export import export_network

        refusal = await asyncio.to_thread(no_network, run, self._instead)
        if refusal is not None:
            raise refusal
        await export_network(self._screen, run, self._opened.dataset)

    # Title, tags and note

    async def rename(self, run: RunDir) -> None:
        """Give a run a title."""
        notes = await asyncio.to_thread(run.notes)
        hint = (
            f"Empty: its folder's name, {printable(run.name)}. {{ok}} saves it, {{cancel}} changes nothing."
        )
        title = "Which title has this run?"
        await self._edit(
            title, notes.title, lambda text: RenameRun(run, text, self._how_to), hint=hint, replaced=True
        )

    async def note(self, run: RunDir) -> None:
        """Write a note on a run."""
        notes = await asyncio.to_thread(run.notes)
        title = f"Note on {await asyncio.to_thread(called, run)}"
        await self._edit(title, notes.note, lambda text: NoteRun(run, text, self._how_to))

    async def tag(self, runs: Sequence[RunDir]) -> None:
        """Change the tags of some runs: those that all of them have, and new ones."""
        before = await asyncio.to_thread(common_tags, runs)
        if len(runs) == 1:
            title = f"Tags of {await asyncio.to_thread(called, runs[0])}"
        else:
            title = f"Tags that all {len(runs):,} marked runs have"
        hint = "With commas between them. {ok} saves them, {cancel} changes nothing."

        def change(text: str) -> RunAction:
            tags = read_tags(text)
            kept = {tag.casefold() for tag in tags}
            removed = [tag for tag in before if tag.casefold() not in kept]
            return TagRuns(runs, add=tags, remove=removed, how_to=self._how_to)

        await self._edit(title, ", ".join(before), change, hint=hint, several=True)

    async def _edit(
        self,
        title: str,
        text: str,
        change: Callable[[str], RunAction],
        *,
        hint: str = "{ok} saves it, {cancel} changes nothing.",
        several: bool = False,
        replaced: bool = False,
    ) -> None:
        """Ask for a text until it is possible or given up, and do what it means."""
        from mia_tui.tui.dialogs import TextDialog

        shown, error = self._context.ink.shown, ""
        before = text = one_line(text)
        while True:
            dialog = TextDialog(
                shown(title),
                value=text,
                hint=shown(hint),
                error=shown(error),
                several=several,
                replaced=replaced,
            )
            answer = await self._screen.ask(dialog)
            if answer is None:
                return
            if answer == before and not error:
                self._screen.say("Nothing was changed.")
                return
            action = change(answer)
            refusal = await asyncio.to_thread(action.refusal)
            if refusal is None:
                await self._perform(action)
                return
            text, error = answer, str(refusal)

    # A report

    async def report(self, run: RunDir) -> None:
        """Ask where to, and make the report of a run in the background."""
        from mia_tui.runs.actions.reporting import MakeReport, no_report, report_name
        from mia_tui.tui.dialogs import PlaceDialog

        refusal = await asyncio.to_thread(no_report, run)
        if refusal is not None:
            raise refusal
        shown, error = self._context.ink.shown, ""
        text = str(self._opened.dataset.absolute() / report_name(run))
        while True:
            dialog = PlaceDialog(
                shown(f"Write the report of {await asyncio.to_thread(called, run)} to which file?"),
                value=text,
                hint="{ok} writes it, {cancel} writes nothing. A name with .zip is an archive with everything.",
                error=shown(error),
                needed="A file needs a name.",
            )
            answer = await self._screen.ask(dialog)
            if answer is None:
                return
            text = answer
            out = self._opened.dataset.absolute() / typed_path(answer)
            action = MakeReport(run, out, dataset=self._opened.dataset, how_to=self._how_to)
            refusal = await asyncio.to_thread(action.refusal)
            if refusal is None:
                break
            error = str(refusal)
        question = await asyncio.to_thread(action.question)
        if question is None or await self._confirm(question):
            self._screen.say(action.doing())
            self._screen.run_in_background(lambda: self._make_report(action))

    async def _make_report(self, action: "MakeReport") -> None:
        try:
            said = await asyncio.to_thread(action.do)
        except MiaError as error:
            self._screen.say("")  # it is not being made any more
            self._screen.show_error(error)
        except asyncio.CancelledError:  # the app is closed
            action.stop()
            raise
        else:
            self._screen.say(said)
            if not self._screen.is_current:
                self._screen.show_message(said, long=True)

    # Deleting

    async def delete(self, runs: Sequence[RunDir]) -> None:
        """Ask, then delete runs in the background."""
        question = await asyncio.to_thread(delete_question, runs)
        if await self._confirm(replace(question, text=f"{await self._which_runs(runs)}{question.text}")):
            self._screen.run_in_background(lambda: self._delete_all(runs))

    async def _which_runs(self, runs: Sequence[RunDir]) -> str:
        """Which runs are meant, where that is not the one under the cursor alone."""
        current = self._current()
        if current is None or [run.path for run in runs] == [current.path]:
            return ""
        marked = "This is the run that is marked" if len(runs) == 1 else "These are the runs that are marked"
        if any(run.path == current.path for run in runs):
            return f"{marked}, the one under the cursor among them. "
        return f"{marked}; the one under the cursor, {await asyncio.to_thread(called, current)}, stays. "

    async def _delete_all(self, runs: Sequence[RunDir]) -> None:
        failed = False
        for action in [DeleteRun(run, self._how_to) for run in runs]:
            self._screen.say(await asyncio.to_thread(action.doing))
            try:
                self._screen.say(await asyncio.to_thread(action.do))
            except MiaError as error:
                failed = True
                self._screen.say("")  # it is not being deleted any more
                self._screen.show_error(error)
            self._screen.poll_now()
        if not failed:
            self._deleted(runs)


async def watch_started(screen: KeyedScreen[Any], run: RunDir, opened: OpenDataset) -> OpenImages | None:
    """Show a run that was just started, or, if it waits for another one, the table of runs.

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
        if images is None:
            screen.say(f"{screen.key('runs')} shows the run again, and all others.")
        return images
    from mia_tui.tui.runs.table_screen import RunsScreen

    return await screen.ask(RunsScreen(opened, screen.context, started=run))
