"""Every record from disk is read as a valid value or refused in a sentence, whatever became of its bytes."""

import errno
import io
import os
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import DEEP, byte_mutants, json_mutants
from run_support import epoch_row, finished, make_run, started, step

from mia_tui.cli.runs.view import view_run
from mia_tui.config.toml_file import read_toml
from mia_tui.config.weights_cache import hub_file
from mia_tui.dataset.interchange.mia import _outlines, read_number
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import last_position, recent_datasets, remember_dataset
from mia_tui.dataset.scan import file_cache
from mia_tui.dataset.split.assignment import META_SPLIT, stored_rule
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import MiaError, RunError, StoreError
from mia_tui.paths import StateFolder, user_state
from mia_tui.runs.evaluation.confusion import (
    SavedConfusion,
    figures,
    load_confusion,
    per_class,
    save_confusion,
)
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    images_of_cell,
    load_epoch_predictions,
    save_epoch_predictions,
)
from mia_tui.runs.list.find import list_runs, recent_runs, remember_run
from mia_tui.runs.list.lifecycle import delete_run
from mia_tui.runs.list.summaries import RunSummaries
from mia_tui.runs.prediction import predictions
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows, convert
from mia_tui.runs.prediction.suggestions import read_newest, suggestion_sets, write_suggestions
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader, encode_event, last_event
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.liveness import WorkerRecord, read_record, run_status
from mia_tui.text import decode_name, encode_cell, encode_class, encode_name

SAMPLES = (Sample("a.png", 0, "train"), Sample("b%.png", 1, "val", frame=3))
CONFUSION = SavedConfusion(1, "val", ("cat", "dog"), np.array([[3, 1], [0, 2]]))


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    made = make_run(tmp_path / "data" / "mia", samples=SAMPLES)
    events = (started(), step(1, 1), epoch_row(1, macro_f1=0.5), finished())
    made.events.write_bytes(b"".join(map(encode_event, events)))
    record = WorkerRecord(
        pid=1,
        host="gpu3",
        boot_id="x",
        start_time=1,
        started_at=1.0,
        heartbeat=1.0,
        locked=True,
        released=True,
    )
    made.worker_json.write_bytes(msgspec.json.encode(record))
    save_confusion(made.confusion("best"), CONFUSION)
    save_epoch_predictions(
        epoch_predictions_file(made, "best"), EpochPredictions(1, "val", np.array([-1, 0]))
    )
    made.predictions.mkdir()
    header = PredictionHeader(
        encode_name(str(tmp_path / "data")), "w", ["cat", "dog"], made.name, False, 120.0
    )
    with made.suggestions.open("wb") as file:
        write_suggestions(
            file, header, [PredictionRow("a.png", 0, [0.25, 0.75]), PredictionRow("b.png", 1, [1.0, 0.0])]
        )
    return made


def mutants(content: bytes) -> Iterator[bytes]:
    """Of a JSON file, or one of JSON lines."""
    yield from byte_mutants(content)
    lines = content.splitlines(keepends=True)
    whole = len(lines) > 20 or content.lstrip()[:2] == b"{\n"
    if whole:
        yield from json_mutants(content)
        return
    for place, line in enumerate(lines):
        for changed in json_mutants(line):
            yield b"".join([*lines[:place], changed, b"\n", *lines[place + 1 :]])


def read_all(run: RunDir) -> None:
    """All that looks at a run, as the table of runs, the run screen and the command line do."""
    readers: tuple[Callable[[], Any], ...] = (
        lambda: run.job(),
        lambda: run.samples(),
        lambda: read_state(run),
        lambda: view_run(run),
        lambda: _figures(run),
        lambda: _images(run),
    )
    for reader in readers:
        with suppress(MiaError):
            reader()
    # These say nothing, or show a row: they never refuse.
    assert run_status(run) in (
        "created",
        "starting",
        "lost",
        "unknown",
        "finished",
        "running",
        "stopped",
        "failed",
    )
    read_record(run)
    list_runs(StateFolder(run.path.parent.parent))
    place = StateFolder(run.path.parent.parent)
    read_newest(suggestion_sets((place,), place.root.parent))
    assert len(RunSummaries([run.path.parent.parent]).refresh()) == 1


def _figures(run: RunDir) -> None:
    saved = load_confusion(run.confusion("best"))
    figures(saved.counts)
    per_class(saved.counts, saved.classes)


def _images(run: RunDir) -> None:
    judgements = load_epoch_predictions(epoch_predictions_file(run, "best"))
    assert judgements is not None
    images_of_cell(run.samples(), judgements, truth=0)


