"""Accuracy and time of recipes on real microscope images, against the settings without a recipe and a plain loop.

    MIA_BLOOD_CELLS=FOLDER pytest -m benchmark tests/benchmarks/test_recipes.py -s

FOLDER is that of `test_blood_cells`. Recipes are chosen on the first table: macro F1 on validation parts of train/,
MIA_RECIPE_SPLITS splits by slide (5), each with a seed of its own. The second is for the end: test/, whose slides are
others, seen once by every one of those networks. Gains over the settings without a recipe have a 95 % interval, from
draws of slides for the same images of both. MIA_RECIPES names other recipes than all of ours (default first). Takes
about five minutes for each recipe and split on two idle cores.
"""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from blood_cells_support import SIZE, import_labels, mia, plain_loop

from mia_tui.runs.evaluation.results import Results, load_results
from mia_tui.runs.list.find import find_run

pytestmark = pytest.mark.benchmark

SPLITS = int(os.environ.get("MIA_RECIPE_SPLITS", "5"))
RECIPES = os.environ.get("MIA_RECIPES", "default,scratch,quick,finetune,best").split(",")
SLIDE = r"BloodImage_(\d+)"
_DRAWS = 2000

Counts = npt.NDArray[np.float64]


@dataclass
class Measured:
    """What was measured of a recipe, one entry for each split.

    Attributes:
        seconds: Of the training, from start to end.
        valued: Results on the validation part.
        tested: Results on test/.
    """

    seconds: list[float] = field(default_factory=list)
    valued: list[Results] = field(default_factory=list)
    tested: list[Results] = field(default_factory=list)


def test_recipes_on_unseen_slides(cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_labels(cells / "test", cells / "test" / "labels.csv", tmp_path / "test-state")
    measured = {recipe: Measured() for recipe in RECIPES}
    plain: list[float] = []
    for split in range(SPLITS):
        for recipe in RECIPES:  # side by side, so that the machine is as busy for one as for the other
            measure(measured[recipe], cells, tmp_path, recipe, split)
        plain.append(plain_loop(cells, measured[RECIPES[0]].valued[-1].run.path)[1])
    first = measured[RECIPES[0]]
    with capsys.disabled():
        print(f"\n{SPLITS} splits by slide and seeds, {SIZE} pixels; gain over {RECIPES[0]} (95 % interval)")
        print("recipe     validation                  test                        time, plain loop 1")
        for recipe, its in measured.items():
            ratio = statistics.median(own / other for own, other in zip(its.seconds, plain, strict=True))
            parts = "  ".join(
                f"{macro_f1(own):.4f} {gain_words(own, other)}"
                for own, other in ((its.valued, first.valued), (its.tested, first.tested))
            )
            print(f"{recipe:<10} {parts}  {ratio:.2f}")
            each = ", ".join(f"{macro_f1([result]):.4f}" for result in its.tested)
            print(f"{'':<10} each on test: {each}")


def measure(its: Measured, cells: Path, folder: Path, recipe: str, split: int) -> None:
    """Train with a recipe on a split, and evaluate the network on test/."""
    state = folder / f"{recipe}-{split}"
    import_labels(cells / "train", cells / "train" / "labels.csv", state)
    where = ("--size", SIZE, "--group-by", SLIDE, "--split-seed", split, "--seed", split)
    begun = time.monotonic()
    mia("train", cells / "train", "--state", state, "--recipe", recipe, *where)
    its.seconds.append(time.monotonic() - begun)
    run = find_run("last", dataset=cells / "train", state=state)
    its.valued.append(load_results(run))
    mia("evaluate", cells / "test", "--state", folder / "test-state", "--run", run.path)
    evaluation = find_run("last", dataset=cells / "test", state=folder / "test-state", kind="evaluate")
    its.tested.append(load_results(evaluation, group_by=SLIDE))


def macro_f1(results: Sequence[Results]) -> float:
    """Mean of the macro F1 of each."""
    return float(np.mean([f1_of(result.confusion[None].astype(np.float64))[0] for result in results]))


def gain_words(own: Sequence[Results], others: Sequence[Results]) -> str:
    """The mean gain in macro F1, with its interval."""
    if own is others:
        return f"{'':<24}"
    low, high = gain_interval(own, others)
    return f"{macro_f1(own) - macro_f1(others):+.4f} ({low:+.4f}, {high:+.4f})"


def gain_interval(own: Sequence[Results], others: Sequence[Results]) -> tuple[float, float]:
    """The 95 % interval of the mean gain: slides are drawn with replacement, the same ones for both."""
    rng = np.random.default_rng(0)
    slides = sorted({slide_of(result, row) for result in own for row in range(len(result.keys))})
    weights = rng.multinomial(len(slides), np.full(len(slides), 1 / len(slides)), size=_DRAWS).astype(float)
    gains = np.zeros(_DRAWS)
    for mine, theirs in zip(own, others, strict=True):
        assert mine.keys == theirs.keys, "both saw the same images"
        gains += f1_of(drawn(mine, slides, weights)) - f1_of(drawn(theirs, slides, weights))
    low, high = np.percentile(gains / len(own), [2.5, 97.5])
    return float(low), float(high)


def drawn(result: Results, slides: Sequence[str], weights: Counts) -> Counts:
    """The confusion matrix of each draw, shape (draws, C, C)."""
    size = len(result.classes)
    by_slide = np.zeros((len(slides), size * size))
    place = {slide: number for number, slide in enumerate(slides)}
    for row in range(len(result.keys)):
        cell = result.truth[row] * size + result.predicted[row]
        by_slide[place[slide_of(result, row)], cell] += 1
    return (weights @ by_slide).reshape(-1, size, size)


def slide_of(result: Results, row: int) -> str:
    return Path(result.keys[row].path).name.rsplit("_", 1)[0]


def f1_of(counts: Counts) -> Counts:
    """Macro F1 of confusion matrices (draws, C, C); classes are matched by name, so all have the same order."""
    right = np.diagonal(counts, axis1=1, axis2=2)
    both = counts.sum(1) + counts.sum(2)
    found: Counts = (2 * right / np.maximum(both, 1)).mean(1)
    return found
