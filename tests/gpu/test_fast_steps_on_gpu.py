"""Steps from a recording and of a compiled network, on a GPU: the same weights, the same random numbers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training_support import assert_same_weights, make_run, train

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.feed import Batch, Mix
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.device import Arithmetic, set_up
from mia_tui.engine.training.learner import Learner, Means
from mia_tui.engine.training.steps import step_graphs
from mia_tui.engine.training.steps.fast_steps import FastSteps
from mia_tui.runs.record.events import Phase, Warned

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda", 0)
RECORDED = Means(is_recorded=True)
# No operation of it adds in an order of its own choosing.
SETTINGS = {
    "backbone": "timm:test_efficientnet",
    "width": 32,
    "height": 32,
    "batch_size": 8,
    "drop_rate": 0.3,
}


def learner_of(arithmetic: Arithmetic = "bf16", **settings: object) -> Learner:
    config = TrainConfig(**{**SETTINGS, **settings})  # type: ignore[arg-type]
    set_up(GPU, threads=2, deterministic=True)
    return Learner(
        config,
        input_of(config),
        num_classes=3,
        class_weights=torch.tensor([1.0, 2.0, 0.5]),
        device=GPU,
        arithmetic=arithmetic,
        steps_per_epoch=20,
        warn=lambda message, hint: None,
    )


def batches_of(count: int, *, mixed: bool = False, odd: bool = False) -> Iterator[Batch]:
    for number in range(count):
        torch.manual_seed(1000 + number)
        images = 5 if odd and number % 5 == 4 else 8
        pixels = torch.randn(images, 3, 32, 32).to(GPU, memory_format=torch.channels_last)
        targets = torch.randint(0, 3, (images,)).to(GPU)
        mix = Mix(targets.roll(1), torch.rand(images).to(GPU)) if mixed and number % 2 else None
        yield Batch(pixels, targets, torch.arange(images), mix)


def steps_of(learner: Learner, batches: Iterator[Batch]) -> list[float]:
    """The losses of some steps; random numbers of the GPU begin anew."""
    losses = []
    torch.cuda.manual_seed(5)
    for number, batch in enumerate(batches):
        learner.schedule.set_step(1, number)
        result = learner.step(batch)
        losses.append(float(result.numerator / result.denominator))
    return losses


def assert_same(found: Learner, wanted: Learner) -> None:
    for name, value in wanted.state_dict()["model"].items():
        assert torch.equal(found.state_dict()["model"][name], value), name


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adamax", "adadelta"])
def test_recorded_steps_have_the_weights_of_launched_ones(optimizer: str) -> None:
    plain, recorded = learner_of(optimizer=optimizer), learner_of(optimizer=optimizer)
    recorded.use(RECORDED)
    assert steps_of(recorded, batches_of(12)) == steps_of(plain, batches_of(12))
    assert recorded._graphs is not None and len(recorded._graphs._recorded) == 1
    assert_same(recorded, plain)


def test_odd_batches_and_mixed_ones_among_recorded_steps() -> None:
    plain, recorded = learner_of(ema_decay=0.9), learner_of(ema_decay=0.9)
    recorded.use(RECORDED)
    found = steps_of(recorded, batches_of(20, mixed=True, odd=True))
    assert found == steps_of(plain, batches_of(20, mixed=True, odd=True))
    assert recorded._graphs is not None and len(recorded._graphs._recorded) == 2
    assert_same(recorded, plain)


def test_a_recorded_step_does_not_wait_for_the_gpu() -> None:
    learner = learner_of()
    learner.use(RECORDED)
    steps_of(learner, batches_of(6))
    batches = list(batches_of(6))
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in batches:
            learner.schedule.set_step(1, 0)
            learner.step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_state_goes_from_the_cpu_to_a_gpu_and_on_in_a_recording() -> None:
    learner = learner_of()
    steps_of(learner, batches_of(3))
    state = learner.state_dict()
    other = learner_of()
    other.load_state_dict(state)
    other.use(RECORDED)
    assert steps_of(other, batches_of(8)) == steps_of(learner, batches_of(8))
    assert_same(other, learner)


def test_memory_that_runs_out_ends_the_recording_and_not_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = learner_of()
    learner.use(RECORDED)
    steps_of(learner, batches_of(2))
    monkeypatch.setattr(step_graphs.StepGraphs, "step", lambda self, batch, form: None)
    steps_of(learner, batches_of(1))
    assert learner.means == Means()
    assert learner.micro_batch == 8


def test_what_cannot_be_recorded_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, warned = learner_of(), list[str]()
    learner.settled = RECORDED
    steps = FastSteps(
        learner, steps_left=lambda: 100, say=print, warn=lambda message, hint: warned.append(message)
    )
    gradients = learner._gradients

    def waiting(batch: Batch) -> object:
        result = gradients(batch)
        float(result.numerator)  # type: ignore[union-attr]
        return result

    monkeypatch.setattr(learner, "_gradients", waiting)
    for batch in batches_of(8):
        steps.step(batch)
    assert learner.means == Means()
    assert len(warned) == 1 and "cannot repeat steps" in warned[0]


def test_a_compiled_and_recorded_network_learns_as_one_that_is_not() -> None:
    plain, fast = learner_of("fp32", drop_rate=0.0), learner_of("fp32", drop_rate=0.0)
    fast.use(Means(is_compiled=True, is_recorded=True))
    found, wanted = steps_of(fast, batches_of(8)), steps_of(plain, batches_of(8))
    assert found == pytest.approx(wanted, rel=1e-2)
    assert fast.state_dict()["model"].keys() == plain.state_dict()["model"].keys()


def test_a_run_says_what_it_chose_and_goes_on_with_it(discs: Path) -> None:
    settings = {"device": "cuda", "precision": "bf16", "deterministic": True, "early_stop": 0, **SETTINGS}
    whole, broken = make_run(discs, epochs=30, **settings), make_run(discs, epochs=30, **settings)
    result, events = train(whole)
    assert result.outcome == "finished", result.error
    assert any("recording" in event.message for event in events if isinstance(event, Phase))
    assert not any(isinstance(event, Warned) for event in events)
    train(broken, stop_after=(20, 2))
    assert train(broken)[0].outcome == "finished"
    assert_same_weights(broken, whole)
