"""Real processes without the seconds that importing torch takes: each is forked from one that has imported it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from patience import LONGEST_S
from run_support import SOURCES

_SERVER = f"""
import json, os, sys, traceback
sys.path[:0] = [{str(SOURCES)!r}, {str(SOURCES / "tests")!r}, {str(SOURCES / "tests" / "engine")!r}]
import mia_tui.engine.jobs.predict, mia_tui.engine.training.train, mia_tui.worker, mia_tui.cli.main

def live(request):
    null, out, err = (os.open(path, os.O_RDWR | os.O_CREAT) for path in (os.devnull, *request["output"]))
    for number, descriptor in enumerate((null, out, err)):
        os.dup2(descriptor, number)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["child", *request["arguments"]]
    code = 0
    try:
        exec(request["code"], {{"__name__": "child"}})
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        live(json.loads(line))
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """Exit code of a process, negative for the signal that ended it, and what it said."""

    code: int
    out: str
    err: str


class Child:
    """A process that was started."""

    def __init__(self, pid: int, nursery: "Nursery") -> None:
        self.pid = pid
        self._nursery = nursery

    def wait(self) -> Ended:
        return self._nursery.ended()


class Nursery:
    """Starts processes one after the other.

    Args:
        folder: Where their output goes.
    """

    def __init__(self, folder: Path) -> None:
        self._output = [str(folder / "out"), str(folder / "err")]
        self._pid = 0
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()
        self._server.communicate(timeout=LONGEST_S)

    def start(self, code: str, *arguments: object) -> Child:
        """Run some Python in a process of its own; `sys.argv` holds the arguments."""
        self._clear()
        for path in self._output:
            Path(path).unlink(missing_ok=True)
        request = {
            "code": code,
            "arguments": [str(argument) for argument in arguments],
            "environment": dict(os.environ),
            "output": self._output,
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        self._pid = int(self._line())
        return Child(self._pid, self)

    def on_small_disk(self, folder: Path, code: str, *arguments: object, options: str = "size=1m") -> str:
        """What some Python prints that has a small disk of its own mounted at `folder`; fails if it fails."""
        mount = f"mount_small_disk(Path({str(folder)!r}), {options!r})"
        return self.with_own_mounts(
            f"from pathlib import Path\nfrom own_mounts import mount_small_disk\n{mount}\n"
            + textwrap.dedent(code),
            *arguments,
        )

    def with_own_mounts(self, code: str, *arguments: object) -> str:
        """What some Python prints that may mount and unmount what nobody else sees; fails if it fails."""
        before = "import sys\nfrom own_mounts import have_own_mounts\nhave_own_mounts()\n"
        ended = self.run(before + textwrap.dedent(code), *arguments)
        assert ended.code == 0, ended.err
        return ended.out.strip()

    def run(self, code: str, *arguments: object) -> Ended:
        """Run some Python and wait for its end."""
        return self.start(code, *arguments).wait()

    def ended(self) -> Ended:
        """Wait for the process that was started."""
        code = int(self._line())
        self._pid = 0
        return Ended(code, *(Path(path).read_text() for path in self._output))

    def _clear(self) -> None:
        """End what a test that failed has left."""
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self.ended()

    def _line(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline()
