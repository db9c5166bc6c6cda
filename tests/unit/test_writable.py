"""Whether labels can be saved is known before the first one, without writing, and nothing is claimed falsely."""

import os
from pathlib import Path

import pytest
from run_support import as_nobody, on_small_disk

from mia_tui.dataset.store.errors import why_unwritable
from mia_tui.dataset.store.label_store import LabelStore

ASK = """
    from pathlib import Path
    from mia_tui.dataset.store.errors import why_unwritable
    print(why_unwritable(Path(sys.argv[1])))
"""
WAY_OUT = "you can look at everything here; to label, name a folder you may write to with --state DIR."


def test_where_labels_can_be_saved_nothing_is_said_and_nothing_written(tmp_path: Path) -> None:
    assert why_unwritable(tmp_path / "data" / "mia" / "labels.db") is None
    assert list(tmp_path.iterdir()) == []
    with LabelStore(tmp_path / "labels.db"):
        assert why_unwritable(tmp_path / "labels.db") is None


@pytest.mark.parametrize("there", [False, True])
def test_a_read_only_disk_is_named_with_the_way_out(tmp_path: Path, there: bool) -> None:
    disk, path = tmp_path / "disk", tmp_path / "disk" / "mia" / "labels.db"
    with LabelStore(tmp_path / "made" / "labels.db"):
        pass
    copy = f'cp -r {tmp_path / "made"} "$0/mia" && ' if there else ""
    said = on_small_disk(disk, ASK, path, finally_=f'{copy}mount -o remount,ro "$0"')
    at = path if there else disk
    assert said == f"Labels cannot be saved: {at} is on a read-only disk; {WAY_OUT}"


def test_a_disk_that_can_be_written_beside_a_read_only_one_is_no_fault(tmp_path: Path) -> None:
    assert on_small_disk(tmp_path / "disk", ASK, tmp_path / "disk" / "mia" / "labels.db") == "None"


def test_a_folder_that_one_may_not_write_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o555)
    with as_nobody(tmp_path / "data"):  # root may write everywhere
        said = why_unwritable(tmp_path / "data" / "mia" / "labels.db")
    assert said == f"Labels cannot be saved: you may not write to {tmp_path / 'data'}; {WAY_OUT}"


def test_a_file_that_one_may_not_write_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mia" / "labels.db"
    with LabelStore(path):
        pass
    monkeypatch.setattr(os, "access", lambda asked, mode, **_: asked != path)
    assert why_unwritable(path) == f"Labels cannot be saved: you may not write to {path}; {WAY_OUT}"
    monkeypatch.setattr(os, "access", lambda asked, mode, **_: asked != path.parent)
    path.with_name("labels.db-journal").unlink(missing_ok=True)
    assert str(path.parent) in str(why_unwritable(path))
    path.with_name("labels.db-journal").touch()
    assert why_unwritable(path) is None, "the journal is there already, so the folder is not written"
