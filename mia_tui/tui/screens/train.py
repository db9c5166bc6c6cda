"""The form of a training: the settings of the command line, section by section, checked while they are typed."""

import os
import textwrap
from pathlib import Path
from typing import TypeVar

from rich.cells import chop_cells
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from mia_tui.config.command import quoted, train_command
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.wording import counted
from mia_tui.errors import MiaError
from mia_tui.paths import printable
from mia_tui.runs.layout import RunDir
from mia_tui.tui.context import Context
from mia_tui.tui.key_bindings import bind_keys, key_hints, obey_key
from mia_tui.tui.places import Place
from mia_tui.tui.screens.train_commands import TrainCommands
from mia_tui.tui.screens.train_panel import data_panel, machine_panel, network_panel, weights_panel
from mia_tui.tui.screens.train_preview import PreviewPane
from mia_tui.tui.services.form import Form, field_of
from mia_tui.tui.services.form_machine import Machine, look_at_machine
from mia_tui.tui.services.form_outlook import Outlook, OutlookThread
from mia_tui.tui.services.form_view import FormView
from mia_tui.tui.services.form_words import help_of, note_of
from mia_tui.tui.services.obeying import CommandQueue
from mia_tui.tui.widgets.config_form import ConfigForm, fault_style
from mia_tui.tui.widgets.entry_list import Entry, EntryList
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.section_tabs import SectionTabs
from mia_tui.tui.widgets.text_line import TextLine

Answer = TypeVar("Answer")

WIDE_COLUMNS = 110
"""From this width on, the sections stand on the left."""

_SIDE_COLUMNS = 34
_WIDE_SIDE_COLUMNS = 46
_LEAST_FORM = 44  # without a side, where less would be left
_COMMAND_LINES = 2
_LOOK_AFTER_S = 0.3  # after the last key: looking takes the interpreter from the typing

_drafts: dict[tuple[Path, Path | None], Form] = {}
"""What was typed and not started, for as long as the app is there."""


