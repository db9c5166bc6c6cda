"""The names of all files and folders that mia-tui creates.

`DATASET/mia/` is visible on purpose: copying `DATASET/*` would silently lose a dot folder. If that name is used by
the user's own data, or if the folders of the dataset are classes (other programs read every folder there as a class),
the state is beside the dataset, in `DATASET.mia/`.
"""

import hashlib
import os
import re
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
    """The folder with a dataset's labels and runs. It need not exist yet."""

    root: Path

    @property
    def labels_db(self) -> Path:
        return self.root / LABELS_DB

    @property
    def runs(self) -> Path:
        return self.root / RUNS_FOLDER


def find_state(dataset: Path, state: Path | None = None, *, class_folders: bool = False) -> StateFolder:
    """Where the state of a dataset is, or will be as soon as something is saved.

    Args:
        dataset: Folder of images.
        state: The folder given with --state; takes precedence over everything else.
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
    """Where the state of a dataset may be: in it, or beside it."""
    resolved = real_path(dataset)
    return dataset / STATE_FOLDER, resolved.parent / f"{resolved.name}.mia"


def typed_path(text: str) -> Path:
    """The path that a person typed; a `~name` of nobody stays as it is, where Path's own method raises."""
    return Path(os.path.expanduser(text.strip()))  # noqa: PTH111


def exists(path: Path) -> bool:
    """Whether something is there; not at a path that cannot be, as one with a name that is too long."""
    return os.path.exists(path)  # noqa: PTH110  # Path's raises


def real_path(path: Path) -> Path:
    """A path with its links resolved, which need not exist.

    `Path.resolve` raises RuntimeError before Python 3.13 if links form a circle; this returns such a path unchanged.
    """
    return Path(os.path.realpath(path))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; False, not an error, for links that form a circle."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """As `is_folder`, for regular files."""
    try:
        return entry.is_file()
    except OSError:
        return False


def typed_dataset(dataset: Path, state: Path | None) -> str:
    """`cells` or `cells --state labels`: the arguments that name a dataset, for commands in sentences.

    Args:
        dataset: Its folder.
        state: Where its labels and runs are; None for the usual place.
    """
    is_own = state is None or any(is_same_folder(state, place) for place in state_places(dataset))
    return typed(dataset) if is_own else f"{typed(dataset)} --state {typed(state)}"


def is_same_folder(one: Path, other: Path) -> bool:
    """Whether two paths are the same folder, by links or by two mounts."""
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return real_path(one) == real_path(other)


def is_of_this_dataset(state: Path, dataset: Path) -> bool:
    """Whether a state folder is at its usual place in or beside a dataset, by their names."""
    return state in (dataset / STATE_FOLDER, dataset.parent / f"{dataset.name}.{STATE_FOLDER}")


def dataset_beside(state: Path) -> Path | None:
    """The dataset that a state folder is beside, by its name; None if the name has none, like `.mia`."""
    name = state.name.removesuffix(f".{STATE_FOLDER}")
    return state.parent / name if name and name != state.name else None


def is_state_folder(folder: Path) -> bool:
    """Whether a folder is a state folder: it contains a labels.db (a class may be called mia, too)."""
    try:
        return (folder / LABELS_DB).is_file()
    except OSError:  # a folder that this user may not enter
        return False


def orphaned_states(dataset: Path) -> list[Path]:
    """State folders beside a dataset whose own dataset does not exist any more; links are not followed."""
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
    """Folder for files that can be created again: scan indexes. Private to the user."""
    import platformdirs

    return _private(Path(platformdirs.user_cache_dir(_APP)))


def user_state() -> Path:
    """Folder for recent datasets and runs of this user. Private to the user."""
    import platformdirs

    return _private(Path(platformdirs.user_state_dir(_APP)))


def user_jobs(images: Path) -> StateFolder:
    """The user's own place for jobs on a folder of images that is no dataset, or that cannot be written.

    Its name is that of the folder, with a digest of its path.
    """
    resolved = real_path(images)
    digest = hashlib.blake2b(os.fsencode(resolved), digest_size=8).hexdigest()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", resolved.name)[:40].strip(".-")
    return StateFolder(user_state() / "jobs" / f"{name or 'images'}-{digest}")


def user_config() -> Path:
    """Folder of this user's settings. It need not exist: only the user writes there."""
    import platformdirs

    return Path(platformdirs.user_config_dir(_APP))


def user_config_file() -> Path:
    """The user's settings of the app, see `config.user.settings`."""
    return user_config() / "config.toml"


def _private(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
