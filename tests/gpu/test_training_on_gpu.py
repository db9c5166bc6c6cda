"""Whole runs on a GPU: half precision, stop, kill and resume, memory that really runs out, no waiting in between."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from deep_support import make_brightness_set
from run_support import wait_for
from training_support import assert_same_weights, make_run, start_worker, train

from mia_tui.dataset.images.network.measuring import measure_input
from mia_tui.dataset.model import ImageKey
from mia_tui.engine.data.feed import Feed
from mia_tui.engine.data.images import open_images
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.data.scaling import channel_scaling, to_unit
from mia_tui.engine.device import describe, pick_device
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.network.backbones import build_model
from mia_tui.engine.network.first_layers import first_layers
from mia_tui.engine.training.learner import Learner
from mia_tui.engine.training.metrics import ConfusionCounter
from mia_tui.errors import DeviceError
from mia_tui.runs.record.events import Phase, RunStarted, StepEnded, Warned
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.liveness import run_status

pytestmark = pytest.mark.gpu

ON_GPU = {"device": "cuda", "precision": "bf16"}
# No operation of it adds in an order of its own choosing, as max pooling does backwards.
REPEATABLE = {**ON_GPU, "deterministic": True, "backbone": "timm:test_efficientnet"}
GB = 1 << 30


@pytest.fixture(autouse=True)
def every_step_is_told_and_may_be_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mia_tui.engine.training.train.EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)


def rows_of(run: RunDir) -> list[int]:
    return [row.epoch for row in read_state(run).epochs]


def learner_state(run: RunDir) -> dict[str, object]:
    return torch.load(run.last_checkpoint, weights_only=True)["learner"]  # type: ignore[no-any-return]


@contextmanager
def memory_capped(device: torch.device, spare_bytes: int) -> Iterator[None]:
    """Let torch take so much more of a GPU than it has now."""
    torch.cuda.empty_cache()
    total = torch.cuda.mem_get_info(device)[1]
    torch.cuda.set_per_process_memory_fraction(
        (torch.cuda.memory_reserved(device) + spare_bytes) / total, device
    )
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def test_cuda_is_the_freest_gpu_and_is_called_by_its_name(discs: Path) -> None:
    device = pick_device("cuda").device
    assert device.index is not None
    free = [torch.cuda.mem_get_info(index)[0] for index in range(torch.cuda.device_count())]
    assert free[device.index] >= 0.9 * max(free)
    assert pick_device("auto").device == device
    assert pick_device("cuda:0").device == torch.device("cuda", 0)
    with pytest.raises(DeviceError, match=r"cuda:99 does not exist"):
        pick_device("cuda:99")
    _, events = train(make_run(discs, epochs=1, **ON_GPU))
    started = next(event for event in events if isinstance(event, RunStarted))
    assert started.device == describe(device) == torch.cuda.get_device_name(device)


def test_a_bf16_run_learns_and_its_weights_work_on_a_cpu_too(discs: Path) -> None:
    run = make_run(discs, epochs=15, early_stop=0, ema_decay=0.0, lr=0.003, **{**ON_GPU, "precision": "auto"})
    result, events = train(run)
    assert result.outcome == "finished", result.error
    assert any(isinstance(event, Phase) and event.message.endswith("bf16") for event in events)
    assert rows_of(run) == list(range(1, 16))
    best = read_state(run).best_value
    assert best is not None and best > 0.9
    keys = [ImageKey(sample.path, 0) for sample in run.samples()]
    on_gpu, on_cpu = (
        np.stack(
            [
                prediction.probabilities
                for prediction in Predictor(
                    run.best_weights, device=device, precision="fp32", threads=2
                ).predict(discs, keys)
            ]
        )
        for device in ("cuda", "cpu")
    )
    np.testing.assert_allclose(on_gpu, on_cpu, atol=0.02)  # TF32 has ten bits


def test_an_fp16_run_scales_its_gradients_and_keeps_the_scale(discs: Path) -> None:
    run = make_run(discs, epochs=2, **{**ON_GPU, "precision": "fp16"})
    train(run, stop_after=(1, 2))
    result, _ = train(run)
    assert result.outcome == "finished", result.error
    assert learner_state(run)["scaler"]["scale"] > 0  # type: ignore[index]
    assert rows_of(run) == [1, 2]


@pytest.mark.parametrize("cache", ["device", "ram", "disk", "none"])
def test_a_stopped_and_resumed_run_has_the_weights_of_an_unbroken_one(discs: Path, cache: str) -> None:
    whole, broken = make_run(discs, **REPEATABLE), make_run(discs, cache=cache, **REPEATABLE)
    assert train(whole)[0].outcome == "finished"
    assert train(broken, stop_after=(2, 2))[0].outcome == "stopped"
    result, events = train(broken)
    assert result.outcome == "finished", result.error
    assert any(isinstance(event, StepEnded) and event.memory_bytes > 0 for event in events)
    assert_same_weights(broken, whole)
    assert rows_of(broken) == [1, 2, 3]


def test_a_killed_run_goes_on(discs: Path) -> None:
    run = make_run(discs, **{**REPEATABLE, "epochs": 40, "early_stop": 0})
    process = start_worker(run)
    wait_for(lambda: len(rows_of(run)) >= 3 or process.poll() is not None, 180.0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert run_status(run) == "lost"
    before = len(rows_of(run))
    result, events = train(run)
    assert result.outcome == "finished", result.error
    started = next(event for event in events if isinstance(event, RunStarted))
    assert started.resumed_at is not None and 1 < started.resumed_at.epoch <= before + 1
    assert rows_of(run) == list(range(1, 41))
    whole = make_run(discs, **{**REPEATABLE, "epochs": 40, "early_stop": 0})
    train(whole)
    assert_same_weights(run, whole)


def test_memory_that_really_runs_out_halves_the_micro_batch_and_the_run_goes_on(discs: Path) -> None:
    # 24 images of 320 pixels want about 1.1 GB of activations in fp32, and all the rest 0.2 GB.
    settings = {"backbone": "resnet18", "width": 320, "height": 320, "batch_size": 24, "epochs": 1}
    run = make_run(discs, cache="device", **{**ON_GPU, **settings, "precision": "fp32"})
    with memory_capped(pick_device("cuda").device, GB * 3 // 4):
        result, events = train(run)
    assert result.outcome == "finished", result.error
    warnings = [event.message for event in events if isinstance(event, Warned)]
    assert any(
        "Memory ran out; batches of 24 are now computed 12 images at a time" in text for text in warnings
    )
    assert learner_state(run)["micro_batch"] in (12, 6, 3)
    assert rows_of(run) == [1]


def test_memory_that_cannot_be_halved_any_more_is_a_sentence(discs: Path) -> None:
    settings = {"backbone": "resnet18", "width": 1024, "height": 1024, "batch_size": 2, "epochs": 1}
    run = make_run(discs, cache="ram", **{**ON_GPU, **settings, "precision": "fp32"})
    with memory_capped(pick_device("cuda").device, GB // 3):
        result, _ = train(run)
    assert result.outcome == "failed"
    assert str(result.error).startswith("Memory ran out ")
    assert len(str(result.error).splitlines()) == 1


@pytest.mark.parametrize("cache", ["device", "ram", "disk"])
def test_a_step_never_waits_for_the_gpu(discs: Path, cache: str) -> None:
    run = make_run(discs, cache=cache, **ON_GPU)
    config, device = run.job().config, pick_device("cuda").device
    feed = Feed(run.samples(), discs, config, input_of(config), device, scaling=channel_scaling(config))
    learner = Learner(
        config,
        input_of(config),
        num_classes=2,
        class_weights=torch.tensor([1.0, 2.0]),
        device=device,
        arithmetic="bf16",
        steps_per_epoch=4,
        warn=lambda message, hint: pytest.fail(message),
    )
    counter, sums = ConfusionCounter(2, device), torch.zeros(2, device=device)

    def epoch(number: int) -> None:
        for batch in feed.training_batches(number, start=0):
            learner.schedule.set_step(number, 0)
            result = learner.step(batch)
            sums.add_(torch.stack([result.numerator, result.denominator]))
            counter.update(result.logits, batch.targets)

    epoch(1)  # fills caches, and cuDNN tries its algorithms
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        epoch(2)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert counter.counts().sum() > 0
    assert sums.isfinite().all()


@pytest.mark.parametrize("cache", ["device", "ram", "disk", "none"])
def test_batches_hold_the_same_pixels_as_on_a_cpu(discs: Path, cache: str) -> None:
    run = make_run(discs)
    config = run.job().config

    def batches(device: torch.device, cache: str) -> list[torch.Tensor]:
        feed = Feed(
            run.samples(),
            discs,
            msgspec.structs.replace(config, cache=cache),
            input_of(config),
            device,
            scaling=channel_scaling(config),
        )
        try:
            # All of them are kept: a pinned buffer that is filled again too early would show.
            return [batch.images for batch in feed.plain_batches(feed.rows("train"))]
        finally:
            feed.close()

    on_gpu = batches(pick_device("cuda").device, cache)
    on_cpu = batches(torch.device("cpu"), "ram")
    for found, wanted in zip(on_gpu, on_cpu, strict=True):
        assert found.is_cuda and found.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(found.cpu(), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cache", ["device", "ram", "disk", "none"])
def test_deep_images_are_the_same_as_on_a_cpu(tmp_path: Path, cache: str) -> None:
    run = make_run(make_brightness_set(tmp_path / "cells", count=12, side=40), cache=cache)
    config, samples = run.train_job().config, run.samples()
    measured = measure_input(tmp_path / "cells", samples, config)
    assert measured.bits == 16

    def units(device: torch.device) -> torch.Tensor:
        store = open_images(samples, tmp_path / "cells", config, input_of(config, measured), device)
        try:
            return to_unit(store.fetch(torch.arange(len(samples)))[0]).cpu()
        finally:
            store.close()

    assert torch.equal(units(pick_device("cuda").device), units(torch.device("cpu")))


def test_the_first_convolution_of_deep_images_is_not_rounded_to_fewer_bits() -> None:
    device = pick_device("cuda").device
    torch.manual_seed(0)
    model = build_model("resnet18", num_classes=2, is_deep=True).to(device, memory_format=torch.channels_last)
    images = torch.rand(4, 3, 64, 64, device=device) * 1e-3 + 2.0
    layer = first_layers(model)[0]
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        found = layer(images)
    wanted = torch.nn.functional.conv2d(images.double(), layer.weight.double(), stride=2, padding=3)
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-5)
