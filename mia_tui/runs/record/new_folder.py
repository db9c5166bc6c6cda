"""Making the folder of a new run, named by date and network: 20261123-1432-resnet50v2, or with -2 behind it."""

import re
import time
from pathlib import Path

from mia_tui.disk_errors import disk_error
from mia_tui.files import add_new_folder

_LONGEST_NAME = 60


def new_folder(runs: Path, created_at: float, name: str) -> Path:
    """Make the folder of a new run among the others.

    Args:
        runs: The folder of all runs.
        created_at: When the run was made, for its name.
        name: Last part of its name; what is no letter or digit becomes a dash.

    Raises:
        RunError: If the disk does not take it.
    """
    stem = folder_stem(created_at, name)
    number = 1
    while True:
        folder = runs / (stem if number == 1 else f"{stem}-{number}")
        try:
            add_new_folder(folder, root=runs.parent)  # of two programs only one can make it
        except FileExistsError:
            number += 1
        except OSError as error:
            raise disk_error(error, folder) from error
        else:
            return folder


def folder_stem(created_at: float, name: str) -> str:
    """What the name of a new run's folder is, or begins with; the arguments are those of `new_folder`."""
    words = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:_LONGEST_NAME] or "run"
    return time.strftime("%Y%m%d-%H%M-", time.localtime(created_at)) + words
