"""A training: its images are read while the libraries of networks are imported; the loop is in engine.training."""

from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.engine.device import describe, is_out_of_memory
from mia_tui.engine.parallel.devices import work_on_devices
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.engine.training.loading import TrainingLoader
from mia_tui.errors import RunError
from mia_tui.runs.list.moved_dataset import current_samples
from mia_tui.runs.record.events import Outcome
from mia_tui.runs.record.job import TrainJob
from mia_tui.runs.worker.attempt import Attempt


def work(attempt: Attempt, job: TrainJob) -> Outcome:
    """See `engine.training.train.train`; on several devices in a process for each."""
    return work_on_devices(attempt, job, _train)


def _train(attempt: Attempt, job: TrainJob, ranks: Ranks) -> Outcome:
    loader = TrainingLoader(attempt, job, current_samples(attempt.run, job), ranks)
    try:
        loader.begin_images()
        with attempt.start.part("libraries"):
            from mia_tui.engine.training.train import train
        return train(attempt, loader)
    except WorkStopped:  # before the first step
        return "stopped"
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise RunError(
            f"Memory ran out on {describe(loader.device)}.",
            "Use a smaller input (--size), a smaller backbone, --cache none or another GPU; memory used by "
            "other programs counts, too.",
        ) from error
    finally:
        loader.close()
