"""Small pictures of images, as the app shows them, to be part of the page itself."""

import base64
import io
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mia_tui.analysis.top_losses import TopLoss
from mia_tui.dataset.images.rendering import DisplaySettings, render_image
from mia_tui.dataset.images.screen.heat import HeatMap
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import DecodeError
from mia_tui.report.numbers import ResultNumbers, spread

THUMBNAIL_PX = 112
MOST_ERRORS = 48
"""Images in the gallery of errors."""

MOST_OF_CLASS = 8
MOST_THUMBNAILS = 400
"""Of a report in all: 2 MB of its page."""

_FEWEST_OF_CLASS = 3
_QUALITY = 82  # of a JPEG


@dataclass(frozen=True)
class ReportImage:
    """An image of a gallery.

    Attributes:
        row: In the results.
        key: The image.
        truth: Name of its class.
        predicted: Name of the predicted class.
        probability: Of the predicted class; None where that was not kept.
        truth_probability: Of its own class; None where that was not kept.
    """

    row: int
    key: ImageKey
    truth: str
    predicted: str
    probability: float | None = None
    truth_probability: float | None = None

    @property
    def is_right(self) -> bool:
        return self.truth == self.predicted


@dataclass(frozen=True)
class Gallery:
    """Images under a heading; `of` is how many there are of them in all."""

    title: str
    images: tuple[ReportImage, ...]
    of: int


def gallery_of_errors(numbers: ResultNumbers) -> Gallery:
    """Images that were predicted wrongly: those with the largest losses, or without probabilities the first ones."""
    losses = [loss for loss in numbers.losses if loss.truth != loss.predicted]
    rows: Sequence[int] = [loss.row for loss in losses] or numbers.wrong.tolist()
    by_row = {loss.row: loss for loss in losses}
    images = tuple(_image(numbers, row, by_row.get(row)) for row in rows[:MOST_ERRORS])
    return Gallery("Errors", images, len(numbers.wrong))


def galleries_of_classes(numbers: ResultNumbers, room: int) -> list[Gallery]:
    """Some images of each class, drawn evenly over all that were evaluated; of many classes the weakest.

    Args:
        numbers: The numbers of a part.
        room: How many images there may be in all.
    """
    results = numbers.evaluated.results
    classes = [index for index, row in enumerate(numbers.metrics.by_class) if row.support]
    if not classes:
        return []
    each = max(_FEWEST_OF_CLASS, min(MOST_OF_CLASS, room // len(classes)))
    if each * len(classes) > room:
        classes = sorted(numbers.weakest(max(1, room // each)))
    found = []
    for index in classes:
        rows = np.flatnonzero(results.truth == index)
        images = tuple(_image(numbers, row) for row in spread(rows, each))
        found.append(Gallery(results.classes[index], images, len(rows)))
    return found


def _image(numbers: ResultNumbers, row: int, loss: TopLoss | None = None) -> ReportImage:
    results, classes = numbers.evaluated.results, numbers.classes
    truth, predicted = int(results.truth[row]), int(results.predicted[row])
    of_truth = None if loss is None else loss.truth_probability
    of_predicted = None if loss is None else loss.probability
    if loss is None and results.log_probabilities is not None:
        values = results.log_probabilities[row].astype(np.float64)
        of_truth, of_predicted = float(np.exp(values[truth])), float(np.exp(values[predicted]))
    return ReportImage(row, results.keys[row], classes[truth], classes[predicted], of_predicted, of_truth)


def make_thumbnails(root: Path, images: Mapping[ImageKey, HeatMap | None]) -> Mapping[ImageKey, str]:
    """Pictures of images as data URIs; those that cannot be read are left out.

    Args:
        root: Folder of the dataset.
        images: The images, each with the map that lies over it; None for none.
    """
    wanted = list(images)
    with ThreadPoolExecutor(max(1, min(4, len(os.sched_getaffinity(0))))) as pool:
        made = pool.map(lambda key: _thumbnail(root, key, images[key]), wanted)
        return {key: uri for key, uri in zip(wanted, made, strict=True) if uri}


def _thumbnail(root: Path, key: ImageKey, heat: HeatMap | None) -> str:
    box = (THUMBNAIL_PX, THUMBNAIL_PX)
    try:
        pixels = render_image(root / key.path, key.frame, box, DisplaySettings(heat=heat)).pixels
    except (DecodeError, OSError):
        return ""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY, optimize=True)
    return data_uri(file.getvalue(), "image/jpeg")


def data_uri(content: bytes, kind: str) -> str:
    """A file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
