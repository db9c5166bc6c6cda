"""Which means a run chooses for its steps, and that the choice changes nothing else."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.feed import Batch
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.training.learner import Learner, Means
from mia_tui.engine.training.steps import fast_steps
from mia_tui.engine.training.steps.fast_steps import FastSteps, is_compiling_worth, refuse_impossible_means
from mia_tui.engine.training.steps.step_graphs import RecordingError, StepResult
from mia_tui.errors import ConfigError, RunError

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
TRIAL = 15  # steps
RESULT = StepResult(torch.ones(()), torch.ones(()), torch.zeros(4, 2))


class FakeLearner:
    """Takes as long for a step as its means say, by the clock of the test."""

    def __init__(self, seconds: dict[Means, float], device: torch.device, **settings: Any) -> None:
        self.config = TrainConfig(batch_size=4, **settings)
        self.device, self.arithmetic, self.settled = device, "bf16", None
        self.gives_up = self.is_frozen = False
        self.means, self.seconds, self.now, self.faults = Means(), seconds, 0.0, dict[Means, Exception]()

    def use(self, means: Means) -> None:
        self.means = means

    def is_whole(self, batch: Batch) -> bool:
        return len(batch.images) == self.config.batch_size

    def step(self, batch: Batch) -> StepResult:
        if self.means in self.faults:
            raise self.faults[self.means]
        self.now += self.seconds[self.means]
        if self.gives_up:
            self.means = PLAIN
        return RESULT


class Chosen:
    """A run's choice, and what it said."""

    def __init__(self, learner: FakeLearner, monkeypatch: pytest.MonkeyPatch, steps_left: int) -> None:
        monkeypatch.setattr(fast_steps, "StepWindow", partial(_FakeWindow, learner))
        self.learner, self.said, self.warned = learner, list[str](), list[str]()
        self.steps = FastSteps(
            learner,  # type: ignore[arg-type]
            steps_left=lambda: steps_left,
            say=self.said.append,
            warn=lambda message, hint: self.warned.append(message),
        )

    def do(self, count: int, images: int = 4, size: int = 2) -> Means:
        for _ in range(count):
            self.steps.step(batch_of(images, size))
        return self.learner.means


