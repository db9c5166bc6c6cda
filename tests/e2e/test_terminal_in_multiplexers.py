"""Asking within real tmux and GNU screen leaves nothing on the screen and nothing to be taken for keys."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import Patience

pytestmark = pytest.mark.e2e

PROGRAM = """
import os, select, sys, termios, time, tty
from mia_tui.terminal.ask import ask_terminal
terminal = ask_terminal(timeout_s=600.0)
tty.setcbreak(0)
time.sleep(0.5)
left = b""
while select.select([0], [], [], 0)[0]:
    left += os.read(0, 999)
answered = terminal.answered, terminal.graphics, terminal.colours, terminal.multiplexer
open(sys.argv[1] + ".new", "w").write(f"{answered} {left}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(300)
"""


def told(path: Path) -> str:
    patience = Patience(90.0)
    while not path.exists():
        assert not patience.is_over(), "nothing was told"
        time.sleep(0.05)
    return path.read_text()


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("TMUX", "STY", "NO_COLOR")}
    return kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}


@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")
def test_tmux_shows_nothing_of_it(tmp_path: Path) -> None:
    script = tmp_path / "asks.py"
    script.write_text(PROGRAM)
    tmux = ["tmux", "-S", str(tmp_path / "socket"), "-f", os.devnull]
    command = f"echo BEFORE; {sys.executable} {script} {tmp_path / 'told'}"
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", "100", "-y", "30", command], env=environment(), check=True
    )
    try:
        assert told(tmp_path / "told") == "(True, 'half', 'true', 'tmux') b''"
        shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True)
        title = subprocess.run(
            [*tmux, "display", "-p", "#{pane_title}"], capture_output=True, text=True, check=True
        )
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    assert shown.stdout.split() == ["BEFORE"]
    assert "Gi=" not in title.stdout


@pytest.mark.skipif(shutil.which("screen") is None, reason="there is no GNU screen")
def test_screen_hands_nothing_on(tmp_path: Path) -> None:
    script = tmp_path / "asks.py"
    script.write_text(PROGRAM)
    sockets = tmp_path / "sockets"
    sockets.mkdir(mode=0o700)
    child, master = pty.fork()
    if child == 0:
        os.environ.clear()
        os.environ.update(environment() | {"SCREENDIR": str(sockets)})
        program = [sys.executable, str(script), str(tmp_path / "told")]
        os.execvp("screen", ["screen", "-c", os.devnull, "-U", *program])
    written = b""
    try:
        patience = Patience(90.0)
        while not (tmp_path / "told").exists() and not patience.is_over():
            if select.select([master], [], [], 0.1)[0]:
                written += os.read(master, 4096)
        assert told(tmp_path / "told") == "(True, 'half', '256', 'screen') b''"
    finally:
        stopped = {"SCREENDIR": str(sockets)} | environment()
        subprocess.run(["screen", "-X", "quit"], env=stopped, check=False, capture_output=True)
        os.close(master)
        os.waitpid(child, 0)
    assert b"\x1b_G" not in written
    assert b"$qm" not in written
