import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from run_support import make_run, on_small_disk

from mia_tui.errors import RunError
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker import control
from mia_tui.runs.worker.control import (
    KILL_AFTER_S,
    StopRequest,
    clear_stop,
    kill_worker,
    request_stop,
)
from mia_tui.runs.worker.liveness import WorkerLock, WorkerRecord, read_record


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "mia")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Signals that would have been sent."""
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "pidfd_open", lambda pid: os.dup(0))
    monkeypatch.setattr(
        signal, "pidfd_send_signal", lambda descriptor, number: signals.append((os.getpid(), number))
    )
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    return signals


def change_record(run: RunDir, **fields: Any) -> None:
    left = read_record(run)
    assert isinstance(left, WorkerRecord)
    run.worker_json.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, **fields)))


def test_a_worker_known_beyond_doubt_gets_file_and_signal(run: RunDir, sent: list[tuple[int, int]]) -> None:
    with WorkerLock(run):
        result = request_stop(run, now=500.0)
        assert (result.status, result.asked_at, result.signalled) == ("running", 500.0, True)
        assert sent == [(os.getpid(), signal.SIGTERM)]
        assert run.stop.exists()


@pytest.mark.parametrize("fields", [{"pid": 1}, {"host": "elsewhere"}, {"boot_id": "x"}, {"released": True}])
def test_a_worker_in_doubt_gets_no_signal(
    run: RunDir, sent: list[tuple[int, int]], fields: dict[str, Any]
) -> None:
    with WorkerLock(run):
        change_record(run, **fields)
        result = request_stop(run, now=500.0)
        assert (result.signalled, result.asked_at) == (False, 500.0)
        with pytest.raises(RunError, match="is not killed: "):
            kill_worker(run)
    assert sent == []


def test_a_number_that_another_process_got_is_never_signalled(
    run: RunDir, sent: list[tuple[int, int]]
) -> None:
    with WorkerLock(run):
        pass
    change_record(run, pid=os.getpid(), released=False)
    with pytest.raises(RunError, match="does not hold its worker"):
        kill_worker(run)
    assert sent == []


def test_a_second_request_after_ten_seconds_offers_to_kill(run: RunDir, sent: list[tuple[int, int]]) -> None:
    with WorkerLock(run):
        assert not request_stop(run, now=500.0).may_kill
        again = request_stop(run, now=500.0 + KILL_AFTER_S - 1)
        assert (again.may_kill, again.asked_at) == (False, 500.0)
        late = request_stop(run, now=500.0 + KILL_AFTER_S)
        assert (late.may_kill, late.asked_at) == (True, 500.0)
        kill_worker(run)
        assert sent[-1] == (os.getpid(), signal.SIGKILL)


def test_a_stop_file_made_by_hand_counts_from_its_time(run: RunDir, sent: list[tuple[int, int]]) -> None:
    run.stop.touch()
    os.utime(run.stop, (400.0, 400.0))
    with WorkerLock(run):
        result = request_stop(run, now=500.0)
    assert (result.asked_at, result.may_kill) == (400.0, True)


def test_a_run_that_nobody_works_on_is_not_asked(run: RunDir, sent: list[tuple[int, int]]) -> None:
    with WorkerLock(run):
        pass
    result = request_stop(run)
    assert (result.status, result.asked_at) == ("lost", None)
    assert not run.stop.exists()


def test_a_run_about_to_start_hears_of_the_stop(run: RunDir) -> None:
    assert request_stop(run).status == "starting"
    with WorkerLock(run), StopRequest(run) as stop:
        assert stop.requested()
    assert not run.stop.exists()


def test_a_run_that_can_be_reached_in_no_way_is_one_sentence(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> float:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(control, "_ask", refuse)
    with pytest.raises(RunError, match=r"You may not write to .*stop\."):
        request_stop(run)


def test_a_signal_is_enough_where_the_file_cannot_be_written(
    run: RunDir, sent: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> float:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(control, "_ask", refuse)
    with WorkerLock(run):
        assert request_stop(run).signalled


def test_on_a_full_disk_a_run_can_still_be_stopped(tmp_path: Path) -> None:
    said = on_small_disk(
        tmp_path / "disk",
        """
        from pathlib import Path
        from mia_tui.runs.worker.control import StopRequest, request_stop
        from run_support import make_run
        run = make_run(Path(sys.argv[1]) / "mia")
        try:
            with (run.path / "ballast").open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        except OSError:
            pass
        request_stop(run)
        print(run.stop.stat().st_size, StopRequest(run).requested())
        """,
        tmp_path / "disk",
    )
    assert said == "0 True"


def test_a_taken_back_stop_is_not_heard(run: RunDir) -> None:
    clear_stop(run)
    request_stop(run)
    clear_stop(run)
    assert not StopRequest(run).requested()


def test_the_stop_file_is_looked_for_at_most_once_a_second(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, looks, listdir = [100.0], [], os.listdir
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(os, "listdir", lambda path: looks.append(path) or listdir(path))
    stop = StopRequest(run)
    for _ in range(50):
        assert not stop.requested()
    assert len(looks) == 1
    run.stop.touch()
    assert not stop.requested()
    clock[0] += 1.0
    assert stop.requested()
    assert stop.signal is None
    run.stop.unlink()
    clock[0] += 5.0
    assert stop.requested()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_ask_for_a_stop_and_are_given_back(run: RunDir, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest(run) as stop:
        stop.install_signals(foreground=False)
        assert not stop.requested()
        signal.raise_signal(number)
        assert stop.requested()
        assert stop.signal == number
    assert signal.getsignal(number) is before


def test_a_signal_after_the_stop_file_is_heard_too_and_is_no_second_ctrl_c(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    run.stop.touch()
    with StopRequest(run) as stop:
        stop.install_signals(foreground=True)
        assert stop.requested() and stop.signal is None
        clock[0] += 5.0
        signal.raise_signal(signal.SIGINT)
        assert stop.signal == signal.SIGINT


def test_a_hangup_is_not_heard(run: RunDir) -> None:
    with StopRequest(run) as stop:
        stop.install_signals(foreground=True)
        signal.raise_signal(signal.SIGHUP)
        assert not stop.requested()


def test_a_second_ctrl_c_ends_at_once_but_not_the_echo_of_the_first(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with StopRequest(run) as stop:
        stop.install_signals(foreground=True)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        clock[0] += 2.5
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_worker_in_the_background_never_ends_at_once(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with StopRequest(run) as stop:
        stop.install_signals(foreground=False)
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
            clock[0] += 10.0


def test_outside_the_main_thread_the_file_still_works(run: RunDir) -> None:
    heard: list[bool] = []

    def work() -> None:
        with StopRequest(run) as stop:
            stop.install_signals(foreground=True)
            run.stop.touch()
            heard.append(stop.requested())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [True]


def test_a_run_folder_that_vanished_is_no_request(run: RunDir) -> None:
    stop = StopRequest(RunDir(run.path / "gone"))
    assert not stop.requested()


def test_the_first_signal_is_acknowledged_and_only_that(run: RunDir) -> None:
    heard: list[int] = []
    with StopRequest(run) as stop:
        stop.install_signals(foreground=True, on_signal=lambda: heard.append(1))
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested() and heard == [1]


def test_a_worker_whose_folder_was_deleted_stops_but_not_for_a_drive_that_comes_back(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(control.time, "monotonic", lambda: now[0])
    elsewhere = run.path.with_name("elsewhere")

    def asked(after_s: float) -> bool:
        now[0] += after_s
        return request.requested()

    with StopRequest(run) as request:
        assert not asked(2.0)
        run.path.rename(elsewhere)
        assert not asked(2.0)
        assert not asked(control.DELETED_S - 1.0)
        elsewhere.rename(run.path)
        assert not asked(2.0)
        run.path.rename(elsewhere)
        assert not asked(2.0)
        assert asked(control.DELETED_S)


def test_a_worker_whose_folder_is_away_with_all_around_it_goes_on_for_minutes(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(control.time, "monotonic", lambda: now[0])
    with StopRequest(run) as request:
        run.path.parent.rename(run.path.parent.with_name("elsewhere"))
        for _ in range(20):
            now[0] += control.OUTAGE_S / 21
            assert not request.requested()
        now[0] += control.OUTAGE_S
        assert request.requested()
