"""Dialogs that ask for a text, a choice from a list, or one of a few answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Key, Paste
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import Button, Input, OptionList
from textual.widgets.option_list import Option

from mia_tui.tui.context import Context
from mia_tui.tui.pictures.strips import JoinedStrip
from mia_tui.tui.screen import KeyedModal
from mia_tui.tui.textual_private import lines_of
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_field import TextField

Answer = TypeVar("Answer")
Value = TypeVar("Value")

_HINT = "{ok} confirms, {cancel} changes nothing."
_PAGE = 10
_SHOWN = 500  # of a long list; typing finds the others


class Dialog(KeyedModal[Answer]):
    """A dialog over a screen, which stays visible around it.

    Textual would paint the screen below segment by segment, to dim it: over a picture of half blocks each dialog
    then holds up keys for 100-200 ms. Here its lines are taken as they are, and only what the dialog cuts
    becomes segments. Where pictures are graphics, which would cover the dialog, Textual's way is cheap.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        stack = self.app.screen_stack
        place = stack.index(self) if self in stack else 0
        context = getattr(self.app, "context", None)
        if not place or not isinstance(context, Context) or context.terminal.graphics != "half":
            return super().render_lines(crop)
        lines = lines_of(stack[place - 1], self.size, crop, JoinedStrip)
        return super().render_lines(crop) if lines is None else lines


class TextDialog(Dialog[str | None]):
    """Asks for a line of text; None if it is cancelled.

    Args:
        title: What is asked for.
        value: The text at first.
        hint: One line below; `{ok}` and `{cancel}` are replaced by the keys in force.
        error: Why that text was refused, a sentence.
        several: Whether pasted lines are joined with commas; otherwise only the first is taken.
    """

    def __init__(
        self,
        title: str,
        *,
        value: str = "",
        hint: str = _HINT,
        error: str = "",
        several: bool = False,
    ) -> None:
        super().__init__()
        self._title, self._value, self._hint, self._error = title, value, hint, error
        self._several = several
        self.by_name = {"ok": self._take, "cancel": partial(self.dismiss, None)}

    def compose(self) -> ComposeResult:
        field = _LinesField if self._several else TextField
        with Vertical(classes="dialog"):
            yield TextBlock(self._title, classes="title")
            yield field(self._value, before=self.run_key, id="text", select_on_focus=False)
            if self._error:
                yield TextBlock(self._error, classes="error")
            yield TextBlock(self.with_keys(self._hint), classes="hint")

    def _take(self) -> None:
        self.dismiss(self.query_one(Input).value)


