"""Labels of stacks that version 0.1.0 made, when every page of a TIFF was an image."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from stack_support import NEW_FRAMES, imagej, labelled_stacks, page, tiff

from mia_tui.dataset.dataset import renumber_frames
from mia_tui.dataset.images.reading import new_frame_numbers
from mia_tui.dataset.labelled_images import LabelledSet, labelled_images
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.store.frame_numbers import FramesNow, present_keys, with_present_frames
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.migrations import VERSION
from mia_tui.errors import StoreConflict
from mia_tui.paths import find_state
from mia_tui.runs.preflight.prepare import read_dataset

HYPER, CELLS, TIMES, PAGES = (
    f"stacks/{name}" for name in ("hyper.tif", "cells.ome.tif", "times.ome.tif", "pages.tif")
)
LABELS_NOW = {
    (HYPER, 0): "dark",
    (HYPER, 1): "dark",
    (HYPER, 2): "light",
    (CELLS, 0): "dark",
    (TIMES, 0): "light",
    (TIMES, 1): "light",
    (PAGES, 0): "dark",
    (PAGES, 1): "light",
    (PAGES, 2): "dark",
    ("stacks/film.gif", 0): "dark",
    ("stacks/film.gif", 1): "light",
    **{(f"{number}.tif", 0): "dark" if number % 2 else "light" for number in range(8)},
}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield labelled_stacks(tmp_path / "cells")


def migrate(root: Path) -> list[str]:
    with LabelStore(root / "mia/labels.db", annotator="eve") as store:
        return renumber_frames(store, scan(root, frames="all"), root)


def stored(root: Path) -> dict[tuple[str, int], str]:
    with LabelStore(root / "mia/labels.db", annotator="eve") as store:
        names = {known.id: known.name for known in store.classes()}
        return {(key.path, key.frame): names[label.class_id] for key, label in store.labels().items()}


def read(root: Path) -> tuple[LabelledSet, dict[tuple[str, int], str]]:
    found = labelled_images(scan(root, frames="all"), root, find_state(root, None))
    names = [named.name for named in found.classes]
    return found, {(key.path, key.frame): names[index] for key, index in found.labels.items()}


def test_the_pages_of_stacks_with_channels_have_other_frames_now(root: Path) -> None:
    for path in (HYPER, CELLS, TIMES):
        assert new_frame_numbers(root / path) == NEW_FRAMES[path]
    assert new_frame_numbers(root / PAGES) is None


def test_labels_of_channels_join_the_image_they_are_part_of(root: Path) -> None:
    notes = " ".join(migrate(root))
    assert stored(root) == LABELS_NOW
    assert "Labels of 3 stacks got the numbers that frames have now" in notes
    assert "2 images have channels with different labels" in notes
    assert migrate(root) == []


def test_of_different_labels_the_first_stays_and_a_note_says_what_the_others_were(root: Path) -> None:
    migrate(root)
    with LabelStore(root / "mia/labels.db") as store:
        marks = store.marks()
    assert marks[ImageKey(HYPER, 1)].flagged
    assert marks[ImageKey(HYPER, 1)].note == 'before its channels became one image, page 4 was "light"'
    assert ImageKey(HYPER, 0) not in marks
    assert marks[ImageKey(CELLS, 0)].note == "two nuclei; dim"
    assert marks[ImageKey(CELLS, 0)].flagged
    assert marks[ImageKey(CELLS, 1)].skipped


def test_a_note_names_some_of_the_pages_that_differed(root: Path) -> None:
    pages = [page(number) for number in range(40)]
    (root / HYPER).write_bytes(tiff(pages, imagej(40, 1)))
    with closing(sqlite3.connect(root / "mia/labels.db")) as db, db:
        for number in range(6, 40):
            image = db.execute(
                "INSERT INTO image (path, frame) VALUES (?, ?)", (HYPER.encode(), number)
            ).lastrowid
            db.execute("INSERT INTO label VALUES (?, ?, 1.0, 'eve', 'person')", (image, 1 + number % 2))
    migrate(root)
    with LabelStore(root / "mia/labels.db") as store:
        note = store.marks()[ImageKey(HYPER, 0)].note
    assert note is not None and note.count("page") == 8 and note.endswith(" more")


def test_each_image_is_in_one_part_of_the_split(root: Path) -> None:
    migrate(root)
    with LabelStore(root / "mia/labels.db") as store:
        parts = {(key.path, key.frame): part for key, part in store.parts().items()}
    assert parts.keys() == LABELS_NOW.keys()
    assert {parts[path, frame] for path, frame in parts if path == HYPER} == {"train"}
    assert parts[CELLS, 0] == "val"


def test_what_happened_can_be_read_in_the_history_and_is_nobodys_step(root: Path) -> None:
    with LabelStore(root / "mia/labels.db", annotator="ann") as store:
        last = store.last_change()
        before = len(store.changes_since(0))
        renumber_frames(store, scan(root, frames="all"), root)
        changes = store.changes_since(last)
        assert {change.kind for change in changes} == {"frame", "label", "flag", "note"}
        assert len(store.changes_since(0)) == before + len(changes)
        moved = {
            (change.image.path, change.before, change.after)
            for change in changes
            if change.kind == "frame" and change.image is not None
        }
        assert (HYPER, -2 - 5, 2) in moved
        with pytest.raises(StoreConflict, match="number that its frame does not have"):
            store.undo(changes[0].batch)
        step = store.undo()
        assert step is not None and "film.gif" in step.what


def test_a_label_that_was_given_in_the_meantime_stays(root: Path) -> None:
    with LabelStore(root / "mia/labels.db", annotator="eve") as store:
        light = store.classes()[1].id
        store.set_labels([(ImageKey(HYPER, 0), light), (ImageKey(HYPER, 1), light)], source="person")
    assert migrate(root)
    found = stored(root)
    assert found[HYPER, 1] == "light"
    with LabelStore(root / "mia/labels.db") as store:
        assert 'page 3 was "dark"' in (store.marks()[ImageKey(HYPER, 1)].note or "")


def test_without_writing_labels_are_read_by_the_frames_of_today(root: Path) -> None:
    database = root / "mia/labels.db"
    content = database.read_bytes()
    found, labels = read(root)
    assert labels == LABELS_NOW
    assert any("different labels; of each, the first counts" in note for note in found.notes)
    assert database.read_bytes() == content


def test_a_missing_stack_waits_with_its_labels_until_it_is_back(root: Path) -> None:
    (root / HYPER).rename(root.parent / "away.tif")
    migrate(root)
    found, labels = read(root)
    assert not any(path == HYPER for path, _ in labels)
    assert labels == {key: name for key, name in LABELS_NOW.items() if key[0] != HYPER}
    assert any("Labels of 1 stack that cannot be read now are left out" in note for note in found.notes)
    (root.parent / "away.tif").rename(root / HYPER)
    migrate(root)
    assert stored(root) == LABELS_NOW


def test_a_damaged_stack_waits_too(root: Path) -> None:
    content = (root / TIMES).read_bytes()
    (root / TIMES).write_bytes(content[:6] + b"\xff" * 20)
    migrate(root)
    assert (TIMES, 1) not in read(root)[1]
    (root / TIMES).write_bytes(content)
    migrate(root)
    assert stored(root) == LABELS_NOW


def test_labels_follow_a_stack_that_was_moved_and_renumbered(root: Path) -> None:
    (root / HYPER).rename(root / "moved.tif")
    found = read_dataset(root, frames="all", follow=True)
    names = [named.name for named in found.labelled.classes]
    labels = {
        key.frame: names[index] for key, index in found.labelled.labels.items() if key.path == "moved.tif"
    }
    assert labels == {0: "dark", 1: "dark", 2: "light"}


def test_a_moved_stack_is_read_right_where_nothing_can_be_written(root: Path) -> None:
    (root / HYPER).rename(root / "moved.tif")
    _, labels = read(root)
    assert {frame: name for (path, frame), name in labels.items() if path == "moved.tif"} == {
        0: "dark",
        1: "dark",
        2: "light",
    }


def test_an_earlier_version_refuses_the_file_by_its_number(root: Path) -> None:
    migrate(root)
    with closing(sqlite3.connect(root / "mia/labels.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert database.execute("SELECT COUNT(*) FROM image WHERE numbering = 1").fetchone() == (0,)


def test_names_that_are_not_utf8_and_endings_in_capitals_are_known_as_stacks(root: Path) -> None:
    with closing(sqlite3.connect(root / "mia/labels.db")) as database:
        database.execute("UPDATE image SET path = ? WHERE path = ?", (b"\xff/S.TIF", HYPER.encode()))
        database.commit()
    odd = "\udcff/S.TIF"
    waiting = {key for key in read_labels_of(root) if key.path == odd}
    assert waiting == {ImageKey(odd, frame) for frame in (0, -3, -4, -5, -7)}
    migrate(root)
    assert {key for key in read_labels_of(root) if key.path == odd} == waiting
    (root / HYPER).rename(root / "moved.tif")
    migrate(root)
    with LabelStore(root / "mia/labels.db") as store:
        assert store.old_pages() == {odd: [0, 1, 2, 3, 5]}


def read_labels_of(root: Path) -> set[ImageKey]:
    store = LabelStore.open_existing(root / "mia/labels.db")
    assert store is not None
    with store:
        return set(store.labels())


def test_a_locked_file_is_read_by_the_frames_of_today(root: Path) -> None:
    with closing(sqlite3.connect(root / "mia/labels.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert read(root)[1] == LABELS_NOW


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ([1, 0, 2], {0: "light", 1: "dark", 2: "dark"}),  # the first page is the second frame
        ([-1, 0, 1], {-2: "dark", 0: "light", 1: "dark"}),  # a thumbnail, which is no image any more
        ([2, 0, 1], {2: "dark", 0: "light", 1: "dark"}),
        ([0, -1, -1], {0: "dark", -3: "light", -4: "dark"}),
    ],
)
def test_pages_change_places_or_are_no_images_any_more_and_no_label_is_lost(
    root: Path, numbers: list[int], wanted: dict[int, str]
) -> None:
    now = FramesNow({PAGES: numbers}, {PAGES})
    with LabelStore(root / "mia/labels.db") as store:
        read, _ = with_present_frames(store.labels(), present_keys(store.old_pages(), now))
        session = LabelSession(Listing())
        for _ in session.load_in_steps(store.classes(), store.labels(), store.marks()):
            pass
        last = store.last_change()
        store.apply_frames(now)
        steps = session.apply_in_steps(store.changes_since(last))
        with suppress(StopIteration):
            while True:
                next(steps)
        assert PAGES not in store.old_pages()
        assert {key for key in store.labels() if key.path == PAGES} == {
            key for key in read if key.path == PAGES
        }
    assert {frame: name for (path, frame), name in stored(root).items() if path == PAGES} == wanted
    session.replace_listing(list_images(root).listing)  # type: ignore[union-attr]
    for row, key in enumerate(session.listing.keys(np.arange(len(session.listing), dtype=np.int32))):
        if key.path == PAGES:
            label = session.state_of(row).image_class
            assert (label.name if label else None) == wanted.get(key.frame)
