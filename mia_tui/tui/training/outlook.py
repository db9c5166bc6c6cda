"""What a training would use, looked up in a thread while the form is filled in; nothing of the dataset is written."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mia_tui.config.fields import Value
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import Part
from mia_tui.errors import ConfigError, MiaError
from mia_tui.runs.preflight.prepare import Dataset, prepare_training, read_dataset
from mia_tui.runs.record.job import Sample
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.training.form import SPLIT_FIELDS, field_named_in, in_words

# Settings that the numbers below depend on.
_LOOKED_AT = ("labels", "frames", "val", "class_weights", "effective_beta", *SPLIT_FIELDS)


@dataclass(frozen=True)
class StartEstimate:
    """What a training would use.

    Attributes:
        counts: Images of each part, by class.
        weights: What each class counts in the loss, in the same order; None for equal weights.
        source: Where the labels come from: folders or store.
        notes: What the person should know, a sentence each.
        decided: Settings that the stored split decides.
        samples: The labelled images.
        problem: Why there can be no training, in words; "" if there can.
        problem_field: The field to change for that; None where it is not a setting.
    """

    counts: Mapping[str, Mapping[Part, int]] = field(default_factory=dict)
    weights: tuple[float, ...] | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    decided: Mapping[str, Value | None] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    problem: str = ""
    problem_field: str | None = None

    @property
    def totals(self) -> dict[Part, int]:
        """Images of each part."""
        parts: tuple[Part, ...] = ("train", "val", "test")
        return {part: sum(of[part] for of in self.counts.values()) for part in parts}


Wish = tuple[TrainConfig, frozenset[str]]


class EstimateThread:
    """Looks up the latest wish; those that were overtaken are passed over.

    Args:
        place: The dataset.
        on_ready: Called in the thread.
    """

    def __init__(self, place: OpenDataset, on_ready: Callable[[StartEstimate], None]) -> None:
        self._place, self._on_ready = place, on_ready
        self._changed = threading.Condition()
        self._wish: Wish | None = None
        self._last: object = None
        self._is_busy = self._is_closed = False
        self._read: dict[tuple[str, str], Dataset] = {}
        threading.Thread(target=self._work, name="outlook", daemon=True).start()

    def want(self, config: TrainConfig, given: frozenset[str]) -> None:
        """Look up what these settings would use, unless that was the last thing that was looked up."""
        key = (*(getattr(config, name) for name in _LOOKED_AT), given & set(SPLIT_FIELDS))
        with self._changed:
            if key != self._last:
                self._last, self._wish = key, (config, given)
                self._changed.notify()

    @property
    def idle(self) -> bool:
        with self._changed:
            return self._wish is None and not self._is_busy

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wish is not None or self._is_closed)
                if self._is_closed:
                    return
                wish, self._wish, self._is_busy = self._wish, None, True
            assert wish is not None
            outlook = self._look(*wish)
            with self._changed:
                is_latest, self._is_busy = self._wish is None, False
            if is_latest:
                self._on_ready(outlook)

    def _look(self, config: TrainConfig, given: frozenset[str]) -> StartEstimate:
        try:
            dataset = self._dataset(config)
            prepared = prepare_training(
                dataset, config, given=given, annotator=self._place.annotator, keep=False
            )
        except MiaError as error:
            named = field_named_in(error) if isinstance(error, ConfigError) else None
            return StartEstimate(problem=in_words(error), problem_field=named)
        weights = prepared.class_weights
        settled = prepared.job.config
        return StartEstimate(
            counts=prepared.counts,
            weights=None if weights is None else tuple(weights),
            source=dataset.labelled.source,
            notes=tuple(prepared.notes),
            decided={name: getattr(settled, name) for name in SPLIT_FIELDS} if config.val is None else {},
            samples=tuple(prepared.samples),
        )

    def _dataset(self, config: TrainConfig) -> Dataset:
        key = (config.frames, config.labels)
        if key not in self._read:
            self._read.clear()
            self._read[key] = read_dataset(
                self._place.dataset,
                self._place.state,
                frames=config.frames,
                source=config.labels,
                annotator=self._place.annotator,
            )
        return self._read[key]