RECORDS = (
    "job.json",
    "samples.jsonl",
    "worker.json",
    "events.jsonl",
    "confusion/best.json",
    "confusion/best.predicted.json",
    "predictions/suggestions.jsonl",
)


@pytest.mark.parametrize("name", RECORDS)
def test_a_changed_record_of_a_run_is_read_or_refused_in_a_sentence(run: RunDir, name: str) -> None:
    file = run.path / name
    for mutant in mutants(file.read_bytes()):
        file.write_bytes(mutant)
        read_all(run)


@pytest.mark.parametrize("name", (*RECORDS, "stop"))
def test_a_folder_in_place_of_a_record_is_read_over_or_refused_and_the_run_is_deleted(
    run: RunDir, name: str
) -> None:
    file = run.path / name
    file.unlink(missing_ok=True)
    file.mkdir()
    if name == "job.json":
        (run.path / "checkpoints").mkdir()
    read_all(run)
    delete_run(run)
    assert not run.path.exists()


def test_a_line_without_an_end_costs_one_line_and_little_time(run: RunDir) -> None:
    whole = run.events.read_bytes()
    run.events.write_bytes(whole + b"x" * 40_000_000)
    reader = EventReader(run.events)
    assert len(reader.read_new()) == 4 and reader.bad_lines == 1
    assert last_event(run.events) is None
    with run.events.open("ab") as file:
        file.write(b"y\n" + encode_event(finished(20.0)))
    assert [event.t for event in reader.read_new()] == [20.0] and reader.bad_lines == 1
    again = EventReader(run.events)
    assert len(again.read_new()) == 5 and again.bad_lines == 1


def test_an_image_of_a_class_that_the_run_has_not_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", samples=(Sample("a.png", 2, "train"),))
    with pytest.raises(
        MiaError, match=r"samples\.jsonl of the run .* is damaged: an image has a class beyond the 2"
    ):
        run.samples()


def test_a_failure_of_an_unknown_kind_is_an_error_of_a_run() -> None:
    from mia_tui.errors import RunError
    from mia_tui.runs.list.lifecycle import _kind

    for name in ("ClassVar", "__name__", "", "no such", "MiaError.__init__"):
        assert _kind(name) is RunError


def test_what_a_user_did_last_is_remembered_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    remember_dataset(tmp_path, tmp_path, ImageKey("a.png", 2), images=3, labels=1)
    remember_run(make_run(tmp_path / "mia"))
    for name, look in (("recent-datasets", recent_datasets), ("recent-runs", recent_runs)):
        file = user_state() / name
        for mutant in mutants(file.read_bytes()):
            file.write_bytes(mutant)
            look()
            last_position(tmp_path)


def test_a_changed_index_of_images_counts_as_none(tmp_path: Path) -> None:
    entry = file_cache._Entry(5, 10, 3, "abc")
    content = msgspec.msgpack.encode({b"a.tif": entry, b"b.tif": entry})
    file = tmp_path / "index"
    for mutant in (
        *byte_mutants(content),
        b"\x91" * 300_000,
        msgspec.msgpack.encode({b"a": [1, 1, 10**12, ""]}),
    ):
        file.write_bytes(mutant)
        for found in file_cache._read(file).values():
            assert found.frames is None or 1 <= found.frames <= 10_000_000


def test_a_changed_settings_file_is_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    deep = b"a = " + DEEP
    for mutant in (*byte_mutants(b'graphics = "half"\n[keys]\nundo = ["ctrl+z"]\n'), deep, b"x" * 5_000_000):
        file.write_bytes(mutant)
        with suppress(MiaError):
            read_toml(file, example="")


@pytest.mark.parametrize("main", [b"\xff\xfe", b"\x00", b"../../..", b"x" * 1_000_000, b"a/b"])
def test_a_changed_cache_of_weights_holds_none(tmp_path: Path, main: bytes) -> None:
    repo = tmp_path / "models--timm--resnet18.a1_in1k"
    (repo / "refs").mkdir(parents=True)
    (repo / "snapshots" / "abc").mkdir(parents=True)
    (repo / "refs" / "main").write_bytes(main)
    assert hub_file("timm/resnet18.a1_in1k", tmp_path) is None


