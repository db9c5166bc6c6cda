"""Whether this program was started several times at once, by `torchrun` or `srun`, to do one job together."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mia_tui.errors import ConfigError
from mia_tui.text import printable

_FIRST_PORT, _PORTS = 15_000, 20_000
_LAST_PORT = 65_535


@dataclass(frozen=True)
class GivenRank:
    """The place of this process among those that were started together.

    Attributes:
        rank: Its number, from 0.
        count: How many there are.
        local_rank: Its number among those of this machine.
        local_count: How many there are on this machine.
        by: What started them, `torchrun` or `srun`.
        address: Host where the first one waits for the others.
        port: Its port there.
    """

    rank: int
    count: int
    local_rank: int
    local_count: int
    by: str
    address: str
    port: int


def given_rank(environment: Mapping[str, str] = os.environ) -> GivenRank | None:
    """The place that the environment gives this process; None if it was started alone.

    Sources: the variables of torchrun, https://docs.pytorch.org/docs/stable/elastic/run.html; those of a step of
    Slurm, https://slurm.schedmd.com/srun.html (a batch script is none, whatever number of tasks was asked for).

    Raises:
        ConfigError: If these variables are not complete or contradict each other, as those that something else set.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        return _given(environment, "torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if "SLURM_STEP_ID" in environment:
        return _given(
            environment,
            "srun",
            "SLURM_PROCID",
            "SLURM_STEP_NUM_TASKS",
            "SLURM_LOCALID",
            "SLURM_STEP_TASKS_PER_NODE",
        )
    return None


def first_host(names: str) -> str:
    """The first host of a list as Slurm writes it: `gpu[03-05,9],login` begins with gpu03."""
    match = re.match(r"([^,\[]+)(?:\[([^\],-]+)[^\]]*\]([^,\[]*))?", names)
    return "" if match is None else "".join(part or "" for part in match.groups())


def _given(
    environment: Mapping[str, str], by: str, rank: str, count: str, local_rank: str, local_count: str
) -> GivenRank | None:
    numbers = [_number(environment.get(name, "")) for name in (rank, count, local_rank, local_count)]
    own, all_of_them, own_here, here = numbers
    if own is None or all_of_them is None or all_of_them < 2:
        return None
    if own >= all_of_them or (own_here or 0) >= (here or all_of_them):
        raise _not_started_so(by, f"{rank} is {own}, {count} {all_of_them}, {local_rank} {own_here or 0}")
    address, port = _meeting_place(environment, by)
    return GivenRank(own, all_of_them, own_here or 0, here or 1, by, address, port)


def _meeting_place(environment: Mapping[str, str], by: str) -> tuple[str, int]:
    """Host and port where the first process waits for the others."""
    address, port = environment.get("MASTER_ADDR"), environment.get("MASTER_PORT")
    if by == "torchrun" and not (address and port):
        missing = "MASTER_PORT" if address else "MASTER_ADDR"
        raise _not_started_so(by, f"RANK and WORLD_SIZE are set, and {missing} is not")
    number = _number(port) if port else _slurm_port(environment)
    if number is None or not 0 < number <= _LAST_PORT:
        raise _not_started_so(by, f"MASTER_PORT is {printable(port or '')!r}")
    return address or _slurm_host(environment), number


def _not_started_so(by: str, why: str) -> ConfigError:
    names = "RANK and WORLD_SIZE" if by == "torchrun" else "SLURM_STEP_ID"
    return ConfigError(
        f"The environment says that {by} started this program, but {why}.",
        f"Start it by {by}, or alone after `unset {names.replace(' and', '')}`.",
    )


def _number(text: str) -> int | None:
    """The number that a variable begins with: Slurm writes `4(x2)` for four tasks on each of two hosts."""
    match = re.match("[0-9]{1,9}", text)
    return None if match is None else int(match[0])


def _slurm_host(environment: Mapping[str, str]) -> str:
    return first_host(environment.get("SLURM_STEP_NODELIST", "")) or "localhost"


def _slurm_port(environment: Mapping[str, str]) -> int:
    """The same for all tasks of a step, and another for most other steps on the host."""
    step = (_number(environment.get("SLURM_JOB_ID", "")) or 0) * 31 + (
        _number(environment["SLURM_STEP_ID"]) or 0
    )
    return _FIRST_PORT + step % _PORTS
