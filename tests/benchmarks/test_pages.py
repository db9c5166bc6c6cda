"""Pages of look-alikes through a real pty: from Enter to the next page, beside a page of the grid in the same run.

    pytest -m benchmark tests/benchmarks/test_pages.py -s

Each Enter writes 24 labels, learns from all of them, and shows the 24 surest images of the class that is next.
"""

import statistics
import subprocess
from pathlib import Path

import pytest
from screen_timing import GRAPHICS, linked
from terminal_driver import TerminalApp, clean_environment, python_app
from terminal_stream import Answer

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore

pytestmark = pytest.mark.benchmark

COLUMNS, ROWS = 122, 47
IMAGES, LABELLED, PAGES, PHOTOS = 1200, 60, 12, 24


@pytest.fixture
def dataset(tmp_path: Path, photos: list[Path]) -> Path:
    """Images of a few classes, some of each labelled, with features."""
    folder = linked(tmp_path / "images", photos, IMAGES)
    with LabelStore(folder / "mia" / "labels.db") as store:
        ids = [image_class.id for image_class in store.classes()][:4]
        keys = [ImageKey(f"photo-{number:05}.jpg") for number in range(LABELLED)]
        store.set_labels(
            [(key, ids[number % PHOTOS % len(ids)]) for number, key in enumerate(keys)], source="person"
        )
    command = [*python_app("features", folder, "--threads", "2")]
    subprocess.run(command, env=clean_environment(tmp_path / "home"), check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("graphics", ["kitty", "half"])
def test_the_next_page(dataset: Path, tmp_path: Path, say: list[str], graphics: str) -> None:
    app = TerminalApp(
        python_app(dataset, "--graphics", graphics),
        home=tmp_path / "home",
        kind=GRAPHICS[graphics],
        columns=COLUMNS,
        rows=ROWS,
    )
    with app:
        app.wait_for("labelled")
        app.quiet(1.0)
        app.press('"')
        app.wait_for("look-alikes")
        app.rest(2.0)
        pages = [taken(app) for _ in range(PAGES)]
        app.press("escape", "f7")
        app.rest(1.0)
        app.press("pagedown", "pageup")
        app.rest(1.0)
        grid = []
        for _ in range(PAGES):
            grid.append(app.measure("pagedown", quiet_s=0.4))
            app.rest(0.5)
    text = median(page.first_paint_s for page in pages)
    complete = median(page.painted_s for page in pages)
    slowest = 1000 * max(page.first_paint_s for page in pages)
    say.append(
        f"{graphics:>6}: Enter to texts and frames of the next page median {text:.0f} ms (slowest {slowest:.0f}), to "
        f"its last picture {complete:.0f} ms; a page of the grid {median(page.painted_s for page in grid):.0f} ms"
    )


def taken(app: TerminalApp) -> Answer:
    """A page is taken; then it is looked at for as long as a quick person does."""
    answer = app.measure("enter", quiet_s=0.5)
    app.rest(2.0)
    return answer


def median(seconds: object) -> float:
    """In ms."""
    return 1000 * statistics.median(seconds)  # type: ignore[call-overload, no-any-return]
