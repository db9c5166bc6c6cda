"""Everything that is known of a run and its results, as the other modules of the report need it."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import cast

import safetensors

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.predict import NetworkConfig
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.facts import read_facts
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.model import PARTS
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DecodeError, MiaError, RunError
from mia_tui.paths import StateFolder
from mia_tui.report.evaluated import EvaluatedResults, find_results
from mia_tui.runs.list.find import kind_of
from mia_tui.runs.list.moved_dataset import current_job, current_samples
from mia_tui.runs.record.decision import Decision, read_decision
from mia_tui.runs.record.events import RunStarted
from mia_tui.runs.record.fingerprint import DataFingerprint, data_fingerprint
from mia_tui.runs.record.job import AnyJob, Sample, TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.model_card import ModelCard, card_of, weights_digest
from mia_tui.runs.record.state import RunState
from mia_tui.text import printable

MOST_MEASURED = 200
"""Of so many images the size is read: their files are opened for it."""

_NO_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class ImageSizes:
    """Sizes of some image files.

    Attributes:
        measured: How many images were opened.
        of: How many there are.
        sizes: How many have each width, height and depth in words; the most frequent first.
    """

    measured: int
    of: int
    sizes: tuple[tuple[int, int, str, int], ...]


@dataclass(frozen=True, eq=False)
class RunFacts:
    """A training, or an evaluation with the training of its network.

    Attributes:
        run: The run that the report is of.
        title: What people call it.
        note: What a person wrote on it.
        training_run: The training; None where it is not at hand.
        training: Its job, with folders as they are now; None as `training_run`.
        state: State of the training by its events; None as `training`.
        attempts: Each start of the training, the first one first.
        samples: The images of the training, with their present paths.
        card: What the weights file says of the network; None where there is no such file.
        weights: The weights file; None as `card`.
        parameters: Number of parameters that are learned.
        input_map: From values of files to brightness.
        sizes: Sizes of the images.
        parts: What the network was evaluated on, the most convincing first; empty if it was not.
        trouble: Why there are no results, or fewer; a sentence each.
        colours: Colour of each class in the app, #rrggbb, by name.
        classes: Names of the classes, in the order of the logits.
        fingerprint: Identifies the images of the training by their content; None where it was not taken.
        decision: The temperature and the threshold that were chosen for the weights; None for none.
    """

    run: RunDir
    title: str
    note: str
    training_run: RunDir | None
    training: TrainJob | None
    state: RunState | None
    attempts: tuple[RunStarted, ...]
    samples: tuple[Sample, ...]
    card: ModelCard | None
    weights: Path | None
    parameters: int
    input_map: InputMap | None
    sizes: ImageSizes
    parts: tuple[EvaluatedResults, ...]
    trouble: tuple[str, ...]
    colours: dict[str, str]
    classes: tuple[str, ...]
    fingerprint: DataFingerprint | None = None
    decision: Decision | None = None

    @property
    def main(self) -> EvaluatedResults | None:
        """The results that count most."""
        return self.parts[0] if self.parts else None

    @property
    def dataset(self) -> Path | None:
        """Folder of the dataset of the training, or of the evaluated images."""
        if self.training is not None:
            return Path(self.training.dataset)
        return self.parts[0].results.dataset if self.parts else None

    def counts(self) -> list[tuple[str, dict[str, int]]]:
        """How many images of each part a class has, class by class."""
        tally = Counter((sample.class_index, sample.split) for sample in self.samples)
        return [
            (name, {part: tally[index, part] for part in PARTS}) for index, name in enumerate(self.classes)
        ]


def read_facts_of_run(run: RunDir, dataset: Path | None = None) -> RunFacts:
    """Read everything that a report needs.

    Args:
        run: A training or an evaluation.
        dataset: The folder that the user named, as for `current_job`.

    Raises:
        RunError: If it is of another kind, or cannot be read.
    """
    job = current_job(run, dataset)
    if not isinstance(job.config, TrainConfig | EvaluateConfig):
        raise RunError(
            f"The run {printable(run.name)} is neither a training nor an evaluation.",
            "A report is made of one of these; `mia-tui runs list DATASET` says what each run is.",
        )
    of, weights = _training_of(run, job)
    training = None if of is None else _train_job(of, dataset)
    samples: tuple[Sample, ...] = ()
    trouble: list[str] = []
    state, attempts = (None, ()) if of is None else _history(of)
    card = None if weights is None else card_of(weights)
    input_map, fingerprint = None if card is None else card.input_map, None
    if of is not None and training is not None:
        try:
            samples = tuple(current_samples(of, training))
            input_map = of.input_map() or input_map
            fingerprint = data_fingerprint(of)
        except RunError as error:
            trouble.append(str(error))
    decision = None if weights is None or card is None else _decision(weights, trouble)
    parts, missing = find_results(run, of, weights, dataset)
    notes = run.notes()
    shown: AnyJob = job if training is None else training
    return RunFacts(
        run=run,
        title=notes.title or run.name,
        note=notes.note,
        training_run=of,
        training=training,
        state=state,
        attempts=attempts,
        samples=samples,
        card=card,
        weights=None if card is None else weights,
        parameters=0 if weights is None or card is None else _count_parameters(weights),
        input_map=input_map,
        sizes=_sizes(Path(shown.dataset), samples or _samples_of(run)),
        parts=parts,
        trouble=(*trouble, *missing),
        colours=_colours(StateFolder(Path(shown.state))),
        classes=tuple(item.name for item in shown.classes),
        fingerprint=fingerprint,
        decision=decision,
    )


def _training_of(run: RunDir, job: AnyJob) -> tuple[RunDir | None, Path | None]:
    """The training of a network and its weights file, as far as they are there."""
    if isinstance(job.config, TrainConfig):
        return run, run.best_weights if run.best_weights.is_file() else None
    assert isinstance(job.config, NetworkConfig)
    weights = Path(job.config.weights)
    above = RunDir(weights.resolve().parent.parent)
    with suppress(OSError):
        if not weights.is_file() or weights_digest(weights) != job.config.digest:
            return None, None
        if above.exists() and kind_of(above) == TrainConfig.kind:
            return above, weights
        return None, weights
    return None, None


def _decision(weights: Path, trouble: list[str]) -> Decision | None:
    try:
        return read_decision(weights)
    except RunError as error:
        trouble.append(str(error))
        return None


def _train_job(run: RunDir, dataset: Path | None) -> TrainJob | None:
    try:
        job = current_job(run, dataset)
    except RunError:
        return None
    return cast(TrainJob, job) if isinstance(job.config, TrainConfig) else None


def _history(run: RunDir) -> tuple[RunState, tuple[RunStarted, ...]]:
    """The state of a run, and each of its starts."""
    state, starts = RunState.of(run.job()), []
    reader = EventReader(run.events)
    for events in reader.iter_batches():
        starts += [event for event in events if isinstance(event, RunStarted)]
        state.apply_all(events)
    return state, tuple(starts)


def _samples_of(run: RunDir) -> Sequence[Sample]:
    try:
        return run.samples() if run.has_samples() else ()
    except RunError:
        return ()


def _count_parameters(weights: Path) -> int:
    """Values of a weights file that are learned: the means of norms are not."""
    total = 0
    with (
        suppress(OSError, safetensors.SafetensorError),
        safetensors.safe_open(weights, framework="numpy") as file,
    ):
        for name in file.keys():  # noqa: SIM118  # no mapping
            if not name.endswith(_NO_PARAMETERS):
                total += prod(file.get_slice(name).get_shape())
    return total


def _sizes(root: Path, samples: Sequence[Sample]) -> ImageSizes:
    """Sizes of images that are spread evenly over all."""
    step = max(1, -(-len(samples) // MOST_MEASURED))
    tally: Counter[tuple[int, int, str]] = Counter()
    for sample in samples[::step]:
        with suppress(DecodeError, OSError):
            image = read_facts(root / sample.path, max(0, sample.frame))
            tally[image.width, image.height, image.depth] += 1
    sizes = tuple((*size, count) for size, count in tally.most_common())
    return ImageSizes(tally.total(), len(samples), sizes)


def _colours(state: StateFolder) -> dict[str, str]:
    """The colours of the classes in the app."""
    with suppress(MiaError):
        store = LabelStore.open_existing(state.labels_db)
        if store is not None:
            with store:
                return {item.name: item.colour for item in store.classes(archived=True)}
    return {}
