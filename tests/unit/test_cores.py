"""Threads by what is free: readings of a made-up machine, never of the one the tests run on."""

import os
import time
from pathlib import Path

import pytest

from mia_tui.runs.machine import cores
from mia_tui.runs.machine.cores import Cores, CoreWatch, other_threads, usable_cores


class Machine:
    """Files as the kernel shows them, and clocks that this test moves on."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        self.proc, self.cgroup, self.cpus = root / "proc", root / "cgroup", root / "cpu"
        (self.proc / "self").mkdir(parents=True)
        self.cgroup.mkdir()
        self.clock = self.own = 0.0
        self.busy = [0.0] * count
        monkeypatch.setattr(time, "monotonic", lambda: self.clock)
        monkeypatch.setattr(time, "process_time", lambda: self.own)
        monkeypatch.setattr(time, "sleep", lambda seconds: self.pass_(seconds))
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        self.pass_(0.0)

    def pass_(self, seconds: float, *, own: float = 0.0, others: tuple[float, ...] = ()) -> None:
        """Time goes by; `others` keep that share of each core busy, this process uses so many seconds."""
        self.clock += seconds
        self.own += own
        for number, share in enumerate(others):
            self.busy[number] += share * seconds
        self.busy[0] += own
        ticks = [round(value * os.sysconf("SC_CLK_TCK")) for value in self.busy]
        lines = [f"cpu  {sum(ticks)} 0 0 99 0 0 0 0 0 0"]
        lines += [f"cpu{number} {value} 0 0 99 7 0 0 0 0 0" for number, value in enumerate(ticks)]
        (self.proc / "stat").write_text("\n".join([*lines, "intr 5"]) + "\n")

    def group(self, path: str, **files: str) -> None:
        folder = self.cgroup / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)

    def watch(self) -> CoreWatch:
        return CoreWatch(self.proc, self.cgroup, self.cpus)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch, 2)


@pytest.fixture
def sixteen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch, 16)


@pytest.mark.parametrize(
    ("others", "threads"),
    [((0.0, 0.0), 2), ((0.2, 0.0), 2), ((0.5, 0.5), 1), ((1.0, 0.0), 1), ((1.0, 1.0), 1)],
)
def test_a_run_takes_the_cores_that_are_free(two: Machine, others: tuple[float, ...], threads: int) -> None:
    watch = two.watch()
    two.pass_(2.0, others=others)
    found = watch.cores()
    assert (found.usable, found.threads, found.most) == (2, threads, 2)
    assert found.busy == pytest.approx(sum(others), abs=0.02)
    assert found.is_busy == (threads < 2)


def test_what_this_process_uses_itself_is_free(two: Machine) -> None:
    watch = two.watch()
    two.pass_(2.0, own=1.8, others=(0.0, 0.1))
    assert watch.cores().threads == 2


def test_it_looks_for_half_a_second_at_least(two: Machine) -> None:
    watch = two.watch()
    watch.cores()
    assert two.clock >= 0.5


def test_cores_of_others_do_not_count(two: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1})
    watch = two.watch()
    two.pass_(2.0, others=(1.0, 0.0))
    found = watch.cores()
    assert (found.usable, found.busy, found.threads) == (1, 0.0, 1)


def test_some_busy_cores_of_many_leave_the_others(sixteen: Machine) -> None:
    watch = sixteen.watch()
    sixteen.pass_(2.0, others=(1.0,) * 4)
    assert watch.cores().threads == 12


def test_two_threads_of_one_physical_core_count_once(sixteen: Machine) -> None:
    for number in range(16):
        folder = sixteen.cpus / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number % 8},{number % 8 + 8}\n")
    found = sixteen.watch().cores()
    assert (found.usable, found.threads, found.is_busy) == (16, 8, False)


def test_who_named_a_number_to_openmp_gets_no_more(sixteen: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for named, threads in (("4", 4), ("40", 16), ("0", 16), ("4,2", 16)):
        monkeypatch.setenv("OMP_NUM_THREADS", named)
        assert sixteen.watch().cores().threads == threads


def test_a_quota_of_a_group_further_out_counts(sixteen: Machine) -> None:
    (sixteen.proc / "self" / "cgroup").write_text("0::/slurm/job/step\n")
    sixteen.group("", cpu__max="800000 100000")
    sixteen.group("slurm/job", cpu__max="250000 100000")
    sixteen.group("slurm/job/step", cpu__max="max 100000")
    assert usable_cores(sixteen.proc, sixteen.cgroup) == 2
    assert sixteen.watch().cores().threads == 2


def test_a_quota_of_version_1_and_of_a_container_that_does_not_see_its_path(sixteen: Machine) -> None:
    (sixteen.proc / "self" / "cgroup").write_text("3:cpuacct,cpu:/docker/abc\n0::/docker/abc\n")
    sixteen.group("cpu", cpu__cfs_quota_us="450000\n", cpu__cfs_period_us="100000\n")
    assert usable_cores(sixteen.proc, sixteen.cgroup) == 4
    sixteen.group("cpu", cpu__cfs_quota_us="-1\n")
    assert usable_cores(sixteen.proc, sixteen.cgroup) == 16
    sixteen.group("unified", cpu__max="10000 100000")  # less than one core is one
    assert usable_cores(sixteen.proc, sixteen.cgroup) == 1


def test_other_programs_of_the_same_quota_take_from_it_while_the_host_idles(sixteen: Machine) -> None:
    (sixteen.proc / "self" / "cgroup").write_text("0::/\n")
    sixteen.group("", cpu__max="400000 100000", cpu__stat="usage_usec 5000000\nuser_usec 1\n")
    watch = sixteen.watch()
    sixteen.pass_(2.0, others=(1.0, 1.0, 1.0))
    sixteen.group("", cpu__stat="usage_usec 11000000\n")
    found = watch.cores()
    assert (found.usable, found.threads) == (4, 1)
    assert found.busy == pytest.approx(3.0)


def test_a_busy_host_leaves_less_than_the_quota_allows(sixteen: Machine) -> None:
    (sixteen.proc / "self" / "cgroup").write_text("0::/\n")
    sixteen.group("", cpu__max="400000 100000", cpu__stat="usage_usec 0\n")
    watch = sixteen.watch()
    sixteen.pass_(2.0, others=(1.0,) * 14)
    assert watch.cores().threads == 2


def test_where_the_kernel_shows_no_cores_the_load_average_tells(
    two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (two.proc / "stat").unlink()
    monkeypatch.setattr(os, "getloadavg", lambda: (1.4, 0.0, 0.0))
    watch = two.watch()
    (two.proc / "stat").unlink(missing_ok=True)
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(two, "clock", two.clock + seconds))
    assert watch.cores().threads == 1


def test_the_readings_of_this_machine_make_sense() -> None:
    found = CoreWatch().cores()
    assert 1 <= found.threads <= found.usable and 0.0 <= found.busy <= found.usable


def test_a_reading_in_words() -> None:
    assert str(Cores(2, 1.88, 2)) == "other programs keep 1.9 of 2 cores busy"
    assert "no longer bit-identical" in other_threads(2, 1)[0]
    assert cores._MOST_THREADS >= 16
