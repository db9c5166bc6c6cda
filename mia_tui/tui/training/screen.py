"""The form of a training: a first page in plain words, and the settings of the command line, section by section.

All are checked while they are typed.
"""

from collections.abc import Sequence

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.message import Message
from textual.notifications import Notification

from mia_tui.analysis.rate_curve import RateCurve
from mia_tui.config.command import train_command
from mia_tui.config.train import TrainConfig
from mia_tui.runs.preflight.prepare import TrainingPreparer
from mia_tui.runs.preflight.recommendation import Recommendation, TrainingPlace, recommend
from mia_tui.runs.preflight.repeats import without_given_trials
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.textual_private import messages_shown
from mia_tui.tui.training.commands import TrainCommands
from mia_tui.tui.training.config_form import ConfigForm, FormPanel, RoomChanged, SectionTabs, SideText
from mia_tui.tui.training.estimate import EstimateThread, StartEstimate
from mia_tui.tui.training.forecast import StepClock
from mia_tui.tui.training.form import START, Form, field_of
from mia_tui.tui.training.form_cursor import FIELD_KINDS, FormCursor, FormLine
from mia_tui.tui.training.machine import Machine, cores_here, probe_machine
from mia_tui.tui.training.panel import FormFacts, panel
from mia_tui.tui.training.preview import PreviewPane
from mia_tui.tui.training.start_page import StartFacts, StartRoom, start_lines
from mia_tui.tui.training.words import help_text, shown_command, state_words
from mia_tui.tui.widgets.line_list import Entry, EntryList
from mia_tui.tui.widgets.message_line import MessageLine
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_line import TextLine

WIDE_COLUMNS = 110
"""From this width on, the sections stand on the left."""

_SIDE_COLUMNS = 34
_WIDE_SIDE_COLUMNS, _MOST_SIDE_COLUMNS = 42, 84
_WIDE_SIDE_SHARE = 0.38
_LEAST_FORM = 44  # without a side, where less would be left
_LOW_ROWS = 30
_FULLNESS = ((True, True), (True, False), (False, True), (False, False))
"""Whether fields are explained, and whether there are gaps between them; the first that fits is taken."""

