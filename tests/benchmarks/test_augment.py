"""What augmentation costs, against a training step of resnet18 at 96 pixels.

On a CPU it is the processor time of one thread: other programs do not count.
"""

import time
from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.augmentation.mixing import is_mixed, mix_images, portion_of
from mia_tui.engine.data.augmentation.moves import draw_moves
from mia_tui.engine.data.scaling import channel_scaling, standardise

BATCH = 32
OFF = {"flip_horizontal": 0.0, "flip_vertical": 0.0, "rotate90": 0.0}
KINDS: dict[str, dict[str, float]] = {
    "scaling alone": OFF,
    "flips, turns (default)": {},
    "blur": {**OFF, "blur": 0.4},
    "piecewise affine": {**OFF, "piecewise_affine": 0.3},
    "dropout": {**OFF, "dropout": 0.3},
    "affine": {**OFF, "affine": 0.5},
    "all of the predecessor": {
        **{"flip_horizontal": 0.5, "flip_vertical": 0.5, "rotate90": 0.0},
        **{"blur": 0.4, "piecewise_affine": 0.3, "dropout": 0.3, "affine": 0.5},
    },
    "resized crop": {**OFF, "resized_crop": 1.0},
    "trivial augment": {**OFF, "trivial_augment": 1.0},
    "colour jitter": {**OFF, "colour_jitter": 0.5},
    "stain jitter": {**OFF, "stain_jitter": 0.5},
    "erasing": {**OFF, "erasing": 0.25},
    "mixup": {**OFF, "mixup": 1.0},
    "cutmix": {**OFF, "cutmix": 1.0},
    "all at once": {
        **{"blur": 0.4, "piecewise_affine": 0.3, "dropout": 0.3, "affine": 0.5, "resized_crop": 0.5},
        **{"trivial_augment": 0.5, "colour_jitter": 0.5, "stain_jitter": 0.5, "erasing": 0.25},
        **{"mixup": 0.5, "cutmix": 0.5},
    },
}


def ms_per_image(work: Callable[[int], object], device: torch.device, *, repeats: int) -> float:
    """Shortest of three rounds: other work on the machine only ever adds."""
    rounds, clock = [], time.perf_counter if device.type == "cuda" else time.thread_time
    for _ in range(3):
        work(0)
        wait(device)
        start = clock()
        for epoch in range(repeats):
            work(epoch)
        wait(device)
        rounds.append(clock() - start)
    return 1000 * min(rounds) / repeats / BATCH


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@pytest.mark.benchmark
def test_augmentation_against_a_training_step(capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
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

        moves = draw_moves(config, seed=0, epoch=0, samples=samples)  # once an epoch
        partners = portion_of(samples, samples, config).partners

        def work(
            epoch: int, config: TrainConfig = config, moves: Tensor = moves, partners: Tensor = partners
        ) -> None:
            unit = augment(pixels, config, seed=0, epoch=epoch, samples=samples, moves=moves)
            if is_mixed(config):
                unit, _ = mix_images(unit, config, seed=0, epoch=epoch, samples=samples, partners=partners)
            standardise(unit, *channel_scaling(config))

        cost_ms = ms_per_image(work, device, repeats=20)
        lines.append(f"{name:>24}: {cost_ms:.3f} ms an image, {100 * cost_ms / step_ms:.1f} % of the step")
    with capsys.disabled():
        print("", *lines, sep="\n")
