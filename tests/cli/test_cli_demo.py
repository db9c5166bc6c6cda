"""`mia-tui demo`: where it draws; what it does then is run end to end in tests/e2e."""

from pathlib import Path

import pytest
from cli_support import Mia
from PIL import Image

from mia_tui.cli import demo
from mia_tui.dataset.demo import IMAGES, LABELS, render_demo
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore


@pytest.fixture(autouse=True)
def nothing_after_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_steps", lambda home: [])
    monkeypatch.setattr(
        "mia_tui.dataset.demo.render_cell",
        lambda *_, **__: Image.new("RGB", (8, 8)),
    )


def test_a_folder_of_somebodys_images_is_left_alone(mia: Mia, tmp_path: Path) -> None:
    (tmp_path / IMAGES).mkdir()
    (tmp_path / LABELS).write_text("file,class\nimages/mine.png,round\n")
    answer = mia("demo", tmp_path)
    assert answer.code == 2
    assert answer.err.startswith(f"{tmp_path} already exists and holds something else.")
    assert (tmp_path / LABELS).read_text() == "file,class\nimages/mine.png,round\n"
    assert list((tmp_path / IMAGES).iterdir()) == []


def test_a_demo_goes_into_an_empty_folder_and_again_into_its_own(mia: Mia, tmp_path: Path) -> None:
    assert mia("demo", tmp_path).code == 0
    (tmp_path / IMAGES / "cell_0007.png").unlink()  # broken off while drawing
    again = mia("demo", tmp_path)
    assert again.code == 0
    assert f"  mia-tui {tmp_path}\n" in again.out  # the app is what one wants to see next
    assert len(list((tmp_path / IMAGES).iterdir())) == 320


def test_a_demo_with_other_labels_is_not_written_over(mia: Mia, tmp_path: Path) -> None:
    render_demo(tmp_path, count=10)
    assert mia("demo", tmp_path).code == 2


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that a demo runs, which do nothing here."""
    commands: list[list[str]] = []
    monkeypatch.setattr(demo, "_steps", lambda root: [["labels", str(root)], ["train", str(root)]])
    monkeypatch.setattr(demo, "_call", lambda arguments: commands.append(arguments) or 0)
    return commands


def test_the_curves_of_a_demo_are_those_of_its_training(
    mia: Mia, tmp_path: Path, called: list[list[str]]
) -> None:
    answer = mia("demo", tmp_path, "--watch")
    assert answer.code == 0
    assert called == [["labels", str(tmp_path)], ["train", str(tmp_path), "--watch"]]
    assert f"$ mia-tui train {tmp_path} --watch" in answer.out


def test_the_app_is_refused_without_a_terminal_and_beside_json_before_anything_is_made(
    mia: Mia, tmp_path: Path, called: list[list[str]]
) -> None:
    for options, words in (([], "The app needs a terminal"), (["--json"], "--app opens the app")):
        answer = mia("demo", tmp_path, "--app", *options)
        assert answer.code == 2 and words in answer.err
    assert not called and not list(tmp_path.iterdir())


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Path]]:
    """The dataset and the record of the tour with which the app is opened."""
    seen: list[tuple[Path, Path]] = []

    def open_dataset(dataset: Path, *, tour: Path, **_: object) -> int:
        seen.append((dataset, tour))
        return 0

    monkeypatch.setattr("mia_tui.cli.open.require_terminal", lambda: None)
    monkeypatch.setattr("mia_tui.cli.open.open_dataset", open_dataset)
    return seen


def test_the_app_opens_what_was_made_and_a_finished_demo_at_once(
    mia: Mia, tmp_path: Path, called: list[list[str]], opened: list[tuple[Path, Path]]
) -> None:
    with LabelStore(tmp_path / "mia" / "labels.db") as store:
        cell = store.add_class("cell").id
        keys = [ImageKey(f"{IMAGES}/cell_{number:04d}.png") for number in range(1, 31)]
        store.set_labels([(key, cell) for key in keys], source="import")
    render_demo(tmp_path)
    assert mia("demo", tmp_path, "--app").code == 0
    assert len(called) == 2, "it was not finished: no predictions"
    with LabelStore(tmp_path / "mia" / "labels.db") as store:
        assert set(store.labels()) == set(keys[demo.UNLABELLED :]), "the first wait to be labelled"
        store.set_labels([(keys[0], cell)], source="person")
    (tmp_path / demo.PREDICTIONS).touch()
    (tmp_path / "mia" / "tour").write_text("assign_next")
    assert mia("demo", tmp_path, "--app").code == 0
    assert len(called) == 2
    assert opened == [(tmp_path, tmp_path / "mia" / "tour")] * 2
    with LabelStore(tmp_path / "mia" / "labels.db") as store:
        assert keys[0] in store.labels(), "what was labelled in the tour stays"
