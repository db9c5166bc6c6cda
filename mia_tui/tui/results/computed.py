"""The results of a run, and what is computed of them as soon as a page shows it.

All of it takes from milliseconds to seconds, so it is called in threads; what is known already stays known while the
results are, and the results of the last few runs are kept, so that coming back from their images costs nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.calibration import Reliability, confidences, reliability
from mia_tui.analysis.curves import Areas, ClassCurve, areas, precision_recall, roc, thinned
from mia_tui.analysis.metrics import MetricTable, metric_table
from mia_tui.analysis.top_losses import TopLoss, top_losses
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.listing.image_list import ImageList
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import RunError
from mia_tui.runs.evaluation.confusion import ConfusionReport, Which, load_confusion_report
from mia_tui.runs.evaluation.results import Results, load_results
from mia_tui.runs.evaluation.saved_scores import scores_file
from mia_tui.runs.evaluation.threshold import best_temperature
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.runs.images import folders_of, in_dataset

Rows = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

MOST_LOSSES = 1000
"""Images in the list of top losses."""

MOST_POINTS = 800
"""Of a curve that is drawn."""

_KEPT = 3  # results


@dataclass(frozen=True)
class DrawnCurves:
    """The curves of one class against all others, thinned out to what a screen can show; None where there is none."""

    roc: ClassCurve | None
    precision_recall: ClassCurve | None


class ComputedResults:
    """The results of one epoch of a run, with all that is computed of them.

    Args:
        results: As read.
        report: The confusion matrix of the same epoch.
        keys: Each image as one of the dataset that is open; None for those that lie elsewhere.
        weights: The file of the network.
        trained_on: How many of the images the network was trained on.

    Attributes:
        results: As read.
        report: The confusion matrix of the same epoch.
        weights: The file of the network.
        trained_on: How many of the images the network was trained on.
        inside: The images of the dataset that is open, in the order of the results.
    """

    def __init__(
        self,
        results: Results,
        report: ConfusionReport,
        keys: Sequence[ImageKey | None],
        weights: Path,
        trained_on: int = 0,
    ) -> None:
        self.results, self.report, self.weights, self.trained_on = results, report, weights, trained_on
        self._keys = keys
        inside = [key for key in keys if key is not None]
        self.inside = ImageList(inside)
        self._places: Rows | None = None  # of the rows among those inside; None where all are
        if len(inside) < len(keys):
            is_inside = np.array([key is not None for key in keys])
            self._places = np.where(is_inside, np.cumsum(is_inside) - 1, -1)
        self._curves: dict[int, DrawnCurves] = {}

    def knows(self, name: str) -> bool:
        """Whether an attribute that takes a while was computed already."""
        return name in vars(self)

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.results.truth)

    @cached_property
    def counts(self) -> list[int]:
        """Number of images of each class."""
        results = self.results
        counts: list[int] = np.bincount(results.truth, minlength=len(results.classes)).tolist()
        return counts

    @property
    def has_probabilities(self) -> bool:
        return self.results.log_probabilities is not None

    @cached_property
    def group_count(self) -> int:
        return self.results.group_count

    @property
    def log_probabilities(self) -> npt.NDArray[Any]:
        """Those of the results, which have some."""
        values = self.results.log_probabilities
        assert values is not None
        return values

    def images(self, rows: Rows) -> ImageList:
        """Images of the dataset that is open, in the order of these rows."""
        places = rows if self._places is None else self._places[rows]
        return self.inside.some(places[places >= 0])

    def is_inside(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of these rows are images of the dataset that is open."""
        if self._places is None:
            return np.ones(len(rows), np.bool_)
        is_inside: npt.NDArray[np.bool_] = self._places[rows] >= 0
        return is_inside

    def key(self, row: int) -> ImageKey | None:
        """An image of the dataset that is open; None if it lies elsewhere."""
        return self._keys[row]

    # What takes a while

    @cached_property
    def metrics(self) -> MetricTable:
        """Metrics with their intervals."""
        results = self.results
        return metric_table(results.truth, results.predicted, results.classes, results.groups)

    @cached_property
    def temperature(self) -> float:
        """The temperature that fits these images best; 1 where they are too few, or none is predicted wrong."""
        return best_temperature(self.results)[0]

    @cached_property
    def confidences(self) -> Shares:
        """The probability of the predicted class, shape (n,)."""
        return confidences(self.log_probabilities)[0]

    @cached_property
    def reliabilities(self) -> tuple[Reliability, Reliability]:
        """How often the network is right where it is so sure: as it is, and after the temperature."""
        values, truth = self.log_probabilities, self.results.truth
        _ = self.confidences  # to choose the images of a bin
        return reliability(values, truth), reliability(values, truth, temperature=self.temperature)

    @cached_property
    def losses(self) -> list[TopLoss]:
        """The images with the largest losses, largest first; at most `MOST_LOSSES`."""
        return top_losses(self.log_probabilities, self.results.truth, MOST_LOSSES)

    @cached_property
    def areas(self) -> Areas:
        """The areas below the curves of all classes."""
        return areas(self.log_probabilities, self.results.truth)

    def curves(self, position: int) -> DrawnCurves | None:
        """The curves of a class, if `compute_curves` was called for it."""
        return self._curves.get(position)

    def compute_curves(self, position: int) -> None:
        """Compute the curves of a class."""
        is_class = self.results.truth == position
        scores = np.ascontiguousarray(self.log_probabilities[:, position])
        found = roc(is_class, scores), precision_recall(is_class, scores)
        self._curves[position] = DrawnCurves(*map(_thinned, found))


