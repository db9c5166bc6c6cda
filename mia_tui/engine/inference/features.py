"""Features of images: what the stages of a network see in them, for any number of images in bounded memory."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mia_tui.config.features import SHIPPED_NETWORK
from mia_tui.config.train import Precision, TrainConfig
from mia_tui.config.weights_cache import IMAGENET_WEIGHTS
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.model import ImageKey
from mia_tui.engine.data.feed import batches
from mia_tui.engine.data.images import StreamedImages
from mia_tui.engine.data.network_input import input_of, is_deep
from mia_tui.engine.data.reader import ImageReader, ShouldStop
from mia_tui.engine.data.scaling import Channels, channel_scaling, standardise, to_unit
from mia_tui.engine.device import resolve_precision
from mia_tui.engine.inference.evaluate import infer
from mia_tui.engine.inference.stages import StageFeatures
from mia_tui.engine.network.backbones import build_model
from mia_tui.engine.network.weights import find_weights, load_weights
from mia_tui.engine.training.checkpoint import load_model
from mia_tui.runs.disk import OnWait

_MOST_AT_A_TIME = 8  # batches on the CPU: each needs 150 MB

DEFAULT_SIDE = 96
"""Width and height of the input of the network that comes with the program, pixels."""


def shipped_settings() -> TrainConfig:
    """The settings of a training that would begin with the network that comes with the program, for its input."""
    return TrainConfig(
        backbone=SHIPPED_NETWORK, weights=IMAGENET_WEIGHTS, width=DEFAULT_SIDE, height=DEFAULT_SIDE
    )


@dataclass(frozen=True)
class FeatureBatch:
    """Images with their features.

    Attributes:
        keys: Those that could be read, N.
        features: Shape (N, dims), float32.
        problems: Why others could not be read, a sentence each.
    """

    keys: list[ImageKey]
    features: np.ndarray
    problems: dict[ImageKey, str]


class FeatureMaker:
    """A network on its device that makes features.

    Args:
        model: The network.
        wanted: How images become pixels.
        scaling: Mean and deviation of each channel, for pixels in 0..1.
        device: Where it computes.
        precision: As in `device.resolve_precision`.
        threads: Cores that may be used. On the CPU as many batches are computed at a time, each by one thread: those
            of one batch wait for each other by spinning, which beside other programs took three times the time.

    Attributes:
        wanted: As above.
        dims: Numbers for each image.
    """

    def __init__(
        self,
        model: StageFeatures,
        wanted: NetworkInput,
        scaling: tuple[Channels, Channels],
        *,
        device: torch.device,
        precision: Precision = "auto",
        threads: int,
    ) -> None:
        self.wanted, self._scaling, self._device, self._threads = wanted, scaling, device, threads
        self._arithmetic = resolve_precision(precision, device)
        self._model: nn.Module = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        black = torch.zeros(1, wanted.channel_count, wanted.height, wanted.width, device=device)
        self.dims = infer(self._model, black, device, self._arithmetic).shape[1]

    def make(
        self,
        root: Path,
        keys: Sequence[ImageKey],
        *,
        batch_size: int,
        should_stop: ShouldStop | None = None,
        on_wait: OnWait | None = None,
    ) -> Iterator[FeatureBatch]:
        """Make the features of images, batch by batch in their order; the next batches are decoded meanwhile.

        Args:
            root: Folder that the keys' paths are relative to.
            keys: The images.
            batch_size: Images per batch; computed in pieces when memory runs out.
            should_stop: Polled before each batch, and while images are waited for.
            on_wait: Called with the reason when waiting for the disk begins, and with None when it is over.

        Raises:
            AwayError: If the disk with the images stays away.
            WorkStopped: If `should_stop` returned True.
        """
        order = batches(torch.arange(len(keys)), batch_size, keep_single=True)
        reader = ImageReader(
            keys, root, self.wanted, threads=self._threads, should_stop=should_stop, on_wait=on_wait
        )
        at_a_time = min(self._threads, _MOST_AT_A_TIME) if self._device.type == "cpu" else 1
        begun: deque[tuple[Tensor, Tensor, Future[np.ndarray]]] = deque()
        with (
            closing(StreamedImages(reader, self._device)) as images,
            ThreadPoolExecutor(at_a_time, "features", partial(torch.set_num_threads, 1)) as pool,
        ):
            images.prefetch(order)
            for rows in order:
                reader.check_stop()
                pixels, kept = images.fetch(rows)
                begun.append((rows, kept, pool.submit(self._features, pixels)))
                while begun and (len(begun) > at_a_time or begun[0][2].done()):
                    yield _batch(keys, images, *begun.popleft())
            while begun:
                yield _batch(keys, images, *begun.popleft())

    def _features(self, pixels: Tensor) -> np.ndarray:
        """Shape (N, dims), float32, of images (N, channels, H, W) as from `to_tensor`."""
        if not len(pixels):
            return np.empty((0, self.dims), np.float32)
        inputs = standardise(to_unit(pixels), *self._scaling)
        found: np.ndarray = infer(self._model, inputs, self._device, self._arithmetic).cpu().numpy()
        return found


def _batch(
    keys: Sequence[ImageKey],
    images: StreamedImages,
    rows: Tensor,
    kept: Tensor,
    computed: "Future[np.ndarray]",
) -> FeatureBatch:
    problems = {keys[row]: images.left_out[row] for row in rows.tolist() if row in images.left_out}
    return FeatureBatch([keys[row] for row in rows[kept].tolist()], computed.result(), problems)


def shipped_maker(
    input_map: InputMap, *, device: torch.device, precision: Precision, threads: int
) -> FeatureMaker:
    """Makes features with the network that comes with the program.

    Args:
        input_map: From the values of the files to brightness, as it was measured; its channels are the network's.
        device: As for `FeatureMaker`, and so the others.

    Raises:
        WeightsError: If its package was removed or changed.
    """
    config = shipped_settings()
    wanted = input_of(config, input_map)
    model = build_model(
        SHIPPED_NETWORK, num_classes=1, in_channels=wanted.channel_count, is_deep=is_deep(wanted)
    )
    path = find_weights(SHIPPED_NETWORK, IMAGENET_WEIGHTS)
    load_weights(model, path, backbone=SHIPPED_NETWORK, in_channels=wanted.channel_count)
    return FeatureMaker(
        StageFeatures(model, only_stages=True),
        wanted,
        channel_scaling(config, input_map),
        device=device,
        precision=precision,
        threads=threads,
    )


def trained_maker(
    weights: Path, *, device: torch.device, precision: Precision, threads: int
) -> tuple[FeatureMaker, InputMap]:
    """Makes features with a trained network; also how the values of its files become brightness.

    Args:
        weights: Its weights file.
        device: As for `FeatureMaker`, and so the others.

    Raises:
        CheckpointError: If the file is missing, damaged or not ours.
    """
    model, card = load_model(weights)
    maker = FeatureMaker(
        StageFeatures(model),
        card,
        (tuple(card.mean), tuple(card.std)),
        device=device,
        precision=precision,
        threads=threads,
    )
    return maker, card.input_map
