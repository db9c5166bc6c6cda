"""Suggestions learned while labelling, through a real pty: from a label to the suggestions; F2 meanwhile.

    pytest -m benchmark tests/benchmarks/test_live_suggestions.py -s

Takes about five minutes and 1 GB of disk; times are worth something only on a machine that does nothing else. The
features are made up: ten groups in 1,568 numbers. Beside it in the same run: the app without live suggestions.
"""

import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from screen_timing import add_classes, largest_stall_ms, linked, open_app, pictures_at, time_of, watched
from terminal_driver import TerminalApp

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.features.layout import DEFAULT_NETWORK, TableDescription
from mia_tui.features.writer import FeatureRow, FeatureWriter

pytestmark = pytest.mark.benchmark

DIMS, CLASSES, LABELS = 1568, 10, 300
PRESSES = 50
AT_ONCE = 4096


def write_features(dataset: Path, images: int) -> None:
    """Ten groups that overlap a little."""
    random = np.random.default_rng(0)
    middles = random.normal(0, 0.25, (CLASSES, DIMS)).astype(np.float32)
    with FeatureWriter(dataset, DEFAULT_NETWORK) as writer:
        writer.begin(TableDescription(id=DEFAULT_NETWORK, name="efficientnetlite0", dims=DIMS))
        for start in range(0, images, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, images))
            rows = random.standard_normal((len(numbers), DIMS), np.float32)
            rows += middles[np.array(numbers) % CLASSES]
            writer.append([row_of(dataset, number) for number in numbers], rows)


def row_of(dataset: Path, number: int) -> FeatureRow:
    name = f"photo-{number:05}.jpg"
    facts = (dataset / name).stat()
    return FeatureRow(ImageKey(name), facts.st_size, facts.st_mtime_ns)


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
    """Two apps on equal datasets, whose keys take turns: other programs then disturb both alike."""
    homes = {name: tmp_path / name for name in ("on", "off")}
    datasets = {}
    for name, home in homes.items():
        datasets[name] = add_classes(linked(home / "images", photos, images), CLASSES)
        label_some(datasets[name], images)
        settings = home / "xdg_config_home" / "mia-tui" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"live_suggestions = {'true' if name == 'on' else 'false'}\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(homes["on"] / "xdg_cache_home"))
    write_features(datasets["on"], images)
    commands = {name: watched(datasets[name], "--graphics", "half") for name in homes}
    with (
        open_app(datasets["on"], homes["on"], "half", command=commands["on"]) as on,
        open_app(datasets["off"], homes["off"], "half", command=commands["off"]) as off,
    ):
        on.wait_for(f"live, from {LABELS} labels", timeout_s=60)
        say.append(
            f"{images:,} images: suggestions {time.perf_counter() - on.started_at:.1f} s after the start"
        )
        on.quiet(8.0)
        memory = {"on": anonymous_bytes(on), "off": anonymous_bytes(off)}
        begun = time.perf_counter()
        pictures: dict[str, list[float]] = {"on": [], "off": []}
        waits: list[float] = []
        for number in range(1, PRESSES + 1):
            measure(off, pictures["off"])
            mark, pressed_at = measure(on, pictures["on"])
            text = f"live, from {LABELS + number} labels"
            on.wait_for(text, timeout_s=10)
            waits.append(1000 * (time_of(on.chunks(mark), text) - pressed_at))
        ended = time.perf_counter()
        for app in (on, off):
            app.press("ctrl+q")
            app.wait()
    for name, home in homes.items():
        stall = largest_stall_ms(home / "stalls", begun, ended)
        say.append(
            f"  {name:>3}: F2 to the picture {words(pictures[name])}; the loop was late by {stall:.0f} ms at most; "
            f"{memory[name] >> 20} MiB of its own"
        )
    say.append(f"       F2 to the suggestions on the screen {words(waits)}")


def measure(app: TerminalApp, pictures: list[float]) -> tuple[int, float]:
    """Press F2 at rest; returns where its output begins, and when it was pressed."""
    app.quiet(0.3)
    mark, pressed_at = app.mark(), time.perf_counter()
    app.press("f2")
    app.quiet(0.15)
    pictures.append(1000 * (pictures_at(app.chunks(mark))[0] - pressed_at))
    return mark, pressed_at


def anonymous_bytes(app: TerminalApp) -> int:
    """Memory without what is mapped from files, as the features are."""
    status = Path(f"/proc/{app.process.pid}/status").read_text()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


def words(ms: list[float]) -> str:
    ordered = sorted(ms)
    return f"median {statistics.median(ms):.0f} ms, p99 {ordered[round(0.99 * (len(ms) - 1))]:.0f} ms"
