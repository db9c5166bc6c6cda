"""Makes the pictures of the app for the README: labels a rendered dataset in a real xterm on a screen of its own.

    python assets/record_screens.py

Needs Xvfb, xterm (built with sixel, as most are), xdotool and ImageMagick's import.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageColor

from mia_tui.dataset.class_book import COLOURS
from mia_tui.dataset.demo import SHARES, render_demo
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore

ASSETS = Path(__file__).resolve().parent
COUNT, SIZE_PX, LABELLED = 120, 360, 34
SHOWN = "neutrophil"  # the class of the first image without a label
FLAT_COLOURS = 96  # those of the app itself, kept as they are
COLUMNS, ROWS, FONT_SIZE = 124, 36, 10
MOST_BYTES = 150_000
SETTLE_S = 1.5

# What is pressed before each picture, with how it is drawn.
SCENES: dict[str, tuple[str, Sequence[str]]] = {
    "label-sixel": ("sixel", ["F3", "1", "F1"]),
    "label-half": ("half", ["F3", "1", "F1"]),
    "grid": ("sixel", ["F3", "F7"]),
}


def main() -> None:
    """Write the pictures beside this file; names on the command line choose among them."""
    wanted = sys.argv[1:] or list(SCENES)
    with tempfile.TemporaryDirectory() as folder:
        dataset = make_dataset(Path(folder) / "blood-smear")
        for name in wanted:
            graphics, keys = SCENES[name]
            copy = Path(folder) / name / dataset.name
            shutil.copytree(dataset, copy)
            path = ASSETS / f"{name}.png"
            record(copy, graphics, keys, path)
            sys.stdout.write(f"{path.name}: {shrink(path):,} bytes\n")


def make_dataset(folder: Path) -> Path:
    """Images of blood cells, the first of them labelled."""
    images = sorted(render_demo(folder, count=COUNT, size_px=SIZE_PX))
    (folder / "labels.csv").unlink()
    with LabelStore(folder / "mia" / "labels.db", annotator="anna") as store:
        ids = {name: store.add_class(name).id for name in SHARES}
        labelled = next(n for n, (_, name) in enumerate(images) if n >= LABELLED and name == SHOWN)
        for path, name in images[:labelled]:
            store.set_labels([(ImageKey(path), ids[name])], source="person")
    return folder


def record(dataset: Path, graphics: str, keys: Sequence[str], path: Path) -> None:
    """One picture: the app in an xterm after some keys."""
    with screen() as display, terminal(dataset, graphics, display):
        time.sleep(SETTLE_S * 2)
        for key in keys:
            subprocess.run(["xdotool", "key", key], env=display, check=True)
            time.sleep(SETTLE_S)
        subprocess.run(["import", "-window", "root", "-trim", str(path)], env=display, check=True)


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """An X server of its own; the environment that leads to it."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as told:
            yield {**os.environ, "DISPLAY": f":{told.readline().strip()}"}
    finally:
        server.terminate()
        server.wait()


@contextmanager
def terminal(dataset: Path, graphics: str, display: dict[str, str]) -> Iterator[None]:
    """An xterm that knows sixel, with the app in it."""
    home = dataset.parent / "home"
    settings = ["VT100.numColorRegisters: 256", "VT100.scrollBar: false", "VT100.maxGraphicSize: 2000x2000",
                "VT100.internalBorder: 0", "VT100.directColor: true"]  # fmt: skip
    app = [sys.executable, "-m", "mia_tui", dataset.name, "--graphics", graphics, "--annotator", "anna"]
    process = subprocess.Popen(
        [
            *("xterm", "-ti", "vt340", "-fa", "DejaVu Sans Mono", "-fs", str(FONT_SIZE)),
            *("-geometry", f"{COLUMNS}x{ROWS}+0+0", "-b", "0", "-bg", "#101418", "-fg", "#d8dee4"),
            *(word for setting in settings for word in ("-xrm", f"XTerm*{setting}")),
            *("-e", *app),
        ],
        cwd=dataset.parent,
        env={**display, "HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_STATE_HOME": str(home),
             "XDG_CONFIG_HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"},
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def shrink(path: Path) -> int:
    """Fewer colours until the file is small enough for a repository; its size in bytes."""
    image = Image.open(path).convert("RGB")
    often = sorted(image.getcolors(1 << 24) or [], key=lambda found: -found[0])
    flat = [channel for colour in COLOURS for channel in ImageColor.getrgb(colour)]
    for _, colour in often[: FLAT_COLOURS - len(COLOURS)]:
        flat += colour  # type: ignore[arg-type]  # of an RGB image
    for colours in (160, 96, 48, 24, 8):
        others = image.quantize(colours).getpalette() or []
        palette = Image.new("P", (1, 1))
        palette.putpalette([*flat, *others[: 3 * colours]])
        image.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            break
    return path.stat().st_size


if __name__ == "__main__":
    main()