def test_predictions_go_on_from_the_rows_that_are_right_and_from_no_others(tmp_path: Path) -> None:
    out, keys = tmp_path / "p.csv", [ImageKey("a.png"), ImageKey("b.png")]
    header = PredictionHeader("/data", "w", ["cat", "dog"], "run", False, 120.0)
    rows = [PredictionRow("a.png", 0, [0.25, 0.75]), PredictionRow("b.png", 0, [1.0, 0.0])]
    growing = PredictionRows(out.with_suffix(".rows"), header, keys)
    growing.append(rows)
    content = growing.path.read_bytes()
    for mutant in mutants(content):
        growing.path.write_bytes(mutant)
        again = PredictionRows(out.with_suffix(".rows"), header, keys)
        again.append(rows[again.done :])
        convert(out.with_suffix(".rows"), out, header)
        assert len(out.read_text().splitlines()) == 3


def test_rows_on_a_disk_that_does_not_answer_for_a_moment_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, keys = tmp_path / "rows.jsonl", [ImageKey("a.png"), ImageKey("b.png")]
    header = PredictionHeader("/data", "w", ["cat", "dog"], "run", False, 120.0)
    PredictionRows(rows, header, keys).append([PredictionRow("a.png", 0, [0.25, 0.75])])

    def no_answer(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as away:
        away.setattr(predictions, "open_to_read", no_answer)
        with pytest.raises(RunError, match=r"rows\.jsonl cannot be written: Input/output error"):
            PredictionRows(rows, header, keys)
    assert PredictionRows(rows, header, keys).done == 1


def npz(*arrays: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, array in enumerate(arrays):
            archive.writestr(f"arr_{number}.npy", array)
    return content.getvalue()


def npy(value: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(value), allow_pickle=True)
    return content.getvalue()


def npy_of_shape(shape: str, descr: str = "'<f8'") -> bytes:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(8)


@pytest.mark.parametrize(
    "number",
    [
        npy_of_shape("(1000000000000,)"),
        npy_of_shape("(1000000, 1000000, 1000000, 1000000)"),
        npy_of_shape("(-1,)"),
        npy_of_shape("()", "'O'"),
        npy_of_shape("()", "'<U9'"),
        npy_of_shape("(" * 90),
        npy_of_shape("()", "'" + "<" * 80),
        npy(np.array({"a": 1}, dtype=object)),
        npy(np.arange(3)),
        b"\x93NUMPY\x09\x00",
        bytes(2 << 20),
        b"",
    ],
)
def test_an_array_that_declares_more_than_there_is_is_refused_before_room_is_made(
    tmp_path: Path, number: bytes
) -> None:
    file = tmp_path / "a.npz"
    file.write_bytes(npz(npy(1234554321), number, number))
    with pytest.raises(MiaError, match="cannot be read as a label file"):
        read_number(file)
    _outlines(file)


def test_a_changed_label_file_of_mia_gives_a_number_or_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    content = npz(npy(1234554321), npy(1), npy(np.zeros((3, 2))))
    for seed in range(5):
        for mutant in byte_mutants(content, seed):
            file.write_bytes(mutant)
            with suppress(MiaError):
                read_number(file)
            _outlines(file)


# labels.db


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "mia" / "labels.db"
    with LabelStore(path, annotator="ann") as store:
        cat, dog = store.add_class("cat"), store.add_class("dog")
        store.set_labels([(ImageKey("a.png"), cat.id), (ImageKey("b.png"), dog.id)], source="person")
        store.set_flagged([ImageKey("a.png")], True)
        store.set_skipped([ImageKey("b.png")], True)
        store.set_note(ImageKey("a.png"), "odd")
        store.set_parts({ImageKey("a.png"): "train", ImageKey("b.png"): "val"})
        store.set_meta(META_SPLIT, '{"val_fraction":0.2}')
        store.rename_class(cat.id, "tiger")
        store.archive_class(dog.id)
        store.undo()
    return path


def change(db: Path, *statements: str, values: tuple[Any, ...] = ()) -> None:
    connection = sqlite3.connect(db, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for statement in statements:
        connection.execute(statement, values)
    connection.close()


def use(db: Path) -> None:
    """All that is ever asked of a label file, and a step of each kind."""
    with suppress(MiaError):
        store = LabelStore.open_existing(db, annotator="ann")
        if store is None:
            return
        uses: tuple[Callable[[], Any], ...] = (
            lambda: store.classes(archived=True),
            store.labels,
            store.label_counts,
            store.marks,
            store.parts,
            lambda: store.changes_since(0),
            store.last_change_with_time,
            store.last_change,
            store.flagged,
            store.stored_files,
            lambda: stored_rule(store),
            store.undo,
            store.redo,
            lambda: store.set_labels([(ImageKey("a.png"), 1)], source="person"),
            lambda: store.set_flagged([ImageKey("a.png")], False),
            lambda: store.restore_class(2),
            lambda: store.undo(),
            lambda: store.undo_links(),
        )
        with store:
            for each in uses:
                with suppress(MiaError):
                    each()


ODD = (
    "zzz",
    b"\xff\x00",
    -1,
    10**18,
    1.5,
    "",
    None,
    "#zzzzzz",
    "x" * 20_000,
    "[" * 100_000,
    '{"class_id":"x"}',
    "nan",
)
COLUMNS = {
    "class": ("id", "name", "colour", "key", "position", "archived"),
    "image": ("path", "frame", "size", "mtime_ns", "hash", "missing", "flagged", "skipped", "note"),
    "label": ("class_id", "updated_at", "annotator", "source"),
    "change": ("batch", "at", "annotator", "kind", "target_id", "before", "after", "undoes", "step"),
    "split": ("part",),
    "meta": ("value",),
}


@pytest.mark.parametrize("table", COLUMNS)
def test_a_row_that_is_not_what_it_should_be_is_damage_in_a_sentence(db: Path, table: str) -> None:
    original = db.read_bytes()
    for column in COLUMNS[table]:
        for value in ODD:
            db.write_bytes(original)
            with suppress(sqlite3.Error):  # what the schema refuses cannot be in a file
                change(db, f"UPDATE {table} SET {column} = ?", values=(value,))
            use(db)


@pytest.mark.parametrize("kind", ["label", "class", "flag", "skip", "note", "path"])
def test_a_change_that_says_nonsense_is_damage_in_a_sentence(db: Path, kind: str) -> None:
    original = db.read_bytes()
    for text in (
        "[]",
        "1",
        "{}",
        '"x"',
        "null",
        '{"id":1}',
        "[" * 100_000,
        '{"class_id":99}',
        "1e999",
        "\x00",
    ):
        for column in ("before", "after"):
            db.write_bytes(original)
            change(db, f"UPDATE change SET kind = '{kind}', {column} = ?", values=(text,))
            use(db)


def test_changed_bytes_of_a_label_file_are_read_or_damage_in_a_sentence(db: Path) -> None:
    original = db.read_bytes()
    for seed in range(3):
        for mutant in byte_mutants(original, seed):
            db.write_bytes(mutant)
            use(db)


def test_a_bad_colour_names_the_file_and_its_newest_copy(db: Path) -> None:
    change(db, "UPDATE class SET colour = 'zzz' WHERE id = 1")
    with (
        LabelStore(db) as store,
        pytest.raises(StoreError, match=r"labels\.db is damaged: its class 1 has an invalid name, colour"),
    ):
        store.classes()


def test_a_label_of_no_class_is_damage(db: Path) -> None:
    change(db, "UPDATE label SET class_id = 77")
    with LabelStore(db) as store, pytest.raises(StoreError, match="is damaged: it has labels of class 77"):
        store.labels()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DROP TABLE split", "its table split is missing"),
        ("ALTER TABLE image DROP COLUMN note", "its table image was changed by another program"),
        ("CREATE TRIGGER t AFTER INSERT ON label BEGIN DELETE FROM label; END", "changed by another program"),
        ("CREATE VIEW v AS SELECT 1", "changed by another program"),
        ("PRAGMA user_version = -5", "changed by another program"),
        ("PRAGMA user_version = 0", "a database of another program"),
    ],
)
def test_a_file_with_another_schema_is_refused_as_damaged(db: Path, statement: str, reason: str) -> None:
    change(db, statement)
    for opened in (LabelStore, LabelStore.open_existing):
        with pytest.raises(StoreError, match=reason):
            opened(db)


@pytest.mark.parametrize("version", [0, 1, 57])
def test_the_database_of_another_program_is_refused_and_stays_as_it_is(tmp_path: Path, version: int) -> None:
    path = tmp_path / "labels.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE cookies (name TEXT)")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = path.read_bytes()
    for opened in (LabelStore, LabelStore.open_existing):
        with pytest.raises(StoreError, match="is damaged: it is a database of another program"):
            opened(path)
    assert path.read_bytes() == before


# Names that leave


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12))
@settings(max_examples=500)
def test_a_name_in_a_cell_steers_nothing_and_comes_back(name: str) -> None:
    for encode in (encode_name, encode_class):
        cell = encode_cell(encode(name))
        assert decode_name(cell) == name
        assert not any((ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160 for letter in cell)
        assert len(cell) < 2 or cell[0] not in "=@\t\r" or cell == "@"
