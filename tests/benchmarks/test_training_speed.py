"""How fast a training is, beside a plain loop, the network alone, and timm's own training script.

    pytest -m benchmark tests/benchmarks/test_training_speed.py -s

Takes ten minutes on two cores; with MIA_TUI_TIMM, the path of a checkout of timm (pytorch-image-models), its train.py
takes part. Each figure is the median of seven rounds, in each of which every loop does the same number of steps one
after the other, each in a process of its own. On a machine that does something else, the processor time says more
than the clock. `plain` is torch's AdamW as it is by default; `same` has it computed as ours.

With a GPU, `test_a_gpu` and `test_whole_trainings_on_a_gpu` measure there, in a quarter of an hour:

    pytest -m benchmark tests/benchmarks/test_training_speed.py -s -k gpu
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import training_loops
from disc_support import draw_disc
from PIL import Image
from program_support import program
from training_loops import Settings

from mia_tui.engine.device import resolve_precision
from mia_tui.runs.machine.cores import usable_cores

pytestmark = pytest.mark.benchmark

LOOPS = Path(training_loops.__file__)
ROUNDS, WHOLE_ROUNDS = 7, 3
STEPS = {96: 6, 224: 2}
WARM_STEPS = 2
TIMM = os.environ.get("MIA_TUI_TIMM")
AUGMENTED = {"blur": 0.4, "piecewise_affine": 0.3, "dropout": 0.3, "affine": 0.5, "rotate90": 0.0}
AS_IN_MIA = {**AUGMENTED, "flip_horizontal": 0.5, "flip_vertical": 0.5}
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def make_images(folder: Path, train: int, validation: int) -> Path:
    """Images of 40 pixels in two classes; of many, links to a few."""
    for part, count in (("train", train), ("validation", validation)):
        for index in range(count):
            name, place = ("red", "blue")[index % 2], folder / part / ("red", "blue")[index % 2]
            few = folder / "few" / name / f"cell-{index % 64}.png"
            if not few.exists():
                draw_disc(few.parent, few.name, size_px=40, red=name == "red", seed=index)
            place.mkdir(parents=True, exist_ok=True)
            (place / f"cell-{index}.png").hardlink_to(few)
    return folder


class Loop:
    """One of the loops of `training_loops`."""

    def __init__(self, settings: Settings, home: Path) -> None:
        environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / settings.kind)}
        environment["PYTHONPATH"] = os.pathsep.join([*sys.path, str(LOOPS.parent)])
        self._process = subprocess.Popen(
            [sys.executable, str(LOOPS), settings.encode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._answer() == "ready"

    def seconds(self, steps: int) -> tuple[float, float]:
        """Of so many steps, by the clock and by the processor time of its process."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        clock, processor = self._answer()
        return clock, processor

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("turn "):
                return json.loads(line.removeprefix("turn "))
        pytest.fail("a loop ended")


@contextmanager
def loops(chosen: Mapping[str, Settings], home: Path) -> Iterator[dict[str, Loop]]:
    with ExitStack() as stack:
        made = {}
        for name, settings in chosen.items():
            made[name] = Loop(settings, home)
            stack.callback(made[name].close)
        yield made


