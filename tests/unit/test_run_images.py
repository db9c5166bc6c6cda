"""The images behind a cell of a confusion matrix, where the files of a run do not go together."""

from pathlib import Path

import numpy as np
import pytest
from run_support import make_run

from mia_tui.errors import RunError
from mia_tui.runs.evaluation.confusion import SavedConfusion, load_confusion_report, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.record.job import Sample
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.runs.images import images_behind


def test_counts_of_more_classes_than_the_job_has_lead_to_no_image(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", samples=[Sample("a.png", 0, "val")])
    save_confusion(run.confusion("best"), SavedConfusion(1, "val", tuple("vwxyz"), np.eye(5, dtype=np.int64)))
    save_epoch_predictions(epoch_predictions_file(run, "best"), EpochPredictions(1, "val", np.array([0])))
    report = load_confusion_report(run, "best")
    with pytest.raises(RunError, match="no image with truth z, predicted y"):
        images_behind(run, OpenDataset(tmp_path, None, "anna"), report, truth=4, predicted=3)
