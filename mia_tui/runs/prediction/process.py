"""Predicting a whole dataset with a run's network in a process that keeps running when the app is closed."""

import fcntl
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from mia_tui.disk_errors import disk_error
from mia_tui.errors import RunError
from mia_tui.files import open_in_place, open_to_read
from mia_tui.runs.disk import make_folder
from mia_tui.runs.prediction.predictions import partial_path
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.launch import end_of_log, give_way, start_program
from mia_tui.text import printable

_CHUNK_BYTES = 1 << 20


class PredictionProcess:
    """A running prediction, started by this program.

    Args:
        run: Whose best weights predict.
        dataset: The images.
        state: The folder given with --state.
        gives_way: Whether interactive programs go before it.

    Raises:
        RunError: If there are no weights yet, it is at work already, or it cannot be started.
    """

    def __init__(self, run: RunDir, dataset: Path, state: Path | None, *, gives_way: bool = False) -> None:
        if not run.best_weights.is_file():
            raise RunError(
                f"The run {printable(run.name)} has saved no weights yet.", "Let it train for longer first."
            )
        make_folder(run.predictions, root=run.root)
        self.log = run.predictions / "predict.log"
        self._partial = partial_path(run.suggestions)
        self._place = self._count = 0
        words = ["predict", str(dataset.resolve()), "--run", str(run.path.resolve()), "--json"]
        if state is not None:
            words += ["--state", str(state.resolve())]
        try:
            log = open_in_place(self.log, root=run.root)
        except OSError as error:
            raise disk_error(error, self.log) from error
        try:
            self._claim(run, log)
            os.truncate(log, 0)
            self._pid = start_program([sys.executable, "-P", "-m", "mia_tui", *words], log)
            if gives_way:
                give_way(self._pid)
        except OSError as error:
            raise RunError(f"The prediction cannot be started: {error.strerror}.") from error
        finally:
            os.close(log)

    def done(self) -> int:
        """Images predicted so far; reads what is new in its file."""
        with suppress(OSError), open_to_read(self._partial) as file:
            file.seek(self._place)
            while chunk := file.read(_CHUNK_BYTES):
                self._count += chunk.count(b"\n")
                self._place += len(chunk)
        return max(0, self._count - 1)  # the first line is its heading

    def has_ended(self) -> bool:
        """Whether it has ended; to be asked until then.

        Raises:
            RunError: If it failed; says why.
        """
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            return True
        if not pid:
            return False
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            raise RunError("The prediction was killed, perhaps because memory was short.", "Start it again.")
        if code:
            raise RunError(f"The prediction failed: {end_of_log(self.log)}")
        return True

    @staticmethod
    def _claim(run: RunDir, log: int) -> None:
        """Lock its log. The process inherits the lock and keeps it until it ends, even if this program ends first."""
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"The run {printable(run.name)} is already predicting.",
                "Its suggestions appear when it has finished.",
            ) from None
        except OSError:  # a file system without locks
            return
