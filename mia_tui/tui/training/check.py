"""What would hurt a training, shown before it starts; the person starts anyway, or goes back to the form."""

import asyncio
import threading
from functools import partial

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.runs.list.index import list_runs
from mia_tui.runs.preflight.checks import Checked, check_start, without_label
from mia_tui.runs.preflight.images import Stopped
from mia_tui.runs.preflight.prepare import (
    Dataset,
    Prepared,
    prepare_training,
    read_dataset,
    with_absolute_paths,
)
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.queue import last_in_line
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.dialogs import Question
from mia_tui.tui.keyed_modal import KeyedModal
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.training.config_form import fault_style
from mia_tui.tui.training.form import in_words
from mia_tui.tui.training.starting import start_run
from mia_tui.tui.widgets.text_block import TextBlock

_SHOWN_EVERY_S = 0.1
_PAGE = 8  # lines


class CheckScreen(KeyedModal[RunDir | None]):
    """Ends with the run that was started or queued; None goes back to the form.

    Args:
        place: The dataset.
        context: What screens share.
        config: The settings.
        given: Those that somebody named; a stored split decides the others.
        command: The command line that does the same.
    """

    def __init__(
        self, place: OpenDataset, context: Context, config: TrainConfig, given: frozenset[str], command: str
    ) -> None:
        super().__init__()
        moves = {"down": 1, "up": -1, "page_next": _PAGE, "page_previous": -_PAGE}
        self.by_name = {
            "ok": self._start_now,
            "cancel": self._give_up,
            **{name: partial(self._scroll, by) for name, by in moves.items()},
        }
        self._place, self._ink = place, context.ink
        self._config, self._given, self._command = config, given, command
        self._stop = threading.Event()
        self._done = (0, 0)
        self._prepared: tuple[Dataset, Prepared] | None = None
        self._anyway = ""
        self._is_checked = self._is_starting = self._has_failed = False
        self._body = TextBlock(id="check-body")
        self._hint = TextBlock(classes="hint")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="check-dialog"):
            yield TextBlock("Check before the start", classes="title")
            with VerticalScroll(id="check-scroll", can_focus=False):
                yield self._body
            yield self._hint

    def on_mount(self) -> None:
        self.set_interval(_SHOWN_EVERY_S, self._show_progress)
        self._show_progress()
        self.run_worker(self._check(), name="check")

    def on_unmount(self) -> None:
        self._stop.set()

    @property
    def idle(self) -> bool:
        """Whether the list is there, or why there is none."""
        return (self._is_checked or self._has_failed) and not self._is_starting

    def _give_up(self) -> None:
        if not self._is_starting:
            self._stop.set()
            self.dismiss(None)

    def _scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _start_now(self) -> None:
        if self._prepared is None or self._is_starting or self._has_failed:
            return
        self._is_starting = True
        self.run_worker(self._start(), name="start")

    async def _check(self) -> None:
        try:
            made = self._prepared = await asyncio.to_thread(self._prepare)
            checked = await asyncio.to_thread(self._look, *made)
        except Stopped:
            return
        except MiaError as error:
            self._fail(error)
            return
        self._is_checked = True
        self._show(made[1], checked)

    async def _start(self) -> None:
        after, ahead = None, await asyncio.to_thread(self._last_at_work)
        if ahead is not None:
            answers = [(f"After {printable(ahead.name)}", "after"), ("Start now", "now")]
            text = "A run of this dataset is at work. Two at once slow each other down."
            answer = await self.app.push_screen_wait(Question("When?", text, answers))
            if answer is None:
                self._is_starting = False
                self._say_keys()
                return
            after = ahead if answer == "after" else None
        self._stop.set()
        self._hint.update(f"Starting the worker {self._ink.more}")
        try:
            run = await asyncio.to_thread(self._begin, after)
        except MiaError as error:
            self._is_starting = False
            self._fail(error)
            return
        self.dismiss(run)

    # In threads

    def _prepare(self) -> tuple[Dataset, Prepared]:
        config = with_absolute_paths(self._config)
        found = read_dataset(
            self._place.dataset,
            self._place.state,
            frames=config.frames,
            source=config.labels,
            annotator=self._place.annotator,
            follow=True,
            progress=lambda done: self._told(0, done),
        )
        return found, self._settle(found, config, keep=False)

    def _look(self, found: Dataset, prepared: Prepared) -> Checked:
        return check_start(prepared, without_label(found), told=self._told, should_stop=self._stop.is_set)

    def _last_at_work(self) -> RunDir | None:
        """Asked when the person starts: minutes may have gone by since the check."""
        assert self._prepared is not None
        return last_in_line(list_runs(self._prepared[1].state))

    def _begin(self, after: RunDir | None) -> RunDir:
        """Store the split, write the run's folder, start its worker."""
        assert self._prepared is not None
        found, foreseen = self._prepared
        return start_run(self._settle(found, foreseen.job.config, keep=True), after=after)

    def _settle(self, found: Dataset, config: TrainConfig, *, keep: bool) -> Prepared:
        return prepare_training(
            found,
            config,
            given=self._given,
            command=self._command,
            annotator=self._place.annotator,
            keep=keep,
        )

    def _told(self, done: int, total: int) -> None:
        self._done = (done, total)

    # What is seen

    def _show_progress(self) -> None:
        if self._is_checked or self._has_failed:
            return
        done, total = self._done
        if self._prepared is None:
            found = f": {total:,}" if total else ""
            words = f"Looking for images{found} {self._ink.more}"
        else:
            words = f"Looking into the images: {done:,} of {total:,} {self._ink.more}"
        self._body.update(words)
        if not self._is_starting:
            skips = "{ok} starts without waiting, " if self._prepared is not None else ""
            self._hint.update(self.in_words(f"{skips}{{cancel}} goes back to the form."))

    def _show(self, prepared: Prepared, checked: Checked) -> None:
        ink = self._ink
        text = Text()
        for finding in checked.findings:
            text.append(f"{ink.pointer} {ink.shown(finding.message)}\n", style="bold")
            text.append(f"  {ink.shown(finding.hint)}\n")
        for note in prepared.notes:
            text.append(f"{ink.pointer} {ink.shown(note)}\n")
        if not text:
            text.append("Nothing that would hurt was found.\n", style="bold")
        text.append(checked.scope, style="dim")
        self._body.update(text)
        self._anyway = " anyway" if checked.findings else ""
        if not self._is_starting:
            self._say_keys()

    def _say_keys(self) -> None:
        self._hint.update(self.in_words(f"{{ok}} starts{self._anyway}, {{cancel}} goes back to the form."))

    def _fail(self, error: MiaError) -> None:
        self._has_failed = True
        self._body.update(Text(self._ink.shown(in_words(error)), style=fault_style(self._ink)))
        self._hint.update(self.in_words("{cancel} goes back to the form; nothing there is lost."))
