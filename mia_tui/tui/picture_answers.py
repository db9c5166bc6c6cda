"""What kitty answers to a picture that it was to show and does not have: read here, and never a key.

Textual's parser knows no such strings (APC) and would take them for the keys that spell them; there are digits in
them. Of Textual's private parts, this leans on the parser's `_timeout_time`.
"""

import re
import time
from collections.abc import Iterable

from textual import constants
from textual._xterm_parser import XTermParser
from textual.message import Message

from mia_tui.terminal.kitty import missing_number

_ANSWER = re.compile(r"\x1b_G[^\x00-\x1f]*\x1b\\")
_BEGUN = re.compile(r"\x1b(_(G[^\x00-\x1f]{0,500}\x1b?)?)?\Z")  # what may become one
_AMBIGUOUS = "\x1b", "\x1b_"  # may be keys, too


class PictureMissing(Message):
    """The terminal was to show a picture and has none of this number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def picture_missing(answer: str) -> PictureMissing | None:
    """The meaning of a whole answer of the kitty protocol; None where nothing is missing."""
    number = missing_number(answer)
    return None if number is None else PictureMissing(number)


class AnswerParser(XTermParser):
    """Textual's parser, which gets everything but kitty's answers."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._waiting = ""
        self._heard_at = 0.0

    def feed(self, data: str) -> Iterable[Message]:
        """Events of what has come; nothing is the end."""
        text, self._waiting, self._heard_at = self._waiting + data, "", time.monotonic()
        answers = _ANSWER.findall(text)
        text = _ANSWER.sub("", text)
        if data and (begun := _BEGUN.search(text)):
            text, self._waiting = text[: begun.start()], begun[0]
        yield from (missing for answer in answers if (missing := picture_missing(answer)))
        if text or not data:
            yield from super().feed(text)

    def tick(self) -> Iterable[Message]:
        """Events of what nothing has followed for a while: Esc is a key then."""
        if self._waiting in _AMBIGUOUS and time.monotonic() - self._heard_at >= constants.ESCAPE_DELAY:
            text, self._waiting = self._waiting, ""
            yield from super().feed(text)
            self._timeout_time = 0.0  # that time is over already
        yield from super().tick()
