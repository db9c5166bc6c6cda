"""The check before a training: problems are listed, and the person starts it anyway or goes back."""

import asyncio
import threading
from functools import partial

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.paths import is_same_folder
from mia_tui.runs.actions.action import called
from mia_tui.runs.list.find import list_runs, oldest_first, run_places
from mia_tui.runs.list.lifecycle import start_run
from mia_tui.runs.machine.gpus import list_gpus
from mia_tui.runs.machine.system import host_name
from mia_tui.runs.preflight.checks import CheckResult, check_start, without_label
from mia_tui.runs.preflight.images import CheckStopped
from mia_tui.runs.preflight.machine import gpu_words, is_busy
from mia_tui.runs.preflight.prepare import Prepared, TrainingPreparer
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import read_record
from mia_tui.runs.worker.queue import last_in_line
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.dialogs import Dialog, Question
from mia_tui.tui.training.form import in_words
from mia_tui.tui.widgets.text_block import TextBlock

_SHOWN_EVERY_S = 0.1
_PAGE = 8  # lines


class CheckScreen(Dialog[RunDir | None]):
    """Ends with the run that was started or queued; None goes back to the form.

    Args:
        preparer: Of the dataset, which the form has used already.
        context: What screens share.
        config: The settings.
        given: Those that somebody named; a stored split decides the others.
        command: The command line that does the same.
    """

    def __init__(
        self,
        preparer: TrainingPreparer,
        context: Context,
        config: TrainConfig,
        given: frozenset[str],
        command: str,
    ) -> None:
        super().__init__()
        moves = {"down": 1, "up": -1, "page_next": _PAGE, "page_previous": -_PAGE}
        self.by_name = {
            "ok": self._start_now,
            "cancel": self._give_up,
            **{name: partial(self._scroll, by) for name, by in moves.items()},
        }
        self._preparer, self._ink = preparer, context.ink
        self._config, self._given, self._command = config, given, command
        self._stop = threading.Event()
        self._done = (0, 0)
        self._prepared: Prepared | None = None
        self._anyway = ""
        self._is_checked = self._is_starting = self._has_failed = False
        self._body = TextBlock(id="check-body")
        self._hint = TextBlock(classes="hint")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="check-dialog"):
            yield TextBlock("Check before the start", classes="title")
            with VerticalScroll(id="check-scroll", can_focus=False):
                yield self._body
            yield self._remark
            yield self._hint

    def on_mount(self) -> None:
        self.set_interval(_SHOWN_EVERY_S, self._show_progress)
        self._show_progress()
        self.run_worker(self._check(), name="check")

    def on_unmount(self) -> None:
        self._stop.set()

    @property
    def idle(self) -> bool:
        """Whether the check is done, or has failed."""
        return (self._is_checked or self._has_failed) and not self._is_starting

    def _give_up(self) -> None:
        if self._is_starting:
            self.remark("The worker was started already; the screen of the run can stop it.")
        else:
            self._stop.set()
            self.dismiss(None)

    def _scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _start_now(self) -> None:
        if self._has_failed:
            self.remark("Nothing can be started. {cancel} goes back to the form.")
        elif self._prepared is None:
            self.remark("Images were still being looked for: press {ok} again.")
        if self._prepared is None or self._is_starting or self._has_failed:
            return
        self._is_starting = True
        self.run_worker(self._start(self._prepared), name="start")

    async def _check(self) -> None:
        try:
            prepared = self._prepared = await asyncio.to_thread(self._prepare)
            checked = await asyncio.to_thread(self._find_problems, prepared)
        except CheckStopped:
            return
        except MiaError as error:
            self._fail(error)
            return
        self._is_checked = True
        self._show(prepared, checked)

    async def _start(self, prepared: Prepared) -> None:
        # Asked now, since the check may have been minutes ago.
        ahead = await asyncio.to_thread(_run_ahead, prepared)
        after = None
        if ahead is not None:
            name = self._ink.shown(await asyncio.to_thread(called, ahead))
            answers = [("Start now", "now"), ("After that run", "after")]
            free = await asyncio.to_thread(why_free, self._config, ahead)
            text = f"The run {name} is in progress, but {free}."
            if not free:
                text = f"The run {name} is in progress on this machine; two at once slow each other down."
                answers.reverse()
            answer = await self.app.push_screen_wait(Question("When should it start?", text, answers))
            if answer is None:
                self._is_starting = False
                self._say_keys()
                return
            after = ahead if answer == "after" else None
        self._stop.set()
        self._hint.update(f"Starting the worker {self._ink.more}")
        try:
            run = await asyncio.to_thread(
                start_run, prepared, annotator=self._preparer.annotator, after=after
            )
        except MiaError as error:
            self._is_starting = False
            self._fail(error)
            return
        self.dismiss(run)

    # In threads

    def _prepare(self) -> Prepared:
        return self._preparer.check(
            self._config, self._given, self._command, progress=lambda done: self._set_progress(0, done)
        )

    def _find_problems(self, prepared: Prepared) -> CheckResult:
        others = without_label(prepared.dataset)
        return check_start(prepared, others, on_progress=self._set_progress, should_stop=self._stop.is_set)

    def _set_progress(self, done: int, total: int) -> None:
        self._done = (done, total)

    # Painting

    def _show_progress(self) -> None:
        if self._is_checked or self._has_failed:
            return
        done, total = self._done
        if self._prepared is None:
            found = f": {total:,}" if total else ""
            words = f"Looking for images{found} {self._ink.more}"
        else:
            words = f"Checking the images: {done:,} of {total:,} {self._ink.more}"
        self._body.update(words)
        if not self._is_starting:
            skips = "{ok} starts without waiting, " if self._prepared is not None else ""
            self._hint.update(self.with_keys(f"{skips}{{cancel}} goes back to the form."))

    def _show(self, prepared: Prepared, checked: CheckResult) -> None:
        ink = self._ink
        text = Text()
        for finding in checked.findings:
            text.append(f"{ink.pointer} {ink.shown(finding.message)}\n", style="bold")
            text.append(f"  {ink.shown(finding.hint)}\n")
        for note in prepared.notes:
            text.append(f"{ink.pointer} {ink.shown(note)}\n")
        if not text:
            text.append("No problem was found.\n", style="bold")
        text.append(checked.scope, style="dim")
        self._body.update(text)
        self._anyway = " anyway" if checked.findings else ""
        if not self._is_starting:
            self._say_keys()

    def _say_keys(self) -> None:
        self._hint.update(self.with_keys(f"{{ok}} starts{self._anyway}, {{cancel}} goes back to the form."))

    def _fail(self, error: MiaError) -> None:
        self._has_failed = True
        self._body.update(Text(self._ink.shown(in_words(error)), style=self._ink.fault()))
        self._hint.update(self.with_keys("{cancel} goes back to the form; nothing there is lost."))


def why_free(config: TrainConfig, ahead: RunDir) -> str:
    """Why a training can start beside a run that is in progress, in words; "" where they would share a device."""
    record = read_record(ahead)
    if record is not None and record.host != host_name():
        return f"on another computer ({printable(record.host)})"
    gpus = list_gpus()
    if config.device == "cpu":
        job = ahead.job().config
        return "on a GPU" if gpus and getattr(job, "device", "cpu") != "cpu" else ""
    free = next((gpu for gpu in gpus if not is_busy(gpu)), None)
    return "" if free is None else f"a GPU is free ({gpu_words(free)})"


def _run_ahead(prepared: Prepared) -> RunDir | None:
    """The run to wait for: also a prediction of these images that is kept in the user's own folder."""
    places = run_places(prepared.dataset.root)
    if not any(is_same_folder(prepared.state.root, place.root) for place in places):
        places = (prepared.state,)  # given with --state: only that folder counts
    return last_in_line(oldest_first(run for place in places for run in list_runs(place)))
