"""Suggestions of two programs that are imported while the app is open: seen, chosen among, compared, accepted."""

import subprocess
from pathlib import Path

import pytest
from screen_support import Open
from terminal_driver import clean_environment, python_app

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore

pytestmark = pytest.mark.e2e


def predictions(file: Path, images: Path, *classes: str) -> Path:
    """All images in these classes, one after the other."""
    names = sorted(path.name for path in images.glob("*.png"))
    rows = [f"{name},{classes[number % len(classes)]},0.9" for number, name in enumerate(names)]
    file.write_text("\n".join(["file,class,probability", *rows]) + "\n")
    return file


def test_predictions_of_two_programs_are_seen_compared_and_accepted(
    start: Open, images: Path, tmp_path: Path
) -> None:
    with LabelStore(images / "mia" / "labels.db") as store:
        [first, _] = [known.name for known in store.classes()]
    app = start(images, "--graphics", "half", columns=80, rows=24)
    app.wait_for("no label")
    app.press("right")
    app.wait_for("30 left")

    def import_file(file: Path) -> None:
        words = python_app("labels", "import", images, file, "--as", "suggestions")
        subprocess.run(words, env=clean_environment(tmp_path / "home"), check=True, timeout=120)

    import_file(predictions(tmp_path / "one.csv", images, first))
    app.wait_for(f"{first}? 90%")
    app.wait_for("one.csv")
    import_file(predictions(tmp_path / "two.csv", images, first, "debris"))
    app.wait_for("debris? 90%")
    app.press("enter")
    app.wait_for("Add the class debris?")
    app.press("y")
    app.wait_for("29 left")
    app.press("f5")
    app.wait_for("Show which images?")
    app.type(b"two models")
    app.wait_for("where two models differ")
    app.press("enter")
    app.wait_for("where two.csv and one.csv differ")
    app.press("ctrl+s")
    app.wait_for("Whose suggestions?")
    app.press("down", "enter")
    app.wait_for("30 suggestions of one.csv.")
    app.press("ctrl+q")
    assert app.wait() == 0
    with LabelStore(images / "mia" / "labels.db") as store:
        [(key, label)] = store.labels().items()
        names = {known.id: known.name for known in store.classes()}
    assert isinstance(key, ImageKey)
    assert (names[label.class_id], label.source) == ("debris", "accepted")
    again = start(images, "--graphics", "half", columns=80, rows=24)
    again.wait_for("two.csv")  # the newest
