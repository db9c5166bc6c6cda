"""Making the run of an evaluation."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.split import compile_pattern
from mia_tui.config.train import TrainConfig
from mia_tui.errors import RunError
from mia_tui.runs.ensemble import ensemble_settings
from mia_tui.runs.evaluation.evaluation_set import EvaluationSet
from mia_tui.runs.list.find import remember_run
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.job_place import create_in, job_places, new_job
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import read_card


def create_evaluation(
    dataset: Path,
    weights: Path,
    evaluated: EvaluationSet,
    *,
    others: Sequence[Path] = (),
    state: Path | None = None,
    threads: int | None = None,
    group_by: str | None = None,
    after: RunDir | None = None,
    command: str = "",
    **settings: object,
) -> RunDir:
    """A new run that evaluates a network.

    Args:
        dataset: The folder that the images' paths are relative to.
        weights: The weights file of the network.
        evaluated: The images and their true classes.
        others: The weights files of further networks that answer with it, see `runs.ensemble`.
        state: The folder given with --state.
        group_by: As in `EvaluateConfig`; None takes that of the network's training.
        threads: CPU threads; None takes the cores that are free.
        after: The run whose end it waits for; None starts at once.
        command: The command line that does the same again.
        settings: Fields of `config.predict.NetworkConfig`.

    Raises:
        CheckpointError: If the weights file is missing, damaged or not ours.
        ConfigError: If `group_by` is not a regular expression, or nothing can be written, not even in the user's own
            state folder.
    """
    card = read_card(weights)
    if group_by:
        compile_pattern(group_by)
    config = msgspec.convert(
        {
            **ensemble_settings([weights, *others]),
            "split": evaluated.split,
            "trained_on": evaluated.trained_on,
            "group_by": _group_by_of_training(weights) if group_by is None else group_by or None,
            **settings,
        },
        EvaluateConfig,
    )
    places, classes = job_places(dataset, state), [item.name for item in card.classes]
    job = new_job(config, classes, dataset, places, threads=threads, command=command, after=after)
    part = "test" if evaluated.split == "all" else evaluated.split
    samples = [
        Sample(path=key.path, frame=key.frame, class_index=index, split=part)
        for key, index in evaluated.truth.items()
    ]
    name = f"evaluate-{card.backbone}" + (f"-and-{len(others)}-more" if others else "")
    run = create_in(places, job, name=name, samples=samples)
    remember_run(run)
    return run


def _group_by_of_training(weights: Path) -> str | None:
    """The pattern by which the training of a network grouped its images; None without one."""
    run = RunDir(weights.resolve().parent.parent)
    try:
        config = run.job().config
    except RunError:  # a weights file outside of a run
        return None
    return config.group_by if isinstance(config, TrainConfig) else None
