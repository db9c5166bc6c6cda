"""labels.db keeps what people decided, through any mishap, and says in a sentence when it cannot."""

import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import LONGEST_S
from run_support import on_small_disk, python

from mia_tui.dataset.class_rules import COLOURS, KEYS, class_name
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import backups
from mia_tui.dataset.store import errors as store_errors
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.migrations import MIGRATIONS, VERSION
from mia_tui.dataset.store.records import Label
from mia_tui.errors import DataError, StoreError, StoreReplaced

A, B, C = ImageKey("a.png"), ImageKey("b.png"), ImageKey("stack.tif", 7)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "data" / "mia" / "labels.db"


@pytest.fixture
def store(db: Path) -> Iterator[LabelStore]:
    with LabelStore(db, annotator="anna") as store:
        for name in ("round", "flat"):
            store.add_class(name)
        yield store


def classes_of(store: LabelStore) -> dict[ImageKey, int]:
    return {key: label.class_id for key, label in store.labels().items()}


def test_labels_come_back_as_they_were_set(store: LabelStore, db: Path) -> None:
    assert store.set_labels([(A, 1), (B, 2), (C, 2)], source="person") == 3
    with LabelStore(db) as again:
        labels = again.labels()
    assert {key: label.class_id for key, label in labels.items()} == {A: 1, B: 2, C: 2}
    assert labels[A].annotator == "anna"
    assert labels[A].source == "person"
    assert labels[A].updated_at > 1.6e9


def test_a_label_belongs_to_the_path_with_its_suffix_and_frame(store: LabelStore) -> None:
    """The predecessor paired images and labels by position, and `cell.tif` with `cell-2.tif`."""
    keys = [ImageKey("cell.tif"), ImageKey("cell-2.tif"), ImageKey("cell.png"), ImageKey("x/cell.tif")]
    keys += [ImageKey("cell.tif", 1), ImageKey("cell.tif", 1000)]
    store.set_labels([(key, 1 + i % 2) for i, key in enumerate(keys)], source="person")
    assert classes_of(store) == {key: 1 + i % 2 for i, key in enumerate(keys)}


def test_any_file_name_comes_back_unharmed(store: LabelStore) -> None:
    names = [
        "a [1].png",
        "b\nc.png",
        "%41.png",
        os.fsdecode(b"caf\xe9.png"),
        "ж.png",
        "'; DROP TABLE label;.png",
    ]
    keys = [ImageKey(name) for name in names]
    store.set_labels([(key, 1) for key in keys], source="import")
    store.set_parts(dict.fromkeys(keys, "test"))
    assert set(store.labels()) == set(keys) == set(store.parts())
    assert {change.image for change in store.changes_since(0) if change.kind == "label"} == set(keys)


def test_a_dataset_with_a_name_that_is_not_utf_8_works(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"d\xe9 %41?#") / "labels.db"
    with LabelStore(path) as store:
        store.add_class("round")
        store._writer.copied_on = ""  # as if yesterday had been another day
        store.set_labels([(A, 1)], source="person")
    assert path.is_file()
    assert len(backups.backups_of(path)) == 1
    found = LabelStore.open_existing(path)
    assert found is not None
    assert classes_of(found) == {A: 1}
    found.close()


def test_setting_what_is_there_already_changes_nothing(store: LabelStore) -> None:
    store.set_labels([(A, 1)], source="person")
    before = store.labels()
    assert store.set_labels([(A, 1), (B, None)], source="person") == 0
    assert store.labels() == before


def test_a_persons_key_makes_an_imported_label_a_persons(store: LabelStore) -> None:
    store.set_labels([(A, 1)], source="import")
    assert store.set_labels([(A, 1)], source="person") == 1
    assert store.labels()[A].source == "person"


def test_taking_a_label_away_leaves_a_row_of_history(store: LabelStore) -> None:
    store.set_labels([(A, 1)], source="person")
    assert store.set_labels([(A, None)], source="person") == 1
    assert store.labels() == {}
    last = store.changes_since(0)[-1]
    assert (last.kind, last.image, last.after) == ("label", A, None)
    assert last.before["class_id"] == 1


def test_an_action_is_one_batch_of_the_history(store: LabelStore) -> None:
    store.set_labels([(A, 1), (B, 1)], source="import")
    store.set_labels([(A, 2)], source="person")
    changes = [change for change in store.changes_since(0) if change.kind == "label"]
    assert changes[0].batch == changes[1].batch != changes[2].batch
    assert [change.annotator for change in changes] == ["anna"] * 3
    assert changes[2].before == {**changes[0].after}


