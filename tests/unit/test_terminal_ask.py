"""A terminal is asked once, left as it was, and no answer is left behind to be taken for a key press."""

import fcntl
import os
import pty
import select
import struct
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from mia_tui.terminal import ask
from mia_tui.terminal.answers import (
    QUERIES,
    QUERIES_IN_TMUX,
    QUERIES_WITHOUT_STRINGS,
    Answers,
    read_answers,
)
from mia_tui.terminal.ask import ask_terminal
from mia_tui.terminal.choose import WindowSize, choose_terminal, with_colours
from mia_tui.terminal.model import Terminal

XTERM = {"TERM": "xterm-256color", "LANG": "en_GB.UTF-8"}
DA1 = b"\x1b[?62;4;22c"
SIXEL_XTERM = (
    b"\x1bP1$r0;48:2::1:2:3m\x1b\\\x1bP>|XTerm(379)\x1b\\\x1b[6;22;11t\x1b[4;880;1320t"
    b"\x1b[?1;0;256S\x1b[?2;0;1000;880S" + DA1
)
KITTY = b"\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.32.1)\x1b\\\x1b[6;20;9t\x1b[?62;c"


@dataclass
class FakeTerminal:
    """The other end of a pseudo terminal, which answers with bytes that a test gives."""

    answers: list[bytes] = field(default_factory=list)
    wait_s: float = 0.0
    asked: bytes = b""
    is_closed: bool = False

    def __post_init__(self) -> None:
        self.master, self.fd = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        while b"\x1b[c" not in self.asked:
            if self.is_closed:
                return
            if select.select([self.master], [], [], 0.02)[0]:
                self.asked += os.read(self.master, 4096)
        for part in self.answers:
            time.sleep(self.wait_s)
            os.write(self.master, part)

    def close(self) -> None:
        self.is_closed = True
        self._thread.join(5)
        os.close(self.master)
        os.close(self.fd)

    def wait_until_answered(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive(), "the question never came"

    def left(self) -> bytes:
        """What an app would read now."""
        self._thread.join(5)
        mode = termios.tcgetattr(self.fd)
        mode[3] &= ~termios.ICANON
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)
        found = b""
        while select.select([self.fd], [], [], 0.05)[0]:
            found += os.read(self.fd, 4096)
        return found

    def echoed(self) -> bytes:
        """What has been written to the terminal besides the questions."""
        found = b""
        while select.select([self.master], [], [], 0.05)[0]:
            found += os.read(self.master, 4096)
        return found


@pytest.fixture
def fakes() -> Iterator[list[FakeTerminal]]:
    made: list[FakeTerminal] = []
    yield made
    for fake in made:
        fake.close()


def asked(fakes: list[FakeTerminal], *answers: bytes, wait_s: float = 0.0, **options: object) -> Terminal:
    fake = FakeTerminal(list(answers), wait_s)
    fakes.append(fake)
    options = {"environment": XTERM, "timeout_s": 20.0} | options
    return ask_terminal(terminal_fd=fake.fd, **options)  # type: ignore[arg-type]


def test_an_xterm_that_knows_sixel_is_used_with_its_limits(fakes: list[FakeTerminal]) -> None:
    terminal = asked(fakes, SIXEL_XTERM)
    assert terminal.graphics == "sixel"
    assert (terminal.cell_width_px, terminal.cell_height_px, terminal.cell_known) == (11, 22, True)
    assert terminal.colours == "true"
    assert terminal.brand == "XTerm(379)"
    assert terminal.sixel_max_px == (1000, 880)
    assert terminal.answered
    assert terminal.note is None


def test_kitty_is_known_by_its_answer(fakes: list[FakeTerminal]) -> None:
    terminal = asked(fakes, KITTY)
    assert (terminal.graphics, terminal.colours) == ("kitty", "true")


def test_answers_may_come_in_pieces_and_keys_between_them(fakes: list[FakeTerminal]) -> None:
    pieces = [SIXEL_XTERM[i : i + 7] for i in range(0, len(SIXEL_XTERM) - len(DA1), 7)]
    terminal = asked(fakes, b"12", *pieces, b"\x1b[?62", b";4;22c", wait_s=0.005)
    assert terminal.answered
    assert terminal.graphics == "sixel"
    assert fakes[0].left() == b""
    assert fakes[0].echoed() == b""


def test_nothing_is_left_for_the_app_to_read(fakes: list[FakeTerminal]) -> None:
    asked(fakes, KITTY + b"123")
    assert fakes[0].left() == b""


