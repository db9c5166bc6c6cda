"""The labelled images from which the confusions of the network of a prediction are known."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mia_tui.analysis.counts import Evaluated
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.jobs import JobConfig
from mia_tui.config.predict import NetworkConfig
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import MiaError, RunError
from mia_tui.paths import is_same_folder
from mia_tui.runs.counts.images import NONE, Predicted
from mia_tui.runs.evaluation.results import Results, load_results
from mia_tui.runs.list.find import kind_of, runs_of
from mia_tui.runs.list.moved_dataset import current_job, present_samples
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import weights_digest
from mia_tui.text import counted, printable

_NO_EVALUATION = (
    "`mia-tui evaluate DATASET --run RUN` on labelled images that it was not trained on records them."
)


@dataclass(frozen=True, eq=False)
class KnownConfusions:
    """What a network was seen to confuse.

    Attributes:
        evaluated: The labelled images, with the classes of the network.
        source: On what, such as `384 images of the evaluation 20261123-1432-resnet18`, to stand in a sentence.
        notes: What else one has to know, a sentence each.
    """

    evaluated: Evaluated
    source: str
    notes: tuple[str, ...] = ()


def known_confusions(
    keys: Sequence[ImageKey],
    predicted: Predicted,
    dataset: Path,
    state: Path | None,
    run: RunDir | None = None,
) -> KnownConfusions:
    """The confusions of the network that predicted.

    Args:
        keys: The images, n.
        predicted: Their predictions.
        dataset: The dataset that is counted.
        state: The folder given with --state.
        run: A training or an evaluation that is meant; None takes the newest evaluation of the same weights on images
            that they were not trained on, else the validation images of their training.

    Raises:
        RunError: If there are none.
    """
    config = current_job(predicted.run, dataset).config
    notes: tuple[str, ...] = ()
    if isinstance(config, NetworkConfig):
        notes = _trained_on(keys, predicted, Path(config.weights), dataset)
    if run is None:
        found = _of_network(config, predicted, dataset, state)
    else:
        results = load_results(run, dataset=dataset)
        found = _confusions(results, predicted)
        notes += tuple(_doubts(results, config))
    return replace(found, notes=notes)


def _doubts(results: Results, predicted_by: JobConfig) -> Iterator[str]:
    """Why the confusions of a run that a person named may not be those of the predictions, a sentence each."""
    config, name = results.run.job().config, printable(results.run.name)
    trained_on = config.trained_on if isinstance(config, EvaluateConfig) else 0
    if trained_on or results.split == "train":
        yield (
            f"The network was trained on images of the run {name}: it confuses them less than others, so fractions "
            "may be corrected too little."
        )
    digest = config.digest if isinstance(config, EvaluateConfig) else _digest(results.run.best_weights)
    wanted = predicted_by.digest if isinstance(predicted_by, NetworkConfig) else ""
    if digest and wanted and digest != wanted:
        yield f"The confusions of the run {name} are those of other weights than the ones that predicted."


def _of_network(
    config: JobConfig, predicted: Predicted, dataset: Path, state: Path | None
) -> KnownConfusions:
    """Those of an evaluation of the network, or of its training."""
    if not isinstance(config, NetworkConfig):
        raise RunError(
            f"Which network made the predictions of {printable(predicted.run.name)} is not known, so its confusions "
            "are not either.",
            "Name a training or an evaluation of it with --confusions.",
        )
    for other in _evaluations(dataset, state, config.digest):
        with suppress(MiaError):  # the next one may be readable
            return _confusions(load_results(other), predicted)
    weights = Path(config.weights)
    training = RunDir(weights.parent.parent)
    if config.ensemble or training.best_weights != weights or not training.exists():
        raise RunError(
            f"No evaluation of {printable(config.network)} is found, so its confusions are not known.",
            _NO_EVALUATION,
        )
    if config.digest and _digest(weights) != config.digest:
        raise RunError(
            f"{printable(config.network)} was trained on since it predicted, so its confusions are not known.",
            "Predict again.",
        )
    results = load_results(training)
    if results.split == "train":
        raise RunError(
            f"{printable(config.network)} was evaluated only on images that it was trained on, which it confuses "
            "less than others.",
            _NO_EVALUATION,
        )
    return _confusions(results, predicted)


def _trained_on(
    keys: Sequence[ImageKey], predicted: Predicted, weights: Path, dataset: Path
) -> tuple[str, ...]:
    """A sentence about images that the network was trained on, if their training is known and there are some."""
    training = RunDir(weights.parent.parent)
    try:
        job = current_job(training, dataset)
        if job.kind != TrainConfig.kind or not is_same_folder(Path(job.dataset), dataset):
            return ()
        samples = present_samples(training, job)
    except MiaError:
        return ()
    trained = {ImageKey(each.path, each.frame) for each in samples if each.split == "train"}
    known = sum(
        key in trained for key, best in zip(keys, predicted.best.tolist(), strict=True) if best != NONE
    )
    if not known:
        return ()
    return (
        f"{counted(known, 'predicted image')} of {np.count_nonzero(predicted.best != NONE):,} were trained on: the "
        "network confuses them less, so fractions may be corrected too much.",
    )


def _digest(weights: Path) -> str:
    try:
        return weights_digest(weights)
    except OSError:
        return ""


def _evaluations(dataset: Path, state: Path | None, digest: str) -> list[RunDir]:
    """Evaluations of the same weights on images that they do not know, newest first."""
    found = []
    for run in reversed(runs_of(dataset, state)):
        with suppress(RunError):
            if digest and kind_of(run) == EvaluateConfig.kind and run.confusion("evaluation").is_file():
                config = run.evaluate_job().config
                if config.digest == digest and not config.trained_on:
                    found.append(run)
    return found


def _confusions(results: Results, predicted: Predicted) -> KnownConfusions:
    """The images of results, with their classes in the order of the network's.

    Raises:
        RunError: If the classes are others, or there are no images.
    """
    name = printable(results.run.name)
    place = _places(results.classes, predicted.classes)
    if place is None:
        raise RunError(
            f"The classes of the run {name} are not those of {printable(predicted.model)}.",
            "Name a training or an evaluation of that network.",
        )
    if not len(results.truth):
        raise RunError(f"The run {name} was evaluated on no image.", _NO_EVALUATION)
    what = "evaluation" if results.which == "evaluation" else "training"
    part = "" if results.split == "all" else f" of the part {results.split}"
    return KnownConfusions(
        Evaluated(place[results.truth], place[results.predicted], results.groups, len(predicted.classes)),
        f"{counted(len(results.truth), 'image')}{part} of the {what} {name}",
    )


def _places(theirs: Sequence[str], ours: Sequence[str]) -> np.ndarray | None:
    """Where each of some classes is among others; None if one is missing."""
    known = {class_name(name): place for place, name in enumerate(ours)}
    found = [known.get(class_name(name)) for name in theirs]
    return None if None in found else np.array(found, np.int64)