def test_an_unknown_class_is_refused_whole(store: LabelStore) -> None:
    with pytest.raises(DataError, match=r"There is no class with the number 99\. Choose another class\."):
        store.set_labels([(A, 1), (B, 99)], source="person")
    assert store.labels() == {}
    assert store.set_labels([(A, 1)], source="person") == 1


def test_a_transaction_is_all_or_nothing(store: LabelStore) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.add_class("odd")
        store.set_labels([(A, 3)], source="import")
        store.set_meta("root", "x")
        raise RuntimeError
    assert [c.name for c in store.classes()] == ["round", "flat"]
    assert (store.labels(), store.meta("root")) == ({}, None)
    with store.transaction():
        added = store.add_class("odd")
        store.set_labels([(A, added.id)], source="import")
    batches = {change.batch for change in store.changes_since(0)[-2:]}
    assert len(batches) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions=st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from([A, B, C]), st.sampled_from([None, 1, 2])), max_size=4),
            st.sampled_from(["person", "import", "accepted"]),
        ),
        max_size=12,
    )
)
def test_any_sequence_of_labels_replays_from_the_history(tmp_path: Path, actions: list) -> None:
    path = tmp_path / "labels.db"
    path.unlink(missing_ok=True)
    with LabelStore(path) as store:
        store.add_class("round")
        store.add_class("flat")
        expected: dict[ImageKey, int] = {}
        for items, source in actions:
            changed = store.set_labels(items, source=source)
            before = dict(expected)
            for key, class_id in items:
                expected.pop(key, None)
                if class_id is not None:
                    expected[key] = class_id
            assert changed >= sum(before.get(key) != expected.get(key) for key in (A, B, C))
        replayed: dict[ImageKey, Label] = {}
        for change in store.changes_since(0):
            if change.kind == "label":
                assert change.image is not None
                known = replayed.pop(change.image, None)
                assert change.before == (None if known is None else _as_json(known))
                if change.after is not None:
                    replayed[change.image] = Label(**change.after)
        assert replayed == store.labels()
        assert classes_of(store) == expected


def _as_json(label: Label) -> dict[str, object]:
    return {name: getattr(label, name) for name in ("class_id", "annotator", "source", "updated_at")}


def test_classes_get_colours_for_colour_blind_eyes_and_keys(db: Path) -> None:
    with LabelStore(db) as store:
        added = [store.add_class(f"class {i}") for i in range(40)]
        assert store.classes() == added
    assert [c.position for c in added] == list(range(40))
    assert [c.colour for c in added[: len(COLOURS)]] == list(COLOURS)
    assert [c.key for c in added] == [*KEYS, None, None, None, None]
    assert [c.id for c in added] == list(range(1, 41))


def test_a_class_may_have_a_colour_and_key_of_its_own(store: LabelStore) -> None:
    added = store.add_class("odd", colour="#ABCDEF", key="é")
    assert (added.colour, added.key) == ("#abcdef", "é")
    assert store.classes()[-1] == added


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "  "}, "needs a name"),
        ({"name": "x" * 10_001}, "is 10,001 characters long"),
        ({"name": " round "}, "There is a class round already"),
        ({"name": "odd", "key": "1"}, "The key 1 belongs to class round"),
        ({"name": "odd", "key": "ab"}, "is invalid"),
        ({"name": "odd", "key": " "}, "is invalid"),
        ({"name": "odd", "colour": "red"}, "The colour red of class odd"),
    ],
)
def test_a_class_that_cannot_be_is_refused_in_a_sentence(
    store: LabelStore, options: dict[str, str], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        store.add_class(**options)
    assert len(store.classes()) == 2


def test_names_of_classes_are_stored_in_one_form(store: LabelStore) -> None:
    assert class_name(" Za\u0308hlung\x1b[2J ") == "Zählung\\x1b[2J"
    assert store.add_class(os.fsdecode(b"caf\xe9")).name == "caf\\xe9"


def test_the_split_and_settings_are_kept(store: LabelStore, db: Path) -> None:
    store.set_parts({A: "train", B: "val"})
    store.set_parts({B: "test", C: "train"})
    store.set_meta("split", "rule")
    store.set_meta("gone", "x")
    store.set_meta("gone", None)
    with LabelStore(db) as again:
        assert again.parts() == {A: "train", B: "test", C: "train"}
        assert (again.meta("split"), again.meta("gone")) == ("rule", None)
    store.set_parts({A: "val"}, replace=True)
    assert store.parts() == {A: "val"}


def test_the_annotator_is_the_login_name_unless_said(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "berta")
    with LabelStore(db) as store:
        assert store.annotator == "berta"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    with LabelStore(db) as store:  # a container whose user has no entry
        assert store.annotator == f"user {os.getuid()}"


def test_looking_makes_no_file(db: Path) -> None:
    assert LabelStore.open_existing(db) is None
    assert not db.parent.exists()


def test_looking_writes_nothing(store: LabelStore, db: Path) -> None:
    store.set_labels([(A, 1)], source="person")
    store.close()
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in db.parent.iterdir()}
    with LabelStore.open_existing(db) or pytest.fail() as again:
        (
            again.labels(),
            again.classes(),
            again.parts(),
            again.meta("x"),
            again.stored_files(),
            again.changes_since(0),
        )
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in db.parent.iterdir()}
    assert before == after