def rounds(chosen: Mapping[str, Settings], home: Path, steps: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each loop, round by round; every second round in the other order."""
    with loops(chosen, home) as running:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
        for number in range(ROUNDS):
            for name in list(running)[:: 1 if number % 2 else -1]:
                found[name].append(running[name].seconds(steps))
    return found


def compared(found: Mapping[str, list[tuple[float, float]]], images: int, against: str) -> Iterator[str]:
    """Images a second of each loop, and its median ratio to one of them: clock, and processor time in brackets."""
    for name, spans in found.items():
        speed = images / statistics.median(clock for clock, _ in spans)
        clock, processor = (
            statistics.median(
                other[which] / own[which] for own, other in zip(spans, found[against], strict=True)
            )
            for which in (0, 1)
        )
        yield f"{name:>28}: {speed:8.1f} images/s, {clock:.3f} of {against} ({processor:.3f})"


def cpu_settings(folder: Path, backbone: str, size_px: int) -> Settings:
    precision = resolve_precision("auto", torch.device("cpu"))
    return Settings(
        "plain",
        str(folder),
        backbone,
        size_px,
        32,
        "cpu",
        usable_cores(),
        WARM_STEPS,
        {"precision": precision},
    )


@pytest.mark.parametrize("size_px", [96, 224])
@pytest.mark.parametrize("backbone", ["resnet18", "mobilenetv2"])
def test_steps_beside_a_plain_loop(tmp_path: Path, say: list[str], backbone: str, size_px: int) -> None:
    steps = STEPS[size_px]
    folder = make_images(tmp_path / "images", 32 * (steps * ROUNDS + WARM_STEPS + 2), 32)
    plain = cpu_settings(folder, backbone, size_px)
    chosen = {
        "plain": plain,
        "same": replace(plain, kind="same"),
        "ours": replace(plain, kind="ours"),
        "ours, all augmentations": replace(plain, kind="ours", more={**plain.more, **AS_IN_MIA}),
    }
    found = rounds(chosen, tmp_path, steps)
    say.append(f"{backbone} at {size_px} pixels, {plain.threads} threads, {plain.more['precision']}")
    say.extend(compared(found, 32 * steps, "plain"))
    say.extend(line for line in compared(found, 32 * steps, "same") if "ours" in line)


def seconds_of(command: list[str], home: Path) -> tuple[float, float]:
    """Of a process from its start to its end, by the clock and by its processor time."""
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join([*sys.path, str(LOOPS.parent)])
    begun, before = time.perf_counter(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - begun, spent


def whole_commands(settings: Settings, epochs: int, out: Path) -> dict[str, list[str]]:
    folder, size = Path(settings.folder), settings.size_px
    precision = settings.more["precision"]
    more = {**settings.more, "epochs": epochs, "out": str(out / "plain.pt")}
    ours = ["train", folder / "train", "--val", folder / "validation"]
    ours += ["--backbone", settings.backbone, "--size", size, "--batch-size", settings.batch_size]
    ours += ["--epochs", epochs, "--device", settings.device, "--threads", settings.threads]
    ours += ["--precision", precision]
    commands = {
        "plain": [sys.executable, str(LOOPS), replace(settings, kind="whole", more=more).encode()],
        "ours": program(*ours),
    }
    if TIMM:
        commands["timm's train.py"] = [
            sys.executable,
            *(str(Path(TIMM) / "train.py"), "--data-dir", str(folder), "--model", settings.backbone),
            *("--train-split", "train", "--val-split", "validation", "--num-classes", "2"),
            *("--img-size", str(size), "--batch-size", str(settings.batch_size), "--channels-last"),
            *("--epochs", str(epochs), "--warmup-epochs", "0", "--cooldown-epochs", "0"),
            *("--opt", "adamw", "--lr", "0.001", "--weight-decay", "0.01"),
            *("--device", settings.device, "--workers", str(min(15, os.cpu_count() or 1))),
            *(("--amp", "--amp-dtype", "bfloat16") if precision == "bf16" else ()),
            *("--output", str(out / "timm")),
        ]
    return commands


def whole_rounds(
    commands: Mapping[str, list[str]], home: Path, count: int
) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(count):
        for name in list(commands)[:: 1 if number % 2 else -1]:
            found[name].append(seconds_of(commands[name], home))
    return found


def test_whole_trainings(tmp_path: Path, say: list[str]) -> None:
    """From the command to the weights on disk, with reading and validation; ours also with what it says and keeps."""
    folder = make_images(tmp_path / "images", 640, 128)
    settings = cpu_settings(folder, "resnet18", 96)
    found = whole_rounds(whole_commands(settings, 3, tmp_path), tmp_path, WHOLE_ROUNDS)
    say.append(f"3 epochs of 640 images, resnet18 at 96 pixels, {settings.threads} threads")
    say.extend(compared(found, 3 * 640, "plain"))


# On a GPU

GPU_WARM_STEPS = 60  # recordings and compiled networks are chosen by then


def gpu_settings(folder: Path, backbone: str, batch_size: int) -> Settings:
    return Settings(
        "alone",
        str(folder),
        backbone,
        224,
        batch_size,
        "cuda",
        usable_cores(),
        GPU_WARM_STEPS,
        {"precision": "bf16"},
    )


@gpu
@pytest.mark.parametrize(
    ("backbone", "batch_size"),
    [("resnet18", 256), ("resnet50", 256), ("resnet18", 8), ("mobilenetv2", 8), ("resnet18", 32)],
)
def test_a_gpu(tmp_path: Path, say: list[str], backbone: str, batch_size: int) -> None:
    steps = max(8, 1024 // batch_size)
    folder = make_images(tmp_path / "images", batch_size * (steps * ROUNDS + GPU_WARM_STEPS + 2), 32)
    alone = gpu_settings(folder, backbone, batch_size)
    off = {"compile": "off", "cuda_graphs": "off"}
    chosen = {
        "alone": alone,
        "alone, compiled": replace(alone, kind="compiled"),
        "ours, launched": replace(alone, kind="ours", more={**alone.more, **off}),
        "ours, recorded": replace(alone, kind="ours", more={**alone.more, **off, "cuda_graphs": "on"}),
        "ours, compiled": replace(alone, kind="ours", more={**alone.more, **off, "compile": "on"}),
        "ours, both": replace(alone, kind="ours", more={**alone.more, "compile": "on", "cuda_graphs": "on"}),
    }
    found = rounds(chosen, tmp_path, steps)
    say.append(f"{backbone} at 224 pixels, batches of {batch_size}, {torch.cuda.get_device_name()}")
    for against in ("alone", "alone, compiled", "ours, launched"):
        say.extend(compared(found, batch_size * steps, against))


@gpu
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_whole_trainings_on_a_gpu(tmp_path: Path, say: list[str], backbone: str) -> None:
    """Ten epochs of 12,800 JPEGs of 320 x 256 pixels, start and decoding included."""
    random = np.random.default_rng(0)
    for index in range(12_800 + 1_280):
        part = "train" if index < 12_800 else "validation"
        place = tmp_path / "images" / part / ("a", "b")[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 256, (16, 20, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((320, 256), Image.Resampling.BICUBIC).save(place / f"{index}.jpg")
    settings = gpu_settings(tmp_path / "images", backbone, 256)
    commands = {
        name: command
        for name, command in whole_commands(settings, 10, tmp_path).items()
        if name != "plain" or backbone == "resnet18"
    }
    found = whole_rounds(commands, tmp_path, 1)
    say.append(f"10 epochs of 12,800 JPEGs, {backbone}, {torch.cuda.get_device_name()}")
    say.extend(compared(found, 128_000, "ours"))
