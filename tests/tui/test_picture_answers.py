"""What kitty answers to a picture that it does not have is heard, however it arrives, and is never a key."""

import pytest
from textual import events
from textual.message import Message

from mia_tui.terminal.kitty import missing_number
from mia_tui.tui.keys.keyboard import Keyboard, PictureMissing

MISSING = (
    b"\x1b_Gi=1203,p=1;ENOENT:Put command refers to non-existent image with id: 1203 and number: 0\x1b\\"
)


def heard(messages: list[Message]) -> list[object]:
    return [
        message.number if isinstance(message, PictureMissing) else message.key
        for message in messages
        if isinstance(message, PictureMissing | events.Key)
    ]


@pytest.mark.parametrize("cut", range(len(MISSING)))
def test_an_answer_in_two_pieces_is_one_answer(cut: int) -> None:
    keyboard, messages = Keyboard(), []
    for piece in (b"a" + MISSING[:cut], MISSING[cut:] + b"b"):
        messages += [*keyboard.feed(piece), *keyboard.rest()]
    assert sorted(map(str, heard(messages))) == ["1203", "a", "b"]


def test_answers_byte_by_byte_are_answers() -> None:
    keyboard = Keyboard()
    messages = [message for byte in MISSING * 3 for message in keyboard.feed(bytes([byte]))]
    assert heard(messages) == [1203] * 3


def test_an_answer_that_all_is_well_is_left_out() -> None:
    keyboard = Keyboard()
    assert heard(list(keyboard.feed(b"\x1b_Gi=3,p=1;OK\x1b\\x"))) == ["x"]


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("\x1b_Gi=7;ENOENT:no such image\x1b\\", 7),
        ("\x1b_GI=2,i=7,p=1;EINVAL\x1b\\", 7),
        ("\x1b_Gi=7,p=1;OK\x1b\\", None),
        ("\x1b_Gi=99999999999;ENOENT\x1b\\", None),
        ("\x1b_Gnothing\x1b\\", None),
        ("\x1b[6n", None),
    ],
)
def test_the_number_of_a_missing_picture_is_read(answer: str, number: int | None) -> None:
    assert missing_number(answer) == number
