"""Optimizers and the course of the learning rate."""

import math
from copy import deepcopy

import pytest
import torch
from torch import nn

from mia_tui.catalog.optimizers import OPTIMIZERS, OptimizerName
from mia_tui.catalog.schedules import SCHEDULES, ScheduleName
from mia_tui.config.train import TrainConfig
from mia_tui.engine.training.optim import (
    Schedule,
    load_optimizer_state,
    make_optimizer,
    optimizer_state,
    set_rate,
)

STEPS = 4


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


def schedule_of(config: TrainConfig) -> Schedule:
    return Schedule(make_optimizer(small_net(), config), config, STEPS)


def rates(config: TrainConfig) -> list[float]:
    """The rate of every step of a run."""
    schedule = schedule_of(config)
    seen = []
    for epoch in range(1, config.epochs + 1):
        for step in range(STEPS):
            schedule.set_step(epoch, step)
            seen.append(schedule.lr)
    return seen


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_a_loss_from_its_own_rate(name: OptimizerName) -> None:
    model = small_net()
    optimizer = make_optimizer(model, TrainConfig(optimizer=name))
    assert all(group["lr"] == OPTIMIZERS[name].lr for group in optimizer.param_groups)
    images, targets = torch.randn(8, 3, 8, 8), torch.arange(8) % 2
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_spares_biases_and_norms(name: OptimizerName) -> None:
    model = small_net()
    optimizer = make_optimizer(model, TrainConfig(optimizer=name, weight_decay=0.3, lr=0.5))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: decay[id(p)] for name, p in model.named_parameters()} == {
        "0.weight": 0.3,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
        "4.weight": 0.3,
        "4.bias": 0.0,
    }
    assert all(group["lr"] == 0.5 for group in optimizer.param_groups)


def test_frozen_parameters_are_left_out() -> None:
    model = small_net()
    model.requires_grad_(False)
    model[4].bias.requires_grad_(True)  # type: ignore[index, union-attr]
    groups = make_optimizer(model, TrainConfig()).param_groups
    assert [len(group["params"]) for group in groups] == [1]


def test_sgd_is_nesterov_and_allows_no_momentum_at_all() -> None:
    group = make_optimizer(small_net(), TrainConfig(optimizer="sgd")).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.9, True)
    group = make_optimizer(small_net(), TrainConfig(optimizer="sgd", momentum=0.0)).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.0, False)


def test_constant_stays_where_it_is() -> None:
    assert set(rates(TrainConfig(schedule="constant", lr=0.01, epochs=30))) == {0.01}


def test_step_halves_the_rate_every_25_epochs_down_to_the_floor() -> None:
    seen = rates(TrainConfig(schedule="step", lr=1e-3, epochs=60))
    assert seen[: 25 * STEPS] == [1e-3] * 25 * STEPS
    assert seen[25 * STEPS : 50 * STEPS] == [5e-4] * 25 * STEPS
    assert seen[50 * STEPS] == 2.5e-4
    low = rates(TrainConfig(schedule="step", lr=1e-3, epochs=60, step_epochs=1))
    assert min(low) == low[-1] == 1e-6


def test_cosine_warms_up_and_ends_just_above_the_floor() -> None:
    seen = rates(TrainConfig(schedule="cosine", lr=0.1, epochs=10, min_lr=0.001, warmup_epochs=1.0))
    assert seen[:STEPS] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert seen[STEPS] == pytest.approx(0.1)
    total, warm = 10 * STEPS, STEPS
    for index in range(STEPS, total):
        angle = math.pi * (index - warm) / (total - warm)
        assert seen[index] == pytest.approx(0.001 + 0.099 * (1 + math.cos(angle)) / 2)
    assert seen[STEPS:] == sorted(seen[STEPS:], reverse=True)
    assert 0.001 < seen[-1] < 0.002


def test_warm_up_takes_half_of_a_short_run_at_most() -> None:
    seen = rates(TrainConfig(schedule="cosine", lr=0.1, epochs=1, warmup_epochs=5.0))
    assert seen[:2] == pytest.approx([0.05, 0.1])
    assert seen[3] < seen[2] <= 0.1


def test_no_warm_up_starts_at_the_full_rate() -> None:
    assert rates(TrainConfig(schedule="cosine", lr=0.1, epochs=2, warmup_epochs=0.0))[0] == pytest.approx(0.1)


def test_a_floor_above_the_rate_does_not_raise_it() -> None:
    for name in SCHEDULES:
        assert max(rates(TrainConfig(schedule=name, lr=1e-4, min_lr=0.1, epochs=3, warmup_epochs=0))) == 1e-4


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_plateau_reduces_after_five_epochs_without_improvement(higher_is_better: bool) -> None:
    config = TrainConfig(schedule="plateau", lr=1e-3)
    schedule = schedule_of(config)
    sign = 1 if higher_is_better else -1
    values = [0.5, 0.6] + [0.6, 0.5, 0.60005, math.nan, 0.6] + [0.7] + [0.7] * 5
    seen = []
    for epoch, value in enumerate(values, start=1):
        schedule.set_step(epoch, 0)
        seen.append(schedule.lr)
        schedule.epoch_ended(sign * value, higher_is_better)
    schedule.set_step(len(values) + 1, 0)
    assert seen == pytest.approx([1e-3] * 7 + [2e-4] * 6)
    assert schedule.lr == pytest.approx(4e-5)


