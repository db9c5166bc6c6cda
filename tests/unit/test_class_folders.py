import os

import numpy as np
import pytest
from labels_support import draw, draw_stack, scan_of
from PIL import Image

from mia_tui.dataset.interchange.folders import (
    class_folders_fault,
    folder_labels,
    images_by_class,
    read_class_folders,
)
from mia_tui.dataset.interchange.folders_export import write_class_folders
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DataError


def classes_of(*paths, **options):
    folders = read_class_folders(scan_of(*paths).keys, **options)
    return None if folders is None else {key.path: folders.names[i] for key, i in folders.labels.items()}


def test_every_folder_is_a_class_where_all_images_lie_one_folder_deep():
    assert classes_of("red/a.png", "blue/a.png") == {"red/a.png": "red", "blue/a.png": "blue"}


def test_classes_are_in_natural_order():
    folders = read_class_folders(scan_of("stage 10/a.png", "stage 2/a.png", "Stage 1/a.png").keys)
    assert folders.names == ("Stage 1", "stage 2", "stage 10")


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_train_val_and_test_above_the_classes_are_parts(name):
    keys = scan_of("train/red/a.png", f"{name}/red/b.png", f"{name}/blue/c.png", "test/blue/d.png").keys
    folders = read_class_folders(keys)
    assert folders.names == ("blue", "red")
    assert [folders.parts[key] for key in keys] == ["train", "val", "val", "test"]
    assert [folders.names[folders.labels[key]] for key in keys] == ["red", "red", "blue", "blue"]


def test_without_parts_nothing_is_fixed():
    assert read_class_folders(scan_of("red/a.png", "blue/a.png").keys).parts == {}


def test_a_class_below_a_part_may_be_called_test_or_mia():
    assert set(classes_of("train/test/a.png", "train/mia/a.png").values()) == {"test", "mia"}


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (["red/a.png", "b.png"], "b.png is in no folder"),
        (["red/a.png", "blue/deep/b.png"], "blue/deep/b.png is not exactly one folder deep"),
        (["train/a.png", "test/b.png"], "train/a.png is not one folder below train"),
        (["train/red/a.png", "test/b.png"], "test/b.png is not one folder below test"),
        (["test/a.png", "control/b.png"], "The folder test is a part of the split by its name, but control"),
        (["images/a.png", "images/b.png"], "All images are in one folder, images"),
        (["train/images/a.png", "test/images/b.png"], "All images are in one folder, images"),
        ([" /a.png", "b/b.png"], "blank name"),
        ([], "no images"),
    ],
)
def test_other_trees_are_no_class_folders_and_the_reason_is_said(paths, says):
    keys = scan_of(*paths).keys
    assert read_class_folders(keys) is None
    assert says in class_folders_fault(keys)


def test_one_folder_alone_is_a_class_where_the_user_says_that_folders_are_classes():
    assert classes_of("red/a.png", explicit=True) == {"red/a.png": "red"}


def test_numbers_of_images_by_folder_tell_the_classes_as_the_images_themselves_do():
    assert images_by_class({"": 0, "train": 0, "train/red": 3, "val/red": 2, "val/blue": 1}) == {
        "blue": 1,
        "red": 5,
    }
    assert images_by_class({"": 1, "red": 3, "blue": 2}) is None, "one is in no folder"
    assert images_by_class({"red": 3, "blue": 0}) is None, "one folder alone"
    assert images_by_class({"red": 3}, explicit=True) == {"red": 3}


def test_frames_of_a_stack_get_the_class_of_its_folder():
    result = folder_labels(scan_of("a/s.tif", "b/t.tif", frames={"a/s.tif": 3}).keys, name="data")
    assert list(result.labels.values()) == ["a", "a", "a", "b"]
    assert result.source == "folders"


def test_a_folder_whose_name_is_not_utf8_is_a_class_with_a_name_that_can_be_stored():
    folder = os.fsdecode(b"gr\xfcn")
    assert set(classes_of(f"{folder}/a.png", "rot/b.png").values()) == {"gr\\xfcn", "rot"}