class TrainScreen(Screen[RunDir | None]):
    """Ends with the run that was started or queued, or None.

    Args:
        place: The dataset.
        context: What screens share.
        base: Settings to start from; None takes up what was typed before, or the defaults, and keeps what is typed.
        title: What this is about; the dataset if left out.
    """

    SCOPE = "train"
    AUTO_FOCUS = ""

    class Looked(Message):
        """What the data say to the settings."""

        def __init__(self, outlook: Outlook) -> None:
            super().__init__()
            self.outlook = outlook

    class MachineSeen(Message):
        """The GPUs, or what torch says to them."""

        def __init__(self, machine: Machine) -> None:
            super().__init__()
            self.machine = machine

    def __init__(
        self, place: Place, context: Context, *, base: TrainConfig | None = None, title: str = ""
    ) -> None:
        super().__init__()
        bind_keys(self, self.SCOPE, context.user.keys)
        self._key_line = KeyLine(context.ink, key_hints(self.SCOPE, context.user.keys))
        self.place, self.context, self._ink = place, context, context.ink
        self._title = title or f"Train on {printable(place.dataset.resolve().name)}"
        # What starts from a run's settings is not what was typed before, and does not take its place.
        self._draft = (place.dataset.resolve(), place.state) if base is None else None
        kept = None if self._draft is None else _drafts.get(self._draft)
        self.view = FormView(kept or Form(base))
        self.machine: Machine | None = None
        self.outlook: Outlook | None = None
        self.preview = PreviewPane(place, context, id="train-preview")
        self.commands = TrainCommands(self)
        self.queue = CommandQueue(begin=self._begin, done=self.show, failed=self._fail, slow=lambda _: None)
        ink = context.ink
        self._heading = TextLine(ink, id="train-heading")
        self._tabs = SectionTabs(ink, id="train-tabs")
        self._sections = EntryList(ink, id="train-sections")
        self._form = ConfigForm(ink, id="train-form")
        self._side = Static(id="train-side", markup=False)
        self._help = Static(id="train-help", markup=False)
        self._command = Static(id="train-command", markup=False)
        self._message = Static(id="train-message", markup=False)
        self._thread = OutlookThread(place, lambda outlook: self._tell(self.Looked(outlook)))

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
        self.run_worker(self.queue.run(), group="commands", name="commands")
        look_at_machine(lambda machine: self._tell(self.MachineSeen(machine)))
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

    async def ask(self, dialog: ModalScreen[Answer]) -> Answer | None:
        return await self.app.push_screen_wait(dialog)

    def copy(self, text: str) -> None:
        self.app.copy_to_clipboard(text)

    def leave(self, run: RunDir | None) -> None:
        """End; what is typed stays for the next time, unless it was started."""
        if self._draft is not None and run is None:
            _drafts[self._draft] = self.view.form
        elif self._draft is not None:
            _drafts.pop(self._draft, None)
        self.dismiss(run)

    # Keys

    def action_obey(self, name: str) -> None:
        at_once = self.commands.at_once.get(name)
        if at_once is None:
            self.queue.do(self.commands.by_name[name])
            return
        self.say("")
        at_once()
        self.show()

    def on_key(self, event: events.Key) -> None:
        """Letters go into the field, or open its list; what is left are editing keys."""
        if obey_key(self, event):
            return
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
            self.action_obey("help")
        elif text == " ":
            self.action_obey("open")
        elif self.view.kind(self.view.name) != "switch":
            is_first = not self.commands.begun
            self.commands.begun += text  # several may come in one burst
            if is_first:
                self.action_obey("open")

    @on(ConfigForm.Pressed)
    def _pressed(self, event: ConfigForm.Pressed) -> None:
        """A click goes to a field; on the value of the field under the cursor it opens or turns it."""
        name = self.view.lines()[0][event.line].name
        was_there = name == self.view.name
        self.view.go_to(name)
        if event.on_value and (was_there or self.view.kind(name) != "text"):
            self.action_obey("open")
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

    def _tell(self, message: Message) -> None:
        """From a thread; after the screen has gone there is nobody to tell."""
        if self.is_running:
            self.post_message(message)

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
        state = self._state_words  # a long title gives way to it
        title = self._ink.fit(self._title, self.size.width - self._ink.width(state) - 2)
        self._heading.show([(title, None)], [(state, None)])
        self._help.update(self._help_text())
        self._command.update(Text(self._shown_command()))
        self._side.update(self._panel())
        self._lay_out()
        self._look_soon()

    @property
    def _state_words(self) -> str:
        faults = self.view.faults
        if faults:
            return f"{counted(len(faults), 'fault')}: F5 shows the first"
        if self.outlook is None:
            return ""
        if self.outlook.problem:
            return "cannot train yet"
        totals = self.outlook.totals
        return f"{totals['train']:,} to train, {totals['val']:,} to validate"

    def _shown_command(self) -> str:
        """The command line; where it is long, the path gives way to the options, and is copied whole."""
        shown, width = f"$ {self.command}", max(10, self.size.width - 2)
        lines = self._wrapped(shown, width)
        if len(lines) > _COMMAND_LINES:
            folder = quoted(os.fspath(self.place.dataset))
            shown = shown.replace(folder, f"{self._ink.more}/{quoted(self.place.dataset.name)}", 1)
            lines = self._wrapped(shown, width)
        if len(lines) > _COMMAND_LINES:  # the last line says that there is more
            last = " ".join(lines[_COMMAND_LINES - 1 :])
            lines = [*lines[: _COMMAND_LINES - 1], self._ink.fit(last, width)]
        return "\n".join(lines)

    def _wrapped(self, text: str, width: int) -> list[str]:
        """Lines of a text, broken between words: the widget would do it by itself, and cut what is too much."""
        lines = textwrap.wrap(self._ink.shown(text), width, break_on_hyphens=False, replace_whitespace=False)
        return [piece for line in lines for piece in chop_cells(line, width)]

    def _help_text(self) -> Text:
        view, ink = self.view, self._ink
        fault = view.faults.get(view.name)
        text = Text()
        if fault is not None:
            text.append(f"{ink.broken} {ink.shown(fault)}\n", style=fault_style(ink))
        text.append(ink.shown(help_of(field_of(view.name))))
        note = note_of(view.name, view.form)
        if note:
            text.append(f"\n{ink.shown(note)}", style="dim")
        return text

    def _panel(self) -> Text:
        width, rows = max(10, self._side.size.width), max(4, self._side.size.height)
        section, ink = self.view.section, self._ink
        if section == "Network":
            config = self.view.form.values
            return network_panel(config, self.commands.weights_here(config.backbone), ink)
        if section == "Run":
            return machine_panel(self.machine, width, rows, ink)
        if section == "Loss and metric":
            return weights_panel(self.outlook, width, rows, ink)
        if section in ("Data", "Input", "Optimizer"):
            return data_panel(self.outlook, width, rows, ink)
        return Text("")

    def _lay_out(self) -> None:
        width = self.size.width
        is_wide = width >= WIDE_COLUMNS
        self._tabs.display, self._sections.display = not is_wide, is_wide
        side = _WIDE_SIDE_COLUMNS if is_wide else _SIDE_COLUMNS
        self._side.styles.width = self.preview.styles.width = side
        has_side, is_preview = width - side >= _LEAST_FORM, self.view.section == "Augmentation"
        self._side.display, self.preview.display = has_side and not is_preview, has_side and is_preview

    def _begin(self) -> None:
        self.say("")

    def _fail(self, error: MiaError, dropped: int) -> None:
        self.say(str(error))
        self.show()
