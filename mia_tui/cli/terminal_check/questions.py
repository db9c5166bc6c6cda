"""What a person is asked about the test card, and how they answer: a digit, at once."""

import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Topic = Literal["picture", "half", "colours", "signs"]


@dataclass(frozen=True)
class Question:
    """One question with its answers, numbered from 1; the first is that all is well."""

    topic: Topic
    text: str
    answers: tuple[str, ...]


PICTURE = Question(
    "picture",
    "A picture drawn by {way}: 8 colour bars, a gradient, fine patterns, a circle. The white marks at its lower edge "
    "point at the arrows below. What do you see?",
    (
        "just that: sharp, and the circle is round",
        "a picture, but stretched or not where its marks meet the arrows",
        "no picture",
        "letters and signs where the picture should be",
    ),
)
HALF = Question(
    "half",
    "The same picture in half blocks. What do you see?",
    ("the same, coarse", "no such picture: stripes, gaps or wrong colours", "letters and signs"),
)
COLOURS = Question(
    "colours",
    "Two bars from black by red to yellow. What do you see?",
    ("bar a is smooth", "only bar b has these colours; a is wrong, or missing", "neither has these colours"),
)
SIGNS = Question(
    "signs",
    "Signs of the app, then a solid, a dashed and a dotted frame. What do you see?",
    (
        "three | exactly below each other, and no boxes or question marks for signs",
        "boxes or question marks, or | that are not below each other",
    ),
)

_STOP = b"q\x1b\x04"


def read_digit(fd: int, most: int) -> int | None:
    """The next digit from 1 to `most` that is pressed; None if the person presses q, Esc or Ctrl+D.

    Args:
        fd: The terminal.
        most: The highest digit.
    """
    with _keys_at_once(fd):
        while True:
            pressed = os.read(fd, 64)
            if not pressed or pressed in (bytes([key]) for key in _STOP):
                return None
            if len(pressed) == 1 and pressed.isdigit() and 1 <= int(pressed) <= most:
                return int(pressed)


def read_yes(fd: int) -> bool:
    """Whether y is the next key."""
    with _keys_at_once(fd):
        return os.read(fd, 64).lower() in (b"y", b"\r")


@contextmanager
def _keys_at_once(fd: int) -> Iterator[None]:
    """No waiting for Enter, and no echo; what was typed before the question is no answer to it."""
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd, termios.TCSAFLUSH)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
