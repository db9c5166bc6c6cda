"""What labelling costs: presses for a whole dataset, labels for a macro F1; how quick and how honest suggestions are.

    MIA_BLOOD_CELLS=FOLDER pytest -m benchmark tests/benchmarks/test_economy.py -s [-k presses]

FOLDER holds train/ and test/, each with images and a labels.csv (file,class). Beside it: the drawn cells of the demo
(1,000 images), handwritten digits of scikit-learn (1,200), and these with a long tail of classes; MIA_CLASS_FOLDERS
names more sets (paths with colons between; in each, a folder of images for each class; a quarter of them is the test
part). Features are made by `mia-tui features`. MIA_SETS chooses some by name ("blood cells,digits"), and MIA_SEEDS
says how often each figure is found (by default 30 times on blood cells, 10 on the others); each time the images come
in another order. Takes 15 minutes on two free cores.

The person sees each image before it gets a label, makes no mistake, and knows the classes, which have keys. Presses:

    one at a time    the key of the class, which also shows the next image: 1
    to the pages     1, once: after 20 images, if half a press is expected for each image of a page, or less
    a page           at most 24 images of one suggested class; Enter takes it and shows the next: 1
    a wrong tile     its letter gives it the next best class of the head, and once more the one after: 1 for each;
                     or arrows to the tile, from where the cursor is (8 tiles in a row), and the key of the class,
                     if that is fewer, or the head does not know the class yet
    an audit         one image of 40 at random after the other, the key of the class: 1; listed apart
    random order     one key an image: 1
"""

import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from mia_tui.active.choice import next_images
from mia_tui.active.head import softmax
from mia_tui.active.pages import next_page
from mia_tui.active.suggester import Learned, Suggester
from mia_tui.dataset.demo import render_demo
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.features.table import FeatureTable

pytestmark = pytest.mark.benchmark

COUNTS = (5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300)
TILES, TILES_IN_A_ROW, LEAST_SINGLE, AUDITED = 24, 8, 20, 40
MOST_PRESSES = 0.5  # expected for each image of a page; a single image takes 1, but teaches more
PROCESSES = 2

Rows = NDArray[np.int32]


@dataclass(frozen=True)
class ImageSet:
    """Features and classes (numbers from 0) of images, and of others that nothing is learned from."""

    name: str
    features: NDArray[np.float16]
    classes: Rows
    test_features: NDArray[np.float16]
    test_classes: Rows
    seeds: int = 10

    @property
    def class_count(self) -> int:
        return int(max(self.classes.max(), self.test_classes.max())) + 1

    def in_order(self, seed: int) -> "ImageSet":
        order = np.random.default_rng(seed).permutation(len(self.classes))
        return replace(self, features=self.features[order], classes=self.classes[order])

    def with_long_tail(self) -> "ImageSet":
        """Of each class 0.6 times as many images as of the one before, at least 4."""
        sizes = np.bincount(self.classes)
        kept = [
            np.flatnonzero(self.classes == number)[: max(4, int(size * 0.6**number))]
            for number, size in enumerate(sizes)
        ]
        rows = np.concatenate(kept)
        return replace(
            self, name=f"{self.name}, long tail", features=self.features[rows], classes=self.classes[rows]
        )


@pytest.fixture(scope="module")
def image_sets(tmp_path_factory: pytest.TempPathFactory) -> list[ImageSet]:
    folder = tmp_path_factory.mktemp("economy")
    makers: dict[str, Callable[[Path], ImageSet]] = {"drawn cells": drawn_cells, "digits": digits}
    if cells := os.environ.get("MIA_BLOOD_CELLS"):
        makers = {"blood cells": partial(blood_cells, Path(cells).resolve())} | makers
    for text in filter(None, os.environ.get("MIA_CLASS_FOLDERS", "").split(":")):
        root = Path(text).resolve()
        makers[root.name] = partial(class_folders, root)
    asked = os.environ.get("MIA_SETS", ",".join(makers)).split(",")
    sets = [make(folder / name) for name, make in makers.items() if name in asked]
    sets += [each.with_long_tail() for each in sets if each.name == "digits"]
    if "MIA_SEEDS" in os.environ:
        sets = [replace(each, seeds=int(os.environ["MIA_SEEDS"])) for each in sets]
    return sets


def blood_cells(root: Path, _: Path) -> ImageSet:
    train, test = (labelled_folder(root / part) for part in ("train", "test"))
    return image_set("blood cells", train, test, 30)


