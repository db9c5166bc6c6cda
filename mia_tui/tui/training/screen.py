"""The form of a training: the settings of the command line, section by section, checked while they are typed."""

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from mia_tui.config.command import train_command
from mia_tui.config.train import TrainConfig
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import key_hints
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.training.commands import TrainCommands
from mia_tui.tui.training.config_form import ConfigForm
from mia_tui.tui.training.drafts import Draft
from mia_tui.tui.training.form_view import FormView
from mia_tui.tui.training.machine import Machine, look_at_machine
from mia_tui.tui.training.outlook import EstimateThread, StartEstimate
from mia_tui.tui.training.panel import Known, panel
from mia_tui.tui.training.preview import PreviewPane
from mia_tui.tui.training.words import help_text, shown_command, state_words
from mia_tui.tui.widgets.entry_list import Entry, EntryList
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.section_tabs import SectionTabs
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_line import TextLine

WIDE_COLUMNS = 110
"""From this width on, the sections stand on the left."""

_SIDE_COLUMNS = 34
_WIDE_SIDE_COLUMNS = 46
_LEAST_FORM = 44  # without a side, where less would be left
_LOOK_AFTER_S = 0.3  # after the last key: looking takes the interpreter from the typing


class TrainScreen(KeyedScreen[RunDir | None]):
    """Ends with the run that was started or queued, or None.

    Args:
        place: The dataset.
        context: What screens share.
        base: Settings to start from; None takes up what was typed before, or the defaults, and keeps what is typed.
        title: What this is about; the dataset if left out.
    """

    SCOPE = "train"
    commands: TrainCommands

    class Looked(Message):
        """What the data say to the settings."""

        def __init__(self, outlook: StartEstimate) -> None:
            super().__init__()
            self.outlook = outlook

    class MachineSeen(Message):
        """The GPUs, or what torch says to them."""

        def __init__(self, machine: Machine) -> None:
            super().__init__()
            self.machine = machine

    def __init__(
        self, place: OpenDataset, context: Context, *, base: TrainConfig | None = None, title: str = ""
    ) -> None:
        super().__init__(context)
        self._key_line = KeyLine(context.ink, key_hints(self.SCOPE, context.user.keys))
        self.place, self._ink = place, context.ink
        self._title = title or f"Train on {printable(place.dataset.resolve().name)}"
        self._draft = Draft(place, base)
        self.view = FormView(self._draft.form)
        self.machine: Machine | None = None
        self.outlook: StartEstimate | None = None
        self.preview = PreviewPane(place, context, id="train-preview")
        self.commands = TrainCommands(self)
        ink = context.ink
        self._heading = TextLine(ink, id="train-heading")
        self._tabs = SectionTabs(ink, id="train-tabs")
        self._sections = EntryList(ink, id="train-sections")
        self._form = ConfigForm(ink, id="train-form")
        self._side = TextBlock(id="train-side")
        self._help = TextBlock(id="train-help")
        self._command = TextBlock(id="train-command")
        self._message = TextBlock(id="train-message")
        self._thread = EstimateThread(place, lambda outlook: self.post_from_thread(self.Looked(outlook)))

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
        yield self._key_line

    def on_mount(self) -> None:
        look_at_machine(lambda machine: self.post_from_thread(self.MachineSeen(machine)))
        self.queue.do(self.commands.look_for_weights)
        self._look_soon()
        self.call_after_refresh(self.show)

    def on_unmount(self) -> None:
        self._thread.close()

    def on_resize(self) -> None:
        self._lay_out()
        self.call_after_refresh(self.show)

    @property
    def is_up_to_date(self) -> bool:
        """Whether what is shown of the data belongs to what is typed."""
        return self._thread.idle and self.outlook is not None and not self._is_waiting

    # For the commands

    @property
    def command(self) -> str:
        """The command line that does the same."""
        state = self.place.state
        return train_command(
            self.view.form.values, self.place.dataset, state=state, annotator=self.context.annotator
        )

    def say(self, message: str) -> None:
        self._message.update(self._ink.shown(message))

    def say_failed(self, message: str) -> None:
        self.say(message)

    def copy(self, text: str) -> None:
        self.app.copy_to_clipboard(text)

    def leave(self, run: RunDir | None) -> None:
        """End; what is typed stays for the next time, unless it was started."""
        self._draft.leave(is_started=run is not None)
        self.dismiss(run)

    # Keys

    def do_command(self, command: str) -> None:
        at_once = self.commands.at_once.get(command)
        if at_once is None:
            super().do_command(command)
            return
        self.say("")
        at_once()
        self.show()

    def take_other_key(self, event: events.Key) -> None:
        """Letters go into the field, or open its list; what is left are editing keys."""
        character = event.character if event.is_printable else None
        if character is not None:
            event.stop()
            self._type(character)
        elif self.view.press(event.key):
            event.stop()
            self.say("")
            self.show()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._type(event.text)

    def _type(self, text: str) -> None:
        if self.view.type(text):
            self.say("")
            self.show()
        elif text == "?":
            self.obey("help")
        elif text == " ":
            self.obey("open")
        elif self.view.kind(self.view.name) != "switch":
            is_first = not self.commands.begun
            self.commands.begun += text  # several may come in one burst
            if is_first:
                self.obey("open")

    @on(ConfigForm.Pressed)
    def _pressed(self, event: ConfigForm.Pressed) -> None:
        """A click goes to a field; on the value of the field under the cursor it opens or turns it."""
        name = self.view.lines()[0][event.line].name
        was_there = name == self.view.name
        self.view.go_to(name)
        if event.on_value and (was_there or self.view.kind(name) != "text"):
            self.obey("open")
        self.show()

    @on(EntryList.Picked)
    def _section_picked(self, event: EntryList.Picked) -> None:
        self._go_to_section(event.line)

    @on(SectionTabs.Picked)
    def _tab_picked(self, event: SectionTabs.Picked) -> None:
        self._go_to_section(event.number)

    def _go_to_section(self, number: int) -> None:
        self.view.section = self.view.sections()[number][0]
        self.view.go_to(self.view.names()[0])
        self.show()

    # What is known

    @on(Looked)
    def _take_outlook(self, event: Looked) -> None:
        self.outlook = event.outlook
        if self.view.form.decide(event.outlook.decided):
            self.view.refresh()
        named = event.outlook.problem_field
        self.view.others = {} if named is None else {named: event.outlook.problem}
        self.show()

    @on(MachineSeen)
    def _take_machine(self, event: MachineSeen) -> None:
        self.machine = event.machine
        self.show()

    _is_waiting = False

    def _look_soon(self) -> None:
        """Ask what the data say, when no key came for a while."""
        if not self._is_waiting:
            self._is_waiting = True
            self.set_timer(_LOOK_AFTER_S, self._look)

    def _look(self) -> None:
        self._is_waiting = False
        config = self.view.form.values
        self._thread.want(config, frozenset(self.view.form.given))
        if self.preview.display and not self.view.faults:
            self.preview.want(config, self.outlook)

    # What is seen

    def show(self) -> None:
        """Paint what is different now."""
        if not self.is_mounted:
            return
        view = self.view
        sections = view.sections()
        number = [name for name, _ in sections].index(view.section)
        self._tabs.show([name if "fault" not in words else f"{name}!" for name, words in sections], number)
        self._sections.show([Entry(name, words) for name, words in sections], number)
        self._form.show(*view.lines())
        state = state_words(view, self.outlook)  # a long title gives way to it
        title = self._ink.fit(self._title, self.size.width - self._ink.width(state) - 2)
        self._heading.show([(title, None)], [(state, None)])
        self._help.update(help_text(view, self._ink))
        command = shown_command(self.command, self.place.dataset, self.size.width - 2, self._ink)
        self._command.update(Text(command))
        config = view.form.values
        known = Known(self.commands.weights_here(config.backbone), self.machine, self.outlook)
        self._side.update(panel(view.section, config, known, self._side.size, self._ink))
        self._lay_out()
        self._look_soon()

    def _lay_out(self) -> None:
        width = self.size.width
        is_wide = width >= WIDE_COLUMNS
        self._tabs.display, self._sections.display = not is_wide, is_wide
        side = _WIDE_SIDE_COLUMNS if is_wide else _SIDE_COLUMNS
        self._side.styles.width = self.preview.styles.width = side
        has_side, is_preview = width - side >= _LEAST_FORM, self.view.section == "Augmentation"
        self._side.display, self.preview.display = has_side and not is_preview, has_side and is_preview
