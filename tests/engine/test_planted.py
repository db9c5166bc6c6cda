"""What somebody plants where a file of ours is to be is neither followed nor waited for, whatever the name.

The names are those that a whole life of a run leaves, and those that the code names: a new one is tried by itself.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from training_support import make_run

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import MiaError
from mia_tui.paths import BACKUPS_FOLDER, StateFolder
from mia_tui.runs.disk import make_folder
from mia_tui.runs.list import lifecycle
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.list.lifecycle import delete_run
from mia_tui.runs.prediction.listing import write_listing
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows, convert
from mia_tui.runs.prediction.suggestions import read_newest, suggestion_sets, write_suggestions
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import clear_stop, request_stop
from mia_tui.runs.worker.fault_log import write_to_log
from mia_tui.runs.worker.launch import end_of_log, spawn
from mia_tui.runs.worker.liveness import run_status
from mia_tui.worker import work

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")

RUN = "RUN"  # stands for the folder of the run
LONGEST_S = 60


def properties(kind: type) -> list[str]:
    return [
        name
        for name, value in vars(kind).items()
        if isinstance(value, property) and name not in ("root", "name")
    ]


def named_in_code() -> set[str]:
    state = StateFolder(Path("/state"))
    run = RunDir(state.runs / RUN)
    paths = [getattr(state, name) for name in properties(StateFolder)]
    paths += [getattr(run, name) for name in properties(RunDir)] + [run.path, *run.own_files()]
    paths += [run.confusion("last"), run.confusion("best")]
    paths += [state.labels_db.with_name(state.labels_db.name + end) for end in ("-journal", "-wal", "-shm")]
    return {path.relative_to(state.root).as_posix() for path in paths}


def left_by_a_life() -> set[str]:
    """Names beside those in the code; `test_the_names_are_all_that_a_run_leaves` tells when one is missing."""
    run = f"runs/{RUN}"
    confusion = {f"{run}/confusion/{which}.predicted.json" for which in ("last", "best")}
    confusion.add(f"{run}/confusion/best.scores.npz")
    partial = f"{run}/predictions/suggestions.jsonl.partial.jsonl"
    return confusion | {partial, f"{run}/checkpoints/best.next.safetensors"}


NAMES = sorted(named_in_code() | left_by_a_life() | {BACKUPS_FOLDER})


@pytest.fixture(autouse=True)
def workers_start_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion waits for half a minute for a worker that may be on its way."""
    monkeypatch.setattr(lifecycle, "STARTING_S", 0.1)
    monkeypatch.setattr(lifecycle, "_SAVING_S", 0.1)


@pytest.fixture
def made(discs: Path) -> tuple[StateFolder, RunDir]:
    """A dataset with labels, and a run that nobody has worked on yet."""
    for folder in ("red", "blue"):
        for image in sorted((discs / folder).iterdir())[6:]:
            image.unlink()
    run = make_run(discs, epochs=1)
    state = StateFolder(run.path.parent.parent)
    label(state)
    return state, run


def label(state: StateFolder) -> None:
    with LabelStore(state.labels_db) as store:
        some = next(iter(store.classes()), None) or store.add_class("red")
        for class_id in (None, some.id):
            store.set_labels([(ImageKey("red/cell-0.png"), class_id)], source="person")


def suggest(run: RunDir) -> None:
    make_folder(run.predictions, root=run.root)
    header = PredictionHeader("/data", "w", ["red", "blue"], run.name, False, 120.0)
    write_listing(run.listing, [ImageKey("a.png")], batch_size=1, shard=None, root=run.root)
    growing = PredictionRows(run.rows, header, [ImageKey("a.png")], root=run.root)
    growing.append([PredictionRow("a.png", 0, [0.75, 0.25])])
    convert(run.rows, run.suggestions, header, write_suggestions, root=run.root)