def read_computed(run: RunDir, opened: OpenDataset, which: Which | None = None) -> ComputedResults:
    """The results of a run, from memory if nothing was written since. Reads files, so call it in a thread.

    Args:
        run: A training or an evaluation.
        opened: The dataset that is open.
        which: As for `load_results`.

    Raises:
        RunError: If there are none, or they cannot be read.
    """
    place = (run.path, opened.dataset, which)
    stamp = _stamp(run)
    with _lock:
        known = _known.get(place)
        if known is not None and known[0] == stamp:
            _known.move_to_end(place)
            return known[1]
    computed = _read(run, opened, which)
    with _lock:
        _known[place] = (stamp, computed)
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return computed


_known: "OrderedDict[tuple[Path, Path, Which | None], tuple[object, ComputedResults]]" = OrderedDict()
_lock = threading.Lock()


def _stamp(run: RunDir) -> object:
    """Another one as soon as results are written."""
    stamps: list[tuple[int, int] | None] = []
    for which in ("best", "evaluation", "last"):
        for file in (run.confusion(which), scores_file(run, which)):
            try:
                stat = file.stat()
                stamps.append((stat.st_mtime_ns, stat.st_size))
            except OSError:
                stamps.append(None)
    return tuple(stamps)


def _read(run: RunDir, opened: OpenDataset, which: Which | None) -> ComputedResults:
    results = load_results(run, which=which, dataset=opened.dataset)
    report = load_confusion_report(run, results.which)
    if report.matrix.epoch != results.epoch:
        raise RunError("Another epoch has ended meanwhile.", "Try again.")
    if not len(results.truth):
        raise RunError(f"The run {printable(run.name)} was evaluated on no image.")
    weights, trained_on = run.best_weights, 0
    config = run.job().config
    if isinstance(config, EvaluateConfig):
        weights, trained_on = Path(config.weights), config.trained_on
    elif isinstance(config, TrainConfig) and results.split == "train":
        trained_on = len(results.truth)
    return ComputedResults(results, report, _keys_in_dataset(results, opened), weights, trained_on)


def _keys_in_dataset(results: Results, opened: OpenDataset) -> list[ImageKey | None]:
    root, home = folders_of(opened, results.dataset)
    if root != home:
        return [in_dataset(key, home, root) for key in results.keys]
    return [in_dataset(key, home, root) if key.path.startswith("/") else key for key in results.keys]


def _thinned(curve: ClassCurve | None) -> ClassCurve | None:
    """The same curve with few enough points to be drawn at once, its ends among them."""
    if curve is None:
        return None
    places = thinned(curve.x, curve.y, MOST_POINTS)
    return ClassCurve(curve.x[places], curve.y[places], curve.area, curve.thresholds[places])
