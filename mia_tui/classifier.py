"""`from mia_tui import Classifier`: from a trained network and images to probabilities, in three lines.

Importing this imports neither torch nor onnxruntime; making a `Classifier` does.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from mia_tui.config.train import Precision
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.dataset.scan.scan import check_root, keys_of, scan
from mia_tui.errors import DataError
from mia_tui.runs.list.networks import find_network_file
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.decision import UNSURE, decide
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.engine.inference.classify import ClassifierNetwork, OpenImage

Array = npt.NDArray[np.generic]
ImageLike = str | Path | tuple[str | Path, int] | Array


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of n images, in their order.

    Attributes:
        classes: Names of the C classes.
        names: Of the images: paths as given, `image 0` for arrays.
        probabilities: Shape (n, C), float32, at the temperature that was chosen for the network; NaN for an image
            that cannot be read.
        labels: The most probable class of each image; None where it cannot be read.
        unsure: Whether that class is below the threshold that was chosen for the network, shape (n,), bool; also True
            where the image cannot be read.
        problems: Why images cannot be read, by position.
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    labels: tuple[str | None, ...]
    unsure: npt.NDArray[np.bool_]
    problems: dict[int, str]

    def __len__(self) -> int:
        return len(self.names)


class Classifier:
    """A trained network, ready to be asked.

    Args:
        network: A weights file (best.safetensors of a run), a run's folder or name, `last`, or `best` with a dataset;
            or what `mia-tui export` made: the folder, or its .onnx file.
        dataset: Folder of images whose runs are searched; None searches your newest runs.
        device: auto, cpu, cuda, cuda:N or mps; an ONNX file is run on the CPU.
        precision: auto, fp32, bf16 or fp16; auto is as in `mia-tui predict`, fp32 the same on all machines but for
            rounding.
        threads: CPU threads; None for the cores that are free.
        tta: Whether to average over flipped and turned copies of each image: slower, more reliable; not with an ONNX
            file.

    Attributes:
        classes: Names of the classes, in the order of the probabilities.
        threshold: Below this probability of its most probable class an image is unsure; 0 for never.
        temperature: Of the probabilities.

    Raises:
        MiaError: If there is no such network, or it cannot be read; the message is a sentence.
    """

    def __init__(
        self,
        network: str | Path,
        *,
        dataset: str | Path | None = None,
        device: str = "auto",
        precision: Precision = "auto",
        threads: int | None = None,
        tta: bool = False,
    ) -> None:
        self._threads = threads or usable_cores()
        file = find_network_file(str(network), None if dataset is None else Path(dataset))
        self._network: ClassifierNetwork[Any] = _open(
            file, device=device, precision=precision, threads=self._threads, tta=tta
        )
        self.classes = tuple(item.name for item in self._network.card.classes)
        self.threshold, self.temperature = self._network.rule.threshold, self._network.rule.temperature

    def predict(
        self,
        images: "ImageLike | Iterable[ImageLike]",
        *,
        batch_size: int = 64,
        pixel_um: float | tuple[float, float] | None = None,
    ) -> Predictions:
        """Probabilities of images.

        Args:
            images: One image or several, each a path, a path with the number of a frame, or an array with the numbers
                that an image file would have: (height, width) or (height, width, channels), red, green and blue for
                coloured ones, uint8, uint16 or floating point as the network was trained on. A folder stands for all
                images in it and below.
            batch_size: Images at a time.
            pixel_um: Width and height of a pixel of arrays, micrometres, for networks that were trained at a physical
                scale.

        Returns:
            One row for each image; those that cannot be read say why in `problems`.

        Raises:
            DataError: If an array has another shape or type than an image, or a folder has no images.
        """
        named = list(self._named(images, pixel_um))
        rows = np.full((len(named), len(self.classes)), np.nan, np.float32)
        problems: dict[int, str] = {}
        asked = self._network.ask(
            [opening for _, opening in named], batch_size=max(1, batch_size), threads=self._threads
        )
        for row, said in enumerate(asked):
            if isinstance(said, str):
                problems[row] = said
            else:
                rows[row] = said
        return self._predictions(tuple(name for name, _ in named), rows, problems)

    def _predictions(
        self, names: tuple[str, ...], rows: npt.NDArray[np.float32], problems: dict[int, str]
    ) -> Predictions:
        unread: npt.NDArray[np.bool_] = np.asarray(np.isnan(rows).any(axis=1), np.bool_)
        filled = np.nan_to_num(rows, nan=0.0)
        best = filled.argmax(axis=1)
        answers = decide(self._network.rule, filled, self.classes)
        labels = tuple(
            None if missing else self.classes[number]
            for number, missing in zip(best.tolist(), unread.tolist(), strict=True)
        )
        return Predictions(self.classes, names, rows, labels, (answers == UNSURE) | unread, problems)

    def _named(
        self, images: "ImageLike | Iterable[ImageLike]", pixel_um: float | tuple[float, float] | None
    ) -> "Iterator[tuple[str, OpenImage]]":
        """The name of each image, and how to open it."""
        size = (float(pixel_um),) * 2 if isinstance(pixel_um, int | float) else pixel_um
        for number, image in enumerate(_each(images)):
            if isinstance(image, np.ndarray):
                yield f"image {number}", self._array(image, f"Image {number}", size)
            elif isinstance(image, str | Path) and Path(image).is_dir() and not _is_image_folder(image):
                yield from self._in_folder(Path(image))
            else:
                path, frame = image if isinstance(image, tuple) else (image, self._first_frame(image))
                yield str(path), self._file(Path(path), frame)

    def _array(self, values: Array, called: str, size: tuple[float, ...] | None) -> "OpenImage":
        from mia_tui.dataset.images.readers.array import open_array

        card = self._network.card
        pixel_um = None if size is None else (size[0], size[1])
        image = open_array(
            values,
            card.input_map.channels,
            pixel_um=pixel_um,
            max_megapixels=card.max_megapixels,
            called=called,
        )
        return lambda: nullcontext(image)

    def _file(self, path: Path, frame: int) -> "OpenImage":
        card = self._network.card
        return partial(opened, path, frame, card.max_megapixels, stack=card.stack)

    def _in_folder(self, folder: Path) -> "Iterator[tuple[str, OpenImage]]":
        check_root(folder)
        card = self._network.card
        files: dict[str, int] = {}
        for key in scan(folder, frames=card.frames).keys:
            files[key.path] = files.get(key.path, 0) + 1
        for path, frames in files.items():
            for key in keys_of(path, frames, card.stacks):
                frame = f" frame {key.frame}" if key.frame not in (0, WHOLE_STACK) else ""
                yield f"{folder / path}{frame}", self._file(folder / path, key.frame)

    def _first_frame(self, path: str | Path) -> int:
        """The first frame, or the whole stack for a network of whole stacks."""
        from mia_tui.dataset.images.reading import count_frames
        from mia_tui.errors import DecodeError

        if self._network.card.stacks != "whole":
            return 0
        try:
            return WHOLE_STACK if count_frames(Path(path)) > 1 else 0
        except DecodeError:  # said when it is read
            return 0


def _each(images: "ImageLike | Iterable[ImageLike]") -> Sequence[ImageLike]:
    """The images one by one; an array of four dimensions is several."""
    if isinstance(images, np.ndarray):
        return list(images) if images.ndim == 4 else [images]
    if isinstance(images, str | Path) or _is_frame(images):
        return [cast(ImageLike, images)]
    found = list(cast("Iterable[ImageLike]", images))
    for number, image in enumerate(found):
        if not (isinstance(image, str | Path | np.ndarray) or _is_frame(image)):
            raise DataError(
                f"Image {number} is a {printable(type(image).__name__)}.", "Give paths or arrays of numpy."
            )
    return found


def _is_frame(image: object) -> bool:
    """Whether it is a path with the number of a frame."""
    return (
        isinstance(image, tuple)
        and len(image) == 2
        and isinstance(image[0], str | Path)
        and isinstance(image[1], int)
    )


def _is_image_folder(path: str | Path) -> bool:
    from mia_tui.dataset.images.formats import is_folder_image_name

    return is_folder_image_name(Path(path).name)


def _open(
    file: Path, *, device: str, precision: Precision, threads: int, tta: bool
) -> "ClassifierNetwork[Any]":
    from mia_tui.engine.inference.classify import OnnxClassifierNetwork, TorchClassifierNetwork

    if file.suffix == ".onnx":
        return OnnxClassifierNetwork(file, threads=threads)
    return TorchClassifierNetwork(file, device=device, precision=precision, threads=threads, tta=tta)