def live(state: StateFolder, run: RunDir) -> None:
    """All that is done with labels and a run; each may be refused in a sentence, and none in another way."""
    for act in (
        lambda: label(state),
        lambda: run.put_after(run),
        lambda: run.put_after(None),
        lambda: request_stop(run),
        lambda: clear_stop(run),
        lambda: write_to_log(run, "what"),
        lambda: end_of_log(run.worker_log),
        lambda: work(run, foreground=False),
        lambda: suggest(run),
        lambda: read_newest(suggestion_sets((state,), state.root)),
        lambda: run_status(run),
        lambda: read_state(run),
        lambda: list_runs(state),
    ):
        with suppress(MiaError, OSError):
            act()


@contextmanager
def in_time() -> Iterator[None]:
    def too_late(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def seen(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time of change and content of all that is in a folder."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [folder, *folder.rglob("*")]
    }


def plant(place: Path, kind: str, home: Path) -> None:
    """Put a link to something of the user's, or a named pipe, where `place` is or will be."""
    is_folder = place.is_dir() or place.name in ("checkpoints", "confusion", "predictions", "backups")
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "hard link":
        place.hardlink_to(home / "key")
    else:
        place.symlink_to(home / "folder" if is_folder else home / "key")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of the user with a private file, of the size that SQLite takes for a page or a journal."""
    home = tmp_path / "private"
    (home / "folder").mkdir(parents=True)
    for file in (home / "key", home / "folder" / "last.pt", home / "folder" / "job.json"):
        file.write_bytes(b"PRIVATE\n" * 512)
        file.chmod(0o600)
        os.utime(file, (1e9, 1e9))
    for folder in (home, home / "folder"):
        folder.chmod(0o700)
        os.utime(folder, (1e9, 1e9))
    return home


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_planted_is_followed_or_waited_for(
    made: tuple[StateFolder, RunDir], home: Path, name: str, kind: str
) -> None:
    state, run = made
    plant(state.root / name.replace(RUN, run.name), kind, home)
    before = seen(home)
    if kind == "hard link":  # a second name changes nothing but the time of the file's entry
        assert (home / "key").stat().st_nlink == 2
    with in_time():
        live(state, run)
        with suppress(MiaError, OSError):
            delete_run(run)
    assert seen(home) == before


def test_the_names_are_all_that_a_run_leaves(made: tuple[StateFolder, RunDir]) -> None:
    state, run = made
    live(state, run)
    found = {
        path.relative_to(state.root).as_posix().replace(run.name, RUN)
        for path in state.root.rglob("*")
        if path.parent.name != BACKUPS_FOLDER
    }
    assert found - set(NAMES) == set()
    assert {f"runs/{RUN}/checkpoints/last.pt", f"runs/{RUN}/confusion/best.json"} <= found
    assert {f"runs/{RUN}/predictions/suggestions.jsonl", "labels.db-journal"} <= found
    delete_run(run)
    assert not run.path.exists()


def test_a_worker_is_not_started_with_its_output_on_a_link(
    made: tuple[StateFolder, RunDir], home: Path
) -> None:
    _, run = made
    plant(run.worker_log, "link", home)
    before = seen(home)
    with pytest.raises(MiaError, match="is a symbolic link"):
        spawn(run)
    assert seen(home) == before


def test_the_state_folder_itself_may_be_a_link(discs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "big disk"
    elsewhere.mkdir()
    discs.with_name("discs.mia").symlink_to(elsewhere)
    run = make_run(discs, epochs=1)
    assert work(run, foreground=False).outcome == "finished"
    label(StateFolder(discs.with_name("discs.mia")))
    assert sorted(path.name for path in elsewhere.iterdir()) == [
        "backups",
        "labels.db",
        "labels.db-journal",
        "runs",
    ]
    assert np.all([path.exists() for path in (run.last_checkpoint, run.best_weights)])


def test_what_killed_workers_left_is_removed_by_the_next(made: tuple[StateFolder, RunDir]) -> None:
    _, run = made
    confusion = run.confusion("last")
    for file in (run.last_checkpoint, run.worker_json, confusion):
        folder, name = file.parent, file.name
        folder.mkdir(exist_ok=True)
        for number in range(3):
            (folder / f".{name}.{number:016x}.tmp").write_bytes(b"half")
    assert work(run, foreground=False).outcome == "finished"
    assert list(run.path.rglob("*.tmp")) == []
