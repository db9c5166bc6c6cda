"""State folders that were not renamed with their dataset: OLD.mia, which lay beside the class folders of OLD.

Nothing in NEW shows that its state folder is OLD.mia. A new state would begin
with a new split and validate on images that the old runs trained on; so the
user is told, and nothing new is saved before that.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, StoreError
from mia_tui.paths import (
    StateFolder,
    dataset_beside,
    is_state_folder,
    orphaned_states,
    state_places,
)
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.worker.liveness import lives
from mia_tui.text import printable, typed

_ALIKE = 0.5
"""Share of the images known to labels.db that must be in the folder; some may have been deleted since."""


def find_orphaned_state(dataset: Path, files: Callable[[], Collection[str]]) -> Path | None:
    """The state folder that this dataset seems to have had before it was renamed; None if there is none.

    Args:
        dataset: A folder of images.
        files: Gives their paths in it; called only if there is a state folder to compare with.
    """
    if any(_holds_state(place) for place in state_places(dataset)):
        return None
    orphans = orphaned_states(dataset)
    if not orphans:
        return None
    here = set(files())
    rated = [(share, folder) for folder in orphans if (share := _share(folder, here)) >= _ALIKE]
    return max(rated)[1] if rated else None


def orphaned_state_error(dataset: Path, left: Path) -> DataError:
    """The error where something would be written for a dataset before its old state folder was adopted."""
    return DataError(orphaned_state_message(dataset, left), orphaned_state_hint(dataset))


def orphaned_state_message(dataset: Path, left: Path) -> str:
    """The sentence that tells of a state folder from `find_orphaned_state`."""
    old = dataset_beside(left) or left
    return (
        f"{printable(dataset)} has the images of {printable(old.name)}, which is gone: it seems to have been "
        f"renamed, and its labels, split and runs are still in {printable(left)}."
    )


def orphaned_state_hint(dataset: Path) -> str:
    """What to do about it."""
    return (
        f"Take them over with `mia-tui labels adopt {typed(dataset)}`; to start over, name another folder "
        "with --state."
    )


def adopt(dataset: Path, left: Path) -> StateFolder:
    """Make an orphaned state folder that of a dataset: it is renamed, in one step.

    Raises:
        DataError: If the dataset has a state of its own, `left` is not a state folder or belongs to a folder that
            exists, or one of its runs is at work.
        StoreError: If its labels.db cannot be read or is in use, or it cannot be renamed.
    """
    refuse_own_state(dataset)
    beside = state_places(dataset)[1]
    if not is_state_folder(left):
        raise DataError(
            f"{printable(left)} holds no labels.db, so there is nothing to take over.", "Check its name."
        )
    owner = dataset_beside(left)
    if owner is not None and owner.exists():
        raise DataError(
            f"{printable(left)} belongs to {printable(owner)}, which is there.",
            f"Copy it to {printable(beside)} if both are to have its labels.",
        )
    at_work = next((run for run in list_runs(StateFolder(left)) if lives(run)), None)
    if at_work is not None:
        raise DataError(
            f"The run {printable(at_work.name)} in {printable(left)} is at work.",
            f"Stop it first: mia-tui runs stop {typed(at_work.path)}",
        )
    store = LabelStore.open_existing(StateFolder(left).labels_db)
    if store is not None:
        with store, store.transaction():  # refused where another program is writing
            pass
    try:
        left.rename(beside)
    except OSError as error:
        raise StoreError(
            f"{printable(left)} cannot be renamed to {printable(beside)}: {error.strerror}.",
            f"Rename it yourself, or pass --state {typed(left)} each time.",
        ) from error
    return StateFolder(beside)


def refuse_own_state(dataset: Path) -> None:
    """Refuse to adopt a state folder for a dataset that has one already.

    Raises:
        DataError: If it has labels or runs.
    """
    for place in state_places(dataset):
        if _holds_state(place):
            raise DataError(
                f"{printable(dataset)} has labels or runs of its own, in {printable(place)}.",
                "Move that folder away first if it is not wanted.",
            )


def _holds_state(place: Path) -> bool:
    return is_state_folder(place) or bool(list_runs(StateFolder(place)))


def _share(folder: Path, here: Collection[str]) -> float:
    """How many of the files that its labels.db knows are here, 0 to 1."""
    with suppress(StoreError):
        store = LabelStore.open_existing(StateFolder(folder).labels_db)
        if store is not None:
            with store:
                known = store.stored_files()
            return sum(path in here for path in known) / len(known) if known else 0.0
    return 0.0
