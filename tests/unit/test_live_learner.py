"""What is learned from the labels of a dataset: from real features on disk, for images with and without them."""

from pathlib import Path

import numpy as np
import pytest

from mia_tui.active.groups import content_numbers, group_numbers, join_copies
from mia_tui.active.suggester import Learned, Rows
from mia_tui.dataset.listing.arrays import arrays_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.features.layout import DEFAULT_NETWORK, TableDescription
from mia_tui.features.table import FeatureTable
from mia_tui.features.writer import FeatureRow, FeatureWriter
from mia_tui.tui.live import learner as learner_module
from mia_tui.tui.live.label_state import LabelState
from mia_tui.tui.live.learner import LiveLearner

DIMS, IMAGES = 12, 60


def listing(names: list[str], **arrays: list[int]) -> Listing:
    return Listing(arrays_of(names, **arrays))


def write(root: Path, names: list[str]) -> None:
    """Features of two kinds by turns."""
    random = np.random.default_rng(2)
    kinds = random.normal(0, 2, (2, DIMS))
    with FeatureWriter(root, DEFAULT_NETWORK) as writer:
        writer.begin(TableDescription(id=DEFAULT_NETWORK, name="test", dims=DIMS))
        rows = kinds[np.arange(len(names)) % 2] + random.normal(0, 0.3, (len(names), DIMS))
        writer.append([FeatureRow(ImageKey(name), 1, 1) for name in names], rows)


def state(images: Listing, labels: dict[int, int], *, chooses: bool = False, **changes: object) -> LabelState:
    class_ids = np.zeros(len(images), np.int32)
    for row, class_id in labels.items():
        class_ids[row] = class_id
    active = np.array([False, True, True, False])
    rows: dict[str, object] = {
        "skipped": np.zeros(len(images), np.bool_),
        "shown": np.arange(len(images), dtype=np.int32),
        "current": 0,
        "audited": np.empty(0, np.int32),
        "group_by": None,
        "asks_for_pages": False,
        **changes,
    }
    return LabelState(
        listing=images, arrays=images.arrays, class_ids=class_ids, active=active, chooses=chooses, **rows
    )  # type: ignore[arg-type]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listing:
    """Two more are listed than have features."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = [f"image-{number:02}.png" for number in range(IMAGES)]
    write(tmp_path, names)
    return listing([*names, "new-0.png", "new-1.png"], sizes=[1] * 62, mtimes_ns=[1] * 62)


def opened(root: Path) -> LiveLearner:
    table = FeatureTable.open(root)
    assert table is not None
    return LiveLearner(table)


def test_images_with_features_get_suggestions_and_new_ones_none(tmp_path: Path, images: Listing) -> None:
    learner = opened(tmp_path)
    assert learner.grow() and not learner.is_behind and not learner.grow()
    found = learner.learn(state(images, {0: 1, 1: 2}))
    assert found.learned is not None and found.features == IMAGES
    assert found.suggestions[:IMAGES].tolist() == [1, 2] * (IMAGES // 2)
    assert found.suggestions[IMAGES:].tolist() == [0, 0] and np.isnan(found.confidences[IMAGES:]).all()
    [(best, share), (other, rest)] = found.probabilities(3)
    assert (best, other) == (2, 1) and share + rest == pytest.approx(1)
    assert found.probabilities(IMAGES) == []


def test_labels_of_archived_classes_and_of_one_class_alone_teach_nothing(
    tmp_path: Path, images: Listing
) -> None:
    learner = opened(tmp_path)
    learner.grow()
    assert learner.learn(state(images, {0: 1, 2: 1})).learned is None
    assert learner.learn(state(images, {0: 1, 1: 3})).learned is None


def test_features_are_taken_over_some_at_a_time(
    tmp_path: Path, images: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner_module, "_AT_ONCE", 40)
    learner = opened(tmp_path)
    assert learner.grow() and learner.is_behind
    found = learner.learn(state(images, {0: 1, 1: 2, 50: 1}))
    assert found.features == 40 and found.learned is not None and found.learned.labels == 2
    assert learner.grow() and not learner.is_behind
    found = learner.learn(state(images, {0: 1, 1: 2, 50: 1}))
    assert found.features == IMAGES and found.learned is not None and found.learned.labels == 3


def test_the_next_images_are_without_a_label_and_among_those_shown(tmp_path: Path, images: Listing) -> None:
    learner = opened(tmp_path)
    learner.grow()
    shown = np.arange(10, 20, dtype=np.int32)
    for labels in ({}, {10: 1}, {10: 1, 11: 2}):
        found = learner.learn(state(images, labels, chooses=True, shown=shown, current=12))
        assert len(found.next_rows) == 3 and len(set(found.next_rows)) == 3
        assert set(found.next_rows) <= set(range(10, 20)) - set(labels) - {12}
    assert learner.learn(state(images, {0: 1, 1: 2})).next_rows == []


def test_frames_slides_and_copies_are_groups() -> None:
    stack = listing(["a.tif", "b.png", "c.png"], frames=[3, 1, 1])
    assert group_numbers(stack, None).tolist() == [0, 0, 0, 1, 2]
    assert group_numbers(stack, r"^(?:(a)|(b))").tolist() == [0, 0, 0, 1, 2]
    assert group_numbers(stack, "[ac]").tolist() == [0, 0, 0, 1, 2]
    assert group_numbers(stack, r"\.(png)").tolist() == [0, 0, 0, 1, 1]
    slides = listing([f"slide{slide}_cell{cell}.png" for slide in range(4) for cell in range(5)])
    numbers = group_numbers(slides, None).reshape(4, 5)
    assert (numbers == numbers[:, :1]).all() and len(np.unique(numbers)) == 4
    digests = np.array([b"", b"same", b"", b"same", b"other"], "V20")
    contents = content_numbers(digests)
    assert contents[1] == contents[3] and len(set(contents.tolist())) == 4
    joined = join_copies(np.array([0, 1, 2, 3, 3], np.int32), contents)
    assert joined[1] == joined[3] == joined[4] and len(set(joined.tolist())) == 3


def test_what_the_split_keeps_together_is_a_group(tmp_path: Path, images: Listing) -> None:
    learner = opened(tmp_path)
    learner.grow()
    labels = {0: 1, 1: 2}
    apart = learner.learn(state(images, labels)).learned
    together = learner.learn(state(images, labels, group_by=r"image-(\d)")).learned
    assert apart is not None and together is not None
    counts = [len(np.unique(found.groups[:50])) for found in (apart, together)]  # type: ignore[index]
    assert counts == [50, 5]


def test_images_that_were_drawn_at_random_say_how_sure_suggestions_are(
    tmp_path: Path, images: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = opened(tmp_path)
    learner.grow()
    asked: list[list[int]] = []
    learn = learner.suggester.learn

    def spy(rows: Rows, class_ids: Rows, audit: Rows) -> Learned:
        asked.append(audit.tolist())
        return learn(rows, class_ids, audit)

    monkeypatch.setattr(learner.suggester, "learn", spy)
    learner.learn(state(images, {0: 1, 1: 2, 5: 2}, audited=np.array([5, -1], np.int32)))
    assert asked == [[5]]


def test_how_many_keys_a_page_takes_is_found_where_it_is_asked_for(tmp_path: Path, images: Listing) -> None:
    learner = opened(tmp_path)
    learner.grow()
    labels = {row: 1 + row % 2 for row in range(10)}
    assert learner.learn(state(images, labels)).page_presses == 1
    found = learner.learn(state(images, labels, asks_for_pages=True))
    assert found.page_presses < 1
    few = np.arange(40, dtype=np.int32)
    assert learner.learn(state(images, labels, asks_for_pages=True, shown=few)).page_presses == 1, (
        "no full page"
    )
