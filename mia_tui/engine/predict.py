"""Probabilities of a trained network for any number of images, in their order, in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import Precision
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.pixels.decode import decode_input
from mia_tui.engine.checkpoint import load_model
from mia_tui.engine.data.scaling import standardise, to_unit
from mia_tui.engine.device import pick_device, resolve_precision, set_up
from mia_tui.engine.evaluate import infer
from mia_tui.errors import DecodeError
from mia_tui.runs.card import ModelCard

BATCHES_AHEAD = 3
"""Decoded batches waiting for the network: enough to keep it busy, few enough to bound memory."""


@dataclass(frozen=True)
class Prediction:
    """Probabilities of every class, shape (C,), float32, or why there are none."""

    key: ImageKey
    probabilities: np.ndarray | None
    problem: str | None = None


class Predictor:
    """A trained network in eval mode on its device.

    Args:
        weights: A best.safetensors.
        device: As in `device.pick_device`.
        precision: As in `device.resolve_precision`.
        threads: CPU threads, for the network and for decoding.
        max_megapixels: Larger images are not read; None is as in training.

    Attributes:
        card: What is known about the network.
        warning: Why a GPU that is there is not used, if so.

    Raises:
        CheckpointError: If the file is missing, damaged or not ours.
        DeviceError: If the device cannot be used.
    """

    def __init__(
        self,
        weights: Path,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        threads: int,
        max_megapixels: float | None = None,
    ) -> None:
        choice = pick_device(device)
        set_up(choice.device, threads=threads, deterministic=False)
        self.warning = choice.warning
        self._device, self._threads = choice.device, threads
        self._arithmetic = resolve_precision(precision, choice.device)
        model, self.card = load_model(weights)
        if max_megapixels is not None:
            self.card = msgspec.structs.replace(self.card, max_megapixels=max_megapixels)
        self._model = model.to(choice.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def predict(
        self, root: Path, keys: Iterable[ImageKey], *, batch_size: int = 64, tta: bool = False
    ) -> Iterator[Prediction]:
        """Predict images one after the other; what cannot be read says why.

        Args:
            root: Folder that the keys' paths are relative to.
            keys: The images; may be a generator.
            batch_size: Images a batch; computed in pieces when memory runs out.
            tta: Average over flips and quarter turns (half turns where the input is not square).
        """
        for batch, images in _decoded(self.card, root, keys, batch_size, self._threads):
            rows = iter(self._probabilities([image for image in images if not isinstance(image, str)], tta))
            for key, image in zip(batch, images, strict=True):
                if isinstance(image, str):
                    yield Prediction(key, None, image)
                else:
                    yield Prediction(key, next(rows))

    def _probabilities(self, images: Sequence[np.ndarray], tta: bool) -> np.ndarray:
        """Shape (N, C), float32, of images (H, W, channels), uint8."""
        if not images:
            return np.empty((0, len(self.card.classes)), np.float32)
        pixels = (
            torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2)
        )  # (N, channels, H, W)
        inputs = standardise(to_unit(pixels), tuple(self.card.mean), tuple(self.card.std))
        total = torch.zeros(len(images), len(self.card.classes), device=self._device)
        count = 0
        for view in views(inputs) if tta else (inputs,):  # one at a time: eight need the memory of eight
            total += torch.softmax(infer(self._model, view, self._device, self._arithmetic), dim=1)
            count += 1
        probabilities: np.ndarray = (total / count).cpu().numpy()
        return probabilities


def views(images: Tensor) -> Iterator[Tensor]:
    """The flips and quarter turns of images (N, C, H, W): eight of a square, four otherwise."""
    turns = (0, 1, 2, 3) if images.shape[-1] == images.shape[-2] else (0, 2)
    for turn in turns:
        turned = torch.rot90(images, turn, (-2, -1))
        yield turned
        yield turned.flip(-1)


def _decoded(
    card: ModelCard, root: Path, keys: Iterable[ImageKey], batch_size: int, threads: int
) -> Iterator[tuple[tuple[ImageKey, ...], list[np.ndarray | str]]]:
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[tuple[ImageKey, ...], list[Future[np.ndarray | str]]]] = deque()
        source = iter(keys)
        while batch := tuple(islice(source, batch_size)):
            waiting.append((batch, [pool.submit(_decode, card, root, key) for key in batch]))
            if len(waiting) > BATCHES_AHEAD:
                ready, futures = waiting.popleft()
                yield ready, [future.result() for future in futures]
        for ready, futures in waiting:
            yield ready, [future.result() for future in futures]


def _decode(card: ModelCard, root: Path, key: ImageKey) -> np.ndarray | str:
    try:
        return decode_input(root / key.path, key.frame, card)
    except DecodeError as error:
        return error.message
