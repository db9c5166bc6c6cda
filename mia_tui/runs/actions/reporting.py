"""Making the report of a run in a process of its own: what it draws with takes a second to import, and memory."""

import subprocess
import sys
from pathlib import Path

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.train import TrainConfig
from mia_tui.errors import ConfigError, RunError
from mia_tui.paths import exists
from mia_tui.runs.actions.action import HowTo, RunAction, RunQuestion, named, typed_command
from mia_tui.runs.list.find import kind_of
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.launch import give_way, program_environment
from mia_tui.text import printable

_OPTIONS = {".html": "--out", ".zip": "--zip"}
_WARNING = "Warning: "


class MakeReport(RunAction):
    """Write the report of a run, as `mia-tui report` does.

    Args:
        run: The run.
        out: An .html file for the report alone, or a .zip file for the archive.
        dataset: The dataset that is open.
        how_to: How a person does other actions.
    """

    def __init__(
        self, run: RunDir, out: Path, *, dataset: Path | None = None, how_to: HowTo = typed_command
    ) -> None:
        super().__init__(run, how_to)
        self._out, self._dataset = out, dataset
        self._process: subprocess.Popen[str] | None = None
        self._is_stopped = False

    def refusal(self) -> ConfigError | None:
        refused = no_report(self.run)
        if refused is None and self._out.suffix.lower() not in _OPTIONS:
            return ConfigError(
                f"{printable(self._out.name) or 'This'} is no name of a report.",
                "A report ends in .html, an archive with everything in .zip.",
            )
        return refused

    def question(self) -> RunQuestion | None:
        if not exists(self._out):
            return None
        return RunQuestion(
            f"Replace {printable(self._out.name)}?",
            f"{printable(self._out)} exists already.",
            "Replace",
            "No",
        )

    def doing(self) -> str:
        return "Making the report; it takes some seconds."

    def do(self) -> str:
        self.check()
        process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=program_environment(),
            cwd="/",
        )
        self._process = process
        if self._is_stopped:
            process.kill()
        give_way(process.pid)
        answer, said = process.communicate()
        if process.returncode:
            raise RunError(_last_sentence(said) or "The report could not be made; its process ended.")
        warned = [line for line in said.splitlines() if line.startswith(_WARNING)]
        return " ".join([*answer.split("\n"), *warned]).strip()

    def command(self) -> list[str]:
        """What the process runs; the person was asked whether a file may be replaced."""
        dataset = [] if self._dataset is None else ["--dataset", str(self._dataset.absolute())]
        out = str(self._out.absolute())
        return [
            *(sys.executable, "-P", "-m", "mia_tui", "report", str(self.run.path.absolute())),
            *(_OPTIONS[self._out.suffix.lower()], out, *dataset, "--overwrite"),
        ]

    def stop(self) -> None:
        """End the process: the file is not written, or is as it was before."""
        self._is_stopped = True
        if self._process is not None:
            self._process.kill()


def no_report(run: RunDir) -> ConfigError | None:
    """Why there is no report of a run; None if one can be made."""
    if kind_of(run) in (TrainConfig.kind, EvaluateConfig.kind):
        return None
    return ConfigError(
        f"There is no report of the {named(run)}.", "One is made of a training or of an evaluation."
    )


def report_name(run: RunDir) -> str:
    """The usual name of the file of a report."""
    return f"report-{run.name}.html"


def _last_sentence(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""
