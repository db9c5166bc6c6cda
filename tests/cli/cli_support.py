"""The command line in this process: what it prints and the code it leaves with."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import pytest

from mia_tui.cli.output.safe_stream import SafeStream
from mia_tui.terminal.model import Terminal


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


Mia = Callable[..., Answer]


def make_terminal(graphics: str = "half", colours: str = "true", **more: object) -> Terminal:
    """A terminal with cells of 10x20 pixels."""
    return Terminal(
        graphics=graphics,  # type: ignore[arg-type]
        colours=colours,  # type: ignore[arg-type]
        cell_width_px=10,
        cell_height_px=20,
        cell_known=True,
        **more,  # type: ignore[arg-type]
    )


def on_terminal(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> list[str]:
    """stdout is that terminal from now on, and answers so; how it is asked is listed, colours that are set too."""
    asked: list[str] = []

    def ask_terminal(wanted: str = "auto", environment: Mapping[str, str] | None = None) -> Terminal:
        asked.append(" ".join(filter(None, (wanted, (environment or {}).get("TEXTUAL_COLOR_SYSTEM")))))
        return terminal

    ask = ModuleType("ask")
    vars(ask)["ask_terminal"] = ask_terminal
    monkeypatch.setitem(sys.modules, "mia_tui.terminal.ask", ask)
    monkeypatch.setattr(SafeStream, "isatty", lambda self: True)
    return asked
