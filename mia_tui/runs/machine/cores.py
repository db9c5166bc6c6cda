"""How many threads a network should compute with: as many as there are free cores when it begins.

Threads of a network wait for each other many times in each step, and spin meanwhile. If another program takes the
core of one of them, all the others wait for it: resnet18 at 96 pixels with two threads on two cores fell
from 117 images a second to 14 beside two busy programs, and to 5 beside one; one thread did 44 and 75.

What other programs use is measured over about a second from /proc/stat, for the cores this process may use, minus
what this process used itself. The load average is used only if there is nothing better: it lags by a minute, counts
programs that wait for a disk, and is that of the whole host inside a container.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from mia_tui.text import counted

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_CPUS = Path("/sys/devices/system/cpu")

_LEAST_S = 0.5  # of measuring: the kernel counts in hundredths of a second
_LOOK_EVERY_S = 0.05
_TOLERATED = 0.3  # of a core: if others use this much, it costs less than one thread fewer would
_MOST_THREADS = 32  # a batch of small images cannot use more; `--threads` takes any number
_BUSY_FIELDS = (1, 2, 3, 6, 7, 8)  # of a line of /proc/stat: user, nice, system, irq, softirq, steal


@dataclass(frozen=True)
class Cores:
    """The cores a process may use, and how many of them are free.

    Attributes:
        usable: Cores by affinity and the quota of the control groups.
        busy: How many of them other programs keep busy; may be a fraction.
        most: Threads that a network would use if nothing else ran.
    """

    usable: int
    busy: float
    most: int

    @property
    def threads(self) -> int:
        """Threads that a network should use now."""
        return max(1, min(self.most, int(self.usable - self.busy + _TOLERATED)))

    @property
    def is_busy(self) -> bool:
        """Whether other programs leave less than a network could use."""
        return self.threads < self.most

    def __str__(self) -> str:
        return f"other programs keep {self.busy:.1f} of {counted(self.usable, 'core')} busy"


@dataclass(frozen=True)
class _CoreQuota:
    """A control group with a quota: cores it may use, and core seconds that it has used."""

    limit: float
    used_s: float


@dataclass(frozen=True)
class _CoreTimes:
    at: float
    own_s: float
    busy_s: float | None
    groups: tuple[_CoreQuota, ...]


class CoreWatch:
    """Measures the use of the cores from its creation until it is asked.

    Args:
        proc: Where the kernel shows processes.
        cgroup: Where it shows control groups.
        cpus: Where it shows cores.
    """

    def __init__(self, proc: Path = _PROC, cgroup: Path = _CGROUP, cpus: Path = _CPUS) -> None:
        self._proc, self._cgroup, self._cpus = proc, cgroup, cpus
        self._mine = _affinity()
        self._begun = self._read()

    def cores(self) -> Cores:
        """The free cores, measured since this object was made; waits until that is half a second ago."""
        while (missing := self._begun.at + _LEAST_S - time.monotonic()) > 0:
            time.sleep(min(missing, _LOOK_EVERY_S))
        before, now = self._begun, self._read()
        past_s = now.at - before.at
        own = (now.own_s - before.own_s) / past_s
        usable = usable_cores(self._proc, self._cgroup)
        busy = [self._busy_cores(before, now, past_s, own) - (len(self._mine) - usable)]
        for earlier, later in zip(before.groups, now.groups, strict=False):
            others = (later.used_s - earlier.used_s) / past_s - own
            busy.append(others - (later.limit - usable))
        return Cores(usable, min(float(usable), max(0.0, *busy)), self._most(usable))

    def _busy_cores(self, before: _CoreTimes, now: _CoreTimes, past_s: float, own: float) -> float:
        """Cores that other programs keep busy, of those that this process may run on."""
        if before.busy_s is None or now.busy_s is None:
            return os.getloadavg()[0]  # macOS
        return (now.busy_s - before.busy_s) / past_s - own

    def _read(self) -> _CoreTimes:
        groups = _groups(self._proc, self._cgroup)
        return _CoreTimes(time.monotonic(), time.process_time(), _busy_s(self._proc, self._mine), groups)

    def _most(self, usable: int) -> int:
        """Two threads on one physical core gain nothing, and OMP_NUM_THREADS is an upper limit."""
        named = os.environ.get("OMP_NUM_THREADS", "")
        wanted = int(named) if named.isdecimal() and int(named) > 0 else _MOST_THREADS
        return min(usable, wanted, _MOST_THREADS, _physical_cores(self._cpus, self._mine))


def usable_cores(proc: Path = _PROC, cgroup: Path = _CGROUP) -> int:
    """Cores this process may use; in a Slurm job or a container, fewer than the machine has."""
    limits = [group.limit for group in _groups(proc, cgroup)]
    return max(1, int(min([len(_affinity()), *limits])))


def other_threads(before: int, now: int) -> tuple[str, str]:
    """The warning that a run continues with another number of threads, and its hint."""
    return (
        f"The run continues with {counted(now, 'thread')}, after {before}: from here on its weights are no longer "
        "bit-identical to those of an uninterrupted run.",
        f"`--threads {before}` would keep them identical.",
    )


def other_processes(before: int, now: int) -> tuple[str, str]:
    """The warning that a run continues with another number of processes, and its hint."""
    return (
        f"The run continues with {counted(now, 'process', 'processes')}, after {before}: from here on its weights "
        "are no longer bit-identical to those of an uninterrupted run.",
        f"`--devices` with {before} would keep them identical.",
    )


def _affinity() -> frozenset[int]:
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _busy_s(proc: Path, cpus: frozenset[int]) -> float | None:
    """Seconds that some cores were busy since the start of the machine; None if the system does not show that."""
    names = {f"cpu{number}" for number in cpus}
    rows = [line.split() for line in _text(proc / "stat").splitlines()]
    ticks = [int(row[at]) for row in rows if row and row[0] in names for at in _BUSY_FIELDS if at < len(row)]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None


def _physical_cores(cpus: Path, mine: frozenset[int]) -> int:
    """Number of physical cores: those that run two threads at a time are counted once."""
    names = (cpus / f"cpu{number}" / "topology" / "thread_siblings_list" for number in mine)
    return len({_text(name).strip() or str(name) for name in names})


def _groups(proc: Path, cgroup: Path) -> tuple[_CoreQuota, ...]:
    """The control groups around this process that have a quota, the innermost first."""
    found: list[_CoreQuota] = []
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":  # version 2; beside version 1 it is mounted deeper
            for top in (cgroup, cgroup / "unified"):
                found += [group for folder in _around(top, path) if (group := _group_2(folder)) is not None]
        elif "cpu" in controllers.split(","):  # version 1
            top, usage = cgroup / "cpu", cgroup / "cpuacct"
            for folder in _around(top, path):
                group = _group_1(folder, usage / folder.relative_to(top))
                if group is not None:
                    found.append(group)
    return tuple(found)


def _around(top: Path, path: str) -> list[Path]:
    """A group and those that contain it. In a container the path may name groups that are not visible from there."""
    folder = top / path.lstrip("/")
    return [folder, *(above for above in folder.parents if above.is_relative_to(top))]


def _group_2(folder: Path) -> _CoreQuota | None:
    limit, _, period = _text(folder / "cpu.max").strip().partition(" ")
    usage = [line.split() for line in _text(folder / "cpu.stat").splitlines()]
    used = next((row[1] for row in usage if len(row) == 2 and row[0] == "usage_usec"), "")
    return _group(limit, period, used, 1e-6)


def _group_1(folder: Path, usage: Path) -> _CoreQuota | None:
    limit, period = _text(folder / "cpu.cfs_quota_us").strip(), _text(folder / "cpu.cfs_period_us").strip()
    return _group(limit, period, _text(usage / "cpuacct.usage").strip(), 1e-9)


def _group(limit: str, period: str, used: str, unit_s: float) -> _CoreQuota | None:
    if not (limit.isdecimal() and period.isdecimal() and int(period) > 0):  # "max" and -1: no quota
        return None
    return _CoreQuota(int(limit) / int(period), int(used) * unit_s if used.isdecimal() else 0.0)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
