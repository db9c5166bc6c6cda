import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from disc_support import draw_disc
from msgspec.structs import replace

from mia_tui.config.check import make_config
from mia_tui.dataset.interchange.folders import folder_labels
from mia_tui.dataset.interchange.importing import import_labels
from mia_tui.dataset.labelled_images import labelled_images
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.split.assignment import SplitRule, new_split
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import ConfigError, DataError
from mia_tui.paths import find_state
from mia_tui.runs.preflight import prepare as prepare_module
from mia_tui.runs.preflight.prepare import (
    Prepared,
    TrainingPreparer,
    keep_split,
    prepare_training,
    read_dataset,
)


def prepare(root: Path, *, given: tuple[str, ...] = (), **settings: object) -> Prepared:
    config = make_config(flags={"width": 32, "height": 32, **settings})
    return prepare_training(read_dataset(root, follow=True), config, given=given)


def parts(prepared: Prepared) -> dict[str, str]:
    return {sample.path: sample.split for sample in prepared.samples}


def flatten(root: Path) -> Path:
    """The discs in one folder, labelled in the store."""
    flat = root.with_name("flat")
    flat.mkdir()
    with LabelStore(flat / "mia" / "labels.db") as store:
        file = folder_labels(scan(root).keys, name="discs")
        for path in root.rglob("*.png"):
            shutil.copy2(path, flat / f"{path.parent.name}-{path.name}")
        by_path = {key.path: name for key, name in file.labels.items()}
        keys = scan(flat).keys
        labels = {key: by_path[key.path.replace("-", "/", 1)] for key in keys}
        import_labels(store, type(file)(name="discs", labels=labels))
    return flat


def test_a_second_training_has_the_same_split(discs: Path) -> None:
    first, second = prepare(discs), prepare(discs, seed=5)
    assert parts(first) == parts(second)
    assert first.counts == {
        "blue": {"train": 10, "val": 2, "test": 0},
        "red": {"train": 19, "val": 5, "test": 0},
    }


def test_a_new_image_joins_and_no_other_moves(discs: Path) -> None:
    before = parts(prepare(discs))
    draw_disc(discs / "red", "cell-new.png", size_px=40, red=True, seed=999)
    after = parts(prepare(discs))
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == {"red/cell-new.png"}


def test_the_stored_split_decides_what_the_user_leaves_open(discs: Path) -> None:
    found = scan(discs)
    state = find_state(discs, class_folders=True)
    with LabelStore(state.labels_db) as store:
        rule = SplitRule(val_fraction=0.5, test_fraction=0.1, seed=3)
        new_split(store, labelled_images(found, discs, state), rule)
    prepared = prepare(discs)
    assert (prepared.job.config.val_fraction, prepared.job.config.test_fraction) == (0.5, 0.1)
    with pytest.raises(ConfigError, match="labels split"):
        prepare(discs, val_fraction=0.3, given=("val_fraction",))


