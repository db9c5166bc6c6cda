"""The form of a training: the settings of the command line, section by section, checked while they are typed."""

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from mia_tui.config.command import train_command
from mia_tui.config.train import TrainConfig
from mia_tui.runs.preflight.prepare import TrainingPreparer
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.training.commands import TrainCommands
from mia_tui.tui.training.config_form import ConfigForm, SectionTabs
from mia_tui.tui.training.estimate import EstimateThread, StartEstimate
from mia_tui.tui.training.form import Form
from mia_tui.tui.training.form_cursor import FormCursor
from mia_tui.tui.training.machine import Machine, probe_machine
from mia_tui.tui.training.panel import FormFacts, panel
from mia_tui.tui.training.preview import PreviewPane
from mia_tui.tui.training.words import help_text, shown_command, state_words
from mia_tui.tui.widgets.line_list import Entry, EntryList
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_line import TextLine

WIDE_COLUMNS = 110
"""From this width on, the sections stand on the left."""

_SIDE_COLUMNS = 34
_WIDE_SIDE_COLUMNS = 46
_LEAST_FORM = 44  # without a side, where less would be left
_ESTIMATE_AFTER_S = 0.3  # after the last key: an estimate takes processor time from the typing


class TrainScreen(KeyedScreen[RunDir | None]):
    """Ends with the run that was started or queued, or None.

    Args:
        opened: The dataset.
        context: What screens share.
        base: Settings to start from; None starts from what was typed before, or from the defaults, and keeps what is
            typed for the next time.
        title: The heading; it names the dataset if left out.
    """

    SCOPE_NAME = "train"
    MANUAL_PAGE = "training"
    commands: TrainCommands

    class Estimated(Message):
        """What a training by these settings would use."""

        def __init__(self, estimate: StartEstimate) -> None:
            super().__init__()
            self.estimate = estimate

    class MachineSeen(Message):
        """The GPUs of this machine, or whether torch can use them."""

        def __init__(self, machine: Machine) -> None:
            super().__init__()
            self.machine = machine

    def __init__(
        self, opened: OpenDataset, context: Context, *, base: TrainConfig | None = None, title: str = ""
    ) -> None:
        super().__init__(context)
        self.opened, self._ink = opened, context.ink
        self._title = title or f"Train on {printable(opened.dataset.resolve().name)}"
        self._draft_of = (opened.dataset.resolve(), opened.state) if base is None else None
        draft = None if self._draft_of is None else context.drafts.get(self._draft_of)
        self.cursor = FormCursor(draft or Form(base))
        self.machine: Machine | None = None
        self.estimate: StartEstimate | None = None
        self.preview = PreviewPane(opened, context, id="train-preview")
        self.commands = TrainCommands(self)
        self.at_once = self.commands.at_once
        ink = context.ink
        self._heading = TextLine(ink, id="train-heading")
        self._tabs = SectionTabs(ink, id="train-tabs")
        self._sections = EntryList(ink, id="train-sections")
        self._form = ConfigForm(ink, id="train-form")
        self._side = TextBlock(id="train-side")
        self._help = TextBlock(id="train-help")
        self._command = TextBlock(id="train-command")
        self._message = TextBlock(id="train-message")
        self._is_waiting = False  # for the next estimate
        self.preparer = TrainingPreparer(opened.dataset, opened.state, opened.annotator)
        self._thread = EstimateThread(
            self.preparer, lambda estimate: self.post_from_thread(self.Estimated(estimate))
        )

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._tabs
        with Horizontal(id="train-middle"):
            yield self._sections
            yield self._form
            yield self._side
            yield self.preview
        yield self._help
        yield self._command
        yield self._message
        yield self.key_line

    def on_mount(self) -> None:
        probe_machine(lambda machine: self.post_from_thread(self.MachineSeen(machine)))
        self.queue.do(self.commands.look_for_weights)
        self._estimate_soon()
        self.call_after_refresh(self.show)

    def on_unmount(self) -> None:
        self._thread.close()

    def on_resize(self) -> None:
        self._lay_out()
        self.call_after_refresh(self.show)

    @property
    def idle(self) -> bool:
        """Whether the estimate belongs to what is typed."""
        return self._thread.idle and self.estimate is not None and not self._is_waiting

    # For the commands

    @property
    def command(self) -> str:
        """The command line that does the same."""
        state = self.opened.state
        return train_command(
            self.cursor.form.values, self.opened.dataset, state=state, annotator=self.context.annotator
        )

    def say(self, message: str) -> None:
        self._message.update(self._ink.shown(message))

    def say_failed(self, message: str) -> None:
        self.say(message)

    def leave(self, run: RunDir | None) -> None:
        """Close the form; what is typed is kept for the next time, unless it was started."""
        if self._draft_of is not None:
            self.context.drafts.pop(self._draft_of, None)
            if run is None:
                self.context.drafts[self._draft_of] = self.cursor.form
        self.dismiss(run)

    # Keys

    def do_command(self, command: str) -> None:
        if command in self.at_once:
            self.say("")
        super().do_command(command)
        if command in self.at_once:
            self.show()

    def other_key_pressed(self, event: events.Key) -> None:
        """Letters go into the field, or open its list; other keys edit its text."""
        character = event.character if event.is_printable else None
        if character is not None:
            event.stop()
            self._type(character)
        elif self.cursor.press(event.key):
            event.stop()
            self.say("")
            self.show()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._type(event.text)

    def _type(self, text: str) -> None:
        if self.cursor.type(text):
            self.say("")
            self.show()
        elif text == "?":
            self.run_command("help")
        elif text == " ":
            self.run_command("open")
        elif self.cursor.kind(self.cursor.name) != "switch":
            is_first = not self.commands.begun
            self.commands.begun += text  # several may come in one burst
            if is_first:
                self.run_command("open")

    @on(ConfigForm.SettingClicked)
    def _setting_clicked(self, event: ConfigForm.SettingClicked) -> None:
        """A click moves the cursor to a field; on the value of the current field it opens or switches it."""
        name = self.cursor.lines()[0][event.line].name
        was_there = name == self.cursor.name
        self.cursor.go_to(name)
        if event.on_value and (was_there or self.cursor.kind(name) != "text"):
            self.run_command("open")
        self.show()

    @on(EntryList.LineClicked)
    def _section_clicked(self, event: EntryList.LineClicked) -> None:
        self._go_to_section(event.line)

    @on(SectionTabs.SectionClicked)
    def _tab_clicked(self, event: SectionTabs.SectionClicked) -> None:
        self._go_to_section(event.number)

    def _go_to_section(self, number: int) -> None:
        self.cursor.section = self.cursor.sections()[number][0]
        self.cursor.go_to(self.cursor.names()[0])
        self.show()

    # What threads found out

    @on(Estimated)
    def _take_estimate(self, event: Estimated) -> None:
        self.estimate = event.estimate
        if self.cursor.form.decide(event.estimate.decided):
            self.cursor.refresh()
        named = event.estimate.problem_field
        self.cursor.others = {} if named is None else {named: event.estimate.problem}
        self.show()

    @on(MachineSeen)
    def _take_machine(self, event: MachineSeen) -> None:
        self.machine = event.machine
        self.show()

    def _estimate_soon(self) -> None:
        """Estimate when no key came for a while."""
        if not self._is_waiting:
            self._is_waiting = True
            self.set_timer(_ESTIMATE_AFTER_S, self._start_estimate)

    def _start_estimate(self) -> None:
        self._is_waiting = False
        config = self.cursor.form.values
        self._thread.want(config, frozenset(self.cursor.form.given))
        if self.preview.display and not self.cursor.faults:
            self.preview.want(config, self.estimate)

    # Painting

    def show(self) -> None:
        """Paint what has changed."""
        if not self.is_mounted:
            return
        cursor = self.cursor
        sections = cursor.sections()
        number = [name for name, _ in sections].index(cursor.section)
        self._tabs.show([name if "error" not in words else f"{name}!" for name, words in sections], number)
        self._sections.show([Entry(name, words) for name, words in sections], number)
        self._form.show(*cursor.lines())
        state = state_words(cursor, self.estimate, self.key("start"))  # a long title is cut short for it
        title = self._ink.fit(self._title, self.size.width - self._ink.width(state) - 2)
        self._heading.show([(title, None)], [(state, None)])
        self._help.update(help_text(cursor, self.estimate, self._ink))
        command = shown_command(self.command, self.opened.dataset, self.size.width - 2, self._ink)
        self._command.update(Text(command))
        config = cursor.form.values
        known = FormFacts(self.commands.weights_here(config.backbone), self.machine, self.estimate)
        self._side.update(panel(cursor.section, config, known, self._side.size, self._ink))
        self._lay_out()
        self._estimate_soon()

    def _lay_out(self) -> None:
        width = self.size.width
        is_wide = width >= WIDE_COLUMNS
        self._tabs.display, self._sections.display = not is_wide, is_wide
        side = _WIDE_SIDE_COLUMNS if is_wide else _SIDE_COLUMNS
        self._side.styles.width = self.preview.styles.width = side
        has_side, is_preview = width - side >= _LEAST_FORM, self.cursor.section == "Augmentation"
        self._side.display, self.preview.display = has_side and not is_preview, has_side and is_preview
