"""The output of the command line: streams, sentences, exit codes."""

import errno
import io
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
import pytest
from patience import LONGEST_S
from run_support import python

from mia_tui import errors
from mia_tui.cli.output import report
from mia_tui.cli.output.report import Report, run
from mia_tui.cli.output.safe_stream import SafeStream
from mia_tui.errors import MiaError

MIA = [sys.executable, "-m", "mia_tui"]


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


def all_errors(root: type[MiaError] = MiaError) -> list[type[MiaError]]:
    return [root, *(child for below in root.__subclasses__() for child in all_errors(below))]


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_an_error_of_ours_is_one_sentence_with_its_exit_code(
    kind: type[MiaError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(kind("The thing is wrong.", "Mend it."))) == kind.exit_code
    assert capsys.readouterr() == ("", "The thing is wrong. Mend it.\n")


def test_exit_codes_are_those_of_the_design() -> None:
    codes = {kind.__name__: kind.exit_code for kind in all_errors()}
    assert {codes["ConfigError"], codes["DeviceError"], codes["WeightsError"]} == {2}
    assert {codes["DataError"], codes["DecodeError"], codes["StoreError"], codes["LabelFileError"]} == {3}
    assert (codes["RunError"], codes["CheckpointError"]) == (1, 3)
    assert errors.MiaError.exit_code == 1


def test_ctrl_c_leaves_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(KeyboardInterrupt())) == 130
    assert run(raising(click.Abort())) == 130
    assert capsys.readouterr().err == "Stopped.\nStopped.\n"


def test_the_code_a_command_returns_is_the_exit_code() -> None:
    assert run(lambda: 143) == 143
    assert run(lambda: None) == 0


def test_a_bug_of_ours_is_one_line_and_its_traceback_is_in_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(raising(ZeroDivisionError("some\x1b\nthing"))) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("This is a bug in mia-tui: ZeroDivisionError: some\\x1b\\x0athing.")
    saved = Path(said.split("with the file ")[1].rstrip(".\n"))
    assert "Traceback" in saved.read_text()


def test_a_traceback_that_cannot_be_saved_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken = tmp_path / "file"
    taken.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(taken))
    assert run(raising(ZeroDivisionError("x"))) == 1
    assert "Traceback" in capsys.readouterr().err


def test_with_json_prose_goes_to_stderr_and_records_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    told = Report(as_json=True)
    told.say("prose")
    told.table(["a"], [[1]])
    told.warn("careful", "Do this.")
    told.record({"value": float("nan"), "most": float("inf"), "least": -float("inf"), "list": (1.5, None)})
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [
        {"value": "nan", "most": "inf", "least": "-inf", "list": [1.5, None]}
    ]
    assert err == "prose\na\n1\nWarning: careful Do this.\n"


def test_whatever_is_reported_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    told = Report()
    told.say("of run \x1b[2J")
    told.note("from \x9b31m")
    told.warn("a \u202e name", "Mend\x07 it.")
    run(raising(MiaError("class \x1b]0;x is wrong.")))
    assert capsys.readouterr() == (
        "of run \\x1b[2J\n",
        "from \\x9b31m\nWarning: a \\u202e name Mend\\x07 it.\nclass \\x1b]0;x is wrong.\n",
    )


def test_the_content_of_a_file_is_inert_on_a_terminal_and_whole_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Report().data().write("a\x1b,b\n")
    monkeypatch.setattr(report.STDOUT, "isatty", lambda: True)
    Report().data().write("a\x1b,b\n")
    assert capsys.readouterr().out == "a\x1b,b\na\\x1b,b\n"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG, errno.ESTALE])
def test_a_path_the_disk_refuses_is_no_bug_of_ours(capsys: pytest.CaptureFixture[str], number: int) -> None:
    assert run(raising(OSError(number, os.strerror(number), "cells\x1b"))) == 2
    assert capsys.readouterr().err == f"cells\\x1b cannot be used: {os.strerror(number)}.\n"


def test_without_json_there_are_no_records(capsys: pytest.CaptureFixture[str]) -> None:
    told = Report()
    told.record({"a": 1})
    told.say("prose")
    assert capsys.readouterr() == ("prose\n", "")


def test_a_struct_is_a_record_too(capsys: pytest.CaptureFixture[str]) -> None:
    class Thing(msgspec.Struct, tag="thing"):
        value: float

    Report(as_json=True).record({"inner": [Thing(float("nan"))]})
    assert json.loads(capsys.readouterr().out) == {"inner": [{"type": "thing", "value": "nan"}]}


