"""Finding a learning rate in a process of its own, as `mia-tui rate` does: it imports torch, and takes a while."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mia_tui.analysis.rate_curve import RateCurve
from mia_tui.config.command import train_words
from mia_tui.config.train import TrainConfig
from mia_tui.decoding import BadRecord, decode_json
from mia_tui.errors import RunError
from mia_tui.runs.preflight.prepare import with_absolute_paths
from mia_tui.runs.worker.launch import give_way, program_environment


class _Answer(msgspec.Struct):
    rates: list[float]
    losses: list[float | str]


class RateSearch:
    """The search of a learning rate for a training.

    Args:
        config: Its settings.
        dataset: Folder of the images.
        state: The folder given with --state.
        annotator: Who trains.

    Attributes:
        is_stopped: Whether somebody stopped it.
    """

    def __init__(
        self, config: TrainConfig, dataset: Path, *, state: Path | None, annotator: str | None
    ) -> None:
        config = with_absolute_paths(config)
        state = None if state is None else state.absolute()
        self._words = train_words(config, dataset.absolute(), state=state, annotator=annotator)
        self._process: subprocess.Popen[bytes] | None = None
        self.is_stopped = False
        self._said: list[str] = []

    @property
    def said(self) -> str:
        """What the process said last: what it does, or how many steps are done."""
        return self._said[-1] if self._said else ""

    def do(self) -> RateCurve | None:
        """The losses of the steps; None if it was stopped.

        Raises:
            RunError: If the process failed, with its last sentence.
        """
        _, *words = self._words
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mia_tui", "rate", *words, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=program_environment(),
            cwd="/",
        )
        self._process = process
        if self.is_stopped:
            process.kill()
        give_way(process.pid)
        answers: list[bytes] = []
        assert process.stdout is not None and process.stderr is not None
        reading = threading.Thread(target=lambda pipe=process.stdout: answers.append(pipe.read()))
        reading.start()
        for line in process.stderr:
            text = line.decode(errors="replace").strip()
            self._said += [text] if text else []
        reading.join()
        process.wait()
        if self.is_stopped:
            return None
        if process.returncode:
            raise RunError(self.said or "No learning rate could be looked for; its process ended.")
        return _curve_of(b"".join(answers))

    def stop(self) -> None:
        """End the process."""
        self.is_stopped = True
        if self._process is not None:
            self._process.kill()


def _curve_of(answer: bytes) -> RateCurve:
    try:
        found = decode_json(answer, _Answer)
    except BadRecord as error:
        raise RunError("What the search of a learning rate answered cannot be read.") from error
    losses: Any = [float(loss) for loss in found.losses]  # nan is a word in JSON
    return RateCurve(np.array(found.rates, np.float64), np.array(losses, np.float64))
