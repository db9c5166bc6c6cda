"""Sets with nothing to learn from: images of one single tone, without a number in them, or all the same.

Runs before every training, in the app and on the command line, so it must be cheap: as soon as one image of each
class shows something and two of them differ, all is well. That mostly takes one small decoding for each class.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.decode import decode
from mia_tui.errors import DecodeError
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.preflight.finding import CheckFinding
from mia_tui.runs.preflight.images import NO_NUMBERS, ONE_TONE, fault_in
from mia_tui.runs.record.job import Sample
from mia_tui.text import counted, name_some, printable

_CHECKED_OF_CLASS = 16  # images of a class
_COMPARED = 64  # images of a set
_TOGETHER = 64
_LIMIT_S = 3.0
_HINT = "Look at some of them: an export or a conversion may have failed."


@dataclass
class _SeenClass:
    """What was seen of a class: its rows in the order of the check, and the faults of the first of them."""

    name: str
    rows: list[int]
    faults: list[str]

    @property
    def flat(self) -> int:
        return sum(fault in (ONE_TONE, NO_NUMBERS) for fault in self.faults)

    @property
    def shows_something(self) -> bool:
        return "" in self.faults

    @property
    def next_row(self) -> int | None:
        seen = len(self.faults)
        done = self.shows_something or seen >= min(_CHECKED_OF_CLASS, len(self.rows))
        return None if done else self.rows[seen]


def without_content(
    root: Path,
    samples: Sequence[Sample],
    class_names: Sequence[str],
    config: TrainConfig,
    *,
    known: Mapping[int, str] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    limit_s: float = _LIMIT_S,
) -> Iterator[CheckFinding]:
    """Find classes and sets with nothing to learn from, as far as a sample shows.

    Args:
        root: Folder that the samples' paths are relative to.
        samples: The images of a run.
        class_names: By position of the class.
        config: Its max_megapixels is read.
        known: What was seen of some rows already, as `images.fault_in` names it; they are taken first.
        should_stop: Asked often.
        limit_s: After so long no more images are checked.
    """
    known = known or {}
    order = list(range(len(samples)))
    random.Random(0).shuffle(order)
    classes = [_SeenClass(name, [], []) for name in class_names]
    for row in sorted(order, key=lambda row: row not in known):
        classes[samples[row].class_index].rows.append(row)

    def check(row: int) -> str:
        seen = known.get(row)
        return fault_in(root, samples[row], config.max_megapixels) if seen is None else seen

    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="check") as pool:
        checks = _TimedChecks(pool, time.monotonic() + limit_s, should_stop)
        _check_classes(classes, checks, check)
        flat = [item for item in classes if item.flat and not item.shows_something]
        if flat:
            yield _of_one_tone(flat, classes)
            return
        shown = [item.rows[item.faults.index("")] for item in classes if item.shows_something]
        rows = [*shown[:2], *(row for row in order[:_COMPARED] if row not in shown)]
        alike = _alike(checks.at(rows, lambda row: _digest(root, samples[row], config.max_megapixels)))
    if alike > 1:
        yield CheckFinding(f"All {alike:,} images that were checked are the same, pixel for pixel.", _HINT)


@dataclass(frozen=True)
class _TimedChecks:
    """Checks rows in threads, for as long as there is time."""

    pool: ThreadPoolExecutor
    deadline: float
    should_stop: Callable[[], bool]

    def at(self, rows: Sequence[int], question: Callable[[int], str]) -> Iterator[str]:
        """The answer for each row; ends early where time is up."""
        for start in range(0, len(rows), _TOGETHER):
            if self.should_stop() or time.monotonic() > self.deadline:
                return
            yield from self.pool.map(question, rows[start : start + _TOGETHER])


def _check_classes(classes: Sequence[_SeenClass], checks: _TimedChecks, check: Callable[[int], str]) -> None:
    """Check one image of each class, and more where those show nothing."""
    while wave := [(item, row) for item in classes if (row := item.next_row) is not None]:
        answers = list(checks.at([row for _, row in wave], check))
        for (item, _), answer in zip(wave, answers, strict=False):
            item.faults.append(answer)
        if len(answers) < len(wave):
            return


def _alike(digests: Iterator[str]) -> int:
    """How many images there are if all are the same; 0 as soon as one differs, or where the first cannot be read."""
    first = next(digests, "")
    count = 1
    for digest in digests:
        if digest != first:
            return 0
        count += 1
    return count if first else 0


def _of_one_tone(flat: Sequence[_SeenClass], classes: Sequence[_SeenClass]) -> CheckFinding:
    faults = {fault for item in flat for fault in item.faults}
    checked = sum(item.flat for item in flat)
    what = {
        frozenset({NO_NUMBERS}): "hold no numbers, only NaN or infinite values",
        frozenset({ONE_TONE}): "are of one single tone",
    }.get(frozenset(faults & {NO_NUMBERS, ONE_TONE}), "are of one single tone or hold no numbers (NaN)")
    if len(flat) == sum(bool(item.flat or item.shows_something) for item in classes):
        return CheckFinding(
            f"Nothing can be learnt from this set: all {counted(checked, 'image')} that were checked {what}.",
            _HINT,
        )
    names = name_some(printable(item.name) for item in flat)
    of = f"{'the class' if len(flat) == 1 else 'the classes'} {names}"
    return CheckFinding(f"All {counted(checked, 'image')} of {of} that were checked {what}.", _HINT)


def _digest(root: Path, sample: Sample, max_megapixels: float) -> str:
    """Tells images apart by their pixels; empty where an image cannot be read."""
    try:
        pixels = decode(root / sample.path, sample.frame, max_megapixels=max_megapixels)
    except DecodeError:
        return ""
    return f"{pixels.shape} {blake2b(pixels.tobytes(), digest_size=16).hexdigest()}"
