"""The terminal that tests play: it answers what a real one answers, and takes apart what it is told."""

import pytest
from terminal_stream import KINDS, Answerer, take_apart, whole_sequences


def answered(kind: str, *pieces: bytes) -> list[bytes]:
    terminal = Answerer(KINDS[kind], 80, 24, (9, 18))
    return [answer for piece in pieces for answer in terminal.answers(piece)]


@pytest.mark.parametrize(
    ("kind", "asked", "answer"),
    [
        ("plain", b"\x1b[c", b"\x1b[?62;22c"),
        ("xterm-sixel", b"\x1b[0c", b"\x1b[?62;4;22c"),
        ("kitty", b"\x1b[>q", b"\x1bP>|kitty(0.42.1)\x1b\\"),
        ("kitty", b"\x1b_Gi=7,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", b"\x1b_Gi=7;OK\x1b\\"),
        ("plain", b"\x1b[16t", b"\x1b[6;18;9t"),
        ("plain", b"\x1b[14t", b"\x1b[4;432;720t"),
        ("mute", b"\x1b[3;7Hx\x1b[6n", b"\x1b[3;7R"),
        ("plain", b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
        ("plain", b"\x1b[?2048$p", b"\x1b[?2048;0$y"),
        ("plain", b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\", b"\x1bP1$r0;48:2::1:2:3m\x1b\\"),
    ],
)
def test_questions_are_answered_however_they_are_cut(kind: str, asked: bytes, answer: bytes) -> None:
    for place in range(len(asked)):
        assert answered(kind, b"text" + asked[:place], asked[place:] + b"more") == [answer]


def test_what_is_no_question_is_not_answered() -> None:
    said = b"\x1b[2 q\x1b[?2026h\x1b[1;1Hc\x1b_Ga=T,f=100;AAAA\x1b\\\x1b]0;title\x07\x1bP0;1q#0\x1b\\\x1b[>1u"
    for kind in KINDS:
        assert answered(kind, said) == []
    assert answered("plain", b"\x1b_Ga=q,i=1;AAAA\x1b\\") == []
    assert answered("mute", b"\x1b[c\x1b[>q\x1b[16t\x1b[?2026$p\x1bP$qm\x1b\\\x1b]11;?\x1b\\") == []


def test_graphics_are_counted_and_taken_out_of_the_text() -> None:
    text, said = take_apart(
        b"\x1b[?2026h\x1b[1;1Hone\x1bP0;1;0q#0;2;0;0;0~\x1b\\\x1b[31mtwo\x1b]1337;File=inline=1:AAAA\x07"
        b"\x1b_Ga=t,i=1,m=1;AAAA\x1b\\\x1b_Gm=0;AAAA\x1b\\\x1b_Ga=p,i=1\x1b\\\x1b_Ga=d,d=I,i=1\x1b\\\x1b[?2026l"
    )
    assert text == b"\x1b[1;1Hone\x1b[31mtwo"
    assert (said.sixel, said.iterm2, said.paints, said.pictures) == (1, 1, 1, 3)
    assert said.kitty == {"t": 1, "": 1, "p": 1, "d": 1}


def test_a_sequence_that_has_not_ended_waits_for_its_end() -> None:
    whole = b"a\x1b[31mb\x1bP0q~~\x1b\\c\x1b]0;t\x07d\x1b7e"
    assert whole_sequences(whole) == (whole, b"")
    for beginning in (b"\x1b", b"\x1b[3", b"\x1bPq~~~", b"\x1bPq~\x1b", b"\x1b]0;t", b"\x1b_Ga=T"):
        assert whole_sequences(whole + beginning) == (whole, beginning)
