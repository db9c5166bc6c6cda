"""Which devices a job uses, and the place of a process among those that torchrun or srun started together."""

import pytest

from mia_tui.config.devices import check_devices, parse_devices
from mia_tui.errors import ConfigError
from mia_tui.runs.machine.given_rank import first_host, given_rank


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1", 1), (" 4 ", 4), ("all", None), ("All", None), ("0,2", (0, 2)), ("3, 1", (3, 1))],
)
def test_devices_are_a_number_all_or_the_numbers_of_gpus(text: str, wanted: object) -> None:
    assert parse_devices(text) == wanted


@pytest.mark.parametrize("text", ["", "0", "many", "0,0", "-1", "2000", "0;1", "3,", "cuda:1"])
def test_other_devices_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="--devices"):
        parse_devices(text)


@pytest.mark.parametrize(
    ("devices", "device"), [("2", "cuda:1"), ("all", "cpu"), ("0,1", "cpu"), ("2", "mps")]
)
def test_devices_that_contradict_the_device_are_refused(devices: str, device: str) -> None:
    with pytest.raises(ConfigError, match="--devices"):
        check_devices(devices, device)


@pytest.mark.parametrize(
    ("devices", "device"), [("1", "mps"), ("1", "cuda:1"), ("2", "cpu"), ("0,2", "auto")]
)
def test_devices_that_fit_the_device_are_taken(devices: str, device: str) -> None:
    check_devices(devices, device)


def test_a_process_of_torchrun_knows_its_place() -> None:
    names = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    given = given_rank({**names, "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"})
    assert given is not None
    assert (given.rank, given.count, given.local_rank, given.local_count) == (5, 8, 1, 4)
    assert (given.by, given.address, given.port) == ("torchrun", "10.0.0.1", 29500)


def test_a_task_of_srun_knows_its_place_and_all_tasks_of_a_step_meet_at_the_same_port() -> None:
    step = {
        "SLURM_JOB_ID": "4711",
        "SLURM_STEP_ID": "3",
        "SLURM_STEP_NUM_TASKS": "8",
        "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
        "SLURM_STEP_NODELIST": "gpu[07,11]",
    }
    first = given_rank({**step, "SLURM_PROCID": "0", "SLURM_LOCALID": "0"})
    last = given_rank({**step, "SLURM_PROCID": "7", "SLURM_LOCALID": "3"})
    assert first is not None
    assert last is not None
    assert (last.rank, last.count, last.local_rank, last.local_count, last.by) == (7, 8, 3, 4, "srun")
    assert (first.address, first.port) == (last.address, last.port)
    assert first.address == "gpu07"
    assert 1024 < first.port < 65_536


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"MASTER_ADDR": ""}, "MASTER_ADDR is not"),
        ({"MASTER_PORT": ""}, "MASTER_PORT is not"),
        ({"MASTER_PORT": "99999"}, "MASTER_PORT is '99999'"),
        ({"MASTER_PORT": "x\x1b[2J"}, "MASTER_PORT is 'x"),
        ({"RANK": "8"}, "RANK is 8, WORLD_SIZE 8"),
        ({"LOCAL_RANK": "4"}, "LOCAL_RANK 4"),
    ],
)
def test_a_place_that_cannot_be_is_refused(changed: dict[str, str], why: str) -> None:
    names = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    with pytest.raises(ConfigError, match=f"torchrun started this program, but .*{why}") as error:
        given_rank({**names, "MASTER_ADDR": "localhost", "MASTER_PORT": "29500", **changed})
    assert "unset RANK WORLD_SIZE" in str(error.value)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"RANK": "0", "WORLD_SIZE": "1"},
        {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"},  # a batch script, which runs once
        {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
    ],
)
def test_a_single_process_is_none_of_several(environment: dict[str, str]) -> None:
    assert given_rank(environment) is None


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("node1", "node1"),
        ("a,b", "a"),
        ("gpu[03-05,9],login", "gpu03"),
        ("r[1,2]-c4.site", "r1-c4.site"),
        ("", ""),
    ],
)
def test_the_first_host_of_a_list_of_slurm(names: str, wanted: str) -> None:
    assert first_host(names) == wanted
