"""How long a training will take, in words, and the times that are kept for it."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from run_support import wait_for

from mia_tui.config.fields import fields
from mia_tui.config.train import TrainConfig
from mia_tui.paths import user_cache
from mia_tui.runs.machine import step_times
from mia_tui.runs.machine.step_times import StepTime, StepTimes
from mia_tui.runs.preflight.duration import about, total_s
from mia_tui.runs.record.job import Sample
from mia_tui.tui.training import forecast
from mia_tui.tui.training.estimate import StartEstimate
from mia_tui.tui.training.forecast import StepClock

TIME = StepTime(0.1, 0.03, 0.01, "CPU, 2 threads", "resnet18", 224 * 224)
SAMPLES = [Sample(path=f"{n}.png", frame=0, class_index=n % 2, split="train") for n in range(100)]
ESTIMATE = StartEstimate(
    counts={"a": {"train": 50, "val": 10, "test": 0}, "b": {"train": 50, "val": 10, "test": 0}},
    samples=SAMPLES,
)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "cores_here", lambda: 2)


def clock_with(*timed: tuple[TrainConfig, StepTime]) -> StepClock:
    clock = StepClock(Path("images"), lambda: None)
    wait_for(lambda: clock._times is not None)
    clock._times = StepTimes()
    for config, time in timed:
        clock._times.add(config, time)
    return clock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "less than a minute"),
        (50, "about a minute"),
        (80, "about a minute"),
        (100, "about 2 minutes"),
        (715, "about 12 minutes"),
        (3200, "about 53 minutes"),
        (3300, "about an hour"),
        (3 * 3600, "about 3 hours"),
        (23 * 3600, "about a day"),
        (100 * 86400, "about 100 days"),
    ],
)
def test_a_time_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert about(seconds) == words


def test_a_time_that_was_measured_is_summed_over_all_epochs_and_both_parts() -> None:
    clock = clock_with((TrainConfig(), TIME))
    told = clock.forecast(TrainConfig(epochs=10, seed=5), ESTIMATE, has_gpu=False)
    assert told is not None
    assert told.seconds == pytest.approx(10 + 120 * 0.01 / 2 + 10 * (100 * 0.1 + 20 * 0.03))
    assert str(told) == "about 2 minutes (measured here)"


def test_images_are_read_between_the_steps_of_a_cpu_and_beside_those_of_a_gpu() -> None:
    config, totals = TrainConfig(epochs=10), ESTIMATE.totals
    on_cpu, on_gpu = (replace(TIME, device=device) for device in ("CPU, 2 threads", "NVIDIA H200"))
    slow = replace(on_gpu, read_s=0.4)  # 24 s of two cores, where the steps of an epoch take 10.6 s
    assert total_s(config, totals, on_cpu, 2) - total_s(config, totals, on_gpu, 2) == pytest.approx(0.6)
    assert total_s(config, totals, slow, 2) - total_s(config, totals, on_gpu, 2) == pytest.approx(24 - 10.6)


def test_trials_take_as_long_however_many_devices_the_run_has() -> None:
    on_gpu = replace(TIME, device="NVIDIA H200")

    def trials_s(devices: str) -> float:
        config = TrainConfig(epochs=100, batch_size=8, devices=devices)
        plain, tried = (
            total_s(replace(config, trials=trials), ESTIMATE.totals, on_gpu, 2) for trials in (0, 12)
        )
        return tried - plain

    assert trials_s("1") == pytest.approx(max(100 * 100 * 0.1, 3000 * 8 * 0.1))
    assert trials_s("4") == trials_s("1")


def test_what_was_not_measured_is_an_estimate_and_goes_by_what_was() -> None:
    bare = clock_with().forecast(TrainConfig(), ESTIMATE, has_gpu=False)
    quick = clock_with().forecast(TrainConfig(), ESTIMATE, has_gpu=True)
    assert bare is not None and quick is not None
    assert bare.source == "an estimate" and quick.seconds < bare.seconds
    clock = clock_with((TrainConfig(), TIME))
    small = clock.forecast(TrainConfig(width=112, height=112), ESTIMATE, has_gpu=False)
    large = clock.forecast(TrainConfig(backbone="resnet50"), ESTIMATE, has_gpu=False)
    same = clock.forecast(TrainConfig(), ESTIMATE, has_gpu=False)
    assert small is not None and large is not None and same is not None
    assert small.seconds < same.seconds < large.seconds
    assert clock_with().forecast(TrainConfig(backbone="timm:x"), ESTIMATE, has_gpu=False) is None


def test_times_are_kept_for_the_next_start_by_machine_network_and_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    StepTimes().add(TrainConfig(), TIME)
    assert StepTimes().find(TrainConfig()) == TIME
    assert StepTimes().find(TrainConfig(epochs=3, val_fraction=0.5)) == TIME
    for other in ({"width": 96}, {"backbone": "vgg16"}, {"device": "cpu"}, {"batch_size": 8}, {"blur": 0.5}):
        assert StepTimes().find(TrainConfig(**other)) is None, other  # type: ignore[arg-type]
    chances = [field.name for field in fields() if field.description.startswith("How often an image is")]
    assert "mixup" in chances
    for chance in chances:
        assert StepTimes().find(TrainConfig(**{chance: 0.1})) is None, chance  # type: ignore[arg-type]
    monkeypatch.setattr(step_times, "host_name", lambda: "another")
    assert StepTimes().find(TrainConfig()) is None
    assert StepTimes().alike(TrainConfig()) is None


@pytest.mark.parametrize("content", [b"", b"\x00", b"[]", b'{"a": {"train_s": -1}}', b"[" * 100_000])
def test_a_damaged_file_of_times_is_begun_anew(content: bytes) -> None:
    file = user_cache() / "step-times.json"
    file.write_bytes(content)
    assert StepTimes().find(TrainConfig()) is None
    StepTimes().add(TrainConfig(), TIME)
    assert StepTimes().find(TrainConfig()) == TIME


def test_what_is_slowed_by_other_programs_is_said_and_not_kept() -> None:
    slowed = clock_with((TrainConfig(), replace(TIME, is_busy=True)))
    told = slowed.forecast(TrainConfig(group_by="slide"), ESTIMATE, has_gpu=False)
    assert told is not None and told.source == "measured here, beside other programs"
    StepTimes().add(TrainConfig(), replace(TIME, is_busy=True))
    assert StepTimes().find(TrainConfig()) is None
