"""Processes that have imported torch and answer the app, one request after the other; both ends of their pipe.

Importing torch blocks an interpreter for seconds, so the app never does. A helper is started by the first request. It
ends when nothing was asked for a while, when it is closed, and when its input ends: with the app, even if that is
killed. Requests and answers are one line each.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

from mia_tui.runs.worker.launch import give_way, program_environment

Request = TypeVar("Request")
Answer = TypeVar("Answer")

_READY = b"ready\n"
_LONGEST_ANSWER_BYTES = 1 << 26


class Helper(Generic[Request, Answer]):
    """Asks a process, one request at a time: of those that come meanwhile only the newest is asked.

    Nothing here waits for the process but a thread of its own, which makes all calls. One that has ended is started
    again by the next request.

    Args:
        module: What the process runs, see `answer_requests`.
        encode: A request as a line.
        decode: The answer in a line.
        on_answer: Called with a request and its answer, unless there is a newer request by then.
        on_ready: Called when the process has imported what it needs.
        on_end: Called when the process has ended by itself; with whether it was ready before.
        idle_s: The process ends after so many seconds without a request; None means never.
    """

    def __init__(
        self,
        module: str,
        encode: Callable[[Request], bytes],
        decode: Callable[[bytes], Answer],
        *,
        on_answer: Callable[[Request, Answer], None],
        on_ready: Callable[[], None],
        on_end: Callable[[bool], None],
        idle_s: float | None = None,
    ) -> None:
        self._module, self._encode, self._decode = module, encode, decode
        self._on_answer, self._on_ready, self._on_end, self._idle_s = on_answer, on_ready, on_end, idle_s
        self._changed = threading.Condition()
        self._request: Request | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._has_thread = self._is_ready = self._is_asking = self._is_closed = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    @property
    def is_ready(self) -> bool:
        """Whether the process has imported what it needs."""
        return self._is_ready

    @property
    def idle(self) -> bool:
        """Whether the newest request is answered."""
        with self._changed:
            return self._request is None and not self._is_asking

    def ask(self, request: Request) -> None:
        """Ask for something instead of what was asked before and is not answered yet."""
        with self._changed:
            if self._is_closed:
                return
            self._request = request
            self._changed.notify()
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._work, name=self._module, daemon=True).start()

    def close(self) -> None:
        """End the process at once; there are no answers any more."""
        with self._changed:
            self._is_closed, self._request = True, None
            self._changed.notify()
            if self._process is not None:
                self._process.kill()  # it has nothing to save

    def _work(self) -> None:
        while self._wait():
            if self._process is None or self._process.poll() is not None:
                self._end(self._process)  # it was killed while it had nothing to do
                self._start()
            was_ready, request = self._is_ready, self._take()
            if request is None:
                continue
            answer = self._exchange(request) if was_ready else None
            if answer is None:
                self._end(self._process)
                if not self._is_closed:
                    self._on_end(was_ready)
            elif self._request is None and not self._is_closed:  # else it is late
                self._on_answer(request, answer)
            self._is_asking = False

    def _wait(self) -> bool:
        """Wait for a request; False if there is no more to do for this thread, whose process has ended then."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._request is not None, self._idle_s)
            if self._request is not None:
                return True
            self._has_thread = self._is_ready = False
            process, self._process = self._process, None
        self._end(process)
        return False

    def _take(self) -> Request | None:
        """The newest request; None if the helper was closed meanwhile."""
        with self._changed:
            request, self._request = self._request, None
            self._is_asking = request is not None
            return request

    def _start(self) -> None:
        """Start the process, and wait until it is ready or has ended."""
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=program_environment(),
                cwd="/",
            )
        except OSError:
            return
        with self._changed:
            self._process = process
            if self._is_closed:
                process.kill()
        give_way(process.pid)
        assert process.stdout is not None
        self._is_ready = process.stdout.readline(len(_READY)) == _READY
        if self._is_ready and not self._is_closed:
            self._on_ready()

    def _exchange(self, request: Request) -> Answer | None:
        """The answer to a request; None if the process has ended."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(self._encode(request))
            process.stdin.flush()
            return self._decode(process.stdout.readline(_LONGEST_ANSWER_BYTES))
        except (OSError, ValueError, RecursionError):  # also what no helper says, as lists nested very deep
            return None

    def _end(self, process: subprocess.Popen[bytes] | None) -> None:
        if process is None:
            return
        with self._changed:
            if self._process is process:
                self._process, self._is_ready = None, False
        process.kill()
        with suppress(OSError):
            process.communicate()


def answer_requests(answer: Callable[[bytes], bytes]) -> None:
    """In the process itself: say that it is ready, and answer the app's requests until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not get between the answers
    try:
        answers.write(_READY)
        answers.flush()
        for line in sys.stdin.buffer:
            answers.write(answer(line))
            answers.flush()
    except (BrokenPipeError, KeyboardInterrupt, msgspec.DecodeError):
        sys.exit(1)


def encode_line(message: msgspec.Struct) -> bytes:
    """A message as a line of JSON."""
    return msgspec.json.encode(message) + b"\n"
