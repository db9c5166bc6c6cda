"""Takes pictures of the app's screens, in real terminals on a screen of their own.

    python assets/record_screens.py                        the pictures of the README, beside this file
    python assets/record_screens.py --into DIR             every screen, in three sizes, dark and light, drawn in
                                                           half blocks, by sixels and by kitty's protocol
    python assets/record_screens.py --into DIR --sizes 80x24 --themes nord --graphics half runs compare

The first takes about five minutes on two cores, most of them for training; `--dataset` names a folder with runs
to take instead, which is copied. Needs Xvfb, xterm (built with sixel, as most are), xdotool and for kitty's protocol
kitty.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageColor, ImageGrab

from mia_tui.dataset.class_rules import COLOURS
from mia_tui.dataset.demo import SHARES, render_demo
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore

ASSETS = Path(__file__).resolve().parent
LABELLED = 150  # of the 240 images of the demo
FLAT_COLOURS = 96  # those of the app itself, kept as they are
FONT, FONT_SIZE = "DejaVu Sans Mono", 10
SCREEN = (2000, 1400)
MOST_BYTES = 150_000
START_S, KEY_S, SETTLE_S, LONGEST_S = 3.0, 0.25, 0.4, 6.0
OPENING = ("ctrl+", "F", "Return", "Escape", "question")
STILL_SHARE = 0.0005  # of the pixels may change where nothing happens: a caret, a clock
WATCHED_EPOCHS = 14  # of the run at work, before it is looked at
PATIENCE_S = 900.0

README_SIZE = "124x36"
README_PICTURES = {
    "label-sixel": ("label", "dark", "sixel"),
    "label-half": ("label", "dark", "half"),
    "look-alikes": ("look-alikes", "dark", "sixel"),
    "train": ("train", "dark", "sixel"),
    "run": ("run-curves", "dark", "sixel"),
    "runs": ("runs", "light", "sixel"),
    "confusion": ("run-confusion", "dark", "sixel"),
}
"""The names of the files, and what they show."""


@dataclass(frozen=True)
class Scene:
    """A picture, and what is pressed before it.

    Attributes:
        name: Of the picture; an empty one is none, only keys.
        keys: Names of xdotool, with blanks between; a number is seconds to wait.
    """

    name: str
    keys: str = ""


@dataclass(frozen=True)
class Tour:
    """Scenes that follow each other after one start of the app.

    Attributes:
        scenes: In their order.
        opens_dataset: Whether the app is started with the dataset; else with its first screen.
        rows: Of the window; 0 for as many as wanted.
        columns: Likewise.
    """

    scenes: tuple[Scene, ...]
    opens_dataset: bool = True
    columns: int = 0
    rows: int = 0


TOURS = (
    Tour(
        (
            Scene("label-suggestion", "Home F3"),
            Scene("label", "Return Left"),
            Scene("", "ctrl+z"),
            Scene("label-zoom", "plus plus plus"),
            Scene("pick-filter", "asterisk F5"),
            Scene("pick-class", "Escape slash"),
            Scene("ask-note", "Escape ctrl+n"),
            Scene("classes", "Escape F8"),
            Scene("palette", "Escape ctrl+p"),
            Scene("help", "Escape question"),
            Scene("manual", "Escape F12"),
            Scene("grid", "Escape F7 Up"),
            Scene("grid-marked", "shift+Right shift+Right shift+Down"),
            Scene("grid-large", "Escape plus plus"),
            Scene("look-alikes", "Escape quotedbl 3.0 c"),
        )
    ),
    Tour(
        (
            Scene("runs", "ctrl+u Down"),
            Scene("runs-delete", "x"),
            Scene("compare", "Escape End space Up space v"),
            Scene("run-curves", "Escape Escape Home Down Return 1"),
            Scene("run-epochs", "2"),
            Scene("run-classes", "3"),
            Scene("run-settings", "5"),
            Scene("run-messages", "6"),
        )
    ),
    Tour(
        (
            Scene("run-confusion", "ctrl+u End Up Return 4 Right"),
            Scene("run-images", "Return"),
        )
    ),
    Tour((Scene("run-result", "ctrl+u End Up Up Return 0"),)),
    Tour(
        (
            Scene("train", "ctrl+t"),
            *(Scene(f"train-{number}", "Next") for number in range(2, 9)),
            Scene("train-preview", "15.0"),
            Scene("pick-recipe", "ctrl+r"),
            Scene("check", "Escape F5 4.0"),
        )
    ),
    Tour((Scene("home"), Scene("home-typing", "slash"), Scene("home-help", "F1")), opens_dataset=False),
    Tour((Scene("small", "0.5"),), columns=24, rows=6),
)


def main() -> None:
    """Take what the command line asks for."""
    wanted = _arguments()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if wanted.dataset is None:
            dataset = stack.enter_context(runs_of(folder / "blood-cells"))
        else:
            dataset = shutil.copytree(wanted.dataset, folder / wanted.dataset.resolve().name)
        if wanted.into is None:
            take_readme_pictures(dataset, wanted.scenes)
        else:
            take_all(dataset, wanted)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenes", nargs="*", help="names of pictures; by default all")
    parser.add_argument("--into", type=Path, help="folder for pictures of every screen")
    parser.add_argument("--dataset", type=Path, help="a dataset with runs, instead of one made for this")
    parser.add_argument("--sizes", default="80x24,120x40,200x60")
    parser.add_argument(
        "--themes", default="dark,light", help="of the terminal, or names of the app's; 16, 256 or NO_COLOR"
    )
    parser.add_argument("--graphics", default="half,sixel,kitty")
    return parser.parse_args()


def take_readme_pictures(dataset: Path, names: Iterable[str]) -> None:
    """Write them beside this file, and say how large they are."""
    wanted = {name: README_PICTURES[name] for name in names or README_PICTURES}
    for theme, graphics in sorted({(theme, graphics) for _, theme, graphics in wanted.values()}):
        files = {
            scene: ASSETS / f"{name}.png"
            for name, (scene, *look) in wanted.items()
            if look == [theme, graphics]
        }
        for tour in TOURS:
            take_tour(dataset, tour, Look(README_SIZE, theme, graphics), files)
        for path in files.values():
            sys.stdout.write(f"{path.name}: {shrink(path):,} bytes\n")


def take_all(dataset: Path, wanted: argparse.Namespace) -> None:
    """One picture of each scene in each size, theme and way to draw images."""
    wanted.into.mkdir(parents=True, exist_ok=True)
    names = wanted.scenes or [scene.name for tour in TOURS for scene in tour.scenes]
    for graphics in wanted.graphics.split(","):
        for theme in wanted.themes.split(","):
            for size in wanted.sizes.split(","):
                look = Look(size, theme, graphics)
                for tour in TOURS:
                    files = {name: wanted.into / f"{name}-{size}-{theme}-{graphics}.png" for name in names}
                    take_tour(dataset, tour, look, files)
                sys.stdout.write(f"{size} {theme} {graphics}\n")
                sys.stdout.flush()


@dataclass(frozen=True)
class Look:
    """How the app is shown.

    Attributes:
        size: Columns and rows, as `80x24`.
        theme: `dark` or `light` for a terminal of such a background; else, in a dark one, the name of a theme, 256 or
            16 for so many colours, or NO_COLOR.
        graphics: How images are drawn.
    """

    size: str
    theme: str
    graphics: str

    @property
    def settings(self) -> str:
        """The user's config.toml."""
        if self.theme in ("dark", "light", "NO_COLOR"):
            return ""
        return f'{"colours" if self.theme.isdigit() else "theme"} = "{self.theme}"\n'


