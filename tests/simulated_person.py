"""A person who labels in the app in tmux: reads which image is on the screen, and presses the keys of its class."""

import re
import time
from collections.abc import Mapping, Sequence

from patience import Patience
from tmux_support import TmuxApp

_PLACE = re.compile(r"^ *\d[\d,]*/[\d,]+ ", re.MULTILINE)
_SEE_S = 60.0
_LOOK_S = 0.3


class SimulatedPerson:
    """Labels images whose classes are known, in the app with `--graphics none`: names stand where pictures would be.

    Args:
        app: On the labelling screen.
        right: The class of each image, by its file name.
        classes: In the order of their keys, 1 to 9.

    Attributes:
        presses: Keys that a person would press; what the test presses to see images is not counted.
    """

    def __init__(self, app: TmuxApp, right: Mapping[str, str], classes: Sequence[str]) -> None:
        self._app, self._right, self._classes = app, right, classes
        self._names = re.compile("|".join(sorted(map(re.escape, right), reverse=True)))
        self.presses = 0

    def press(self, *keys: str) -> None:
        """Press keys that count."""
        self.presses += len(keys)
        self._app.press(*keys)

    def add_classes(self) -> None:
        """Type the classes, by the key of the classes screen."""
        self._app.press("F8")
        self._app.wait_for("Classes")
        self._app.press("a")
        self._app.wait_for("Enter adds")
        self._app.type(", ".join(self._classes))
        self._app.press("Enter")
        self._app.wait_for(self._classes[-1])
        self._app.press("Escape")
        self._app.wait_for(f"{self._classes[0]} 0")

    def label(self, count: int) -> None:
        """Label so many images in auto mode, each once it is on the screen."""
        before = None
        for _ in range(count):
            before = self._wait_for_another(before)
            self.press(self._key(before))

    def take_page(self) -> int:
        """Correct a page of look-alikes by the letters of its tiles, and take it; returns how many were on it."""
        names = self._names_on_page()
        [suggested] = re.findall(r"(\S+)\?  \d+ look-alikes?", self._app.screen())
        letters = [each for each in "abcdefghijklmnopqrstuvwxyz" if each not in "123456789"]
        for letter, name in zip(letters, names, strict=False):
            if self._right[name] != suggested:
                self._correct(letter, self._right[name])
        time.sleep(_LOOK_S)  # a page is taken by nobody who cannot have seen it
        self.press("Enter")
        self._app.wait_for("labelled; ")  # until then the page may still be the one that was taken
        return len(names)

    def _correct(self, letter: str, right: str) -> None:
        """Press the letter of a tile until it has the right class."""
        for _ in range(len(self._classes) + 1):
            before = self._title(letter)
            self.press(letter)
            patience = Patience(_SEE_S)
            while (now := self._title(letter)) == before:
                assert not patience.is_over(), f"{letter} changed nothing:\n{self._app.screen()}"
                time.sleep(0.02)
            if right.startswith(now.rstrip("…")):  # long names are cut
                return
        raise AssertionError(f"{letter} never became {right}:\n{self._app.screen()}")

    def _title(self, letter: str) -> str:
        """What stands behind the letter of a tile: a percentage, or the class that it was given."""
        found = re.search(rf"(?:^|[ ▐▌▸]) {letter} +([^\s▌▐]+)", self._app.screen(), re.MULTILINE)
        assert found is not None, self._app.screen()
        return found[1]

    def _names_on_page(self) -> list[str]:
        """What the eyes see: the name of each image, one after the other under the cursor."""
        self._app.press("Space", "Space")  # a message may hide the name; the cursor stays on the first image
        names = [self._name_below(None)]
        [count] = re.findall(r"(\d+) look-alikes?", self._app.screen())
        while len(names) < int(count):
            self._app.press("Right")
            names.append(self._name_below(names[-1]))
        return names

    def _name_below(self, before: str | None) -> str:
        patience = Patience(_SEE_S)
        while True:
            lines = self._app.screen().splitlines()
            found = self._names.search("\n".join(lines[-4:]))
            if found is not None and found[0] != before:
                return found[0]
            assert not patience.is_over(), "\n".join(lines)
            time.sleep(0.02)

    def _wait_for_another(self, before: str | None) -> str:
        patience = Patience(_SEE_S)
        while True:
            found = self._names.search(_in_the_middle(self._app.screen()))
            if found is not None and found[0] != before:
                return found[0]
            assert not patience.is_over(), f"no image after {before}:\n{self._app.screen()}"
            time.sleep(0.02)

    def _key(self, name: str) -> str:
        return str(self._classes.index(self._right[name]) + 1)


def _in_the_middle(screen: str) -> str:
    """Where the picture would be: right of the list of files, above the lines."""
    place = _PLACE.search(screen)
    lines = screen[: place.start() if place else len(screen)].splitlines()
    return "\n".join(line.rpartition("│")[2] for line in lines)
