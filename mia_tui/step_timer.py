"""`python -m mia_tui.step_timer`: how long a training takes on this machine, from some steps of it.

The steps are those of a training: the same reading, augmentation, network, optimizer and arithmetic, with random
weights. A process of its own (`runs.worker.helper`); its messages are in `runs.worker.timing_messages`.
"""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mia_tui.dataset.images.decode import decode_input
from mia_tui.dataset.images.network.measuring import measure_input
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.augmentation.mixing import is_mixed, mix_images, portion_of
from mia_tui.engine.data.feed import Batch, Mix
from mia_tui.engine.data.network_input import InputOfRun, input_of, is_rgb
from mia_tui.engine.data.scaling import channel_scaling, standardise, to_tensor, to_unit
from mia_tui.engine.device import (
    autocast,
    describe,
    is_out_of_memory,
    peak_memory_bytes,
    pick_device,
    set_up,
    training_arithmetic,
)
from mia_tui.engine.training.learner import Learner
from mia_tui.errors import DecodeError, MiaError
from mia_tui.memory import free_ram_bytes
from mia_tui.runs.machine.cores import CoreWatch
from mia_tui.runs.worker.helper import answer_requests, encode_line
from mia_tui.runs.worker.timing_messages import TimingAnswer, TimingRequest, decode_timing

_FEW = 2  # images, of which every computer can do a step
_SOME = 8  # images, from which with the few a larger batch is told: a step of two is mostly not about images
_LIMIT_S = 12.0  # of a step of the whole batch, by that of the few
_LONG_S = 3.0  # of all steps of the whole batch
_MOST_STEPS = 4
_SHARE = 0.3  # of the free memory, that a step may take


def answer(line: bytes) -> bytes:
    """Answer one request."""
    try:
        return encode_line(time_training(decode_timing(line)))
    except (MiaError, RuntimeError, ValueError, MemoryError) as error:
        words = "Memory ran out." if is_out_of_memory(error) else str(error).splitlines()[0]
        return encode_line(TimingAnswer(error=words))


def time_training(request: TimingRequest) -> TimingAnswer:
    """Do some steps of a training.

    Raises:
        MiaError: If an image cannot be read, or the device or network cannot be used.
    """
    config = request.config
    cores = CoreWatch()
    device = pick_device(config.device).device
    root = Path(request.root)
    wanted = input_of(config, measure_input(root, request.rows, config, threads=1))
    begun = time.perf_counter()
    pixels = np.stack(_readable(request, root, wanted))
    read_s = (time.perf_counter() - begun) / len(pixels)
    free = cores.cores()
    set_up(device, threads=config.threads or free.threads, deterministic=config.deterministic)
    timed = _TimedTraining(request, wanted, device, to_tensor(pixels).permute(0, 3, 1, 2).to(device))
    train_s = timed.train_s()
    return TimingAnswer(
        train_s, timed.validate_s(), read_s, describe(device), free.is_busy and device.type == "cpu"
    )


def _readable(request: TimingRequest, root: Path, wanted: InputOfRun) -> list[np.ndarray]:
    """The images that can be read; a training leaves out the others, too.

    Raises:
        DecodeError: If there are none.
    """
    images: list[np.ndarray] = []
    fault: DecodeError | None = None
    for row in request.rows:
        try:
            images.append(decode_input(root / row.path, row.frame, wanted))
        except DecodeError as error:
            fault = error
    if fault is not None and not images:
        raise fault
    return images


class _TimedTraining:
    """A training of images that come again and again."""

    def __init__(
        self, request: TimingRequest, wanted: InputOfRun, device: torch.device, pixels: Tensor
    ) -> None:
        self._config, self._device, self._pixels = request.config, device, pixels
        self._classes = request.classes
        self._scaling = channel_scaling(request.config, wanted.input_map)
        self._learner = Learner(
            request.config,
            wanted,
            num_classes=request.classes,
            class_weights=None,
            device=device,
            arithmetic=training_arithmetic(request.config.precision, device, request.config.backbone),
            steps_per_epoch=1,
            warn=lambda message, hint: None,
        )

    def train_s(self) -> float:
        """Seconds for an image. A large batch is only done where it is quick, and leaves memory free."""
        before = peak_memory_bytes(self._device)
        few = min(_FEW, self._config.batch_size)
        self._step(few)  # the first one also makes the optimizer's memory
        spent = self._step(few)
        grown = (peak_memory_bytes(self._device) - before) * self._config.batch_size / few
        if spent * self._config.batch_size / few > _LIMIT_S or grown > _SHARE * free_ram_bytes():
            return self._told_from_some(few, spent)
        self._step(self._config.batch_size)
        steps: list[float] = []
        while len(steps) < _MOST_STEPS and sum(steps) < _LONG_S:
            steps.append(self._step(self._config.batch_size))
        return sorted(steps)[len(steps) // 2] / self._config.batch_size

    def _told_from_some(self, few: int, few_s: float) -> float:
        """Seconds for an image of a whole batch, by steps of two sizes."""
        batch, some = self._config.batch_size, min(_SOME, self._config.batch_size)
        if some == few:
            return few_s / few
        slope = max(0.0, (self._step(some) - few_s) / (some - few))
        return (few_s + slope * (batch - few)) / batch

    def validate_s(self) -> float:
        """Seconds for an image."""
        images = to_unit(self._batch(_FEW)[0])
        model = self._learner.evaluated_model.eval()
        begun = 0.0
        with torch.inference_mode(), autocast(self._device, self._learner.arithmetic):
            for _ in range(2):  # the first one is a warm-up
                begun = time.perf_counter()
                model(images).float().sum().item()
        return (time.perf_counter() - begun) / len(images)

    def _step(self, count: int) -> float:
        begun = time.perf_counter()
        config, (pixels, rows) = self._config, self._batch(count)
        images = augment(
            pixels, config, seed=config.seed, epoch=1, samples=rows, is_rgb=is_rgb(self._learner.wanted)
        )
        targets, mix = (rows % self._classes).to(self._device), None
        if is_mixed(config):
            partners = portion_of(rows, rows, config).partners
            images, share = mix_images(
                images, config, seed=config.seed, epoch=1, samples=rows, partners=partners
            )
            mix = Mix(targets.roll(-1), share.to(self._device))
        batch = Batch(standardise(images, *self._scaling), targets, rows, mix)
        self._learner.step(batch).numerator.item()  # waits for a GPU
        return time.perf_counter() - begun

    def _batch(self, count: int) -> tuple[Tensor, Tensor]:
        rows = torch.arange(count)
        return self._pixels[(rows % len(self._pixels)).to(self._device)], rows


def main() -> None:
    """Answer the process that started this one."""
    answer_requests(answer)


if __name__ == "__main__":
    main()
