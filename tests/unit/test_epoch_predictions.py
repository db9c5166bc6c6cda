"""Which images lie behind a cell of a confusion matrix."""

from pathlib import Path

import numpy as np
import pytest
from run_support import make_run

from mia_tui.dataset.model import ImageKey
from mia_tui.errors import RunError
from mia_tui.runs.evaluation.confusion import (
    ConfusedPair,
    SavedConfusion,
    load_confusion_report,
    save_confusion,
)
from mia_tui.runs.evaluation.epoch_predictions import (
    NOT_EVALUATED,
    EpochPredictions,
    epoch_predictions_file,
    images_of_cell,
    load_epoch_predictions,
    save_epoch_predictions,
)
from mia_tui.runs.record.job import Sample

SAMPLES = [
    Sample("a.png", 0, "val"),
    Sample("b.png", 0, "train"),
    Sample("c.tif", 0, "val", frame=3),
    Sample("d.png", 1, "val"),
    Sample("e.png", 0, "val"),
]
GIVEN = EpochPredictions(7, "val", np.array([0, NOT_EVALUATED, 1, 1, 1]))


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    path = epoch_predictions_file(make_run(tmp_path / "mia"), "best")
    assert load_epoch_predictions(path) is None
    save_epoch_predictions(path, GIVEN)
    read = load_epoch_predictions(path)
    assert read is not None and (read.epoch, read.split) == (7, "val")
    assert read.predicted.tolist() == GIVEN.predicted.tolist()
    assert path.name == "best.predicted.json" and path.parent.name == "confusion"


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"epoch":1,"split":"val","predicted":["x"]}', b"\xff"]
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "last.predicted.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"last\.predicted\.json holds no predictions"):
        load_epoch_predictions(path)


def test_a_cell_holds_its_images_and_a_class_all_that_were_evaluated_wrong_predictions_first() -> None:
    assert images_of_cell(SAMPLES, GIVEN, truth=0, predicted=1) == [ImageKey("c.tif", 3), ImageKey("e.png")]
    assert images_of_cell(SAMPLES, GIVEN, truth=0) == [
        ImageKey("c.tif", 3),
        ImageKey("e.png"),
        ImageKey("a.png"),
    ]
    assert images_of_cell(SAMPLES, GIVEN, truth=1, predicted=0) == []


def test_predictions_of_other_samples_are_refused() -> None:
    with pytest.raises(RunError, match="do not match its images"):
        images_of_cell(SAMPLES[:-1], GIVEN, truth=0)


def test_the_largest_confusions_come_first_and_right_ones_not_at_all(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia")
    counts = np.array([[9, 1, 0], [4, 9, 2], [0, 0, 9]])
    save_confusion(run.confusion("best"), SavedConfusion(3, "val", ("a", "b", "c"), counts))
    report = load_confusion_report(run, "best")
    assert report.confusions == [ConfusedPair(1, 0, 4), ConfusedPair(1, 2, 2), ConfusedPair(0, 1, 1)]
    assert report.mistakes == 7
    assert [row.support for row in report.by_class] == [10, 15, 9]