def test_an_empty_labels_db_counts_as_none(db: Path) -> None:
    db.parent.mkdir(parents=True)
    db.touch()
    assert LabelStore.open_existing(db) is None
    assert db.stat().st_size == 0
    with LabelStore(db) as store:
        assert store.labels() == {}


def test_two_stores_see_each_others_labels(store: LabelStore, db: Path) -> None:
    with LabelStore(db, annotator="berta") as other:
        store.set_labels([(A, 1)], source="person")
        other.set_labels([(A, 2), (B, 1)], source="person")
    assert classes_of(store) == {A: 2, B: 1}
    assert store.labels()[A].annotator == "berta"


def test_the_journal_is_kept_and_every_commit_synced(store: LabelStore) -> None:
    pragma = {
        name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    }
    assert pragma == {"journal_mode": "persist", "synchronous": 2}


def test_a_label_that_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    code = """
        import os
        from pathlib import Path
        from mia_tui.dataset.model import ImageKey
        from mia_tui.dataset.store.label_store import LabelStore
        store = LabelStore(Path(sys.argv[1]))
        store.add_class("round")
        store.set_labels([(ImageKey("a.png"), 1)], source="person")
        with store.transaction():
            store.set_labels([(ImageKey(f"{i}.png"), 1) for i in range(5000)], source="person")
            os.kill(os.getpid(), 9)
    """
    done = subprocess.run(python(code, path), timeout=LONGEST_S)
    assert done.returncode == -9
    with LabelStore(path) as store:
        assert classes_of(store) == {A: 1}


def test_a_labels_db_of_a_later_version_is_not_touched(store: LabelStore, db: Path) -> None:
    store._db.execute(f"PRAGMA user_version = {VERSION + 1}")
    for opening in (LabelStore, LabelStore.open_existing):
        with pytest.raises(StoreError, match="later version of mia-tui"):
            opening(db)


