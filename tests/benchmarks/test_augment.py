"""What augmentation costs, against a training step of resnet18 at 96 pixels."""

import os
import time
from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn.functional as F

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.scaling import channel_scaling, standardise, to_unit

BATCH = 32
OFF = {"flip_horizontal": 0.0, "flip_vertical": 0.0}
KINDS: dict[str, dict[str, float]] = {
    "scaling alone": OFF,
    "flips (default)": {},
    "turns": {**OFF, "rotate90": 0.75},
    "blur": {**OFF, "blur": 0.4},
    "piecewise affine": {**OFF, "piecewise_affine": 0.3},
    "dropout": {**OFF, "dropout": 0.3},
    "affine": {**OFF, "affine": 0.5},
    "all of the predecessor": {"blur": 0.4, "piecewise_affine": 0.3, "dropout": 0.3, "affine": 0.5},
}


def ms_per_image(work: Callable[[int], object], device: torch.device, *, repeats: int) -> float:
    """Shortest of three rounds: other work on the machine only ever adds."""
    rounds = []
    for _ in range(3):
        work(0)
        wait(device)
        start = time.perf_counter()
        for epoch in range(repeats):
            work(epoch)
        wait(device)
        rounds.append(time.perf_counter() - start)
    return 1000 * min(rounds) / repeats / BATCH


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@pytest.mark.benchmark
def test_augmentation_against_a_training_step(capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pixels = torch.randint(0, 256, (BATCH, 96, 96, 3), dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
    targets, samples = torch.randint(0, 4, (BATCH,), device=device), torch.arange(BATCH)
    model = timm.create_model("resnet18", num_classes=4).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters())

    def step(_: int) -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(pixels.float() / 255)
        F.cross_entropy(logits.float(), targets).backward()
        optimizer.step()

    step_ms = ms_per_image(step, device, repeats=5)
    lines = [f"training step on {device}: {step_ms:.3f} ms an image"]
    for name, fields in KINDS.items():
        config = TrainConfig(**fields)  # type: ignore[arg-type]

        def work(epoch: int, config: TrainConfig = config) -> None:
            unit = augment(to_unit(pixels), config, seed=0, epoch=epoch, samples=samples)
            standardise(unit, *channel_scaling(config))

        cost_ms = ms_per_image(work, device, repeats=20)
        lines.append(f"{name:>24}: {cost_ms:.3f} ms an image, {100 * cost_ms / step_ms:.1f} % of the step")
    with capsys.disabled():
        print("", *lines, sep="\n")
