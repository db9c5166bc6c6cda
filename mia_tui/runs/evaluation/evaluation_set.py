"""Which labelled images a trained network is evaluated on, and which of its classes each of them has."""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mia_tui.dataset.dataset import Dataset
from mia_tui.dataset.model import PARTS, WHOLE_STACK, ImageKey, Part
from mia_tui.errors import DataError
from mia_tui.paths import is_same_folder
from mia_tui.runs.list.moved_dataset import current_job, present_samples
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.text import counted, name_some, printable

EvaluatedPart = Literal["val", "test", "all"]


@dataclass(frozen=True)
class EvaluationSet:
    """Images and their true classes.

    Attributes:
        split: The part to evaluate: the one asked for, or the one chosen if none was.
        truth: Position in the network's classes of each image, in dataset order.
        trained_on: How many of them the network was trained on; above 0 for `all` only.
        notes: What was left out, a sentence each.
    """

    split: EvaluatedPart
    truth: dict[ImageKey, int]
    trained_on: int
    notes: list[str]


def choose_evaluation_set(
    dataset: Dataset,
    card: ModelCard,
    run: RunDir | None,
    split: EvaluatedPart | None = None,
    *,
    among: Container[ImageKey] | None = None,
) -> EvaluationSet:
    """Choose the images to evaluate a network on.

    The parts are those of the run: what it trained on never counts as unseen. An image that the run does not
    know has the part of its top folder (train, val, test), or else counts as unseen: it is in `test`.

    Args:
        dataset: The labelled images.
        card: The network.
        run: Its run; None for a weights file without one, for which it is unknown what it was trained on.
        split: The part; None takes `test` where there are such images, else `val`, and everything of a
            dataset that the run does not know.
        among: The images to choose from; None takes all.

    Raises:
        DataError: If no class is the network's, or the part has no image.
    """
    of_run = _parts_of_run(dataset, run)
    truth, notes = _truth(dataset, card)
    parts = {key: of_run.get(key) or dataset.labelled.parts.get(key, "test") for key in truth}
    part = split or _default_split(parts, of_run)
    chosen = {
        key: index
        for key, index in truth.items()
        if part in ("all", parts[key]) and (among is None or key in among)
    }
    if not chosen:
        raise DataError(
            f"{printable(dataset.root)} has no labelled image in the part {part}.",
            "Choose another with --split val, test or all.",
        )
    seen = sum(of_run.get(key) == "train" for key in chosen)
    if seen:
        notes.append(
            f"{seen:,} of the {counted(len(chosen), 'image')} were trained on: the metrics are too good."
        )
    return EvaluationSet(part, chosen, seen, notes)


def choose_common_set(
    dataset: Dataset,
    networks: Sequence[tuple[ModelCard, RunDir | None]],
    split: EvaluatedPart | None = None,
    *,
    among: Container[ImageKey] | None = None,
) -> EvaluationSet:
    """As `choose_evaluation_set`, for networks that answer together: an image that one was trained on is not unseen.

    Args:
        dataset: The labelled images.
        networks: Each with its run; the order of the classes is that of the first.
        split: As for `choose_evaluation_set`.
        among: As for `choose_evaluation_set`.

    Raises:
        DataError: As `choose_evaluation_set`, or if no image is in the part for all of them.
    """
    (card, run), *others = networks
    evaluated = choose_evaluation_set(dataset, card, run, split, among=among)
    if not others:
        return evaluated
    seen = {
        key
        for _, other in networks
        for key, part in _parts_of_run(dataset, other).items()
        if part == "train" and key in evaluated.truth
    }
    if evaluated.split == "all":
        notes = [note for note in evaluated.notes if "were trained on" not in note]
        if seen:
            notes.append(
                f"{len(seen):,} of the {counted(len(evaluated.truth), 'image')} were trained on by one of the "
                "networks: the metrics are too good."
            )
        return replace(evaluated, trained_on=len(seen), notes=notes)
    truth = {key: index for key, index in evaluated.truth.items() if key not in seen}
    if not truth:
        raise DataError(
            f"No image of the part {evaluated.split} is unseen by all of the networks.",
            "They were trained with different splits: evaluate them one by one, or on other images.",
        )
    notes = list(evaluated.notes)
    if seen:
        notes.append(f"{counted(len(seen), 'image')} that one of the networks was trained on are left out.")
    return replace(evaluated, truth=truth, notes=notes)


def _parts_of_run(dataset: Dataset, run: RunDir | None) -> dict[ImageKey, Part]:
    """Part in the run of each labelled image that it knows, by absolute path; of renamed ones, the present path."""
    if run is None:
        return {}
    job = current_job(run, dataset.root)
    root = dataset.root.resolve()
    folder = (
        root if is_same_folder(root, Path(job.dataset)) else Path(job.dataset)
    )  # one folder may be mounted at several paths
    moved = dataset.labelled.moved
    known: defaultdict[tuple[str, int], set[Part]] = defaultdict(set)
    of_file: defaultdict[str, set[Part]] = defaultdict(set)
    for sample in present_samples(run, job):
        path = str(folder / moved.get(sample.path, sample.path))
        known[path, sample.frame].add(sample.split)
        of_file[path].add(sample.split)
    parts: dict[ImageKey, Part] = {}
    for key in dataset.labelled.labels:
        path = str(root / key.path)
        found = known.get((path, key.frame))
        if found is None and (key.frame == WHOLE_STACK or (path, WHOLE_STACK) in known):
            found = of_file.get(path)  # labelled by frames then and as a whole now, or the other way round
        if found:
            parts[key] = min(found, key=PARTS.index)  # what was trained on, if only with one channel or frame
    return parts


def _default_split(parts: Mapping[ImageKey, Part], of_run: Mapping[ImageKey, Part]) -> EvaluatedPart:
    if not of_run:
        return "all"
    return "test" if "test" in parts.values() else "val"


def _truth(dataset: Dataset, card: ModelCard) -> tuple[dict[ImageKey, int], list[str]]:
    """Labels as positions in the network's classes, matched by name; images of other classes are left out."""
    position = {item.name: index for index, item in enumerate(card.classes)}
    names = [named.name for named in dataset.labelled.classes]
    if not position.keys() & set(names):
        raise DataError(
            f"The network knows {name_some(position)}; none of these is a class of {printable(dataset.root)}, "
            f"which has {name_some(names)}.",
            "Classes are matched by their names: rename them, or use another run.",
        )
    truth = {
        key: position[names[index]]
        for key, index in dataset.labelled.labels.items()
        if names[index] in position
    }
    unknown = Counter(
        names[index] for index in dataset.labelled.labels.values() if names[index] not in position
    )
    notes = []
    if unknown:
        notes.append(
            f"{counted(unknown.total(), 'image')} of classes that the network does not know are left out: "
            f"{name_some(unknown)}."
        )
    return truth, notes
