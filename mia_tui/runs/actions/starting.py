"""Resuming a run, doing its job again, and either of them when the runs in progress have ended."""

import re
import time
from pathlib import Path

import msgspec

from mia_tui import __version__
from mia_tui.config.jobs import JobConfig
from mia_tui.config.predict import NetworkConfig, PredictConfig
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import FRAME_NUMBERING
from mia_tui.errors import ConfigError, MiaError, RunError
from mia_tui.paths import StateFolder, user_jobs
from mia_tui.runs.actions.action import (
    HowTo,
    RunAction,
    RunQuestion,
    called,
    kind_words,
    named,
    typed_command,
)
from mia_tui.runs.ensemble import ensemble_settings
from mia_tui.runs.list.find import kind_of, list_runs, oldest_first, runs_of
from mia_tui.runs.list.lifecycle import drop_untrained_run, resume_run
from mia_tui.runs.list.moved_dataset import current_job, current_samples
from mia_tui.runs.list.words import RESUMABLE
from mia_tui.runs.prediction.shards import result_file
from mia_tui.runs.record.decision import network_rule
from mia_tui.runs.record.job import AnyJob
from mia_tui.runs.record.job_place import create_in, network_settings
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import read_card
from mia_tui.runs.worker.liveness import IN_PROGRESS, run_status
from mia_tui.runs.worker.queue import last_in_line
from mia_tui.text import printable

_DATE_AND_NUMBER = re.compile(r"^\d{8}-\d{4}-|-\d+$")  # of a folder's name


class ResumeRun(RunAction):
    """Start a worker that continues a run with its settings.

    Args:
        run: One that has ended, or was lost.
        how_to: How a person does other actions.
        after: The run whose end it waits for; None starts it at once.
        dataset: The dataset that is open; needed where the state folder is not in or beside its dataset.
    """

    starts_worker = True
    started: RunDir | None = None  # it starts no other run

    def __init__(
        self,
        run: RunDir,
        how_to: HowTo = typed_command,
        *,
        after: RunDir | None = None,
        dataset: Path | None = None,
    ) -> None:
        super().__init__(run, how_to)
        self.after, self._dataset = after, dataset

    def refusal(self) -> ConfigError | None:
        self.run.job()
        status = run_status(self.run)
        if status in IN_PROGRESS:
            return ConfigError(f"The {named(self.run)} is {status} already.")
        return nothing_to_resume(self.run, self.how_to) if status == "finished" else None

    def doing(self) -> str:
        return f"Starting {called(self.run)}"

    def do(self) -> str:
        self.check()
        resume_run(self.run, after=self.after, dataset=self._dataset)
        return f"{called(self.run)} continues with its settings{_when(self.after)}."


class RunAgain(RunAction):
    """Do the job of a run again as a new run, with the same settings and the network as its file is today.

    A training is not done again here: that takes the labels of today, which the form or `train` prepares.

    Args:
        run: One that is not in progress.
        how_to: How a person does other actions.
        after: The run whose end it waits for; None starts it at once.
        dataset: The dataset that is open, as for `ResumeRun`.

    Attributes:
        started: The new run; None before it was started.
    """

    starts_worker = True

    def __init__(
        self,
        run: RunDir,
        how_to: HowTo = typed_command,
        *,
        after: RunDir | None = None,
        dataset: Path | None = None,
    ) -> None:
        super().__init__(run, how_to)
        self.after, self._dataset = after, dataset
        self.started: RunDir | None = None

    def refusal(self) -> ConfigError | None:
        job = current_job(self.run, self._dataset)
        status = run_status(self.run)
        if status in IN_PROGRESS:
            way_out = f"{self.how_to('stop', self.run)} stops it."
            return ConfigError(f"The {named(self.run)} is {status}, so it is not done again yet.", way_out)
        if _was_imported(job):
            return ConfigError(
                f"The {named(self.run)} was imported, so no network can do it again.", _import_again(job)
            )
        return None if not isinstance(job.config, NetworkConfig) else self._other_network(job)

    def _other_network(self, job: AnyJob) -> ConfigError | None:
        """Why the weights file does not do for the same job any more."""
        assert isinstance(job.config, NetworkConfig)
        try:
            card = read_card(Path(job.config.weights))
        except MiaError as error:
            return ConfigError(f"The {named(self.run)} cannot be done again: {error.message}", error.hint)
        if [item.name for item in card.classes] == [item.name for item in job.classes]:
            return None
        return ConfigError(
            f"The {named(self.run)} cannot be done again: {printable(job.config.weights)} has other classes now.",
            "Start a new one with that network.",
        )

    def question(self) -> RunQuestion | None:
        config = self.run.job().config
        out = result_file(config) if isinstance(config, PredictConfig) else None
        if out is None or not out.exists():
            return None
        text = f"The {named(self.run)} writes this file, which exists: {printable(out)}"
        return RunQuestion(f"Replace {printable(out.name)}?", text, yes="Replace it", no="Keep it")

    def doing(self) -> str:
        return f"Starting {called(self.run)} again"

    def do(self) -> str:
        self.check()
        new = self._create()
        try:
            resume_run(new, after=self.after, dataset=self._dataset)
        except MiaError as error:
            drop_untrained_run(new, error)
            raise
        self.started = new
        noun = kind_words(new).noun
        return f"{called(self.run)} is done again as the {noun} {called(new)}{_when(self.after)}."

    def _create(self) -> RunDir:
        written, job = self.run.written_job(), current_job(self.run, self._dataset)
        config = _with_network_of_today(job.config)
        images = self.run.images() if isinstance(config, PredictConfig) else None
        new = msgspec.structs.replace(
            job,
            config=config,
            threads=written.threads,
            created_at=time.time(),
            version=__version__,
            after=None,
            moved_to=None,
            numbering=FRAME_NUMBERING if images is None and not self.run.has_samples() else job.numbering,
        )
        return create_in(
            (StateFolder(Path(job.state)), user_jobs(Path(job.dataset))),
            new,
            name=_DATE_AND_NUMBER.sub("", self.run.name),
            samples=current_samples(self.run, job) if self.run.has_samples() else None,
            images=images,
        )


