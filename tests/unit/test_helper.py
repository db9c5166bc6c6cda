"""A process that answers the app: the newest request wins, and whatever happens to the process, the app goes on."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from run_support import python, wait_for

from mia_tui.runs.machine.system import process_runs, start_time
from mia_tui.runs.worker.helper import Helper

Pair = tuple[str, tuple[int, str]]


class Asked:
    """A helper that echoes, and what came back."""

    def __init__(self, *, idle_s: float | None = None) -> None:
        self.answers: list[Pair] = []
        self.ready: list[float] = []
        self.ends: list[bool] = []
        self.threads: set[threading.Thread] = set()
        self.helper: Helper[str, tuple[int, str]] = Helper(
            "echoing_helper",
            lambda wish: json.dumps(wish).encode() + b"\n",
            lambda line: msgspec.json.decode(line, type=tuple[int, str]),
            on_answer=self._take,
            on_ready=lambda: self.ready.append(time.monotonic()),
            on_end=self.ends.append,
            idle_s=idle_s,
        )

    def ask(self, wish: str) -> tuple[int, str]:
        """Ask, and wait for the next answer."""
        count = len(self.answers)
        self.helper.ask(wish)
        wait_for(lambda: len(self.answers) > count)
        return self.answers[-1][1]

    def _take(self, wish: str, answer: tuple[int, str]) -> None:
        self.answers.append((wish, answer))
        self.threads.add(threading.current_thread())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    asked = make(monkeypatch)
    yield asked
    asked.helper.close()


def make(monkeypatch: pytest.MonkeyPatch, *, idle_s: float | None = None, **environment: object) -> Asked:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    return Asked(idle_s=idle_s)


def wait_until_gone(pid: int) -> None:
    began = start_time(pid)
    wait_for(lambda: not process_runs(pid, began))


def test_nothing_is_started_before_the_first_request(asked: Asked) -> None:
    assert asked.helper.pid is None
    assert asked.helper.idle


def test_one_process_answers_all_requests_in_another_thread(asked: Asked) -> None:
    first, second = asked.ask("one"), asked.ask("two")
    assert (first[1], second[1]) == ("one", "two")
    assert first[0] == second[0] == asked.helper.pid
    assert len(asked.ready) == 1
    assert asked.helper.is_ready
    assert threading.current_thread() not in asked.threads


def test_of_requests_that_come_while_it_starts_or_answers_only_the_newest_is_answered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked, log, go = (
        make(monkeypatch, ECHO_START_S=0.5, ECHO_LOG=tmp_path / "log"),
        tmp_path / "log",
        tmp_path / "go",
    )
    for wish in ("1", "2", f"wait {go}"):
        asked.helper.ask(wish)
    wait_for(lambda: go.with_suffix(".begun").exists())
    for wish in ("3", "4", "5"):
        asked.helper.ask(wish)
    go.touch()
    wait_for(lambda: asked.helper.idle)
    asked.helper.close()
    assert log.read_text().splitlines() == [f"wait {go}", "5"]
    assert [wish for wish, _ in asked.answers] == ["5"]


def test_asking_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = make(monkeypatch, ECHO_START_S=600.0)
    begun = time.perf_counter()
    asked.helper.ask("one")
    asked.helper.close()
    assert time.perf_counter() - begun < 60.0
    assert not asked.answers


def test_a_process_that_ends_by_itself_is_told_once_and_started_again_by_the_next_request(
    asked: Asked,
) -> None:
    before, _ = asked.ask("one")
    for wish in ("die", "babble", "nest"):
        count = len(asked.ends)
        asked.helper.ask(wish)
        wait_for(lambda: len(asked.ends) > count)  # noqa: B023
    assert asked.ends == [True, True, True]
    wait_for(lambda: asked.helper.idle)
    assert not asked.helper.is_ready
    after, said = asked.ask("two")
    assert said == "two" and after != before


def test_a_process_that_was_killed_while_it_had_nothing_to_do_is_replaced_without_a_word(
    asked: Asked,
) -> None:
    before, _ = asked.ask("one")
    began = start_time(before)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: not process_runs(before, began))
    after, said = asked.ask("two")
    assert said == "two" and after != before
    assert not asked.ends


def test_a_process_that_cannot_start_is_told_and_tried_again(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECHO_FAILS", "1")
    asked.helper.ask("one")
    wait_for(lambda: asked.ends == [False])
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    asked.helper.ask("two")
    wait_for(lambda: asked.ends == [False, False])
    monkeypatch.undo()
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    assert asked.ask("three")[1] == "three"


def test_the_process_ends_when_nothing_was_asked_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = make(monkeypatch, idle_s=0.3)
    pid, _ = asked.ask("one")
    wait_until_gone(pid)
    wait_for(lambda: asked.helper.pid is None)
    assert not asked.ends
    assert asked.ask("two")[0] != pid
    asked.helper.close()


@pytest.mark.parametrize("when", ["while it starts", "while it answers", "while it is idle"])
def test_closing_ends_the_process_whatever_it_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, when: str
) -> None:
    asked = make(monkeypatch, ECHO_START_S=600.0 if when == "while it starts" else 0.0)
    go = tmp_path / "go"
    if when == "while it is idle":
        asked.ask("one")
    else:
        asked.helper.ask(f"wait {go}")
    is_so = (lambda: asked.helper.pid) if when == "while it starts" else go.with_suffix(".begun").exists
    wait_for(lambda: when == "while it is idle" or bool(is_so()))
    pid, count = asked.helper.pid, len(asked.answers)
    assert pid is not None
    asked.helper.close()
    wait_until_gone(pid)
    asked.helper.ask("two")
    wait_for(lambda: asked.helper.pid is None)
    assert len(asked.answers) == count and not asked.ends


def test_the_process_gives_way_to_what_people_use(asked: Asked) -> None:
    pid, _ = asked.ask("one")
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH


def test_the_process_ends_with_an_app_that_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
        import time
        from test_helper import Asked
        asked = Asked()
        asked.helper.ask("one")
        while not asked.answers:
            time.sleep(0.01)
        print(asked.helper.pid, flush=True)
        time.sleep(600)
    """
    here = Path(__file__).resolve().parent
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{here.parent}")
    with subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True) as app:
        assert app.stdout is not None
        pid = int(app.stdout.readline())
        assert process_runs(pid, start_time(pid))
        app.kill()
        wait_until_gone(pid)
