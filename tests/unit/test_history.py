"""Undo and redo without end, across actions, people and restarts, and never over somebody else's work."""

import gc
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_support import on_small_disk

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import edits, history, rows, undo
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.migrations import MIGRATIONS, VERSION, schema_version
from mia_tui.dataset.store.records import Change, Label, Mark, Step
from mia_tui.errors import DataError, StoreConflict, StoreError

A, B, C = ImageKey("a.png"), ImageKey("b.png"), ImageKey("stack.tif", 7)
ROUND, FLAT = 1, 2


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


@pytest.fixture
def anna(db: Path) -> Iterator[LabelStore]:
    """Beside classes that somebody else made: they are not anna's to undo."""
    with LabelStore(db, annotator="carla") as store:
        for name in ("round", "flat"):
            store.add_class(name)
    with LabelStore(db, annotator="anna") as store:
        yield store


@pytest.fixture
def berta(anna: LabelStore, db: Path) -> Iterator[LabelStore]:
    with LabelStore(db, annotator="berta") as store:
        yield store


def classes_of(store: LabelStore) -> dict[ImageKey, int]:
    return {key: label.class_id for key, label in store.labels().items()}


def state_of(store: LabelStore) -> tuple[object, ...]:
    return store.labels(), store.classes(archived=True), store.marks()


def made_by(store: LabelStore, step: Step) -> list[Change]:
    return [change for change in store.changes_since(0) if change.batch == step.batch]


def what(step: Step | None) -> str:
    assert step is not None
    return step.what


def test_the_very_first_label_can_be_undone(anna: LabelStore) -> None:
    """The predecessor's undo needed two entries, and forgot everything at the next image."""
    anna.set_labels([(A, ROUND)], source="person")
    step = anna.undo()
    assert what(step) == 'Undid: a.png to "round".'
    assert step is not None
    assert [(change.kind, change.image, change.after) for change in made_by(anna, step)] == [
        ("label", A, None)
    ]
    assert anna.labels() == {}


def test_undo_goes_on_to_the_start_and_redo_to_the_end(anna: LabelStore) -> None:
    states = [anna.labels()]
    for class_id in (ROUND, FLAT, None, ROUND):
        for key in (A, B):
            anna.set_labels([(key, class_id)], source="person")
            states.append(anna.labels())
    for _ in range(3):
        for state in reversed(states[:-1]):
            assert anna.undo() is not None
            assert anna.labels() == state
        assert anna.undo() is None
        for state in states[1:]:
            assert anna.redo() is not None
            assert anna.labels() == state
        assert anna.redo() is None


def test_undo_reaches_across_restarts(anna: LabelStore, db: Path) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    anna.set_labels([(A, FLAT), (B, FLAT)], source="import")
    anna.close()
    with LabelStore(db, annotator="anna") as again:
        assert what(again.undo()) == "Undid: import of 2 labels."
        assert classes_of(again) == {A: ROUND}
    with LabelStore(db, annotator="anna") as again:
        assert what(again.redo()) == "Redid: import of 2 labels."
        assert again.labels()[A].source == "import"


def test_a_former_label_comes_back_with_who_made_it_and_when(anna: LabelStore, berta: LabelStore) -> None:
    berta.set_labels([(A, ROUND)], source="accepted")
    before = anna.labels()
    anna.set_labels([(A, FLAT)], source="person")
    anna.undo()
    assert anna.labels() == before


def test_a_bulk_action_is_one_step(anna: LabelStore) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    anna.set_labels([(A, FLAT), (B, FLAT), (C, FLAT)], source="person")
    assert what(anna.undo()) == 'Undid: 3 images to "flat".'
    assert classes_of(anna) == {A: ROUND}


def test_what_one_transaction_did_twice_to_an_image_is_undone_whole(anna: LabelStore) -> None:
    before = state_of(anna)
    with anna.transaction():
        new = anna.add_class("new")
        anna.set_labels([(A, new.id), (A, ROUND), (A, None), (B, FLAT)], source="person")
        anna.set_flagged([A], True)
        anna.set_labels([(A, new.id)], source="person")
    after = state_of(anna)
    anna.undo()
    assert state_of(anna) == before
    anna.redo()
    assert state_of(anna) == after