class _FakeWindow:
    def __init__(self, learner: FakeLearner, device: torch.device) -> None:
        self._learner, self._spans, self._begun = learner, list[float](), 0.0

    count = property(lambda self: len(self._spans))

    def begin(self) -> None:
        self._begun = self._learner.now

    def end(self) -> None:
        self._spans.append(self._learner.now - self._begun)

    def median_s(self, *, skipped: int) -> float:
        return sorted(self._spans[skipped:])[len(self._spans[skipped:]) // 2]


def batch_of(images: int, size: int = 2) -> Batch:
    torch.manual_seed(images)
    pixels = torch.randn(images, 3, size, size).contiguous(memory_format=torch.channels_last)
    return Batch(pixels, torch.arange(images) % 2, torch.arange(images))


PLAIN, RECORDED, COMPILED, BOTH = Means(), Means(False, True), Means(True, False), Means(True, True)
Make = Callable[..., Chosen]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(
        seconds: tuple[float, ...], device: torch.device = GPU, steps_left: int = 10**6, **settings: Any
    ) -> Chosen:
        times = dict(zip((PLAIN, RECORDED, COMPILED, BOTH), seconds, strict=True))
        return Chosen(FakeLearner(times, device, **settings), monkeypatch, steps_left)

    return make


def test_what_is_faster_is_kept_and_said(chosen: Make) -> None:
    run = chosen((0.010, 0.003, 0.009, 0.002))
    assert run.do(TRIAL) == RECORDED  # it is tried from now on
    assert run.do(TRIAL) == BOTH
    assert run.learner.settled is None
    assert run.do(TRIAL) == BOTH
    assert run.learner.settled == BOTH
    assert "steps take 3 ms instead of 10" in run.said[0]
    assert any("compiling the network" in words for words in run.said)
    assert "steps take 2 ms instead of 3" in run.said[-1]


def test_what_is_not_faster_is_dropped(chosen: Make) -> None:
    run = chosen((0.010, 0.0099, 0.010, 0.1))
    assert run.do(3 * TRIAL) == PLAIN
    assert run.learner.settled == PLAIN
    assert "would save nothing" in run.said[0]


def test_nothing_is_compiled_for_a_short_run_or_one_that_must_be_the_same_to_the_bit(chosen: Make) -> None:
    assert chosen((0.01, 0.003, 0, 0), steps_left=1000).do(3 * TRIAL) == RECORDED
    assert chosen((0.01, 0.003, 0, 0), deterministic=True).do(3 * TRIAL) == RECORDED
    assert chosen((0.2, 0, 0.1, 0), CPU).do(3 * TRIAL) == PLAIN


def test_steps_that_are_long_are_not_recorded(chosen: Make) -> None:
    run = chosen((0.3, 0, 0.2, 0))
    assert run.do(TRIAL) == COMPILED  # tried at once
    assert run.do(TRIAL) == COMPILED
    assert run.learner.settled == COMPILED


def test_odd_batches_are_not_measured(chosen: Make) -> None:
    run = chosen((0.01, 0.003, 0, 0), steps_left=0)
    run.do(TRIAL - 1)
    assert run.do(5, images=3) == PLAIN
    assert run.do(1) == RECORDED


def test_steps_in_which_only_the_head_learns_decide_nothing_unless_all_are_such(chosen: Make) -> None:
    run = chosen((0.01, 0.003, 0, 0), steps_left=0, epochs=2, freeze_epochs=1.0)
    run.learner.is_frozen = True
    assert run.do(3 * TRIAL) == PLAIN
    run.learner.is_frozen = False
    assert run.do(TRIAL) == RECORDED
    run = chosen((0.01, 0.003, 0, 0), steps_left=0, epochs=2, freeze_epochs=2.0)
    run.learner.is_frozen = True
    assert run.do(TRIAL) == RECORDED


def test_steps_with_images_of_another_size_are_not_compared(chosen: Make) -> None:
    run = chosen((0.01, 0.003, 0, 0), steps_left=0, start_size=0.5)
    assert run.do(TRIAL) == RECORDED
    assert run.do(1, size=4) == PLAIN  # larger images: what is tried has to be faster than these
    assert run.do(TRIAL - 1, size=4) == RECORDED
    run.learner.seconds[RECORDED] = 0.1
    assert run.do(TRIAL, size=4) == PLAIN
    assert run.learner.settled == PLAIN


def test_a_resumed_run_uses_what_it_chose_before(chosen: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = FakeLearner({COMPILED: 0.1}, CPU)
    learner.settled = COMPILED  # type: ignore[assignment]
    run = Chosen(learner, monkeypatch, 5)
    assert run.do(3 * TRIAL) == COMPILED
    assert learner.settled == COMPILED
    learner = FakeLearner({PLAIN: 0.1}, CPU, compile="off")
    learner.settled = COMPILED  # type: ignore[assignment]
    assert Chosen(learner, monkeypatch, 5).do(1) == PLAIN


def test_switches_decide_without_a_trial(chosen: Make) -> None:
    assert chosen((0.1, 0.1, 0.1, 0.1), compile="on", cuda_graphs="on").do(1) == BOTH
    run = chosen((0.1, 0.1, 0.1, 0.1), compile="off", cuda_graphs="off")
    assert run.do(5 * TRIAL) == PLAIN
    assert run.learner.settled == PLAIN


def test_where_compiling_or_recording_fails_the_run_goes_on_without(chosen: Make) -> None:
    run = chosen((0.01, 0.003, 0, 0.001))
    run.learner.faults = {RECORDED: RecordingError("it waits"), COMPILED: ValueError("no compiler\nat all")}
    assert run.do(3 * TRIAL) == PLAIN
    assert run.learner.settled == PLAIN
    assert [message.split("The reason: ")[1] for message in run.warned] == ["it waits.", "no compiler."]


def test_recordings_that_take_too_much_memory_are_not_tried_again(chosen: Make) -> None:
    run = chosen((0.01, 0.003, 0, 0), steps_left=0)
    run.do(2 * TRIAL)
    assert run.learner.settled == RECORDED
    run.learner.use(RECORDED)
    run.learner.gives_up = True
    assert run.do(2) == PLAIN
    assert run.learner.settled == PLAIN


def test_what_the_user_asks_for_ends_the_run_if_it_fails(chosen: Make) -> None:
    for option, means, error in (
        ("compile", COMPILED, ValueError("no compiler")),
        ("cuda_graphs", RECORDED, RecordingError("it waits")),
    ):
        run = chosen((0.01, 0.003, 0, 0.001), **{option: "on"})
        run.learner.faults = {means: error}
        with pytest.raises(RunError, match=f"--{option.replace('_', '-')} off"):
            run.do(1)


@pytest.mark.parametrize(
    ("settings", "device", "reason"),
    [
        ({"cuda_graphs": "on"}, CPU, "only an NVIDIA GPU"),
        ({"cuda_graphs": "on", "optimizer": "adagrad"}, GPU, "a step of AdaGrad"),
        ({"cuda_graphs": "on", "devices": "2"}, GPU, "several devices"),
        ({"compile": "on"}, torch.device("mps"), "mps"),
        ({"compile": "on", "start_size": 0.5}, CPU, "--start-size"),
    ],
)
def test_means_that_cannot_work_are_refused(
    settings: dict[str, Any], device: torch.device, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        refuse_impossible_means(TrainConfig(**settings), device, "bf16")
    refuse_impossible_means(TrainConfig(), device, "bf16")
    with pytest.raises(ConfigError, match="fp16"):
        refuse_impossible_means(TrainConfig(cuda_graphs="on"), GPU, "fp16")


def test_compiling_pays_for_itself_in_long_runs_only() -> None:
    assert not is_compiling_worth(0.02, 40_000)
    assert is_compiling_worth(0.02, 50_000)


def test_a_compiled_network_keeps_its_names_and_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    config = TrainConfig(
        backbone="timm:test_resnet", width=32, height=32, batch_size=4, precision="fp32", drop_rate=0.3
    )
    learners = [
        Learner(
            config,
            input_of(config),
            num_classes=2,
            class_weights=None,
            device=CPU,
            arithmetic="fp32",
            steps_per_epoch=2,
            warn=lambda message, hint: pytest.fail(message),
        )
        for _ in range(2)
    ]
    learners[1].use(COMPILED)
    learners[1].settled = COMPILED
    for learner in learners:
        torch.manual_seed(0)
        for images in (4, 4, 3):  # the last one is not compiled
            learner.step(batch_of(images, 32))
    plain, compiled = (learner.state_dict() for learner in learners)
    assert plain["model"].keys() == compiled["model"].keys()
    for name, value in plain["model"].items():
        torch.testing.assert_close(compiled["model"][name], value)
    assert (plain["means"], compiled["means"]) == (None, {"is_compiled": True, "is_recorded": False})
    learners[0].load_state_dict(compiled)
    assert learners[0].settled == COMPILED
    learners[0].load_state_dict({name: value for name, value in plain.items() if name != "means"})
    assert SimpleNamespace(**plain).steps_done == 3
