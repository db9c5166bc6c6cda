"""Waiting for the folder of a run: what is waited for, for how long, and what is not."""

import errno
from pathlib import Path

import pytest

from mia_tui.disk_errors import disk_error
from mia_tui.errors import AwayError, RunError
from mia_tui.runs import disk
from mia_tui.runs.disk import write_atomically


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("LOOK_EVERY_S", 0.001),
        ("OUTAGE_S", 0.02),
        ("DELETED_S", 0.005),
        ("_LISTEN_EVERY_S", 0.001),
    ):
        monkeypatch.setattr(disk, name, value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    return tmp_path / "runs" / "one"


class Failing:
    """Writes that fail a number of times."""

    def __init__(self, path: Path, number: int, times: int) -> None:
        self.tried, self._error, self._times = 0, disk_error, times
        self._path, self._number = path, number

    def __call__(self) -> str:
        self.tried += 1
        if self.tried > self._times:
            return "written"
        try:
            raise OSError(self._number, "no answer")
        except OSError as error:
            raise disk_error(error, self._path) from error


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENOENT])
def test_a_write_is_tried_until_the_disk_is_back(folder: Path, number: int) -> None:
    write, told = Failing(folder / "x", number, times=4), []
    assert disk.write_when_back(write, folder, should_stop=bool, on_wait=told.append) == "written"
    assert write.tried == 5
    assert len(told) == 2 and str(folder) in told[0] and told[1] is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_no_waiting_mends_is_said_at_once(folder: Path, number: int) -> None:
    write, told = Failing(folder / "x", number, times=1), []
    with pytest.raises(RunError):
        disk.write_when_back(write, folder, should_stop=bool, on_wait=told.append)
    assert write.tried == 1 and not told


def test_a_disk_that_stays_away_is_given_up(folder: Path) -> None:
    write = Failing(folder / "x", errno.ESTALE, times=10**6)
    with pytest.raises(AwayError, match=r"folder of the run, .*one, cannot be reached"):
        disk.write_when_back(write, folder, should_stop=bool, on_wait=lambda message: None)
    assert write.tried == 21


def test_whoever_asks_to_stop_waits_seconds_for_the_checkpoint_and_no_minutes(folder: Path) -> None:
    write = Failing(folder / "x", errno.ESTALE, times=10**6)
    with pytest.raises(AwayError):
        disk.write_when_back(write, folder, should_stop=lambda: True, on_wait=lambda message: None)
    assert write.tried == 6


def test_a_folder_that_was_deleted_is_not_waited_for_as_a_drive_is(folder: Path) -> None:
    folder.rmdir()
    tried: list[int] = []

    def write() -> None:
        tried.append(1)
        write_atomically(folder / "x", b"")

    with pytest.raises(RunError, match="cannot be written") as caught:
        disk.write_when_back(write, folder, should_stop=bool, on_wait=lambda message: None)
    assert not isinstance(caught.value, AwayError) and len(tried) == 6