def test_plateau_stops_at_the_floor() -> None:
    schedule = schedule_of(TrainConfig(schedule="plateau", lr=1e-3, plateau_patience=1))
    for epoch in range(1, 12):
        schedule.set_step(epoch, 0)
        schedule.epoch_ended(0.5, True)
    assert schedule.lr == 1e-6


def test_a_nan_at_first_does_not_become_the_best() -> None:
    schedule = schedule_of(TrainConfig(schedule="plateau", lr=1e-3, plateau_patience=2))
    for value in (math.nan, 0.2, 0.1, 0.3):
        schedule.epoch_ended(value, True)
    schedule.set_step(5, 0)
    assert schedule.lr == 1e-3


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_resumed_run_has_the_rates_of_an_unbroken_one(name: ScheduleName) -> None:
    config = TrainConfig(schedule=name, lr=0.01, epochs=12, plateau_patience=2, step_epochs=3)
    values = [0.1, 0.3, 0.2, 0.3, 0.3, 0.2, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1]

    def run(breaks: bool) -> list[float]:
        schedule, seen = schedule_of(config), []
        for epoch, value in enumerate(values, start=1):
            for step in range(STEPS):
                if breaks and step == 2:
                    state = schedule.state_dict()
                    schedule = schedule_of(config)
                    schedule.load_state_dict(state)
                schedule.set_step(epoch, step)
                seen.append(schedule.lr)
            schedule.epoch_ended(value, True)
        return seen

    assert run(breaks=True) == run(breaks=False)


def test_every_group_of_the_optimizer_gets_the_rate() -> None:
    config = TrainConfig(schedule="cosine", lr=0.1, epochs=4)
    optimizer = make_optimizer(small_net(), config)
    schedule = Schedule(optimizer, config, STEPS)
    schedule.set_step(3, 1)
    assert {group["lr"] for group in optimizer.param_groups} == {schedule.lr}


def net_without_noise() -> nn.Module:
    """Without a bias in front of a norm: its gradients are rounding errors, which Adam makes as large as others."""
    model = small_net()
    model[0].register_parameter("bias", None)  # type: ignore[index, operator]
    return model


def step_of(model: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    torch.manual_seed(number)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(torch.randn(8, 3, 8, 8)), torch.arange(8) % 2)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def as_before(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """As earlier versions made it: weight by weight."""
    optimizer = make_optimizer(model, config)
    groups = [{**group, "fused": None} if "fused" in group else group for group in optimizer.param_groups]
    return type(optimizer)(groups)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fused_steps_are_those_of_one_weight_after_the_other_but_for_rounding(name: OptimizerName) -> None:
    config = TrainConfig(optimizer=name)
    fused, plain = net_without_noise(), net_without_noise()
    optimizers = make_optimizer(fused, config), as_before(plain, config)
    for number in range(20):
        step_of(fused, optimizers[0], number)
        step_of(plain, optimizers[1], number)
    for found, wanted in zip(fused.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_an_earlier_version_goes_on_as_it_is_computed_now(name: OptimizerName) -> None:
    config = TrainConfig(optimizer=name)
    plain = net_without_noise()
    before = as_before(plain, config)
    for number in range(3):
        step_of(plain, before, number)
    resumed = net_without_noise()
    resumed.load_state_dict(plain.state_dict())
    optimizer = make_optimizer(resumed, config)
    own = [group.get("fused") for group in optimizer.param_groups]
    load_optimizer_state(optimizer, deepcopy(before.state_dict()))  # torch takes over the very tensors
    assert [group.get("fused") for group in optimizer.param_groups] == own
    assert name not in ("adam", "adamw", "adagrad") or own == [True, True]
    for number in range(3, 6):
        step_of(plain, before, number)
        step_of(resumed, optimizer, number)
    for found, wanted in zip(resumed.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_rate_that_is_a_tensor_is_filled_saved_as_a_number_and_kept_by_a_resumed_run() -> None:
    model = net_without_noise()
    optimizer = make_optimizer(model, TrainConfig())
    rates = [torch.tensor(0.5), torch.tensor(0.5)]  # as on a GPU
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
        set_rate(group, 0.25)
    assert [float(rate) for rate in rates] == [0.25, 0.25]
    step_of(model, optimizer, 0)
    state = optimizer_state(optimizer)
    assert [group["lr"] for group in state["param_groups"]] == [0.25, 0.25]
    load_optimizer_state(optimizer, state)
    assert all(group["lr"] is rate for group, rate in zip(optimizer.param_groups, rates, strict=True))
    step_of(model, optimizer, 1)
