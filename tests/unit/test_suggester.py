"""Suggestions learned from features, the next images, pages."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mia_tui.active.choice import next_images
from mia_tui.active.pages import next_page
from mia_tui.active.suggester import Suggester

DIMS, IMAGES = 32, 300


def clusters() -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """Three groups of points, and which image is in which."""
    random = np.random.default_rng(1)
    of = random.integers(0, 3, IMAGES).astype(np.int32)
    features = random.normal(0, 1, (3, DIMS))[of] * 3 + random.normal(0, 1, (IMAGES, DIMS))
    return features.astype(np.float16), of


def suggester() -> tuple[Suggester, NDArray[np.int32]]:
    features, of = clusters()
    made = Suggester(DIMS)
    made.add(features[:200])
    made.add(features[200:])
    return made, of


def test_a_few_labels_give_the_class_of_all_images_and_how_sure_that_is() -> None:
    made, of = suggester()
    rows = np.arange(30, dtype=np.int32)
    learned = made.learn(rows, of[rows] * 10 + 5)
    assert learned.classes.tolist() == [5, 15, 25]
    assert (learned.best == of).mean() > 0.95
    shares = learned.probabilities(rows)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(shares.max(axis=1), learned.confidences[rows])


def test_labels_of_one_class_teach_nothing() -> None:
    made, _ = suggester()
    with pytest.raises(ValueError):
        made.learn(np.array([0, 1], np.int32), np.array([4, 4], np.int32))


def test_the_start_has_images_of_all_kinds() -> None:
    made, of = suggester()
    first = next_images(made, None, np.ones(IMAGES, np.bool_), 6)
    assert len(set(first.tolist())) == 6
    assert set(of[first]) == {0, 1, 2}


def test_a_page_has_images_of_one_class_that_may_be_chosen_the_surest_first() -> None:
    made, of = suggester()
    rows = np.arange(30, dtype=np.int32)
    learned = made.learn(rows, of[rows])
    among = np.ones(IMAGES, np.bool_)
    among[:30] = False
    page = next_page(made, learned, among, 24)
    assert page is not None
    assert len(page.rows) == 24 and page.rows.min() >= 30
    assert (of[page.rows] == page.class_id).mean() > 0.9
    assert np.all(np.diff(learned.confidences[page.rows]) <= 0)
    assert next_page(made, learned, np.zeros(IMAGES, np.bool_), 24) is None


def test_neighbours_are_of_the_same_kind() -> None:
    made, of = suggester()
    found = made.neighbours(7, np.ones(IMAGES, np.bool_), 12)
    assert 7 not in found and (of[found] == of[7]).all()
