"""The folders of the first screen: as a person types them, and what is in them.

Folders are read in threads, because a network disk may be slow. These are not
workers of Textual: those run in the thread pool of the event loop, and the app
would wait for them at its end, for ever where a disk never answers.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mia_tui.dataset.images.formats import is_image_name
from mia_tui.dataset.scan.scan import check_root
from mia_tui.dataset.scan.walk import natural_key
from mia_tui.errors import DataError
from mia_tui.paths import STATE_FOLDER, StateFolder, is_folder, is_state_folder
from mia_tui.text import printable

_THREADS = 2
_MOST = 200_000  # entries of a folder that are counted


class PathTyping:
    """Turns typed text into folders, with `~` for the home folder, and folders into text.

    The text is printable whatever a folder is called; the folder it was made from is remembered.

    Args:
        start: The folder that relative paths start from.
    """

    def __init__(self, start: Path) -> None:
        self._start = start
        self._real: dict[str, Path] = {}  # by the text made from it, which ends in /

    def text_of(self, folder: Path) -> str:
        """The text for a folder; it ends in /."""
        text = str(folder)
        home = str(Path.home())
        if home != "/" and (text == home or text.startswith(home + "/")):
            text = "~" + text[len(home) :]
        shown = printable(text).rstrip("/") + "/"
        self._real[shown] = folder
        return shown

    def folder_of(self, text: str) -> Path:
        """The folder for a text."""
        base, rest = self.parts(text)
        return base / rest if rest else base

    def parts(self, text: str) -> tuple[Path, str]:
        """The folder typed so far, and the beginning of a name in it."""
        if text in ("~", ".", ".."):
            return self._expanded(text), ""
        head, slash, rest = text.rpartition("/")
        if head + slash in self._real:
            return self._real[head + slash], rest
        return (self._expanded(head + slash) if slash else self._start), rest

    def _expanded(self, text: str) -> Path:
        return Path(os.path.normpath(self._start / os.path.expanduser(text)))  # noqa: PTH111  # Path's raises


def matching(names: tuple[str, ...], beginning: str) -> list[str]:
    """The names that begin with a text, in any case; hidden ones only if it begins with a dot."""
    wanted = beginning.casefold()
    return [
        name
        for name in names
        if printable(name).casefold().startswith(wanted)
        and (wanted.startswith(".") or not name.startswith("."))
    ]


def common_beginning(names: list[str]) -> str:
    """The longest text that all names begin with."""
    return os.path.commonprefix(names)  # noqa: RUF071  # of names, not of paths


@dataclass(frozen=True)
class FolderContent:
    """The content of a folder, without that of the folders in it.

    Attributes:
        folders: Names in natural order, with hidden folders, without folders that hold labels and runs.
        images: Number of files with the suffix of an image.
        more: Whether the folder has more entries than were counted.
        problem: Why it cannot be read, a sentence; None if it can.
    """

    folders: tuple[str, ...] = ()
    images: int = 0
    more: bool = False
    problem: str | None = None


class FolderReader:
    """Reads folders in threads and keeps what is in them.

    Args:
        on_read: Called, in a thread, with each folder that was read.
    """

    def __init__(self, on_read: Callable[[Path], None]) -> None:
        self._on_read = on_read
        self._changed = threading.Condition()
        self._wanted: list[Path] = []
        self._at_work: set[Path] = set()
        self._known: dict[Path, FolderContent] = {}
        self._ended = False
        for number in range(_THREADS):
            threading.Thread(target=self._work, name=f"folders-{number}", daemon=True).start()

    def get(self, folder: Path) -> FolderContent | None:
        """What is in a folder; None if it has not been read yet."""
        with self._changed:
            return self._known.get(folder)

    def want(self, folders: Sequence[Path]) -> None:
        """Read these folders, the most urgent first, in place of those still waiting."""
        with self._changed:
            self._wanted = list(folders)
            self._changed.notify_all()

    def forget(self, folder: Path) -> None:
        """Read it again the next time it is wanted."""
        with self._changed:
            self._known.pop(folder, None)

    @property
    def idle(self) -> bool:
        """Whether all wanted folders have been read."""
        with self._changed:
            return not self._at_work and all(folder in self._known for folder in self._wanted)

    def close(self) -> None:
        """End the threads."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (folder := self._next()) is not None:
            content = read_folder(folder)
            with self._changed:
                self._known[folder] = content
                self._at_work.discard(folder)
            self._on_read(folder)

    def _next(self) -> Path | None:
        with self._changed:
            while not self._ended:
                for folder in self._wanted:
                    if folder not in self._known and folder not in self._at_work:
                        self._at_work.add(folder)
                        return folder
                self._changed.wait()
            return None


def read_folder(folder: Path) -> FolderContent:
    """Read what is in a folder."""
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
        return FolderContent(problem=f"{printable(folder)} cannot be read: {error.strerror}.")
    return FolderContent(tuple(sorted(folders, key=natural_key)), images, seen > _MOST)


def _is_state(entry: os.DirEntry[str]) -> bool:
    """Whether a folder holds the labels and runs of a dataset, so that there is nothing to open."""
    if entry.name != STATE_FOLDER and not entry.name.endswith(f".{STATE_FOLDER}"):
        return False
    folder = Path(entry.path)
    return is_state_folder(folder) or os.path.isdir(StateFolder(folder).runs)  # noqa: PTH112  # Path's raises
