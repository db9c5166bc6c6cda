"""Labels follow files that move, wait for files that are gone, and are doubted where a file changed."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mia_tui.dataset import hashes
from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.store.file_changes import AppliedFileChanges, find_file_changes
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Step
from mia_tui.errors import DataError, StoreConflict

NOTHING = AppliedFileChanges((), (), (), ())


def put(root: Path, **contents: str) -> None:
    """Files NAME.png with some content."""
    for name, content in contents.items():
        path = root / f"{name.replace('__', '/')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    put(root, a="content of a", b="content of b", c="the content of c")
    return root


@pytest.fixture
def store(root: Path) -> Iterator[LabelStore]:
    with LabelStore(root / "mia" / "labels.db", annotator="anna") as store:
        for name in ("round", "flat"):
            store.add_class(name)
        store.set_labels([(ImageKey("a.png"), 1), (ImageKey("b.png"), 2)], source="person")
        assert look(store, root) == NOTHING
        yield store


def look(store: LabelStore, root: Path) -> AppliedFileChanges:
    try:
        files = scan(root).files
    except DataError:
        files = ()
    return store.reconcile(files, root)


def missing(store: LabelStore) -> set[str]:
    return {path for path, file in store.stored_files().items() if file.missing and file.labelled}


def classes_of(store: LabelStore) -> dict[str, int]:
    return {key.path: label.class_id for key, label in store.labels().items()}


def test_where_nothing_happened_nothing_is_written(store: LabelStore, root: Path) -> None:
    before = store.path.read_bytes()
    assert look(store, root) == NOTHING
    assert store.path.read_bytes() == before
    assert len(store.changes_since(0)) == 4


def test_a_labelled_file_is_read_once(store: LabelStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = hashes.file_hash
    monkeypatch.setattr(hashes, "file_hash", lambda path: (read.append(path.name), original(path))[1])
    store.set_labels([(ImageKey("c.png"), 1)], source="person")
    look(store, root)
    look(store, root)
    assert read == ["c.png"]


def test_a_missing_file_is_marked_and_its_label_waits(store: LabelStore, root: Path) -> None:
    (root / "a.png").rename(root.parent / "a.png")
    assert look(store, root) == AppliedFileChanges(("a.png",), (), (), ())
    assert missing(store) == {"a.png"}
    assert look(store, root).missing == ("a.png",)
    assert classes_of(store) == {"a.png": 1, "b.png": 2}
    (root.parent / "a.png").rename(root / "a.png")
    assert look(store, root) == AppliedFileChanges((), (), (), ("a.png",))
    assert missing(store) == set()


def test_a_moved_file_takes_its_label_along(store: LabelStore, root: Path) -> None:
    store.set_parts({ImageKey("a.png"): "test"})
    (root / "sub").mkdir()
    (root / "a.png").rename(root / "sub" / "new.png")
    assert look(store, root) == AppliedFileChanges((), (("a.png", "sub/new.png"),), (), ())
    assert classes_of(store) == {"sub/new.png": 1, "b.png": 2}
    assert store.parts() == {ImageKey("sub/new.png"): "test"}
    assert look(store, root) == NOTHING


def test_a_move_stands_in_the_history_so_that_it_can_be_undone(store: LabelStore, root: Path) -> None:
    strange = os.fsdecode(b"caf\xe9 %.png")
    (root / "a.png").rename(root / strange)
    look(store, root)
    change = store.changes_since(0)[-1]
    assert (change.kind, change.before, change.after) == ("path", "a.png", "caf%E9 %25.png")
    assert change.image == ImageKey(strange)


def test_all_frames_of_a_stack_move_together(store: LabelStore, root: Path) -> None:
    pages = [Image.fromarray(np.full((4, 4), i, np.uint8)) for i in range(3)]
    pages[0].save(root / "stack.tif", save_all=True, append_images=pages[1:])
    store.set_labels([(ImageKey("stack.tif", frame), 1 + frame % 2) for frame in range(3)], source="person")
    look(store, root)
    (root / "stack.tif").rename(root / "moved.tif")
    assert look(store, root).relinked == (("stack.tif", "moved.tif"),)
    moved = {key.frame: label.class_id for key, label in store.labels().items() if key.path == "moved.tif"}
    assert moved == {0: 1, 1: 2, 2: 1}


def test_a_file_of_another_content_is_no_move(store: LabelStore, root: Path) -> None:
    (root / "a.png").unlink()
    put(root, new="content of z")
    assert look(store, root) == AppliedFileChanges(("a.png",), (), (), ())


def test_a_copy_is_no_move(store: LabelStore, root: Path) -> None:
    put(root, copy="content of a")
    assert look(store, root) == NOTHING
    assert "copy.png" not in classes_of(store)


def test_a_renamed_folder_of_copies_keeps_each_label_with_its_name(tmp_path: Path) -> None:
    root = tmp_path / "data"
    put(root, old__x__1="same", old__y__1="same", old__y__2="same")
    with LabelStore(tmp_path / "labels.db") as store:
        for name in ("round", "flat", "odd"):
            store.add_class(name)
        labels = [
            (ImageKey(path), i + 1) for i, path in enumerate(("old/x/1.png", "old/y/1.png", "old/y/2.png"))
        ]
        store.set_labels(labels, source="person")
        look(store, root)
        (root / "old").rename(root / "new")
        assert len(look(store, root).relinked) == 3
        assert classes_of(store) == {"new/x/1.png": 1, "new/y/1.png": 2, "new/y/2.png": 3}


@pytest.mark.parametrize("content", ["content of z", "a longer content"])
def test_content_changed_under_a_label_is_flagged_until_it_is_labelled_again(
    store: LabelStore, root: Path, content: str
) -> None:
    put(root, a=content)
    assert look(store, root) == AppliedFileChanges((), (), ("a.png",), ())
    assert store.flagged() == {ImageKey("a.png")}
    assert look(store, root) == NOTHING
    assert classes_of(store)["a.png"] == 1
    assert store.set_labels([(ImageKey("a.png"), 1)], source="person") == 1
    assert store.flagged() == set()
    flags = [change for change in store.changes_since(0) if change.kind == "flag"]
    assert [(change.before, change.after) for change in flags] == [(False, True), (True, False)]
    assert look(store, root) == NOTHING


def test_a_touched_file_of_the_same_content_is_not_flagged(store: LabelStore, root: Path) -> None:
    os.utime(root / "a.png", (1, 1))
    assert look(store, root) == NOTHING
    assert store.flagged() == set()
    put(root, a="content of z")  # still known by its content after the touch
    assert look(store, root).changed == ("a.png",)


def test_files_without_a_label_are_of_no_interest(store: LabelStore, root: Path) -> None:
    store.set_parts({ImageKey("c.png"): "train"})
    look(store, root)
    put(root, c="another content, longer")
    assert look(store, root) == NOTHING
    (root / "c.png").unlink()
    assert look(store, root) == NOTHING
    assert missing(store) == set()


def test_a_file_that_comes_back_changed_is_both(store: LabelStore, root: Path) -> None:
    (root / "a.png").unlink()
    look(store, root)
    put(root, a="something else")
    assert look(store, root) == AppliedFileChanges((), (), ("a.png",), ("a.png",))


def test_labels_imported_before_the_files_were_there_are_missing_and_found_later(
    store: LabelStore, root: Path
) -> None:
    store.set_labels([(ImageKey("later.png"), 1)], source="import")
    assert look(store, root).missing == ("later.png",)
    put(root, later="here now")
    assert look(store, root).returned == ("later.png",)


def test_a_file_that_cannot_be_read_is_left_alone(
    store: LabelStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> str:
        raise OSError(5, "Input/output error")

    store.set_labels([(ImageKey("c.png"), 1)], source="person")
    os.utime(root / "a.png", (1, 1))
    monkeypatch.setattr(hashes, "file_hash", broken)
    assert look(store, root) == NOTHING
    monkeypatch.undo()
    put(root, a="content of z")
    assert look(store, root).changed == ("a.png",)


def test_an_empty_dataset_makes_everything_missing_and_forgets_nothing(store: LabelStore, root: Path) -> None:
    for path in root.glob("*.png"):
        path.rename(root.parent / path.name)
    assert look(store, root).missing == ("a.png", "b.png")
    for path in root.parent.glob("*.png"):
        path.rename(root / path.name)
    assert look(store, root).returned == ("a.png", "b.png")
    assert classes_of(store) == {"a.png": 1, "b.png": 2}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read for their hash."""
    names: list[str] = []
    original = hashes.file_hash
    monkeypatch.setattr(hashes, "file_hash", lambda path: (names.append(path.name), original(path))[1])
    return names


