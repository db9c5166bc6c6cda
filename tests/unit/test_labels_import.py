import pytest
from labels_support import scan_of

from mia_tui.dataset.interchange.csv_labels import read_labels
from mia_tui.dataset.interchange.folders import folder_labels
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.importing import import_labels, plan_import
from mia_tui.dataset.labelled_images import META_SOURCE
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, LabelFileError, StoreError

A, B, C = ImageKey("a.png"), ImageKey("b.png"), ImageKey("c.png")


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "mia" / "labels.db", annotator="anna") as opened:
        yield opened


def names(store):
    classes = {known.id: known.name for known in store.classes()}
    return {key: classes[label.class_id] for key, label in store.labels().items()}


def test_classes_are_made_in_natural_order_and_labels_marked_as_imported(store):
    report = import_labels(store, LabelFile("f", {A: "stage 10", B: "stage 2", C: "stage 10"}))
    assert [known.name for known in store.classes()] == ["stage 2", "stage 10"]
    assert names(store) == {A: "stage 10", B: "stage 2", C: "stage 10"}
    assert {label.source for label in store.labels().values()} == {"import"}
    assert (report.images, report.changed, report.created, report.skipped) == (
        3,
        3,
        ("stage 2", "stage 10"),
        0,
    )
    assert report.notes == ()


def test_an_import_is_one_action_of_the_history(store):
    import_labels(store, LabelFile("f", {A: "x", B: "y"}))
    assert len({change.batch for change in store.changes_since(0)}) == 1


def test_the_order_of_mia_s_numbers_is_kept_with_classes_nothing_is_labelled_as(store):
    import_labels(store, LabelFile("f", {A: "c"}, classes=("z", "c", "a")))
    assert [known.name for known in store.classes()] == ["z", "c", "a"]


def test_importing_twice_changes_nothing_the_second_time(store):
    file = LabelFile("f", {A: "x", B: "y"})
    import_labels(store, file)
    before = store.changes_since(0)
    report = import_labels(store, file)
    assert (report.images, report.changed, report.created) == (2, 0, ())
    assert store.changes_since(0) == before


def test_an_imported_file_replaces_labels_and_leaves_others_alone(store):
    import_labels(store, LabelFile("f", {A: "x", B: "x"}))
    report = import_labels(store, LabelFile("g", {B: "y", C: "y"}))
    assert names(store) == {A: "x", B: "y", C: "y"}
    assert report.changed == 2


def test_a_label_that_a_person_gave_keeps_its_origin_where_the_file_agrees(store):
    known = store.add_class("x")
    store.set_labels([(A, known.id)], source="person")
    import_labels(store, LabelFile("f", {A: "x"}))
    assert store.labels()[A].source == "person"


def test_class_folders_give_way_to_what_a_person_decided(store):
    known = store.add_class("x")
    store.set_labels([(ImageKey("red/a.png"), known.id)], source="person")
    file = folder_labels(scan_of("red/a.png", "red/b.png", "blue/c.png").keys, name="data")
    report = import_labels(store, file)
    assert names(store) == {
        ImageKey("red/a.png"): "x",
        ImageKey("red/b.png"): "red",
        ImageKey("blue/c.png"): "blue",
    }
    assert report.kept == 1
    assert "1 image kept the class that a person gave: red/a.png." in report.notes
    assert store.meta(META_SOURCE) == "folders"


def test_rows_that_cannot_be_used_are_skipped_counted_and_the_first_five_named(store, tmp_path):
    path = tmp_path / "labels.csv"
    gone = "".join(f"gone-{number}.png,x\n" for number in range(7))
    path.write_text(f"file,class\n{gone}../out.png,x\nsame.png,x\na.png,x\nb.png,\n")
    report = import_labels(store, read_labels(path, scan_of("a.png", "b.png", "s/same.png", "t/same.png")))
    assert report.skipped == 9
    assert report.notes == (
        "7 rows name no image of the dataset: gone-0.png, gone-1.png, gone-2.png, gone-3.png, gone-4.png "
        "and 2 more.",
        "1 row is outside the dataset: ../out.png.",
        "1 row matches several images: same.png.",
        "1 row without a class.",
    )
    assert names(store) == {A: "x"}


def test_names_in_messages_cannot_steer_a_terminal(store):
    report = import_labels(store, LabelFile("f", {A: "x"}, unmatched=["\x1b[2Jevil.png"]))
    assert "\\x1b[2Jevil.png" in report.notes[0]


@pytest.mark.parametrize("kind", ["unmatched", "outside", "ambiguous", "unreadable"])
def test_refusing_rows_imports_nothing(store, kind):
    with pytest.raises(LabelFileError, match=r"f is refused\. 1 row .*: q\.png\. .*nothing was imported"):
        import_labels(store, LabelFile("f", {A: "x"}, **{kind: ["q.png"]}), unmatched="refuse")
    assert store.classes() == [] and store.labels() == {} and store.meta(META_SOURCE) is None


def test_refusing_unknown_classes_names_them_and_imports_nothing(store):
    store.add_class("x")
    with pytest.raises(LabelFileError, match="f names 2 classes that the dataset does not have: y, z"):
        import_labels(
            store,
            LabelFile("f", {A: "x", B: "y", C: "z"}, classes=("x", "y", "z", "q")),
            unknown_classes="refuse",
        )
    assert store.labels() == {} and len(store.classes()) == 1
    report = import_labels(store, LabelFile("f", {A: "x"}, classes=("x", "q")), unknown_classes="refuse")
    assert report.changed == 1 and len(store.classes()) == 1


def test_new_classes_that_differ_from_known_ones_by_capitals_are_told(store):
    store.add_class("round")
    file = LabelFile("f", {A: "Round", B: "flat"})
    words = "1 new class differs only by capital letters: Round from round. If it is the same, correct the file first"
    assert words in " ".join(plan_import(store, file).notes)
    assert words in " ".join(import_labels(store, file).notes)
    assert "capital" not in " ".join(import_labels(store, LabelFile("f", {A: "round"})).notes)


def test_a_file_that_labels_no_image_is_refused(store):
    with pytest.raises(
        LabelFileError, match=r"f labels no image of the dataset\. 1 row names no image .*q\.png"
    ):
        import_labels(store, LabelFile("f", {}, unmatched=["q.png"]))


def test_a_failure_in_the_middle_leaves_nothing_half_imported(store, monkeypatch):
    def fail(*_, **__):
        raise StoreError("The disk is full.")

    monkeypatch.setattr(store, "set_labels", fail)
    with pytest.raises(StoreError):
        import_labels(store, LabelFile("f", {A: "x"}))
    assert store.classes() == [] and store.meta(META_SOURCE) is None


def test_class_names_are_compared_as_they_are_stored(store):
    import_labels(store, LabelFile("f", {A: "Kern ä", B: " Kern a\u0308 "}))
    assert [known.name for known in store.classes()] == ["Kern ä"]
    with pytest.raises(DataError):
        import_labels(store, LabelFile("f", {A: " "}))
