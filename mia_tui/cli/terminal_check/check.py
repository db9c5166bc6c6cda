"""One part of the test card after the other, its question, and the outcome, written into config.toml if wanted."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from mia_tui.cli.open import user_settings
from mia_tui.cli.output.report import Report
from mia_tui.cli.output.safe_stream import STDERR, STDOUT, SafeStream
from mia_tui.cli.terminal_check import card
from mia_tui.cli.terminal_check.outcome import Outcome, conclude
from mia_tui.cli.terminal_check.questions import (
    COLOURS,
    HALF,
    PICTURE,
    SIGNS,
    Question,
    Topic,
    read_digit,
    read_yes,
)
from mia_tui.config.toml_file import set_in_toml
from mia_tui.config.user.settings import GraphicsWish
from mia_tui.errors import ConfigError
from mia_tui.paths import user_config_file
from mia_tui.terminal.model import Terminal
from mia_tui.text import counted, join_names, printable

_WAYS = {"kitty": "kitty's protocol", "iterm2": "iTerm2's protocol", "sixel": "sixel"}
_LEAST_COLUMNS = 20

Part = tuple[Question, Callable[[], str]]


class TerminalCheck:
    """The check of one terminal.

    Args:
        report: Where text goes.
        graphics: The way to draw pictures that is tried; None for the one that the app would choose.
        answers: The digits of all questions in order, where nobody is asked; None to ask at the keyboard.
        write: Whether the outcome is written into config.toml without asking.
    """

    def __init__(self, report: Report, graphics: str | None, answers: str | None, *, write: bool) -> None:
        self._report = report
        self._wanted: GraphicsWish = graphics or "auto"  # type: ignore[assignment]  # by click
        self._given = answers
        self._write = write
        self._stream: SafeStream = STDERR if report.as_json else STDOUT

    def run(self) -> int:
        """Draw, ask, conclude; the exit code is 0 whatever is seen."""
        terminal = self._ask_terminal()
        self._say_terminal(terminal)
        parts = list(self._parts(terminal))
        self._check_given(len(parts))
        answers: dict[Topic, int] = {}
        for number, (question, draw) in enumerate(parts):
            self._show(question, draw(), terminal)
            digit = self._answer(question, number)
            if digit is None and self._can_ask:
                self._report.say("Stopped; nothing was changed.")
                return 0
            if digit is not None:
                answers[question.topic] = digit
                self._report.say(f"> {digit}")
                meaning = question.answers[digit - 1]
                self._report.record({"question": question.topic, "answer": digit, "meaning": meaning})
        if parts and not answers:
            digits = counted(len(parts), "digit")
            self._report.say(f"There is no keyboard to answer at: run it again with --answers and {digits}.")
            return 0
        self._conclude(terminal, conclude(terminal, self._wanted, answers))
        return 0

    def _show(self, question: Question, drawn: str, terminal: Terminal) -> None:
        self._stream.write(f"\n{drawn}")
        self._report.say(question.text.format(way=_WAYS.get(terminal.graphics, "")))
        for digit, answer in enumerate(question.answers, 1):
            self._report.say(f"  {digit}  {answer}", hang=5)

    def _ask_terminal(self) -> Terminal:
        from mia_tui.terminal.ask import ask_terminal

        if STDOUT.isatty() or not STDERR.isatty():
            return ask_terminal(self._wanted, environment=os.environ)
        return ask_terminal(self._wanted, environment=os.environ, terminal_fd=STDERR.fileno())

    def _say_terminal(self, terminal: Terminal) -> None:
        self._report.record({"terminal": asdict(terminal)})
        name = printable(terminal.around or terminal.brand) or "This terminal"
        inside = f", inside {terminal.multiplexer}," if terminal.multiplexer else ""
        background = f", on a {terminal.background} background" if terminal.background else ""
        how = _WAYS.get(terminal.graphics, "half blocks" if terminal.graphics == "half" else "no images")
        size = f"cells of {terminal.cell_width_px}x{terminal.cell_height_px} pixels"
        known = "" if terminal.cell_known else " (a guess)"
        self._report.say(
            f"{name}{inside} answers: {how}, {terminal.colours_in_words}, {size}{known}{background}."
        )
        if terminal.note:
            self._report.say(terminal.note)

    def _parts(self, terminal: Terminal) -> Iterator[Part]:
        if terminal.graphics == "none" and not self._stream.isatty():
            return
        columns = min(card.COLUMNS, max(_LEAST_COLUMNS, (self._stream.columns() or card.COLUMNS) - 2))
        if terminal.graphics in _WAYS:
            yield PICTURE, lambda: card.draw_picture_card(terminal, columns)
        if terminal.colours != "none":
            yield HALF, lambda: card.draw_half_card(terminal, columns)
            yield COLOURS, lambda: card.draw_colours(columns)
        yield SIGNS, lambda: card.draw_signs(terminal)

    def _check_given(self, parts: int) -> None:
        if self._given is None:
            return
        if len(self._given) != parts or not self._given.isdigit() or "0" in self._given:
            raise ConfigError(
                f"--answers {printable(self._given)} does not fit: there are {counted(parts, 'question')} here.",
                "Give a digit for each; without the option they are asked.",
            )

    @property
    def _can_ask(self) -> bool:
        return self._given is None and sys.stdin is not None and sys.stdin.isatty()

    def _answer(self, question: Question, number: int) -> int | None:
        most = len(question.answers)
        if self._given is not None:
            digit = int(self._given[number])
            if digit > most:
                raise ConfigError(
                    f"Answer {number + 1} of --answers is {digit}; this question has {most} answers."
                )
            return digit
        if not self._can_ask:
            return None
        self._report.say(f"Press 1 to {most}, or q to stop.")
        return read_digit(sys.stdin.fileno(), most)

    def _conclude(self, terminal: Terminal, outcome: Outcome) -> None:
        user = user_settings()
        changes = outcome.changes(user.graphics, user.colours)
        self._report.say()
        for sentence in outcome.sentences:
            self._report.say(sentence)
        path = user_config_file()
        lines = [f'{name} = "{value}"' for name, value in changes.items()]
        if not changes:
            self._report.say("Nothing has to be set.")
        else:
            self._report.say(f"What fits: {join_names(lines, 'and')} in {printable(path)}.")
        written = bool(changes) and self._may_write(path.exists())
        if written:
            set_in_toml(path, changes)
            self._report.say("It is written there; the app uses it from its next start on.")
        self._report.record(
            {
                "graphics": outcome.graphics,
                "colours": outcome.colours,
                "set": changes,
                "file": printable(path),
                "written": written,
                "advice": outcome.sentences,
            }
        )

    def _may_write(self, exists: bool) -> bool:
        if self._write:
            return True
        if not self._can_ask:
            return False
        self._report.say("Write that? The rest of the file stays. y/n" if exists else "Write that file? y/n")
        return read_yes(sys.stdin.fileno())
