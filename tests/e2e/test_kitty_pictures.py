"""The app in a terminal that keeps pictures as kitty 0.26 does, which frees more than it is told to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from run_support import wait_for
from screen_support import Open, add_classes, current_image, labels_in, opened
from terminal_driver import TerminalApp

pytestmark = pytest.mark.e2e

COUNT = 24
COLOURS = [(10 * number, 255 - 10 * number, 60) for number in range(COUNT)]


@pytest.fixture
def app(start: Open, tmp_path: Path) -> Iterator[TerminalApp]:
    folder = tmp_path / "coloured"
    folder.mkdir()
    for number, colour in enumerate(COLOURS):
        Image.new("RGB", (160, 120), colour).save(folder / f"image-{number:03}.png")
    add_classes(folder / "mia" / "labels.db")
    yield opened(start(folder, kind="kitty"))


def wait_shown(app: TerminalApp, number: int) -> None:
    wait_for(lambda: current_image(app) == f"image-{number:03}.png")
    wait_for(lambda: app.kitty.shown == COLOURS[number])


def test_every_image_is_seen_forward_back_and_after_undo(app: TerminalApp) -> None:
    wait_shown(app, 0)
    for number in range(1, 21):
        app.press("right")
        wait_shown(app, number)
    for number in range(19, 14, -1):
        app.press("left")
        wait_shown(app, number)
    app.press("f2")
    wait_shown(app, 16)
    app.press("ctrl+z")
    wait_shown(app, 15)
    assert app.kitty.most_images <= 17


def test_a_picture_that_the_terminal_lost_is_sent_again_and_its_answer_is_no_key(
    app: TerminalApp, tmp_path: Path
) -> None:
    app.press("1")
    wait_shown(app, 0)
    for number in range(1, 4):
        app.press("right")
        wait_shown(app, number)
    app.rest()
    for number in [number for number, image in app.kitty.images.items() if not image.placed]:
        app.kitty.forget(number)
    for number in range(2, -1, -1):
        app.press("left")
        wait_shown(app, number)
    app.rest()
    assert labels_in(tmp_path / "coloured") == {}
    assert current_image(app) == "image-000.png"


def test_over_a_dialog_and_back_the_picture_is_there_and_at_the_end_nothing_is_left(app: TerminalApp) -> None:
    wait_shown(app, 0)
    app.press("?")
    app.rest()
    app.press("escape")
    wait_shown(app, 0)
    app.press("right")
    wait_shown(app, 1)
    app.press("ctrl+q")
    assert app.wait() == 0
    app.quiet()
    assert app.kitty.images == {}
    left = app.raw().rindex(b"\x1b[?1049l")
    assert b"a=d,d=I" not in app.raw()[left:], "they are in the other screen"


def placed(app: TerminalApp) -> set[tuple[int, ...]]:
    """The colours of what is on the screen."""
    return {image.colour for image in list(app.kitty.images.values()) if image.placed}


def test_the_grid_places_every_tile_in_view_and_leaves_none_behind(app: TerminalApp) -> None:
    wait_shown(app, 0)
    app.press("f7")
    wait_for(lambda: len(placed(app)) > 8 and COLOURS[0] in placed(app))
    app.rest()
    count = len(placed(app))
    assert placed(app) == set(COLOURS[:count])
    app.press("end")
    wait_for(lambda: COLOURS[-1] in placed(app))
    app.rest()
    assert placed(app) == set(COLOURS[-len(placed(app)) :]), "nothing of the first lines is left"
    app.press("f8")
    wait_for(lambda: not placed(app))
    app.press("escape")
    wait_for(lambda: COLOURS[-1] in placed(app))
    app.press("escape")
    wait_shown(app, 0)
    wait_for(lambda: placed(app) == {COLOURS[0]})
