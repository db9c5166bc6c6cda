"""A folder as a person types it: `~`, completion, and names that no keyboard has.

What stands in the line is printable whatever a folder is called; the folder
that it stands for is kept beside it.
"""

import os
from pathlib import Path

from mia_tui.text import printable


class PathTyping:
    """Turns what is typed into folders, and folders into what is shown.

    Args:
        start: Where relative paths begin.
    """

    def __init__(self, start: Path) -> None:
        self._start = start
        self._real: dict[str, Path] = {}  # by the text that was put into the line for it, / at its end

    def text_of(self, folder: Path) -> str:
        """A folder as it stands in the line, with / at its end; ~ for the home."""
        text = str(folder)
        home = str(Path.home())
        if home != "/" and (text == home or text.startswith(home + "/")):
            text = "~" + text[len(home) :]
        shown = printable(text).rstrip("/") + "/"
        self._real[shown] = folder
        return shown

    def folder_of(self, text: str) -> Path:
        """The folder that is typed."""
        base, rest = self.parts(text)
        return base / rest if rest else base

    def parts(self, text: str) -> tuple[Path, str]:
        """The folder that is typed so far, and the beginning of a name in it."""
        if text in ("~", ".", ".."):
            return self._expanded(text), ""
        head, slash, rest = text.rpartition("/")
        if head + slash in self._real:
            return self._real[head + slash], rest
        return (self._expanded(head + slash) if slash else self._start), rest

    def _expanded(self, text: str) -> Path:
        return Path(os.path.normpath(self._start / os.path.expanduser(text)))  # noqa: PTH111  # Path's raises


def matching(names: tuple[str, ...], beginning: str) -> list[str]:
    """The names that begin as typed, whatever the case of letters; hidden ones only if a dot is typed."""
    wanted = beginning.casefold()
    return [
        name
        for name in names
        if printable(name).casefold().startswith(wanted)
        and (wanted.startswith(".") or not name.startswith("."))
    ]


def common_beginning(names: list[str]) -> str:
    """What all names begin with."""
    return os.path.commonprefix(names)  # noqa: RUF071  # of names, not of paths
