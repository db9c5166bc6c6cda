"""Labels made in the app, against kill -9, full and read-only disks, locks, and slow commits."""

import math
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
from terminal_stream import PAINT_END

from mia_tui.dataset.store.errors import BUSY_TIMEOUT_S
from mia_tui.tui.read_messages import READ_S

pytestmark = pytest.mark.e2e

COMMIT_S = 0.05
SLOW_COMMIT = """
    import time
    from contextlib import contextmanager
    from mia_tui.dataset.store.transactions import StoreWriter
    from mia_tui.tui.keys import command_queue
    command_queue.SLOW_S *= {slower}
    real = StoreWriter.transaction
    @contextmanager
    def transaction(self, *step):
        is_outermost = self.recorder is None
        with real(self, *step) as recorder:
            yield recorder
            if is_outermost:
                time.sleep({commit_s})
    StoreWriter.transaction = transaction
"""


def slow_commits(images: Path, commit_s: float, *, slower: float = 1.0) -> list[str]:
    """The app with commits that take so long, and itself so much slower to speak of them."""
    return wrapped(SLOW_COMMIT.format(commit_s=commit_s, slower=slower), images)


def test_a_label_that_was_painted_is_there_after_kill_9(start: Open, images: Path, tmp_path: Path) -> None:
    """Whatever the screen shows as labelled at the moment of death is in labels.db."""
    chance = random.Random(3)
    labelled = 0
    for round_ in range(10):
        state = tmp_path / f"state-{round_}"
        add_classes(state / "labels.db")
        home = tmp_path / f"home-{round_}"  # or the app would go back to where one was
        app = opened(start(images, "--state", state, columns=110, rows=40, home=home))
        at_least = chance.randrange(8)  # images, and then at any moment
        end = math.inf
        while time.monotonic() < end:
            app.press("f1" if chance.random() < 0.3 else "f2")
            time.sleep(chance.uniform(0, 0.02))
            if end == math.inf and current_image(app) >= f"image-{at_least:03}.png":
                end = time.monotonic() + chance.uniform(0, 0.1)
        app.kill()
        app.quiet()
        marks = marks_on(app.screen())
        known = labels_in(images, state)
        current = marks.pop("", "image-000.png")
        painted = {name for name, mark in marks.items() if mark in "12"}
        passed = {f"image-{number:03}.png" for number in range(int(current[6:9]))}
        assert painted | passed <= known.keys()
        labelled += len(painted)
    assert labelled > 20, "the kills came before anything was labelled"


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
    app.rest(READ_S + 0.5)
    app.press("escape")  # or what is said would lie upon the rows of the list
    app.rest(0.5)
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
    app.wait_for("Labels cannot be saved")  # before any key
    app.press("f2")
    app.wait_for("access")  # a word: where the message is broken into lines is another matter
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
        app.wait_for("Saving", timeout_s=BUSY_TIMEOUT_S)
        other.execute("ROLLBACK")
        wait_for(lambda: len(labels_in(images)) == 2)
        wait_for(lambda: current_image(app) == "image-002.png")
        other.execute("BEGIN IMMEDIATE")
        app.press("f2")
        app.wait_for("Another")
        assert current_image(app) == "image-002.png"
        other.execute("ROLLBACK")
    app.press("f2")
    wait_for(lambda: len(labels_in(images)) == 3)


def test_keys_queue_while_saving_is_slow_and_none_is_lost(start: Open, images: Path) -> None:
    """Every commit takes longer, and 20 keys come at once; the app says that it is saving and goes on.

    At 50 ms a commit, all would be saved when a busy machine has come to read that.
    """
    commit_s = 5 * COMMIT_S
    app = opened(start(command=slow_commits(images, commit_s)))
    start_of_keys, pressed_at = app.mark(), time.monotonic()
    app.press(*["f2"] * 20)
    app.wait_for("Saving")
    assert current_image(app) != "image-020.png", "it says so only when all is saved"
    wait_for(lambda: len(labels_in(images)) == 20)
    assert time.monotonic() - pressed_at >= 20 * commit_s, "the commits were not slow"
    wait_for(lambda: current_image(app) == "image-020.png")
    assert app.raw(start_of_keys).count(PAINT_END) >= 15, "the screen stood still meanwhile"
    assert {label.class_id for label in labels_in(images).values()} == {1}
    wait_for(lambda: "Saving" not in app.screen())


def test_a_commit_that_is_not_slow_enough_to_wait_for_is_not_spoken_of(start: Open, images: Path) -> None:
    """50 ms are; here all is ten times slower, so that a busy machine does not make them too slow."""
    app = opened(start(command=slow_commits(images, 10 * COMMIT_S, slower=10)))
    start_of_keys = app.mark()
    for number in range(4):
        app.press("f2")
        wait_for(lambda done=number + 1: current_image(app) == f"image-{done:03}.png")
    app.rest(0.3)
    assert b"Saving" not in app.raw(start_of_keys)