def test_what_came_while_something_else_was_done_is_an_answer_and_no_key(fakes: list[FakeTerminal]) -> None:

    def meanwhile() -> None:
        fakes[0].wait_until_answered()
        time.sleep(0.3)  # longer than there is time

    terminal = asked(fakes, KITTY, timeout_s=0.2, meanwhile=meanwhile)
    assert terminal.answered and terminal.graphics == "kitty"
    assert fakes[0].left() == b""


def test_silence_ends_in_half_blocks_and_a_sentence(fakes: list[FakeTerminal]) -> None:
    before = time.monotonic()
    terminal = asked(fakes, timeout_s=0.2)
    assert 0.2 <= time.monotonic() - before < 10
    assert not terminal.answered
    assert (terminal.graphics, terminal.colours) == ("half", "256")
    assert "did not say what it can show" in str(terminal.note)


def test_a_flood_of_other_bytes_is_read_only_so_far(fakes: list[FakeTerminal]) -> None:
    """As of a program that writes into the terminal's input without end."""
    terminal = asked(fakes, *[b"x" * 2048] * 34, b"\x1b[?62;4c")
    assert not terminal.answered


def test_an_answer_cut_short_is_not_left_behind(fakes: list[FakeTerminal]) -> None:
    terminal = asked(fakes, b"\x1bP>|foot(1.16)\x1b\\\x1b[?62;4", timeout_s=0.3)
    assert not terminal.answered
    assert fakes[0].left() == b""


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt, OSError])
def test_the_terminal_is_left_as_it_was(
    fakes: list[FakeTerminal], monkeypatch: pytest.MonkeyPatch, failure: type[BaseException] | None
) -> None:
    fake = FakeTerminal([KITTY])
    fakes.append(fake)
    before = termios.tcgetattr(fake.fd)
    if failure is not None:
        read = os.read

        def fail(fd: int, count: int) -> bytes:
            if fd == fake.fd:
                raise failure
            return read(fd, count)

        monkeypatch.setattr(ask.os, "read", fail)
    if failure is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            ask_terminal(terminal_fd=fake.fd, environment=XTERM)
    else:
        ask_terminal(terminal_fd=fake.fd, environment=XTERM)
    assert termios.tcgetattr(fake.fd) == before


@pytest.mark.parametrize(
    "changes",
    [{"STY": "1.pts"}, {"TERM": "screen-256color"}, {"TERM": "linux"}],
)
def test_screen_and_consoles_get_no_strings(fakes: list[FakeTerminal], changes: dict[str, str]) -> None:
    """screen would hand them on, the console would write them."""
    asked(fakes, b"\x1b[?1;2c", environment=XTERM | changes)
    assert not [start for start in (b"\x1b_", b"\x1bP", b"\x1b]") if start in fakes[0].asked]
    assert fakes[0].asked == QUERIES_WITHOUT_STRINGS


def test_tmux_gets_no_string_that_it_would_take_for_a_title(fakes: list[FakeTerminal]) -> None:
    asked(fakes, b"\x1b[?1;2c", environment=XTERM | {"TMUX": "/tmp/x,1,0"})
    assert b"\x1b_" not in fakes[0].asked
    assert fakes[0].asked == QUERIES_IN_TMUX


def test_da1_is_the_last_question() -> None:
    assert QUERIES.endswith(b"\x1b[c")
    assert QUERIES_WITHOUT_STRINGS.endswith(b"\x1b[c")
    assert QUERIES_IN_TMUX.endswith(b"\x1b[c")


def test_where_the_output_goes_to_a_file_there_are_no_pictures(tmp_path: object) -> None:
    reading, writing = os.pipe()
    terminal = ask_terminal("kitty", terminal_fd=writing, environment=XTERM)
    os.close(reading)
    os.close(writing)
    assert (terminal.graphics, terminal.colours, terminal.answered) == ("none", "none", True)
    assert terminal.note == "The output is not a terminal. Images are not shown."


def test_a_dumb_terminal_is_not_asked(fakes: list[FakeTerminal]) -> None:
    terminal = asked(fakes, environment={"TERM": "dumb"})
    assert terminal.graphics == "none"
    assert fakes[0].asked == b""


def test_hostile_answers_are_harmless() -> None:
    answers = read_answers(b"\x1bP>|x\x9b2J\x07y\x1b\\\x1b[6;99999;99999t\x1b[?1;0;99999S" + DA1)
    assert answers.brand.isprintable()
    terminal = choose_terminal("auto", answers, WindowSize(120, 40, 0, 0), XTERM)
    assert not terminal.cell_known
    assert terminal.sixel_colours == 256
    for length in range(len(SIXEL_XTERM)):
        read_answers(SIXEL_XTERM[length:] + SIXEL_XTERM[:length])


