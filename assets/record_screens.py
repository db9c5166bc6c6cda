"""Makes the pictures of the app for the README: labels and trains in a real xterm on a screen of its own.

    python assets/record_screens.py

Takes about four minutes on two cores, most of them for training. Needs Xvfb, xterm (built with sixel, as most are),
xdotool and ImageMagick's import.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageColor

from mia_tui.dataset.class_rules import COLOURS
from mia_tui.dataset.demo import SHARES, render_demo
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore

ASSETS = Path(__file__).resolve().parent
LABELLED = 34
SHOWN = "neutrophil"  # the class of the first image without a label
FLAT_COLOURS = 96  # those of the app itself, kept as they are
COLUMNS, ROWS, FONT_SIZE = 124, 36, 10
MOST_BYTES = 150_000
SETTLE_S = 1.5
WATCHED_EPOCHS = 14  # of the run at work, before it is looked at
PATIENCE_S = 900.0


@dataclass(frozen=True)
class DisplayTarget:
    """What is pressed before a picture.

    Attributes:
        keys: Names of xdotool; a number is seconds to wait.
        graphics: How images are drawn.
        is_trained: Of the dataset with runs, else of the one where labels are still missing.
    """

    keys: Sequence[str | float]
    graphics: str = "sixel"
    is_trained: bool = True


SCENES = {
    "label-sixel": DisplayTarget(["F3", "1", "F1"], is_trained=False),
    "label-half": DisplayTarget(["F3", "1", "F1"], graphics="half", is_trained=False),
    "grid": DisplayTarget(["F3", "F7"], is_trained=False),
    "train": DisplayTarget(["ctrl+t", *["Next"] * 7, 15.0]),
    "run": DisplayTarget(["ctrl+u", "Down", "Return"]),
    "runs": DisplayTarget(["ctrl+u", "Down"]),
    "confusion": DisplayTarget(["ctrl+u", "End", "Return", "4", *["Right"] * 4]),
}


def main() -> None:
    """Write the pictures beside this file; names on the command line choose among them."""
    wanted = {name: SCENES[name] for name in sys.argv[1:] or SCENES}
    with tempfile.TemporaryDirectory() as folder:
        dataset = make_dataset(Path(folder) / "blood-smear")
        for name, scene in wanted.items():
            if not scene.is_trained:
                copy = Path(folder) / name / dataset.name
                shutil.copytree(dataset, copy)
                picture(copy, name, scene)
        trained = {name: scene for name, scene in wanted.items() if scene.is_trained}
        if trained:
            with runs_of(Path(folder) / "runs" / "blood-cells") as dataset:
                for name, scene in trained.items():
                    picture(dataset, name, scene)


def make_dataset(folder: Path) -> Path:
    """Images of blood cells, the first of them labelled."""
    images = sorted(render_demo(folder, count=120, size_px=360))
    (folder / "labels.csv").unlink()
    with LabelStore(folder / "mia" / "labels.db", annotator="anna") as store:
        ids = {name: store.add_class(name).id for name in SHARES}
        labelled = next(n for n, (_, name) in enumerate(images) if n >= LABELLED and name == SHOWN)
        for path, name in images[:labelled]:
            store.set_labels([(ImageKey(path), ids[name])], source="person")
    return folder


@contextmanager
def runs_of(folder: Path) -> Iterator[Path]:
    """A labelled dataset with two runs that are finished, one at work and one that waits for it."""
    folder.mkdir(parents=True)
    render_demo(folder)

    def call(*arguments: str) -> None:
        program = [sys.executable, "-m", "mia_tui", *arguments]
        subprocess.run(
            program, cwd=folder.parent, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    train = ("train", folder.name, "--size", "48")
    call("labels", "import", folder.name, f"{folder.name}/labels.csv")
    call(*train, "--epochs", "12", "--backbone", "resnet18")
    call(*train, "--epochs", "12", "--backbone", "seresnet18", "--loss", "focal")
    call(*train, "--epochs", "60", "--backbone", "resnet34", "--detach")
    call(*train, "--epochs", "20", "--backbone", "resnext50", "--after", "last", "--detach")
    at_work, waiting = sorted((folder / "mia" / "runs").iterdir(), key=lambda run: run.stat().st_ctime_ns)[
        -2:
    ]
    try:
        wait_for_epochs(at_work / "events.jsonl", WATCHED_EPOCHS)
        yield folder
    finally:
        for run in (waiting, at_work):
            call("runs", "stop", str(run))
            call("runs", "follow", str(run))  # its folder may go only when it has ended


def wait_for_epochs(events: Path, count: int) -> None:
    """Return when a run has come so far."""
    end = time.monotonic() + PATIENCE_S
    while not events.exists() or events.read_text(encoding="utf-8").count('"epoch_ended"') < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{events} holds fewer than {count} epochs after {PATIENCE_S:.0f} s.")
        time.sleep(SETTLE_S)


def picture(dataset: Path, name: str, scene: DisplayTarget) -> None:
    """Take one picture and say how large it is."""
    path = ASSETS / f"{name}.png"
    record(dataset, scene, path)
    sys.stdout.write(f"{path.name}: {shrink(path):,} bytes\n")


def record(dataset: Path, scene: DisplayTarget, path: Path) -> None:
    """One picture: the app in an xterm after some keys."""
    with screen() as display, terminal(dataset, scene.graphics, display):
        time.sleep(SETTLE_S * 2)
        for key in scene.keys:
            if isinstance(key, str):
                subprocess.run(["xdotool", "key", key], env=display, check=True)
            time.sleep(SETTLE_S if isinstance(key, str) else key)
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
