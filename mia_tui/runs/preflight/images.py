"""Images that would hurt a training: unreadable, of one tone or no number, copies of each other.

What was found out about a file is kept in the user's cache for as long as the
file stays as it is, and looking has an end: 30,000 photographs would take minutes.
"""

import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.hashes import file_hashes
from mia_tui.dataset.images.decode import decode, decode_fitted
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.model import ImageFile
from mia_tui.dataset.user_cache import MOST_CACHE_BYTES, cache_file, write_cache
from mia_tui.errors import DecodeError
from mia_tui.files import read
from mia_tui.records import BadRecord, decode_msgpack
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.preflight.finding import Finding
from mia_tui.runs.record.job import Sample
from mia_tui.text import counted, fault_of, name_faults, name_some

_TOLD_EVERY_S = 0.1
_SMALL_PX = 32
_FAULTS = 3  # of many files, so many are named with the reason
_TOGETHER = 64  # files given to the threads at a time
_HASHED_TOGETHER = _OPENED_TOGETHER = 500

# Verdicts on images that can be read and hold nothing to learn from.
ONE_TONE, NO_NUMBERS = "one tone", "no numbers"

Told = Callable[[int, int], None]


class Stopped(Exception):
    """The person did not want to wait."""


@dataclass
class Watch:
    """Time and patience."""

    end: float
    told: Told
    should_stop: Callable[[], bool]
    next_told: float = 0.0

    def __call__(self, done: int, total: int) -> bool:
        """Whether there is time for more.

        Raises:
            Stopped: If nobody wants to know any more.
        """
        if self.should_stop():
            raise Stopped
        now = time.monotonic()
        if now >= self.next_told:
            self.next_told = now + _TOLD_EVERY_S
            self.told(done, total)
        return now < self.end


class Files:
    """Size and time of the files of samples, and what is known of them from another time."""

    def __init__(self, root: Path, samples: Iterable[Sample]) -> None:
        self.root = root
        self.stats: dict[str, tuple[int, int]] = {}
        for path in dict.fromkeys(sample.path for sample in samples):
            try:
                status = os.stat(root / path)  # noqa: PTH116  (30,000 of them)
            except OSError:
                continue
            self.stats[path] = (status.st_size, status.st_mtime_ns)
        self._cache = cache_file(root, "checks", "msgpack")
        self._known = _read_known(self._cache)
        self._changed = False

    def known(self, sample: Sample, limits: str) -> str | None:
        """What was found out before; None if nothing was, or the file is another now."""
        entry = self._known.get(_key(sample, limits))
        return None if entry is None or entry[:2] != self.stats.get(sample.path) else entry[2]

    def remember(self, sample: Sample, limits: str, verdict: str) -> None:
        stats = self.stats.get(sample.path)
        if stats is not None:
            self._known[_key(sample, limits)] = (*stats, verdict)
            self._changed = True

    def save(self) -> None:
        if self._changed and self._cache is not None:
            write_cache(self._cache, msgspec.msgpack.encode(self._known))


def look_into(
    files: Files, samples: Sequence[Sample], config: TrainConfig, watch: Watch
) -> tuple[dict[int, str], int]:
    """What is wrong with images, by row ("" is nothing); and how many were looked into."""
    limits = f"{config.max_megapixels:g}"
    verdicts = {
        row: known for row, sample in enumerate(samples) if (known := files.known(sample, limits)) is not None
    }
    rest = [row for row in range(len(samples)) if row not in verdicts]
    random.Random(0).shuffle(rest)  # where time runs out, what was seen stands for all

    def look(row: int) -> str:
        return verdict_on(files.root, samples[row], config.max_megapixels)

    source = iter(rest)
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="check") as pool:
        while watch(len(verdicts), len(samples)) and (some := list(islice(source, _TOGETHER))):
            for row, verdict in zip(some, pool.map(look, some), strict=True):
                verdicts[row] = verdict
                files.remember(samples[row], limits, verdict)
    files.save()
    return verdicts, len(verdicts)


def verdict_on(root: Path, sample: Sample, max_megapixels: float) -> str:
    """Why an image cannot be read, `ONE_TONE`, `NO_NUMBERS`, or "" where all is well."""
    path = root / sample.path
    try:
        small = decode_fitted(
            path,
            sample.frame,
            width=_SMALL_PX,
            height=_SMALL_PX,
            resize="nearest",
            max_megapixels=max_megapixels,
        )
        if small.min() != small.max() and (small != small[0, 0]).any():
            return ""
        # Hardly anything in the small one: only the whole image tells.
        whole = decode(path, sample.frame, max_megapixels=max_megapixels)
        if (whole != whole[0, 0]).any():
            return ""
        return ONE_TONE if _holds_numbers(path, sample.frame, max_megapixels) else NO_NUMBERS
    except DecodeError as error:
        return error.message


