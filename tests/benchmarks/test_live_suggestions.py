"""Suggestions learned while labelling, through a real pty: from a label to suggestions, and what F2 takes meanwhile.

    pytest -m benchmark tests/benchmarks/test_live_suggestions.py -s

Takes about five minutes and 1.5 GB of disk; times are worth something only on a machine that does nothing else. The
features are made up: ten groups in 1,568 numbers. Beside it in the same run: the app without live suggestions.
"""

import os
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from screen_timing import add_classes, largest_stall_ms, linked, open_app, time_of, times_of, watched

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.features.layout import DEFAULT_NETWORK, TableDescription
from mia_tui.features.writer import FeatureWriter, ImageRow

pytestmark = pytest.mark.benchmark

DIMS, CLASSES, LABELS = 1568, 10, 300
PRESSES = 60
AT_ONCE = 4096


def write_features(dataset: Path, cache: Path, images: int) -> None:
    """Ten groups that overlap a little."""
    random = np.random.default_rng(0)
    middles = random.normal(0, 0.25, (CLASSES, DIMS)).astype(np.float32)
    os.environ["XDG_CACHE_HOME"] = str(cache)
    with FeatureWriter(dataset, DEFAULT_NETWORK) as writer:
        writer.begin(TableDescription(id=DEFAULT_NETWORK, name="efficientnetlite0", dims=DIMS))
        for start in range(0, images, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, images))
            rows = random.standard_normal((len(numbers), DIMS), np.float32)
            rows += middles[np.array(numbers) % CLASSES]
            writer.append([row_of(dataset, number) for number in numbers], rows)


def row_of(dataset: Path, number: int) -> ImageRow:
    name = f"photo-{number:05}.jpg"
    facts = (dataset / name).stat()
    return ImageRow(ImageKey(name), facts.st_size, facts.st_mtime_ns)


def label_some(dataset: Path, images: int) -> None:
    with LabelStore(dataset / "mia" / "labels.db", annotator="bob") as store:
        classes = [known.id for known in store.classes()]
        numbers = np.random.default_rng(1).permutation(np.arange(images // 2, images))[:LABELS]
        items = [(ImageKey(f"photo-{n:05}.jpg"), classes[n % CLASSES]) for n in numbers.tolist()]
        store.set_labels(items, source="person")


@pytest.mark.parametrize("images", [10_000, 100_000])
def test_labels_of_many_images(
    photos: list[Path], tmp_path: Path, say: list[str], images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    dataset = add_classes(linked(tmp_path / "images", photos, images), CLASSES)
    label_some(dataset, images)
    begun = time.perf_counter()
    write_features(dataset, tmp_path / "on" / "cache", images)
    say.append(f"{images:,} images; features written in {time.perf_counter() - begun:.0f} s")
    for name in ("on", "off"):
        measure(dataset, tmp_path / name, name == "on", say)


def measure(dataset: Path, home: Path, is_on: bool, say: list[str]) -> None:
    settings = home / "config" / "mia-tui" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"live_suggestions = {str(is_on).lower()}\n")
    os.environ["XDG_CACHE_HOME"] = str(home / "cache")
    with open_app(dataset, home, "half", command=watched(dataset, "--graphics", "half")) as app:
        if is_on:
            app.wait_for(f"live, from {LABELS} labels", timeout_s=180)
            say.append(
                f"  on: first suggestions {time.perf_counter() - app.started_at:.1f} s after the start"
            )
        app.quiet(8.0)
        memory, begun = app.memory_bytes(), time.perf_counter()
        answers, waits = [], []
        for number in range(PRESSES):
            app.quiet(0.3)
            mark, pressed_at = app.mark(), time.perf_counter()
            answers.append(app.measure("f2"))
            if is_on:
                text = f"live, from {LABELS + number + 1} labels"
                app.wait_for(text, timeout_s=60)
                waits.append(1000 * (time_of(app.chunks(mark), text) - pressed_at))
        ended = time.perf_counter()
        app.press("ctrl+q")
        app.wait()
    stall = largest_stall_ms(home / "stalls", begun, ended)
    word = "on" if is_on else "off"
    say.append(
        f" {word:>3}: F2 {times_of(answers)}; largest block of the loop {stall:.0f} ms; {memory >> 20} MiB"
    )
    if waits:
        say.append(
            f"  on: key to suggestions on screen: median {statistics.median(waits):.0f}, largest {max(waits):.0f} ms"
        )
