"""Images that would hurt a training: unreadable, of one tone, without a number, copies of each other.

What was found out about a file is kept in the user's cache for as long as the
file stays as it is, and the check ends after a while: 30,000 photographs would
take minutes.
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
from mia_tui.dataset.images.formats import INSTALL
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.model import ImageFile
from mia_tui.dataset.scan.folder_images import stat_image
from mia_tui.dataset.user_cache import MOST_CACHE_BYTES, cache_file, write_cache
from mia_tui.decoding import BadRecord, decode_msgpack
from mia_tui.errors import DecodeError
from mia_tui.files import read
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.preflight.finding import CheckFinding
from mia_tui.runs.record.job import Sample
from mia_tui.text import counted, fault_of, name_faults, name_some

_REPORT_EVERY_S = 0.1
_SMALL_PX = 32
_FAULTS = 3  # of many files, so many are named with the reason
_TOGETHER = 64  # files given to the threads at a time
_HASHED_TOGETHER = _OPENED_TOGETHER = 500

# Faults of images that can be read and hold nothing to learn from.
ONE_TONE, NO_NUMBERS = "one tone", "no numbers"

OnProgress = Callable[[int, int], None]


class CheckStopped(Exception):
    """The person went back before the check was done."""


@dataclass
class CheckProgress:
    """The limit on the time of a check, the report of its progress, and the request to stop it."""

    end: float
    on_progress: OnProgress
    should_stop: Callable[[], bool]
    next_report: float = 0.0

    def __call__(self, done: int, total: int) -> bool:
        """Whether there is time for more.

        Raises:
            CheckStopped: If the person went back.
        """
        if self.should_stop():
            raise CheckStopped
        now = time.monotonic()
        if now >= self.next_report:
            self.next_report = now + _REPORT_EVERY_S
            self.on_progress(done, total)
        return now < self.end


class CheckedFiles:
    """Size and time of the files of samples, and what is known of them from an earlier check."""

    def __init__(self, root: Path, samples: Iterable[Sample]) -> None:
        self.root = root
        self.stats: dict[str, tuple[int, int]] = {}
        for path in dict.fromkeys(sample.path for sample in samples):
            try:
                status = stat_image(root / path)
            except OSError:
                continue
            self.stats[path] = (status.st_size, status.st_mtime_ns)
        self._cache = cache_file(root, "checks", "msgpack")
        self._known = _read_known(self._cache)
        self._changed = False

    def known(self, sample: Sample, limits: str) -> str | None:
        """What an earlier check found; None if there was none, or the file has changed."""
        entry = self._known.get(_key(sample, limits))
        return None if entry is None or entry[:2] != self.stats.get(sample.path) else entry[2]

    def remember(self, sample: Sample, limits: str, fault: str) -> None:
        stats = self.stats.get(sample.path)
        if stats is not None:
            self._known[_key(sample, limits)] = (*stats, fault)
            self._changed = True

    def save(self) -> None:
        if self._changed and self._cache is not None:
            write_cache(self._cache, msgspec.msgpack.encode(self._known))


def check_images(
    files: CheckedFiles, samples: Sequence[Sample], config: TrainConfig, progress: CheckProgress
) -> tuple[dict[int, str], int]:
    """What is wrong with images, by row ("" is nothing); and how many were checked."""
    limits = f"{config.max_megapixels:g}"
    faults = {
        row: known for row, sample in enumerate(samples) if (known := files.known(sample, limits)) is not None
    }
    left = [row for row in range(len(samples)) if row not in faults]
    random.Random(0).shuffle(left)  # where time runs out, those seen are a fair sample

    def check(row: int) -> str:
        return fault_in(files.root, samples[row], config.max_megapixels)

    source = iter(left)
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="check") as pool:
        while progress(len(faults), len(samples)) and (some := list(islice(source, _TOGETHER))):
            for row, fault in zip(some, pool.map(check, some), strict=True):
                faults[row] = fault
                if INSTALL not in fault:  # else the file itself may be well
                    files.remember(samples[row], limits, fault)
    files.save()
    return faults, len(faults)


def fault_in(root: Path, sample: Sample, max_megapixels: float) -> str:
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
        values = image.planes().values
        return values.dtype.kind != "f" or bool(np.isfinite(values).any())


def bad_images(samples: Sequence[Sample], faults: dict[int, str]) -> Iterator[CheckFinding]:
    unreadable = [row for row, fault in faults.items() if fault not in ("", ONE_TONE, NO_NUMBERS)]
    if unreadable:
        first = (fault_of(samples[row].path, faults[row]) for row in sorted(unreadable)[:_FAULTS])
        is_one = len(unreadable) == 1
        yield CheckFinding(
            f"{counted(len(unreadable), 'image')} cannot be read: {name_faults(first, len(unreadable))}.",
            f"The run leaves {'it' if is_one else 'them'} out; repair or remove the file{'' if is_one else 's'}.",
        )
    for kind, what in ((ONE_TONE, "of one single tone"), (NO_NUMBERS, "without a number in them, only NaN")):
        flat = [samples[row].path for row in sorted(faults) if faults[row] == kind]
        if flat:
            yield CheckFinding(
                f"{counted(len(flat), 'image')} {what}: {name_some(flat)}.",
                "Nothing can be learnt from them; remove their labels.",
            )


def open_each(
    root: Path, paths: Sequence[str], max_megapixels: float, progress: CheckProgress
) -> tuple[dict[str, str], int]:
    """Why files cannot be opened as images, by path; and how many were tried, in no order.

    Only the head of each is read, 0.1 ms where decoding takes 10: one that is cut short in the middle is not found.
    """
    faults: dict[str, str] = {}
    left = list(paths)
    random.Random(0).shuffle(left)

    def check(path: str) -> str:
        try:
            with opened(root / path, 0, max_megapixels):
                return ""
        except DecodeError as error:
            return error.message

    tried, source = 0, iter(left)
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="check") as pool:
        while progress(tried, len(left)) and (some := list(islice(source, _OPENED_TOGETHER))):
            faults |= {path: why for path, why in zip(some, pool.map(check, some), strict=True) if why}
            tried += len(some)
    return faults, tried


def unopened(faults: Mapping[str, str]) -> Iterator[CheckFinding]:
    """Files without a label that are no images."""
    if faults:
        first = (fault_of(path, faults[path]) for path in sorted(faults)[:_FAULTS])
        they, them = ("it", "it") if len(faults) == 1 else ("they", "them")
        yield CheckFinding(
            f"{counted(len(faults), 'image')} without a label cannot be opened: {name_faults(first, len(faults))}.",
            f"The training does not need {them}, but {they} cannot be predicted later.",
        )


def copies(files: CheckedFiles, samples: Sequence[Sample], progress: CheckProgress) -> Iterator[CheckFinding]:
    """Files of the same bytes: those in several parts make the metrics look better than they are."""
    parts: dict[str, str] = {sample.path: sample.split for sample in samples}
    groups: dict[str, list[str]] = defaultdict(list)
    for path, digest in _hashes(files, progress).items():
        groups[digest].append(path)
    same = [sorted(paths) for paths in groups.values() if len(paths) > 1]
    leaking = [paths for paths in same if len({parts[path] for path in paths}) > 1]
    if leaking:
        named = name_some(
            " = ".join(f"{path} ({parts[path]})" for path in paths[:2]) for paths in leaking[:3]
        )
        yield CheckFinding(
            f"{counted(len(leaking), 'image is', 'images are')} both in the training part and in another: {named}.",
            "Metrics on that part will be too good; remove the copies, or make a new split with "
            "`mia-tui labels split --new`.",
        )
    inside = [paths for paths in same if paths not in leaking]
    if inside:
        count = sum(len(paths) - 1 for paths in inside)
        named = name_some(" = ".join(paths[:2]) for paths in inside[:3])
        yield CheckFinding(
            f"{counted(count, 'image is a copy', 'images are copies')} of another in the same part: {named}.",
            "They count twice; remove them unless that is intended.",
        )


def _hashes(files: CheckedFiles, progress: CheckProgress) -> dict[str, str]:
    """Hashes of the files whose size occurs more than once, as far as time allows."""
    sizes = Counter(size for size, _ in files.stats.values())
    alike = [ImageFile(path, *stats) for path, stats in files.stats.items() if sizes[stats[0]] > 1]
    known: dict[str, str] = {}
    source = iter(alike)
    while some := list(islice(source, _HASHED_TOGETHER)):
        known.update(file_hashes(files.root, some))
        if not progress(len(files.stats), len(files.stats)):
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
