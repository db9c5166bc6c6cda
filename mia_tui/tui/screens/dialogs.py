"""Small questions: a text, a choice from a list one can type in, a yes or no."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Key, Paste
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from mia_tui.tui.screens.overlay import Overlay
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_field import TextField

Value = TypeVar("Value")

_MOVES = {"down": 1, "up": -1, "pagedown": 10, "pageup": -10}
_SHOWN = 500  # of a very long list; typing finds the rest


class TextDialog(Overlay[str | None]):
    """Asks for a line of text; None if the person thinks better of it.

    Args:
        title: What is asked for.
        value: What stands there already.
        hint: One line below.
        error: Why the text that stands there was refused, a sentence.
        several: Whether pasted lines become one, with commas between them; else only the first counts.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Cancel")]

    def __init__(
        self,
        title: str,
        *,
        value: str = "",
        hint: str = "Enter takes it, Esc does nothing.",
        error: str = "",
        several: bool = False,
    ) -> None:
        super().__init__()
        self._title, self._value, self._hint, self._error = title, value, hint, error
        self._several = several

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="title", markup=False)
            yield (_LinesField if self._several else TextField)(self._value, id="text", select_on_focus=False)
            if self._error:
                yield Static(self._error, classes="error", markup=False)
            yield Static(self._hint, classes="hint", markup=False)

    @on(Input.Submitted)
    def take(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_give_up(self) -> None:
        self.dismiss(None)


class _LinesField(TextField):
    """A line that takes pasted lines as a list."""

    def on_paste(self, event: Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(
            ", ".join(line.strip() for line in event.text.splitlines() if line.strip())
        )


@dataclass(frozen=True)
class Choice(Generic[Value]):
    """One entry of a list: what is shown and searched, and what it stands for."""

    text: str
    value: Value
    mark: Text | None = None


class PickDialog(Overlay[Value | None], Generic[Value]):
    """A choice from a list; typing narrows it down.

    Args:
        title: What is asked for.
        choices: In the order they are shown.
        ink: Characters and styles.
        hint: One line below.
        searchable: Whether there is a line to type in.
        typed: What a typed text stands for where none of the choices holds it; None for nothing.
        error: Why the last choice was refused, a sentence.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Cancel"),
        *(Binding(key, f"move({by})", show=False) for key, by in _MOVES.items()),
    ]

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice[Value]],
        ink: Ink,
        *,
        hint: str = "Enter takes it, Esc does nothing.",
        searchable: bool = True,
        typed: Callable[[str], Value | None] = lambda _: None,
        error: str = "",
    ) -> None:
        super().__init__()
        self._title, self._choices, self._ink = title, choices, ink
        self._hint, self._searchable, self._typed, self._error = hint, searchable, typed, error
        self._found = list(choices)
        self._narrowed_to = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="title", markup=False)
            if self._searchable:
                yield TextField(placeholder="type to find", id="text", before=self._move_in_turn)
            if self._error:
                yield Static(self._error, classes="error", markup=False)
            yield OptionList(id="choices")
            yield Static(self._hint, classes="hint", markup=False)

    def on_mount(self) -> None:
        self._fill()
        if self._searchable:
            self.query_one(Input).focus()

    @on(Input.Changed)
    def narrow(self) -> None:
        text = self.query_one(Input).value
        if text == self._narrowed_to:
            return
        self._narrowed_to = text
        wanted = text.casefold()
        found = [choice for choice in self._choices if wanted in choice.text.casefold()]
        # A sort keeps the order of equals: those that begin with it come first.
        self._found = sorted(found, key=lambda choice: not choice.text.casefold().startswith(wanted))
        self._fill()

    @on(Input.Submitted)
    def take_highlighted(self, event: Input.Submitted) -> None:
        place = self.query_one(OptionList).highlighted
        if place is not None and place < len(self._found):
            self.dismiss(self._found[place].value)
        elif (value := self._typed(event.value)) is not None:
            self.dismiss(value)

    @on(OptionList.OptionSelected)
    def take(self, event: OptionList.OptionSelected) -> None:
        if event.option_index < len(self._found):
            self.dismiss(self._found[event.option_index].value)

    def _move_in_turn(self, event: Key) -> bool:
        """Of one burst, text before the key may not have been told yet."""
        by = _MOVES.get(event.key)
        if by is None:
            return False
        event.stop()
        self.narrow()
        self.action_move(by)
        return True

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if options.option_count:
            at = options.highlighted or 0
            options.highlighted = max(0, min(options.option_count - 1, at + by))

    def action_give_up(self) -> None:
        self.dismiss(None)

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(self._shown(choice)) for choice in self._found[:_SHOWN]])
        if len(self._found) > _SHOWN:
            more = f"{len(self._found) - _SHOWN:,} more: type to find"
            options.add_option(Option(Text(more, style="dim"), disabled=True))
        options.highlighted = 0 if self._found else None

    def _shown(self, choice: Choice[Value]) -> Text:
        text = Text(self._ink.shown(choice.text), no_wrap=True, overflow="ellipsis")
        return text if choice.mark is None else Text.assemble(choice.mark, " ", text)


class Question(Overlay[Value | None], Generic[Value]):
    """A question with a few answers; the first is the careful one.

    Args:
        title: The question.
        text: What to know before answering.
        answers: (text, value); the first has the focus.
        letters: Whether a first letter answers; not where the question comes unasked, while somebody types.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Cancel"),
        Binding("right,down", "app.focus_next", show=False),
        Binding("left,up", "app.focus_previous", show=False),
    ]

    def __init__(
        self, title: str, text: str, answers: Sequence[tuple[str, Value]], *, letters: bool = True
    ) -> None:
        super().__init__()
        self._letters = letters
        self._title, self._text, self._answers = title, text, answers

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="title", markup=False)
            yield Static(self._text, markup=False)
            with Horizontal(classes="answers"):
                for number, (text, _) in enumerate(self._answers):
                    yield Button(Text(text), id=f"answer-{number}", compact=True)
            letters = ", a first letter answers" if self._letters else ""
            yield Static(f"Arrows choose, Enter takes it{letters}, Esc does nothing.", classes="hint")

    @on(Button.Pressed)
    def take(self, event: Button.Pressed) -> None:
        number = int((event.button.id or "answer-0").removeprefix("answer-"))
        self.dismiss(self._answers[number][1])

    def on_key(self, event: Key) -> None:
        """The first letter of an answer answers."""
        if not self._letters:
            return
        for text, value in self._answers:
            if event.character and text[:1].casefold() == event.character.casefold():
                event.stop()
                self.dismiss(value)
                return

    def action_give_up(self) -> None:
        self.dismiss(None)