def take_tour(dataset: Path, tour: Tour, look: Look, files: dict[str, Path]) -> None:
    """Press the keys of a tour, and write those of its pictures that are wanted."""
    last = max((place for place, scene in enumerate(tour.scenes) if scene.name in files), default=None)
    if last is None:
        return
    if not all(scene.name for scene in tour.scenes[last + 1 : last + 2]):  # it takes back what was done
        last += 1
    with screen() as display, terminal(dataset, tour, look, display):
        time.sleep(START_S)
        # Without a window manager, keys go to the window under the pointer.
        subprocess.run(["xdotool", "mousemove", "2", "2"], env=display, check=True)
        settle(display)
        for scene in tour.scenes[: last + 1]:
            for key in scene.keys.split():
                if key.replace(".", "").isdigit() and "." in key:
                    time.sleep(float(key))
                else:
                    subprocess.run(["xdotool", "key", key], env=display, check=True)
                    time.sleep(KEY_S)
                    if key.startswith(OPENING):  # the next key is meant for what it opens
                        settle(display)
            seen = settle(display)
            if scene.name in files:
                seen.crop(seen.getbbox()).save(files[scene.name])  # the screen around the terminal is black


def settle(display: dict[str, str]) -> Image.Image:
    """What is on the screen when it has stopped changing, or after a while."""
    end, before = time.monotonic() + LONGEST_S, ImageGrab.grab(xdisplay=display["DISPLAY"])
    while True:
        time.sleep(SETTLE_S)
        now = ImageGrab.grab(xdisplay=display["DISPLAY"])
        changed = ImageChops.difference(before, now).convert("L").point(lambda value: 255 * (value > 0))
        if changed.histogram()[255] < STILL_SHARE * now.width * now.height or time.monotonic() > end:
            return now
        before = now