def glance(store: LabelStore, root: Path) -> AppliedFileChanges:
    """As the app does at opening."""
    return store.apply_file_changes(
        find_file_changes(store.stored_files(), scan(root).files, root, hashing="doubtful")
    )


def test_opening_reads_no_file_where_nothing_looks_off(
    store: LabelStore, root: Path, read: list[str]
) -> None:
    put(root, **{f"many{i}": "the content of many" for i in range(20)})
    store.set_labels([(ImageKey(f"many{i}.png"), 1) for i in range(20)], source="person")
    before = store.path.read_bytes()
    assert glance(store, root) == NOTHING
    assert read == []
    assert store.path.read_bytes() == before
    look(store, root)  # as a training does
    assert len(read) == 20


def test_opening_reads_what_was_touched_and_where_a_missing_file_may_be(
    store: LabelStore, root: Path, read: list[str]
) -> None:
    os.utime(root / "b.png", (1, 1))
    (root / "a.png").rename(root / "moved.png")
    put(root, other="a content of another size")
    done = glance(store, root)
    assert done == AppliedFileChanges((), (("a.png", "moved.png"),), (), ())
    assert sorted(read) == ["b.png", "moved.png"]
    assert glance(store, root) == NOTHING
    assert len(read) == 2


def test_facts_noted_in_idle_time_let_a_file_be_followed(store: LabelStore, root: Path) -> None:
    store.set_labels([(ImageKey("c.png"), 1)], source="person")
    last = store.last_change()
    [file] = [file for file in scan(root).files if file.path == "c.png"]
    assert store.save_fingerprints([(file, hashes.file_hash(root / "c.png"))]) == 1
    assert store.last_change() == last
    (root / "c.png").rename(root / "moved.png")
    assert glance(store, root).relinked == (("c.png", "moved.png"),)