def test_something_new_after_an_undo_ends_what_can_be_brought_back(anna: LabelStore) -> None:
    for key in (A, B):
        anna.set_labels([(key, ROUND)], source="person")
    anna.undo()
    anna.set_labels([(C, ROUND)], source="person")
    assert anna.redo() is None
    anna.undo()
    assert what(anna.redo()) == 'Redid: stack.tif to "round".'
    assert anna.redo() is None
    assert anna.undo() and anna.undo() and anna.undo() is None
    assert anna.labels() == {}


def test_an_action_that_changed_nothing_is_no_step(anna: LabelStore) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    anna.undo()
    assert anna.set_labels([(A, None)], source="person") == 0
    anna.set_meta("x", "y")
    anna.set_parts({A: "train"})
    assert what(anna.redo()) == 'Redid: a.png to "round".'
    assert what(anna.undo()) == 'Undid: a.png to "round".'


def test_undo_is_refused_within_a_transaction(anna: LabelStore) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    with pytest.raises(RuntimeError), anna.transaction():
        anna.undo()
    assert classes_of(anna) == {A: ROUND}


def test_everybody_undoes_their_own_last_step(anna: LabelStore, berta: LabelStore) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    berta.set_labels([(B, FLAT)], source="person")
    assert what(anna.undo()) == 'Undid: a.png to "round".'
    assert classes_of(berta) == {B: FLAT}
    assert anna.undo() is None
    assert berta.redo() is None
    assert berta.undo() is not None
    assert anna.redo() is not None
    assert classes_of(berta) == {A: ROUND}


def test_two_windows_of_one_person_share_their_steps(anna: LabelStore, db: Path) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    with LabelStore(db, annotator="anna") as other:
        assert what(other.undo()) == 'Undid: a.png to "round".'
    assert anna.undo() is None
    assert what(anna.redo()) == 'Redid: a.png to "round".'


@pytest.mark.parametrize(
    ("mine", "theirs", "says"),
    [
        (
            lambda s: s.set_labels([(A, ROUND), (B, ROUND)], source="person"),
            lambda s: s.set_labels([(B, FLAT)], source="person"),
            "Undo would overwrite a change of the label of b.png by berta; nothing was changed.",
        ),
        (
            lambda s: s.set_labels([(A, ROUND)], source="person"),
            lambda s: s.set_labels([(A, None)], source="person"),
            "Undo would overwrite a change of the label of a.png by berta; nothing was changed.",
        ),
        (
            lambda s: s.set_note(A, "mine"),
            lambda s: s.set_note(A, "theirs"),
            "Undo would overwrite a change of the note of a.png by berta; nothing was changed.",
        ),
        (
            lambda s: s.set_skipped([A, B], True),
            lambda s: s.set_skipped([B], False),
            "Undo would overwrite a change of the skip mark of b.png by berta; nothing was changed.",
        ),
        (
            lambda s: s.set_flagged([A, B], True),
            lambda s: s.set_flagged([B], False),
            "Undo would overwrite a change of the flag of b.png by berta; nothing was changed.",
        ),
        (
            lambda s: s.rename_class(ROUND, "ball"),
            lambda s: s.rename_class(ROUND, "disc"),
            'Undo would overwrite a change of the class "disc" by berta; nothing was changed.',
        ),
        (
            lambda s: s.rename_class(ROUND, "ball"),
            lambda s: s.add_class("round"),
            'Undo would need the name "round", which another class has now; nothing was changed.',
        ),
        (
            lambda s: s.set_class_key(ROUND, "r"),
            lambda s: s.add_class("new", key="1"),
            'Undo would need the key 1, which the class "new" has now; nothing was changed.',
        ),
        (
            lambda s: s.add_class("mine"),
            lambda s: s.set_labels([(A, 3)], source="person"),
            'Undo would remove the class "mine", which berta uses; nothing was changed.',
        ),
        (
            lambda s: s.add_class("mine"),
            lambda s: s.recolour_class(3, "#000000"),
            'Undo would overwrite a change of the class "mine" by berta; nothing was changed.',
        ),
        (
            lambda s: (s.archive_class(ROUND), s.restore_class(ROUND)),
            lambda s: s.set_labels([(A, ROUND)], source="person"),
            'Undo would archive the class "round", which berta uses; nothing was changed.',
        ),
        (
            lambda s: [s.set_labels([(A, class_id)], source="person") for class_id in (ROUND, FLAT)],
            lambda s: s.archive_class(ROUND),
            'Undo would return a.png to the class "round", which is archived now; nothing was changed.',
        ),
    ],
)
def test_undo_stops_where_somebody_else_changed_the_same_since(
    anna: LabelStore, berta: LabelStore, mine: Any, theirs: Any, says: str
) -> None:
    mine(anna)
    theirs(berta)
    before = state_of(anna), anna.changes_since(0)
    with pytest.raises(StoreConflict) as caught:
        anna.undo()
    assert str(caught.value) == says
    assert caught.value.exit_code == 3
    assert (state_of(anna), anna.changes_since(0)) == before


