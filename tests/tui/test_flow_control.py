"""Flow control: what is on its way to the terminal and how fast; and writing that never blocks the app."""

import os
import pty
import threading
from collections.abc import Iterator

import pytest

from mia_tui.tui.pictures.flow_control import FlowControl
from mia_tui.tui.terminal_writer import TerminalWriter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_picture_is_on_its_way_until_the_terminal_has_answered(clock: Clock) -> None:
    flow_control, freed = FlowControl(clock), []
    flow_control.on_free = lambda: freed.append(clock.now)
    flow_control.sent(50_000)
    flow_control.sent(3_000)
    assert flow_control.busy
    clock.now += 0.1
    flow_control.answered()
    assert flow_control.busy and not freed
    flow_control.answered()
    assert not flow_control.busy and freed == [clock.now]


def test_the_speed_is_that_of_what_arrived_less_the_way_there_and_back(clock: Clock) -> None:
    flow_control = FlowControl(clock)
    flow_control.sent(100)
    clock.now += 0.05
    flow_control.answered()
    assert flow_control.bytes_per_s is None
    flow_control.sent(50_000)
    clock.now += 0.25
    flow_control.answered()
    assert flow_control.bytes_per_s == pytest.approx(250_000)
    assert flow_control.is_slow
    assert flow_control.budget(0.1) == pytest.approx(19_660, abs=1), "by steps, so that budgets do not waver"


def test_bytes_sent_ahead_count_with_the_picture_behind_them(clock: Clock) -> None:
    flow_control = FlowControl(clock)
    flow_control.sent_before(90_000)
    flow_control.sent(10_000)
    clock.now += 1
    flow_control.answered()
    assert flow_control.bytes_per_s == pytest.approx(100_000)


def test_a_line_that_becomes_slower_is_believed_at_once_and_a_faster_one_step_by_step(clock: Clock) -> None:
    flow_control = FlowControl(clock)
    for took, expected in ((0.01, 10_000_000), (1.0, 100_000), (0.1, 150_000), (0.1, 225_000)):
        flow_control.sent(100_000)
        clock.now += took
        flow_control.answered()
        assert flow_control.bytes_per_s == pytest.approx(expected, rel=0.01)
    for _ in range(5):
        flow_control.sent(100_000)
        clock.now += 0.1
        flow_control.answered()
    assert flow_control.bytes_per_s == pytest.approx(1_000_000, rel=0.01)
    assert flow_control.budget(0.1) is None, "a fast line has no budget"


def test_a_terminal_that_never_answers_holds_nothing_back(clock: Clock) -> None:
    flow_control = FlowControl(clock)
    for _ in range(2):
        flow_control.sent(10_000)
        clock.now += 1
        flow_control.expire()
        assert flow_control.busy, "a second is no loss yet"
        clock.now += 10
        flow_control.expire()
        assert not flow_control.busy
    assert not flow_control.asks
    flow_control.sent(10_000)
    assert not flow_control.busy


def test_an_answer_to_nothing_is_no_fault(clock: Clock) -> None:
    flow_control = FlowControl(clock)
    flow_control.answered()
    assert not flow_control.busy and flow_control.bytes_per_s is None


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ends = pty.openpty()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            assert end == ends[0], "only the test's end may be closed already"


def test_writing_never_waits_for_a_terminal_that_takes_nothing(terminal: tuple[int, int]) -> None:
    reader, writer = terminal
    terminal_writer = TerminalWriter(os.dup(writer), lambda: None)

    def write() -> None:
        for _ in range(200):
            terminal_writer.write("x" * 10_000)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(20)
    assert not writing.is_alive(), "2 MB into a terminal that reads nothing"
    read = 0
    while read < 2_000_000:
        read += len(os.read(reader, 1 << 16))
    terminal_writer.drain(5.0)
    assert read == 2_000_000


def test_a_terminal_that_is_gone_is_told_once(terminal: tuple[int, int]) -> None:
    reader, writer = terminal
    gone = threading.Event()
    calls: list[int] = []
    terminal_writer = TerminalWriter(os.dup(writer), lambda: (calls.append(1), gone.set())[0])
    os.close(reader)
    terminal_writer.write("hello")
    assert gone.wait(30)
    terminal_writer.write("more")
    terminal_writer.drain(1.0)
    assert calls == [1]
