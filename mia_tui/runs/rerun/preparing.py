"""The job that repeats a training, and what differs in the data before it starts."""

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from mia_tui import __version__
from mia_tui.config.train import TrainConfig
from mia_tui.config.weights_cache import IMAGENET_WEIGHTS
from mia_tui.dataset.interchange.folders import read_class_folders
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import check_root
from mia_tui.errors import ConfigError, DataError
from mia_tui.paths import StateFolder, find_state, is_same_folder, real_path
from mia_tui.runs.list.moved_dataset import check_folders_exist, current_samples, current_train_job
from mia_tui.runs.record.fingerprint import (
    FileFingerprint,
    file_fingerprints,
    read_fingerprints,
    trained_on,
)
from mia_tui.runs.record.job import Sample, TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.rerun.machine import differences_here
from mia_tui.text import counted, join_names, name_some, printable, typed

_Kind = Literal["missing", "resized", "changed"]


@dataclass(frozen=True)
class DataDifferences:
    """Files that are not as they were; names as in the repetition's samples.

    Attributes:
        missing: Those that are not there, or cannot be read.
        resized: Those of another size.
        changed: Those of the same size and other content.
        unknown: Whether what the files held is not known: an earlier version made the run.
    """

    missing: tuple[str, ...] = ()
    resized: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unknown: bool = False

    @property
    def sentences(self) -> list[str]:
        """What differs; one sentence for each kind."""
        found = []
        if self.missing:
            found.append(
                f"{counted(len(self.missing), 'file is', 'files are')} missing: {name_some(self.missing)}."
            )
        if self.resized:
            found.append(
                f"{counted(len(self.resized), 'file has', 'files have')} another size: {name_some(self.resized)}."
            )
        if self.changed:
            found.append(
                f"{counted(len(self.changed), 'file has', 'files have')} other content of the same size: "
                f"{name_some(self.changed)}."
            )
        if self.unknown:
            found.append(
                "An earlier version trained the run and took no fingerprint of its images, so whether they are the "
                "same is not known."
            )
        return found

    @property
    def are_none(self) -> bool:
        """Whether all files are known to be as they were."""
        return not (self.missing or self.resized or self.changed or self.unknown)


@dataclass(frozen=True)
class Rerun:
    """A repetition that can be started.

    Attributes:
        run: The run that is repeated.
        job: What is done.
        samples: The images of the run, with their classes and parts.
        data: What differs in their files.
        machine: What differs on this machine, as far as that is known before the start.
        notes: What else one has to know, a sentence each.
    """

    run: RunDir
    job: TrainJob
    samples: Sequence[Sample]
    data: DataDifferences
    machine: Sequence[str]
    notes: tuple[str, ...]

    @property
    def sentences(self) -> list[str]:
        """Everything that one has to know before the start."""
        found = [*self.data.sentences, *self.notes]
        if self.data.are_none:
            count = len({sample.path for sample in trained_on(self.samples)})
            found.insert(0, f"All {counted(count, 'file')} are as they were: the same data fingerprint.")
        if self.machine:
            found.append(
                f"Weights may differ in their last bits, since this machine has {join_names(self.machine)}."
            )
        return found

    def create(self, *, after: RunDir | None = None) -> RunDir:
        """Write the folder of the new run; `after` is a run whose end it waits for."""
        job = self.job
        if after is not None:
            job = msgspec.structs.replace(job, after=str(after.path.resolve()))
        name = re.sub(r"^timm:", "", job.config.backbone)
        return RunDir.create(StateFolder(Path(job.state)), job, self.samples, name=f"rerun-{name}")


