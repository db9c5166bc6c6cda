import pytest
from labels_support import scan_of

from mia_tui.dataset.interchange.folders import folder_labels
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.importing import import_labels
from mia_tui.dataset.labelled_images import META_SOURCE, labelled_images
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError
from mia_tui.paths import StateFolder

FLAT = scan_of("a.png", "b.png", "c.png")
FOLDERS = scan_of("blue/a.png", "blue/b.png", "red/a.png")


@pytest.fixture
def state(tmp_path):
    return StateFolder(tmp_path / "mia")


def store_of(state, labels, *, source="person", classes=()):
    with LabelStore(state.labels_db) as store:
        for name in classes:
            store.add_class(name)
        ids = {known.name: known.id for known in store.classes()}
        store.set_labels([(ImageKey(path), ids[name]) for path, name in labels.items()], source=source)


def look(scan, state, tmp_path, **options):
    found = labelled_images(scan, tmp_path / "data", state, **options)
    return found, {key.path: found.classes[index].name for key, index in found.labels.items()}


def test_class_folders_without_a_store_are_the_source_and_nothing_is_written(state, tmp_path):
    found, names = look(FOLDERS, state, tmp_path)
    assert found.source == "folders"
    assert names == {"blue/a.png": "blue", "blue/b.png": "blue", "red/a.png": "red"}
    assert [(named.id, named.name) for named in found.classes] == [(1, "blue"), (2, "red")]
    assert (found.parts, found.missing, found.notes) == ({}, 0, ())
    assert not state.root.exists()


def test_parts_of_top_folders_are_fixed(state, tmp_path):
    found, _ = look(scan_of("train/x/a.png", "train/y/b.png", "test/x/c.png"), state, tmp_path)
    assert list(found.parts.values()) == ["train", "train", "test"]


def test_labels_of_the_store_come_in_dataset_order_with_the_classes_in_the_store_s_order(state, tmp_path):
    store_of(state, {"c.png": "x", "a.png": "y"}, classes=("y", "unused", "x"))
    found, names = look(FLAT, state, tmp_path)
    assert found.source == "store"
    assert list(names.items()) == [("a.png", "y"), ("c.png", "x")]
    assert [(named.id, named.name) for named in found.classes] == [(1, "y"), (3, "x")]
    assert found.notes == ("Classes without images left out: unused.",)


def test_for_exports_empty_classes_stay_so_that_numbers_do_not_shift(state, tmp_path):
    store_of(state, {"c.png": "x", "a.png": "y"}, classes=("y", "unused", "x"))
    found, _ = look(FLAT, state, tmp_path, keep_empty=True)
    assert [named.name for named in found.classes] == ["y", "unused", "x"]
    assert list(found.labels.values()) == [0, 2]
    assert found.notes == ()


def test_labels_of_missing_files_are_counted_and_left_out(state, tmp_path):
    store_of(state, {"a.png": "x", "b.png": "y", "gone.png": "y"}, classes=("x", "y"))
    found, names = look(FLAT, state, tmp_path)
    assert names == {"a.png": "x", "b.png": "y"}
    assert found.missing == 1
    assert found.notes == ("1 labelled image is not there any more.",)


def test_labels_of_frames_that_are_not_taken_are_not_called_missing(state, tmp_path):
    with LabelStore(state.labels_db) as store:
        known = store.add_class("x")
        store.set_labels([(ImageKey("a.gif", frame), known.id) for frame in range(3)], source="import")
    found = labelled_images(scan_of("a.gif"), tmp_path, state)
    assert (len(found.labels), found.missing) == (1, 0)
    assert found.notes == (
        "2 labels are of frames that are left out; --frames all includes those of animated files.",
    )


def test_a_store_with_labels_wins_over_folders_and_says_that_there_are_folders(state, tmp_path):
    store_of(state, {"blue/a.png": "x", "red/a.png": "y"}, classes=("x", "y"))
    found, names = look(FOLDERS, state, tmp_path)
    assert found.source == "store"
    assert names == {"blue/a.png": "x", "red/a.png": "y"}
    assert "--labels folders" in found.notes[0]
    assert look(FOLDERS, state, tmp_path, source="folders")[0].source == "folders"


