"""What a process of several gets of a batch, and how such a job is told to begin."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep
from typing import Any

import pytest
import torch

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.feed import Batch
from mia_tui.engine.parallel import devices as devices_module
from mia_tui.engine.parallel import ranks as ranks_module
from mia_tui.engine.parallel.devices import chosen_devices
from mia_tui.engine.parallel.ranks import ALONE, Ranks, is_lost_peer
from mia_tui.engine.parallel.steps import steps_together
from mia_tui.errors import ConfigError, DeviceError, RunError
from mia_tui.runs.machine.gpus import Gpu, gpus_of_process


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("images", [1, 2, 3, 5, 8, 17])
def test_processes_share_out_a_batch_in_order_and_none_gets_a_single_image(count: int, images: int) -> None:
    batch = torch.arange(images) + 100
    parts = [Ranks(rank, count).part(batch) for rank in range(count)]
    assert torch.equal(torch.cat(parts), batch)
    assert len(parts[0])
    assert images == 1 or 1 not in [len(part) for part in parts]


def test_every_batch_of_an_evaluation_is_in_the_share_of_one_process() -> None:
    shares = [Ranks(rank, 3).share(list(range(8))) for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_a_single_process_agrees_with_itself_and_sends_nothing() -> None:
    values = torch.tensor([1.0, 2.0])
    assert ALONE.sum_(values) is values
    assert ALONE.sums(3, True) == [3, True]
    assert ALONE.gather("it") == ["it"]
    assert ALONE.from_first(lambda: 7) == 7
    with pytest.raises(RunError):
        ALONE.together(_fail)


def _fail() -> None:
    raise RunError("no")


class _TwoRanks(Ranks):
    """One of two processes, each a thread of the test; counts how often they met."""

    def __init__(self, rank: int, meeting: Barrier, said: dict[int, object]) -> None:
        super().__init__(rank, 2)
        self._meeting, self._said, self.meetings = meeting, said, 0

    def gather(self, value: Any) -> list[Any]:
        self._said[self.rank] = value
        self._meeting.wait(60.0)
        both = [self._said[0], self._said[1]]
        self._meeting.wait(60.0)
        self.meetings += 1
        return both

    def sums(self, *values: int) -> list[int]:
        return [sum(each) for each in zip(*self.gather(values), strict=True)]


def _both_from_first(action: Callable[[], object]) -> tuple[list[object], int]:
    meeting, said = Barrier(2), dict[int, object]()
    ranks = [_TwoRanks(rank, meeting, said) for rank in range(2)]
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(one.from_first, action) for one in ranks]
    return [future.exception() or future.result() for future in futures], ranks[1].meetings


def test_others_are_told_that_the_first_process_is_still_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, least = _both_from_first(lambda: 7)
    assert at_once == [7, 7]
    monkeypatch.setattr(ranks_module, "STILL_AT_IT_S", 0.01)
    after_a_while, meetings = _both_from_first(lambda: sleep(0.5))
    assert after_a_while == [None, None]
    assert meetings > least
    failed, _ = _both_from_first(_fail)
    assert [str(error) for error in failed] == ["no", "no"]


def test_a_single_process_stops_after_the_step_at_which_it_is_asked() -> None:
    asked = iter([False, True])
    found = list(steps_together(_batches(4), ALONE, lambda: next(asked)))
    assert [images for _, images in found] == [2, 2]


def _batches(count: int) -> Iterator[Batch]:
    for _ in range(count):
        yield Batch(torch.zeros(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64), torch.arange(2))


def test_the_loss_of_another_process_is_told_from_other_errors() -> None:
    assert is_lost_peer(
        RuntimeError("[gloo/transport/tcp/pair.cc:545] Connection closed by peer [127.0.0.1]:1")
    )
    assert not is_lost_peer(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not is_lost_peer(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_lost_peer(ValueError("gloo"))


def test_on_a_processor_devices_is_the_number_of_processes() -> None:
    assert chosen_devices("3", "cpu") == ["cpu"] * 3
    assert chosen_devices("1", "auto") == ["auto"]


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four GPUs of torch's, the second of which it was not built for; the others have 10, 30 and 40 GB free."""
    free = {"u0": 10, "u1": 80, "u2": 30, "u3": 40}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(devices_module, "why_no_kernels", lambda index: "too old." if index == 1 else None)
    monkeypatch.setattr(devices_module, "why_no_gpu", lambda: None)
    monkeypatch.setattr(devices_module, "gpu_uuids", lambda: list(free))
    gpus = [Gpu(f"GPU-{uuid}", "H100", 80, size, 0, "1") for uuid, size in free.items()]
    monkeypatch.setattr(devices_module, "list_gpus", lambda: gpus)


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("devices", "wanted"),
    [
        ("all", ["cuda:0", "cuda:2", "cuda:3"]),
        ("2", ["cuda:2", "cuda:3"]),  # the most free memory
        ("3,0", ["cuda:3", "cuda:0"]),
    ],
)
def test_gpus_are_those_with_the_most_free_memory_or_those_named(devices: str, wanted: list[str]) -> None:
    assert chosen_devices(devices, "auto") == wanted


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize("devices", ["4", "0,1", "0,7"])
def test_gpus_that_are_not_there_or_too_old_are_refused(devices: str) -> None:
    with pytest.raises(DeviceError, match=f"--devices {devices} cannot be used: torch can use 3 GPUs here"):
        chosen_devices(devices, "auto")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (TrainConfig(device="cpu", devices="3", batch_size=5), "--batch-size 5 is too small for 3 devices"),
        (TrainConfig(device="cpu", devices="2", sync_norms=True), "--sync-norms needs GPUs"),
    ],
)
def test_what_several_processes_cannot_do_is_refused_before_they_are_started(
    config: TrainConfig, says: str, make_job: Callable[[TrainConfig], object]
) -> None:
    with pytest.raises(ConfigError, match=says):
        devices_module.work_on_devices(None, make_job(config), _fail)  # type: ignore[arg-type]


@pytest.fixture
def make_job() -> Callable[[TrainConfig], object]:
    class Job:
        devices = None

        def __init__(self, config: TrainConfig) -> None:
            self.config = config

    return Job


def test_the_figures_of_a_run_on_several_gpus_are_those_of_its_first() -> None:
    gpus = [Gpu("a", "H100", 80, 10, 0, "1", frozenset({7})), Gpu("b", "H100", 80, 10, 0, "1")]
    assert gpus_of_process(gpus, 7, "2 × H100") == (gpus[0],)
