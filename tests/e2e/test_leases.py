"""Two people at work on one dataset, each in an app of their own: they get different images."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from run_support import wait_for
from screen_support import Open, current_image, labels_in, opened

from mia_tui.dataset.store.label_store import LabelStore

pytestmark = pytest.mark.e2e


def holders(images: Path) -> set[str]:
    store = LabelStore.open_existing(images / "mia" / "labels.db")
    assert store is not None
    with store:
        return {lease.annotator for lease in store.leases()}


def label_next(app: object, images: Path) -> str:
    """Go to the next unlabelled image and label it; returns which it was."""
    before = set(labels_in(images))
    app.press("f3")  # type: ignore[attr-defined]
    app.rest(0.05)  # type: ignore[attr-defined]
    app.press("f1")  # type: ignore[attr-defined]
    wait_for(lambda: set(labels_in(images)) != before)
    [new] = set(labels_in(images)) - before
    return new


def test_two_people_label_different_images_and_a_killed_app_leaves_no_trace_for_long(
    start: Open, images: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(images / "mia" / "labels.db")) as connection, connection:
        connection.execute("UPDATE change SET at = at - 1000")  # nobody else was here lately
    size = {"columns": 110, "rows": 40}
    anna = opened(start(images, "--annotator", "anna", home=tmp_path / "anna", **size))
    anna.press("f2", "f2", "f2")
    wait_for(lambda: len(labels_in(images)) == 3)
    assert holders(images) == set()  # alone

    bob = start(images, "--annotator", "bob", home=tmp_path / "bob", **size)
    opened(bob)
    got = {"anna": [], "bob": [label_next(bob, images)]}  # type: ignore[var-annotated]
    anna.wait_for("bob is labelling")
    got["anna"].append(label_next(anna, images))
    bob.wait_for("anna is labelling")  # before the next key, which takes the sentence away
    got["bob"].append(label_next(bob, images))
    for _ in range(4):
        got["anna"].append(label_next(anna, images))
        got["bob"].append(label_next(bob, images))
    assert len({*got["anna"], *got["bob"]}) == 11
    assert {
        path: label.annotator for path, label in labels_in(images).items() if path in got["bob"]
    } == dict.fromkeys(got["bob"], "bob")
    assert holders(images) == {"anna", "bob"}

    bob.kill()
    assert "bob" in holders(images)  # until they expire
    anna.press("ctrl+q")
    assert anna.wait() == 0
    assert holders(images) == {"bob"}
    store = LabelStore.open_existing(images / "mia" / "labels.db")
    assert store is not None
    with store:
        assert store.leases(time.time() + 200) == []


def test_both_press_the_key_that_labels_and_goes_on(start: Open, images: Path, tmp_path: Path) -> None:
    """The one who comes later jumps over what the other has ahead."""
    size = {"columns": 110, "rows": 40}
    anna = opened(start(images, "--annotator", "anna", home=tmp_path / "anna", **size))
    bob = opened(start(images, "--annotator", "bob", home=tmp_path / "bob", **size))
    anna.press("f2")
    wait_for(lambda: len(labels_in(images)) == 1)
    bob.press("f3")
    bob.rest(1.5)
    anna.rest(1.5)
    assert current_image(anna) != current_image(bob)
    for _ in range(6):
        anna.press("f2")
        bob.press("f2")
        anna.rest(0.3)
        bob.rest(0.3)
        assert current_image(anna) != current_image(bob)
    wait_for(lambda: len(labels_in(images)) == 13)
    assert {label.annotator for label in labels_in(images).values()} == {"anna", "bob"}