class Broken(io.StringIO):
    """A stream whose other end is gone."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.tries = number, 0

    def write(self, text: str) -> int:
        self.tries += 1
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE])
def test_output_that_nobody_reads_is_dropped_for_good_without_an_error(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    broken = Broken(number)
    monkeypatch.setattr(sys, "stdout", broken)
    told = Report()
    told.say("one")
    told.say("two")
    assert broken.tries == 1
    assert told.is_unread
    assert run(lambda: None) == 0


def test_a_stream_that_is_closed_or_missing_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (closed, None):
        monkeypatch.setattr(sys, "stdout", stream)
        safe = SafeStream("stdout")
        safe.write("x")
        safe.flush()
        assert not safe.isatty()


def test_a_full_disk_behind_stdout_is_reported_and_costs_the_exit_code() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*MIA, "backbones"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        1,
        "The output could not be written: No space left on device.\n",
    )


def test_a_closed_pipe_ends_a_listing_without_a_word() -> None:
    pipe = subprocess.Popen([*MIA, "backbones", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert pipe.stdout is not None
    assert pipe.stderr is not None
    pipe.stdout.close()
    assert (pipe.stderr.read(), pipe.wait()) == (b"", 0)
    pipe.stderr.close()


def test_a_closed_stdout_and_stderr_are_no_fault() -> None:
    done = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *MIA, "backbones"], check=False)
    assert done.returncode == 0


def test_a_terminal_that_is_gone_does_not_stop_the_work(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    code = """
        import signal, sys
        from pathlib import Path
        from mia_tui.cli.output.report import Report, run
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        def body():
            sys.stdin.readline()
            told = Report()
            with told.counting("Work") as bar:
                for index in range(2000):
                    bar.update(index, 2000)
                    if index % 100 == 0:
                        told.say("still here")
                        told.warn("still here")
            Path(sys.argv[1]).write_text("done")
        sys.exit(run(body))
    """
    done = tmp_path / "done"
    child = subprocess.Popen(python(code, done), stdin=subprocess.PIPE, stdout=slave, stderr=slave)
    os.close(slave)
    os.close(master)
    child.communicate(b"\n", timeout=LONGEST_S)
    assert child.returncode == 0
    assert done.read_text() == "done"


def test_a_terminal_that_lacks_a_character_gets_an_escape_and_no_fault() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code = "from mia_tui.cli.output.report import Report; Report().say('Größe \\udcff 細胞')"
    done = subprocess.run(python(code), env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Gr\\xf6\\xdfe \\xff \\u7d30\\u80de\n")


def test_the_content_of_a_file_goes_to_stdout_as_utf_8_on_any_terminal() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code = "from mia_tui.cli.output.report import Report; Report().data().write('Größe')"
    done = subprocess.run(python(code), env=environment, capture_output=True, check=False)
    assert done.stdout == "Größe".encode()


def test_counting_says_a_line_now_and_then_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("mia_tui.cli.output.progress.time.monotonic", lambda: now[0])
    with Report().counting("Predicting") as bar:
        for index in range(60):
            now[0] = float(index)
            bar.update(index * 1000, 60_000)
    assert capsys.readouterr() == (
        "",
        "Predicting: 20,000 of 60,000 images\nPredicting: 40,000 of 60,000 images\n",
    )


def test_on_a_terminal_a_bar_moves_on_stderr_and_lines_appear_above_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(report.STDERR, "isatty", lambda: True)
    told = Report()
    with told.counting("Predicting", total=10) as bar:
        bar.update(5)
        told.warn("careful [bold]")
    out, err = capsys.readouterr()
    assert out == ""
    assert "Predicting" in err
    assert "Warning: careful [bold]" in err
    assert "\x1b[" in err


def test_prose_is_broken_at_words_on_a_terminal_and_nowhere_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    told = Report()
    text = "one two three four five six"
    told.say(text)
    told.warn(text)
    assert capsys.readouterr() == (f"{text}\n", f"Warning: {text}\n")
    for stream in (report.STDOUT, report.STDERR):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    told.say(text, hang=4)
    told.row(text)
    told.warn(text)
    run(raising(MiaError("The thing", "is wrong here.")))
    assert capsys.readouterr() == (
        f"one two three four\n    five six\n{text}\n",
        "Warning: one two\n      three four\n      five six\nThe thing is wrong\n  here.\n",
    )


def test_a_terminal_tells_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    master, slave = pty.openpty()
    with os.fdopen(master, "w"), os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        stream = SafeStream("stdout")
        assert stream.columns() == 80  # a fresh one tells 0
        termios.tcsetwinsize(terminal.fileno(), (24, 50))
        assert stream.columns() == 50
