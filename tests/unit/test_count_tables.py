"""Groups by paths, the table of counts of images, and its rows."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from run_support import make_evaluate_job, make_run, make_suggestions

from mia_tui.analysis.counts import Evaluated
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.path_groups import groups_of
from mia_tui.errors import ConfigError, DataError, RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.counts.confusions import KnownConfusions, known_confusions
from mia_tui.runs.counts.csv_file import records, summary, write_rows
from mia_tui.runs.counts.images import COLUMNS, NONE, CountedImages, Predicted, count_images, read_predicted
from mia_tui.runs.counts.table import make_table
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir

WELLS = r"(plate\d+)/(well[A-H]\d+)"


def keys_of(*paths: str) -> list[ImageKey]:
    return [ImageKey(path) for path in paths]


def counted_images(
    paths: Sequence[str],
    labels: Sequence[int],
    predictions: Sequence[int] | None = None,
    *,
    unsure: Sequence[bool] = (),
    by: str | None = None,
    names: Sequence[str] = ("round", "flat"),
    classes: Sequence[str] = ("flat", "round"),
) -> CountedImages:
    predicted = None
    if predictions is not None:
        run = RunDir(Path("/runs/predict"))
        best = np.array(predictions, np.int32)
        predicted = Predicted(run, "resnet18", tuple(classes), best, np.array(unsure or [False] * len(best)))
    return count_images(keys_of(*paths), np.array(labels, np.int32), names, by=by, predicted=predicted)


def written(images: CountedImages, **how: object) -> list[dict[str, str]]:
    file = io.StringIO()
    write_rows(make_table(images, **how), file)  # type: ignore[arg-type]
    return list(csv.DictReader(io.StringIO(file.getvalue())))


# Groups


def test_capture_groups_become_columns_in_natural_order() -> None:
    keys = keys_of("plate10/wellA1_1.png", "plate2/wellA10_1.png", "plate2/wellA2_7.png", "other.png")
    groups = groups_of(keys, WELLS, {})
    assert groups.columns == ("plate", "well")
    assert groups.names == (("plate2", "wellA2"), ("plate2", "wellA10"), ("plate10", "wellA1"))
    assert groups.of_image.tolist() == [2, 1, 0, -1] and groups.outside == 1


@pytest.mark.parametrize(
    ("by", "columns"),
    [
        (r"(?P<day>\d+)_(?P<dish>\d+)", ("day", "dish")),
        (r"(?P<day>\d+)_(\d+)", ("day", "group2")),
        (r"\d+_\d+", ("group",)),
        (r"(\d+)_\d+", ("group",)),
        (r"(1|2)_(\d)", ("group1", "group2")),
    ],
)
def test_columns_have_the_names_of_capture_groups(by: str, columns: tuple[str, ...]) -> None:
    assert groups_of(keys_of("1_2.png"), by, {}).columns == columns


def test_a_capture_group_that_takes_no_part_is_empty() -> None:
    groups = groups_of(keys_of("a1.png", "a.png"), r"(a)(\d)?", {})
    assert groups.names == (("a", ""), ("a", "1"))


@pytest.mark.parametrize(
    ("by", "says"),
    [("(", "not a regular expression"), ("zzz", "matches none"), ("(?P<class>a)", "another column")],
)
def test_a_pattern_that_makes_no_groups_is_refused(by: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        groups_of(keys_of("a.png"), by, {}, taken=COLUMNS)


def test_by_themselves_groups_are_slides_in_names_else_folders() -> None:
    slides = keys_of(*(f"slide{slide}_{cell}.png" for slide in range(6) for cell in range(5)))
    groups = groups_of(slides, None, {})
    assert (groups.columns, len(groups.names)) == (("slide",), 6) and "slides in names" in groups.how
    folders = groups_of(keys_of("b/x.png", "a/y.png", "z.png"), None, {})
    assert folders.columns == ("folder",) and folders.names == ((".",), ("a",), ("b",))


# The table


def test_labels_and_predictions_are_counted_by_the_names_of_classes() -> None:
    images = counted_images(
        ["a/1.png", "a/2.png", "b/3.png", "b/4.png"],
        [0, 1, 1, NONE],
        [0, 0, 2, NONE],
        names=("round", "flat", "Ünder"),
        classes=("flat", "new", "U\u0308nder"),  # composed otherwise
    )
    table = make_table(images)
    assert table.classes == ("round", "flat", "Ünder", "new")
    assert table.images.tolist() == [2, 2]
    assert table.labels.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0]]
    assert table.predictions is not None and table.predictions.tolist() == [[0, 2, 0, 0], [0, 0, 1, 0]]
    assert table.use == "predictions" and "1 image has no prediction." in table.notes
    assert make_table(images, use="labels").counts is not table.counts


def test_unsure_predictions_are_counted_as_no_class() -> None:
    images = counted_images(
        ["a/1.png", "a/2.png", "a/3.png"], [NONE] * 3, [0, 0, 1], unsure=[False, True, False]
    )
    table = make_table(images)
    assert table.predictions is not None and table.predictions.tolist() == [[1, 1]]
    assert any("1 prediction is unsure" in note for note in table.notes)


def test_a_group_without_labels_a_class_without_images_and_a_single_group_have_empty_values() -> None:
    images = counted_images(
        ["a/1.png", "a/2.png", "b/3.png"], [0, 0, NONE], names=("round", "flat", "unused")
    )
    rows = written(images)
    assert len(rows) == 6 and not any(
        value.lower() in ("nan", "inf", "-inf") for row in rows for value in row.values()
    )
    empty = [row for row in rows if row["folder"] == "b"]
    assert {row["images"] for row in empty} == {"1"} and {row["labels"] for row in empty} == {"0"}
    assert {row["label_fraction"] for row in rows if row["folder"] == "b"} == {""}
    assert {row["p"] for row in rows} == {""} and {row["predictions"] for row in rows} == {""}
    said = summary(make_table(images))
    assert "only one of them has images" in said["notes"][-1] and said["alpha"] is None
    assert said["interval"] == "Wilson within the only group"


def test_nothing_to_count_is_a_sentence() -> None:
    with pytest.raises(DataError, match="nothing to count"):
        make_table(counted_images(["a.png"], [NONE]))
    with pytest.raises(ConfigError, match="no predictions"):
        make_table(counted_images(["a.png"], [0]), use="predictions")


def test_hostile_names_come_back_and_are_no_formulas() -> None:
    folders = [
        "=cmd|x",
        "+1+1",
        "@a",
        "<script>",
        "{{x}}",
        "new\nline",
        "esc\x1b[31m",
        os.fsdecode(b"\xff"),
        'a,b"c',
    ]
    images = counted_images(
        [f"{folder}/1.png" for folder in folders], [0] * len(folders), names=("-x=1", "b")
    )
    rows = written(images)
    assert len(rows) == 2 * len(folders)
    for row in rows:
        assert not row["folder"].startswith(("=", "+", "@", "-")) and not row["class"].startswith("-")
        assert "\x1b" not in row["folder"]
    assert {"%3Dcmd|x", "<script>", "{{x}}", "new\nline", "esc%1B[31m", "%FF", 'a,b"c'} <= {
        row["folder"] for row in rows
    }
    assert {row["class"] for row in rows} == {"%2Dx=1", "b"}
    assert all("\x1b" not in record["group"]["folder"] for record in records(make_table(images)))


def test_rows_agree_with_the_table() -> None:
    rng = np.random.default_rng(0)
    paths = [f"plate1/wellA{place % 24 + 1}_{place}.png" for place in range(960)]
    labels = rng.choice([0, 1, NONE], 960, p=[0.5, 0.2, 0.3])
    images = counted_images(paths, labels.tolist(), rng.integers(0, 2, 960).tolist(), by=WELLS)
    table = make_table(images, use="labels", against="wellA[12]$")
    rows = written(images, use="labels", against="wellA[12]$")
    assert list(rows[0]) == ["plate", "well", *COLUMNS]
    assert [row["well"] for row in rows[::2]][:3] == ["wellA1", "wellA2", "wellA3"]
    assert sum(row["is_control"] == "TRUE" for row in rows) == 4 and rows[0]["enrichment_of"] == "labels"
    assert not any(row["is_control"] == "TRUE" for row in written(images, use="labels"))  # none were named
    found = np.array([int(row["labels"]) for row in rows]).reshape(24, 2)
    np.testing.assert_array_equal(found, table.labels)
    low = np.array([float(row["label_low"]) for row in rows]).reshape(24, 2)
    np.testing.assert_allclose(low, table.label_shares.low, rtol=1e-5)
    assert any("The controls are 2 groups" in note for note in table.notes)


def test_controls_that_fit_no_group_are_refused_with_names_of_groups() -> None:
    images = counted_images(["a/1.png", "b/2.png"], [0, 1])
    assert make_table(images, against="a").controls.tolist() == [True, False]
    with pytest.raises(ConfigError, match="Groups are a, b"):
        make_table(images, against="zzz")


def test_an_enriched_well_is_found_against_controls() -> None:
    rng, paths, labels = np.random.default_rng(3), [], []
    for well in range(40):
        share = rng.dirichlet([30, 10]) if well != 33 else [0.1, 0.9]
        paths += [f"plate1/wellB{well}_{place}.png" for place in range(100)]
        labels += rng.choice(2, 100, p=share).tolist()
    table = make_table(counted_images(paths, labels, by=WELLS), against=r"wellB([0-9]|1[0-9]|2[0-9])$")
    assert {group for group, _ in table.unusual(0.001)} == {33}


def test_fractions_are_corrected_in_the_order_of_the_tables_classes() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 4000)
    said = np.where(rng.random(4000) < np.where(truth == 0, 0.3, 0.1), 1 - truth, truth)
    known = KnownConfusions(Evaluated(truth, said, np.arange(4000) % 50, 2), "4,000 images", ("A note.",))
    cells = rng.random(6000) < 0.25  # round; the network has flat first
    best = np.where(rng.random(6000) < np.where(cells, 0.1, 0.3), ~cells, cells).astype(int)
    paths = [f"plate1/wellC{place % 30}_{place}.png" for place in range(6000)]
    images = counted_images(paths, [NONE] * 6000, best.tolist(), by=WELLS)
    table = make_table(images, confusions=known)
    assert table.corrected is not None and "A note." in table.notes
    assert abs(table.overall.value[0] - 0.25) > 0.1
    assert table.corrected.overall.value[0] == pytest.approx(0.25, abs=0.03)
    low, high = table.corrected.overall.low[0], table.corrected.overall.high[0]
    assert low < cells.mean() < high
    rows = written(images, confusions=known)
    assert float(rows[0]["corrected_low"]) <= float(rows[0]["corrected_fraction"])


def test_an_ill_conditioned_correction_says_so_and_an_impossible_one_names_the_class() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 2000)
    known = KnownConfusions(
        Evaluated(truth, np.where(rng.random(2000) < 0.46, 1 - truth, truth), np.arange(2000) % 40, 2),
        "images",
    )
    images = counted_images(["a/1.png", "a/2.png"], [NONE, NONE], [0, 1])
    assert any("ill-conditioned" in note for note in make_table(images, confusions=known).notes)
    one = KnownConfusions(
        Evaluated(np.zeros(9, int), np.zeros(9, int), np.arange(9), 2), "9 images of the run x"
    )
    table = make_table(images, confusions=one)
    assert table.corrected is None
    assert any("no image of round is among the 9 images of the run x" in note for note in table.notes)


# From runs


def evaluation(state: Path, truth: Sequence[int], said: Sequence[int], **config: object) -> RunDir:
    samples = [Sample(f"t{place}.png", index, "test") for place, index in enumerate(truth)]
    run = RunDir.create(StateFolder(state), make_evaluate_job(state, **config), samples, name="evaluate")
    counts = np.zeros((2, 2), np.int64)
    np.add.at(counts, (np.array(truth), np.array(said)), 1)
    save_confusion(run.confusion("evaluation"), SavedConfusion(1, "test", ("cat", "dog"), counts))
    predictions = EpochPredictions(1, "test", np.array(said))
    save_epoch_predictions(epoch_predictions_file(run, "evaluation"), predictions)
    return run


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    (tmp_path / "cells").mkdir()
    return tmp_path / "cells"


def test_predictions_of_the_newest_run_or_of_a_named_one_are_counted(cells: Path) -> None:
    keys = keys_of("a.png", "b.png", "c.png")
    assert read_predicted(keys, cells, None) is None
    old = make_suggestions(cells / "mia", {"a.png": ("round", 0.9)}, network="old")
    make_suggestions(cells / "mia", {"c.png": ("flat", 0.9), "gone.png": ("flat", 0.9)}, network="new")
    newest = read_predicted(keys, cells, None)
    assert newest is not None and newest.best.tolist() == [NONE, NONE, 1] and newest.model == "new"
    named = read_predicted(keys, cells, None, old)
    assert named is not None and named.best.tolist() == [0, NONE, NONE]
    with pytest.raises(RunError, match="keeps no predictions"):
        read_predicted(keys, cells, None, make_run(cells / "mia", name="training"))


def test_confusions_are_those_of_the_newest_evaluation_of_the_same_weights(cells: Path) -> None:
    keys = keys_of("a.png")
    make_suggestions(cells / "mia", {"a.png": ("dog", 0.9)}, classes=("dog", "cat"))
    predicted = read_predicted(keys, cells, None)
    assert predicted is not None
    with pytest.raises(RunError, match="No evaluation of resnet18 is found"):
        known_confusions(keys, predicted, cells, None)
    evaluation(cells / "mia", [0, 1], [0, 1], digest="other")
    evaluation(cells / "mia", [0, 1], [0, 1], trained_on=1)
    wanted = evaluation(cells / "mia", [0, 0, 1, 1], [0, 1, 1, 1])
    known = known_confusions(keys, predicted, cells, None)
    assert known.source == f"4 images of the part test of the evaluation {wanted.name}"
    assert known.evaluated.confusion().tolist() == [[2, 0], [1, 1]]  # dog is the first class of the network
    assert known_confusions(keys, predicted, cells, None, wanted).source == known.source


def test_confusions_of_other_weights_or_of_known_images_are_taken_with_a_warning(cells: Path) -> None:
    keys = keys_of("a.png")
    make_suggestions(cells / "mia", {"a.png": ("dog", 0.9)}, classes=("dog", "cat"))
    predicted = read_predicted(keys, cells, None)
    assert predicted is not None
    other, seen, fine = (
        evaluation(cells / "mia", [0, 1], [0, 1], **config)
        for config in ({"digest": "other"}, {"trained_on": 1}, {})
    )
    [note] = known_confusions(keys, predicted, cells, None, other).notes
    assert "other weights than the ones that predicted" in note
    [note] = known_confusions(keys, predicted, cells, None, seen).notes
    assert "may be corrected too little" in note
    assert known_confusions(keys, predicted, cells, None, fine).notes == ()


def test_confusions_of_other_classes_are_refused(cells: Path) -> None:
    keys = keys_of("a.png")
    make_suggestions(cells / "mia", {"a.png": ("round", 0.9)})
    predicted = read_predicted(keys, cells, None)
    assert predicted is not None
    with pytest.raises(RunError, match="classes of the run"):
        known_confusions(keys, predicted, cells, None, evaluation(cells / "mia", [0, 1], [0, 1]))
