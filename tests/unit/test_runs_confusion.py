import importlib
import math
import os
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest

from mia_tui.catalog.metrics import METRICS
from mia_tui.errors import RunError
from mia_tui.runs.evaluation.confusion import (
    SavedConfusion,
    figures,
    load_confusion,
    per_class,
    save_confusion,
)


@pytest.fixture(scope="module")
def metrics() -> ModuleType:
    """Those of scikit-learn, which takes a second to import; here, and not whenever tests are collected."""
    return importlib.import_module("sklearn.metrics")


def reference(metrics: ModuleType, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    values = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
        "mcc": metrics.matthews_corrcoef(truth, predicted),
    }
    for average in ("macro", "weighted"):
        row = metrics.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), row, strict=False):
            values[f"{average}_{name}"] = value
    return values


def draw(seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Truth and predictions in which some classes are absent from one, the other or both."""
    random = np.random.default_rng(seed)
    classes = int(random.integers(2, 9))
    size = int(random.integers(1, 60))
    truth = random.choice(random.permutation(classes)[: random.integers(1, classes + 1)], size)
    predicted = random.choice(random.permutation(classes)[: random.integers(1, classes + 1)], size)
    predicted = np.where(random.random(size) < random.random(), truth, predicted)
    return truth, predicted, classes


@pytest.mark.filterwarnings("ignore")  # scikit-learn's, about absent classes
@pytest.mark.parametrize("seed", range(60))
def test_figures_equal_scikit_learn_with_classes_absent(metrics: ModuleType, seed: int) -> None:
    truth, predicted, classes = draw(seed)
    confusion = metrics.confusion_matrix(truth, predicted, labels=range(classes))
    assert figures(confusion) == pytest.approx(reference(metrics, truth, predicted), abs=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(20))
def test_figures_of_each_class_equal_scikit_learn(metrics: ModuleType, seed: int) -> None:
    truth, predicted, classes = draw(seed)
    confusion = metrics.confusion_matrix(truth, predicted, labels=range(classes))
    columns = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(classes), zero_division=0
    )
    rows = per_class(confusion, [f"class {index}" for index in range(classes)])
    for index, row in enumerate(rows):
        assert row.name == f"class {index}"
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(
            [column[index] for column in columns]
        )


def test_there_is_a_figure_for_every_metric_but_the_loss() -> None:
    assert set(figures(np.eye(2, dtype=np.int64))) == set(METRICS) - {"loss"}


def test_labels_that_are_all_wrong_give_figures_of_zero() -> None:
    values = figures(np.array([[0, 5], [7, 0]]))
    assert values.pop("mcc") == -1.0
    assert set(values.values()) == {0.0}


def test_shuffled_labels_give_figures_of_chance(metrics: ModuleType) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 4, 40_000)
    values = figures(metrics.confusion_matrix(truth, random.permutation(truth)))
    assert abs(values.pop("mcc")) < 0.02
    assert all(abs(value - 0.25) < 0.02 for value in values.values())


def test_no_images_give_no_figures_rather_than_zeros() -> None:
    assert all(math.isnan(value) for value in figures(np.zeros((3, 3), dtype=np.int64)).values())
    assert per_class(np.zeros((1, 1), dtype=np.int64), ["a"])[0].support == 0


def test_a_network_that_says_one_class_only_has_an_mcc_of_zero() -> None:
    assert figures(np.array([[90, 0], [10, 0]]))["mcc"] == 0.0


def test_counts_of_billions_do_not_overflow() -> None:
    values = figures(np.array([[4 * 10**9, 0], [0, 4 * 10**9]]))
    assert set(values.values()) == {1.0}


def test_a_matrix_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        figures(np.zeros((2, 3), dtype=np.int64))


def test_figures_of_a_class_are_written_with_the_word_class() -> None:
    row = per_class(np.array([[3]]), ["cat"])[0]
    assert msgspec.to_builtins(row) == {"class": "cat", "support": 3, "precision": 1, "recall": 1, "f1": 1}


@pytest.mark.parametrize("classes", [1, 3, 50, 51, 200])
def test_a_confusion_matrix_comes_back_as_it_was(tmp_path: Path, classes: int) -> None:
    random = np.random.default_rng(classes)
    counts = np.where(
        random.random((classes, classes)) < 0.1, random.integers(0, 2**40, (classes, classes)), 0
    )
    names = tuple(os.fsdecode(b"100%% \xff %d" % index) for index in range(classes))
    path = tmp_path / "confusion" / "best.json"
    save_confusion(path, SavedConfusion(7, "val", names, counts))
    loaded = load_confusion(path)
    assert (loaded.epoch, loaded.split, loaded.classes) == (7, "val", names)
    assert loaded.counts.dtype == np.int64
    assert np.array_equal(loaded.counts, counts)


def test_a_matrix_of_a_thousand_classes_stays_small(tmp_path: Path) -> None:
    counts = np.diag(np.full(1000, 10))
    save_confusion(tmp_path / "last.json", SavedConfusion(1, "val", tuple(map(str, range(1000))), counts))
    assert (tmp_path / "last.json").stat().st_size < 30_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'"\xff"',
        b'{"epoch":1,"split":"val","classes":["a"],"rows":[[1,2]]}',
        b'{"epoch":1,"split":"val","classes":["a"],"cells":[[5,0,1]]}',
    ],
)
def test_a_damaged_matrix_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.json").write_bytes(content)
    with pytest.raises(RunError, match=r"last\.json holds no confusion matrix"):
        load_confusion(tmp_path / "last.json")
    with pytest.raises(RunError, match=r"cannot be read"):
        load_confusion(tmp_path / "missing.json")