def test_redo_stops_where_somebody_else_changed_the_same_since(anna: LabelStore, berta: LabelStore) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    anna.undo()
    berta.set_labels([(A, FLAT)], source="person")
    with pytest.raises(StoreConflict, match="Redo would overwrite a change of the label of a"):
        anna.redo()
    berta.undo()
    assert what(anna.redo()) == 'Redid: a.png to "round".'


def test_an_undo_does_not_label_with_a_class_that_was_taken_back(anna: LabelStore, berta: LabelStore) -> None:
    berta.add_class("theirs")
    anna.set_labels([(A, 3)], source="person")
    anna.set_labels([(A, ROUND)], source="person")
    berta.undo()
    with pytest.raises(StoreConflict, match="to a class that no longer exists"):
        anna.undo()


def test_a_label_of_a_class_that_was_archived_already_comes_back(anna: LabelStore) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    anna.archive_class(ROUND)
    anna.set_labels([(A, FLAT)], source="person")
    anna.restore_class(ROUND)
    for _ in range(2):
        anna.undo()
    assert classes_of(anna) == {A: ROUND}
    assert [known.name for known in anna.classes()] == ["flat"]


def test_people_can_change_different_things_of_one_class(anna: LabelStore, berta: LabelStore) -> None:
    anna.rename_class(ROUND, "ball")
    berta.recolour_class(ROUND, "#000000")
    assert what(anna.undo()) == 'Undid: class "round" renamed to "ball".'
    assert (anna.classes()[0].name, anna.classes()[0].colour) == ("round", "#000000")
    assert what(berta.undo()) == 'Undid: colour of class "round".'


def test_an_archived_class_comes_back_without_its_key_if_somebody_took_that(
    anna: LabelStore, berta: LabelStore
) -> None:
    anna.archive_class(ROUND)
    berta.add_class("new", key="1")
    anna.undo()
    assert [known.key for known in anna.classes()] == [None, "2", "1"]
    anna.redo()
    assert [known.name for known in anna.classes()] == ["flat", "new"]


