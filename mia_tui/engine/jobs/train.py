"""A training; the loop is in engine.training."""

from mia_tui.engine.parallel.devices import work_on_devices
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.engine.training.train import train
from mia_tui.runs.list.moved_dataset import current_samples
from mia_tui.runs.record.events import Outcome
from mia_tui.runs.record.job import TrainJob
from mia_tui.runs.worker.attempt import Attempt


def work(attempt: Attempt, job: TrainJob) -> Outcome:
    """See `engine.training.train.train`; on several devices in a process for each."""
    return work_on_devices(attempt, job, _train)


def _train(attempt: Attempt, job: TrainJob, ranks: Ranks) -> Outcome:
    return train(attempt, job, current_samples(attempt.run, job), ranks)