def prepare_rerun(
    run: RunDir,
    dataset: Path | None,
    state: Path | None,
    *,
    threads: int | None = None,
    command: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Rerun:
    """Prepare to repeat a training on the images that it was trained on, or on a copy of them elsewhere.

    Args:
        run: The training; its folder may have been copied from another machine.
        dataset: Where the images are; None for where they were.
        state: The folder given with --state.
        threads: CPU threads; None takes as many as the run had.
        command: The command line that does the same again.
        progress: Called with how many files were compared, and of how many.

    Raises:
        ConfigError: If the weights that it started from are not here.
        DataError: If none of its images is there.
        RunError: If the run cannot be read, or is no training.
    """
    job = _job_in(run, dataset)
    root = Path(job.dataset)
    check_folders_exist(run, job)
    _check_start_weights(run, job.config)
    samples = current_samples(run, job)
    data = compare_data(run, samples, root, progress=progress)
    if len(data.missing) == len({sample.path for sample in trained_on(samples)}):
        raise DataError(
            f"{printable(root)} holds none of the images of the run {printable(run.name)}.",
            f"Name the folder that holds {name_some([samples[0].path] if samples else [])}.",
        )
    before = run.job().threads
    now = threads or before
    started = read_state(run).started
    new = msgspec.structs.replace(
        job,
        state=str(real_path(_place(root, state, samples).root)),
        threads=now,
        command=command,
        created_at=time.time(),
        version=__version__,
        after=None,
        moved_to=None,
        rerun_of=str(run.path.resolve()),
        repeat=None,
    )
    machine = [] if started is None else differences_here(started, before, now)
    return Rerun(run, new, samples, data, machine, tuple(_notes(run)))


def compare_data(
    run: RunDir,
    samples: Sequence[Sample],
    root: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DataDifferences:
    """What differs between the files that a run was trained on and those that are there now.

    Args:
        run: The run.
        samples: Its images, by their present paths, in their order in the run.
        root: Folder that relative paths start from.
        progress: As for `prepare_rerun`.

    Raises:
        RunError: If the fingerprints of the run are damaged.
    """
    known = read_fingerprints(run)
    pairs = zip(trained_on(run.samples()), trained_on(samples), strict=True)
    now_of = {then.path: now.path for then, now in pairs}
    if known is None:
        missing = tuple(now for now in now_of.values() if not os.path.lexists(root / now))
        return DataDifferences(missing=missing, unknown=True)
    wanted = [file for file in known if file.path in now_of]
    paths = [now_of[file.path] for file in wanted]
    found = file_fingerprints(root, paths, progress=lambda done: progress(done, len(paths)))
    differing: dict[_Kind, list[str]] = {"missing": [], "resized": [], "changed": []}
    for then, now in zip(wanted, found, strict=True):
        kind = _difference(then, now)
        if kind is not None:
            differing[kind].append(now.path)
    return DataDifferences(
        tuple(differing["missing"]), tuple(differing["resized"]), tuple(differing["changed"])
    )


def _difference(then: FileFingerprint, now: FileFingerprint) -> _Kind | None:
    if now.hash == then.hash:  # neither could be read, or both are the same
        return None
    if not now.hash:
        return "missing"
    return "resized" if now.size != then.size else "changed"


def _job_in(run: RunDir, dataset: Path | None) -> TrainJob:
    """The job of a run in the dataset that the user named, else where its dataset is now."""
    job = current_train_job(run, dataset)
    if dataset is None:
        return job
    check_root(dataset)
    root = real_path(dataset)
    if is_same_folder(root, Path(job.dataset)):
        return job
    config = job.config
    if config.val is not None and Path(config.val).is_relative_to(job.dataset):
        val = root / Path(config.val).relative_to(job.dataset)
        config = msgspec.structs.replace(config, val=str(val))
    return msgspec.structs.replace(job, dataset=str(root), config=config)


def _place(root: Path, state: Path | None, samples: Sequence[Sample]) -> StateFolder:
    """Where the new run is: beside folders that are classes, as for a training."""
    keys = [ImageKey(each.path, each.frame) for each in samples if not each.path.startswith("/")]
    return find_state(root, state, class_folders=read_class_folders(keys) is not None)


def _check_start_weights(run: RunDir, config: TrainConfig) -> None:
    if config.weights in ("none", IMAGENET_WEIGHTS) or os.path.isfile(config.weights):  # noqa: PTH113
        return
    raise ConfigError(
        f"The run {printable(run.name)} started from {printable(config.weights)}, which is not here.",
        f"Copy it there, or train anew with `mia-tui train DATASET --weights {typed('FILE')}`.",
    )


def _notes(run: RunDir) -> list[str]:
    state = read_state(run)
    if state.outcome == "finished":
        return []
    done = len(state.epochs)
    return [
        f"The run {printable(run.name)} did not finish: it ended after {counted(done, 'epoch')}, and the repetition "
        "goes on to its end."
    ]
