"""What a list of 60,000 and of a million images costs: in arrays as it is, and as plain lists and dicts beside it."""

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listing_support import apply, extend, listing_of_files, load

from mia_tui.dataset.listing.cache import load_listing, save_listing
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageClass, ImageFile, ImageKey
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.records import Change, Label

pytestmark = pytest.mark.benchmark

CLASSES = [ImageClass(number, f"class {number}", "#e69f00", str(number), number) for number in range(1, 10)]
ROUNDS = 5


@dataclass
class Plain:
    """The same with what Python has: an object for each image."""

    keys: list[ImageKey]
    rows: dict[ImageKey, int]
    labels: dict[ImageKey, int]

    def with_text(self, text: str) -> list[int]:
        return [row for row, key in enumerate(self.keys) if text in key.path.casefold()]

    def next_unlabelled(self, start: int) -> int:
        return next(row for row in range(start, len(self.keys)) if self.keys[row] not in self.labels)

    def by_class(self) -> list[int]:
        return sorted(range(len(self.keys)), key=lambda row: self.labels.get(self.keys[row], 99))


def paths_of(count: int) -> list[str]:
    return [f"plate {number // 1000:04}/well-{number % 96}_cell-{number:07}.png" for number in range(count)]


@pytest.mark.parametrize("count", [60_000, 1_000_000])
def test_a_list_of_images(count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = paths_of(count)
    listing, listing_mb = _weighed(lambda: _streamed(paths))
    plain, plain_mb = _weighed(lambda: _plain(paths))
    lines = [f"{count:,} images: {listing_mb:.0f} MB, plain {plain_mb:.0f} MB ({listing_mb / plain_mb:.2f})"]

    def compare(what: str, ours: Callable[[], Any], theirs: Callable[[], Any] | None = None) -> None:
        one = _median(ours)
        line = f"  {what:<44}{one * 1e3:10.2f} ms"
        if theirs is not None:
            two = _median(theirs)
            line += f"   plain {two * 1e3:10.2f} ms   ratio {one / two:.3f}"
        lines.append(line)

    compare("stream it in batches of 2,000", lambda: _streamed(paths), lambda: _plain(paths))
    lines.append(f"  {'slowest batch':<44}{max(_batches(paths)) * 1e3:10.2f} ms")
    save_listing(tmp_path, listing)
    compare("open it from the cache", lambda: load_listing(tmp_path))
    complete = listing_of_files(
        [ImageFile(path, 1, number * 7919 % count + 1) for number, path in enumerate(paths)]
    )
    compare("see that a scan found the same", lambda: complete.same_images(listing))
    compare("place of each row in an equal list", lambda: complete.rows_from(listing))
    compare("row of one image", lambda: complete.row(plain.keys[-1]), lambda: plain.rows[plain.keys[-1]])
    compare("folders with counts", complete.folders_later())
    compare("sort by time, once in the scan's thread", lambda: _by_time(complete))

    session = LabelSession(complete)
    labels = {
        key: Label(1 + row % 9, "anna", "person", 1.0) for row, key in enumerate(plain.keys[: count - 10])
    }
    plain.labels = {key: label.class_id for key, label in labels.items()}
    compare("load all labels", lambda: load(session, CLASSES, labels, {}))
    lines.append(f"  {'slowest step of it':<44}{_slowest_step(session, labels) * 1e3:10.2f} ms")
    sure = np.random.default_rng(0).random(count, np.float32)
    suggested = ModelSuggestions("resnet18", ("class 1",), plain.keys, np.zeros(count, np.int32), sure)
    session.set_suggestions(suggested)

    def go_on() -> None:
        session.first()
        session.next_unlabelled()

    compare("next unlabelled, at the far end", go_on, lambda: plain.next_unlabelled(0))
    row = count // 2
    relabel = [_relabelled(plain.keys[row], class_id) for class_id in (1, 2)]
    compare("apply one change", lambda: apply(session, relabel[:1]))
    compare("state of 40 rows", lambda: [session.state_of(row + line) for line in range(40)])
    compare(
        "filter by text, rare",
        _filters(session, Filter(text="CELL-0059")),
        lambda: plain.with_text("cell-0059"),
    )
    compare(
        "filter by text, everywhere", _filters(session, Filter(text="png")), lambda: plain.with_text("png")
    )
    compare("filter by folder", _filters(session, Filter(folder="plate 0030")))
    compare("filter by class", _filters(session, Filter("class", class_id=3)))
    session.set_filter(Filter())
    compare("order by class", lambda: session.set_order("class"), plain.by_class)
    compare("order by confidence", lambda: session.set_order("confidence"))
    compare("order by time", lambda: session.set_order("time"))
    compare("order by name", lambda: session.set_order("name"))
    placed = complete.rows_from(complete)
    compare("take over another list", lambda: session.replace_listing(complete, placed))
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")


def test_the_first_image_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in range(60):
        (tmp_path / f"plate {folder}").mkdir()
        for file in range(1000):
            (tmp_path / f"plate {folder}" / f"cell-{file}.png").touch()
    told: list[float] = []
    started = time.perf_counter()
    list_images(tmp_path, on_batch=lambda _: told.append(time.perf_counter() - started))
    whole = time.perf_counter() - started
    with capsys.disabled():
        sys.stdout.write(
            f"\n60,000 files: first image after {told[0] * 1e3:.1f} ms, last of {len(told)} batches after "
            f"{told[-1] * 1e3:.0f} ms, everything after {whole * 1e3:.0f} ms\n"
        )


def _streamed(paths: list[str]) -> Listing:
    listing = Listing()
    for start in range(0, len(paths), 2000):
        extend(listing, paths[start : start + 2000])
    return listing


def _batches(paths: list[str]) -> list[float]:
    listing, taken = Listing(), []
    for start in range(0, len(paths), 2000):
        batch = paths[start : start + 2000]
        taken.append(_timed(lambda batch=batch: extend(listing, batch)))  # type: ignore[misc]
    return taken


def _plain(paths: list[str]) -> Plain:
    keys = [ImageKey("".join(path)) for path in paths]
    return Plain(keys, {key: row for row, key in enumerate(keys)}, {})


def _by_time(listing: Listing) -> None:
    listing._by_time = None
    _ = listing.by_time


def _slowest_step(session: LabelSession, labels: dict[ImageKey, Label]) -> float:
    taken, last = [], time.perf_counter()
    for _ in session.load_in_steps(CLASSES, labels, {}):
        now = time.perf_counter()
        taken.append(now - last)
        last = now
    return max(taken)


def _filters(session: LabelSession, filter: Filter) -> Callable[[], None]:
    return lambda: session.set_filter(filter)


def _relabelled(key: ImageKey, class_id: int) -> Change:
    after = {"class_id": class_id, "annotator": "anna", "source": "person", "updated_at": 1.0}
    return Change(1, 1, 1.0, "anna", "label", 1, key, None, after, None)


def _weighed(make: Callable[[], Any]) -> tuple[Any, float]:
    tracemalloc.start()
    made = make()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return made, taken / 1e6


def _median(action: Callable[[], object]) -> float:
    return statistics.median(_timed(action) for _ in range(ROUNDS))


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
