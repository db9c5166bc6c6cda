"""Looking into folders while a person types or browses: in threads, because a network disk may take its time.

A folder that never answers holds up one thread; the app goes on, and ends
without waiting for it.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mia_tui.dataset.images.reading import is_image_name
from mia_tui.dataset.scan.scan import check_root
from mia_tui.dataset.scan.walk import natural_key
from mia_tui.errors import DataError
from mia_tui.paths import STATE_FOLDER, StateFolder, is_folder, is_state_folder
from mia_tui.text import printable

_THREADS = 2
_MOST = 200_000  # entries of a folder that are looked at


@dataclass(frozen=True)
class FolderContent:
    """What lies directly in a folder.

    Attributes:
        folders: Names, as people count; hidden ones among them, but not where labels and runs are kept.
        images: Files with the suffix of an image.
        more: Whether there was more than anybody wants to count.
        problem: Why it cannot be looked into, a sentence; None where it can.
    """

    folders: tuple[str, ...] = ()
    images: int = 0
    more: bool = False
    problem: str | None = None


class FolderLooker:
    """Looks into folders.

    Args:
        on_looked: Called, in a thread, with each folder that was looked into.
    """

    def __init__(self, on_looked: Callable[[Path], None]) -> None:
        self._on_looked = on_looked
        self._changed = threading.Condition()
        self._wanted: list[Path] = []
        self._looking: set[Path] = set()
        self._known: dict[Path, FolderContent] = {}
        self._ended = False
        for number in range(_THREADS):
            threading.Thread(target=self._work, name=f"folders-{number}", daemon=True).start()

    def get(self, folder: Path) -> FolderContent | None:
        """What is in a folder, if it was looked into."""
        with self._changed:
            return self._known.get(folder)

    def want(self, folders: Sequence[Path]) -> None:
        """Look into these now, the most urgent first; earlier wishes that are not begun are dropped."""
        with self._changed:
            self._wanted = list(folders)
            self._changed.notify_all()

    def forget(self, folder: Path) -> None:
        """Look into it anew the next time it is wanted."""
        with self._changed:
            self._known.pop(folder, None)

    @property
    def idle(self) -> bool:
        """Whether everything that was wanted is known."""
        with self._changed:
            return not self._looking and all(folder in self._known for folder in self._wanted)

    def close(self) -> None:
        """End the threads."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (folder := self._next()) is not None:
            content = look_into(folder)
            with self._changed:
                self._known[folder] = content
                self._looking.discard(folder)
            self._on_looked(folder)

    def _next(self) -> Path | None:
        with self._changed:
            while not self._ended:
                for folder in self._wanted:
                    if folder not in self._known and folder not in self._looking:
                        self._looking.add(folder)
                        return folder
                self._changed.wait()
            return None


def look_into(folder: Path) -> FolderContent:
    """What lies directly in a folder."""
    folders, images, seen = [], 0, 0
    try:
        check_root(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                seen += 1
                if seen > _MOST:
                    break
                if is_image_name(entry.name):
                    images += 1
                elif is_folder(entry) and not _is_state(entry):
                    folders.append(entry.name)
    except DataError as error:
        return FolderContent(problem=str(error))
    except OSError as error:
        return FolderContent(problem=f"{printable(folder)} cannot be looked into: {error.strerror}.")
    return FolderContent(tuple(sorted(folders, key=natural_key)), images, seen > _MOST)


def _is_state(entry: os.DirEntry[str]) -> bool:
    """Whether labels and runs of a dataset are kept there: nothing to open."""
    if entry.name != STATE_FOLDER and not entry.name.endswith(f".{STATE_FOLDER}"):
        return False
    folder = Path(entry.path)
    return is_state_folder(folder) or os.path.isdir(StateFolder(folder).runs)  # noqa: PTH112  # Path's raises
