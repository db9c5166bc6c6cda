"""The run of a job that makes features: making it, starting it in the background, and finding the one at work.

Features are in the user's cache folder and not part of a dataset, so their runs are in the user's own folder, too:
a dataset that nobody labelled yet gets no folder `mia` by being looked at. There is one run for a dataset and a
network; an earlier one that has ended is removed, since the features themselves are the result.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mia_tui.config.features import SHIPPED_NETWORK, FeaturesConfig
from mia_tui.dataset.model import StackMode
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import MiaError, RunError
from mia_tui.features.layout import DEFAULT_NETWORK
from mia_tui.paths import StateFolder, find_state, user_jobs
from mia_tui.runs.list.find import kind_of, list_runs
from mia_tui.runs.list.lifecycle import drop_untrained_run
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.job_place import create_in, new_job
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import network_name, read_card, weights_digest
from mia_tui.runs.worker.launch import spawn, wait_until_taken
from mia_tui.runs.worker.liveness import IN_PROGRESS, run_status
from mia_tui.text import printable, typed

_DIGITS = 16  # of the digest of the weights, in the id of a network


def network_id(weights: Path | None) -> str:
    """The id of a network in the names of folders of features.

    Args:
        weights: Its weights file; None for the network that comes with the program.

    Raises:
        CheckpointError: If the file is missing, damaged or not ours.
    """
    if weights is None:
        return DEFAULT_NETWORK
    backbone = re.sub(r"[^A-Za-z0-9._-]+", "-", read_card(weights).backbone)
    return f"{backbone}-{weights_digest(weights)[:_DIGITS]}"


def create_features(
    dataset: Path,
    weights: Path | None = None,
    *,
    state: Path | None = None,
    threads: int | None = None,
    after: RunDir | None = None,
    command: str = "",
    **settings: object,
) -> RunDir:
    """A new run that makes the features of a dataset's images that have none; what is there is kept.

    Args:
        dataset: The folder of images.
        weights: The weights file of a trained network; None for the network that comes with the program.
        state: The folder given with --state.
        threads: CPU threads; None takes the cores that are free.
        after: The run whose end it waits for; None starts at once.
        command: The command line that does the same again; one is made up if left out.
        settings: Fields of `FeaturesConfig` besides those that follow from the weights and the dataset.

    Raises:
        CheckpointError: If the weights file is missing, damaged or not ours.
        ConfigError: If the user's own state folder cannot be written.
        RunError: If the same features are being made now.
    """
    named = SHIPPED_NETWORK if weights is None else network_name(weights)
    config = msgspec.convert(
        {
            "weights": None if weights is None else str(weights.resolve()),
            "network_id": network_id(weights),
            "network": named,
            "stacks": stacks_of(dataset, state),
            **settings,
        },
        FeaturesConfig,
    )
    for run in _runs(dataset, config.network_id, state):
        status = run_status(run)
        if status == "unknown":
            continue
        if status in IN_PROGRESS:
            raise RunError(
                f"The run {printable(run.name)} is making the same features.",
                f"Watch it with `mia-tui runs follow {typed(run.path)}`.",
            )
        run.drop()
    place = _place(dataset, state)
    command = command or _command(dataset, weights, state)
    job = new_job(config, (), dataset, [place], threads=threads, command=command, after=after)
    return create_in([place], job, name=f"features-{config.network_id}")


def start_features(
    dataset: Path,
    weights: Path | None = None,
    *,
    state: Path | None = None,
    most_bytes: int,
) -> RunDir:
    """Make the features of a dataset in the background; returns when a worker has begun, before it imports torch.

    It leaves a core to whoever labels meanwhile, gives way to programs that people use, and waits for other jobs that
    make features of this dataset. If the same features are being made already, that run is returned.

    Args:
        dataset: As for `create_features`, and so weights and state.
        most_bytes: As in `FeaturesConfig`.

    Raises:
        MiaError: As `create_features`; also if no worker comes up.
    """
    running = running_features(dataset, network_id(weights), state=state)
    if running is not None:
        return running
    ahead = running_features(dataset, None, state=state)
    threads = max(1, usable_cores() - 1)
    run = create_features(dataset, weights, state=state, threads=threads, after=ahead, most_bytes=most_bytes)
    try:
        wait_until_taken(run, spawn(run, gives_way=True))
    except MiaError as error:
        drop_untrained_run(run, error)
        raise
    return run


def running_features(
    dataset: Path, wanted: str | None = DEFAULT_NETWORK, *, state: Path | None = None
) -> RunDir | None:
    """The newest run that makes features of a dataset now, or waits to; None if there is none.

    Args:
        dataset: The folder of images.
        wanted: Id of the network, as `FeatureNetwork` has it; None for any.
        state: The folder given with --state.
    """
    live = [run for run in _runs(dataset, wanted, state) if run_status(run) in IN_PROGRESS]
    return live[-1] if live else None


def stacks_of(dataset: Path, state: Path | None) -> StackMode:
    """Whether a stack is one image of a dataset.

    Args:
        dataset: Its folder.
        state: The folder given with --state.

    Raises:
        StoreError: If there is a labels.db that cannot be read.
    """
    store = LabelStore.open_existing(find_state(dataset, state).labels_db)
    if store is None:
        return "frames"
    with store:
        return store.stack_mode()


def _runs(dataset: Path, wanted: str | None, state: Path | None) -> Iterator[RunDir]:
    """The runs that make features of a dataset by a network, or by any; oldest first."""
    for run in list_runs(_place(dataset, state)):
        if kind_of(run) != FeaturesConfig.kind:
            continue
        try:
            config = run.features_job().config
        except RunError:  # damaged, or of another version
            continue
        if wanted in (None, config.network_id):
            yield run


def _place(dataset: Path, state: Path | None) -> StateFolder:
    return user_jobs(dataset) if state is None else StateFolder(state)


def _command(dataset: Path, weights: Path | None, state: Path | None) -> str:
    words = ["mia-tui features", typed(dataset)]
    words += [] if weights is None else ["--network", typed(weights)]
    return " ".join(words + ([] if state is None else ["--state", typed(state)]))
