"""From bytes to keys: what is no UTF-8, torn, unknown or too long is left out, and nothing in it becomes a key."""

import random
from collections.abc import Iterable

import pytest
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser

from mia_tui.tui.keys import keyboard
from mia_tui.tui.keys.keyboard import Keyboard


class Clock:
    """Time that goes on when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(keyboard.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def meant(*pieces: bytes) -> list[str]:
    """The keys that some bytes are, pasted text in quotes, other events by their class."""
    keys = Keyboard()
    return [told(event) for piece in pieces for event in keys.feed(piece)]


def told(event: object) -> str:
    if isinstance(event, events.Key):
        return event.key
    return f"'{event.text}'" if isinstance(event, events.Paste) else type(event).__name__


def bytewise(data: bytes) -> Iterable[bytes]:
    return (data[place : place + 1] for place in range(len(data)))


# Bytes, and the keys they mean. Digits and letters in them would be the keys of classes.
MEANT: dict[bytes, list[str]] = {
    b"1a\r ": ["1", "a", "enter", "space"],
    "é漢😀".encode(): ["é", "漢", "grinning_face"],
    b"\xe9a": ["a"],
    b"a\xe9\xe9\xa91": ["a", "1"],
    b"\x80\xff\xfe2": ["2"],
    b"\xf0\x9f\x981": ["1"],
    b"\xed\xa0\x801": ["1"],  # half of a UTF-16 pair
    b"\xc0\xaf1": ["1"],  # a slash, written longer than it may be
    b"\x1b[A1": ["up", "1"],
    b"\x1bOP\x1b[[B\x1b[24~": ["f1", "f2", "f12"],
    b"\x1b[24$": ["f24"],  # rxvt
    b"\x1b\x1b[B": ["escape", "down"],
    b"\x1ba\x1b1\x1b=\x1b ": ["alt+a", "inverted_exclamation_mark", "not_equal_to"],
    "\x1bü".encode(): ["alt+ü"],
    b"\x1b\xfc1": ["1"],
    b"\x1b[\xe91": ["1"],
    b"\x1b[12\xff3;\r4A1": ["1"],
    b"\x1b[12\x1b[A": ["up"],
    b"\x1b[1[2": ["2"],
    b"\x1bO\xff1": ["1"],
    b"\x1b[999z1": ["1"],
    b"\x1bOz1": ["1"],
    b"\x1b[?62;4;22c": [],  # answers to the questions at the start
    b"\x1b[6;20;10t\x1b[4;800;1200t\x1b[?1;0;256S": [],
    b"\x1bP>|XTerm(379)\x1b\\\x1bP1$r0;48:2::1:2:3m\x1b\\1": ["1"],
    b"\x1b]11;rgb:1111/2222/3333\x07\x1b]10;rgb:1/2/3\x1b\\1": ["1"],
    b"\x1b_Gi=31;OK\x1b\\1": ["1"],
    b"\x1b_Gi=31;O\xff\r1\x1b[A1": ["up", "1"],
    b"\x1b[" + b"1;" * 5_000 + b"A1": ["1"],
    b"\x1b]" + b"1" * 5_000 + b"\x07" + b"2": ["2"],
    b"\x1b[<0;5;5M1": ["MouseDown", "1"],
    b"\x1b[<0;\xff;5M1": ["1"],
    b"\x1b[M \xe9\xff1": ["1"],  # a mouse of old: three bytes of any value
    b"\x1b[M\xc3\xa9 1": ["1"],
    b"\x1b[97;;97u": ["a"],
    b"\x1b[55296u\x1b[9999999u\x1b[99999999999999999999u\x1b[97:65;2u1": ["1"],
    b"\x1b[48;0;0;0;0t\x1b[48;99999999;99999999;1;1t1": ["1"],
    b"\x1b[200~a\xe9\x00\x1b[31m1\x1b]2;x\x07\x1b[201~1": ["'a\ufffd\x1b[31m1\x1b]2;x\x07'", "1"],
    b"\x1b[201~1": ["1"],
    b"\x1b[I\x1b[O": ["AppFocus", "AppBlur"],
    b"\x1b[5;7R": ["CursorPosition"],
    b"\x00\x7f": ["ctrl+@", "backspace"],
}


@pytest.mark.parametrize("data", MEANT, ids=lambda data: repr(data[:20])[2:-1])
def test_bytes_mean_these_keys_and_no_others_in_one_piece_or_byte_by_byte(data: bytes) -> None:
    assert meant(data) == MEANT[data]
    assert meant(*bytewise(data)) == MEANT[data]


def test_every_sequence_that_textual_knows_means_what_textual_says() -> None:
    known = [
        sequence for sequence in ANSI_SEQUENCES_KEYS if sequence not in ("\x1b", "\x1b\x1b")
    ]  # Esc, here
    assert len(known) > 300
    for sequence in known:
        assert meant(sequence.encode()) == list(map(told, XTermParser().feed(sequence))), sequence


def esc_alone() -> list[object]:
    keys = Keyboard()
    assert list(keys.feed(b"\x1b")) == []
    keys._heard_at -= 1.0
    return list(keys.rest())


def test_esc_counts_when_nothing_follows(clock: Clock) -> None:
    keys = Keyboard()
    assert list(keys.feed(b"\x1b")) == []
    assert list(keys.rest()) == [], "the rest of a sequence may be on its way"
    clock.now += keyboard.ESCAPE_S
    assert list(map(told, keys.rest())) == ["escape"]
    assert list(map(told, keys.feed(b"1"))) == ["1"]


def test_nobody_waits_longer_than_needed_for_what_follows_esc(clock: Clock) -> None:
    keys = Keyboard()
    assert keys.due_in_s is None
    assert list(keys.feed(b"\x1b")) == []
    assert keys.due_in_s == pytest.approx(keyboard.ESCAPE_S) and keyboard.ESCAPE_S <= 0.05
    clock.now += keyboard.ESCAPE_S
    assert keys.due_in_s == 0.0
    assert list(map(told, keys.rest())) == ["escape"]
    assert keys.due_in_s is None


def test_esc_in_kittys_protocol_waits_for_nothing() -> None:
    assert list(map(told, Keyboard().feed(b"\x1b[27u"))) == ["escape"]


@pytest.mark.parametrize("tail", [b"[A", b"[1;5A", b"OP", b"[24~"])
def test_the_rest_of_a_sequence_that_comes_after_its_esc_was_taken_for_the_key_types_nothing(
    clock: Clock, tail: bytes
) -> None:
    keys = Keyboard()
    assert list(keys.feed(b"\x1b")) == []
    clock.now += keyboard.ESCAPE_S
    assert list(map(told, keys.rest())) == ["escape"]
    clock.now += 0.2
    assert list(map(told, keys.feed(tail + b"1"))) == ["1"]


def test_what_is_typed_some_time_after_esc_is_text(clock: Clock) -> None:
    keys = Keyboard()
    assert list(keys.feed(b"\x1b")) == []
    clock.now += keyboard.ESCAPE_S
    assert list(map(told, keys.rest())) == ["escape"]
    clock.now += 0.6
    assert list(map(told, keys.feed(b"[A"))) == ["left_square_bracket", "A"]


@pytest.mark.parametrize(("begun", "key"), [(b"\x1b[", []), (b"\x1bO", ["alt+shift+o"]), (b"\x1b\xc3", [])])
def test_what_could_begin_a_sequence_is_a_key_with_alt_when_nothing_follows(
    clock: Clock, begun: bytes, key: list[str]
) -> None:
    keys = Keyboard()
    assert list(keys.feed(begun)) == []
    clock.now += keyboard.ESCAPE_S
    assert list(map(told, keys.rest())) == key
    assert list(map(told, keys.feed(b"1"))) == ["1"]


def test_the_rest_of_a_sequence_may_be_late_and_what_has_none_is_given_up(clock: Clock) -> None:
    keys = Keyboard()
    assert list(keys.feed(b"\x1b[1;")) == []
    clock.now += 0.9
    assert list(keys.rest()) == []
    assert list(map(told, keys.feed(b"5A"))) == ["ctrl+up"]
    assert list(keys.feed(b"\x1b[1;")) == []
    clock.now += 1.1
    assert list(keys.rest()) == []
    assert list(map(told, keys.feed(b"5A"))) == ["5", "A"]


def test_a_paste_without_an_end_is_given_up_after_a_while(clock: Clock) -> None:
    keys = Keyboard()
    assert list(keys.feed(b"\x1b[200~some text")) == []
    clock.now += 4.9
    assert list(keys.rest()) == []
    assert list(keys.feed(b"1")) == [], "a slow paste goes on"
    clock.now += 5.1
    assert list(keys.rest()) == []
    assert list(map(told, keys.feed(b"1"))) == ["1"]


def test_a_paste_is_cut_where_it_is_too_long_and_its_end_is_found() -> None:
    [text, key] = meant(b"\x1b[200~", *[b"x" * 100_000] * 12, b"\x1b[2", b"01~1")
    assert len(text) == 2 + keyboard._LONGEST_PASTE
    assert key == "1"


@pytest.mark.parametrize("seed", range(8))
def test_no_bytes_are_an_error_and_all_keys_come_from_bytes_that_are_such_keys(
    clock: Clock, seed: int
) -> None:
    """Random bytes, and bytes of which sequences are made."""
    chance = random.Random(seed)
    made_of = bytes(range(256)) if seed % 2 else b"\x1b\x1b[]OPM_?<;:0123456789ABCRutm~$\xe9\xc3\xa9\x00 \\"
    data = bytes(chance.choices(made_of, k=30_000))
    keys, place = Keyboard(), 0
    while place < len(data):
        piece = data[place : place + chance.randint(1, 4096)]
        place += len(piece)
        for event in keys.feed(piece):
            assert not isinstance(event, events.Key) or "\ufffd" not in (event.character or "")
        if chance.random() < 0.1:
            clock.now += 10.0
            list(keys.rest())
    clock.now += 10.0
    list(keys.rest())
    assert list(map(told, keys.feed(b"1\x1b[A"))) == ["1", "up"]
