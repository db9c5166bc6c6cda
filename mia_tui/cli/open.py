"""`mia-tui [DATASET]`: the app on a folder of images."""

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.cli.output.safe_stream import STDOUT
from mia_tui.errors import ConfigError

if TYPE_CHECKING:
    from mia_tui.config.user.settings import GraphicsWish, UserConfig


def open_dataset(
    dataset: Path | None,
    *,
    state: Path | None,
    annotator: str | None,
    graphics: "GraphicsWish | None",
    tour: Path | None = None,
) -> int:
    """Open the app and return its exit code.

    Args:
        dataset: Folder of images; the app asks for one if it is None.
        state: The folder given with --state.
        annotator: The name given with --annotator.
        graphics: The way given with --graphics; the user's settings decide if it is None.
        tour: Where the tour of the demo keeps what is done; None for no tour.

    Raises:
        ConfigError: If there is no terminal, or the user's settings are wrong.
    """
    require_terminal()
    gc.disable()  # importing makes no garbage, and this saves 10 ms; the app turns it on again
    _import_numpy()
    from mia_tui.tui.start import open_app

    user = user_settings()
    wish = graphics or user.graphics
    return open_app(dataset, state=state, annotator=annotator, graphics=wish, user=user, tour=tour)


def user_settings() -> "UserConfig":
    """The user's settings of the app.

    Raises:
        ConfigError: If the settings are wrong.
    """
    from mia_tui.config.user.settings import load_user_config
    from mia_tui.paths import user_config_file
    from mia_tui.tui.keys.tables import SCOPES

    return load_user_config(user_config_file(), screens=SCOPES.values())


def _import_numpy() -> None:
    """Import numpy without OpenBLAS starting a thread for each core.

    Those threads spin for 70 ms when they start, on the core that reads the first image. The matrices that the app
    multiplies, to learn from labels, are small: with more threads that takes longer, and they spin beside the thread
    that answers keys. Programs that the app starts do not inherit this.
    """
    name = "OPENBLAS_NUM_THREADS"
    if name in os.environ:
        return
    os.environ[name] = "1"
    import numpy  # noqa: F401  # imported for what it does

    del os.environ[name]


def require_terminal() -> None:
    """Refuse to start the app without a terminal to show it and to read keys from."""
    hint = (
        "Without one, `mia-tui labels import` labels, `mia-tui train` trains and `mia-tui predict` predicts; "
        "`mia-tui --help` lists all commands."
    )
    if not (STDOUT.isatty() and sys.stdin is not None and sys.stdin.isatty()):
        raise ConfigError("The app needs a terminal, and there is none at stdin and stdout.", hint)
    term = os.environ.get("TERM")
    if term in (None, "", "dumb"):
        raise ConfigError(
            f"The app needs a terminal that can move its cursor; TERM is {term or 'not set'}.", hint
        )
