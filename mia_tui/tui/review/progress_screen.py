"""How far are we: the audits in words, and the learning curve."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from mia_tui.errors import MiaError
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.dialogs import Dialog
from mia_tui.tui.review.progress import Progress, lines_of, plot_of, read_progress
from mia_tui.tui.runs.figures.curves import Curves
from mia_tui.tui.widgets.text_block import TextBlock

_LEAST_PLOT = 8


class ProgressScreen(Dialog[bool]):
    """Ends with True to audit, or to go on with an audit.

    Args:
        controller: The dataset.
        context: What screens share.
    """

    IS_WIDE = True

    def __init__(self, controller: LabelController, context: Context) -> None:
        super().__init__()
        self._controller, self._ink = controller, context.ink
        self.by_name = {"ok": lambda: self.dismiss(True), "cancel": lambda: self.dismiss(False)}
        self._words, self._hint = TextBlock(id="progress-words"), TextBlock(classes="hint")
        self._curves = Curves(context.ink, id="progress-curve")
        self._curves.display = False
        self.idle = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="progress-dialog"):
            yield TextBlock("How far are we?", classes="title")
            yield self._words
            yield self._curves
            yield self._remark
            yield self._hint

    def on_mount(self) -> None:
        """Textual calls the method of a superclass, too."""
        self._words.update(f"Computing {self._ink.more}")
        self._say_keys(None)
        self.run_worker(self._compute(), name="progress")

    async def _compute(self) -> None:
        try:
            progress = await read_progress(self._controller)
            self._show(progress)
        except MiaError as error:
            self._words.update(self._ink.shown(str(error)))
        self.idle = True

    def _show(self, progress: Progress) -> None:
        ink, text = self._ink, Text(self._ink.shown(progress.sentence), style="bold")
        for line in lines_of(progress, self._controller.session):
            text.append(f"\n{ink.shown(line)}", style="not bold")
        plot = plot_of(progress)
        if plot is None:
            text.append(f"\n{ink.shown(progress.curve_why_not)}", style="not bold dim")
        else:
            self._curves.show([plot])
            self._curves.display = True
        self._words.update(text)
        self._say_keys(progress)

    def _say_keys(self, progress: Progress | None) -> None:
        does = "audits"
        if progress is not None and progress.open is not None:
            done, asked = len(progress.open.answered), len(progress.open.rows)
            does = f"goes on with the audit ({done} of {asked} done)"
        self._hint.update(self.with_keys(f"{{ok}} {does}, {{cancel}} closes this."))
