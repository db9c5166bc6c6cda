from pathlib import Path

import pytest
import torch

from mia_tui.engine.data.memory import free_device_bytes
from mia_tui.memory import free_ram_bytes

GB = 1 << 30


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, Path]:
    """/proc and /sys/fs/cgroup of a machine with 100 GB free."""
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "meminfo", f"MemTotal: {200 * GB // 1024} kB\nMemAvailable:   {100 * GB // 1024} kB\n")
    return proc, cgroup


def test_without_control_groups_the_machine_decides(machine: tuple[Path, Path]) -> None:
    assert free_ram_bytes(*machine) == 100 * GB


def test_a_limit_of_a_slurm_job_counts_wherever_above_it_stands(machine: tuple[Path, Path]) -> None:
    proc, cgroup = machine
    write(proc / "self" / "cgroup", "0::/slurm/job_7/step_0\n")
    write(cgroup / "slurm/job_7/memory.max", f"{16 * GB}\n")
    write(cgroup / "slurm/job_7/memory.current", f"{10 * GB}\n")
    write(cgroup / "slurm/job_7/memory.stat", f"anon {7 * GB}\ninactive_file {3 * GB}\n")
    write(cgroup / "slurm/job_7/step_0/memory.max", "max\n")
    write(cgroup / "slurm/job_7/step_0/memory.current", f"{10 * GB}\n")
    assert free_ram_bytes(proc, cgroup) == 9 * GB  # cached files count as free


def test_a_container_sees_its_own_group_as_the_top(machine: tuple[Path, Path]) -> None:
    proc, cgroup = machine
    write(proc / "self" / "cgroup", "0::/\n")
    write(cgroup / "memory.max", f"{4 * GB}\n")
    write(cgroup / "memory.current", f"{1 * GB}\n")
    assert free_ram_bytes(proc, cgroup) == 3 * GB


def test_the_first_version_of_control_groups_is_read_too(machine: tuple[Path, Path]) -> None:
    proc, cgroup = machine
    write(proc / "self" / "cgroup", "9:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n")
    write(cgroup / "memory/memory.limit_in_bytes", "9223372036854771712\n")
    write(cgroup / "memory/memory.usage_in_bytes", f"{50 * GB}\n")
    write(cgroup / "memory/docker/abc/memory.limit_in_bytes", f"{8 * GB}\n")
    write(cgroup / "memory/docker/abc/memory.usage_in_bytes", f"{9 * GB}\n")
    assert free_ram_bytes(proc, cgroup) == 0


def test_a_system_that_shows_nothing_still_gives_a_number(tmp_path: Path) -> None:
    assert free_ram_bytes(tmp_path / "none", tmp_path / "none") > 0


def test_the_memory_of_a_cpu_is_the_machines() -> None:
    free = free_device_bytes(torch.device("cpu"))
    assert free > 0
    assert free == pytest.approx(free_ram_bytes(), rel=0.5)
