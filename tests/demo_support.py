"""A demo set of which all but the first images are labelled, for tests that train on it."""

from pathlib import Path

from mia_tui.dataset.demo import render_demo
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore


def labelled_demo(folder: Path, *, count: int, size_px: int, unlabelled: int) -> Path:
    """Render a demo set with labels in its labels.db; returns its folder.

    Args:
        folder: Where to render it.
        count: Images.
        size_px: Their width and height.
        unlabelled: How many of them, the first ones, have no label.
    """
    images = sorted(render_demo(folder, count=count, size_px=size_px))
    (folder / "labels.csv").unlink()
    with LabelStore(folder / "mia" / "labels.db", annotator="anna") as store:
        ids = {name: store.add_class(name).id for name in sorted({name for _, name in images})}
        store.set_labels([(ImageKey(path), ids[name]) for path, name in images[unlabelled:]], source="person")
    return folder
