"""Making the run of a job other than a training: where it is, and what it says of its network."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from mia_tui import __version__
from mia_tui.config.jobs import JobConfig
from mia_tui.dataset.model import FRAME_NUMBERING, ImageKey
from mia_tui.errors import ConfigError
from mia_tui.paths import StateFolder, find_state, is_state_folder, real_path, user_jobs
from mia_tui.runs.record.job import AnyJob, Job, JobClass, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import network_name, weights_digest
from mia_tui.runs.worker.liveness import lives

OfKind = TypeVar("OfKind", bound=JobConfig)


def job_places(images: Path, state: Path | None) -> list[StateFolder]:
    """Where the run of a job on a folder of images may be, the best first.

    That is the state of a dataset; the user's own folder for images that are no dataset, or cannot be written.
    """
    place = find_state(images, state)
    if state is not None:
        return [place]
    is_dataset = is_state_folder(place.root) or os.path.isdir(place.runs)  # noqa: PTH112  # Path's raises
    return [place, user_jobs(images)] if is_dataset else [user_jobs(images)]


def new_job(
    config: OfKind,
    classes: Iterable[str],
    dataset: Path,
    places: Sequence[StateFolder],
    *,
    threads: int | None = None,
    command: str = "",
    after: RunDir | None = None,
) -> Job[OfKind]:
    """The job of a new run, to be created in one of some places.

    Args:
        config: The settings.
        classes: Their names, in the order of the logits.
        dataset: The folder of images.
        places: Where the run may be, from `job_places`.
        threads: CPU threads; None takes the cores that are free.
        command: The command line that does the same again.
        after: The run whose end it waits for; None starts at once.
    """
    return Job(
        config=config,
        dataset=str(real_path(dataset)),
        state=str(real_path(places[0].root)),
        classes=[JobClass(place, name) for place, name in enumerate(classes)],
        threads=threads,
        command=command,
        created_at=time.time(),
        version=__version__,
        numbering=FRAME_NUMBERING,
        after=None if after is None else str(after.path.resolve()),
    )


def create_in(
    places: Sequence[StateFolder],
    job: AnyJob,
    *,
    name: str,
    samples: Sequence[Sample] | None = None,
    images: Sequence[ImageKey] | None = None,
) -> RunDir:
    """Create a run in the first place that takes it, which its job then names; the rest is as for `RunDir.create`.

    Raises:
        ConfigError: If none takes it.
    """
    for number, place in enumerate(places, start=1):
        here = msgspec.structs.replace(job, state=str(real_path(place.root)))
        try:
            return RunDir.create(place, here, samples, name=name, images=images)
        except ConfigError:  # a disk that this user may not write to
            if number == len(places):
                raise
    raise AssertionError("there is no place")


def network_settings(weights: Path) -> dict[str, str]:
    """The fields of `NetworkConfig` that say which network it is.

    A training in progress may save better weights until the job begins, which takes those that are there then.
    """
    path = real_path(weights)
    return {
        "weights": str(path),
        "digest": "" if lives(RunDir(path.parent.parent)) else weights_digest(weights),
        "network": network_name(weights),
    }
