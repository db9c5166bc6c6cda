"""`mia-tui demo`: where it draws; what it does then is run end to end in tests/e2e."""

from pathlib import Path

import pytest
from cli_support import Mia
from PIL import Image

from mia_tui.cli import demo
from mia_tui.dataset.demo import IMAGES, LABELS, render_demo


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
    assert answer.err.startswith(f"{tmp_path} is there already and holds something else.")
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