@contextmanager
def runs_of(folder: Path) -> Iterator[Path]:
    """A dataset, a part of it labelled, with finished runs, one at work and one that waits for it."""
    folder.mkdir(parents=True)
    images = render_demo(folder)
    (folder / "labels.csv").unlink()
    with LabelStore(folder / "mia" / "labels.db", annotator="anna") as store:
        ids = {name: store.add_class(name).id for name in SHARES}
        for path, name in sorted(images)[:LABELLED]:
            store.set_labels([(ImageKey(path), ids[name])], source="person")

    def call(*arguments: str) -> None:
        program = [sys.executable, "-m", "mia_tui", *arguments]
        subprocess.run(
            program, cwd=folder.parent, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    train = ("train", folder.name, "--size", "48")
    call(*train, "--epochs", "12", "--backbone", "resnet18")
    call(*train, "--epochs", "12", "--backbone", "seresnet18", "--loss", "focal")
    call("predict", folder.name, "--run", "best")
    call(*train, "--epochs", "60", "--backbone", "resnet34", "--detach")
    call(*train, "--epochs", "20", "--backbone", "resnext50", "--after", "last", "--detach")
    runs = sorted((folder / "mia" / "runs").iterdir(), key=lambda run: run.stat().st_ctime_ns)
    at_work, waiting = runs[-2:]
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
        time.sleep(1.0)


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """An X server of its own; the environment that leads to it."""
    read, write = os.pipe()
    width, height = SCREEN
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
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
def terminal(dataset: Path, tour: Tour, look: Look, display: dict[str, str]) -> Iterator[None]:
    """A terminal with the app in it: kitty for its protocol, else an xterm that knows sixel."""
    home = dataset.parent / "home"
    columns, rows = look.size.split("x")
    columns, rows = str(tour.columns or columns), str(tour.rows or rows)
    colours = ("#ffffff", "#1f2328") if look.theme == "light" else ("#101418", "#d8dee4")
    app = [sys.executable, "-m", "mia_tui", "--graphics", look.graphics, "--annotator", "anna"]
    app[3:3] = [dataset.name] if tour.opens_dataset else []
    settings = home / "mia-tui" / "config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(look.settings)
    command = kitty if look.graphics == "kitty" else xterm
    process = subprocess.Popen(
        [*command(columns, rows, *colours), *app],
        cwd=dataset.parent,
        env={**display, "HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_STATE_HOME": str(home),
             "XDG_CONFIG_HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8",
             "LIBGL_ALWAYS_SOFTWARE": "1", **({"NO_COLOR": "1"} if look.theme == "NO_COLOR" else {})},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def xterm(columns: str, rows: str, background: str, foreground: str) -> list[str]:
    """The command of an xterm, without the program in it."""
    settings = ["VT100.numColorRegisters: 256", "VT100.scrollBar: false", "VT100.maxGraphicSize: 2000x2000",
                "VT100.internalBorder: 0", "VT100.directColor: true"]  # fmt: skip
    return [
        *("xterm", "-ti", "vt340", "-fa", FONT, "-fs", str(FONT_SIZE)),
        *("-geometry", f"{columns}x{rows}+0+0", "-b", "0", "-bg", background, "-fg", foreground),
        *(word for setting in settings for word in ("-xrm", f"XTerm*{setting}")),
        "-e",
    ]


def kitty(columns: str, rows: str, background: str, foreground: str) -> list[str]:
    """The command of a kitty, without the program in it."""
    settings = {
        "font_family": FONT, "font_size": f"{FONT_SIZE}", "remember_window_size": "no",
        "initial_window_width": f"{columns}c", "initial_window_height": f"{rows}c", "window_padding_width": "0",
        "background": background, "foreground": foreground, "confirm_os_window_close": "0",
        "clear_all_shortcuts": "yes", "cursor_blink_interval": "0", "update_check_interval": "0",
    }  # fmt: skip
    return [
        "kitty",
        "--config",
        "NONE",
        *(word for pair in settings.items() for word in ("-o", "=".join(pair))),
    ]


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