def test_facts_are_noted_of_labelled_files_only_and_hide_no_change(store: LabelStore, root: Path) -> None:
    store.set_note(ImageKey("c.png"), "no label")
    known = store.stored_files()
    strange = [(ImageFile(path, 1, 1), "0" * 40) for path in ("a.png", "c.png", "new.png")]
    assert store.save_fingerprints(strange) == 0
    assert store.stored_files() == known
    store.save_fingerprints([(ImageFile("a.png", 12, 77), known["a.png"].hash or "")])
    assert store.stored_files()["a.png"].mtime_ns == 77


def concerned(store: LabelStore, step: Step) -> list[ImageKey | None]:
    return [change.image for change in store.changes_since(0) if change.batch == step.batch]


def test_following_files_does_not_stand_in_the_way_of_undo(store: LabelStore, root: Path) -> None:
    (root / "a.png").rename(root / "moved.png")
    put(root, b="content of z")
    done = look(store, root)
    assert (done.relinked, done.changed) == ((("a.png", "moved.png"),), ("b.png",))
    step = store.undo()
    assert step is not None
    assert step.what == "Undid: 2 images to different classes."
    assert set(concerned(store, step)) == {ImageKey("moved.png"), ImageKey("b.png")}


def test_a_move_and_what_was_done_to_the_file_in_one_transaction_are_undone_together(
    store: LabelStore, root: Path
) -> None:
    (root / "a.png").rename(root / "moved.png")
    with store.transaction():
        look(store, root)
        store.set_flagged([ImageKey("moved.png")], True)
    assert store.undo() is not None
    assert classes_of(store) == {"a.png": 1, "b.png": 2}
    assert store.marks() == {}


def test_a_move_is_undone_by_naming_it_and_not_made_again(store: LabelStore, root: Path) -> None:
    (root / "a.png").rename(root / "moved.png")
    done = look(store, root)
    step = store.undo(done.batch)
    assert step is not None
    assert step.what == "Undid: link of moved.png to a moved file."
    assert concerned(store, step) == [ImageKey("a.png")]
    assert classes_of(store) == {"a.png": 1, "b.png": 2}
    assert missing(store) == {"a.png"}
    assert look(store, root) == AppliedFileChanges(("a.png",), (), (), ())
    assert store.undo(done.batch) is None
    step = store.redo()
    assert step is not None
    assert concerned(store, step) == [ImageKey("moved.png")]
    assert classes_of(store) == {"moved.png": 1, "b.png": 2}
    assert missing(store) == set()
    assert look(store, root) == NOTHING
    assert store.undo() is not None  # asked for by hand, so it is the next to go
    (root / "moved.png").rename(root / "a.png")
    assert look(store, root).returned == ("a.png",)
    (root / "a.png").rename(root / "elsewhere.png")
    assert look(store, root).relinked == (("a.png", "elsewhere.png"),)