class QueueRun(RunAction):
    """Resume a run, or do its job again, when those in progress have ended.

    Args:
        run: One that is not in progress.
        how_to: How a person does other actions.
        dataset: The dataset that is open.
        state: The folder given with --state.

    Attributes:
        ahead: The run that it waits for; known after `refusal`.
    """

    starts_worker = True

    def __init__(
        self,
        run: RunDir,
        how_to: HowTo = typed_command,
        *,
        dataset: Path | None = None,
        state: Path | None = None,
    ) -> None:
        super().__init__(run, how_to)
        self._dataset, self._state = dataset, state
        self._chosen: ResumeRun | RunAgain | None = None
        self.ahead: RunDir | None = None

    @property
    def trains_again(self) -> bool:
        """Whether it is a training that is not to be resumed, but done again on the labels of today."""
        is_over = run_status(self.run) not in (*RESUMABLE, *IN_PROGRESS)
        return is_over and kind_of(self.run) == TrainConfig.kind

    @property
    def started(self) -> RunDir | None:
        """The new run, if the job is done again."""
        return None if self._chosen is None else self._chosen.started

    def refusal(self) -> ConfigError | None:
        status = run_status(self.run)
        resumes = status in RESUMABLE or status in IN_PROGRESS
        self.ahead = self._last_in_line()
        if not self.trains_again:
            kind = ResumeRun if resumes else RunAgain
            self._chosen = kind(self.run, self.how_to, after=self.ahead, dataset=self._dataset)
            refusal = self._chosen.refusal()
            if refusal is not None:
                return refusal
        if self.ahead is not None:
            return None
        way_out = f"{self.how_to('resume' if resumes else 'again', self.run)} starts this one at once."
        return ConfigError("No other run is in progress.", way_out)

    def _last_in_line(self) -> RunDir | None:
        beside = list_runs(StateFolder(self.run.path.resolve().parent.parent))
        others = [] if self._dataset is None else runs_of(self._dataset, self._state)
        here = self.run.path.resolve()
        known = {run.path.resolve(): run for run in (*others, *beside)}
        return last_in_line(oldest_first(run for path, run in known.items() if path != here))

    def question(self) -> RunQuestion | None:
        return self._chosen.question() if self._chosen is not None else None

    def doing(self) -> str:
        return f"Starting {called(self.run)}"

    def do(self) -> str:
        self.check()
        if self._chosen is None:
            raise RunError(f"The {named(self.run)} is trained again by the form or by `mia-tui runs queue`.")
        return self._chosen.do()


def _with_network_of_today(config: JobConfig) -> JobConfig:
    """The same settings, with the weights that are in the file of its network now, and their threshold."""
    if isinstance(config, NetworkConfig) and config.ensemble:
        files = [Path(member.weights) for member in config.ensemble]
        return msgspec.convert({**msgspec.structs.asdict(config), **ensemble_settings(files)}, type(config))
    if not isinstance(config, PredictConfig):
        if not isinstance(config, NetworkConfig):
            return config
        return msgspec.structs.replace(config, **network_settings(Path(config.weights)))
    network = network_settings(Path(config.weights))
    config = msgspec.structs.replace(config, **network)
    if config.rule_by == "user":
        return config
    rule = network_rule(Path(config.weights), network["digest"])
    return msgspec.structs.replace(config, rule=rule)


def nothing_to_resume(run: RunDir, how_to: HowTo = typed_command) -> ConfigError:
    """The refusal to resume a run that is finished."""
    job = run.job()
    if isinstance(job.config, TrainConfig):
        way_out = f"{how_to('change', run)} trains on from its weights."
    elif _was_imported(job):
        way_out = _import_again(job)
    else:
        way_out = f"{how_to('again', run)} does the same again."
    return ConfigError(f"The {named(run)} is finished, so there is nothing to resume.", way_out)


def _was_imported(job: AnyJob) -> bool:
    """Whether it is a prediction that was read from a file, whose name stands in place of a network's."""
    config = job.config
    if not isinstance(config, PredictConfig) or config.images != "listed":
        return False
    return config.network == Path(config.weights).name and not config.network.endswith(".safetensors")


def _import_again(job: AnyJob) -> str:
    return f"`{printable(job.command)}` imports its file again."


def _when(after: RunDir | None) -> str:
    return "" if after is None else f" when {called(after)} has ended"
