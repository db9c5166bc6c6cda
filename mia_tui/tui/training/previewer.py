"""The helper process that augments images for the form: started when it is first wanted, ended with the form."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np

import mia_tui
from mia_tui.config.train import TrainConfig
from mia_tui.runs.record.job import Sample
from mia_tui.runs.worker.preview import (
    PREVIEWER_MODULE,
    PreviewAnswer,
    PreviewImage,
    PreviewRequest,
    decode_answer,
    encode_line,
)

COLUMNS = 3
"""Images of a line: as it is, and as the first two epochs see it."""

_INSTALLED = ("site-packages", "dist-packages")
_ENDING_S = 1.0


class Previewer:
    """Asks the helper for the latest wish, one at a time.

    Args:
        on_sheet: Called in a thread with uint8 pixels, shape (H, W, 3), or a sentence that says why there are none.
        on_ready: Called in a thread when the helper has imported torch.
    """

    def __init__(self, on_sheet: Callable[[np.ndarray | str], None], on_ready: Callable[[], None]) -> None:
        self._on_sheet, self._on_ready = on_sheet, on_ready
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wish: PreviewRequest | None = None
        self._asked = 0
        self._number = 0
        self._is_ready = self._is_closed = False

    @property
    def is_ready(self) -> bool:
        """Whether torch is imported."""
        return self._is_ready

    @property
    def idle(self) -> bool:
        """Whether the latest wish is answered."""
        with self._lock:
            return self._wish is None and self._asked == 0

    def want(self, config: TrainConfig, root: Path, rows: Sequence[tuple[int, Sample]], tile_px: int) -> None:
        """Ask for a sheet: a line for each of `rows` (number in the run's samples, sample)."""
        wanted = tuple(PreviewImage(number, sample.path, sample.frame) for number, sample in rows)
        with self._lock:
            self._number += 1
            self._wish = PreviewRequest(
                self._number, config, os.fspath(root.resolve()), wanted, COLUMNS, max(1, tile_px)
            )
            if self._process is None and not self._is_closed:
                self._process = _start()
                threading.Thread(target=self._work, name="previewer", daemon=True).start()
            self._ask()

    def close(self) -> None:
        """End the helper."""
        with self._lock:
            self._is_closed, self._wish = True, None
            process = self._process
        if process is not None:
            threading.Thread(target=_end, args=(process,), name="previewer-end", daemon=True).start()

    def _ask(self) -> None:
        """With the lock: send the wish if the helper waits for one."""
        if not self._is_ready or self._asked or self._wish is None or self._process is None:
            return
        assert self._process.stdin is not None
        wish, self._wish = self._wish, None
        with suppress(OSError):  # it has ended; the reading thread tells
            self._process.stdin.write(encode_line(wish))
            self._process.stdin.flush()
            self._asked = wish.number

    def _work(self) -> None:
        with self._lock:
            process = self._process
        assert process is not None
        assert process.stdout is not None
        for line in process.stdout:
            try:
                self._take(decode_answer(line))
            except msgspec.DecodeError:
                break
        with self._lock:
            is_closed, self._asked, self._wish = self._is_closed, 0, None
        process.wait()
        if not is_closed:
            self._on_sheet("The preview has ended: torch cannot be used, or memory is short.")

    def _take(self, answer: PreviewAnswer) -> None:
        with self._lock:
            is_first, self._is_ready, self._asked = not self._is_ready, True, 0
            is_late, is_closed = self._wish is not None, self._is_closed
            self._ask()
        if is_closed:
            return
        if is_first:
            self._on_ready()
        elif answer.error:
            self._on_sheet(answer.error)
        elif not is_late:
            pixels = np.frombuffer(answer.pixels, np.uint8)
            self._on_sheet(pixels.reshape(answer.height, answer.width, 3))


def _start() -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    home = Path(mia_tui.__file__).resolve().parent.parent
    if home.name not in _INSTALLED:  # run from its sources: nothing else tells the helper where they are
        above = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{home}{os.pathsep}{above}" if above else str(home)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", PREVIEWER_MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
