"""Probabilities of a trained network for any number of images, in their order, in bounded memory.

The images come from the reader that training uses, decoded a few batches ahead.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import Precision
from mia_tui.dataset.images.decode import decode_input, input_placement
from mia_tui.dataset.images.network.geometry import Placement
from mia_tui.dataset.images.screen.heat import HeatMap
from mia_tui.dataset.images.source import Size
from mia_tui.dataset.model import FRAME_NUMBERING, ImageKey
from mia_tui.engine.data.feed import batches
from mia_tui.engine.data.images import StreamedImages
from mia_tui.engine.data.reader import ImageReader, ShouldStop
from mia_tui.engine.data.scaling import standardise, to_tensor, to_unit
from mia_tui.engine.device import pick_device, resolve_precision, set_up
from mia_tui.engine.inference.activation import class_activation
from mia_tui.engine.inference.evaluate import infer, views
from mia_tui.engine.inference.familiar import read_familiar
from mia_tui.engine.inference.head_input import WithHeadInput
from mia_tui.engine.training.checkpoint import load_model
from mia_tui.errors import DecodeError
from mia_tui.runs.disk import OnWait
from mia_tui.runs.prediction.predictions import MOST_UNFAMILIAR
from mia_tui.runs.record.input_words import other_type_words

_DIGITS = 4  # of scores
_TOGETHER, _TOGETHER_ON_GPU = 64, 512  # images of all views that are computed at a time
_MOST_CELLS = 56  # of a heat map on each side; the maps of networks are smaller

_enlarge = partial(torch.nn.functional.interpolate, mode="bilinear", align_corners=False, antialias=True)


@dataclass(frozen=True)
class Prediction:
    """What a network says of one image.

    Attributes:
        key: The image.
        probabilities: Of the classes, shape (C,), float32; None if it cannot be read.
        problem: Why it cannot be read, a sentence.
        remark: Why they are less certain than usual; empty for nothing.
        unfamiliar: How far the image is from those that the network knows, see `FamiliarFeatures.scores`; None if
            that is not known.
    """

    key: ImageKey
    probabilities: np.ndarray | None
    problem: str | None = None
    remark: str = ""
    unfamiliar: float | None = None


class Predictor:
    """A trained network in eval mode on its device.

    Args:
        weights: A best.safetensors.
        device: As in `device.pick_device`.
        precision: As in `device.resolve_precision`.
        threads: CPU threads, for the network and for decoding.
        max_megapixels: Larger images are not read; None takes the limit of the training.

    Attributes:
        card: The network's model card.
        familiar: What the features of images are like that it knows; None if that is not known.
        device: Where it computes.
        arithmetic: In which numbers; in bf16, probabilities differ from those in fp32 by up to 0.01.
        warning: Why an existing GPU is not used; None if nothing is wrong.
        other_types: How many images were of a type that the network was not trained on, by dtype.

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
        self.other_types: Counter[str] = Counter()
        self.device, self._threads = choice.device, threads
        self.arithmetic = resolve_precision(precision, choice.device)
        self._most_together = _TOGETHER if choice.device.type == "cpu" else _TOGETHER_ON_GPU
        model, self.card = load_model(weights)
        self.familiar = read_familiar(weights)
        if self.familiar is not None:
            self.familiar, model = self.familiar.to(choice.device), WithHeadInput(model)
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
        should_stop: ShouldStop | None = None,
        on_wait: OnWait | None = None,
        numbering: int = FRAME_NUMBERING,
    ) -> Iterator[Prediction]:
        """Predict images one after the other; those that cannot be read say why.

        Args:
            root: Folder that the keys' paths are relative to.
            keys: The images.
            batch_size: Images per batch; computed in pieces when memory runs out.
            tta: Average over flips and quarter turns (half turns if the input is not square).
            should_stop: Polled before each batch, and while images are waited for.
            on_wait: Called with the reason when waiting for the disk begins, and with None when it is over.
            numbering: What the frames of the images are.

        Raises:
            AwayError: If the disk with the images stays away.
            WorkStopped: If `should_stop` returned True.
        """
        keys = list(keys)
        order = batches(torch.arange(len(keys)), batch_size, keep_single=True)
        reader = ImageReader(
            keys,
            root,
            self.card,
            threads=self._threads,
            should_stop=should_stop,
            on_wait=on_wait,
            numbering=numbering,
        )
        with closing(StreamedImages(reader, self.device)) as images:
            images.prefetch(order)
            for rows, computed in self._one_ahead(reader, images, order, tta):
                found = zip(*self._said(computed), strict=True)
                for row in rows.tolist():
                    problem = images.left_out.get(row)
                    if problem is None and row in images.other_types:
                        self.other_types[images.other_types[row]] += 1
                    probabilities, score = (None, None) if problem else next(found)
                    yield Prediction(keys[row], probabilities, problem, unfamiliar=score)

    def explain(self, root: Path, key: ImageKey, class_index: int) -> HeatMap:
        """Where the network looks in an image when it decides for a class.

        Args:
            root: Folder that the key's path is relative to.
            key: The image.
            class_index: Position of the class.

        Raises:
            DecodeError: If the image cannot be read.
            RunError: If the network has no maps over the image.
        """
        batch = self._input_of(decode_input(root / key.path, key.frame, self.card))
        found = class_activation(self._model, self._standardised(batch), class_index)
        placement, size = input_placement(root / key.path, key.frame, self.card)
        return _heat_over(found.values, placement, size)

    def probabilities(self, pixels: np.ndarray, *, tta: bool = False) -> np.ndarray:
        """Of images that are decoded already.

        Args:
            pixels: As from `decode_input`, shape (N, H, W, channels).
            tta: As for `predict`.

        Returns:
            Shape (N, C), float32.
        """
        batch = to_tensor(pixels).permute(0, 3, 1, 2).to(self.device)
        return self._said(_Computed(self._outputs(batch, tta)))[0]

    def predict_one(self, root: Path, key: ImageKey) -> Prediction:
        """Predict one image at once: where it cannot be read now, its disk is not waited for.

        Args:
            root: Folder that the key's path is relative to.
            key: The image.
        """
        other: list[str] = []
        try:
            pixels = decode_input(
                root / key.path, key.frame, self.card, on_other_type=other.append
            )  # (H, W, C)
        except DecodeError as error:
            return Prediction(key, None, error.message)
        batch = self._input_of(pixels)
        remark = other_type_words(other[0], self.card.input_map) if other else ""
        probabilities, scores = self._said(_Computed(self._outputs(batch, tta=False)))
        return Prediction(key, probabilities[0], remark=remark, unfamiliar=scores[0])

    def _input_of(self, pixels: np.ndarray) -> Tensor:
        """A batch of one image: from (H, W, C) to (1, C, H, W), on the device."""
        return to_tensor(pixels)[None].permute(0, 3, 1, 2).to(self.device)

    def _standardised(self, pixels: Tensor) -> Tensor:
        return standardise(to_unit(pixels), tuple(self.card.mean), tuple(self.card.std))

    def _one_ahead(
        self, reader: ImageReader, images: StreamedImages, order: Iterable[Tensor], tta: bool
    ) -> "Iterator[tuple[Tensor, _Computed]]":
        """Each batch, when the device has got the next one: so a GPU works while rows are given out."""
        before: tuple[Tensor, _Computed] | None = None
        for rows in order:
            reader.check_stop()
            pixels, _ = images.fetch(rows)
            begun = rows, _Computed(self._outputs(pixels, tta))
            if before is not None:
                yield before
            before = begun
        if before is not None:
            yield before

    def _outputs(self, pixels: Tensor, tta: bool) -> Tensor:
        """What the network says of images (N, channels, H, W) as from `to_tensor`.

        Returns:
            Probabilities and, where it is known, the score in a last column: shape (N, C) or (N, C + 1), float32, on
            the device.
        """
        classes = len(self.card.classes)
        if not len(pixels):
            return torch.empty(0, classes)
        inputs = self._standardised(pixels)
        total: Tensor | None = None
        count = 0
        # As many views at a time as make a batch that keeps the device busy: all need the memory of all.
        most = max(1, self._most_together // len(inputs))
        left = iter(views(inputs) if tta else (inputs,))
        while some := list(islice(left, most)):
            together = some[0] if len(some) == 1 else torch.cat(some)
            output = infer(self._model, together, self.device, self.arithmetic)
            shares = torch.softmax(output[:, :classes], dim=1)
            both = torch.cat([shares, output[:, classes:]], dim=1).view(len(some), len(inputs), -1).sum(0)
            total, count = both if total is None else total + both, count + len(some)
        assert total is not None
        mean = total / count
        probabilities, features = mean[:, :classes], mean[:, classes:]
        if self.familiar is None or features.shape[1] != self.familiar.dims:
            return probabilities
        return torch.cat([probabilities, self.familiar.scores(features)[:, None]], dim=1)

    def _said(self, computed: "_Computed") -> tuple[np.ndarray, list[float | None]]:
        """The probabilities of images, shape (N, C), and how unfamiliar each is."""
        values, classes = computed.result(), len(self.card.classes)
        if values.shape[1] == classes:
            return values, [None] * len(values)
        scores = values[:, classes].astype(float).clip(0, MOST_UNFAMILIAR).round(_DIGITS).tolist()
        return values[:, :classes], scores


class _Computed:
    """What a device computes, on its way to the CPU without waiting for it."""

    def __init__(self, values: Tensor) -> None:
        self._values, self._copied = values, None
        if values.is_cuda:
            self._values = values.to("cpu", non_blocking=True)
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._copied.record(torch.cuda.current_stream(values.device))

    def result(self) -> np.ndarray:
        if self._copied is not None:
            self._copied.synchronize()
        values: np.ndarray = self._values.cpu().numpy()
        return values


def _heat_over(values: np.ndarray, placement: Placement, size: Size) -> HeatMap:
    """A map over the canvas of a network as one over the image: what lies beside the image is cut off.

    Args:
        values: 0 to 1, shape (rows, columns), float32.
        placement: How the image lies on the canvas.
        size: Width and height of the image.
    """
    canvas = _enlarge(torch.from_numpy(values)[None, None], placement.canvas[::-1])[0, 0]
    (left, top), (width, height) = placement.at, placement.size
    shown = canvas[top : top + height, left : left + width]
    grid = _enlarge(shown[None, None], (min(_MOST_CELLS, height), min(_MOST_CELLS, width)))[0, 0]
    cells = (grid.clamp(0, 1) * 255).round().to(torch.uint8)
    first, top_edge, last, bottom = placement.box
    box = first / size[0], top_edge / size[1], last / size[0], bottom / size[1]
    return HeatMap(cells.numpy().tobytes(), cells.shape[0], cells.shape[1], box)
