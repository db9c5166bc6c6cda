"""The datasets that were opened last: what is kept of them, and that nothing goes wrong where it cannot be kept."""

import os
from pathlib import Path

import pytest

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import MOST, last_position, recent_datasets, remember_dataset
from mia_tui.paths import user_state


def test_the_newest_stands_first_and_each_once(tmp_path: Path) -> None:
    for name in ("a", "b", "a"):
        remember_dataset(tmp_path / name, None, None)
    assert [recent.path.name for recent in recent_datasets()] == ["a", "b"]


def test_a_position_comes_back_and_survives_a_visit_without_one(tmp_path: Path) -> None:
    name = os.fsdecode(b"bad \xff 100%\n.png")
    remember_dataset(tmp_path, tmp_path / "state", ImageKey(name, 3), images=7, labels=2)
    assert last_position(tmp_path) == ImageKey(name, 3)
    remember_dataset(tmp_path, None, None)
    assert last_position(tmp_path) == ImageKey(name, 3)
    [recent] = recent_datasets()
    assert (recent.images, recent.labels, recent.state) == (7, 2, None)


def test_folders_of_any_name_are_remembered(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"x\xff%41\x1b")
    remember_dataset(folder, None, None)
    assert recent_datasets()[0].path == folder


def test_the_file_is_private_and_stays_small(tmp_path: Path) -> None:
    for number in range(3 * MOST):
        remember_dataset(tmp_path / f"{number:0100}", None, ImageKey("y" * 200))
    file = user_state() / "recent-datasets"
    assert file.stat().st_mode & 0o077 == 0 or user_state().stat().st_mode & 0o077 == 0
    assert len(recent_datasets()) == MOST
    assert file.stat().st_size < 100_000
    assert recent_datasets()[0].path.name == f"{3 * MOST - 1:0100}"


def test_a_damaged_line_costs_itself_only(tmp_path: Path) -> None:
    remember_dataset(tmp_path / "a", None, None)
    with (user_state() / "recent-datasets").open("ab") as file:
        file.write(b'{"path": "/cut\n\xff\xfe\n')
    remember_dataset(tmp_path / "b", None, None)
    assert [recent.path.name for recent in recent_datasets()] == ["b", "a"]


def test_nothing_happens_where_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("in the way")
    remember_dataset(tmp_path, None, ImageKey("a.png"))
    assert recent_datasets() == []
    assert last_position(tmp_path) is None
