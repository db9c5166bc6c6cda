"""`python training_loops.py SETTINGS`: a loop that trains some steps whenever it is told how many, and says how long.

    ours      the whole loop of a run: reading from the cache, augmentation, step, figures, reports
    plain     what one would write for a fixed batch: forward pass, loss, backward pass, optimizer as torch has it
    same      the same, with the optimizer computed as ours
    alone     the network alone: forward and backward pass
    compiled  the network alone, compiled
    whole     a whole training without our program, from the import of torch to the weights on disk

A process of its own for each, so that none has the memory, threads or compiled code of another.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TIMM_NAMES = {"resnet18": "resnet18", "resnet50": "resnet50", "mobilenetv2": "mobilenetv2_100"}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Settings:
    """What is trained, and how."""

    kind: str
    folder: str
    backbone: str
    size_px: int
    batch_size: int
    device: str
    threads: int
    warm_steps: int
    more: dict[str, Any]

    def encode(self) -> str:
        return json.dumps(asdict(self))


class Turns:
    """Lets a loop go on for as many steps as the next line of the input says."""

    def __init__(self, settings: Settings) -> None:
        self._warm, self._left, self._device = settings.warm_steps, 0, settings.device
        self._begun: tuple[float, float] | None = None

    def step(self) -> None:
        """To be called before each step."""
        if self._warm:
            self._warm -= 1
            return
        if not self._left:
            self._next()
        self._left -= 1

    def _next(self) -> None:
        self._wait_for_gpu()
        if self._begun is None:
            wait_until_idle()
            tell("ready")
        else:
            tell([time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]])
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        self._left, self._begun = int(line), (time.perf_counter(), time.process_time())

    def _wait_for_gpu(self) -> None:
        import torch

        if self._device != "cpu":
            torch.cuda.synchronize()


def tell(what: object) -> None:
    sys.stdout.write(f"turn {json.dumps(what)}\n")
    sys.stdout.flush()


def wait_until_idle() -> None:
    """Until the threads that decode images beside the first steps have nothing more to do."""
    spent = 1.0
    while spent > 0.02:
        before = time.process_time()
        time.sleep(0.5)
        spent = time.process_time() - before


def ours(settings: Settings) -> None:
    from mia_tui.config.check import make_config
    from mia_tui.engine.training.steps.fast_steps import FastSteps
    from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
    from mia_tui.worker import work

    turns, step = Turns(settings), FastSteps.step

    def step_in_turn(self: FastSteps, batch: Any) -> Any:
        turns.step()
        return step(self, batch)

    FastSteps.step = step_in_turn  # type: ignore[method-assign]
    folder = Path(settings.folder)
    config = make_config(
        flags={
            "backbone": settings.backbone,
            "width": settings.size_px,
            "height": settings.size_px,
            "batch_size": settings.batch_size,
            "device": settings.device,
            "threads": settings.threads,
            "val": str(folder / "validation"),
            "epochs": 9999,
            **settings.more,
        }
    )
    run = prepare_training(read_dataset(folder / "train"), config).create()
    raise SystemExit(str(work(run, foreground=False).error))


def autocast(settings: Settings) -> Any:
    import torch

    is_on = settings.more["precision"] == "bf16"
    return torch.autocast(torch.device(settings.device).type, torch.bfloat16, enabled=is_on)


def fixed_batch(settings: Settings) -> tuple[Any, Any]:
    import torch

    torch.manual_seed(0)
    shape = settings.batch_size, 3, settings.size_px, settings.size_px
    images = torch.randn(shape).to(settings.device, memory_format=torch.channels_last)
    return images, (torch.arange(settings.batch_size) % 2).to(settings.device)


def bare(settings: Settings) -> None:
    """`plain`, `same`, `alone` and `compiled`."""
    import timm
    import torch

    torch.set_num_threads(settings.threads)
    torch.backends.cudnn.benchmark = True
    images, targets = fixed_batch(settings)
    model = timm.create_model(TIMM_NAMES[settings.backbone], num_classes=2)
    model = model.to(settings.device, memory_format=torch.channels_last).train()
    network = torch.compile(model, dynamic=False) if settings.kind == "compiled" else model
    options = {"fused": True} if settings.kind == "same" else {}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, **options)
    turns = Turns(settings)
    while True:
        turns.step()
        optimizer.zero_grad()
        with autocast(settings):
            logits = network(images)
        loss = torch.nn.functional.cross_entropy(logits.float(), targets)
        loss.backward()
        if settings.kind in ("plain", "same"):
            optimizer.step()


def whole(settings: Settings) -> None:
    """Images into memory, epochs in an order of their own, validation after each, the weights to a file."""
    import timm
    import torch
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor

    torch.set_num_threads(settings.threads)
    size = settings.size_px, settings.size_px
    parts = []
    for part in ("train", "validation"):
        files = sorted((Path(settings.folder) / part).rglob("*.*"))
        pixels = torch.stack(
            [
                pil_to_tensor(Image.open(file).convert("RGB").resize(size, Image.Resampling.BICUBIC))
                for file in files
            ]
        )
        classes = sorted({file.parent.name for file in files})
        targets = torch.tensor([classes.index(file.parent.name) for file in files])
        parts.append((pixels.contiguous(memory_format=torch.channels_last), targets))
    model = timm.create_model(TIMM_NAMES[settings.backbone], num_classes=len(classes))
    model = model.to(settings.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    mean, std = (torch.tensor(v).view(3, 1, 1).to(settings.device) for v in (MEAN, DEVIATION))

    def logits_of(pixels: torch.Tensor) -> torch.Tensor:
        images = (pixels.to(settings.device).float() / 255 - mean) / std
        with autocast(settings):
            return model(images).float()

    for _ in range(settings.more["epochs"]):
        for is_training, (pixels, targets) in zip((True, False), parts, strict=True):
            model.train(is_training)
            order = torch.randperm(len(pixels)) if is_training else torch.arange(len(pixels))
            for rows in order.split(settings.batch_size):
                with torch.set_grad_enabled(is_training):
                    logits, wanted = logits_of(pixels[rows]), targets[rows].to(settings.device)
                    loss = torch.nn.functional.cross_entropy(logits, wanted)
                if is_training:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
    torch.save(model.state_dict(), settings.more["out"])


if __name__ == "__main__":
    chosen = Settings(**json.loads(sys.argv[1]))
    {"ours": ours, "whole": whole}.get(chosen.kind, bare)(chosen)