def test_a_move_is_not_undone_once_its_image_was_labelled_again(store: LabelStore, root: Path) -> None:
    (root / "a.png").rename(root / "moved.png")
    done = look(store, root)
    with LabelStore(store.path, annotator="berta") as berta:
        berta.set_labels([(ImageKey("moved.png"), 2)], source="person")
    with pytest.raises(StoreConflict, match=r"Undo would overwrite a change of moved\.png by berta; nothing"):
        store.undo(done.batch)
    assert classes_of(store) == {"moved.png": 2, "b.png": 2}


def test_a_move_is_not_undone_where_another_image_has_the_name(store: LabelStore, root: Path) -> None:
    (root / "a.png").rename(root / "moved.png")
    done = look(store, root)
    store.set_labels([(ImageKey("a.png"), 2)], source="person")
    with pytest.raises(StoreConflict, match=r"Undo would need the name a\.png, which another image has"):
        store.undo(done.batch)


def test_only_what_following_wrote_is_undone_by_name(store: LabelStore, root: Path) -> None:
    [label, *_] = [change for change in store.changes_since(0) if change.kind == "label"]
    assert look(store, root).batch is None
    assert store.undo(label.batch) is None
    assert store.undo(12345) is None
    put(root, a="content of z")
    done = look(store, root)
    step = store.undo(done.batch)
    assert step is not None
    assert store.flagged() == set()


def test_a_label_given_to_the_new_file_meanwhile_is_not_overwritten(store: LabelStore, root: Path) -> None:
    (root / "a.png").rename(root / "moved.png")
    plan = find_file_changes(store.stored_files(), scan(root).files, root)
    with LabelStore(store.path, annotator="berta") as berta:
        berta.set_labels([(ImageKey("moved.png"), 2)], source="person")
    assert store.apply_file_changes(plan).relinked == ()
    assert classes_of(store) == {"a.png": 1, "moved.png": 2, "b.png": 2}


def test_two_who_follow_the_same_move_make_it_once(store: LabelStore, root: Path) -> None:
    (root / "a.png").rename(root / "moved.png")
    files = scan(root).files
    with LabelStore(store.path, annotator="berta") as berta:
        plans = [find_file_changes(each.stored_files(), files, root) for each in (store, berta)]
        assert berta.apply_file_changes(plans[1]).relinked == (("a.png", "moved.png"),)
        assert store.apply_file_changes(plans[0]).relinked == ()
    assert classes_of(store) == {"moved.png": 1, "b.png": 2}
    assert look(store, root) == NOTHING


def test_a_label_is_undone_even_after_its_flag_came_back(store: LabelStore, root: Path) -> None:
    put(root, a="content of z")
    look(store, root)
    store.set_labels([(ImageKey("a.png"), 2)], source="person")
    put(root, a="content of y, changed again")
    look(store, root)
    assert store.flagged() == {ImageKey("a.png")}
    assert store.undo() is not None
    assert classes_of(store)["a.png"] == 1
    assert store.flagged() == {ImageKey("a.png")}


def test_a_person_can_say_that_changed_content_is_fine(store: LabelStore, root: Path) -> None:
    put(root, a="content of z")
    look(store, root)
    assert store.set_flagged([ImageKey("a.png")], False) == 1
    assert store.marks() == {}
    assert look(store, root) == NOTHING
    store.undo()
    assert store.flagged() == {ImageKey("a.png")}


def test_the_newest_move_that_stands_is_undone_without_naming_it_and_linked_again_by_redo(
    store: LabelStore, root: Path
) -> None:
    assert store.undo_links() is None
    (root / "a.png").rename(root / "moved.png")
    look(store, root)
    (root / "c.png").write_text("another content")
    store.set_labels([(ImageKey("c.png"), 1)], source="person")
    step = store.undo_links()
    assert step is not None and step.what == "Undid: link of moved.png to a moved file."
    assert classes_of(store) == {"a.png": 1, "b.png": 2, "c.png": 1}
    assert store.undo_links() is None
    assert store.redo() is not None
    assert classes_of(store) == {"moved.png": 1, "b.png": 2, "c.png": 1}