_SPARE_ROWS = 2  # for a fault, so that it changes nothing around it
_SIDE_TITLES = {
    "Network": "Network",
    "Run": "Machine",
    "Loss and metric": "Classes",
    "Augmentation": "Preview",
}
_SHOWING = ("Input", "Augmentation")  # sections whose faults leave nothing to show in the preview
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

    LEAST = 50, 14
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

    class Timed(Message):
        """Steps of a training were timed, or could not be."""

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
        self.rate_curve: RateCurve | None = None
        self.preview = PreviewPane(opened, context, id="train-preview")
        self.commands = TrainCommands(self)
        self.at_once = self.commands.at_once
        ink = context.ink
        self._heading = TextLine(ink, id="train-heading")
        self._tabs = SectionTabs(ink, id="train-tabs")
        self._sections = EntryList(ink, id="train-sections")
        self._form = ConfigForm(ink, id="train-form")
        self._side = SideText(id="train-side")
        self._help = TextBlock(id="train-help")
        self._explanation = TextBlock(id="train-explanation")
        self._command = TextBlock(id="train-command")
        self._panels = {
            name: FormPanel(id=f"train-{name}-panel") for name in ("sections", "form", "explanation", "side")
        }
        self._beside = Vertical(id="train-beside")
        self._message = TextBlock(id="train-message")
        self._news = MessageLine(ink, id="train-news")
        self._is_waiting = False  # for the next estimate
        self._shown_for: tuple[Size, ...] = ()
        self.preparer = TrainingPreparer(opened.dataset, opened.state, opened.annotator)
        self._clock = StepClock(opened.dataset, lambda: self.post_from_thread(self.Timed()))
        self._thread = EstimateThread(
            self.preparer, lambda estimate: self.post_from_thread(self.Estimated(estimate))
        )

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._tabs
        with Horizontal(id="train-middle"):
            with self._panels["sections"]:
                yield self._sections
            with self._panels["form"]:
                yield self._form
            with self._beside:
                with self._panels["explanation"]:
                    yield self._explanation
                with self._panels["side"]:
                    yield self._side
                    yield self.preview
        yield self._help
        yield self._command
        yield self._message
        yield self._news
        yield self.key_line

    def on_mount(self) -> None:
        self.say("")
        self.messages_changed(messages_shown(self.app))
        probe_machine(lambda machine: self.post_from_thread(self.MachineSeen(machine)))
        self.queue.do(self.commands.look_for_weights)
        self._estimate_soon()
        self.call_after_refresh(self.show)

    def on_unmount(self) -> None:
        self._thread.close()
        self._clock.close()

    def on_screen_suspend(self) -> None:
        self.preview.withdraw()

    def on_screen_resume(self) -> None:
        self.preview.come_back()

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
        state, form = self.opened.state, self.cursor.form
        config = without_given_trials(form.values, form.given)
        return train_command(config, self.opened.dataset, state=state, annotator=self.context.annotator)

    def messages_changed(self, messages: Sequence[Notification]) -> None:
        self._news.display = bool(messages)
        self._news.show_messages(messages)

    def say(self, message: str) -> None:
        self._message.display = bool(message)
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
        else:
            super().other_key_pressed(event)

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
        was_there = event.name == self.cursor.name
        self.cursor.point_at(event.name)
        if event.on_value and (was_there or self.cursor.kind(event.name) != "text"):
            self.run_command("open")
        self.show()

    @on(EntryList.LineClicked)
    def _section_clicked(self, event: EntryList.LineClicked) -> None:
        self._go_to_section(event.line if event.line == 0 else event.line - 1)

    @on(SectionTabs.SectionClicked)
    def _tab_clicked(self, event: SectionTabs.SectionClicked) -> None:
        self._go_to_section(event.number)

    def _go_to_section(self, number: int) -> None:
        self.cursor.section = self.cursor.sections()[number][0]
        self.cursor.point_at(self.cursor.names()[0])
        self.show()

    @on(RoomChanged)
    def _room_changed(self) -> None:
        """Each part tells it; they were all laid out together."""
        if self._room() != self._shown_for:
            self.show()

    def _room(self) -> tuple[Size, ...]:
        """The sizes for which texts are made."""
        return (self.size, self._form.size, self._side.size, self._explanation.size)

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

    @on(Timed)
    def _take_time(self) -> None:
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
        faults = {name: text for name, text in self.cursor.faults.items() if field_of(name).group in _SHOWING}
        if self.preview.display and faults:
            self.preview.say_why_not(next(iter(faults.values())))
        elif self.preview.display:
            self.preview.want(config, self.estimate)
        is_told = self.cursor.section == START and not self.cursor.faults
        if is_told and self.estimate is not None and self._clock.want(config, self.estimate):
            self.show()

    # Painting

    def show(self) -> None:
        """Paint what has changed."""
        if not self.is_mounted:
            return
        self._lay_out()
        self._shown_for = self._room()
        self._news.display = bool(self._news.messages)
        cursor = self.cursor
        self._show_sections()
        lines = self._lines()
        fields = [line.name if line.kind in FIELD_KINDS else "" for line in lines]
        self._form.show(lines, fields.index(cursor.name))
        state = state_words(cursor, self.estimate, self.key("start"))  # a long title is cut short for it
        title = self._ink.fit(self._title, self.size.width - self._ink.width(state) - 2)
        self._heading.show([(title, None)], [(state, self._ink.fault() if cursor.faults else None)])
        explanation = help_text(cursor, self.estimate, self._ink, with_fault=not self._is_wide)
        (self._explanation if self._is_wide else self._help).update(explanation)
        command = shown_command(self.command, self.opened.dataset, self.size.width - 2, self._ink)
        self._command.update(Text(command))
        config = cursor.form.values
        here = self.commands.weights_here(config.backbone)
        known = FormFacts(here, self.machine, self.estimate, self.rate_curve)
        self._side.update(panel(cursor.section, config, known, self._side.size, self._ink))
        self._estimate_soon()

    def _show_sections(self) -> None:
        sections = self.cursor.sections()
        number = [name for name, _ in sections].index(self.cursor.section)
        self._tabs.show([name if "error" not in words else f"{name}!" for name, words in sections], number)
        (first, words), *others = sections
        entries = [Entry(first, words), Entry("All settings", is_heading=True)]
        entries += [Entry(f" {name}", words) for name, words in others]
        self._sections.show(entries, number and number + 1)

    def _lines(self) -> list[FormLine]:
        """What the form shows; with explanations and gaps where all of it is seen then."""
        start = self._start_facts() if self.cursor.section == START else None
        for explained, airy in _FULLNESS if self._is_wide else _FULLNESS[2:]:
            lines = self._lines_of(start, explained=explained, airy=airy)
            if len(lines) + _SPARE_ROWS <= self._form.size.height:
                break
        return lines

    def _lines_of(self, start: StartFacts | None, *, explained: bool, airy: bool) -> list[FormLine]:
        cursor, columns = self.cursor, self._form.size.width
        if start is None:
            return cursor.lines(columns, explained=explained, airy=airy)
        room = StartRoom(columns, airy, explained, has_table=self._is_wide)
        return start_lines(cursor, start, room, self._ink)

    def _start_facts(self) -> StartFacts:
        estimate, told = self.estimate, None
        config = self.cursor.form.values
        if estimate is not None and not estimate.problem:
            told = self._clock.forecast(config, estimate, has_gpu=self._has_gpu)
        keys = (self.key("start"), self.key("section_next"), self.key("group"), self.key("recipe"))
        return StartFacts(estimate, told, self.machine, keys, self.recommendation)

    @property
    def recommendation(self) -> Recommendation | None:
        """Which recipe suits these images; None until images, machine and weights are known."""
        estimate, here, form = self.estimate, self.commands.weights_here, self.cursor.form
        if estimate is None or estimate.problem or self.machine is None or here(form.values.backbone) is None:
            return None
        place = TrainingPlace(self._has_gpu, cores_here(), self._clock.times)
        return recommend(
            form.values, estimate.totals, place, here=lambda name: bool(here(name)), given=form.given
        )

    @property
    def _has_gpu(self) -> bool:
        return self.machine is not None and bool(self.machine.gpus) and not self.machine.why_not

    @property
    def _is_wide(self) -> bool:
        return self.size.width >= WIDE_COLUMNS

    def _lay_out(self) -> None:
        """Panels side by side where there is room; else the explanation below, and of the rest what fits."""
        width, section = self.size.width, self.cursor.section
        is_wide, is_start = self._is_wide, section == START
        self._tabs.display, self._panels["sections"].display = not is_wide, is_wide
        self._help.display, self._panels["explanation"].display = not is_wide, is_wide
        for name, each in self._panels.items():
            each.update_classes({"panel": is_wide, "-active": is_wide and name == "form"}, animate=False)
        self._panels["form"].border_title = section
        self._panels["explanation"].border_title = "What it means"
        has_curve = section == "Optimizer" and self.rate_curve is not None
        title = "Learning rate" if has_curve else _SIDE_TITLES.get(section, "Images")
        self._panels["side"].border_title = title
        side = _SIDE_COLUMNS
        if is_wide:
            side = max(_WIDE_SIDE_COLUMNS, min(int(_WIDE_SIDE_SHARE * width), _MOST_SIDE_COLUMNS))
        self._beside.styles.width = side
        is_preview = section == "Augmentation"
        self._beside.display = is_wide or (width - side >= _LEAST_FORM and not is_start)
        self._side.display, self.preview.display = not is_preview, is_preview and self._beside.display
        self._command.display = is_wide or not is_start or self.size.height >= _LOW_ROWS