def test_marks_are_kept_and_undone(anna: LabelStore, db: Path) -> None:
    assert anna.set_flagged([A, B], True) == 2
    assert anna.set_skipped([A], True) == 1
    assert anna.set_note(A, "  two\ncells\x1b[2J ") == 1
    assert anna.set_flagged([A], True) == 0
    assert anna.set_flagged([C], False) == anna.set_note(C, " ") == 0
    expected = {A: Mark(True, True, "two cells\\x1b[2J"), B: Mark(flagged=True)}
    assert anna.marks() == expected
    changes = anna.changes_since(0)[-4:]
    assert [(change.kind, change.before, change.after) for change in changes] == [
        ("flag", False, True),
        ("flag", False, True),
        ("skip", False, True),
        ("note", None, "two cells\\x1b[2J"),
    ]
    assert [what(anna.undo()) for _ in range(3)] == [
        "Undid: note of a.png.",
        "Undid: a.png skipped.",
        "Undid: 2 images flagged.",
    ]
    assert anna.marks() == {}
    for _ in range(3):
        anna.redo()
    with LabelStore(db) as again:
        assert again.marks() == expected


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done together for a million images is a part of three here."""
    for module in (edits, undo):
        monkeypatch.setattr(module, "_AT_ONCE", 3)
    monkeypatch.setattr(rows, "_TOGETHER", 2)


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda s, keys: s.set_flagged(keys, True), "20 images flagged"),
        (lambda s, keys: s.set_skipped(keys, True), "20 images skipped"),
        (lambda s, keys: s.set_notes(keys, " two\ncells "), "note of 20 images"),
        (
            lambda s, keys: s.set_labels([(key, ROUND) for key in keys], source="person"),
            '20 images to "round"',
        ),
    ],
)
def test_what_is_done_to_many_images_in_parts_is_one_step(
    anna: LabelStore, berta: LabelStore, act: Any, says: str
) -> None:
    keys = [ImageKey(f"{number}.png") for number in range(20)]
    start = state_of(anna)
    assert act(anna, keys + keys[5:15]) == 20  # an image that is named twice changes once
    assert act(anna, keys) == 0
    done, seen = state_of(anna), anna.last_change()
    assert [change.image for change in anna.changes_since(0)][-20:] == keys
    assert what(anna.undo()) == f"Undid: {says}."
    assert state_of(anna) == start
    assert [change.image for change in anna.changes_since(seen)] == keys[::-1]
    assert what(anna.redo()) == f"Redid: {says}."
    assert state_of(anna) == done
    assert anna.undo() is not None and anna.undo() is None


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (lambda s, keys: s.set_flagged(keys, True), lambda s, key: s.set_flagged([key], False)),
        (lambda s, keys: s.set_skipped(keys, True), lambda s, key: s.set_skipped([key], False)),
        (lambda s, keys: s.set_notes(keys, "mine"), lambda s, key: s.set_note(key, "theirs")),
        (
            lambda s, keys: s.set_labels([(key, ROUND) for key in keys], source="person"),
            lambda s, key: s.set_labels([(key, FLAT)], source="person"),
        ),
    ],
)
@pytest.mark.parametrize("place", [0, 10, 19])
def test_undo_of_many_stops_whole_where_somebody_else_changed_one_of_them_since(
    anna: LabelStore, berta: LabelStore, mine: Any, theirs: Any, place: int
) -> None:
    keys = [ImageKey(f"{number}.png") for number in range(20)]
    mine(anna, keys)
    theirs(berta, keys[place])
    before = state_of(anna), anna.changes_since(0)
    with pytest.raises(StoreConflict, match=rf"Undo would overwrite a change of .* of {place}\.png by berta"):
        anna.undo()
    assert (state_of(anna), anna.changes_since(0)) == before
    berta.undo()
    anna.undo()
    mine(berta, keys[place : place + 1])
    with pytest.raises(StoreConflict, match=rf"Redo would overwrite a change of .* of {place}\.png by berta"):
        anna.redo()


@pytest.mark.usefixtures("in_parts")
def test_marks_that_one_transaction_set_and_took_away_again_are_undone_whole(anna: LabelStore) -> None:
    keys = [ImageKey(f"{number}.png") for number in range(10)]
    anna.set_notes(keys[::2], "before")
    before = state_of(anna)
    with anna.transaction():
        for on in (True, False, True):
            anna.set_flagged(keys, on)
            anna.set_skipped(keys[:7], on)
            anna.set_notes(keys, "x" if on else None)
    after = state_of(anna)
    anna.undo()
    assert state_of(anna) == before
    anna.redo()
    assert state_of(anna) == after


def test_an_undo_of_many_leaves_nothing_behind_that_would_be_let_go_of_at_once(anna: LabelStore) -> None:
    """A million rows that the next step let go of held up the screen for a third of a second."""
    anna.set_skipped([ImageKey(f"{number}.png") for number in range(500)], True)
    before = changes_alive()
    kept = [anna.undo(), anna.redo(), anna.undo()]
    assert [what(step) for step in kept][1] == "Redid: 500 images skipped."
    assert changes_alive() == before


def changes_alive() -> int:
    gc.collect()
    return sum(isinstance(found, Change) for found in gc.get_objects())


def test_marks_of_many_images_are_found_without_a_walk_through_all_images(anna: LabelStore) -> None:
    """A walk for each part made a quarter of a million flags take a minute."""
    asked: list[str] = []
    anna._db.set_trace_callback(asked.append)
    anna.set_skipped([A, B], True)
    anna.set_skipped([A, B], False)
    anna.set_labels([(A, ROUND), (B, ROUND)], source="person")
    for _ in range(3):
        anna.undo()
    anna._db.set_trace_callback(None)
    looked = [line for line in asked if line.startswith("SELECT")]
    plans = [row[3] for line in looked for row in anna._db.execute(f"EXPLAIN QUERY PLAN {line}")]
    assert any("wanted" in line for line in looked) and any("IN (SELECT" in line for line in looked)
    assert not [plan for plan in plans if plan in ("SCAN image", "SCAN label")], plans


def test_a_label_keeps_the_flag_of_a_person(anna: LabelStore) -> None:
    anna.set_flagged([A], True)
    anna.set_labels([(A, ROUND)], source="person")
    assert anna.marks() == {A: Mark(flagged=True)}
    assert anna.flagged() == set()  # those of changed content


def test_changes_since_are_those_of_everybody_in_order(anna: LabelStore, berta: LabelStore) -> None:
    start = anna.last_change()
    version = anna.data_version()
    anna.set_labels([(A, ROUND)], source="person")
    assert anna.data_version() == version
    berta.set_note(B, "x")
    berta.undo()
    assert anna.data_version() != version
    changes = anna.changes_since(start)
    assert [(change.annotator, change.kind, change.image) for change in changes] == [
        ("anna", "label", A),
        ("berta", "note", B),
        ("berta", "note", B),
    ]
    assert changes[2].undoes == changes[1].id
    assert [change.id for change in changes] == [start + 1, start + 2, start + 3]
    assert anna.last_change() == start + 3
    assert anna.changes_since(start + 3) == []


def test_every_write_but_bookkeeping_is_seen_by_changes_since(anna: LabelStore) -> None:
    for write in (
        lambda: anna.set_labels([(A, ROUND)], source="person"),
        lambda: anna.set_flagged([A], True),
        lambda: anna.set_skipped([A], True),
        lambda: anna.set_note(A, "x"),
        lambda: anna.add_class("new"),
        lambda: anna.rename_class(3, "newer"),
        lambda: anna.recolour_class(3, "#000000"),
        lambda: anna.set_class_key(3, "n"),
        lambda: anna.move_class(3, 0),
        lambda: anna.archive_class(3),
        lambda: anna.restore_class(3),
        lambda: anna.merge_class(ROUND, 3),
        lambda: anna.undo(),
        lambda: anna.redo(),
    ):
        last = anna.last_change()
        write()
        assert len({change.batch for change in anna.changes_since(last)}) == 1


def test_undo_and_redo_need_no_walk_through_the_history(anna: LabelStore) -> None:
    for query in (history._UNDOABLE, history._REDOABLE):
        plan = anna._db.execute(f"EXPLAIN QUERY PLAN {query}", {"who": "anna"}).fetchall()
        used = [row[3] for row in plan]
        assert not [line for line in used if line.startswith("SCAN change")], used
        assert any("change_step" in line for line in used)
        assert any("change_undoes" in line for line in used)


def test_a_labels_db_of_the_first_version_is_brought_up_with_its_history(db: Path) -> None:
    _first_version(db)
    with LabelStore(db, annotator="anna") as store:
        assert schema_version(store._db) == VERSION
        assert [copy.name[:7] for copy in (db.parent / "backups").iterdir()] == ["labels-"]
        assert what(store.undo()) == 'Undid: a.png to "round".'  # not the files that were followed since
        assert what(store.undo()) == 'Undid: class "round" added.'
        assert store.undo() is None


def test_a_labels_db_of_the_first_version_is_read_without_being_touched(db: Path) -> None:
    _first_version(db)
    content = db.read_bytes()
    store = LabelStore.open_existing(db, annotator="anna")
    assert store is not None
    with store:
        assert classes_of(store) == {A: 1}
        assert len(store.changes_since(0)) == store.last_change() == 4
        assert store.stored_files()["a.png"].labelled
        assert store.marks() == {A: Mark(flagged=True, changed=True)}
        assert db.read_bytes() == content
        assert store.set_labels([(B, 1)], source="person") == 1
        assert schema_version(store._db) == VERSION


def _first_version(db: Path) -> None:
    label = '{"class_id":1,"annotator":"anna","source":"person","updated_at":5.0}'
    new = '{"id":1,"name":"round","colour":"#e69f00","key":"1","position":0,"archived":false}'
    connection = sqlite3.connect(db, isolation_level=None)
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute("INSERT INTO class VALUES (1, 'round', '#e69f00', '1', 0, 0)")
    connection.execute("INSERT INTO image (path, frame, flagged) VALUES (CAST('a.png' AS BLOB), 0, 1)")
    connection.execute("INSERT INTO label VALUES (1, 1, 5.0, 'anna', 'person')")
    for batch, kind, before, after in (
        (1, "class", None, new),
        (2, "label", None, label),
        (3, "path", '"b.png"', '"a.png"'),
        (3, "flag", "false", "true"),
    ):
        connection.execute(
            """INSERT INTO change (batch, at, annotator, kind, target_id, before, after)
            VALUES (?, 5.0, 'anna', ?, 1, ?, ?)""",
            (batch, kind, before, after),
        )
    connection.execute("PRAGMA user_version = 1")
    connection.close()


def test_an_undo_on_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    said = on_small_disk(
        tmp_path / "disk",
        """
        from pathlib import Path
        from mia_tui.dataset.model import ImageKey
        from mia_tui.dataset.store.label_store import LabelStore
        from mia_tui.errors import StoreError
        folder = Path(sys.argv[1])
        store = LabelStore(folder / "mia" / "labels.db")
        store.add_class("round")
        store.set_labels([(ImageKey(f"{i}.png"), 1) for i in range(2500)], source="person")
        history = store.changes_since(0)
        with (folder / "ballast").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(b"x" * 1000)
                except OSError:
                    break
        try:
            store.undo()
        except StoreError as error:
            print(error)
        print(len(store.labels()), store.changes_since(0) == history)
        (folder / "ballast").unlink()
        print(store.undo().what, len(store.labels()))
        """,
        tmp_path / "disk",
        options="size=2m",
    ).splitlines()
    assert "labels.db is full. Free some space, or store the labels elsewhere with --state DIR." in said[0]
    assert said[1:] == ["2500 True", 'Undid: 2,500 images to "round". 0']


def test_every_new_write_says_when_the_file_is_busy(
    anna: LabelStore, berta: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna.set_labels([(A, ROUND)], source="person")
    anna._db.execute("PRAGMA busy_timeout = 10")
    berta._db.execute("BEGIN IMMEDIATE")
    for write in (
        lambda: anna.undo(),
        lambda: anna.redo(),
        lambda: anna.set_flagged([A], True),
        lambda: anna.set_note(A, "x"),
        lambda: anna.merge_class(ROUND, FLAT),
        lambda: anna.save_fingerprints([]),
    ):
        with pytest.raises(StoreError, match="Another program has been writing"):
            write()
    berta._db.execute("ROLLBACK")
    assert classes_of(anna) == {A: ROUND}


# Any mix of actions of two people

KEYS = [A, B, C]
_keys = st.lists(st.sampled_from(KEYS), max_size=3)
_class = st.integers(1, 4)
_who = st.sampled_from(["anna", "berta"])
_undo = st.tuples(_who, st.just("undo"))
_actions = st.one_of(
    st.tuples(
        _who,
        st.just("set_labels"),
        st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from([None, 1, 2, 3])), max_size=4),
        st.sampled_from(["person", "import", "accepted"]),
    ),
    st.tuples(_who, st.sampled_from(["set_flagged", "set_skipped"]), _keys, st.booleans()),
    st.tuples(_who, st.just("set_note"), st.sampled_from(KEYS), st.sampled_from([None, "x", "y"])),
    st.tuples(_who, st.just("add_class"), st.sampled_from(["round", "x", "y"])),
    st.tuples(_who, st.just("rename_class"), _class, st.sampled_from(["round", "x", "y"])),
    st.tuples(_who, st.just("recolour_class"), _class, st.sampled_from(["#000000", "#ffffff"])),
    st.tuples(_who, st.just("set_class_key"), _class, st.sampled_from([None, "1", "2", "x"])),
    st.tuples(_who, st.just("move_class"), _class, st.integers(0, 3)),
    st.tuples(_who, st.sampled_from(["archive_class", "restore_class"]), _class),
    st.tuples(_who, st.just("merge_class"), _class, _class),
    _undo,
    _undo,
    st.tuples(_who, st.just("redo")),
)


def act(store: LabelStore, name: str, *arguments: Any) -> bool:
    """Whether an action was taken; what is refused is refused whole."""
    before = store.last_change()
    try:
        if name == "set_labels":
            store.set_labels(arguments[0], source=arguments[1])
        else:
            getattr(store, name)(*arguments)
    except DataError:
        assert store.last_change() == before
        return False
    return store.last_change() != before


def replayed(store: LabelStore) -> tuple[dict[int, Any], dict[ImageKey, Label], dict[ImageKey, Mark]]:
    """Classes, labels and marks as the history alone gives them."""
    values: dict[tuple[str, int], Any] = {}
    images: dict[int, ImageKey] = {}
    for change in store.changes_since(0):
        place = (change.kind, change.target_id)
        assert change.before == values.get(place, False if change.kind in ("flag", "skip") else None)
        values[place] = change.after
        if change.image is not None:
            images[change.target_id] = change.image
    classes = {id: value for (kind, id), value in values.items() if kind == "class" and value}
    labels = {images[id]: Label(**value) for (kind, id), value in values.items() if kind == "label" and value}
    found = {
        key: Mark(values.get(("flag", id), False), values.get(("skip", id), False), values.get(("note", id)))
        for id, key in images.items()
    }
    return classes, labels, {key: mark for key, mark in found.items() if mark != Mark()}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(_actions, max_size=25))
def test_any_mix_of_actions_of_two_people_replays_from_the_history(tmp_path: Path, actions: list) -> None:
    path = tmp_path / "labels.db"
    path.unlink(missing_ok=True)
    stores = {who: LabelStore(path, annotator=who) for who in ("anna", "berta")}
    try:
        stores["anna"].add_class("round")
        stores["berta"].add_class("flat")
        for who, name, *arguments in actions:
            act(stores[who], name, *arguments)
        store = stores["anna"]
        classes, labels, marks = replayed(store)
        assert classes == {known.id: _fields(known) for known in store.classes(archived=True)}
        assert labels == store.labels()
        assert marks == store.marks()
        assert stores["berta"].labels() == store.labels()
    finally:
        for store in stores.values():
            store.close()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(_actions, max_size=20))
def test_undoing_all_leads_to_the_start_and_redoing_all_to_the_end(tmp_path: Path, actions: list) -> None:
    path = tmp_path / "labels.db"
    path.unlink(missing_ok=True)
    with LabelStore(path, annotator="carla") as store:
        for name in ("round", "flat"):
            store.add_class(name)
        store.set_labels([(A, ROUND), (B, FLAT)], source="import")
    with LabelStore(path, annotator="anna") as store:
        start = state_of(store)
        for _, name, *arguments in actions:
            act(store, name, *arguments)
        while store.redo() is not None:
            pass
        end, steps = state_of(store), 0
        while store.undo() is not None:
            steps += 1
        assert state_of(store) == start
        for _ in range(steps):
            assert store.redo() is not None
        assert state_of(store) == end
        assert store.redo() is None


def _fields(known: Any) -> dict[str, Any]:
    return {name: getattr(known, name) for name in ("id", "name", "colour", "key", "position", "archived")}
