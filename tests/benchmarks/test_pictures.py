"""How long an image takes from its file to what is sent to a terminal, against the plain way and textual-image."""

import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terminal_support import a_photo, a_terminal

from mia_tui.dataset.images.rendering import DisplaySettings, load_image, render_image
from mia_tui.terminal.model import Panel
from mia_tui.terminal.pictures import draw_picture, useful_px

pytestmark = pytest.mark.benchmark

PANEL = Panel(120, 40, 10, 20)
PROTOCOLS = ("half", "iterm2", "kitty", "sixel")


def median_ms(work: Callable[[], object], rounds: int = 7) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times)[rounds // 2]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    found = {}
    for name, size in {"0.2 MP": (500, 375), "12 MP": (4000, 3000), "100 MP": (12_000, 8333)}.items():
        large = np.asarray(Image.fromarray(a_photo(noise=0)).resize(size, Image.Resampling.BICUBIC))
        grain = random.integers(-3, 4, large.shape, dtype=np.int8)
        found[name] = folder / f"{name}.jpg"
        noisy = np.clip(large.astype(np.int16) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(found[name], quality=90)
    return found


def whole_then_smaller(path: Path) -> Image.Image:
    """The plain way: everything is decoded, then fitted."""
    image = Image.open(path).convert("RGB")
    image.thumbnail(PANEL.box_px, Image.Resampling.BICUBIC, reducing_gap=None)
    return image


def test_from_file_to_pixels(files: dict[str, Path]) -> None:
    print(
        f"\n{'file':8} {'plain':>9} {'view':>9} {'half':>9} {'zoomed':>9}   ms; how much faster the view is"
    )
    for name, path in files.items():
        plain = median_ms(lambda path=path: whole_then_smaller(path), 3)
        view = median_ms(lambda path=path: render_image(path, 0, PANEL.box_px, DisplaySettings()))
        small = median_ms(
            lambda path=path: render_image(path, 0, useful_px(PANEL, a_terminal()), DisplaySettings())
        )
        kept = load_image(path)
        assert kept is not None
        zoomed = median_ms(
            lambda kept=kept: render_image(kept, 0, PANEL.box_px, DisplaySettings(zoom=20, contrast=10))
        )
        print(f"{name:8} {plain:9.1f} {view:9.1f} {small:9.1f} {zoomed:9.1f}   {plain / view:.1f} x")


def test_memory_of_100_megapixels(files: dict[str, Path]) -> None:
    program = """
import sys
from pathlib import Path
from mia_tui.dataset.images.rendering import DisplaySettings, render_image
from mia_tui.terminal.model import Panel
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
small, large = map(Path, sys.argv[1:])
render_image(small, 0, (1200, 800), DisplaySettings())
before = peak()
render_image(large, 0, (1200, 800), DisplaySettings())
print(f"{peak() - before:.0f} MiB more than for 0.2 megapixels")
"""
    command = [sys.executable, "-c", program, str(files["0.2 MP"]), str(files["100 MP"])]
    print("\n" + subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="")


@pytest.mark.parametrize("max_bytes", [None, 25 * 1024])
def test_from_pixels_to_bytes(files: dict[str, Path], max_bytes: int | None) -> None:
    print(f"\nat most {max_bytes} bytes")
    for graphics in PROTOCOLS:
        terminal = a_terminal(graphics=graphics)
        pixels = render_image(files["0.2 MP"], 0, useful_px(PANEL, terminal), DisplaySettings()).pixels

        def draw(pixels: np.ndarray = pixels, terminal: object = terminal) -> object:
            return draw_picture(pixels, PANEL, terminal, max_bytes=max_bytes, image_id=1)  # type: ignore[arg-type]

        picture = draw_picture(pixels, PANEL, terminal, max_bytes=max_bytes, image_id=1)
        sent = (picture.size_bytes + len(picture.ahead)) / 1024
        print(f"{graphics:8} {median_ms(draw):7.1f} ms {sent:7.1f} KiB")


def test_against_textual_image(files: dict[str, Path]) -> None:
    renderable = pytest.importorskip("textual_image.renderable")
    cells = pytest.importorskip("textual_image._terminal")
    console = pytest.importorskip("rich.console")
    cells.get_cell_size._result = cells.CellSize(PANEL.cell_width_px, PANEL.cell_height_px)
    rivals = {"half": renderable.HalfcellImage, "sixel": renderable.SixelImage, "kitty": renderable.TGPImage}
    print(f"\n{'':8} {'ours':>9} {'theirs':>9}   ms from file to bytes")
    for name, path in files.items():
        for graphics, rival in rivals.items():
            terminal = a_terminal(graphics=graphics)

            def ours(path: Path = path, terminal: object = terminal) -> object:
                view = render_image(path, 0, useful_px(PANEL, terminal), DisplaySettings())  # type: ignore[arg-type]
                return draw_picture(view.pixels, PANEL, terminal, image_id=1)  # type: ignore[arg-type]

            def theirs(path: Path = path, rival: type = rival) -> None:
                outlet = console.Console(
                    file=io.StringIO(), force_terminal=True, color_system="truecolor", width=120, height=40
                )
                sys.__stdout__, kept = io.StringIO(), sys.__stdout__  # kitty pixels go there
                try:
                    outlet.print(rival(path, width=PANEL.columns, height="auto"))
                finally:
                    sys.__stdout__ = kept

            mine, other = median_ms(ours, 3), median_ms(theirs, 3)
            print(f"{name:8} {graphics:6} {mine:9.1f} {other:9.1f}   {other / mine:.1f} x")
