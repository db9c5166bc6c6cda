"""`python -m echoing_helper`: a helper without torch, which answers with its number and the request, or does worse.

To `wait FILE` it answers when there is such a file; it says by FILE.begun that it waits. ECHO_LOG names a file that
gets a line for each request, ECHO_START_S is how long it takes to start, and with ECHO_FAILS it does not start.
"""

import json
import os
import sys
import time
from pathlib import Path

from mia_tui.runs.worker.helper import answer_requests


def answer(line: bytes) -> bytes:
    wish = json.loads(line)
    if "ECHO_LOG" in os.environ:
        with Path(os.environ["ECHO_LOG"]).open("a") as log:
            log.write(f"{wish}\n")
    if wish.startswith("wait "):
        file = Path(wish.removeprefix("wait "))
        file.with_suffix(".begun").touch()
        while not file.exists():
            time.sleep(0.01)
    if wish == "die":
        os._exit(3)
    if wish == "babble":
        return b"no JSON\n"
    if wish == "nest":
        return b"[" * 1_000_000 + b"\n"
    os.write(1, b"what a library says\n")
    return json.dumps([os.getpid(), wish]).encode() + b"\n"


if __name__ == "__main__":
    time.sleep(float(os.environ.get("ECHO_START_S", "0")))
    if "ECHO_FAILS" in os.environ:
        sys.exit(1)
    answer_requests(answer)