def chosen(wanted: str = "auto", environment: dict[str, str] | None = None, **answers: object) -> Terminal:
    given = {"complete": True, "cell_px": (10, 20)} | answers
    return choose_terminal(wanted, Answers(**given), None, XTERM | (environment or {}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answers", "environment", "graphics"),
    [
        ({"kitty": True, "sixel": True}, {}, "kitty"),
        ({"brand": "ghostty 1.1.0"}, {}, "kitty"),
        ({"brand": "WezTerm 20240203", "sixel": True}, {}, "iterm2"),
        ({"brand": "iTerm2 3.5.0", "sixel": True}, {}, "iterm2"),
        ({"brand": "mintty 3.7.0", "sixel": True}, {}, "iterm2"),
        ({}, {"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({}, {"LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({}, {"TERM_PROGRAM": "vscode"}, "half"),
        ({"sixel": True}, {"TERM_PROGRAM": "vscode"}, "iterm2"),
        ({"sixel": True, "brand": "foot(1.16.2)"}, {"LC_TERMINAL": "iTerm2"}, "sixel"),
        ({"sixel": True, "cell_px": None}, {}, "half"),
        ({}, {}, "half"),
        ({}, {"NO_COLOR": "1"}, "half"),
        ({"kitty": True}, {"NO_COLOR": "1"}, "kitty"),
        ({"brand": "tmux 3.3a"}, {"TMUX": "x", "LC_TERMINAL": "iTerm2"}, "half"),
        ({"brand": "tmux 3.4", "sixel": True}, {"TMUX": "x"}, "half"),  # what is around it is not known
        ({"brand": "XTerm(379)", "sixel": True}, {"TMUX": "x"}, "sixel"),
        ({"sixel": True}, {"STY": "1.pts"}, "half"),
    ],
)
def test_auto_takes_the_best_there_is(
    answers: dict[str, object], environment: dict[str, str], graphics: str
) -> None:
    assert chosen("auto", environment, **answers).graphics == graphics


@pytest.mark.parametrize(
    ("wanted", "answers", "environment", "graphics", "says"),
    [
        ("kitty", {}, {}, "kitty", None),
        ("iterm2", {}, {}, "iterm2", None),
        ("sixel", {}, {}, "sixel", None),
        ("sixel", {"cell_px": None}, {}, "half", "size of a cell"),
        ("none", {"kitty": True}, {}, "none", None),
        ("half", {"kitty": True}, {"NO_COLOR": "1"}, "half", None),
        ("kitty", {"brand": "tmux 3.3a"}, {"TMUX": "x"}, "kitty", "allow-passthrough on"),
        ("iterm2", {"brand": "tmux 3.3a"}, {"TMUX": "x"}, "half", "tmux does not pass"),
        ("sixel", {"brand": "tmux 3.3a"}, {"TMUX": "x"}, "half", "tmux 3.4"),
        ("kitty", {}, {"STY": "1.pts"}, "half", "GNU screen does not pass"),
        ("kitty", {"complete": False}, {}, "kitty", None),
    ],
)
def test_what_is_wanted_wins_where_it_can_be_had(
    wanted: str, answers: dict[str, object], environment: dict[str, str], graphics: str, says: str | None
) -> None:
    terminal = chosen(wanted, environment, **answers)
    assert terminal.graphics == graphics
    assert (says in str(terminal.note)) if says else terminal.note is None
    assert terminal.colours != "none" or graphics != "half"


@pytest.mark.parametrize(
    ("environment", "answers", "colours"),
    [
        ({"COLORTERM": "truecolor"}, {}, "true"),
        ({}, {"true_colour": True}, "true"),
        ({}, {"brand": "foot(1.16.2)"}, "true"),
        ({}, {}, "256"),
        ({"TERM": "xterm"}, {}, "16"),
        ({"TERM": "linux", "COLORTERM": "truecolor"}, {}, "16"),
        ({"STY": "1.pts", "COLORTERM": "truecolor"}, {}, "256"),
        ({"TMUX": "x", "TERM": "screen"}, {}, "true"),
        ({"TEXTUAL_COLOR_SYSTEM": "256", "COLORTERM": "truecolor"}, {}, "256"),
        ({"NO_COLOR": "1", "COLORTERM": "truecolor"}, {}, "true"),
        ({"NO_COLOR": "1"}, {}, "256"),
    ],
)
def test_colours_are_those_that_arrive(
    environment: dict[str, str], answers: dict[str, object], colours: str
) -> None:
    assert chosen("auto", environment, **answers).colours == colours


@pytest.mark.parametrize(
    ("cell_px", "screen_px", "window", "found"),
    [
        (
            (9, 18),
            None,
            WindowSize(120, 40, 1200, 800),
            (9, 18, True),
        ),  # some ssh servers tell the kernel wrong
        (None, None, WindowSize(120, 40, 1200, 800), (10, 20, True)),
        (None, (960, 720), WindowSize(120, 40, 0, 0), (8, 18, True)),
        (None, None, WindowSize(120, 40, 0, 0), (10, 20, False)),
        ((0, 0), None, WindowSize(0, 0, 0, 0), (10, 20, False)),
        (None, None, None, (10, 20, False)),
    ],
)
def test_the_size_of_a_cell_is_what_the_terminal_says(
    cell_px: tuple[int, int] | None,
    screen_px: tuple[int, int] | None,
    window: WindowSize | None,
    found: tuple[int, int, bool],
) -> None:
    terminal = choose_terminal("auto", Answers(True, cell_px=cell_px, screen_px=screen_px), window, XTERM)
    assert (terminal.cell_width_px, terminal.cell_height_px, terminal.cell_known) == found


@pytest.mark.parametrize(
    ("locale", "unicode"),
    [
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.utf8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({}, True),
    ],
)
def test_unicode_follows_the_locale(locale: dict[str, str], unicode: bool) -> None:
    terminal = choose_terminal("auto", Answers(True), None, {"TERM": "xterm"} | locale)
    assert terminal.unicode == unicode


@pytest.mark.parametrize("wanted", ["true", "256", "16", "none"])
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"COLORTERM": "truecolor"}])
def test_a_terminal_has_the_colours_that_the_user_says(wanted: str, environment: dict[str, str]) -> None:
    told = with_colours(XTERM | environment, wanted)  # type: ignore[arg-type]
    terminal = choose_terminal("auto", Answers(True), None, told)
    if wanted == "none":
        own = choose_terminal("auto", Answers(True), None, XTERM | environment)
        assert (terminal.colourless, terminal.colours) == (True, own.colours), "pictures keep theirs"
    else:
        assert (terminal.colourless, terminal.colours) == (False, wanted)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "16 million colours"),
        ({"NO_COLOR": ""}, "16 million colours"),  # the convention: present and not empty
        ({"NO_COLOR": "1"}, "16 million colours in pictures, none elsewhere"),
        ({"NO_COLOR": "0"}, "16 million colours in pictures, none elsewhere"),
        ({"TERM": "dumb"}, "no colours"),
        ({"TERM": "dumb", "NO_COLOR": "1"}, "no colours"),
    ],
)
def test_no_color_takes_the_colours_of_all_but_pictures(environment: dict[str, str], words: str) -> None:
    terminal = chosen("auto", {"COLORTERM": "truecolor"} | environment)
    assert terminal.colours_in_words == words
    assert terminal.colourless == (words != "16 million colours")
    assert (terminal.graphics == "half") == (environment.get("TERM") != "dumb")