def test_importing_folders_that_are_no_classes_says_why():
    with pytest.raises(DataError, match=r"The folders of data are not classes: b\.png is in no folder"):
        folder_labels(scan_of("b.png", "c.png").keys, name="data")


@pytest.mark.parametrize("top", ["training", "Training", "TRAIN"])
def test_the_longer_names_of_parts_are_parts_too(top):
    keys = scan_of(f"{top}/red/a.png", "validation/blue/b.png", "Testing/red/c.png").keys
    folders = read_class_folders(keys)
    assert folders is not None
    assert (folders.names, list(folders.parts.values())) == (("blue", "red"), ["train", "val", "test"])


def test_deeper_images_count_for_the_class_folder_above_them_where_the_user_said_so():
    paths = ["red/a.png", "red/day 1/b.png", "blue/x/y/z/c.png"]
    assert classes_of(*paths) is None
    assert classes_of(*paths, explicit=True) == dict(zip(paths, ["red", "red", "blue"], strict=True))
    below_parts = [f"train/{path}" for path in paths] + ["test/red/deep/d.png"]
    assert classes_of(*below_parts) is None
    assert list(classes_of(*below_parts, explicit=True).values()) == ["red", "red", "blue", "red"]


def test_images_beside_the_class_folders_have_no_class_and_are_named_where_the_user_said_so():
    keys = scan_of("cover.png", "red/a.png", "blue/b.png").keys
    assert read_class_folders(keys) is None
    assert class_folders_fault([*keys, ImageKey("d.png")]) == "cover.png, d.png are in no folder."
    folders = read_class_folders(keys, explicit=True)
    assert [key.path for key in folders.labels] == ["red/a.png", "blue/b.png"]
    assert folders.notes == ["1 image is in no class folder: cover.png."]
    below = read_class_folders(scan_of("train/x.png", "train/red/a.png", "val/red/b.png").keys, explicit=True)
    assert (below.notes, len(below.parts)) == (["1 image is in no class folder: train/x.png."], 3)
    assert folder_labels(keys, name="data").notes == ("1 image is in no class folder: cover.png.",)


@pytest.mark.parametrize(
    "paths", [["a.png"], ["train/a.png", "test/b.png"], ["test/x/a.png", "control/b.png"]]
)
def test_without_a_class_folder_there_are_no_classes_whatever_the_user_says(paths):
    assert read_class_folders(scan_of(*paths).keys, explicit=True) is None


def test_folders_that_nas_boxes_leave_do_not_block_class_folders(tmp_path):
    draw(
        tmp_path,
        "red/a.png",
        "blue/b.png",
        "@eaDir/thumb.jpg",
        "red/@eaDir/a.png/thumb.jpg",
        "#recycle/old/c.png",
    )
    assert read_class_folders(scan(tmp_path).keys).names == ("blue", "red")


def test_a_class_that_would_be_passed_over_as_a_folder_is_refused_on_export(tmp_path):
    draw(tmp_path / "data", "a.png")
    keys = scan(tmp_path / "data").keys
    with pytest.raises(DataError, match="is that of a system folder"):
        write_class_folders(tmp_path / "out", tmp_path / "data", {keys[0]: 0}, ["lost+found"], keys=keys)


@pytest.mark.parametrize("transfer", ["copy", "hardlink", "symlink"])
@pytest.mark.parametrize("with_parts", [False, True])
def test_class_folders_written_and_read_again_give_the_same_labels(tmp_path, transfer, with_parts):
    data, out = tmp_path / "data", tmp_path / "out"
    draw(data, "s1/cell.png", "s1/other.png", "s2/cell.png", "odd [1]*.png")
    draw_stack(data, "stack.tif", 3)
    found = scan(data)
    classes = ["red", "blue one"]
    labels = {key: number % 2 for number, key in enumerate(found.keys) if key.path != "stack.tif"}
    labels |= {key: 1 for key in found.keys if key.path == "stack.tif"}
    parts = (
        {key: "test" if key.path == "s1/cell.png" else "train" for key in found.keys} if with_parts else None
    )
    before = {key.path: (data / key.path).read_bytes() for key in found.keys}
    result = write_class_folders(out, data, labels, classes, keys=found.keys, parts=parts, transfer=transfer)
    assert (result.files, result.skipped, result.frames) == (5, (), 0)
    again = scan(out)
    folders = read_class_folders(again.keys)
    content = {(out / key.path).read_bytes(): folders.names[folders.labels[key]] for key in again.keys}
    assert content == {before[key.path]: classes[index] for key, index in labels.items()}
    assert len(again.keys) == len(found.keys)
    if with_parts:
        held = {(out / key.path).read_bytes(): part for key, part in folders.parts.items()}
        assert held == {before[key.path]: part for key, part in parts.items()}
    assert {key.path: (data / key.path).read_bytes() for key in found.keys} == before


