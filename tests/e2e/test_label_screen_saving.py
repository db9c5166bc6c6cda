"""Labels made in the app, against kill -9, full and read-only disks, locks, and slow commits."""

import os
import random
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from run_support import wait_for
from screen_support import (
    Open,
    add_classes,
    current_image,
    labels_in,
    make_dataset,
    marks_on,
    opened,
    wrapped,
)
from terminal_driver import python_app

pytestmark = pytest.mark.e2e

SLOW_COMMIT = """
    import time
    from contextlib import contextmanager
    from mia_tui.dataset.store.label_store import LabelStore
    real = LabelStore.transaction
    @contextmanager
    def transaction(self):
        outermost = not self._depth
        with real(self):
            yield
            if outermost:
                time.sleep(0.05)
    LabelStore.transaction = transaction
"""


def test_a_label_that_was_painted_is_there_after_kill_9(start: Open, images: Path, tmp_path: Path) -> None:
    """Whatever the screen shows as labelled at the moment of death is in labels.db."""
    chance = random.Random(3)
    labelled = 0
    for round_ in range(15):
        state = tmp_path / f"state-{round_}"
        add_classes(state / "labels.db")
        app = opened(start(images, "--state", state, columns=110, rows=40))
        end = time.monotonic() + chance.uniform(0.02, 0.5)
        while time.monotonic() < end:
            app.press("f1" if chance.random() < 0.3 else "f2")
            time.sleep(chance.uniform(0, 0.02))
        app.kill()
        app.quiet(0.1)
        marks = marks_on(app.screen())
        known = labels_in(images, state)
        current = marks.pop("", "image-000.png")
        painted = {name for name, mark in marks.items() if mark in "12"}
        passed = {f"image-{number:03}.png" for number in range(int(current[6:9]))}
        assert painted | passed <= known.keys()
        labelled += len(painted)
    assert labelled > 30, "the kills came before anything was labelled"


def on_disk(folder: Path, command: list[str], mount: str) -> list[str]:
    """A command with something else mounted at a folder, for it alone; without root, in a user namespace."""
    rights = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
    return ["unshare", *rights, "sh", "-c", f'{mount} && exec "$@"', str(folder), *command]


def test_a_full_disk_is_said_and_nothing_is_lost(start: Open, tmp_path: Path) -> None:
    images = make_dataset(tmp_path / "images", 300)
    disk, before = tmp_path / "disk", tmp_path / "before"
    disk.mkdir()
    add_classes(before / "labels.db")
    mount = f'mount -t tmpfs -o size=1m none "$0" && cp -r {before} "$0/state"'
    app = opened(start(command=on_disk(disk, python_app(images, "--state", disk / "state"), mount)))
    inside = Path(f"/proc/{app.process.pid}/root{disk}")  # the disk as the app sees it

    def done() -> int:
        """Labels, from a copy: SQLite would follow the link above to its end."""
        copied = shutil.copytree(inside / "state", tmp_path / f"copy-{time.monotonic_ns()}")
        return len(labels_in(images, copied))

    app.press("f2")
    wait_for(lambda: current_image(app) == "image-001.png")
    with (inside / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 1000)
    app.press(*["f2"] * 280)  # what the file has room for still goes in
    app.wait_for("full")
    app.quiet(0.5)
    known = done()
    assert 1 <= known < 281
    assert current_image(app) == f"image-{known:03}.png", "the screen moved on without the label"
    (inside / "ballast").unlink()
    app.press("f2")
    wait_for(lambda: done() == known + 1)
    wait_for(lambda: current_image(app) == f"image-{known + 1:03}.png")


def test_a_read_only_folder_is_said(start: Open, images: Path) -> None:
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
    app = opened(start(command=on_disk(images, python_app(images), mount)))
    app.press("f2")
    app.wait_for("--state")
    assert current_image(app) == "image-000.png"
    app.press("right")
    wait_for(lambda: current_image(app) == "image-001.png")
    assert labels_in(images) == {}


def test_a_locked_database_is_waited_for_and_then_said(start: Open, images: Path) -> None:
    app = opened(start(images))
    other = sqlite3.connect(images / "mia" / "labels.db", isolation_level=None)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        app.press("f2", "f2")
        app.wait_for("Saving", timeout_s=2)
        other.execute("ROLLBACK")
        wait_for(lambda: len(labels_in(images)) == 2)
        wait_for(lambda: current_image(app) == "image-002.png")
        other.execute("BEGIN IMMEDIATE")
        app.press("f2")
        app.wait_for("Another", timeout_s=10)
        assert current_image(app) == "image-002.png"
        other.execute("ROLLBACK")
    app.press("f2")
    wait_for(lambda: len(labels_in(images)) == 3)


def test_keys_queue_while_saving_is_slow_and_none_is_lost(start: Open, images: Path) -> None:
    app = opened(start(command=wrapped(SLOW_COMMIT, images)))
    app.press(*["f2"] * 20)
    wait_for(lambda: len(labels_in(images)) == 20)
    wait_for(lambda: current_image(app) == "image-020.png")
    assert {label.class_id for label in labels_in(images).values()} == {1}
