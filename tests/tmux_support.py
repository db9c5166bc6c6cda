"""A program in a real tmux: send-keys and capture-pane, as a person at a terminal would press and read."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from patience import Patience
from terminal_driver import clean_environment


class TmuxApp:
    """A program in a tmux server of its own.

    Args:
        command: What to run.
        folder: For the server's socket and for HOME, which a second app finds again.
        columns: Width of the screen in cells.
        rows: Height of the screen in cells.
        environment: More variables.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        columns: int = 120,
        rows: int = 40,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._tmux = ["tmux", "-S", str(folder / "socket"), "-f", os.devnull]
        variables = clean_environment(folder / "home") | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self._variables = variables | dict(environment or {})
        size = ["-x", str(columns), "-y", str(rows)]
        self._run("new-session", "-d", *size, "-s", "app", "--", *command)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: F2, Enter, C-q, or characters."""
        self._run("send-keys", "-t", "app", *keys)

    def type(self, text: str) -> None:
        """Type a text as it is."""
        self._run("send-keys", "-t", "app", "-l", text)

    def screen(self, *, colours: bool = False) -> str:
        """What is on the screen now; empty once the program has ended."""
        words = ["capture-pane", "-p", "-t", "app", *(["-e"] if colours else [])]
        return self._run(*words, check=False)

    def wait_for(self, *texts: str, timeout_s: float = 60.0) -> str:
        """The screen once all these texts stand on it."""
        patience = Patience(timeout_s)
        while True:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            assert not patience.is_over(), f"{texts} never came; the screen is:\n{screen}"
            time.sleep(0.1)

    @property
    def pid(self) -> int:
        """The program's process."""
        return int(self._run("list-panes", "-t", "app", "-F", "#{pane_pid}"))

    def wait_until_ended(self, timeout_s: float = 60.0) -> None:
        """Wait until the program has ended, and its server with it."""
        patience = Patience(timeout_s)
        while self._run("list-sessions", check=False):
            assert not patience.is_over(), f"it goes on:\n{self.screen()}"
            time.sleep(0.1)

    def close(self) -> None:
        """End the server, which hangs up on the program."""
        self._run("kill-server", check=False)

    def _run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [*self._tmux, *words], env=self._variables, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout
