import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_tui.dataset.labelled_images import META_SOURCE, LabelledSet, NamedClass
from mia_tui.dataset.model import PARTS, ImageKey
from mia_tui.dataset.split.assignment import (
    META_SPLIT,
    Split,
    SplitRule,
    StoredSplit,
    group_images,
    group_numbers,
    new_split,
    plan_split,
    read_stored_split,
    stored_rule,
    stored_split,
    strictest,
)
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import ConfigError


def images(*counts, start=0):
    """Labels of so many images of each class."""
    return {
        ImageKey(f"c{index}-{number:04d}.png"): index
        for index, count in enumerate(counts)
        for number in range(start, start + count)
    }


def split_of(labels, existing=None, *, group_by=None, hashes=None, **rule):
    """The split of a dataset; with `existing`, of one whose store has these parts by the same rule."""
    classes = tuple(NamedClass(n + 1, f"class {n}") for n in range(max(labels.values(), default=-1) + 1))
    labelled = LabelledSet("store", classes, labels, {}, 0, ())
    rule = SplitRule(group_by=group_by, **rule)
    if existing is None:
        return plan_split(StoredSplit(), labelled, rule, hashes).split
    with TemporaryDirectory() as folder, LabelStore(Path(folder) / "labels.db") as store, store.transaction():
        store.set_meta(META_SPLIT, msgspec.json.encode(rule).decode())
        store.set_parts(existing)
        return plan_split(read_stored_split(store), labelled, rule, hashes).split


def counts(split, labels):
    found = Counter((part, labels[key]) for key, part in split.parts.items())
    return {part: [found[part, index] for index in range(max(labels.values()) + 1)] for part in PARTS}


def test_each_class_is_split_by_the_fractions():
    labels = images(100, 10, 5)
    split = split_of(labels, val_fraction=0.2, test_fraction=0.1)
    assert counts(split, labels) == {"train": [70, 7, 3], "val": [20, 2, 1], "test": [10, 1, 1]}
    assert split.warnings == ()


def test_without_fractions_everything_is_trained_on():
    labels = images(3, 1)
    split = split_of(labels, val_fraction=0.0)
    assert set(split.parts.values()) == {"train"}
    assert split.warnings == ()


def test_a_class_with_one_image_goes_to_train_with_a_warning():
    labels = images(50, 1, 1)
    for seed in range(5):
        split = split_of(labels, val_fraction=0.7, seed=seed)
        assert counts(split, labels)["train"][1:] == [1, 1]
        assert split.warnings == (
            "Only one image, used for training, so the class cannot be validated: class 1, class 2.",
        )


def test_a_class_with_two_images_trains_and_validates():
    labels = images(30, 2, 3)
    split = split_of(labels, val_fraction=0.2, test_fraction=0.1)
    assert counts(split, labels)["train"][1:] == [1, 1]
    assert counts(split, labels)["val"][1:] == [1, 1]
    assert counts(split, labels)["test"][1:] == [0, 1]
    assert split.warnings == ("No images for the test: class 1.",)


def test_the_seed_decides_and_nothing_else():
    labels = images(60, 40)
    shuffled = dict(reversed(labels.items()))
    assert split_of(labels).parts == split_of(shuffled).parts
    assert list(split_of(shuffled).parts) == list(shuffled)
    assert split_of(labels, seed=1).parts != split_of(labels).parts


def test_images_of_a_group_stay_together():
    labels = {
        ImageKey(f"s{slide}/c{n}.png", f): (slide + n) % 3
        for slide in range(40)
        for n in range(4)
        for f in (0, 1)
    }
    split = split_of(labels, group_by="s[0-9]+/", test_fraction=0.1)
    parts = {}
    for key, part in split.parts.items():
        parts.setdefault(key.path.split("/")[0], set()).add(part)
    assert {len(found) for found in parts.values()} == {1}
    total = Counter(split.parts.values())
    assert total["train"] / len(labels) == pytest.approx(0.7, abs=0.03)
    assert total["val"] / len(labels) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("pattern", [None, r"slide(\d+)", r"slide\d+"])
def test_groups_are_numbered_in_the_order_of_their_images(pattern: str | None) -> None:
    paths = ("slide2/a.png", "slide1/b.tif", "x.png", "slide2/c.png", "slide1/b.tif", "y.png")
    keys = [ImageKey(path, frame) for frame, path in enumerate(paths)]
    groups = group_images(keys, group_by=pattern)
    numbers = group_numbers(keys, group_by=pattern)
    assert list(dict.fromkeys(numbers)) == list(range(max(numbers) + 1))
    assert len(set(zip(numbers, (groups[key] for key in keys), strict=True))) == len(set(numbers))
    assert len(set(numbers)) == len(set(groups.values()))


def test_groups_of_very_different_size_come_close_to_the_fractions_in_every_class():
    labels = {
        ImageKey(f"s{slide:03d}/{n}.png"): 0 if n % 4 else 1 if n % 8 else 2
        for slide in range(60)
        for n in range(1, 3 + slide * 7 % 29)
    }
    for seed in range(4):
        found = counts(split_of(labels, group_by="s[0-9]+", seed=seed), labels)
        for index in range(3):
            share = found["val"][index] / (found["val"][index] + found["train"][index])
            assert share == pytest.approx(0.2, abs=0.06)


def test_big_groups_do_not_all_end_up_in_training():
    labels = {ImageKey(f"s{s}/{n}.png"): 0 for s in range(20) for n in range(30 if s < 10 else 3)}
    seen = [
        {
            key.path.split("/")[0]
            for key, part in split_of(labels, group_by="s[0-9]+", seed=seed).parts.items()
            if part == "val"
        }
        for seed in range(6)
    ]
    assert any(slide in held for held in seen for slide in (f"s{n}" for n in range(10)))


def test_a_class_in_one_group_only_is_trained_on_and_said():
    labels = {**images(40), **{ImageKey("stack.tif", frame): 1 for frame in range(9)}}
    split = split_of(labels)
    assert {split.parts[ImageKey("stack.tif", frame)] for frame in range(9)} == {"train"}
    assert split.warnings == (
        "All images in one group, used for training, so the class cannot be validated: class 1.",
    )


def test_a_new_label_joins_the_part_of_its_group():
    old = {ImageKey("a.tif", 0): 0, **images(20, 20)}
    first = split_of(old)
    new = {**old, ImageKey("a.tif", 1): 0, ImageKey("copy.tif"): 0}
    second = split_of(new, first.parts, hashes={"a.tif": "1", "copy.tif": "1"})
    assert second.parts[ImageKey("a.tif", 1)] == first.parts[ImageKey("a.tif", 0)]
    assert second.parts[ImageKey("copy.tif")] == first.parts[ImageKey("a.tif", 0)]


def test_a_group_keeps_its_part_even_if_the_image_that_gave_it_has_no_label_now():
    existing = {ImageKey("s.tif", 0): "test"}
    labels = {**images(20), ImageKey("s.tif", 1): 0}
    assert split_of(labels, existing).parts[ImageKey("s.tif", 1)] == "test"


def test_new_labels_fill_the_part_furthest_below_its_share():
    labels = images(8)
    existing = dict.fromkeys(labels, "train")
    split = split_of(images(10), existing)
    assert counts(split, images(10)) == {"train": [8], "val": [2], "test": [0]}


def test_a_copy_that_links_two_parts_goes_to_test_before_val_before_train_with_a_warning():
    labels = {**images(10), ImageKey("new.png"): 0}
    existing = {**dict.fromkeys(images(10), "train"), ImageKey("c0-0001.png"): "val"}
    hashes = {"c0-0000.png": "h", "c0-0001.png": "h", "new.png": "h"}
    split = split_of(labels, existing, hashes=hashes)
    assert split.parts[ImageKey("new.png")] == "val"
    assert "1 image was put into val, being linked to images in several parts: new.png." in split.warnings
    existing[ImageKey("c0-0000.png")] = "test"
    assert split_of(labels, existing, hashes=hashes).parts[ImageKey("new.png")] == "test"
    assert strictest({"train", "val", "test"}) == "test"


label_sets = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=60).map(
    lambda rows: {ImageKey(f"g{group}/i{n}.png"): index for n, (index, group) in enumerate(rows)}
)
fractions = st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5]), st.sampled_from([0.0, 0.1, 0.3]))


@settings(max_examples=60, deadline=None)
@given(label_sets, fractions, st.integers(0, 5), st.booleans(), st.randoms())
def test_any_split_is_whole_grouped_stable_and_keeps_old_images_in_place(
    labels, shares, seed, grouped, random
):
    rule = {"val_fraction": shares[0], "test_fraction": shares[1], "seed": seed}
    pattern = "g[0-9]/" if grouped else None
    keys = list(labels)
    random.shuffle(keys)
    early = {key: labels[key] for key in keys[: len(keys) // 2]}
    first = split_of(early, group_by=pattern, **rule)
    assert first.parts == split_of(dict(sorted(early.items())), group_by=pattern, **rule).parts
    second = split_of(labels, first.parts, group_by=pattern, **rule)
    assert second.parts.keys() == labels.keys()
    assert all(second.parts[key] == part for key, part in first.parts.items())
    wanted = {part for part, share in SplitRule(**rule).shares().items() if share > 0}
    assert set(second.parts.values()) <= wanted
    if grouped:
        by_group = {}
        for key, part in second.parts.items():
            by_group.setdefault(key.path.split("/")[0], set()).add(part)
        assert all(len(found) == 1 for found in by_group.values())
    for index in set(early.values()):
        held = Counter(first.parts[key] for key in early if early[key] == index)
        if not grouped:
            assert held["train"] >= 1
            for part, share in SplitRule(**rule).shares().items():
                assert abs(held[part] - share * sum(held.values())) < 2


def labelled(labels, names=("x", "y", "z"), parts=None, source="store"):
    used = tuple(NamedClass(index + 1, name) for index, name in enumerate(names[: max(labels.values()) + 1]))
    return LabelledSet(source, used, labels, parts or {}, 0, ())


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "mia" / "labels.db") as opened:
        yield opened


def test_the_split_is_made_at_first_use_and_kept_with_its_rule(store):
    rule = SplitRule(val_fraction=0.25, seed=3)
    assert stored_rule(store) is None
    first = stored_split(store, labelled(images(20, 8)), rule)
    assert store.parts() == first.parts
    assert stored_rule(store) == rule
    assert store.meta(META_SOURCE) == "store"
    again = stored_split(store, labelled(images(20, 8)), rule)
    assert again == Split(first.parts, ())


def test_new_labels_join_the_stored_split_without_moving_old_ones(store):
    first = stored_split(store, labelled(images(20, 8)), SplitRule())
    second = stored_split(store, labelled(images(50, 20)), SplitRule())
    assert all(second.parts[key] == part for key, part in first.parts.items())
    assert counts(second, images(50, 20))["val"] == [10, 4]
    assert store.parts() == second.parts


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (SplitRule(val_fraction=0.3), "--val-fraction 0.2, not 0.3"),
        (SplitRule(test_fraction=0.1), "--test-fraction 0.0, not 0.1"),
        (SplitRule(group_by="c[0-9]"), "--group-by none, not c\\[0-9\\]"),
        (SplitRule(seed=1), "--split-seed 0, not 1"),
    ],
)
def test_another_rule_later_is_refused_and_the_way_to_a_new_split_named(store, other, says):
    first = stored_split(store, labelled(images(20, 8)), SplitRule())
    with pytest.raises(ConfigError, match=says) as caught:
        stored_split(store, labelled(images(20, 8)), other)
    assert "mia-tui labels split DATASET --new" in str(caught.value)
    made = new_split(store, labelled(images(20, 8)), other)
    assert stored_rule(store) == other
    assert store.parts() == made.parts
    assert stored_split(store, labelled(images(20, 8)), other).parts == made.parts
    assert first.parts.keys() == made.parts.keys()


def test_looking_again_writes_nothing(store):
    stored_split(store, labelled(images(20)), SplitRule())
    before = store.path.stat().st_mtime_ns
    stored_split(store, labelled(images(20)), SplitRule())
    assert store.path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (SplitRule(val_fraction=1.0), "--val-fraction 1 is not a share"),
        (SplitRule(test_fraction=-0.1), "--test-fraction -0.1 is not a share"),
        (SplitRule(val_fraction=0.6, test_fraction=0.4), "leave nothing to train on"),
        (SplitRule(group_by="("), "is not a regular expression"),
        (
            SplitRule(group_by="slide[0-9]+"),
            r"matches none of the images\. It is searched in paths like c0-0000\.png",
        ),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_and_nothing_stored(store, rule, says):
    for make in (stored_split, new_split):
        with pytest.raises(ConfigError, match=says):
            make(store, labelled(images(20)), rule)
    assert store.parts() == {} and store.meta(META_SPLIT) is None


def test_images_without_a_group_are_counted(store):
    labels = {**images(20), ImageKey("odd.png"): 0}
    split = stored_split(store, labelled(labels), SplitRule(group_by="c0-[0-9]+"))
    assert "1 image not matched by --group-by, each a group of its own: odd.png." in split.warnings


def test_identical_images_with_different_labels_are_named(store):
    labels = images(5, 5)
    hashes = {"c0-0000.png": "h", "c1-0000.png": "h"}
    split = stored_split(store, labelled(labels), SplitRule(), hashes)
    assert (
        "1 pair of identical images with different labels: c0-0000.png (x) and c1-0000.png (y)."
        in split.warnings
    )


def folders(**sizes):
    """Labels and fixed parts of folders train, val, test with so many images each."""
    parts = {ImageKey(f"{part}/x/{n}.png"): part for part, size in sizes.items() for n in range(size)}
    return dict.fromkeys(parts, 0), parts


def test_top_folders_fix_the_parts(store):
    labels, parts = folders(train=10, val=4, test=3)
    split = stored_split(store, labelled(labels, parts=parts, source="folders"), SplitRule(val_fraction=0.5))
    assert split.parts == parts
    assert store.meta(META_SOURCE) == "folders"


def test_a_part_without_a_folder_is_taken_from_train_and_never_from_test(store):
    labels, parts = folders(train=10, test=10)
    split = stored_split(store, labelled(labels, parts=parts), SplitRule(test_fraction=0.3))
    assert Counter(split.parts.values()) == {"train": 8, "val": 2, "test": 10}
    assert all(split.parts[key] == "test" for key, part in parts.items() if part == "test")


def test_a_file_moved_into_the_folder_test_is_not_trained_on(store):
    labels, parts = folders(train=10, test=2)
    stored_split(store, labelled(labels, parts=parts), SplitRule())
    labels, parts = folders(train=9, test=3)
    split = stored_split(store, labelled(labels, parts=parts), SplitRule())
    assert split.parts[ImageKey("test/x/2.png")] == "test"


def test_what_was_held_out_before_a_folder_fixed_it_is_not_trained_on_now(store):
    labels, parts = folders(train=10, test=2)
    first = stored_split(store, labelled(labels, parts=parts), SplitRule())
    held = {key for key, part in first.parts.items() if part == "val"}
    labels, parts = folders(train=10, val=2, test=2)
    second = stored_split(store, labelled(labels, parts=parts), SplitRule())
    assert held and all(second.parts[key] == "val" for key in held)


def test_a_copy_in_the_folder_train_of_an_image_in_test_is_not_trained_on(store):
    labels, parts = folders(train=10, val=2, test=2)
    hashes = {"train/x/0.png": "h", "test/x/0.png": "h"}
    for _ in range(2):
        split = stored_split(store, labelled(labels, parts=parts), SplitRule(), hashes)
        assert split.parts[ImageKey("train/x/0.png")] == "test"
        assert split.warnings == (
            "1 image was put into test, since a copy or the group is in that folder: train/x/0.png.",
        )


def test_tens_of_thousands_of_labels_are_split_in_a_second_or_two():
    labels = {ImageKey(f"s{n % 900}/{n}.png"): n % 7 for n in range(30_000)}
    start = time.process_time()
    found = counts(split_of(labels), labels)
    assert time.process_time() - start < 6
    assert sum(found["val"]) == pytest.approx(6_000, abs=7)


def test_train_gets_an_image_of_each_class_before_any_other_part() -> None:
    labels = {ImageKey("a.png"): 0, ImageKey("b.png"): 0}
    for seed in range(20):
        parts = split_of(labels, val_fraction=0.5, test_fraction=0.3, seed=seed).parts
        assert "train" in parts.values(), seed