def test_auto_leaves_the_colours_to_the_terminal() -> None:
    assert with_colours({"NO_COLOR": "1"}, "auto") == {"NO_COLOR": "1"}


@pytest.mark.parametrize(
    ("answer", "environment", "background"),
    [
        (b"\x1b]11;rgb:0000/0000/0000\x1b\\", {}, "dark"),
        (b"\x1b]11;rgb:ffff/ffff/ffff\x07", {}, "light"),  # some end it with BEL
        (b"\x1b]11;rgb:fd/f6/e3\x1b\\", {}, "light"),
        (b"\x1b]11;rgba:2828/2c2c/3434/ffff\x1b\\", {}, "dark"),
        (b"\x1b]11;rgb:0000/0000/ffff\x1b\\", {}, "dark"),  # blue is dark, however full
        (b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\", {"COLORFGBG": "15;0"}, "light"),  # perhaps of another window
        (b"", {"COLORFGBG": "15;0"}, "dark"),
        (b"", {"COLORFGBG": "0;15"}, "light"),
        (b"", {"COLORFGBG": "0;default;15"}, "light"),
        (b"", {"COLORFGBG": "0;7"}, "light"),
        (b"", {"COLORFGBG": "12;8"}, "dark"),
        (b"", {"COLORFGBG": "0;default"}, ""),
        (b"", {"TERM": "linux"}, "dark"),
        (b"\x1b]11;?\x1b\\", {}, ""),
        (b"", {}, ""),
    ],
)
def test_text_stands_on_what_the_terminal_answers_or_else_the_environment_says(
    answer: bytes, environment: dict[str, str], background: str
) -> None:
    answers = read_answers(answer + DA1)
    assert choose_terminal("auto", answers, None, XTERM | environment).background == background
