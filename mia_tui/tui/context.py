"""What all screens share: terminal, drawing, settings."""

from dataclasses import dataclass
from pathlib import Path

from mia_tui.config.user import UserConfig
from mia_tui.terminal.model import Terminal
from mia_tui.tui.pictures.link import Link
from mia_tui.tui.widgets.ink import Ink


@dataclass(frozen=True)
class Context:
    """What all screens share.

    Attributes:
        terminal: What the terminal can do.
        ink: Characters and styles for it.
        link: How fast it takes pictures.
        user: The user's settings.
        state: The folder given with --state.
        annotator: The name given with --annotator; None is the login name.
    """

    terminal: Terminal
    ink: Ink
    link: Link
    user: UserConfig
    state: Path | None
    annotator: str | None