def test_a_failed_migration_leaves_the_file_as_it_was(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (*MIGRATIONS, ("CREATE TABLE more (id INTEGER)", "CREATE TABLE nonsense ("))
    LabelStore(db).close()
    with monkeypatch.context() as patch:
        patch.setattr("mia_tui.dataset.store.migrations.MIGRATIONS", broken)
        patch.setattr("mia_tui.dataset.store.migrations.VERSION", len(broken))
        patch.setattr("mia_tui.dataset.store.transactions.VERSION", len(broken))
        with pytest.raises(StoreError):
            LabelStore(db)
    with LabelStore(db) as store:
        tables = {row[0] for row in store._db.execute("SELECT name FROM sqlite_master")}
    assert "more" not in tables


@pytest.mark.parametrize("start", [0, 100])
def test_a_damaged_labels_db_is_said_with_its_newest_copy(store: LabelStore, db: Path, start: int) -> None:
    store.set_labels([(A, 1)], source="person")
    store.close()
    content = db.read_bytes()
    db.write_bytes(content[:start] + b"\xa5" * (len(content) - start))
    with pytest.raises(StoreError, match=r"labels\.db is damaged\. There is no backup"):
        _look(db)
    (db.parent / "backups").mkdir(exist_ok=True)
    for day in ("2026-11-20", "2026-11-22"):
        (db.parent / "backups" / f"labels-{day}.db").touch()
    with pytest.raises(
        StoreError, match=r"Replace it with its newest backup, .*labels-2026-11-22\.db\."
    ) as caught:
        _look(db)
    assert caught.value.exit_code == 3


def _look(db: Path) -> None:
    store = LabelStore.open_existing(db)
    assert store is not None
    with store:
        store.labels(), store.classes()


def test_a_text_file_called_labels_db_is_damaged(db: Path) -> None:
    db.parent.mkdir(parents=True)
    db.write_text("file,class\n" * 100)
    for opening in (LabelStore, LabelStore.open_existing):
        with pytest.raises(StoreError, match="is damaged"):
            opening(db)


def test_a_busy_labels_db_is_waited_for_and_then_said(
    store: LabelStore, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mia_tui.dataset.store.errors.BUSY_TIMEOUT_S", 0.1)
    with LabelStore(db) as other:
        other._writer.copied_on = store._writer.copied_on
        store._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="Another program has been writing"):
            other.set_labels([(A, 1)], source="person")
        store._db.execute("ROLLBACK")
        assert other.set_labels([(A, 1)], source="person") == 1


def test_a_disk_without_locks_is_said_with_the_way_out(db: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_LOCK
    sentence = str(store_errors.store_error(error, db))
    assert "does not support locks" in sentence
    assert "--state DIR" in sentence


def test_a_full_disk_is_said_and_the_labels_stay(tmp_path: Path) -> None:
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
        store.set_labels([(ImageKey("a.png"), 1)], source="person")
        with (folder / "ballast").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(b"x" * 1000)
                except OSError:
                    break
        try:
            store.set_labels([(ImageKey(f"{i}.png"), 1) for i in range(9000)], source="person")
        except StoreError as error:
            print(error)
        print(len(store.labels()))
        (folder / "ballast").unlink()
        print(store.set_labels([(ImageKey("b.png"), 1)], source="person"), len(store.labels()))
        """,
        tmp_path / "disk",
    ).splitlines()
    assert "labels.db is full. Free some space, or store the labels elsewhere with --state DIR." in said[0]
    assert said[1:] == ["1", "1 2"]


def test_a_full_disk_at_the_start_is_said(tmp_path: Path) -> None:
    said = on_small_disk(
        tmp_path / "disk",
        """
        from pathlib import Path
        from mia_tui.dataset.store.label_store import LabelStore
        from mia_tui.errors import StoreError
        folder = Path(sys.argv[1])
        (folder / "ballast").write_bytes(b"x" * 12288)
        try:
            LabelStore(folder / "labels.db")
        except StoreError as error:
            print(error)
        """,
        tmp_path / "disk",
        options="size=16k",
    )
    assert "labels.db is full." in said
    assert "--state DIR" in said


def test_a_read_only_disk_can_be_read_and_refuses_in_a_sentence(
    store: LabelStore, db: Path, tmp_path: Path
) -> None:
    store.set_labels([(A, 1)], source="person")
    store.close()
    said = on_small_disk(
        tmp_path / "disk",
        """
        from pathlib import Path
        from mia_tui.dataset.model import ImageKey
        from mia_tui.dataset.store.label_store import LabelStore
        from mia_tui.errors import StoreError
        folder = Path(sys.argv[1])
        store = LabelStore.open_existing(folder / "labels.db")
        print(len(store.labels()), len(store.classes()), store.meta("x"))
        for action in (
            lambda: store.set_labels([(ImageKey("b.png"), 1)], source="person"),
            lambda: LabelStore(folder / "new" / "labels.db"),
        ):
            try:
                action()
            except StoreError as error:
                print(error)
        """,
        tmp_path / "disk",
        finally_=f'cp {db.parent}/* "$0" && mount -o remount,ro "$0"',
    ).splitlines()
    assert said[0] == "1 2 None"
    assert (
        "cannot be written. Ask for write access, or store the labels elsewhere with --state DIR." in said[1]
    )
    assert "is on a read-only disk. Store the labels elsewhere with --state DIR." in said[2]


def test_a_folder_where_a_file_is_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "mia").write_text("in the way")
    with pytest.raises(StoreError, match="--state DIR"):
        LabelStore(tmp_path / "mia" / "labels.db")


@pytest.mark.parametrize(
    ("mode", "file_mode"), [(0o2770, 0o660), (0o750, 0o640), (0o700, 0o600), (0o1777, 0o664)]
)
def test_files_follow_the_group_and_mode_of_the_dataset(tmp_path: Path, mode: int, file_mode: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    group = 12345 if os.geteuid() == 0 else os.getgid()
    os.chown(data, -1, group)
    data.chmod(mode)
    path = data / "mia" / "labels.db"
    with LabelStore(path) as store:
        store.add_class("round")
        store._writer.copied_on = ""
        store.set_labels([(A, 1)], source="person")
    [copy] = backups.backups_of(path)
    for file in (path, path.with_name("labels.db-journal"), copy):
        assert stat.S_IMODE(file.stat().st_mode) == file_mode
        assert file.stat().st_gid == group
    for folder in (path.parent, copy.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == mode & 0o2775
        assert folder.stat().st_gid == group


def test_a_copy_is_kept_of_each_day_and_seven_of_them(
    store: LabelStore, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(1, 11):
        monkeypatch.setattr("mia_tui.dataset.store.transactions._today", lambda day=day: f"2026-11-{day:02}")
        for _ in range(2):
            store.set_labels([(A, 1 + day % 2)], source="person")
            store.set_labels([(ImageKey(f"{day}.png"), 1)], source="person")
    copies = backups.backups_of(db)
    assert [copy.name for copy in copies] == [f"labels-2026-11-{day:02}.db" for day in range(10, 3, -1)]
    assert not [path for path in copies[0].parent.iterdir() if path.name.startswith(".")]
    with LabelStore(copies[0]) as copy:  # as it was before that day's first change
        assert ImageKey("9.png") in copy.labels()
        assert ImageKey("10.png") not in copy.labels()


def test_files_of_other_dates_and_names_push_no_copy_out(
    store: LabelStore, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = db.parent / "backups"
    folder.mkdir()
    own = [f"labels-before-cleanup-{number}.db" for number in range(9)]
    later = [f"labels-2099-01-0{number}.db" for number in range(1, 9)]  # a clock was wrong for some days
    for name in (*own, *later):
        (folder / name).write_text("of somebody")
    for day in range(1, 11):
        monkeypatch.setattr("mia_tui.dataset.store.transactions._today", lambda day=day: f"2026-11-{day:02}")
        store.set_labels([(A, 1 + day % 2)], source="person")
    made = [f"labels-2026-11-{day:02}.db" for day in range(4, 11)]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*own, *later, *made])


def test_no_copy_is_made_by_looking_or_of_nothing(store: LabelStore, db: Path) -> None:
    store.set_labels([(A, 1)], source="person")
    _look(db)
    assert not (db.parent / "backups").exists()


def test_a_copy_that_cannot_be_made_keeps_nobody_from_labelling(store: LabelStore, db: Path) -> None:
    (db.parent / "backups").write_text("in the way")
    store._writer.copied_on = ""
    assert store.set_labels([(A, 1)], source="person") == 1


def test_damage_found_while_copying_is_said(store: LabelStore, db: Path) -> None:
    store.set_labels([(ImageKey(f"{i:05}.png"), 1) for i in range(3000)], source="import")
    store.close()
    content = bytearray(db.read_bytes())
    for page in range(20, len(content) // 4096, 3):
        content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    db.write_bytes(content)
    with LabelStore(db) as again, pytest.raises(StoreError, match="is damaged"):
        again.set_meta("x", "y")
    assert not backups.backups_of(db)


def test_a_store_knows_whether_its_file_is_still_the_one_of_that_name(store: LabelStore, db: Path) -> None:
    assert store.is_in_place()
    copy = db.with_name("copy.db")
    shutil.copyfile(db, copy)
    copy.replace(db)
    assert not store.is_in_place()
    db.unlink()
    assert not store.is_in_place()


def test_a_store_knows_whether_an_older_copy_was_written_over_its_file(store: LabelStore, db: Path) -> None:
    older = db.with_name("older.db")
    shutil.copyfile(db, older)
    store.set_labels([(A, 1)], source="person")
    mark = store.last_change_with_time()
    assert store.has_change(mark)
    shutil.copyfile(older, db)
    assert store.is_in_place() and not store.has_change(mark)
    store.set_labels([(A, 2)], source="person")
    assert store.last_change_with_time()[0] == mark[0] and not store.has_change(mark), (
        "another change has its number now"
    )


def test_a_write_into_a_file_that_was_taken_away_is_refused_with_what_happened(
    store: LabelStore, db: Path
) -> None:
    shutil.rmtree(db.parent)
    with pytest.raises(StoreReplaced, match="replaced or removed while it was open; nothing was saved"):
        store.set_labels([(A, 1)], source="person")
