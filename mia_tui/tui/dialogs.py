"""Dialogs that ask for a text, a choice from a list, or one of a few answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Generic, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Click, Key, Paste
from textual.widgets import Button, Input, OptionList
from textual.widgets.option_list import Option

from mia_tui.text import has_words
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import pressed_key
from mia_tui.tui.screen import COPYING, KeyedModal
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_field import TextField

Answer = TypeVar("Answer")
Value = TypeVar("Value")

_HINT = "{ok} confirms, {cancel} changes nothing."
_OUTSIDE = "{cancel} closes this, and changes nothing."
_PAGE = 10
_MOST_LINES = 18
_SHOWN = 500  # of a long list; typing finds the others


class Dialog(KeyedModal[Answer]):
    """A dialog over a screen, which stays visible around it.

    What has no effect is never passed over in silence: a remark below the question says why.

    Attributes:
        IS_WIDE: Whether it needs much room, as for paths.
    """

    IS_WIDE: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._remark = TextBlock(classes="remark")
        self._remark.display = False

    def on_mount(self) -> None:
        """Textual calls the method of a subclass, too."""
        self.by_name.setdefault("help", self._show_keys)
        if self.IS_WIDE:
            self.query_one(".dialog").add_class("wide")

    def other_key_pressed(self, event: Key) -> None:
        if not event.is_printable and event.key not in COPYING:
            self.remark(f"{pressed_key(event.key)} does nothing here. {_HINT}")

    def run_key(self, event: Key) -> bool:
        """As in every window over a screen; the last remark was about an earlier key."""
        if self._remark.display and self.is_current:
            self.remark("")
        return super().run_key(event)

    def on_click(self, event: Click) -> None:
        """A click beside the dialog neither answers nor cancels."""
        inside = self.query_one(".dialog").region
        if not inside.contains(int(event.screen_x), int(event.screen_y)):
            self.remark(_OUTSIDE)

    def remark(self, words: str) -> None:
        """Say why something had no effect; names of commands in braces become their keys."""
        self._remark.update(self.with_keys(words) if words else "")
        self._remark.display = bool(words)

    def _show_keys(self) -> None:
        from mia_tui.tui.help import HelpScreen

        context = getattr(self.app, "context", None)
        if isinstance(context, Context):
            self.app.push_screen(HelpScreen(context, "dialog"))


class TextDialog(Dialog[str | None]):
    """Asks for a line of text; None if it is cancelled.

    Args:
        title: What is asked for.
        value: The text at first.
        hint: One line below; `{ok}` and `{cancel}` are replaced by the keys in force.
        error: Why that text was refused, a sentence.
        several: Whether pasted lines are joined with commas; otherwise only the first is taken.
        replaced: Whether the text is most likely to be replaced, as a name is: it is selected, and typing overwrites
            it. After a refusal it is to be mended, and is not.
        needed: Why an empty text is no answer, a sentence; by default it is one.
    """

    def __init__(
        self,
        title: str,
        *,
        value: str = "",
        hint: str = _HINT,
        error: str = "",
        several: bool = False,
        replaced: bool = False,
        needed: str = "",
    ) -> None:
        super().__init__()
        self._title, self._value, self._hint, self._error = title, value, hint, error
        self._several, self._needed = several, needed
        self._is_selected = replaced and not error
        self.by_name = {"ok": self._take, "cancel": partial(self.dismiss, None)}

    def compose(self) -> ComposeResult:
        field = _LinesField if self._several else TextField
        with Vertical(classes="dialog"):
            yield TextBlock(self._title, classes="title")
            yield field(self._value, before=self.run_key, id="text", select_on_focus=self._is_selected)
            if self._error:
                yield TextBlock(self._error, classes="error")
            yield self._remark
            yield TextBlock(self.with_keys(self._hint), classes="hint")

    def _take(self) -> None:
        text = self.query_one(Input).value
        if self._needed and not text.strip():
            self.remark(f"{self._needed} {_OUTSIDE}")
        else:
            self.dismiss(text)


class PlaceDialog(TextDialog):
    """Asks for the path of a file or folder, which may be long."""

    IS_WIDE = True


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
            yield self._remark
            yield TextBlock(self.with_keys(self._hint), classes="hint")

    def on_mount(self) -> None:
        self._fill()
        if self._searchable:
            self.query_one(Input).focus()

    def on_resize(self) -> None:
        """Leave room for what stands below the list. (A height in `vh` would leave blank lines below that.)"""
        lines = min(_MOST_LINES, self.size.height * 42 // 100)
        self.query_one(OptionList).styles.max_height = max(1, lines)

    def replace_choices(self, choices: Sequence[Choice[Value]]) -> None:
        """Show other choices, as when more is known of them; the cursor stays on the same value."""
        place = self.query_one(OptionList).highlighted
        value = self._found[place].value if place is not None and place < len(self._found) else None
        self._choices = choices
        self._find()
        values = [choice.value for choice in self._found[:_SHOWN]]
        if value in values:
            self.query_one(OptionList).highlighted = values.index(value)

    @on(Input.Changed)
    def narrow(self) -> None:
        text = self._text
        if text != self._narrowed_to:
            self._narrowed_to = text
            self._find()

    def _find(self) -> None:
        text = self._narrowed_to
        wanted = text.casefold().strip()
        found = [choice for choice in self._choices if has_words(choice.text, wanted)]
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
        else:
            self.remark(f"There is nothing to choose. {_OUTSIDE}")

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
    def narrowed_to(self) -> str:
        """What was typed to find the choice."""
        return self._narrowed_to

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
        if not self._found:
            options.add_option(Option(Text(self._ink.shown(self._nothing()), style="dim"), disabled=True))
        options.highlighted = 0 if self._found else None
        is_narrowed = len(self._found) < len(self._choices)
        shown = f"{len(self._found):,} of {len(self._choices):,}" if is_narrowed else ""
        self.query_one(".dialog").border_subtitle = shown

    def _nothing(self) -> str:
        """Why the list is empty."""
        if not self._narrowed_to.strip():
            return "There is nothing to choose from."
        is_typed = self._typed(self._narrowed_to) is not None
        return (
            f"Nothing matches {self._narrowed_to.strip()!r}{': it is taken as typed.' if is_typed else '.'}"
        )

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
            yield self._remark
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

    def run_key(self, event: Key) -> bool:
        """A key of the user's, or the first letter of an answer."""
        if super().run_key(event):
            return True
        character = event.character if event.is_printable else None
        if character is None:
            return False
        event.stop()
        answers = [value for text, value in self._answers if text[:1].casefold() == character.casefold()]
        if answers and self._letters:
            self.dismiss(answers[0])
        elif self._letters:
            self.remark(f"No answer begins with {character}. {_OUTSIDE}")
        else:
            self.remark("{left} and {right} choose an answer, {ok} confirms it.")
        return True


class _Answer(Button, inherit_bindings=False):
    """The question handles its keys."""
