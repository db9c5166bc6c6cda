"""What kitty answers to a picture that it does not have is heard, however it arrives, and is never a key."""

import time

import pytest
from textual import constants, events
from textual.message import Message

from mia_tui.terminal.kitty import missing_number
from mia_tui.tui.picture_answers import AnswerParser, PictureMissing

MISSING = "\x1b_Gi=1203,p=1;ENOENT:Put command refers to non-existent image with id: 1203 and number: 0\x1b\\"


def heard(messages: list[Message]) -> list[object]:
    return [
        message.number if isinstance(message, PictureMissing) else message.key
        for message in messages
        if isinstance(message, PictureMissing | events.Key)
    ]


@pytest.mark.parametrize("cut", range(len(MISSING)))
def test_an_answer_in_two_pieces_is_one_answer(cut: int) -> None:
    parser, messages = AnswerParser(), []
    for piece in ("a" + MISSING[:cut], MISSING[cut:] + "b"):
        messages += [*parser.feed(piece), *parser.tick()]
    assert sorted(map(str, heard(messages))) == ["1203", "a", "b"]


def test_answers_byte_by_byte_are_answers() -> None:
    parser = AnswerParser()
    messages = [message for character in MISSING * 3 for message in parser.feed(character)]
    assert heard(messages) == [1203] * 3


def test_an_answer_that_all_is_well_is_left_out() -> None:
    parser = AnswerParser()
    assert heard(list(parser.feed("\x1b_Gi=3,p=1;OK\x1b\\x"))) == ["x"]


def test_escape_is_a_key_after_the_usual_time() -> None:
    parser = AnswerParser()
    assert heard([*parser.feed("\x1b"), *parser.tick()]) == []
    time.sleep(constants.ESCAPE_DELAY)
    assert heard(list(parser.tick())) == ["escape"]
    assert heard(list(parser.feed("x\x1b[A\x1b[15~"))) == ["x", "up", "f5"]


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
