"""State folders that a renaming of class folders left behind."""

from pathlib import Path

import pytest
from run_support import make_run

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import ConfigError, DataError, StoreError
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import find_run
from mia_tui.runs.list.orphaned_state import adopt, find_orphaned_state
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import WorkerLock

PATHS = [f"{name}/{n}.png" for name in ("red", "blue") for n in range(4)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mia_tui.runs.worker.liveness.STARTING_S", 0.0
    )  # no worker is on its way to a new run


@pytest.fixture
def renamed(tmp_path: Path) -> Path:
    """A dataset of class folders that was called old; its split and a run lie in old.mia."""
    (tmp_path / "new").mkdir()
    with LabelStore(tmp_path / "old.mia" / "labels.db") as store:
        store.set_parts({ImageKey(path): "train" for path in PATHS})
    make_run(tmp_path / "old.mia", created_at=1e9)
    return tmp_path / "new"


def found(dataset: Path, paths: list[str] = PATHS) -> Path | None:
    return find_orphaned_state(dataset, lambda: paths)


def test_it_is_found_by_its_images_and_taken_over_with_split_and_runs(renamed: Path) -> None:
    left = renamed.with_name("old.mia")
    assert found(renamed) == left
    assert found(renamed, [*PATHS[:5], "more/x.png"]) == left
    state = adopt(renamed, left)
    assert state == StateFolder(renamed.with_name("new.mia"))
    assert not left.exists()
    with LabelStore(state.labels_db) as store:
        assert len(store.parts()) == len(PATHS)
    [run] = state.runs.iterdir()
    assert RunDir(run).exists()
    assert found(renamed) is None


@pytest.mark.parametrize("text", ["last", "best", "2001"])
def test_who_looks_for_its_runs_is_told_where_they_may_be(renamed: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"If the dataset was renamed, .*/old\.mia: `mia-tui labels adopt "):
        find_run(text, dataset=renamed)
    adopt(renamed, renamed.with_name("old.mia"))
    assert find_run("last", dataset=renamed).exists()


def test_it_is_not_taken_for_another_dataset_s(renamed: Path) -> None:
    assert found(renamed, ["other/x.png", *PATHS[:2]]) is None
    renamed.with_name("old").mkdir()  # a copy: both are there
    assert found(renamed) is None
    with pytest.raises(DataError, match=r"belongs to .*old, which is there"):
        adopt(renamed, renamed.with_name("old.mia"))


def test_a_folder_whose_name_is_only_the_ending_belongs_to_no_dataset(renamed: Path, tmp_path: Path) -> None:
    (tmp_path / "old.mia").rename(tmp_path / ".mia")
    assert found(renamed) is None
    assert adopt(renamed, tmp_path / ".mia") == StateFolder(tmp_path / "new.mia")


@pytest.mark.parametrize("own", ["new/mia", "new.mia"])
def test_a_dataset_with_labels_of_its_own_keeps_them(renamed: Path, own: str) -> None:
    LabelStore(renamed.parent / own / "labels.db").close()
    assert found(renamed) is None
    with pytest.raises(DataError, match="has labels or runs of its own"):
        adopt(renamed, renamed.with_name("old.mia"))


def test_links_are_not_looked_into(renamed: Path) -> None:
    left = renamed.with_name("old.mia")
    left.rename(renamed.with_name("hidden"))
    left.symlink_to(renamed.with_name("hidden"))
    assert found(renamed) is None


def test_it_is_not_renamed_under_a_worker_or_a_program_that_writes(renamed: Path) -> None:
    left = renamed.with_name("old.mia")
    [run] = (left / "runs").iterdir()
    with WorkerLock(RunDir(run)), pytest.raises(DataError, match="is at work"):
        adopt(renamed, left)
    with LabelStore(left / "labels.db") as store, store.transaction():
        store.set_meta("x", "y")
        with pytest.raises(StoreError):
            adopt(renamed, left)
    assert left.exists()


def test_what_is_no_state_folder_is_refused(renamed: Path) -> None:
    (renamed / "red").mkdir()
    with pytest.raises(DataError, match=r"holds no labels\.db"):
        adopt(renamed, renamed / "red")
