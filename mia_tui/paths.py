"""Every file and folder name that mia-tui puts on a disk.

`DATASET/mia/` is visible on purpose: copying `DATASET/*` would lose a dot
folder in silence. Where that name is taken by the user's own data, or the
folders of the dataset are classes (other programs read every folder there as
a class), the state lies beside the dataset, in `DATASET.mia/`.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mia_tui.errors import ConfigError
from mia_tui.text import typed

STATE_FOLDER = "mia"
LABELS_DB = "labels.db"
RUNS_FOLDER = "runs"
BACKUPS_FOLDER = "backups"

_APP = "mia-tui"


@dataclass(frozen=True)
class StateFolder:
    """The folder that holds a dataset's labels and runs. It need not exist yet."""

    root: Path

    @property
    def labels_db(self) -> Path:
        return self.root / LABELS_DB

    @property
    def runs(self) -> Path:
        return self.root / RUNS_FOLDER


def find_state(dataset: Path, state: Path | None = None, *, class_folders: bool = False) -> StateFolder:
    """Where the state of a dataset lies, or will lie once something is saved.

    Args:
        dataset: Folder of images.
        state: What the user named with --state; wins over everything else.
        class_folders: Whether the dataset's folders are its classes.
    """
    if state is not None:
        if state.exists() and not state.is_dir():
            raise ConfigError(f"--state {state} is a file.", "Name a folder.")
        return StateFolder(state)
    inside, beside = state_places(dataset)
    if is_state_folder(inside):
        return StateFolder(inside)
    if is_state_folder(beside) or inside.exists() or class_folders:
        return StateFolder(beside)
    return StateFolder(inside)


def state_places(dataset: Path) -> tuple[Path, Path]:
    """Where the state of a dataset may lie: in it, beside it."""
    resolved = real_path(dataset)
    return dataset / STATE_FOLDER, resolved.parent / f"{resolved.name}.mia"


def real_path(path: Path) -> Path:
    """Where a path leads that nobody has looked at yet.

    `Path.resolve` raises RuntimeError before Python 3.13 where links lead in a circle; this lets such a path be.
    """
    return Path(os.path.realpath(path))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; a link that leads in a circle is none, and no error."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """As `is_folder`, of regular files."""
    try:
        return entry.is_file()
    except OSError:
        return False


def typed_dataset(dataset: Path, state: Path | None) -> str:
    """`cells` or `cells --state labels`: how a command names a dataset, for a sentence that gives the command.

    Args:
        dataset: Its folder.
        state: Where its labels and runs lie; None if no other place was named.
    """
    is_own = state is None or any(is_same_folder(state, place) for place in state_places(dataset))
    return typed(dataset) if is_own else f"{typed(dataset)} --state {typed(state)}"


def is_same_folder(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder: by links, or mounted at two places."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is gone
        return real_path(one) == real_path(other)


def is_of_this_dataset(state: Path, dataset: Path) -> bool:
    """Whether a state folder has its usual place in or beside a dataset, by their names."""
    return state in (dataset / STATE_FOLDER, dataset.parent / f"{dataset.name}.{STATE_FOLDER}")


def dataset_beside(state: Path) -> Path | None:
    """The dataset that a state folder lies beside, by its name; None where the name tells none, like `.mia`."""
    name = state.name.removesuffix(f".{STATE_FOLDER}")
    return state.parent / name if name and name != state.name else None


def is_state_folder(folder: Path) -> bool:
    """Whether a folder is a state folder: it holds a labels.db (a class may be called mia, too)."""
    try:
        return (folder / LABELS_DB).is_file()
    except OSError:  # a folder that this user may not enter
        return False


def orphaned_states(dataset: Path) -> list[Path]:
    """State folders that lie beside a dataset and whose own dataset is gone; links are not looked into."""
    parent = dataset.resolve().parent
    found = []
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            folder = parent / entry.name
            owner = dataset_beside(folder)
            if owner is None or os.path.lexists(owner) or not entry.is_dir(follow_symlinks=False):
                continue
            if is_state_folder(folder):
                found.append(folder)
    return found


def user_cache() -> Path:
    """Folder for what can be made again: scan indexes. Private to the user."""
    import platformdirs

    return _private(Path(platformdirs.user_cache_dir(_APP)))


def user_state() -> Path:
    """Folder for what this user did last: recent datasets and runs. Private to the user."""
    import platformdirs

    return _private(Path(platformdirs.user_state_dir(_APP)))


def user_config() -> Path:
    """Folder of what this user set. It need not exist: only the user writes there."""
    import platformdirs

    return Path(platformdirs.user_config_dir(_APP))


def user_config_file() -> Path:
    """The user's settings of the app, see `config.user`."""
    return user_config() / "config.toml"


def _private(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
