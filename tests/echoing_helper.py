"""`python -m echoing_helper`: a helper without torch, which answers with its number and the request, or does worse.

ECHO_DELAY_S is how long each answer takes, ECHO_START_S how long it takes to start.
"""

import json
import os
import sys
import time

from mia_tui.runs.worker.helper import answer_requests


def answer(line: bytes) -> bytes:
    wish = json.loads(line)
    time.sleep(float(os.environ.get("ECHO_DELAY_S", "0")))
    if wish == "die":
        os._exit(3)
    if wish == "babble":
        return b"no JSON\n"
    os.write(1, b"what a library says\n")
    return json.dumps([os.getpid(), wish]).encode() + b"\n"


if __name__ == "__main__":
    time.sleep(float(os.environ.get("ECHO_START_S", "0")))
    if "ECHO_FAILS" in os.environ:
        sys.exit(1)
    answer_requests(answer)
