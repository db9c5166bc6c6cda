"""The predicted class of each image agrees with the confusion matrix."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from training_support import make_run, train

from mia_tui.engine.training import train as train_module
from mia_tui.engine.training.metrics import PredictedClasses
from mia_tui.runs.evaluation.confusion import load_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    NOT_EVALUATED,
    epoch_predictions_file,
    load_epoch_predictions,
)
from mia_tui.runs.record.layout import RunDir


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(train_module, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def assert_told_as_counted(run: RunDir) -> None:
    samples = run.samples()
    for which in ("last", "best"):
        matrix, told = (
            load_confusion(run.confusion(which)),
            load_epoch_predictions(epoch_predictions_file(run, which)),
        )
        assert told is not None and (told.epoch, told.split) == (matrix.epoch, matrix.split)
        assert len(told.predicted) == len(samples)
        counted = np.zeros_like(matrix.counts)
        for sample, predicted in zip(samples, told.predicted.tolist(), strict=True):
            if predicted != NOT_EVALUATED:
                assert sample.split == told.split
                counted[sample.class_index, predicted] += 1
        assert counted.tolist() == matrix.counts.tolist()
        assert counted.sum() > 0


@pytest.mark.parametrize("val_fraction", [0.3, 0.0])
@pytest.mark.parametrize("stop_after", [None, (2, 2)])
def test_predictions_by_image_add_up_to_the_matrix_also_after_resuming(
    discs: Path, val_fraction: float, stop_after: tuple[int, int] | None
) -> None:
    run = make_run(discs, val_fraction=val_fraction, test_fraction=0.2)
    if stop_after is not None:
        result, _ = train(run, stop_after=stop_after)
        assert result.outcome == "stopped"
    result, _ = train(run)
    assert result.outcome == "finished"
    assert_told_as_counted(run)


def test_an_image_that_cannot_be_read_is_not_evaluated(discs: Path) -> None:
    run = make_run(discs, val_fraction=0.3)
    broken = next(place for place, sample in enumerate(run.samples()) if sample.split == "val")
    (discs / run.samples()[broken].path).write_bytes(b"no image")
    train(run)
    told = load_epoch_predictions(epoch_predictions_file(run, "last"))
    assert told is not None and told.predicted[broken] == NOT_EVALUATED
    assert_told_as_counted(run)


def test_predictions_continue_from_what_an_earlier_attempt_found() -> None:
    first = PredictedClasses(4)
    first.update(torch.tensor([2]), torch.tensor([[0.1, 0.9]]))
    second = PredictedClasses(4, so_far=first.classes())
    second.update(torch.tensor([0, 3]), torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    assert second.classes().tolist() == [0, NOT_EVALUATED, 1, 1]
    assert first.classes().tolist() == [NOT_EVALUATED, NOT_EVALUATED, 1, NOT_EVALUATED]