class _LinesField(TextField):
    """A field that joins pasted lines with commas."""

    def on_paste(self, event: Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(
            ", ".join(line.strip() for line in event.text.splitlines() if line.strip())
        )


@dataclass(frozen=True)
class Choice(Generic[Value]):
    """An entry of a list: the text that is shown and searched, and its value."""

    text: str
    value: Value
    mark: Text | None = None


class PickDialog(Dialog[Value | None], Generic[Value]):
    """Asks for a choice from a list; typing narrows it down.

    Args:
        title: What is asked for.
        choices: In the order they are shown.
        ink: Characters and styles.
        hint: One line below; `{ok}` and `{cancel}` are replaced by the keys in force.
        searchable: Whether there is a line to type in.
        typed: The value of a typed text that no choice contains; None if it has none.
        error: Why the last choice was refused, a sentence.
    """

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice[Value]],
        ink: Ink,
        *,
        hint: str = _HINT,
        searchable: bool = True,
        typed: Callable[[str], Value | None] = lambda _: None,
        error: str = "",
    ) -> None:
        super().__init__()
        self._title, self._choices, self._ink = title, choices, ink
        self._hint, self._searchable, self._typed, self._error = hint, searchable, typed, error
        self._found = list(choices)
        self._narrowed_to = ""
        moves = {"down": 1, "up": -1, "page_next": _PAGE, "page_previous": -_PAGE}
        if not searchable:  # else they move in the text
            moves |= {"first": -len(choices), "last": len(choices)}
        self.by_name = {
            "ok": self._take_highlighted,
            "cancel": partial(self.dismiss, None),
            **{name: partial(self._move, by) for name, by in moves.items()},
        }

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield TextBlock(self._title, classes="title")
            if self._searchable:
                yield TextField(placeholder="type to find", id="text", before=self.run_key)
            if self._error:
                yield TextBlock(self._error, classes="error")
            yield _Choices(id="choices")
            yield TextBlock(self.with_keys(self._hint), classes="hint")

    def on_mount(self) -> None:
        self._fill()
        if self._searchable:
            self.query_one(Input).focus()

    @on(Input.Changed)
    def narrow(self) -> None:
        text = self._text
        if text == self._narrowed_to:
            return
        self._narrowed_to = text
        wanted = text.casefold()
        found = [choice for choice in self._choices if wanted in choice.text.casefold()]
        # A sort keeps the order of equals: those that begin with it come first.
        self._found = sorted(found, key=lambda choice: not choice.text.casefold().startswith(wanted))
        self._fill()

    def _take_highlighted(self) -> None:
        self.narrow()  # in a burst of keys, the text before this key may not have been reported yet
        place, shown = self.query_one(OptionList).highlighted, self._found[:_SHOWN]
        if place is not None and place < len(shown):
            self.dismiss(shown[place].value)
        elif (value := self._typed(self._text)) is not None:
            self.dismiss(value)

    @on(OptionList.OptionSelected)
    def take(self, event: OptionList.OptionSelected) -> None:
        if event.option_index < len(self._found):
            self.dismiss(self._found[event.option_index].value)

    def _move(self, by: int) -> None:
        self.narrow()
        options = self.query_one(OptionList)
        if options.option_count:
            at = options.highlighted or 0
            options.highlighted = max(0, min(options.option_count - 1, at + by))

    @property
    def _text(self) -> str:
        return self.query_one(Input).value if self._searchable else ""

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


class _Choices(OptionList, inherit_bindings=False):
    """The dialog handles its keys."""


class Question(Dialog[Value | None], Generic[Value]):
    """Asks a question with a few answers; the first is the safe one.

    Args:
        title: The question.
        text: What to know before answering.
        answers: (text, value); the first has the focus.
        letters: Whether a first letter answers; not if the question may come up while somebody types.
    """

    def __init__(
        self, title: str, text: str, answers: Sequence[tuple[str, Value]], *, letters: bool = True
    ) -> None:
        super().__init__()
        self._letters = letters
        self._title, self._text, self._answers = title, text, answers
        self.by_name = {
            "ok": self._take_focused,
            "cancel": partial(self.dismiss, None),
            **dict.fromkeys(("right", "down"), self.focus_next),
            **dict.fromkeys(("left", "up"), self.focus_previous),
        }

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield TextBlock(self._title, classes="title")
            yield TextBlock(self._text)
            with Horizontal(classes="answers"):
                for number, (text, _) in enumerate(self._answers):
                    yield _Answer(Text(text), id=f"answer-{number}", compact=True)
            letters = ", a first letter answers" if self._letters else ""
            hint = f"{{left}} and {{right}} choose, {{ok}} confirms{letters}, {{cancel}} changes nothing."
            yield TextBlock(self.with_keys(hint), classes="hint")

    @on(Button.Pressed)
    def take(self, event: Button.Pressed) -> None:
        self._answer(event.button)

    def _take_focused(self) -> None:
        if isinstance(self.focused, Button):
            self._answer(self.focused)

    def _answer(self, button: Button) -> None:
        number = int((button.id or "answer-0").removeprefix("answer-"))
        self.dismiss(self._answers[number][1])

    def on_key(self, event: Key) -> None:
        """The first letter of an answer answers."""
        if not self._letters or not self.is_current:
            return
        for text, value in self._answers:
            if event.character and text[:1].casefold() == event.character.casefold():
                event.stop()
                self.dismiss(value)
                return


class _Answer(Button, inherit_bindings=False):
    """The question handles its keys."""