def _holds_numbers(path: Path, frame: int, max_megapixels: float) -> bool:
    """Whether a value of an image is finite: images of floating point numbers may hold none."""
    with opened(path, frame, max_megapixels) as image:
        return image.mode != "F" or bool(np.isfinite(np.asarray(image)).any())


def bad_images(samples: Sequence[Sample], verdicts: dict[int, str]) -> Iterator[Finding]:
    unreadable = [row for row, verdict in verdicts.items() if verdict not in ("", ONE_TONE, NO_NUMBERS)]
    if unreadable:
        first = (fault_of(samples[row].path, verdicts[row]) for row in sorted(unreadable)[:_FAULTS])
        is_one = len(unreadable) == 1
        yield Finding(
            f"{counted(len(unreadable), 'image')} cannot be read: {name_faults(first, len(unreadable))}.",
            f"The run leaves {'it' if is_one else 'them'} out; mend or remove the file{'' if is_one else 's'}.",
        )
    for kind, what in ((ONE_TONE, "of one single tone"), (NO_NUMBERS, "with no number in them, only NaN")):
        flat = [samples[row].path for row in sorted(verdicts) if verdicts[row] == kind]
        if flat:
            yield Finding(
                f"{counted(len(flat), 'image')} {what}: {name_some(flat)}.",
                "Nothing can be learnt from them; take their labels away.",
            )


def open_each(
    root: Path, paths: Sequence[str], max_megapixels: float, watch: Watch
) -> tuple[dict[str, str], int]:
    """Why files cannot be opened as images, by path; and how many were tried, in no order.

    Only the head of each is read, 0.1 ms where decoding takes 10: one that breaks off in the middle is not found.
    """
    faults: dict[str, str] = {}
    rest = list(paths)
    random.Random(0).shuffle(rest)

    def look(path: str) -> str:
        try:
            with opened(root / path, 0, max_megapixels):
                return ""
        except DecodeError as error:
            return error.message

    tried, source = 0, iter(rest)
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="check") as pool:
        while watch(tried, len(rest)) and (some := list(islice(source, _OPENED_TOGETHER))):
            faults |= {path: why for path, why in zip(some, pool.map(look, some), strict=True) if why}
            tried += len(some)
    return faults, tried


def unopened(faults: Mapping[str, str]) -> Iterator[Finding]:
    """Files without a label that are no images."""
    if faults:
        first = (fault_of(path, faults[path]) for path in sorted(faults)[:_FAULTS])
        they = "it gets" if len(faults) == 1 else "they get"
        yield Finding(
            f"{counted(len(faults), 'image')} without a label cannot be opened: {name_faults(first, len(faults))}.",
            f"The training needs no such image, but {they} no prediction later.",
        )


def copies(files: Files, samples: Sequence[Sample], watch: Watch) -> Iterator[Finding]:
    """Files of the same bytes: those in several parts make the figures look better than they are."""
    parts: dict[str, str] = {sample.path: sample.split for sample in samples}
    groups: dict[str, list[str]] = defaultdict(list)
    for path, digest in _hashes(files, watch).items():
        groups[digest].append(path)
    same = [sorted(paths) for paths in groups.values() if len(paths) > 1]
    leaking = [paths for paths in same if len({parts[path] for path in paths}) > 1]
    if leaking:
        named = name_some(
            " = ".join(f"{path} ({parts[path]})" for path in paths[:2]) for paths in leaking[:3]
        )
        yield Finding(
            f"{counted(len(leaking), 'image')} stand both in the training part and in another: {named}.",
            "Figures on that part come out too good; remove the copies, or make a new split with "
            "`mia-tui labels split --new`.",
        )
    inside = [paths for paths in same if paths not in leaking]
    if inside:
        count = sum(len(paths) - 1 for paths in inside)
        named = name_some(" = ".join(paths[:2]) for paths in inside[:3])
        yield Finding(
            f"{counted(count, 'image is a copy', 'images are copies')} of another in the same part: {named}.",
            "They count twice; remove them if that is not meant.",
        )


def _hashes(files: Files, watch: Watch) -> dict[str, str]:
    """Hashes of the files whose size occurs more than once, as far as time allows."""
    sizes = Counter(size for size, _ in files.stats.values())
    alike = [ImageFile(path, *stats) for path, stats in files.stats.items() if sizes[stats[0]] > 1]
    known: dict[str, str] = {}
    source = iter(alike)
    while some := list(islice(source, _HASHED_TOGETHER)):
        known.update(file_hashes(files.root, some))
        if not watch(len(files.stats), len(files.stats)):
            break
    return known


def _key(sample: Sample, limits: str) -> bytes:
    return os.fsencode(f"{sample.frame}/{limits}/{sample.path}")


def _read_known(file: Path | None) -> dict[bytes, tuple[int, int, str]]:
    if file is None:
        return {}
    try:
        return decode_msgpack(read(file, most_bytes=MOST_CACHE_BYTES), dict[bytes, tuple[int, int, str]])
    except (OSError, BadRecord):
        return {}
