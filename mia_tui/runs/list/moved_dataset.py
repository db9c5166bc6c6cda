"""Where a run's images are now: its dataset may have been moved, renamed or copied since it was trained.

job.json holds the folders as they were. A run whose state folder is in or
beside its dataset belongs to that dataset, wherever both were moved; so a copy
is a dataset of its own. Where the state is elsewhere (--state), the dataset is
the one that was named last, or the one that labels.db was written for last.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from mia_tui.config.features import FeaturesConfig
from mia_tui.config.jobs import JobConfig
from mia_tui.config.predict import NetworkConfig
from mia_tui.config.train import TrainConfig
from mia_tui.config.weights_cache import IMAGENET_WEIGHTS
from mia_tui.dataset.model import FRAME_NUMBERING, ImageKey
from mia_tui.dataset.store.frame_numbers import find_frames_of
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, RunError, StoreError
from mia_tui.paths import (
    STATE_FOLDER,
    StateFolder,
    dataset_beside,
    is_of_this_dataset,
    is_same_folder,
    real_path,
)
from mia_tui.runs.record.job import AnyJob, Sample, TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable, typed

Answer = TypeVar("Answer")

_LOOKED_FOR = 32  # images; if one of them is there, the folder is the run's dataset


def current_job(run: RunDir, dataset: Path | None = None) -> AnyJob:
    """The job of a run with folders as they are now; writes nothing.

    Args:
        run: The run.
        dataset: The folder that the user named; used where the place of the run does not show its dataset.

    Raises:
        RunError: If the run cannot be read.
    """
    job = run.job()
    state = run.path.resolve().parent.parent
    folder = _dataset_folder(run, job, dataset)
    moves = ((Path(job.state), state), (Path(job.dataset), folder))
    config = _config_here(job.config, job, folder, moves)
    return msgspec.structs.replace(job, dataset=str(folder), state=str(state), config=config)


def current_train_job(run: RunDir, dataset: Path | None = None) -> TrainJob:
    """As `current_job`, of a training.

    Raises:
        RunError: As `current_job`, or if the run is no training.
    """
    run.train_job()
    return cast(TrainJob, current_job(run, dataset))


def current_samples(run: RunDir, job: AnyJob) -> list[Sample]:
    """The images of a run with their present paths, in their order in the run.

    Args:
        run: The run.
        job: From `current_job`.

    Raises:
        RunError: If the run cannot be read.
    """
    written, samples = run.job(), run.samples()
    moved = _moved_files(run, written)
    if written.dataset == job.dataset and _val_of(written) == _val_of(job) and not moved:
        return samples
    return [_sample_here(sample, written, job, moved) for sample in samples]


def present_samples(run: RunDir, job: AnyJob) -> list[Sample]:
    """As `current_samples`, with the frames that the images of an old run have now; an image may be there twice.

    Those that cannot be told have a frame that no image has. Reads the stacks among them.
    """
    samples = current_samples(run, job)
    if job.numbering == FRAME_NUMBERING:
        return samples
    keys = find_frames_of((ImageKey(sample.path, sample.frame) for sample in samples), Path(job.dataset))
    return [
        msgspec.structs.replace(sample, frame=keys.get(key, key).frame)
        for sample in samples
        for key in [ImageKey(sample.path, sample.frame)]
    ]


def update_dataset_path(run: RunDir, dataset: Path | None = None) -> None:
    """Before a worker is started: check that the images are there, and record their folder if the user named it.

    Args:
        run: The run.
        dataset: As for `current_job`.

    Raises:
        DataError: If the folder of the dataset or that of --val is gone, or the one that was named holds none of the
            run's images.
        RunError: If the run cannot be read, or its job not be written.
    """
    job = current_job(run, dataset)
    if dataset is not None and not is_same_folder(dataset, Path(job.dataset)) and not _holds(dataset, run):
        raise DataError(
            f"{printable(dataset)} holds none of the images of the run {printable(run.name)}.",
            f"Those were in {printable(job.dataset)}.",
        )
    check_folders_exist(run, job)
    written = run.job()
    if (
        dataset is not None
        and not _lies_with(written)
        and (written.moved_to or written.dataset) != job.dataset
    ):
        run.put_dataset(Path(job.dataset))


def check_folders_exist(run: RunDir, job: AnyJob) -> None:
    """Refuse to work on a run whose folders of images do not exist any more.

    Raises:
        DataError: If there is no folder of the dataset, or none of --val.
    """
    folder = Path(job.dataset)
    name = printable(run.name)
    if not os.path.isdir(folder):  # noqa: PTH112
        raise DataError(
            f"The images of the run {name} are gone: there is no folder {printable(folder)}.",
            f"If it was moved, name it: mia-tui {_resuming(run, job)}.",
        )
    val = _val_of(job)
    if val is not None and not os.path.isdir(val):  # noqa: PTH112
        raise DataError(
            f"The folder of --val, {printable(val)}, is gone, and the run {name} is validated on it.",
            "Put it back, or a link to it, or start a new run.",
        )


def _resuming(run: RunDir, job: AnyJob) -> str:
    """How a run is resumed in a dataset that was moved, by the kind of its job."""
    state, name = typed(job.state), typed(run.name)
    if isinstance(job.config, TrainConfig):
        return f"train DATASET --state {state} --resume {name}"
    return f"runs resume {name} --dataset DATASET --state {state}"


def _dataset_folder(run: RunDir, job: AnyJob, dataset: Path | None) -> Path:
    """The first folder that holds images of the run; if none does, the most likely one."""
    found: list[Path] = []
    for place in _places(run, job, dataset):
        if place in found or not os.path.isdir(place):  # noqa: PTH112  # Path's raises
            continue
        if not found and str(place) == job.dataset and _lies_with(job):  # nothing was moved
            return place
        if _holds(place, run):
            return place
        found.append(place)
    return found[0] if found else Path(job.dataset)


def _places(run: RunDir, job: AnyJob, dataset: Path | None) -> Iterator[Path]:
    beside = list(_places_beside(run))
    if _lies_with(job):
        yield from beside
    if dataset is not None:
        yield real_path(dataset)
    if job.moved_to is not None:
        yield Path(job.moved_to)
    if not _lies_with(job):
        root = _in_labels(run, LabelStore.root, None)
        if root is not None:
            yield root
    yield Path(job.dataset)
    yield from beside


def _places_beside(run: RunDir) -> Iterator[Path]:
    """The datasets a state folder of this name may belong to: the folder it is in, or the one beside it."""
    for path in (run.path.resolve(), run.path.absolute()):  # `mia` may be a link that the user made
        state = path.parent.parent
        if state.name == STATE_FOLDER:
            yield state.parent.resolve()
        elif (dataset := dataset_beside(state)) is not None:
            yield real_path(dataset)


def _lies_with(job: AnyJob) -> bool:
    """Whether the run's state folder lay in or beside its dataset, and so is moved with it."""
    return is_of_this_dataset(Path(job.state), Path(job.dataset))


