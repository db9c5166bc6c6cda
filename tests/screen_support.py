"""The app on a pty for tests: small datasets, what its screen says, what is in labels.db."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from run_support import python
from terminal_driver import TerminalApp

from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Label

Open = Callable[..., TerminalApp]

CLASSES = ("round", "long")
_ROW = re.compile(r"^.(.).(.)(image-\d+\.png)")

# Starts the app with something done to it first; the arguments are the app's.
WRAPPED = """
    from mia_tui.__main__ import main
    sys.argv[0] = "mia-tui"
    {before}
    main()
"""


def make_dataset(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"image-{number:03}.png")
    add_classes(folder / "mia" / "labels.db")
    return folder


def add_classes(db: Path) -> None:
    with LabelStore(db) as store:
        store.add_classes(CLASSES)


def wrapped(before: str, *arguments: object) -> list[str]:
    """The command that opens the app after something was done to it."""
    return python(WRAPPED.replace("    {before}", before.strip("\n")), *arguments)


def labels_in(dataset: Path, state: Path | None = None) -> dict[str, Label]:
    store = LabelStore.open_existing((state or dataset / "mia") / "labels.db")
    if store is None:
        return {}
    with store:
        return {key.path: label for key, label in store.labels().items()}


def marks_on(screen: str) -> dict[str, str]:
    """Mark of each image in the list that is on the screen, and under "" the current image."""
    marks = {}
    for line in screen.splitlines():
        if row := _ROW.match(line.removeprefix("│")):  # beside the border of the list
            marks[row[3]] = row[1]
            if row[2] not in " ":
                marks[""] = row[3]
    return marks


def current_image(app: TerminalApp) -> str:
    return marks_on(app.screen()).get("", "")


def opened(app: TerminalApp) -> TerminalApp:
    """The app, once its first image was painted."""
    app.wait_for("image-000.png")
    app.rest()
    return app
