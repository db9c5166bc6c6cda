"""A terminal that keeps pictures as kitty does: by number, within a quota, and with the faults of its versions."""

import io
import re
from base64 import b64decode
from collections import OrderedDict
from dataclasses import dataclass, field

from PIL import Image

QUOTA_BYTES = 320 * 10**6
_COMMAND = re.compile(rb"\x1b_G([^;\x1b]*)(?:;([^\x1b]*))?\x1b\\")
_UNFINISHED = re.compile(rb"\x1b(?:_(?:G[^\x1b]*\x1b?)?)?\Z")


@dataclass
class Stored:
    """One image: its colour stands for what it shows."""

    colour: tuple[int, ...]
    size_bytes: int
    placed: bool = False


@dataclass
class KittyTerminal:
    """kitty's images; `take` gives what it answers.

    Attributes:
        frees_unplaced: Whether any deletion with data frees all that is not on the screen, as up to 0.38.0.
        counts_twice: Whether an image that is replaced still counts against the quota, as in 0.26.
        shown: The colour of what was placed last and is there, None where nothing is seen.
    """

    frees_unplaced: bool = False
    counts_twice: bool = False
    quota_bytes: int = QUOTA_BYTES
    images: OrderedDict[int, Stored] = field(default_factory=OrderedDict)  # the oldest first
    most_images: int = 0
    _loading: tuple[int, bytes] | None = None
    _used: int = 0
    _open: bytes = b""

    @property
    def shown(self) -> tuple[int, ...] | None:
        placed = [image for image in self.images.values() if image.placed]
        return placed[-1].colour if placed else None

    @property
    def stored_bytes(self) -> int:
        return sum(image.size_bytes for image in self.images.values())

    def take(self, data: bytes) -> bytes:
        """The answers to what is written to it; sequences may come in parts."""
        data = self._open + data
        answers, end = b"", 0
        for match in _COMMAND.finditer(data):
            end = match.end()
            control = dict(part.split("=", 1) for part in match[1].decode().split(",") if "=" in part)
            answers += self._obey(control, match[2] or b"")
        unfinished = _UNFINISHED.search(data, end)
        self._open = unfinished.group() if unfinished else b""
        return answers

    def forget(self, number: int) -> None:
        """An image is gone, whatever the program thinks."""
        if number in self.images:
            self._used -= self.images.pop(number).size_bytes

    def _obey(self, control: dict[str, str], payload: bytes) -> bytes:
        action, number = control.get("a", "t"), int(control.get("i", 0))
        if action == "p":
            return self._place(number, int(control.get("q", 0)))
        if action == "d":
            self._delete(control.get("d", "a"), number)
        elif action in "tT":
            self._load(control, number, payload)
        return b""

    def _load(self, control: dict[str, str], number: int, payload: bytes) -> None:
        before = b"" if self._loading is None else self._loading[1]
        number = number if self._loading is None else self._loading[0]
        self._loading = number, before + payload
        if control.get("m", "0") == "1":
            return
        file, self._loading = io.BytesIO(b64decode(self._loading[1])), None
        try:
            picture = Image.open(file).convert("RGB")
        except (OSError, SyntaxError):  # no picture, or a broken one
            return
        if number in self.images:
            replaced = self.images.pop(number)
            self._used -= 0 if self.counts_twice else replaced.size_bytes
        size = 4 * picture.width * picture.height
        self.images[number] = Stored(picture.getpixel((0, 0)), size)
        self._used += size
        self.most_images = max(self.most_images, len(self.images))
        if self._used > self.quota_bytes:
            self._obey_quota(number)

    def _obey_quota(self, added: int) -> None:
        for other in [n for n, image in self.images.items() if not image.placed and n != added]:
            self.forget(other)
        while self._used > self.quota_bytes and self.images:
            self.forget(next(iter(self.images)))
        if not self.images:
            self._used = 0

    def _place(self, number: int, quiet: int) -> bytes:
        if number not in self.images:
            said = f"\x1b_Gi={number},p=1;ENOENT:Put command refers to non-existent image\x1b\\"
            return b"" if quiet > 1 else said.encode()
        self.images.move_to_end(number)
        self.images[number].placed = True
        return b"" if quiet else f"\x1b_Gi={number},p=1;OK\x1b\\".encode()

    def _delete(self, which: str, number: int) -> None:
        assert which in "iIa", "no other form is known to be safe"
        for other, image in self.images.items():
            if which == "a" or other == number:  # `a` is for programs that we are compared with
                image.placed = False
        if which == "I":
            unplaced = [n for n, image in self.images.items() if not image.placed]
            for other in unplaced if self.frees_unplaced else [number]:
                self.forget(other)
