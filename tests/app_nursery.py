"""The app on a pty without the half second of its imports: it is forked from a process that has imported it.

That process has opened no dataset and no terminal, and runs no thread. What is forked has a session, a terminal, an
environment and streams of its own, runs the same command, and ends as Python does. What it cannot show is what an
import does: the variables of Textual (`TEXTUAL_...`, `ESCDELAY`) are read then.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from patience import LONGEST_S
from run_support import SOURCES
from terminal_driver import clean_environment

_SERVER = f"""
import fcntl, gc, json, os, runpy, select, signal, socket, sys, termios
sys.path[:0] = [{str(SOURCES)!r}, {str(SOURCES / "tests")!r}]
import mia_tui.cli.main, mia_tui.cli.open, mia_tui.cli.output.report
mia_tui.cli.open._import_numpy()
import mia_tui.tui.app, mia_tui.tui.start
gc.collect()
gc.freeze()

def serve(client):
    read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write_end)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        for ready in select.select([client, read_end], [], [])[0]:
            if ready is client:
                request, descriptors, _, _ = socket.recv_fds(client, {1 << 20}, 1)
                if not request:
                    os._exit(0)
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for end in (read_end, write_end):
                        os.close(end)
                    client.close()
                    return json.loads(request), descriptors[0]
                os.close(descriptors[0])
                client.send(json.dumps([pid, None]).encode())
            else:
                os.read(read_end, 1000)
                tell_ended(client)

def tell_ended(client):
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        client.send(json.dumps([pid, os.waitstatus_to_exitcode(status)]).encode())

def live_in(terminal, request):
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for number in range(3):
        os.dup2(terminal, number)
    os.close(terminal)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.stdin = sys.__stdin__ = open(0, closefd=False)
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False, buffering=1)
    sys.stderr = sys.__stderr__ = open(2, "w", closefd=False, buffering=1, errors="backslashreplace")

request, terminal = serve(socket.socket(fileno=int(sys.argv[1])))
live_in(terminal, request)
way, what, *arguments = request["command"]
sys.argv = [way, *arguments]
if way == "-m":
    runpy.run_module(what, run_name="__main__", alter_sys=True)
else:
    exec(compile(what, "<string>", "exec"), {{"__name__": "__main__"}})
"""


class AppNursery:
    """Starts the app in terminals; has imported it once.

    Args:
        home: Folder for HOME while it imports the app.
    """

    def __init__(self, home: Path) -> None:
        self._started: list[int] = []
        self._ended: dict[int, int] = {}
        self._client, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with server:
            self._server = subprocess.Popen(
                [sys.executable, "-c", _SERVER, str(server.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=clean_environment(home),
                pass_fds=[server.fileno()],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._server.wait(LONGEST_S)

    def start(self, command: Sequence[str], terminal: int, environment: Mapping[str, str]) -> "ForkedApp":
        """Run `python -m MODULE …` or `python -c CODE …` in a terminal."""
        assert command[0] == sys.executable and command[1] in ("-m", "-c"), command
        request = {"command": command[1:], "environment": dict(environment), "folder": str(Path.cwd())}
        socket.send_fds(self._client, [json.dumps(request).encode()], [terminal])
        while not self._started:
            self._hear()
        pid = self._started.pop()
        self._ended.pop(pid, None)  # of another process that had this number
        return ForkedApp(pid, self)

    def code_of(self, pid: int, timeout_s: float | None) -> int | None:
        """The exit code of a process; None if it has not ended within a time."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while pid not in self._ended:
            left_s = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._client], [], [], left_s)[0]:
                return None
            self._hear()
        return self._ended[pid]

    def _hear(self) -> None:
        said = self._client.recv(1000)
        assert said, "the process that has imported the app has ended"
        pid, code = json.loads(said)
        if code is None:
            self._started.append(pid)
        else:
            self._ended[pid] = code


class ForkedApp:
    """A process that a nursery started, as `subprocess` would show it."""

    def __init__(self, pid: int, nursery: AppNursery) -> None:
        self.pid = pid
        self._nursery = nursery

    def poll(self) -> int | None:
        return self._nursery.code_of(self.pid, 0.0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._nursery.code_of(self.pid, timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(f"the app, process {self.pid}", timeout)
        return code
