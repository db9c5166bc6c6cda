"""What the operating system knows about hosts, processes and locks."""

import fcntl
import os
import platform
import socket
import struct
import sys
from functools import cache
from pathlib import Path

FULL_BYTES = 16 * 1024  # a disk with less free space than this counts as full: less than any checkpoint
_IS_MAC = sys.platform == "darwin"
_FLOCK = "qqihh" if _IS_MAC else "hhqqi4x"  # struct flock of fcntl(2), 64 bits


def host_name() -> str:
    """Name of this host."""
    return socket.gethostname()


@cache
def cpu_name() -> str:
    """What the processor is called: its instructions decide how sums are rounded. Empty if that is not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()


@cache
def boot_id() -> str:
    """Identity of the running kernel; empty if the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks after the boot; None if that is unknown."""
    stat = _process_stat(pid)
    return int(stat[19]) if stat else None


def process_runs(pid: int, started: int | None) -> bool:
    """Whether a process of this host is running; a zombie is not, nor another process that got its number.

    Args:
        pid: Its number.
        started: Its `start_time`; None, or a system that shows none, matches no process.
    """
    stat = _process_stat(pid)
    return stat is not None and stat[0] not in "ZX" and started == int(stat[19])


def lock_holder(descriptor: int) -> tuple[bool, int | None]:
    """Whether another process holds a lock on an open file, asked with F_GETLK, and which.

    The process is None if this host cannot name it (another container or host), and the answer is no if the file
    system has no locks.
    """
    question = (0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET) if _IS_MAC else (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        answer = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_FLOCK, *question)))
    except OSError:
        return False, None
    kind, pid = (answer[3], answer[2]) if _IS_MAC else (answer[0], answer[4])
    if kind == fcntl.F_UNLCK:
        return False, None
    return True, pid if pid > 0 else None


def _process_stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; the name before it may contain anything, even brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def is_full(folder: Path) -> bool:
    """Whether the disk that holds a folder is full; a quota that is used up is not seen.

    Raises:
        OSError: If the folder cannot be examined.
    """
    disk = os.statvfs(folder)
    return disk.f_blocks > 0 and disk.f_bavail * disk.f_frsize < FULL_BYTES
