"""NO_COLOR takes the colours of the interface, and pictures, which are content, keep theirs; seen cell by cell."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyte
import pytest
from patience import LONGEST_S
from PIL import Image
from screen_support import Open, add_classes
from terminal_driver import TerminalApp, python_app
from tui_support import label

pytestmark = pytest.mark.e2e

Rgb = tuple[int, int, int]
RED, GREEN = (220, 30, 20), (20, 200, 40)
PLAIN = "interface without colours"
COLOURED = "interface with colours"


@pytest.fixture
def flags(tmp_path: Path) -> Path:
    """Images that are red above and green below; the first has a label."""
    folder = tmp_path / "flags"
    folder.mkdir()
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20], pixels[20:] = RED, GREEN
    for number in range(4):
        Image.fromarray(pixels).save(folder / f"image-{number:03}.png")
    add_classes(folder / "mia" / "labels.db")
    label(folder, "long", ["image-000.png"])
    return folder


def hues(app: TerminalApp) -> tuple[set[str], set[Rgb]]:
    """What is no grey on the screen: the flag's colours, and all others."""
    found = {rgb for row in app.picture().buffer.values() for char in row.values() for rgb in rgbs(char)}
    flags = {rgb for rgb in found if rgb[2] < 70 and 190 <= rgb[0] + rgb[1] <= 290}  # and blends of both
    seen = {"red" if rgb[0] > 180 else "green" for rgb in flags if max(rgb) > 180}
    return seen, {rgb for rgb in found - flags if max(rgb) - min(rgb) > 12}


def rgbs(char: pyte.screens.Char) -> Iterator[Rgb]:
    for name in (char.fg, char.bg):
        assert name == "default" or len(name) == 6, f"{name}: the terminal has 16 million colours"
        if name != "default":
            yield int(name[:2], 16), int(name[2:4], 16), int(name[4:], 16)


@pytest.mark.parametrize(
    ("environment", "settings", "look"),
    [
        ({"NO_COLOR": "1"}, "", PLAIN),
        ({"NO_COLOR": ""}, "", COLOURED),  # as the convention has it
        ({}, "", COLOURED),
        ({}, 'colours = "none"', PLAIN),
        ({"NO_COLOR": "1"}, 'colours = "true"', COLOURED),
    ],
)
def test_pictures_keep_their_colours_and_the_interface_has_them_as_it_was_told(
    start: Open, flags: Path, tmp_path: Path, environment: dict[str, str], settings: str, look: str
) -> None:
    config = tmp_path / "home" / "xdg_config_home" / "mia-tui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(settings)
    app = start(flags, "--graphics", "half", environment=environment, really=True)
    app.wait_for("image-000.png")
    app.rest()
    for screen, keys in (("label", ()), ("grid", ("f7",))):
        app.press(*keys)
        app.rest(0.3)
        picture, others = hues(app)
        assert picture == {"red", "green"}, f"the picture of the {screen} screen has lost its colours"
        assert bool(others) == (look == COLOURED), f"{screen}: {others}"
    app.press("?")
    app.press("end")
    app.rest(0.3)
    assert "16 million colours" in app.screen()
    assert ("in pictures, none" in app.screen()) == (look == PLAIN)


@pytest.mark.parametrize("name", ["sixel", "kitty"])
def test_pictures_of_pixels_are_shown_without_colours_too(start: Open, flags: Path, name: str) -> None:
    kind = {"sixel": "xterm-sixel", "kitty": "kitty"}[name]
    app = start(flags, kind=kind, environment={"NO_COLOR": "1"}, really=True)
    app.wait_for("image-000.png")
    app.rest()
    assert app.said().pictures > 0
    assert hues(app)[1] == set()


def test_show_does_what_doctor_says(start: Open, flags: Path, tmp_path: Path) -> None:
    (tmp_path / "timm.py").write_text("raise ImportError")  # or doctor would wait for seconds for torch
    environment = {"NO_COLOR": "1", "PYTHONPATH": str(tmp_path)}
    app = start(command=python_app("show", flags / "image-000.png"), environment=environment, really=True)
    assert app.wait() == 0
    app.quiet()
    assert hues(app) == ({"red", "green"}, set())
    app = start(command=python_app("doctor"), environment=environment, columns=200, really=True)
    app.wait(LONGEST_S)
    app.quiet()
    assert "16 million colours in pictures, none elsewhere" in app.screen()
    assert hues(app) == (set(), set())


def test_images_that_are_not_wanted_are_shown_nowhere_and_the_reason_is_true(
    start: Open, flags: Path
) -> None:
    app = start(flags, "--graphics", "none")
    app.wait_for('Images are not shown: graphics is set to "none"')
    app.press("f7")
    app.rest(0.3)
    assert hues(app)[0] == set()
