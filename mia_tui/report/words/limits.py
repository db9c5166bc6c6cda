"""What the results do not show, sentence by sentence, from what is known of the run."""

from collections.abc import Iterator

from mia_tui.analysis.metrics import LEAST_GROUPS, LEAST_IMAGES
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.split.name_groups import find_name_groups
from mia_tui.report.facts import RunFacts
from mia_tui.report.numbers import ResultNumbers
from mia_tui.text import counted, name_some, printable

_LARGEST_RATIO = 10  # of the largest to the smallest class
_LARGE_ECE = 0.05
_NAMED = 8


def limits(facts: RunFacts, parts: tuple[ResultNumbers, ...]) -> list[str]:
    """The limits of the results, the gravest first.

    Args:
        facts: What is known of the run.
        parts: The numbers of all parts; the first one counts most.
    """
    config = None if facts.training is None else facts.training.config
    found = list(_of_training(facts, config))
    if parts:
        found += _of_held_out(facts, parts)
        found += _of_images(parts[0])
    found += _of_groups(facts, config, parts)
    found += _of_classes(facts)
    if config is not None and parts:
        found.append(
            f"One network was trained, with the seed {config.seed}: another seed or split would give somewhat other "
            "figures, which the intervals do not include."
        )
    if facts.training is not None and all(each.evaluated.is_own for each in parts):
        found.append(
            "All images are of one dataset: how well the network does on those of another microscope, stain or "
            "laboratory is not known."
        )
    return [*found, *facts.trouble]


def _of_training(facts: RunFacts, config: TrainConfig | None) -> Iterator[str]:
    state = facts.state
    if config is None:
        yield "The training of the network is not at hand: what it was trained on is not known here."
        return
    if state is None or not state.epochs:
        yield "No epoch has ended yet."
        return
    done = state.epochs[-1].epoch
    if state.outcome is None:
        yield f"The training had not ended: this is its state after {counted(done, 'epoch')}."
    elif state.outcome != "finished":
        ended = {"stopped": "was stopped"}.get(state.outcome, state.outcome)
        yield f"The training did not come to its end: it {ended} after {done:,} of {config.epochs:,} epochs."
    left_out = max((row.left_out.count for row in state.epochs if row.left_out is not None), default=0)
    if left_out:
        yield f"Up to {counted(left_out, 'image')} could not be read and {_were(left_out)} left out of the training."


def _of_held_out(facts: RunFacts, parts: tuple[ResultNumbers, ...]) -> Iterator[str]:
    """Whether the images of the main results are unknown to the network."""
    main = parts[0].evaluated
    if main.trained_on:
        yield (
            f"{counted(main.trained_on, 'image')} of the {parts[0].image_count:,} evaluated ones "
            f"{_were(main.trained_on)} trained on: the figures are too good."
        )
    if main.results.split == "train":
        yield (
            "There is no validation part: the figures are of images that the network was trained on, and say little "
            "about others."
        )
    if any(each.evaluated.is_held_out for each in parts):
        return
    has_test = any(sample.split == "test" for sample in facts.samples)
    way = (
        "The test part has not been evaluated yet: `mia-tui evaluate` does it."
        if has_test
        else "There is no test part."
    )
    if main.results.split == "val":
        yield f"{way} The validation part chose the best epoch, so its figures may be somewhat too good."
    elif main.results.which == "best":
        yield way


def _of_images(numbers: ResultNumbers) -> Iterator[str]:
    rows = numbers.metrics.by_class
    absent = [row.name for row in rows if not row.support]
    small = [f"{printable(row.name)} ({row.support})" for row in rows if 0 < row.support < LEAST_IMAGES]
    if absent:
        yield f"No evaluated image is of {name_some(absent, _NAMED)}: nothing is known of {_them(absent)}."
    if small:
        named = name_some(small, _NAMED)
        yield f"Fewer than {LEAST_IMAGES} evaluated images are of {named}: their figures are uncertain."
    unreadable = numbers.evaluated.unreadable
    if unreadable:
        yield f"{counted(unreadable, 'image')} could not be read and {_were(unreadable)} not evaluated."
    found = numbers.reliability
    if found is not None and found.ece >= _LARGE_ECE and numbers.calibrated is None:
        yield (
            f"The probabilities are off by {found.ece:.1%} in the mean (expected calibration error), and no "
            "temperature was chosen: do not read them as frequencies."
        )
    if numbers.why_no_probabilities:
        yield numbers.why_no_probabilities


def _of_groups(
    facts: RunFacts, config: TrainConfig | None, parts: tuple[ResultNumbers, ...]
) -> Iterator[str]:
    """Whether images that are not independent are known as such."""
    if config is None:
        return
    if config.group_by is not None:
        if parts and parts[0].group_count < LEAST_GROUPS:
            groups = counted(parts[0].group_count, "group")
            yield f"The evaluated images are of {groups} only, so the figures may differ much on images of others."
        return
    names = find_name_groups(
        {ImageKey(sample.path, sample.frame): sample.class_index for sample in facts.samples}
    )
    if names is not None:
        yield (
            f"File names look like {names.count:,} {names.noun} (such as {printable(names.example)}), which the "
            f"split does not keep together: images of one {names.one} may be both trained on and evaluated, and the "
            "figures too good."
        )
    else:
        yield (
            "It is not known which images belong together (slide, patient, culture): if some of one are trained on "
            "and others evaluated, the figures are too good."
        )


def _of_classes(facts: RunFacts) -> Iterator[str]:
    trained = [(name, of["train"]) for name, of in facts.counts() if of["train"]]
    if len(trained) < 2:
        return
    smallest, largest = min(trained, key=lambda row: row[1]), max(trained, key=lambda row: row[1])
    if largest[1] >= _LARGEST_RATIO * smallest[1]:
        yield (
            f"Classes differ much in size: {largest[1]:,} images of {printable(largest[0])} were trained on, and "
            f"{smallest[1]:,} of {printable(smallest[0])}."
        )


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
