"""A step in one of several processes, here with a group of a single one; real groups are in e2e."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import HashStore

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.intensity import AS_BEFORE
from mia_tui.engine.data.feed import Batch, Mix
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.parallel import devices as devices_module
from mia_tui.engine.parallel import launching
from mia_tui.engine.parallel.channel import RankFailed
from mia_tui.engine.parallel.learner import ParallelLearner
from mia_tui.engine.parallel.rank import failure_of
from mia_tui.engine.parallel.ranks import RANK_MICRO_BATCH, Ranks
from mia_tui.engine.training.learner import Learner
from mia_tui.errors import CheckpointError, RunError
from mia_tui.runs.record.layout import RunDir

CPU = torch.device("cpu")
RUN = RunDir(Path("/run"))


@pytest.fixture(scope="module")
def ranks() -> Iterator[Ranks]:
    """A group of one process that believes to be one of several, as far as it is not told of the others."""
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield Ranks(0, 1)
    dist.destroy_process_group()


def make_learner(kind: type[Learner], *first: Any, **settings: Any) -> Learner:
    config = TrainConfig(
        **{"backbone": "timm:test_resnet", "width": 32, "height": 32, "batch_size": 8, **settings}
    )
    return kind(
        *first,
        config,
        input_of(config, AS_BEFORE),
        num_classes=2,
        class_weights=torch.tensor([1.0, 3.0]),
        device=CPU,
        arithmetic="fp32",
        steps_per_epoch=4,
        warn=lambda message, hint: None,
        resumed=True,  # no file of weights is looked for
    )


def make_batch(count: int, *, mixed: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, 3, 32, 32, generator=generator)
    targets = torch.arange(count) % 2
    mix = Mix(1 - targets, torch.full((count,), 0.7)) if mixed else None
    return Batch(images, targets, torch.arange(count), mix)


def weights(learner: Learner) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in learner.model.parameters()]


@pytest.mark.parametrize("mixed", [False, True])
def test_a_step_is_that_of_a_single_process(ranks: Ranks, mixed: bool) -> None:
    alone, among = make_learner(Learner), make_learner(ParallelLearner, ranks)
    for learner in (alone, among):
        for _ in range(2):
            result = learner.step(make_batch(8, mixed=mixed))
    for found, wanted in zip(weights(among), weights(alone), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
    assert result.logits.shape == (8, 2)


def test_gradients_of_pieces_are_added_up_before_they_are_sent(
    ranks: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RANK_MICRO_BATCH, "3")
    settings = {"backbone": "timm:test_vit2", "width": 64, "height": 64}  # pieces do not change what it knows
    pieces, whole = make_learner(ParallelLearner, ranks, **settings), make_learner(Learner, **settings)
    assert pieces.micro_batch == 3
    batch = make_batch(8)
    batch = Batch(torch.nn.functional.interpolate(batch.images, 64), batch.targets, batch.rows)
    found, wanted = pieces.step(batch), whole.step(batch)
    torch.testing.assert_close(found.numerator, wanted.numerator)
    for one, other in zip(weights(pieces), weights(whole), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_a_process_without_an_image_in_a_batch_learns_nothing_from_it(ranks: Ranks) -> None:
    learner = make_learner(ParallelLearner, ranks, optimizer="sgd", momentum=0.0, weight_decay=0.0)
    before, buffers = weights(learner), [each.clone() for each in learner.model.buffers()]
    result = learner.step(make_batch(0, mixed=True))
    assert result.logits.shape == (0, 2)
    assert all(torch.equal(*pair) for pair in zip(weights(learner), before, strict=True))
    assert all(torch.equal(*pair) for pair in zip(learner.model.buffers(), buffers, strict=True))


def test_what_is_trained_may_change(ranks: Ranks) -> None:
    learner = make_learner(ParallelLearner, ranks)
    first = next(learner.model.parameters())
    first.requires_grad_(False)
    before = first.clone()
    learner.step(make_batch(8))
    assert torch.equal(first, before)
    first.requires_grad_(True)
    learner.step(make_batch(8))
    assert not torch.equal(first, before)


def test_memory_that_runs_out_in_one_process_names_device_and_images(
    ranks: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner(ParallelLearner, ranks)
    monkeypatch.setattr(learner, "_mixed_terms", _out_of_memory_at(2, learner._mixed_terms))
    with pytest.raises(RunError, match="Memory ran out on cpu with 8 images") as caught:
        learner.step(make_batch(8))
    failed = failure_of(RUN, caught.value, "process 2 of 2", is_logged=True)
    assert failed.is_out_of_memory


def _out_of_memory_at(call: int, really: Any) -> Any:
    calls: list[int] = []

    def terms(*arguments: Any) -> Any:
        calls.append(0)
        if len(calls) == call:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return really(*arguments)

    return terms


def test_a_training_whose_memory_runs_out_begins_again_with_smaller_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int | None] = []

    def run_ranks(attempt: Any, devices: list[str], *, micro_batch: int | None) -> str:
        tried.append(micro_batch)
        if len(tried) < 3:
            raise launching.OutOfDeviceMemory("Memory ran out on cuda:1 with 16 images.", "Use fewer.")
        return "finished"

    monkeypatch.setattr(launching, "run_ranks", run_ranks)
    warned: list[str] = []
    attempt = SimpleNamespace(phase=lambda *words: None, warn=warned.append)
    job = SimpleNamespace(kind="train", config=TrainConfig(batch_size=32), devices=None)
    assert devices_module._work_in_processes(attempt, job, ["cuda:0", "cuda:1"]) == "finished"  # type: ignore[arg-type]
    assert tried == [None, 8, 4]
    assert "each device computes 8 images at a time" in warned[0]


def test_a_failure_in_a_process_names_it_and_an_error_of_the_program_is_passed_on() -> None:
    unknown = failure_of(RUN, ZeroDivisionError("division\nby zero"), "process 3 of 4", is_logged=True)
    assert unknown.error.message.startswith("Process 3 of 4")
    assert "failed: ZeroDivisionError: division." in unknown.error.message
    assert "worker.log" in (unknown.error.hint or "")
    known = failure_of(
        RUN, CheckpointError("It is damaged.", "Start anew."), "process 1 of 4", is_logged=True
    )
    again = known.as_error()
    assert isinstance(again, CheckpointError)
    assert (again.message, again.hint) == ("It is damaged.", "Start anew.")
    lost = failure_of(RUN, RuntimeError("gloo: Connection reset by peer"), "process 1 of 4", is_logged=False)
    assert isinstance(lost, RankFailed)
    assert lost.is_lost_peer
