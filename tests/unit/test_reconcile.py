"""Labels follow files that move, wait for files that are gone, and are doubted where a file changed."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mia_tui.dataset import hashes
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.reconcile import Reconciled
from mia_tui.dataset.scan import scan
from mia_tui.dataset.store import LabelStore
from mia_tui.errors import DataError

NOTHING = Reconciled((), (), (), ())


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


def look(store: LabelStore, root: Path) -> Reconciled:
    try:
        files = scan(root).files
    except DataError:
        files = ()
    return store.reconcile(files, root)


def classes_of(store: LabelStore) -> dict[str, int]:
    return {key.path: label.class_id for key, label in store.labels().items()}


def test_where_nothing_happened_nothing_is_written(store: LabelStore, root: Path) -> None:
    before = store.path.read_bytes()
    assert look(store, root) == NOTHING
    assert store.path.read_bytes() == before
    assert len(list(store.history())) == 4


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
    assert look(store, root) == Reconciled(("a.png",), (), (), ())
    assert store.missing() == {ImageKey("a.png")}
    assert look(store, root).missing == ("a.png",)
    assert classes_of(store) == {"a.png": 1, "b.png": 2}
    (root.parent / "a.png").rename(root / "a.png")
    assert look(store, root) == Reconciled((), (), (), ("a.png",))
    assert store.missing() == set()


def test_a_moved_file_takes_its_label_along(store: LabelStore, root: Path) -> None:
    store.set_parts({ImageKey("a.png"): "test"})
    (root / "sub").mkdir()
    (root / "a.png").rename(root / "sub" / "new.png")
    assert look(store, root) == Reconciled((), (("a.png", "sub/new.png"),), (), ())
    assert classes_of(store) == {"sub/new.png": 1, "b.png": 2}
    assert store.parts() == {ImageKey("sub/new.png"): "test"}
    assert look(store, root) == NOTHING


def test_a_move_stands_in_the_history_so_that_it_can_be_undone(store: LabelStore, root: Path) -> None:
    strange = os.fsdecode(b"caf\xe9 %.png")
    (root / "a.png").rename(root / strange)
    look(store, root)
    change = list(store.history())[-1]
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
    assert look(store, root) == Reconciled(("a.png",), (), (), ())


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
    assert look(store, root) == Reconciled((), (), ("a.png",), ())
    assert store.flagged() == {ImageKey("a.png")}
    assert look(store, root) == NOTHING
    assert classes_of(store)["a.png"] == 1
    assert store.set_labels([(ImageKey("a.png"), 1)], source="person") == 1
    assert store.flagged() == set()
    flags = [change for change in store.history() if change.kind == "flag"]
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
    assert store.missing() == set()


def test_a_file_that_comes_back_changed_is_both(store: LabelStore, root: Path) -> None:
    (root / "a.png").unlink()
    look(store, root)
    put(root, a="something else")
    assert look(store, root) == Reconciled((), (), ("a.png",), ("a.png",))


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
