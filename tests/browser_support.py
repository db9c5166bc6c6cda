"""A headless Chromium that opens a file and says what it asked for: by its DevTools protocol, over a pipe."""

import fcntl
import json
import os
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from patience import LONGEST_S, Patience

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_READ = 1 << 16


class Browser:
    """A browser with one page.

    Attributes:
        requests: Addresses that the page asked for, but the page itself and what it holds.
        faults: Errors of scripts, of the policy of its content, and of what could not be loaded.
    """

    def __init__(self, home: Path) -> None:
        assert BROWSER is not None
        self.requests: list[str] = []
        self.faults: list[str] = []
        self._number = 0
        self._session = ""
        self._rest = b""
        self._answers: dict[int, dict[str, Any]] = {}
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [
            *(BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--disable-background-networking", "--disable-component-update", "--no-first-run"),
            *("--remote-debugging-pipe", f"--user-data-dir={home}", "about:blank"),
        ]
        high_in, high_out = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out))
        self._process = os.posix_spawn(
            BROWSER,
            command,
            {**os.environ, "HOME": str(home)},
            file_actions=[
                *((os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)),
                (os.POSIX_SPAWN_DUP2, high_in, 3),  # where it takes commands
                (os.POSIX_SPAWN_DUP2, high_out, 4),  # where it answers
            ],
        )
        for end in (theirs_in, theirs_out, high_in, high_out):
            os.close(end)

    def __enter__(self) -> Self:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._in)
        os.close(self._out)

    def open(self, file: Path) -> None:
        """Open a file and wait until all of it is shown."""
        self.requests.clear()
        self.faults.clear()
        self.call("Page.navigate", url=file.as_uri())
        patience = Patience(LONGEST_S)
        while self.value("location.href") != file.as_uri() or self.value("document.readyState") != "complete":
            assert not patience.is_over()
            time.sleep(0.05)

    def value(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while self._number not in self._answers:
            self._take()
        answer = self._answers.pop(self._number)
        assert "error" not in answer, answer
        found: dict[str, Any] = answer["result"]
        return found

    def _take(self) -> None:
        chunk = os.read(self._in, _READ)
        assert chunk, "the browser has ended"
        *messages, self._rest = (self._rest + chunk).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._event(message["method"], message["params"])

    def _event(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            address = parameters["request"]["url"]
            if not address.startswith("data:") and parameters["type"] != "Document":
                self.requests.append(address)
        elif method == "Runtime.exceptionThrown":
            self.faults.append(parameters["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.faults.append(parameters["entry"]["text"])