def test_a_folder_can_validate_and_its_classes_match_by_name(discs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    draw_disc(other / "red", "a.png", size_px=40, red=True, seed=1)
    draw_disc(other / "green", "b.png", size_px=40, red=True, seed=2)
    prepared = prepare(discs, val=str(other))
    validating = [sample for sample in prepared.samples if sample.split == "val"]
    assert [sample.path for sample in validating] == [str(other.resolve() / "red" / "a.png")]
    assert prepared.job.classes[validating[0].class_index].name == "red"
    assert sum(sample.split == "train" for sample in prepared.samples) == 36
    assert any("green" in note for note in prepared.notes)


def test_a_folder_with_other_classes_cannot_validate(discs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    draw_disc(other / "cat", "a.png", size_px=40, red=True, seed=1)
    draw_disc(other / "dog", "a.png", size_px=40, red=True, seed=2)
    with pytest.raises(DataError, match="none of blue, red"):
        prepare(discs, val=str(other))


def test_a_moved_file_keeps_its_label_and_that_is_said(discs: Path) -> None:
    flat = flatten(discs)
    prepare(flat)
    (flat / "deep").mkdir()
    (flat / "red-cell-3.png").rename(flat / "deep" / "moved.png")
    (flat / "blue-cell-2.png").write_bytes((flat / "red-cell-1.png").read_bytes())
    prepared = prepare(flat)
    names = {sample.path: prepared.job.classes[sample.class_index].name for sample in prepared.samples}
    assert names["deep/moved.png"] == "red" and "red-cell-3.png" not in names
    said = " ".join(prepared.notes)
    assert "red-cell-3.png (now deep/moved.png)" in said
    assert "blue-cell-2.png" in said and "changed since" in said


def test_a_dataset_moved_as_a_whole_keeps_its_labels(discs: Path) -> None:
    flat = flatten(discs)
    prepare(flat)
    (flat / "deep").mkdir()
    for path in list(flat.glob("*.png")):
        path.rename(flat / "deep" / path.name)
    assert len(prepare(flat).samples) == 36


def test_a_pattern_that_fits_nothing_leaves_no_store_behind(discs: Path) -> None:
    with pytest.raises(ConfigError, match="matches none"):
        prepare(discs, group_by="zzz")
    assert not find_state(discs, class_folders=True).labels_db.exists()


def test_a_label_of_a_missing_file_is_not_trained_on(discs: Path) -> None:
    flat = flatten(discs)
    (flat / "red-cell-3.png").unlink()
    prepared = prepare(flat)
    assert len(prepared.samples) == 35
    assert any("not there any more" in note for note in prepared.notes)


def test_equal_stems_do_not_swap_labels(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for index, name in enumerate(["cell.png", "cell-2.png", "cell.bmp", "cell-10.png"]):
        draw_disc(root / "ab"[index % 2], name, size_px=40, red=True, seed=index)
        draw_disc(root / "ab"[index % 2], f"more-{name}", size_px=40, red=True, seed=50 + index)
    prepared = prepare(root)
    for sample in prepared.samples:
        assert prepared.job.classes[sample.class_index].name == sample.path.split("/")[0]


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    draw_disc(tmp_path / "set" / "only", "a.png", size_px=40, red=True, seed=1)
    with pytest.raises(DataError, match="one class, only"):
        prepare_training(read_dataset(tmp_path / "set", source="folders"), make_config())


def test_weights_by_hand_for_an_unknown_class_are_refused(discs: Path) -> None:
    with pytest.raises(ConfigError, match="rad"):
        prepare(discs, class_weights="rad=2")
    assert prepare(discs, class_weights="red=2").class_weights == [1.0, 2.0]


def test_a_test_part_is_never_trained_on_even_with_a_validation_folder(discs: Path, tmp_path: Path) -> None:
    kept = {
        path
        for path, part in parts(prepare(discs, test_fraction=0.25, given=("test_fraction",))).items()
        if part == "test"
    }
    other = tmp_path / "other"
    draw_disc(other / "red", "a.png", size_px=40, red=True, seed=1)
    draw_disc(other / "blue", "b.png", size_px=40, red=False, seed=2)
    later = parts(prepare(discs, val=str(other)))
    assert kept and {path for path, part in later.items() if part == "test"} == kept


def draw_parts(root: Path, *paths: str) -> Path:
    for seed, path in enumerate(paths):
        folder, _, name = path.rpartition("/")
        draw_disc(root / folder, name, size_px=40, red=seed % 2 == 0, seed=seed)
    return root


@pytest.mark.parametrize("held", ["val", "Validation", "test"])
def test_a_class_that_is_only_held_out_is_refused_with_a_way_out_that_works(
    tmp_path: Path, held: str
) -> None:
    root = draw_parts(
        tmp_path / "set",
        "Training/a/1.png",
        "Training/b/2.png",
        f"{held}/a/3.png",
        f"{held}/z/4.png",
        f"{held}/z/5.png",
    )
    with pytest.raises(DataError) as caught:
        prepare(root)
    assert str(caught.value) == (
        f"The class z has no image to train on: all are in {held}/z, and the folder {held} fixes the part. "
        f"Move some of them to Training/z, or remove {held}/z."
    )
    assert not find_state(root, class_folders=True).labels_db.exists(), "the split is not stored"
    (root / "Training/z").mkdir()
    (root / held / "z/4.png").rename(root / "Training/z/4.png")
    assert prepare(root).counts["z"]["train"] == 1


def test_where_a_split_is_stored_the_way_out_names_a_new_one(tmp_path: Path) -> None:
    root = draw_parts(
        tmp_path / "set", "train/a/1.png", "train/b/2.png", "val/a/3.png", "val/z/4.png", "val/z/5.png"
    )
    found = read_dataset(root)
    with LabelStore(found.state.labels_db) as store:
        new_split(store, found.labelled, SplitRule())
    with pytest.raises(DataError, match=r"then make a new split: `mia-tui labels split .*set --new`"):
        prepare(root)
    (root / "train/z").mkdir()
    (root / "val/z/4.png").rename(root / "train/z/4.png")
    found = read_dataset(root, follow=True)
    with LabelStore(found.state.labels_db) as store:
        new_split(store, found.labelled, SplitRule())
    assert prepare(root).counts["z"]["train"] == 1


def test_a_dataset_that_is_only_held_out_is_trained_on_by_the_folder_that_is_named(tmp_path: Path) -> None:
    root = draw_parts(tmp_path / "set", *(f"val/{name}/{number}.png" for name in "ab" for number in range(3)))
    (root / "train" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match=r"all are in the folder val\..*`mia-tui train .*set/val`"):
        prepare(root)
    assert prepare(root / "val").counts["a"]["train"] >= 1


def test_the_folder_that_validates_may_have_deeper_class_folders_too_where_the_user_said_so(
    tmp_path: Path,
) -> None:
    root = draw_parts(tmp_path / "set", "a/1.png", "b/2.png", "b/deep/3.png")
    other = draw_parts(tmp_path / "other", "a/4.png", "b/deep/5.png")
    found = read_dataset(root, source="folders")
    with pytest.raises(DataError, match="--labels folders"):
        prepare_training(found, make_config(flags={"val": str(other)}))
    prepared = prepare_training(found, make_config(flags={"val": str(other), "labels": "folders"}))
    assert [of["val"] for of in prepared.counts.values()] == [1, 1]


def test_a_class_in_the_folder_val_trains_where_another_folder_validates(tmp_path: Path) -> None:
    root = draw_parts(tmp_path / "set", "train/a/1.png", "train/b/2.png", "val/z/3.png")
    other = draw_parts(tmp_path / "other", "a/4.png", "z/5.png")
    assert prepare(root, val=str(other)).counts["z"]["train"] == 1


def test_files_of_other_kinds_and_images_beside_the_classes_are_said_before_a_training(
    tmp_path: Path,
) -> None:
    root = draw_parts(tmp_path / "set", "a/1.png", "a/deep/2.png", "b/3.png", "b/4.png", "cover.png")
    (root / "b" / "5.cr2").touch()
    with pytest.raises(DataError, match=r"or pass --labels folders if the folders are classes .*\(a, b\)"):
        read_dataset(root)
    prepared = prepare_training(read_dataset(root, source="folders"), make_config())
    assert {name: sum(of.values()) for name, of in prepared.counts.items()} == {"a": 2, "b": 2}
    assert prepared.notes[:2] == [
        "1 file of another kind left out: 1 .cr2.",
        "1 image is in no class folder: cover.png.",
    ]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often images were looked for and a job was prepared."""
    calls: Counter[str] = Counter()

    def count(name: str) -> None:
        real = getattr(prepare_module, name)

        def call(*args: Any, **options: Any) -> Any:
            calls[name] += 1
            return real(*args, **options)

        monkeypatch.setattr(prepare_module, name, call)

    count("scan")
    count("prepare_training")
    return calls


def test_estimate_check_and_start_share_one_reading_and_one_job(discs: Path, counted: Counter[str]) -> None:
    preparer, config = TrainingPreparer(discs, None, "ann"), make_config(flags={"class_weights": "inverse"})
    estimated = preparer.estimate(config, ())
    assert not estimated.state.labels_db.exists()
    ready = preparer.check(replace(config, epochs=7, threads=3), {"epochs"}, "mia-tui train x")
    kept = keep_split(ready, "ann")
    assert counted == {"scan": 1, "prepare_training": 1}
    assert (kept.job.config.epochs, kept.job.threads, kept.job.command) == (7, 3, "mia-tui train x")
    assert parts(kept) == parts(estimated) == parts(prepare(discs))
    assert kept.class_weights == estimated.class_weights is not None


def test_a_stored_split_that_the_form_then_shows_is_not_prepared_twice(
    discs: Path, counted: Counter[str]
) -> None:
    prepare(discs, given=("val_fraction",), val_fraction=0.4)
    counted.clear()
    preparer = TrainingPreparer(discs, None, "ann")
    decided = preparer.estimate(make_config(), ()).job.config
    assert decided.val_fraction == 0.4
    preparer.estimate(replace(make_config(), val_fraction=0.4), ())
    assert counted == {"scan": 1, "prepare_training": 1}


def test_a_check_takes_labels_that_came_since_the_estimate(discs: Path, counted: Counter[str]) -> None:
    flat = flatten(discs)
    preparer, config = TrainingPreparer(flat, None, "ann"), make_config()
    key = scan(flat).keys[0]
    before = preparer.estimate(config, ())
    with LabelStore(flat / "mia" / "labels.db") as store:
        store.set_labels([(key, None)], source="person")
    after = preparer.check(config, (), "")
    assert {sample.path for sample in before.samples} - {sample.path for sample in after.samples} == {
        key.path
    }
    assert counted["prepare_training"] == 2


def test_a_start_takes_the_split_that_somebody_stored_since_the_check(discs: Path) -> None:
    preparer = TrainingPreparer(discs, None, "ann")
    ready = preparer.check(make_config(), (), "")
    prepare(discs, given=("split_seed", "val_fraction"), split_seed=5, val_fraction=0.5)
    kept = keep_split(ready, "ann")
    assert (kept.job.config.split_seed, kept.job.config.val_fraction) == (5, 0.5)
    assert parts(kept) == parts(prepare(discs)) != parts(ready)


def test_images_are_looked_for_again_when_the_form_was_open_for_long(
    discs: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    preparer, config = TrainingPreparer(discs, None, "ann"), make_config()
    before = preparer.estimate(config, ())
    draw_disc(discs / "red", "cell-new.png", size_px=40, red=True, seed=999)
    monkeypatch.setattr(prepare_module, "_SCAN_LASTS_S", 0.0)
    after = preparer.check(config, (), "")
    assert len(after.samples) == len(before.samples) + 1


def test_a_validation_folder_is_read_at_the_check_too(discs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(discs, other)
    preparer, config = TrainingPreparer(discs, None, "ann"), make_config(flags={"val": str(other)})
    before = preparer.estimate(config, ())
    draw_disc(other / "red", "cell-new.png", size_px=40, red=True, seed=999)
    after = preparer.check(config, (), "")
    assert len(after.samples) == len(before.samples) + 1
