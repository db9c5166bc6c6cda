"""What a training would use, found out in a thread while the form is filled in; nothing is written."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mia_tui.config.fields import Value
from mia_tui.config.split import SPLIT_FIELDS
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.images.source import Scene
from mia_tui.dataset.model import Part
from mia_tui.dataset.split.name_groups import NameGroups
from mia_tui.errors import ConfigError, DecodeError, MiaError
from mia_tui.runs.preflight.groups import groups_to_keep, how_to_keep
from mia_tui.runs.preflight.prepare import PART_FIELDS, Prepared, TrainingPreparer
from mia_tui.runs.record.job import Sample
from mia_tui.tui.training.form import field_named_in, in_words

_TRIED = 5  # images, until one can be read


@dataclass(frozen=True)
class StartEstimate:
    """What a training would use.

    Attributes:
        counts: Images of each part, by class.
        weights: The weight of each class in the loss, in the same order; None for equal weights.
        source: Where the labels come from: folders or store.
        decided: Settings that the stored split decides.
        samples: The labelled images.
        scene: What the first image that can be read is like; None before one was read.
        groups: Slides, patients and the like that file names tell and that are not kept together; None for none.
        keeping: What would keep them together, where a setting cannot: the split is stored already.
        problem: Why there can be no training, in words; "" if there can.
        problem_field: The field to change for that; None where it is not a setting.
    """

    counts: Mapping[str, Mapping[Part, int]] = field(default_factory=dict)
    weights: tuple[float, ...] | None = None
    source: str = ""
    decided: Mapping[str, Value | None] = field(default_factory=dict)
    samples: Sequence[Sample] = ()
    scene: Scene | None = None
    groups: NameGroups | None = None
    keeping: str = ""
    problem: str = ""
    problem_field: str | None = None

    @property
    def totals(self) -> dict[Part, int]:
        """Images of each part."""
        parts: tuple[Part, ...] = ("train", "val", "test")
        return {part: sum(of[part] for of in self.counts.values()) for part in parts}


class EstimateThread:
    """Estimates what the latest settings would use; settings that were changed meanwhile are left out.

    Args:
        preparer: Of the dataset.
        on_ready: Called in the thread.
    """

    def __init__(self, preparer: TrainingPreparer, on_ready: Callable[[StartEstimate], None]) -> None:
        self._preparer, self._on_ready = preparer, on_ready
        self._changed = threading.Condition()
        self._wanted: tuple[TrainConfig, frozenset[str]] | None = None
        self._last: object = None
        self._is_busy = self._is_closed = False
        threading.Thread(target=self._work, name="estimate", daemon=True).start()

    def want(self, config: TrainConfig, given: frozenset[str]) -> None:
        """Estimate what these settings would use, unless that was the last thing that was estimated."""
        key = (*(getattr(config, name) for name in PART_FIELDS), given & set(SPLIT_FIELDS))
        with self._changed:
            if key != self._last:
                self._last, self._wanted = key, (config, given)
                self._changed.notify()

    @property
    def idle(self) -> bool:
        with self._changed:
            return self._wanted is None and not self._is_busy

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted is not None or self._is_closed)
                if self._is_closed:
                    return
                wanted, self._wanted, self._is_busy = self._wanted, None, True
            assert wanted is not None
            estimate = self._estimate(*wanted)
            with self._changed:
                is_latest, self._is_busy = self._wanted is None, False
            if is_latest:
                self._on_ready(estimate)

    def _estimate(self, config: TrainConfig, given: frozenset[str]) -> StartEstimate:
        try:
            prepared = self._preparer.estimate(config, given)
        except MiaError as error:
            named = field_named_in(error) if isinstance(error, ConfigError) else None
            return StartEstimate(problem=in_words(error), problem_field=named)
        weights, decided = prepared.class_weights, prepared.job.config
        groups = groups_to_keep(prepared)
        is_stored = prepared.plan is not None and prepared.plan.before.rule is not None
        return StartEstimate(
            counts=prepared.counts,
            weights=None if weights is None else tuple(weights),
            source=prepared.dataset.labelled.source,
            decided={name: getattr(decided, name) for name in SPLIT_FIELDS} if config.val is None else {},
            samples=prepared.samples,
            scene=_first_scene(prepared),
            groups=groups,
            keeping=how_to_keep(groups, prepared) if groups is not None and is_stored else "",
        )


def _first_scene(prepared: Prepared) -> Scene | None:
    """What the first of a few images that can be read is like; only heads of files are read."""
    config = prepared.job.config
    for sample in prepared.samples[:_TRIED]:
        with (
            suppress(DecodeError),
            opened(
                prepared.dataset.root / sample.path, sample.frame, config.max_megapixels, stack=config.stack
            ) as image,
        ):
            return image.scene
    return None
