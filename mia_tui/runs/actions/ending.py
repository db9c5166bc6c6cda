"""Stopping a run, killing its worker, deleting it."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mia_tui.config.train import TrainConfig
from mia_tui.errors import RunError
from mia_tui.runs.actions.action import RunAction, RunQuestion, called, kind_words
from mia_tui.runs.list.find import kind_of
from mia_tui.runs.list.lifecycle import delete_run
from mia_tui.runs.prediction.shards import result_file
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import KILL_AFTER_S, StopResult, kill_worker, request_stop
from mia_tui.runs.worker.liveness import Status, lives
from mia_tui.text import counted, join_names, name_some, size_words

# Why there is nothing to stop, after the name of the run.
_IDLE: dict[Status, str] = {
    "lost": "lost its worker",
    "finished": "is finished",
    "stopped": "is stopped already",
    "failed": "has failed",
}


class StopRun(RunAction):
    """Ask the worker of a run to stop.

    Attributes:
        may_kill: Whether it was asked long ago and can be killed; known after `do`.
        was_asked: Whether there was a worker to ask; known after `do`.
    """

    may_kill = was_asked = False

    def do(self) -> str:
        result = request_stop(self.run)
        self.may_kill, self.was_asked = result.may_kill, result.asked_at is not None
        return self.sentence(result)

    def sentence(self, result: StopResult) -> str:
        """What came of asking; says so if the worker got no signal."""
        name, words = called(self.run), kind_words(self.run)
        kill = self.how_to("kill", self.run)
        if result.asked_at is None:
            is_idle = _IDLE.get(result.status, f"is {result.status}")
            return f"There is nothing to stop: the {words.noun} {name} {is_idle}."
        ago = f"{time.time() - result.asked_at:.0f} s"
        if result.may_kill:
            return f"{name} was asked to stop {ago} ago and still runs; {kill} can end it at once."
        if result.signalled:
            return (
                f"{name} is asked to stop; it ends {words.stops}. If it has not after {KILL_AFTER_S:.0f} s, {kill} "
                "can end it at once."
            )
        if result.is_late:
            return (
                f"{name} was asked to stop {ago} ago by its file `stop` and has not yet; it gets no signal, since "
                f"{result.doubt}."
            )
        return (
            f"{name} is asked to stop by its file `stop` only, since {result.doubt}; a worker that reads it ends "
            f"{words.stops}."
        )


class KillWorker(RunAction):
    """Kill the worker of a run that was asked to stop long ago."""

    def question(self) -> RunQuestion | None:
        return RunQuestion(
            f"Kill the worker of {called(self.run)}?",
            f"It was asked to stop and has not ended. {self._lost()}",
            yes="Kill it",
            no="Wait for it",
        )

    def _lost(self) -> str:
        if kind_of(self.run) != TrainConfig.kind:
            return kind_words(self.run).killed
        saved = None
        with suppress(RunError):
            saved = read_state(self.run).checkpoint
        since = "the beginning" if saved is None else f"its last checkpoint, of epoch {saved.epoch},"
        return f"What it did since {since} is then lost."

    def do(self) -> str:
        kill_worker(self.run)
        words = kind_words(self.run)
        return (
            f"{called(self.run)} was ended; {self.how_to('resume', self.run)} resumes it {words.continues}."
        )


class DeleteRun(RunAction):
    """Remove a run with all that it saved; its worker is stopped first. `delete_question` asks before."""

    def question(self) -> RunQuestion | None:
        return delete_question([self.run])

    def doing(self) -> str:
        return f"{'Stopping and deleting' if lives(self.run) else 'Deleting'} {called(self.run)}"

    def do(self) -> str:
        name = called(self.run)
        delete_run(self.run)
        return f"{name} is deleted."


def delete_question(runs: Sequence[RunDir]) -> RunQuestion:
    """What to ask before some runs are deleted."""
    size, live = sum(_bytes_in(run.path) for run in runs), [run for run in runs if lives(run)]
    saved = dict.fromkeys(word for run in runs for word in kind_words(run).saved)
    whose = "Its" if len(runs) == 1 else "Their"
    much = f" {size_words(size)} of" if size else ""
    text = (
        f"{whose}{much} {join_names([*saved, 'logs'])} cannot be brought back; labels and images stay"
        f"{_files_outside(runs)}."
    )
    if live:
        names = name_some(called(run) for run in live)
        at_work = "It is" if len(runs) == 1 else f"{names} {'is' if len(live) == 1 else 'are'}"
        text = f"{at_work} in progress and will be stopped first. {text}"
    if len(runs) == 1:
        return RunQuestion(f"Delete {called(runs[0])}?", text, yes="Delete", no="Keep")
    text = f"{counted(len(runs), 'run')}: {name_some(called(run) for run in runs)}. {text}"
    return RunQuestion(f"Delete {len(runs):,} runs?", text, yes="Delete", no="Keep")


def _files_outside(runs: Sequence[RunDir]) -> str:
    """Which files of predictions stay where they were written."""
    outs = []
    for run in runs:
        with suppress(RunError):  # it is damaged, or of another kind
            out = result_file(run.predict_job().config)
            if out is not None and out.exists():
                outs.append(str(out))
    return f", and so {'does' if len(outs) == 1 else 'do'} {name_some(outs)}" if outs else ""


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # it was deleted meanwhile
            continue
    return total
