"""What a network said of each evaluated image, as it is saved and as it is read for figures."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from run_support import make_run

from mia_tui.dataset.model import ImageKey
from mia_tui.errors import ConfigError, RunError
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    NOT_EVALUATED,
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.evaluation.pairs import common_results, of_rows
from mia_tui.runs.evaluation.results import load_results
from mia_tui.runs.evaluation.saved_scores import (
    MOST_VALUES,
    EvaluatedScores,
    load_scores,
    lower_bounded,
    save_scores,
    scores_dtype,
    scores_file,
)
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir

SAMPLES = [
    Sample("slide1_a.png", 0, "val"),
    Sample("slide2_b.png", 0, "train"),
    Sample("slide1_c.tif", 1, "val", frame=3),
    Sample("slide2_c.tif", 1, "val", frame=4),
]
SAID = np.log(np.array([[0.9, 0.1], [0.25, 0.75], [0.6, 0.4]], np.float32))


def a_run(folder: Path, *, epoch: int = 7, scores_epoch: int = 7, **config: object) -> RunDir:
    run = make_run(folder / "mia", samples=SAMPLES, **config)
    save_scores(scores_file(run, "best"), EvaluatedScores(scores_epoch, "val", np.array([0, 2, 3]), SAID))
    predicted = np.array([0, NOT_EVALUATED, 1, 0])
    save_epoch_predictions(epoch_predictions_file(run, "best"), EpochPredictions(epoch, "val", predicted))
    save_confusion(
        run.confusion("best"), SavedConfusion(epoch, "val", ("cat", "dog"), np.array([[1, 0], [1, 1]]))
    )
    return run


def test_the_results_of_a_training_have_a_row_for_each_image_that_was_evaluated(tmp_path: Path) -> None:
    results = load_results(a_run(tmp_path, group_by=r"slide\d"))
    assert (results.which, results.epoch, results.split) == ("best", 7, "val")
    assert results.keys == (
        ImageKey("slide1_a.png"),
        ImageKey("slide1_c.tif", 3),
        ImageKey("slide2_c.tif", 4),
    )
    assert results.truth.tolist() == [0, 1, 1] and results.predicted.tolist() == [0, 1, 0]
    assert results.log_probabilities is not None
    np.testing.assert_allclose(np.exp(results.log_probabilities), np.exp(SAID))
    assert results.groups.tolist() == [0, 0, 1] and results.group_by == r"slide\d"


def test_without_a_pattern_the_frames_of_a_file_are_a_group(tmp_path: Path) -> None:
    assert load_results(a_run(tmp_path)).groups.tolist() == [0, 1, 2]


def test_the_groups_of_an_evaluation_are_those_it_was_made_with(tmp_path: Path) -> None:
    run = a_run(tmp_path, group_by=r"slide\d")
    assert load_results(run, group_by="").groups.tolist() == [0, 1, 2]
    assert load_results(run, group_by="_[ab]").groups.tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match="not a regular expression"):
        load_results(run, group_by="(")


def test_two_runs_are_paired_by_their_images_and_the_names_of_their_classes(tmp_path: Path) -> None:
    one, other = a_run(tmp_path / "a"), a_run(tmp_path / "b")
    first = load_results(one)
    second = replace(load_results(other), classes=("dog", "cat"))
    second = of_rows(second, np.array([2, 0]))
    common = common_results(first, second)
    assert common.one.keys == common.other.keys == (first.keys[0], first.keys[2])
    assert common.one.predicted.tolist() == [0, 0] and common.other.predicted.tolist() == [0, 0]
    assert common.differing.tolist() == [0, 1] and common.relabelled == 2
    assert common.test.p == 1.0
    assert common.views_remark == ""
    assert "Only one of the two" in common_results(first, replace(second, tta=True)).views_remark


def test_probabilities_of_another_epoch_are_none(tmp_path: Path) -> None:
    assert load_results(a_run(tmp_path, scores_epoch=6)).log_probabilities is None


def test_a_run_that_was_not_evaluated_yet_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        load_results(make_run(tmp_path / "mia", samples=SAMPLES))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"{}" * 100])
def test_a_damaged_file_of_probabilities_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "best.scores.npz"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"best\.scores\.npz holds no probabilities"):
        load_scores(path)


def test_a_damaged_byte_anywhere_in_the_probabilities_is_said_in_a_sentence(tmp_path: Path) -> None:
    path, random = tmp_path / "best.scores.npz", np.random.default_rng(0)
    np.savez_compressed(
        path, epoch=np.int64(7), split=np.array("val"), rows=np.arange(3), log_probabilities=SAID
    )
    content, refused = path.read_bytes(), 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] = int(random.integers(256))
        path.write_bytes(damaged)
        try:
            load_scores(path)
        except RunError:
            refused += 1
    assert refused > len(content) // 2


def test_probabilities_that_unpack_to_more_than_is_ever_kept_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "best.scores.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<i8", "fortran_order": False, "shape": (1 << 40,)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.npy", header.getvalue() + bytes(1 << 20))
    with pytest.raises(RunError, match="not as large as it says"):
        load_scores(path)


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        (np.array([0, 0]), SAID[:2]),
        (np.array([0]), SAID[:2]),
        (np.array([0, 1]), np.array([[np.nan, 0], [0, 0]], np.float32)),
        (np.array([0, 1]), np.array([[2.0, 0], [0, 0]], np.float32)),
        (np.array([0, 1]), SAID[:2].astype(np.float64)),
    ],
)
def test_numbers_that_are_no_probabilities_are_refused(
    tmp_path: Path, rows: np.ndarray, values: np.ndarray
) -> None:
    path = tmp_path / "best.scores.npz"
    save_scores(path, EvaluatedScores(1, "val", rows, values))
    with pytest.raises(RunError, match="holds no probabilities"):
        load_scores(path)


def test_a_probability_of_zero_is_kept_as_a_very_small_one(tmp_path: Path) -> None:
    with np.errstate(divide="ignore"):
        values = lower_bounded(np.log(np.array([[1.0, 0.0]], np.float16)))
    save_scores(tmp_path / "a.npz", EvaluatedScores(1, "val", np.array([0]), values))
    read = load_scores(tmp_path / "a.npz")
    assert read is not None and np.exp(read.log_probabilities.astype(float))[0, 1] < 1e-20


def test_of_very_many_images_and_classes_less_is_kept() -> None:
    assert scores_dtype(1000, 10) is np.float32
    assert scores_dtype(100_000, 1000) is np.float16
    assert scores_dtype(MOST_VALUES, 2) is None
