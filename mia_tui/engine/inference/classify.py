"""What `mia_tui.classifier` computes with: a trained network of torch, or a file that was exported to ONNX."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from mia_tui.config.train import Precision
from mia_tui.dataset.images.decode import input_of_frame
from mia_tui.dataset.images.reading import OpenedFrame
from mia_tui.decoding import BadRecord, decode_json
from mia_tui.errors import CheckpointError, DecodeError
from mia_tui.runs.record.decision import DecisionRule, calibrated, read_decision
from mia_tui.runs.record.model_card import CARD_KEY, ModelCard, read_card
from mia_tui.text import printable

Probabilities = npt.NDArray[np.float32]
OpenImage = Callable[[], AbstractContextManager[OpenedFrame]]
Input = TypeVar("Input")


class ClassifierNetwork(ABC, Generic[Input]):
    """A network that is asked about images.

    Attributes:
        card: Its model card.
        rule: Temperature and thresholds.
    """

    card: ModelCard
    rule: DecisionRule

    def ask(
        self, images: Sequence[OpenImage], *, batch_size: int, threads: int
    ) -> Iterator[Probabilities | str]:
        """For each image its probabilities, shape (C,), or a sentence that says why it cannot be read.

        Args:
            images: Each is opened in a thread.
            batch_size: Images at a time.
            threads: That read images.
        """
        with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
            ahead = [pool.submit(self._read, image) for image in images[:batch_size]]
            for start in range(0, len(images), batch_size):
                now, after = ahead, images[start + batch_size : start + 2 * batch_size]
                ahead = [pool.submit(self._read, image) for image in after]
                read = [future.result() for future in now]
                inputs = [one for one in read if not isinstance(one, str)]
                said = iter(self.probabilities(inputs) if inputs else ())
                for one in read:
                    yield one if isinstance(one, str) else next(said)

    def _read(self, image: OpenImage) -> Input | str:
        try:
            with image() as opened:
                return self.prepare(opened)
        except DecodeError as error:
            return str(error)

    @abstractmethod
    def prepare(self, image: OpenedFrame) -> Input:
        """What the network is given of an image; called in threads.

        Raises:
            DecodeError: If it cannot be read, or not by this network.
        """

    @abstractmethod
    def probabilities(self, inputs: Sequence[Input]) -> Probabilities:
        """Of each image, at the temperature of the rule, shape (n, C), float32."""


class TorchClassifierNetwork(ClassifierNetwork[npt.NDArray[Any]]):
    """The network in a weights file.

    Args:
        weights: A best.safetensors, or model.safetensors of an export.
        device: As in `device.pick_device`.
        precision: As in `device.resolve_precision`.
        threads: CPU threads.
        tta: Whether to average over flips and quarter turns.

    Raises:
        CheckpointError: If the file is missing, damaged or not ours.
        DeviceError: If the device cannot be used.
        RunError: If the temperature and threshold beside it are damaged.
    """

    def __init__(
        self, weights: Path, *, device: str, precision: Precision, threads: int, tta: bool = False
    ) -> None:
        from mia_tui.engine.inference.predict import Predictor

        read_card(weights)  # first: says what is wrong with the file
        self._predictor = Predictor(weights, device=device, precision=precision, threads=threads)
        self._tta = tta
        self.card = self._predictor.card
        self.rule = read_decision(weights) or DecisionRule()

    def prepare(self, image: OpenedFrame) -> npt.NDArray[Any]:
        return input_of_frame(image, self.card)

    def probabilities(self, inputs: Sequence[npt.NDArray[Any]]) -> Probabilities:
        said = self._predictor.probabilities(np.stack(inputs), tta=self._tta)
        found: Probabilities = calibrated(said, self.rule.temperature)
        return found


class OnnxClassifierNetwork(ClassifierNetwork[Any]):
    """An exported network, run by onnxruntime on the CPU.

    Args:
        path: A model.onnx of ours.
        threads: CPU threads.

    Raises:
        CheckpointError: If it is no such file.
        ConfigError: If onnxruntime is not installed.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        from mia_tui.engine.export.metadata import read_metadata
        from mia_tui.engine.export.onnx_file import OnnxNetwork

        self._network = OnnxNetwork(path, threads=threads)
        try:
            self.card = decode_json(self._network.metadata[CARD_KEY], ModelCard)
            self.rule, self._takes = read_metadata(self._network.metadata)
        except (KeyError, BadRecord) as error:
            raise CheckpointError(
                f"{printable(path)} was not exported by mia-tui.", "Open it with onnxruntime itself."
            ) from error

    def prepare(self, image: OpenedFrame) -> Any:
        from mia_tui.engine.export.checked_images import fitted, values_of

        found = values_of(image, self.card)
        values = None if found is None else fitted(found, self._takes, self.card)
        if found is None or values is None:
            what = "transparent pixels" if found is None else f"{found.takes.dtype} values"
            raise DecodeError(
                f"{printable(image.path.name)} has {what}, and the ONNX file takes {self._takes.dtype} values.",
                "Use the weights file of the run instead.",
            )
        return np.ascontiguousarray(values), found.pixel_um

    def probabilities(self, inputs: Sequence[Any]) -> Probabilities:
        return np.concatenate([self._network.run(values[None], pixel_um) for values, pixel_um in inputs])