def _in_labels(run: RunDir, ask: Callable[[LabelStore], Answer], otherwise: Answer) -> Answer:
    """What labels.db says; `otherwise` if there is none or it cannot be read."""
    with suppress(StoreError):
        store = LabelStore.open_existing(StateFolder(run.path.parent.parent).labels_db)
        if store is not None:
            with store:
                return ask(store)
    return otherwise


def _holds(folder: Path, run: RunDir) -> bool:
    """Whether any of the first images of a run is in a folder."""
    try:
        paths = [sample.path for sample in run.some_samples(_LOOKED_FOR)]
    except RunError:
        return False
    return any(os.path.lexists(folder / path) for path in paths if not os.path.isabs(path))  # noqa: PTH117


def _config_here(
    config: JobConfig, job: AnyJob, folder: Path, moves: Sequence[tuple[Path, Path]]
) -> JobConfig:
    """Settings whose folders and files are as they are now; `moves` are folders before and now."""
    if isinstance(config, TrainConfig):
        if config.val is not None:
            config = msgspec.structs.replace(config, val=str(_val(Path(config.val), job, folder)))
        if config.weights in ("none", IMAGENET_WEIGHTS):
            return config
    if not isinstance(config, TrainConfig | NetworkConfig | FeaturesConfig) or config.weights is None:
        return config
    config = msgspec.structs.replace(config, weights=_file_here(config.weights, moves))
    if not isinstance(config, NetworkConfig) or not config.ensemble:
        return config
    members = [
        msgspec.structs.replace(member, weights=_file_here(member.weights, moves))
        for member in config.ensemble
    ]
    return msgspec.structs.replace(config, ensemble=tuple(members))


def _file_here(path: str, moves: Sequence[tuple[Path, Path]]) -> str:
    """Where a file is now, if it was in a folder that has moved."""
    file = Path(path)
    return next(
        (str(new / file.relative_to(old)) for old, new in moves if file.is_relative_to(old)), str(file)
    )


def _val_of(job: AnyJob) -> str | None:
    return job.config.val if isinstance(job.config, TrainConfig) else None


def _val(val: Path, job: AnyJob, folder: Path) -> Path:
    """The folder of --val now: inside the dataset it moved with it; outside it stayed, or was moved alike."""
    before = Path(job.dataset)
    if val.is_relative_to(before):
        return folder / val.relative_to(before)
    if not os.path.isdir(val):  # noqa: PTH112
        along = Path(os.path.normpath(folder / os.path.relpath(val, before)))
        if os.path.isdir(along):  # noqa: PTH112
            return along
    return val


def _moved_files(run: RunDir, job: AnyJob) -> dict[str, str]:
    """Files of the dataset that were renamed since, as far as labels.db knows."""
    return _in_labels(run, lambda store: store.moves_since(job.created_at), {})


def _sample_here(sample: Sample, written: AnyJob, job: AnyJob, moved: dict[str, str]) -> Sample:
    path = sample.path
    if not os.path.isabs(path):  # noqa: PTH117  (a million of them)
        here = moved.get(path, path)
    elif (before := _val_of(written)) is not None and (now := _val_of(job)) is not None:
        here = str(Path(now) / os.path.relpath(path, before))
    else:
        here = path
    return sample if here == path else msgspec.structs.replace(sample, path=here)
