"""Results that a report shows, and how they were made: of a training, and of evaluations of its weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.train import TrainConfig
from mia_tui.errors import MiaError
from mia_tui.runs.evaluation.results import Results, load_results
from mia_tui.runs.list.find import evaluations_beside, kind_of
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import weights_digest
from mia_tui.runs.record.state import read_state
from mia_tui.text import printable

MOST_SHOWN = 5
"""Parts and evaluations in a report."""

_ORDER = ("test", "all", "val", "train")


@dataclass(frozen=True, eq=False)
class EvaluatedResults:
    """Results, and how they were made.

    Attributes:
        results: What the network said of each image.
        trained_on: How many of the images the network was trained on.
        tta: Whether the answers are means over flipped and rotated copies.
        unreadable: How many images were left out because they could not be read.
        is_own: Whether the images are of the dataset of the training.
    """

    results: Results
    trained_on: int = 0
    tta: bool = False
    unreadable: int = 0
    is_own: bool = True

    @property
    def title(self) -> str:
        """`Test part`, `Validation part`, or the name of another dataset."""
        split = self.results.split
        part = {"test": "Test part", "val": "Validation part", "train": "Training part"}.get(split)
        if self.is_own:
            return part or "All images"
        name = printable(self.results.dataset.name)
        return f"Images of {name}" if part is None or split == "test" else f"{part} of {name}"

    @property
    def is_held_out(self) -> bool:
        """Whether the network was neither trained on these images nor chosen by them."""
        return self.results.which == "evaluation" and self.results.split == "test" and not self.trained_on


def find_results(
    run: RunDir, training: RunDir | None, weights: Path | None, dataset: Path | None
) -> tuple[tuple[EvaluatedResults, ...], tuple[str, ...]]:
    """The results of a run, the most convincing first, and why there are fewer, a sentence each.

    Of a training these are those of its validation part, and of evaluations of its weights that are beside it, the
    newest of each part and dataset: the test part first, then all images, then the validation part.

    Args:
        run: A training or an evaluation.
        training: The training of its network; None where it is not at hand.
        weights: Its weights file; None where there is none.
        dataset: The folder that the user named, as for `current_job`.
    """
    trouble: list[str] = []
    if kind_of(run) == EvaluateConfig.kind:
        return tuple(_evaluated(run, training, dataset, trouble)), tuple(trouble)
    found = list(_own(run, dataset, trouble))
    if weights is not None:
        for other in reversed(evaluations_beside(run, weights_digest(weights))):
            found += _evaluated(other, training, dataset, trouble)
    newest: dict[tuple[str, Path], EvaluatedResults] = {}
    for each in found:
        newest.setdefault((each.results.split, each.results.dataset), each)
    ordered = sorted(newest.values(), key=lambda each: (not each.is_own, _rank(each.results.split)))
    if len(ordered) > MOST_SHOWN:
        trouble.append(f"Of {len(ordered):,} evaluations {MOST_SHOWN} are shown.")
    return tuple(ordered[:MOST_SHOWN]), tuple(dict.fromkeys(trouble))


def _rank(split: str) -> int:
    return _ORDER.index(split) if split in _ORDER else len(_ORDER)


def _own(run: RunDir, dataset: Path | None, trouble: list[str]) -> Iterator[EvaluatedResults]:
    try:
        results = load_results(run, dataset=dataset)
        yield EvaluatedResults(results, tta=results.tta)
    except MiaError as error:
        trouble.append(f"The training itself has no results: {error}")


def _evaluated(
    run: RunDir, training: RunDir | None, dataset: Path | None, trouble: list[str]
) -> Iterator[EvaluatedResults]:
    """The results of one evaluation; none if it did not end."""
    try:
        config, made = run.evaluate_job().config, read_state(run).result
        results = load_results(run, dataset=dataset, group_by=config.group_by or _grouped_by(training))
        own = None if training is None else Path(current_job(training, dataset).dataset)
    except MiaError as error:
        trouble.append(f"The evaluation {printable(run.name)} has no results: {error}")
        return
    yield EvaluatedResults(
        results,
        trained_on=config.trained_on,
        tta=config.tta,
        unreadable=0 if made is None else made.problem_count,
        is_own=own is not None and own.resolve() == results.dataset.resolve(),
    )


def _grouped_by(training: RunDir | None) -> str | None:
    """The pattern by which the training grouped its images, for evaluations of earlier versions, which have none."""
    if training is None:
        return None
    config = training.job().config
    return config.group_by if isinstance(config, TrainConfig) else None
