"""Starts the app: the terminal is asked what it can do before anything is drawn.

Most of the time until the first image goes into importing Textual. Meanwhile the terminal answers, and the first
image is read.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.scan.scan import check_root
from mia_tui.terminal.ask import ask_terminal
from mia_tui.terminal.choose import Wanted, with_colours
from mia_tui.terminal.model import Terminal
from mia_tui.tui.pictures.preload import Preload

if TYPE_CHECKING:
    from mia_tui.tui.context import Context

_COLOUR_SYSTEMS = {"true": "truecolor", "256": "256", "16": "standard", "none": "standard"}


def open_app(
    dataset: Path | None,
    *,
    state: Path | None,
    annotator: str | None,
    graphics: Wanted,
    user: UserConfig,
    tour: Path | None = None,
) -> int:
    """Run the app until it is closed.

    Garbage collection is off since `cli.open`: imported modules have none, and a collection over the objects of a
    million images blocks keys for 70-260 ms. The labelling screen turns it on again when the dataset is loaded, with
    all those objects frozen.

    Args:
        dataset: Folder of images; None opens the home screen.
        state: The folder given with --state.
        annotator: The name given with --annotator.
        graphics: auto, or the way to draw pictures.
        user: The user's settings.
        tour: Where the tour of the demo keeps what is done; None for no tour.

    Returns:
        The exit code.

    Raises:
        DataError: If the dataset is not a folder.
    """
    preload = None
    if dataset is not None:
        check_root(dataset)
        columns, rows = shutil.get_terminal_size()
        preload = Preload(dataset, columns=columns, rows=rows)
    terminal = _ask(graphics, user)
    from mia_tui.tui.app import MiaApp
    from mia_tui.tui.context import Context
    from mia_tui.tui.pictures.flow_control import FlowControl
    from mia_tui.tui.widgets.ink import Ink

    context = Context(terminal, Ink(terminal), FlowControl(), user, state, annotator)
    if tour is not None and dataset is not None:
        context = _with_tour(context, dataset, tour)
    app = MiaApp(context, dataset, preload)
    with app.watching_threads():
        code = app.run()
    app.finish_writing()
    if app.fault is not None:
        raise app.fault
    if code is None:
        raise RuntimeError("The app ended, and nobody had closed it")
    return code


def _with_tour(context: "Context", dataset: Path, file: Path) -> "Context":
    """With the tour of the demo, and a form that trains for half a minute."""
    from mia_tui.config.train import TrainConfig
    from mia_tui.tui.tour.tour import Tour
    from mia_tui.tui.training.form import Form

    quick = TrainConfig(backbone="resnet18", weights="none", width=64, height=64, epochs=6)
    drafts = {(dataset.resolve(), context.state): Form(quick)}
    return replace(context, tour=Tour(file), drafts=drafts)


def _ask(graphics: Wanted, user: UserConfig) -> Terminal:
    """What the terminal can do; Textual is imported while it answers, and then set to its colours."""
    environment = with_colours(os.environ, user.colours)
    terminal = ask_terminal(graphics, meanwhile=_import_app, environment=environment)
    if terminal.colourless:
        os.environ["NO_COLOR"] = "1"
    else:
        os.environ.pop("NO_COLOR", None)  # to Textual it counts even if it is empty
    from mia_tui.tui.textual_private import use_colour_system

    use_colour_system(_COLOUR_SYSTEMS[terminal.colours])
    return terminal


def _import_app() -> None:
    import mia_tui.tui.app  # noqa: F401  # this alone is what takes the time
