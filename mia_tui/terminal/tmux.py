"""What tmux says of the terminals around it: it answers for them, so a program in it cannot query them.

Queries passed through tmux would not do: their answers would reach the program as key presses, after tmux's own.

Source: https://man.openbsd.org/tmux, client_termtype and the like below FORMATS, allow-passthrough below OPTIONS.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from mia_tui.text import printable

_WAIT_S = 1.0  # it takes 10 ms
_SERVER = "#{version}\t#{allow-passthrough}"
_CLIENT = "#{client_termtype}\t#{client_termfeatures}"
_FIRST_TO_FORBID = (3, 3)  # before, everything was passed through
# What draws the pictures that placeholders stand for, by XTVERSION, and the first version that does.
_DRAWS_PLACEHOLDERS: dict[str, tuple[int, int]] = {
    "kitty": (0, 28),  # https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders
    "ghostty": (1, 0),  # src/terminal/kitty/graphics_unicode.zig
    "iterm2": (3, 6),  # sources/InlineImages/KittyImageController.swift, from 3.5.5 on
}


@dataclass(frozen=True)
class TmuxClient:
    """A terminal that shows this tmux session."""

    brand: str
    """What it answered to XTVERSION; empty if nothing."""
    sixel: bool
    """Whether tmux shows sixel pictures on it."""

    @property
    def draws_placeholders(self) -> bool:
        """Whether it draws kitty's pictures at placeholder characters."""
        match = re.match(r"(\w+)[ (]v?(\d+)\.(\d+)", self.brand)
        if match is None:
            return False
        first = _DRAWS_PLACEHOLDERS.get(match[1].lower())
        return first is not None and (int(match[2]), int(match[3])) >= first


@dataclass(frozen=True)
class Tmux:
    """A tmux server as this program's pane sees it."""

    passes_through: bool
    """Whether sequences for the terminal around it are passed on: allow-passthrough."""
    clients: tuple[TmuxClient, ...]
    """Every terminal that shows the session; they all get the same pictures. None while it is detached."""

    @property
    def draws_placeholders(self) -> bool:
        return bool(self.clients) and all(client.draws_placeholders for client in self.clients)

    @property
    def shows_sixel(self) -> bool:
        return bool(self.clients) and all(client.sixel for client in self.clients)

    @property
    def names(self) -> str:
        """The terminals around it, for a sentence; empty if none said what it is."""
        return ", ".join(dict.fromkeys(client.brand for client in self.clients if client.brand))


class TmuxQuestion:
    """Asks the tmux server that the environment names, while something else is done."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        pane = environment.get("TMUX_PANE", "")
        if not environment.get("TMUX") or not re.fullmatch(r"%\d{1,9}", pane):
            return
        command = ["tmux", "display-message", "-p", "-t", pane, _SERVER, ";", "list-clients", "-t", pane]
        try:
            self._process = subprocess.Popen(
                [*command, "-F", _CLIENT],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return  # tmux is not there: the variables came from elsewhere, as into a container

    def answer(self) -> Tmux | None:
        """What the server says; None if there is none, or it says nothing in time."""
        if self._process is None:
            return None
        try:
            answer, _ = self._process.communicate(timeout=_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return None
        return read_tmux(answer.decode("utf-8", "replace")) if self._process.returncode == 0 else None


def read_tmux(answer: str) -> Tmux | None:
    """Read what the server printed: a line of its own, then one for each terminal."""
    first, *others = answer.splitlines() or [""]
    version, tab, passthrough = first.partition("\t")
    if not tab:
        return None
    number = re.search(r"(\d+)\.(\d+)", version)
    always = number is not None and (int(number[1]), int(number[2])) < _FIRST_TO_FORBID
    return Tmux(always or passthrough in ("1", "2", "on", "all"), tuple(map(_read_client, others)))


def _read_client(line: str) -> TmuxClient:
    brand, _, features = line.partition("\t")
    return TmuxClient(printable(brand), "sixel" in features.split(","))