def test_equal_names_in_one_class_are_kept_apart(tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    paths = ("s1/cell.png", "s2/CELL.png", "s3/cell.png", "s3/cell-2.png")
    draw(data, *paths)
    found = scan(data)
    write_class_folders(out, data, dict.fromkeys(found.keys, 0), ["x"], keys=found.keys)
    names = sorted(path.name for path in (out / "x").iterdir())
    assert len({name.casefold() for name in names}) == 4
    assert {"cell.png", "cell-2.png"} <= set(names)
    assert (out / "x" / "cell-2.png").read_bytes() == (data / "s3" / "cell-2.png").read_bytes()


def test_frames_of_different_classes_become_files_of_their_own_with_unchanged_pixels(tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    draw_stack(data, "s.tif", 4)
    found = scan(data)
    labels = {ImageKey("s.tif", 0): 0, ImageKey("s.tif", 2): 1, ImageKey("s.tif", 3): 1}
    result = write_class_folders(out, data, labels, ["x", "y"], keys=found.keys)
    assert (result.files, result.frames) == (3, 3)
    assert str(result) == "3 files written, including 3 frames of stacks."
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.tif")) == [
        "x/s_000.tif",
        "y/s_002.tif",
        "y/s_003.tif",
    ]
    with Image.open(out / "y" / "s_003.tif") as image:
        assert image.n_frames == 1
        assert np.asarray(image).dtype == np.uint16
        assert (np.asarray(image) == 3000).all()


def test_images_that_are_gone_are_named_and_the_others_written(tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    draw(data, "a.png", "b.png")
    found = scan(data)
    (data / "a.png").unlink()
    result = write_class_folders(out, data, dict.fromkeys(found.keys, 0), ["x"], keys=found.keys)
    assert result.files == 1
    assert result.skipped == ("a.png: it is not there any more",)
    assert "1 image left out: a.png: it is not there any more" in str(result)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a/b", "contains a slash"),
        (".x", "starts with a dot"),
        ("x" * 300, "too long"),
        ("Test", "read as a part"),
    ],
)
def test_a_class_name_that_cannot_be_a_folder_is_refused(tmp_path, name, says):
    draw(tmp_path / "data", "a.png")
    keys = scan(tmp_path / "data").keys
    with pytest.raises(DataError, match=says):
        write_class_folders(tmp_path / "out", tmp_path / "data", {keys[0]: 0}, [name], keys=keys)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_into_the_dataset_or_over_other_files(tmp_path):
    data = tmp_path / "data"
    draw(data, "a.png")
    keys = scan(data).keys
    with pytest.raises(DataError, match="is inside the dataset"):
        write_class_folders(data / "out", data, {keys[0]: 0}, ["x"], keys=keys)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    with pytest.raises(DataError, match="not an empty folder"):
        write_class_folders(tmp_path / "full", data, {keys[0]: 0}, ["x"], keys=keys)


def test_an_export_that_fails_leaves_nothing_behind(tmp_path):
    data = tmp_path / "data"
    draw(data, "a.png", "b.png")
    keys = scan(data).keys
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file cannot be used: it is a file"):
        write_class_folders(tmp_path / "file" / "out", data, {keys[0]: 0}, ["x"], keys=keys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "file"]
