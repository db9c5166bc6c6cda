"""How much memory this process may still use."""

import os
from pathlib import Path

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")


def free_ram_bytes(proc: Path = _PROC, cgroup: Path = _CGROUP) -> int:
    """Memory that this process may still use.

    The minimum of what is free on the machine and in each control group of the process: in a container or a Slurm
    job the machine may have a terabyte free and the job 16 GB.

    Args:
        proc: The proc file system.
        cgroup: The file system of control groups.
    """
    return min(_machine_bytes(proc), *_cgroup_bytes(proc, cgroup))


def _machine_bytes(proc: Path) -> int:
    for line in _text(proc / "meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2  # all that macOS reports


def _cgroup_bytes(proc: Path, cgroup: Path) -> list[int]:
    """What is free in each control group of this process; a huge number without a limit."""
    left = [1 << 62]
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            left += _left(cgroup, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):  # version 1
            left += _left(
                cgroup / "memory",
                path,
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            )
    return left


def _left(top: Path, path: str, limit_name: str, used_name: str, reclaimable_name: str) -> list[int]:
    """Limit minus usage of a group and its parents; cached files count as free, since the kernel drops them.

    In a container the path may name a group that is not visible there; the visible ones count.
    """
    folder = top / path.lstrip("/")
    left = []
    for group in (folder, *folder.parents):
        limit, used = _text(group / limit_name).strip(), _text(group / used_name).strip()
        if limit.isdigit() and used.isdigit():
            left.append(max(0, int(limit) - int(used) + _stat(group / "memory.stat", reclaimable_name)))
        if group == top:
            break
    return left


def _stat(path: Path, name: str) -> int:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