def drawn_cells(folder: Path) -> ImageSet:
    return split("drawn cells", made_features(folder, dict(render_demo(folder, count=1400, seed=3))), 0.29)


def digits(folder: Path) -> ImageSet:
    folder.mkdir()
    known, labels = load_digits(), {}
    for number, (pixels, digit) in enumerate(zip(known.images, known.target, strict=True)):
        name = f"digit_{number:04d}.png"
        Image.fromarray((pixels * 15.9).astype(np.uint8)).save(folder / name)
        labels[name] = str(digit)
    return split("digits", made_features(folder, labels), 1 / 3)


def class_folders(root: Path, _: Path) -> ImageSet:
    labels = {str(path.relative_to(root)): path.parent.name for path in root.rglob("*") if path.is_file()}
    return split(root.name, made_features(root, labels), 0.25)


Labelled = tuple[NDArray[np.float16], list[str]]
"""Features, and names of classes."""


def labelled_folder(folder: Path) -> Labelled:
    lines = (folder / "labels.csv").read_text().splitlines()[1:]
    return made_features(folder, dict(line.rsplit(",", 1) for line in lines))


def made_features(folder: Path, labels: dict[str, str]) -> Labelled:
    """By the program, in its own process."""
    command = [sys.executable, "-m", "mia_tui", "features", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    table, found = FeatureTable.open(folder), list_images(folder)
    assert table is not None and found is not None
    table.refresh()
    listing = found.listing
    places = table.places(listing)
    rows = [row for row in range(len(listing)) if places[row] >= 0 and listing.key(row).path in labels]
    features = table.rows(0, len(table))[places[rows]]
    return np.array(features), [labels[listing.key(row).path] for row in rows]


def split(name: str, labelled: Labelled, share: float) -> ImageSet:
    features, names = labelled
    order = np.random.default_rng(0).permutation(len(names))
    test, train = np.split(order, [round(len(order) * share)])
    return image_set(
        name,
        (features[train], [names[row] for row in train]),
        (features[test], [names[row] for row in test]),
    )


def image_set(name: str, train: Labelled, test: Labelled, seeds: int = 10) -> ImageSet:
    known = np.unique(train[1] + test[1])
    numbers = [np.searchsorted(known, names).astype(np.int32) for names in (train[1], test[1])]
    return ImageSet(name, train[0], numbers[0], test[0], numbers[1], seeds)


def for_all_seeds(work: Callable[[int], object], seeds: int) -> NDArray[np.float64]:
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        return np.array(list(pool.map(work, range(seeds))), np.float64)


def test_presses_for_a_whole_dataset(image_sets: list[ImageSet], say: list[str]) -> None:
    say += [
        "Presses for each image: mean of all seeds (least to most)",
        f"{'':20}{'all':>22}{'first 80 %':>22}{'with an audit':>15}{'random':>8}"
        f"{'single':>8}{'pages':>7}{'wrong tiles':>13}",
    ]
    for images in image_sets:
        found = for_all_seeds(partial(presses, images), images.seeds)
        count = len(images.classes)
        cells = [spread(found[:, 0] / count), spread(found[:, 1] / (0.8 * count))]
        single, pages, wrong = found[:, 2:].mean(axis=0)
        audited = (found[:, 0].mean() + AUDITED) / count
        say.append(
            f"{images.name:20}{cells[0]:>22}{cells[1]:>22}{audited:15.3f}{1:8.3f}{single:8.1f}{pages:7.1f}{wrong:13.1f}"
        )


def spread(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.3f} ({values.min():.3f}-{values.max():.3f})"


def presses(images: ImageSet, seed: int) -> tuple[float, float, float, float, float]:
    """For all images, for 80 % of them; images labelled one at a time, pages, and wrong tiles."""
    images = images.in_order(seed)
    person = Person(images)
    while person.free.any() and not person.pages_pay():
        person.label_the_next()
    single = len(person.labelled)
    person.presses += 1
    pages = 0
    while person.free.any():
        person.take_a_page()
        pages += 1
    shares, used = np.array(person.progress).T
    at_80 = float(np.interp(0.8 * len(images.classes), shares, used))
    return person.presses, at_80, single, pages, person.wrong


class Person:
    """Labels images with the suggestions of the program, and counts presses."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self.suggester = Suggester(images.features.shape[1])
        self.suggester.add(images.features)
        self.free = np.ones(len(images.classes), np.bool_)
        self.labelled: list[int] = []
        self.learned: Learned | None = None
        self.presses = self.wrong = 0
        self.progress: list[tuple[int, int]] = [(0, 0)]

    def label_the_next(self) -> None:
        self._has_labels(next_images(self.suggester, self.learned, self.free, 1).tolist(), presses=1)

    def pages_pay(self) -> bool:
        if self.learned is None or len(self.labelled) < LEAST_SINGLE:
            return False
        page = next_page(self.learned, self.free, TILES)
        return page is not None and page.presses <= MOST_PRESSES

    def take_a_page(self) -> None:
        assert self.learned is not None
        page = next_page(self.learned, self.free, TILES)
        assert page is not None and len(page.rows) <= TILES
        order = np.argsort(-self.learned.probabilities(page.rows), axis=1)
        presses, cursor = 1, 0
        for tile, row in enumerate(page.rows.tolist()):
            of_tile = self.images.classes[row]
            if of_tile == page.class_id:
                continue
            self.wrong += 1
            (down, right), (up, left) = divmod(tile, TILES_IN_A_ROW), divmod(cursor, TILES_IN_A_ROW)
            by_arrows = abs(down - up) + abs(right - left) + 1
            known = np.flatnonzero(self.learned.classes[order[tile]] == of_tile)
            by_letter = int(known[0]) if len(known) else by_arrows + 1
            if by_arrows < by_letter:
                cursor = tile
            presses += min(by_arrows, by_letter)
        self._has_labels(page.rows.tolist(), presses)

    def _has_labels(self, rows: Sequence[int], presses: int) -> None:
        self.labelled += rows
        self.free[list(rows)] = False
        self.presses += presses
        self.progress.append((len(self.labelled), self.presses))
        labelled = np.array(self.labelled, np.int32)
        if len(set(self.images.classes[labelled])) > 1:
            self.learned = self.suggester.learn(labelled, self.images.classes[labelled])


def test_macro_f1_by_number_of_labels(image_sets: list[ImageSet], say: list[str]) -> None:
    say.append("Macro F1 on test: labels in random order, and the most useful images first; same head")
    for images in image_sets:
        counts = [count for count in COUNTS if count <= len(images.classes)]
        by_order = {
            order: for_all_seeds(partial(curves, images, order=order, counts=counts), images.seeds)
            for order in ("random", "useful")
        }
        say += ["", f"{images.name}, {images.seeds} seeds", heading("labels", counts)]
        for order, found in by_order.items():
            say += [
                line(order, found[:, 0].mean(axis=0)),
                line("  calibration error", found[:, 1].mean(axis=0)),
            ]
        random, useful = (found[:, 0] for found in by_order.values())
        differences = useful - random
        errors = differences.std(axis=0, ddof=1) / np.sqrt(images.seeds)
        say.append(line("useful - random", differences.mean(axis=0)))
        say.append(line("  in standard errors", differences.mean(axis=0) / np.maximum(errors, 1e-9), ".1f"))
        for wanted in (100, 300):
            if wanted in counts:
                goal = float(random.mean(axis=0)[counts.index(wanted)])
                needed = first_count(counts, useful.mean(axis=0), goal)
                say.append(
                    f"{wanted} random labels give {goal:.3f}: so do {needed:.0f} (1 of {wanted / needed:.1f})"
                )


def first_count(counts: Sequence[int], scores: NDArray[np.float64], goal: float) -> float:
    """The number of labels from which on the scores have reached the goal."""
    last = max((at for at, score in enumerate(scores) if score < goal), default=-1)
    if last + 1 >= len(counts):
        return float("nan")
    if last < 0:
        return float(counts[0])
    return float(np.interp(goal, scores[last : last + 2], counts[last : last + 2]))


def curves(images: ImageSet, seed: int, *, order: str, counts: Sequence[int]) -> list[list[float]]:
    """Macro F1 and expected calibration error on test, for each count of labels."""
    test = images.test_features
    images = images.in_order(seed)
    suggester = Suggester(test.shape[1])
    suggester.add(images.features)
    points = suggester.reduce(test)
    free = np.ones(len(images.classes), np.bool_)
    labelled: list[int] = []
    learned: Learned | None = None
    found: list[list[float]] = [[], []]
    while len(labelled) < counts[-1]:
        row = len(labelled) if order == "random" else int(next_images(suggester, learned, free, 1)[0])
        labelled.append(row)
        free[row] = False
        rows = np.array(labelled, np.int32)
        is_asked = len(labelled) in counts
        if (is_asked or order != "random") and len(set(images.classes[rows])) > 1:
            learned = suggester.learn(rows, images.classes[rows])
        if is_asked:
            shares = np.zeros((len(test), images.class_count))
            shares[:, images.classes[rows[0]]] = 1
            if learned is not None:
                shares[:] = 0
                shares[:, learned.classes] = softmax(learned.head.scores(points) / learned.temperature)
            found[0].append(macro_f1(images.test_classes, shares.argmax(axis=1), images.class_count))
            found[1].append(calibration_error(images.test_classes, shares))
    return found


def macro_f1(classes: Rows, said: NDArray[np.intp], count: int) -> float:
    matrix = np.zeros((count, count))
    np.add.at(matrix, (classes, said), 1)
    return float((2 * np.diag(matrix) / np.maximum(matrix.sum(axis=0) + matrix.sum(axis=1), 1)).mean())


def calibration_error(classes: Rows, shares: NDArray[np.float64], bins: int = 15) -> float:
    """Expected calibration error, 15 bins of equal width (Guo et al. 2017)."""
    confidences, right = shares.max(axis=1), shares.argmax(axis=1) == classes
    of_bin = np.minimum((confidences * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(confidences[of_bin == each].mean() - right[of_bin == each].mean()) * (of_bin == each).mean()
            for each in np.unique(of_bin)
        )
    )


def heading(name: str, counts: Iterable[int]) -> str:
    return f"{name:22}" + "".join(f"{count:7}" for count in counts)


def line(name: str, values: Iterable[float], style: str = ".3f") -> str:
    return f"{name:22}" + "".join(f"{value:7{style}}" for value in values)


@pytest.mark.parametrize(
    ("images", "classes", "labels"),
    [
        (10_000, 10, 300),
        (100_000, 10, 300),
        (100_000, 10, 5_000),
        (100_000, 10, 50_000),
        (100_000, 1000, 3_000),
    ],
)
def test_time_and_memory(images: int, classes: int, labels: int, say: list[str], tmp_path: Path) -> None:
    """Two threads, in a process of its own, features memory-mapped."""
    command = [sys.executable, __file__, str(images), str(classes), str(labels), str(tmp_path / "features")]
    threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=True)
    say.append(f"{images:,} images, {classes} classes, {labels:,} labels: {done.stdout.strip()}")


def anonymous_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith("RssAnon")) / 1024


def measure(images: int, classes: int, labels: int, path: Path, dims: int = 1568, block: int = 5000) -> str:
    random = np.random.default_rng(0)
    of = random.integers(0, classes, images).astype(np.int32)
    middles = random.normal(0, 1, (classes, dims))
    features = np.memmap(path, np.float16, "w+", shape=(images, dims))
    for start in range(0, images, block):
        part = of[start : start + block]
        features[start : start + block] = middles[part] + 3 * random.normal(0, 1, (len(part), dims))
    features.flush()
    features = np.memmap(path, np.float16, "r", shape=(images, dims))
    del part, middles
    before, most = anonymous_mib(), 0.0
    suggester = Suggester(dims)
    begun = time.perf_counter()
    for start in range(0, images, block):
        suggester.add(features[start : start + block])
        most = max(most, anonymous_mib())
    added = time.perf_counter() - begun
    rows = random.permutation(images)[:labels].astype(np.int32)
    free = np.ones(images, np.bool_)
    free[rows] = False
    learned = suggester.learn(rows, of[rows])
    figures = {
        "refit and rescoring": lambda: suggester.learn(rows, of[rows]),
        "next image": lambda: next_images(suggester, learned, free, 1),
        "next 8": lambda: next_images(suggester, learned, free, 8),
        "first image": lambda: next_images(suggester, None, free, 1),
        "page": lambda: next_page(learned, free, TILES),
        "find the like": lambda: suggester.neighbours(7, free, TILES),
    }
    said = [f"{name} {milliseconds(work):.0f} ms" for name, work in figures.items()]
    most = max(most, anonymous_mib())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    right = float((learned.best == of).mean())
    return (
        f"{', '.join(said)}; all added in {added:.1f} s; {most - before:.0f} MB more "
        f"(most resident, mapped features included: {peak:.0f}); {right:.0%} right"
    )


def milliseconds(work: Callable[[], object]) -> float:
    """Least of seven: other work on the machine only ever adds."""
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return 1000 * min(times)


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:4]), Path(sys.argv[4])))