def test_a_store_without_labels_leaves_the_folders_their_say(state, tmp_path):
    store_of(state, {}, classes=("red",))
    found, _ = look(FOLDERS, state, tmp_path)
    assert found.source == "folders"
    assert [(named.id, named.name) for named in found.classes] == [(2, "blue"), (1, "red")]


def test_folders_stay_the_source_once_they_were_and_a_person_s_label_wins_over_them(state, tmp_path):
    store_of(state, {"red/a.png": "green"}, classes=("green",))
    with LabelStore(state.labels_db) as store:
        store.set_meta(META_SOURCE, "folders")
    found, names = look(FOLDERS, state, tmp_path)
    assert found.source == "folders"
    assert names == {"blue/a.png": "blue", "blue/b.png": "blue", "red/a.png": "green"}
    assert [named.name for named in found.classes] == ["blue", "green"]
    assert found.notes == ("1 image in a class other than its folder's, as a person decided: red/a.png.",)
    assert look(FOLDERS, state, tmp_path, source="store")[0].source == "store"


def test_new_files_get_their_folder_s_class_after_an_import_of_folders(state, tmp_path):
    with LabelStore(state.labels_db) as store:
        import_labels(store, folder_labels(FOLDERS.keys, name="data"))
    _, names = look(scan_of("blue/a.png", "blue/b.png", "red/a.png", "red/new.png"), state, tmp_path)
    assert names["red/new.png"] == "red"


def test_files_moved_to_another_class_folder_take_its_class_and_are_named(state, tmp_path):
    store_of(state, {"red/a.png": "blue"}, classes=("blue", "red"), source="import")
    with LabelStore(state.labels_db) as store:
        store.set_meta(META_SOURCE, "folders")
    found, names = look(FOLDERS, state, tmp_path)
    assert names["red/a.png"] == "red"
    assert found.notes == ("1 image moved to another class folder: red/a.png.",)


def test_an_imported_csv_is_not_overruled_by_folders_used_before(state, tmp_path):
    with LabelStore(state.labels_db) as store:
        store.set_meta(META_SOURCE, "folders")
        import_labels(store, LabelFile("f", {ImageKey("red/a.png"): "x", ImageKey("blue/a.png"): "y"}))
    assert look(FOLDERS, state, tmp_path)[1] == {"red/a.png": "x", "blue/a.png": "y"}


def test_without_any_labels_the_sentence_says_how_to_get_some(state, tmp_path):
    with pytest.raises(DataError) as caught:
        look(FLAT, state, tmp_path)
    assert "has no labels. Its folders are not classes: a.png is in no folder." in str(caught.value)
    assert "mia-tui labels import" in caught.value.hint


def test_one_folder_of_images_is_not_taken_for_a_class(state, tmp_path):
    with pytest.raises(DataError, match="All images are in one folder, images"):
        look(scan_of("images/a.png", "images/b.png"), state, tmp_path)


def test_asking_for_the_store_or_for_folders_that_are_not_there_is_refused(state, tmp_path):
    with pytest.raises(DataError, match=r"data has no labels\. Import them"):
        look(FOLDERS, state, tmp_path, source="store")
    with pytest.raises(DataError, match=r"are not classes: a\.png is in no folder"):
        look(FLAT, state, tmp_path, source="folders")


def test_labels_that_all_belong_to_other_images_are_an_error(state, tmp_path):
    store_of(state, {"old/a.png": "x"}, classes=("x",))
    with pytest.raises(
        DataError, match=r"data is labelled: the labels kept for it \(1\) belong to missing images"
    ):
        look(FLAT, state, tmp_path)


@pytest.mark.parametrize(
    "paths", [("d/a/1.png", "d/b/2.png"), ("d/train/a/1.png", "d/train/b/2.png", "d/val/a/3.png")]
)
def test_one_folder_around_the_classes_is_named_instead_of_a_way_to_a_single_class(state, tmp_path, paths):
    with pytest.raises(DataError) as caught:
        look(scan_of(*paths), state, tmp_path)
    assert str(tmp_path / "data" / "d") in caught.value.hint
    assert "--labels folders" not in caught.value.hint
    with pytest.raises(DataError) as caught:
        look(scan_of("d/a/1.png", "d/b/c/2.png"), state, tmp_path)
    assert "--labels folders" in caught.value.hint
