"""Making the run of a prediction, or finding the one that the same prediction was begun with."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from mia_tui.config.jobs import JobConfig
from mia_tui.config.predict import DecisionRule, PredictConfig
from mia_tui.dataset.model import ImageKey, StackMode
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.queries import META_STACKS
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder, find_state
from mia_tui.runs.ensemble import ensemble_settings
from mia_tui.runs.list.find import list_runs, remember_run
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.prediction.predictions import partial_path
from mia_tui.runs.record.decision import network_rule
from mia_tui.runs.record.job import PredictJob
from mia_tui.runs.record.job_place import create_in, job_places, network_settings, new_job
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import ModelCard, read_card
from mia_tui.runs.worker.liveness import IN_PROGRESS, run_status
from mia_tui.text import printable, typed


def create_prediction(
    images: Path,
    weights: Path,
    *,
    others: Sequence[Path] = (),
    state: Path | None = None,
    keys: Sequence[ImageKey] | None = None,
    threshold: float | None = None,
    threads: int | None = None,
    after: RunDir | None = None,
    command: str = "",
    **settings: object,
) -> RunDir:
    """The run of a prediction: a new one, or the unfinished one of the same prediction, which a worker continues.

    Args:
        images: The folder of images.
        weights: The weights file of the network.
        others: Those of further networks that answer with it, see `runs.ensemble`.
        state: The folder given with --state.
        keys: The images; None for all of the folder.
        threshold: For this prediction, in place of that of the network; 0 answers always.
        threads: CPU threads; None takes the cores that are free.
        after: The run whose end it waits for; None starts at once.
        command: The command line that does the same again.
        settings: Fields of `PredictConfig` besides those that follow from the weights and the keys.

    Raises:
        CheckpointError: If the weights file is missing, damaged or not ours.
        ConfigError: If nothing can be written, not even in the user's own state folder.
        RunError: If the same prediction is being made now, or the threshold of the network cannot be read.
    """
    card = read_card(weights)
    settings.setdefault("stacks", stacks_for(images, card, state))
    which = "all" if keys is None else "listed"
    config = prediction_config(weights, others=others, threshold=threshold, images=which, **settings)
    places, classes = job_places(images, state), [item.name for item in card.classes]
    job = new_job(config, classes, images, places, threads=threads, command=command, after=after)
    name = f"predict-{card.backbone}" + (f"-and-{len(others)}-more" if others else "")
    run = _unfinished(places, job, keys) or create_in(places, job, name=name, images=keys)
    run.put_after(after)
    if threads is not None:  # perhaps another number than before it was interrupted
        run.put_threads(threads)
    if config.devices != (run.job().devices or run.predict_job().config.devices):
        run.put_devices(config.devices)
    remember_run(run)
    return run


def stacks_for(images: Path, card: ModelCard, state: Path | None = None) -> StackMode:
    """Whether a network is given a stack as a whole: as these images are labelled, else as those it was trained on.

    Args:
        images: The folder of images.
        card: Of the network.
        state: The folder given with --state.

    Raises:
        StoreError: If there is a labels.db that cannot be read.
    """
    store = LabelStore.open_existing(find_state(images, state).labels_db)
    if store is None:
        return card.stacks
    with store:
        return card.stacks if store.meta(META_STACKS) is None else store.stack_mode()


def prediction_config(
    weights: Path, *, others: Sequence[Path] = (), threshold: float | None = None, **settings: object
) -> PredictConfig:
    """The settings of a prediction with the network in a weights file, or with several.

    Args:
        weights: The weights file.
        others: As for `create_prediction`; networks that answer together have no threshold of their own.
        threshold: As for `create_prediction`.
        settings: As for `create_prediction`.

    Raises:
        RunError: If the threshold of the network cannot be read.
    """
    if others:
        config = msgspec.convert({**ensemble_settings([weights, *others]), **settings}, PredictConfig)
        by = "network" if threshold is None else "user"
        return msgspec.structs.replace(config, rule=DecisionRule(1.0, threshold or 0.0), rule_by=by)
    network = network_settings(weights)
    rule = network_rule(weights, network["digest"])
    config = msgspec.convert({**network, **settings}, PredictConfig)
    if threshold is None:
        return msgspec.structs.replace(config, rule=rule)
    temperature = 1.0 if rule is None else rule.temperature
    return msgspec.structs.replace(config, rule=DecisionRule(temperature, threshold), rule_by="user")


def earlier_rows(job: PredictJob) -> Path | None:
    """Where an earlier version would have left the rows of the same prediction when it was interrupted."""
    if job.config.shard is not None or job.config.ensemble:  # which no earlier version knew
        return None
    if job.config.out is not None:
        return partial_path(Path(job.config.out))
    return partial_path(RunDir(Path(job.config.weights).parent.parent).suggestions)


def _unfinished(
    places: Sequence[StateFolder], job: PredictJob, keys: Sequence[ImageKey] | None
) -> RunDir | None:
    """The newest run of the same prediction, if it has not finished.

    Raises:
        RunError: If it is being worked on.
    """
    for place in places:
        for run in reversed(list_runs(place)):
            if not _is_same(run, job, keys):
                continue
            status = run_status(run)
            # Whether one that is silent on another host is alive, its lock tells the worker.
            if status in IN_PROGRESS and status != "unknown":
                raise RunError(
                    f"The run {printable(run.name)} is making the same prediction.",
                    f"Watch it with `mia-tui runs follow {typed(run.path)}`.",
                )
            return None if status == "finished" else run
    return None


def _is_same(run: RunDir, job: PredictJob, keys: Sequence[ImageKey] | None) -> bool:
    try:
        run.predict_job()
        here = current_job(run)
        if (here.dataset, here.numbering) != (job.dataset, job.numbering) or _unnamed(
            here.config
        ) != _unnamed(job.config):
            return False
        return keys is None or run.images() == list(keys)
    except RunError:  # of another kind, or damaged
        return False


def _unnamed(config: JobConfig) -> JobConfig:
    """Settings without what people call the network, which they may have changed since, and without its devices."""
    assert isinstance(config, PredictConfig)
    members = tuple(msgspec.structs.replace(member, network="") for member in config.ensemble)
    return msgspec.structs.replace(config, network="", devices="1", ensemble=members)
