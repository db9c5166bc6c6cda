"""Probabilities of a trained network for any number of images, in their order, in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import Precision
from mia_tui.dataset.images.decode import decode_input
from mia_tui.dataset.model import ImageKey
from mia_tui.engine.data.presence import Presence
from mia_tui.engine.data.scaling import standardise, to_unit
from mia_tui.engine.device import pick_device, resolve_precision, set_up
from mia_tui.engine.inference.evaluate import infer
from mia_tui.engine.training.checkpoint import load_model
from mia_tui.errors import DecodeError
from mia_tui.runs.disk import OnWait
from mia_tui.runs.record.model_card import ModelCard

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
        self,
        root: Path,
        keys: Iterable[ImageKey],
        *,
        batch_size: int = 64,
        tta: bool = False,
        on_wait: OnWait | None = None,
    ) -> Iterator[Prediction]:
        """Predict images one after the other; what cannot be read says why.

        Args:
            root: Folder that the keys' paths are relative to.
            keys: The images.
            batch_size: Images a batch; computed in pieces when memory runs out.
            tta: Average over flips and quarter turns (half turns where the input is not square).
            on_wait: Told why it waits where the disk with the images is away, and None when it goes on.

        Raises:
            AwayError: If that disk stays away.
        """
        for batch, images in _decoded(self.card, root, list(keys), batch_size, self._threads, on_wait):
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
    card: ModelCard,
    root: Path,
    keys: Sequence[ImageKey],
    batch_size: int,
    threads: int,
    on_wait: OnWait | None,
) -> Iterator[tuple[Sequence[ImageKey], list[np.ndarray | str]]]:
    presence = Presence(root, [key.path for key in keys], on_wait=on_wait)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    def submit(row: int) -> Future[np.ndarray | str]:
        return pool.submit(_decode, card, root, keys[row])

    def images_of(rows: range, futures: Sequence[Future[np.ndarray | str]]) -> list[np.ndarray | str]:
        answers = {row: presence.result(future) for row, future in zip(rows, futures, strict=True)}
        faults = [row for row, answer in answers.items() if isinstance(answer, str)]
        answers |= presence.read_again(faults, submit, lambda answer: isinstance(answer, str))
        for row, answer in answers.items():
            presence.tell(row, is_read=not isinstance(answer, str))
        return list(answers.values())

    try:
        waiting: deque[tuple[range, list[Future[np.ndarray | str]]]] = deque()
        for start in range(0, len(keys), batch_size):
            rows = range(start, min(start + batch_size, len(keys)))
            waiting.append((rows, [submit(row) for row in rows]))
            if len(waiting) > BATCHES_AHEAD:
                ready, futures = waiting.popleft()
                yield keys[ready.start : ready.stop], images_of(ready, futures)
        for ready, futures in waiting:
            yield keys[ready.start : ready.stop], images_of(ready, futures)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _decode(card: ModelCard, root: Path, key: ImageKey) -> np.ndarray | str:
    try:
        return decode_input(root / key.path, key.frame, card)
    except DecodeError as error:
        return error.message
