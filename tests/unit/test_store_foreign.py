"""A labels.db, and what lies beside it, may come from anybody who can write into the folder: it steers nothing."""

import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mia_tui.dataset.images.reading import count_frames
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DecodeError, StoreError

A = ImageKey("a.png")
PAGE, SECTOR = 4096, 512


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "mia" / "labels.db"
    with LabelStore(path, annotator="anna") as store:
        store.add_class("round")
        store.add_class("flat")
        store.set_labels([(A, 1)], source="person")
    return path


def change(db: Path, *statements: str) -> None:
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def journal_that_names(victim: Path, db: Path) -> bytes:
    """A hot journal without pages, with a super-journal: SQLite plays it back and deletes what that name means.

    Source: https://www.sqlite.org/fileformat2.html#the_rollback_journal, and pager.c on the super-journal's name.
    """
    magic = bytes.fromhex("d9d505f920a163d7")
    header = magic + struct.pack(">IIIII", 0, 1, db.stat().st_size // PAGE, SECTOR, PAGE)
    name = bytes(victim)
    lock_page = 0x40000000 // PAGE + 1
    tail = struct.pack(">I", lock_page) + name + struct.pack(">II", len(name), sum(name)) + magic
    return header.ljust(SECTOR, b"\0") + tail


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    file = tmp_path / "thesis.txt"
    file.write_text("years of work\n")
    return file


def test_sqlite_itself_deletes_what_a_journal_names(db: Path, victim: Path) -> None:
    db.with_name("labels.db-journal").write_bytes(journal_that_names(victim, db))
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("SELECT * FROM class").fetchall()
    assert not victim.exists(), "the journal of this test is not what it should be"


def test_a_journal_that_names_another_file_is_refused_before_sqlite_deletes_that(
    db: Path, victim: Path
) -> None:
    db.with_name("labels.db-journal").write_bytes(journal_that_names(victim, db))
    with pytest.raises(StoreError, match=r"labels\.db-journal cannot be used: it names another file"):
        LabelStore.open_existing(db)
    with pytest.raises(StoreError, match="it names another file"):
        LabelStore(db)
    assert victim.exists()


def test_such_a_journal_is_noticed_in_a_store_that_is_open(db: Path, victim: Path) -> None:
    with LabelStore(db) as store:
        db.with_name("labels.db-journal").write_bytes(journal_that_names(victim, db))
        assert not store.is_in_place()  # the app asks before each access, and opens it anew, which is refused
        with pytest.raises(StoreError, match="it names another file"):
            store.set_labels([(A, 2)], source="person")
    assert victim.exists()


def test_a_journal_of_a_killed_program_is_still_played_back(db: Path) -> None:
    with closing(sqlite3.connect(db, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = PERSIST")
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE class SET name = name || 'x'")
        writer.execute("INSERT INTO meta VALUES ('k', hex(zeroblob(100000)))")  # more than the cache: spilled
        copy = db.parent.parent / "copy" / "labels.db"
        copy.parent.mkdir()
        for name in ("labels.db", "labels.db-journal"):
            copy.with_name(name).write_bytes(db.with_name(name).read_bytes())
        writer.execute("ROLLBACK")
    with LabelStore(copy) as store:
        assert [item.name for item in store.classes()] == ["round", "flat"]


COMPUTED = {
    "trigger": ["CREATE TRIGGER t AFTER INSERT ON change BEGIN DELETE FROM label; END"],
    "view": ["CREATE VIEW v AS SELECT 1"],
    "index on an expression": ["CREATE INDEX u ON label (length(zeroblob(image_id)))"],
    "unique index": ["CREATE UNIQUE INDEX u ON label (class_id)"],
    "generated column": ["ALTER TABLE image ADD COLUMN more TEXT AS (hex(zeroblob(400))) VIRTUAL"],
    "check": [
        "ALTER TABLE label RENAME TO old",
        "CREATE TABLE label (image_id INTEGER PRIMARY KEY, class_id INTEGER CHECK (class_id > 9), "
        "updated_at REAL, annotator TEXT, source TEXT)",
    ],
    "older version than its tables": ["PRAGMA user_version = 1"],
}


@pytest.mark.parametrize("what", COMPUTED)
def test_what_sqlite_would_compute_for_somebody_else_is_refused(db: Path, what: str) -> None:
    change(db, *COMPUTED[what])
    with pytest.raises(StoreError, match=r"is damaged: its (table|index|trigger|view) .* by another program"):
        LabelStore(db)


@pytest.mark.parametrize("what", COMPUTED)
def test_that_is_also_refused_in_a_store_that_is_open(db: Path, what: str) -> None:
    with LabelStore(db) as store:
        change(db, *COMPUTED[what])
        with pytest.raises(StoreError, match="by another program"):
            store.set_labels([(A, 2)], source="person")


def test_tables_of_other_programs_beside_ours_are_left_alone(db: Path) -> None:
    change(db, "CREATE TABLE notes_of_mine (x)", "CREATE INDEX mine ON notes_of_mine (x)", "ANALYZE")
    with LabelStore(db) as store:
        assert store.set_labels([(A, 2)], source="person") == 1


def test_a_value_that_would_fill_the_memory_is_refused(db: Path) -> None:
    change(db, "UPDATE image SET note = hex(zeroblob(20000000))")
    with LabelStore(db) as store, pytest.raises(StoreError, match="too big"):
        store.marks()


@pytest.mark.parametrize("how", ["link", "second name"])
def test_an_image_that_is_labels_db_takes_no_locks_away(db: Path, tmp_path: Path, how: str) -> None:
    image = tmp_path / "cell.tif"
    with LabelStore(db) as store, store.transaction():
        store.set_meta("k", "v")
        if how == "link":
            image.symlink_to(db)
        else:
            image.hardlink_to(db)
        with pytest.raises(DecodeError, match="has locked"):
            count_frames(image)
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        done = subprocess.run([sys.executable, "-c", code, db], capture_output=True, text=True, check=False)
        assert "database is locked" in done.stderr
    with pytest.raises(DecodeError, match="not an image"):
        count_frames(image)
