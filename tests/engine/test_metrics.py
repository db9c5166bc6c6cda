"""The confusion counter against scikit-learn and torchmetrics."""

import numpy as np
import pytest
import torch

from mia_tui.engine.training.metrics import ConfusionCounter
from mia_tui.errors import RunError


def test_batches_are_summed_into_one_matrix_with_truth_in_the_rows() -> None:
    from sklearn.metrics import confusion_matrix  # takes a second, and so does the next
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    random = torch.Generator().manual_seed(0)
    counter = ConfusionCounter(5)
    truths, predictions = [], []
    for count in (7, 1, 32):
        logits = torch.randn(count, 5, generator=random)
        truth = torch.randint(3, (count,), generator=random)  # classes 3 and 4 are never true
        counter.update(logits, truth)
        truths.append(truth)
        predictions.append(logits.argmax(1))
    truth, prediction = torch.cat(truths), torch.cat(predictions)
    expected = confusion_matrix(truth, prediction, labels=range(5))
    np.testing.assert_array_equal(counter.counts(), expected)
    np.testing.assert_array_equal(
        counter.counts(), multiclass_confusion_matrix(prediction, truth, num_classes=5).numpy()
    )
    assert counter.counts().dtype == np.int64


def test_predicted_ids_count_like_the_logits_they_come_from() -> None:
    logits, truth = torch.tensor([[0.1, 2.0], [3.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 1])
    by_logits, by_ids = ConfusionCounter(2), ConfusionCounter(2)
    by_logits.update(logits, truth)
    by_ids.update(logits.argmax(1), truth)
    np.testing.assert_array_equal(by_logits.counts(), [[1, 1], [0, 1]])
    np.testing.assert_array_equal(by_ids.counts(), by_logits.counts())


def test_a_fresh_counter_is_all_zero(recwarn: pytest.WarningsRecorder) -> None:
    counter = ConfusionCounter(3)
    assert counter.counts().sum() == 0
    assert not recwarn.list


def test_what_was_read_does_not_change_with_later_batches() -> None:
    counter = ConfusionCounter(2)
    counter.update(torch.tensor([0]), torch.tensor([0]))
    first = counter.counts()
    counter.update(torch.tensor([1]), torch.tensor([1]))
    assert first.sum() == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_outputs_that_are_no_numbers_are_an_error_and_not_class_0(bad: float) -> None:
    counter = ConfusionCounter(3)
    logits = torch.zeros(2, 3)
    logits[1, 2] = bad
    counter.update(logits, torch.tensor([0, 0]))
    with pytest.raises(RunError, match="not finite"):
        counter.counts()


@pytest.mark.parametrize("bad", [-1, 3, 300])
def test_ids_outside_the_classes_are_refused(bad: int) -> None:
    for ids, truth in (([0, 1], [bad, 0]), ([0, bad], [1, 0])):
        counter = ConfusionCounter(3)
        counter.update(torch.tensor(ids), torch.tensor(truth))
        with pytest.raises(ValueError, match="outside"):
            counter.counts()


def test_shapes_that_do_not_fit_are_refused() -> None:
    counter = ConfusionCounter(3)
    with pytest.raises(ValueError, match="targets"):
        counter.update(torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="classes"):
        counter.update(torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64))


def test_a_thousand_classes_are_counted_under_deterministic_algorithms() -> None:
    counter = ConfusionCounter(1000)
    torch.use_deterministic_algorithms(True)
    try:
        counter.update(torch.arange(1000), torch.arange(1000))
    finally:
        torch.use_deterministic_algorithms(False)
    np.testing.assert_array_equal(counter.counts(), np.eye(1000, dtype=np.int64))
